"""Metrics that keep a row for each example, and depend on no batch and no device."""

from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from torchmetrics.utilities.distributed import gather_all_tensors

from vae_zoo.evaluation.noise import distinct, evaluating, example_keys
from vae_zoo.evaluation.score import Score
from vae_zoo.vae import VAE

GROUPS = 10  # of the examples, that a jackknife leaves out in turn


class KeptExamples(Metric, ABC):
    """Keeps named rows for each example; ``compute`` finds them in an order of their own.

    The order is that of the examples' keys, so that it follows neither the batches nor the devices
    that they came in; the noise of an example follows its key, too. Examples that are alike are
    told apart by the order in which a process sees them.

    A metric of one's own says what it keeps of a batch, and what it makes of all that it kept; it
    is shown examples by ``update(model, x, y)``::

        class ReconstructionError(KeptExamples):
            rows = ("errors",)

            def measure(self, model, x, c, keys):
                z = model.posterior.point(model.encode(x, c))
                reconstruction = model.likelihood.point(model.decode(z, c))
                return {"errors": (x - reconstruction).square().flatten(1).sum(1)}

            def scores(self, errors):
                return {"reconstruction_error": mean_score(errors)}

    Args:
        seed: Of all noise.

    Raises:
        ValueError: The seed is negative.
    """

    full_state_update = False
    rows: ClassVar[tuple[str, ...]]
    least: ClassVar[int] = 1  # examples that the numbers can be made of
    keys: list[Tensor]

    def __init__(self, seed: int = 0) -> None:
        super().__init__(dist_sync_fn=gather_rows)
        require_seed(seed)
        self.seed = seed
        for name in ("keys", *self.rows):
            self.add_state(name, [], dist_reduce_fx="cat")
        self._model: list[VAE] = []  # in a list, since it is no part of the metric
        self.ordered: Tensor  # keys of all examples, when the numbers are made
        self._seen: Counter[int] = Counter()  # keys, of which examples that are alike have the same

    def reset(self) -> None:
        """Forget all examples."""
        super().reset()
        self._seen.clear()

    @abstractmethod
    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        """Return what is kept of a batch, by the names of ``rows``: tensors of B rows.

        Args:
            model: In evaluation mode.
            x: Examples ``(B, *X)``, on the model's device.
            c: Features of their conditions ``(B, C)``.
            keys: Their keys ``(B,)``, of which their noise follows.
        """

    @abstractmethod
    def scores(self, **rows: Tensor) -> dict[str, Score]:
        """Return the numbers, from what was kept of all examples: tensors of N rows each."""

    @property
    def setting(self) -> dict[str, Any]:
        """What the numbers were made with, beside n and seed."""
        return {}

    @property
    def model(self) -> VAE:
        """The model that was measured last.

        Raises:
            ValueError: This metric has only been given what others kept.
        """
        if not self._model:
            raise ValueError(f"{type(self).__name__} has seen no model: update it with examples")
        return self._model[0]

    def update(self, model: VAE, x: Tensor, y: Tensor | None = None) -> None:
        """Count a batch of data ``(B, *X)`` and labels ``(B,)``, or conditions ``(B, *Y)``."""
        self.keep(model, x, y)

    def keep(self, model: VAE, x: Tensor, y: Tensor | None, **given: Tensor) -> None:
        """Keep the rows of a batch: those that are measured, and those that are given with it."""
        self._model = [model]
        x, y = x.to(model.device), None if y is None else y.to(model.device)
        with evaluating(model):
            keys = example_keys(x, y)
            self.keys.append(keys.to(self.device))
            own = distinct(keys, self._seen)
            rows = self.measure(model, x, condition(model, x, y), own) | given
        for name in self.rows:
            getattr(self, name).append(rows[name].to(self.device))

    def compute(self) -> dict[str, Score]:
        """Return the numbers of all examples, by name.

        Raises:
            ValueError: There are too few examples, or none in this process.
        """
        if not len(self.keys):
            raise ValueError(f"{type(self).__name__} has seen no examples: update it with some")
        keys = dim_zero_cat(self.keys)
        order = keys.argsort()
        self.ordered = distinct(keys[order], Counter())
        if (n := len(order)) < self.least:
            raise ValueError(f"{type(self).__name__} needs at least {self.least} examples, got {n}")
        rows = {name: dim_zero_cat(getattr(self, name))[order] for name in self.rows}
        with evaluating(self.model):
            return self.scores(**rows)


def condition(model: VAE, x: Tensor, y: Tensor | None) -> Tensor:
    """Return features of conditions, of shape ``(B, C)``, with C = 0 where there are none."""
    return model.condition(y).to(model.dtype).expand(len(x), -1)  # type: ignore[no-any-return]


def gather_rows(rows: Tensor, group: Any = None) -> list[Tensor]:
    """Gather rows of all processes.

    Raises:
        ValueError: Some have none, though others do; it is raised in all of them.
    """
    counts = torch.stack(gather_all_tensors(torch.tensor(len(rows), device=rows.device), group))
    if counts.any() and not counts.all():
        raise ValueError(
            f"each process must see examples, got {counts.tolist()}: update the metric in all, or "
            "take fewer processes"
        )
    return gather_all_tensors(rows, group)


def mean_score(values: Tensor) -> Score:
    """Average numbers ``(N,)`` over examples; of what is true or false, the share of true ones."""
    values = values.double()
    return Score.of_sums(len(values), values.sum().item(), values.square().sum().item())


def groups(n: int) -> list[Tensor]:
    """Divide n examples into groups, and return the numbers of all that are not in each.

    Their keys order examples at random, so that groups of every tenth one are random, too.
    """
    numbers, count = torch.arange(n), min(GROUPS, n)
    return [numbers[numbers % count != group] for group in range(count)]


def require_seed(seed: int) -> None:
    """Refuse a seed that is none.

    Raises:
        ValueError: It is negative.
    """
    if seed < 0:
        raise ValueError(f"seed must be non-negative, got {seed}")
