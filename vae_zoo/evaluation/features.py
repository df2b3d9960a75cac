"""Features in which samples are compared with examples: of a data set, made once and kept."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pooch
import torch
from filelock import FileLock
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from vae_zoo.data import DataModule
from vae_zoo.evaluation.feature_networks import (
    ROWS,
    make_network,
    principal_components,
    train_classifier,
)
from vae_zoo.runs import replace

VARIABLE = "VAE_ZOO_CACHE"
RECIPE = 1  # raised whenever features are made in another way: older files are then left alone
EXAMPLES = 10_000  # that components are found in, and of which the mean and scale are taken
NUMBERS = 2**25  # in those examples, at most: larger ones are fewer


class Features(nn.Module):
    """Maps examples to features, of mean 0 and mean variance 1 over examples to train on.

    It works as the network of torchmetrics, too: ``FrechetInceptionDistance(feature=features)``.

    Args:
        network: Maps ``(N, *X)`` to ``(N, F)``; it stays in evaluation mode.
        num_features: Number F of features.
        description: What they are.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, num_features: int, description: str = "") -> None:
        super().__init__()
        self.network, self.num_features, self.description = network, num_features, description
        self.register_buffer("centre", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(()))
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Map examples ``(N, *X)``, as models see them, to ``(N, F)``."""
        found: Tensor = self.network(x.to(self.centre))
        return (found - self.centre) / self.scale

    def train(self, mode: bool = True) -> "Features":
        """Stay in evaluation mode."""
        return super().train(False)

    @property
    def setting(self) -> dict[str, str]:
        """What they are, and which: numbers in features of other weights are others."""
        weights = sha256()
        for one in self.state_dict().values():
            weights.update(one.cpu().float().numpy().tobytes())
        return {"features": f"{self.description}, {weights.hexdigest()[:8]}"}

    @torch.no_grad()
    def standardize(self, x: Tensor) -> None:
        """Take the mean and the scale from examples ``(N, *X)``."""
        found = torch.cat([self.network(part) for part in torch.split(x, ROWS)]).double()
        self.centre.copy_(found.mean(0))
        variance = found.var(0, correction=0).mean()
        self.scale.copy_(variance.sqrt() if variance > 0 else torch.ones(()))


def features(data: DataModule) -> Features:
    """Make features of a data set, or find those that were made before: always the same.

    Of data with labels they are the last hidden layer of a small classifier, trained on the train
    split; of data without, projections on the principal components of that split. They are kept in
    ``features`` of the user's cache folder (~/.cache/vae_zoo), or of what VAE_ZOO_CACHE names.

    Args:
        data: Images, tables or other vectors.

    Raises:
        ValueError: The data are texts.
    """
    if data.support == "tokens":
        raise ValueError(
            "features are of images and vectors, and the data are tokens: leave out FID, precision "
            "and all that compares samples in features"
        )
    folder = Path(os.environ.get(VARIABLE) or pooch.os_cache("vae_zoo")).expanduser() / "features"
    path = folder / f"{fingerprint(data)}.pt"
    if found := _load(path, data):
        return found
    with _locked(path):
        if found := _load(path, data):  # another process has made them meanwhile
            return found
        found = _make(data)
        content = BytesIO()
        kept = {"features": found.num_features, "description": found.description}
        torch.save({**kept, "state": found.state_dict()}, content)
        with suppress(OSError):
            replace(path, content.getvalue())
    return found


def fingerprint(data: DataModule) -> str:
    """Hash what decides the features of data, and the accuracy that is stated with them."""
    family, (train, _, test) = type(data), data.splits
    name = f"{family.__module__}.{family.__qualname__}"
    digest = sha256(f"{RECIPE} {torch.__version__} {name} {data.shape} {data.classes}".encode())
    # The same stored levels may be binarized for each batch, or not.
    seen, _ = data.examples(100)
    for part in (*train, *test, seen):
        if part is not None:
            digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()


def _load(path: Path, data: DataModule) -> Features | None:
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        number, description = int(content["features"]), str(content["description"])
        found = Features(make_network(data.shape, data.classes, number), number, description)
        found.load_state_dict(content["state"])
    except Exception:  # there is none, or a broken one
        return None
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process wait for the other that makes a file; go on where no lock can be had."""
    lock = FileLock(path.with_suffix(".lock"))
    with suppress(OSError, NotImplementedError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(data: DataModule) -> Features:
    labelled = data.classes > 1
    how = "training a small classifier" if labelled else "finding principal components"
    print(f"{how} of {type(data).__name__}: features to compare samples in, made once", flush=True)
    threads = torch.get_num_threads()
    # The same weights whatever the process's noise, its threads and its mode.
    with isolate_rng(), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        torch.set_num_threads(1)
        try:
            x, _ = data.examples(min(EXAMPLES, max(ROWS, NUMBERS // math.prod(data.shape))))
            if labelled:
                network, share = train_classifier(data)
                what = f"classifier, {100 * share:.1f} % of the test labels"
            else:
                network, share = principal_components(x)
                what = f"principal components, {100 * share:.1f} % of the variance"
            number = network[-1].out_features  # type: ignore[index]
            found = Features(network, number, what)
            found.standardize(x)
        finally:
            torch.set_num_threads(threads)
    return found
