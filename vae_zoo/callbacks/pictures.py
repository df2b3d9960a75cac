"""Pictures, or texts, of what a model reconstructs and samples."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor

from vae_zoo.data import DataModule
from vae_zoo.runs import replace
from vae_zoo.vae import VAE

COLUMNS = 10
CELL = 28  # pixels, at least


class Pictures(Callback):
    """Draws reconstructions of the same examples, and samples of the model, for files and W&B.

    Reconstructions stand below their originals: of the validation split while the model trains, and
    of the test split at its end. A conditional model samples one column a label, or the condition
    of one of those examples.

    They are ``images/reconstructions.png`` and ``images/samples.png`` in the run's folder; texts
    are ``texts/reconstructions.txt`` and ``texts/samples.txt`` there.

    Args:
        every_n_epochs: How often to draw them while training; 0 only at the end.
    """

    def __init__(self, every_n_epochs: int = 10) -> None:
        super().__init__()
        if every_n_epochs < 0:
            raise ValueError(f"every_n_epochs must be non-negative, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs

    def on_validation_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        due = self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if due and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._draw(trainer, pl_module, trainer.val_dataloaders)

    def on_test_end(self, trainer: Trainer, pl_module: VAE) -> None:  # type: ignore[override]
        self._draw(trainer, pl_module, trainer.test_dataloaders)

    @torch.no_grad()
    def _draw(self, trainer: Trainer, model: VAE, loader: object) -> None:
        if not trainer.is_global_zero or not isinstance(trainer.datamodule, DataModule):  # type: ignore[attr-defined]
            return
        data: DataModule = trainer.datamodule  # type: ignore[attr-defined]
        show: Callable[..., Any] = data.picture
        x, y = next(iter(loader))  # type: ignore[call-overload]
        x = x[:COLUMNS].to(model.device)
        y = None if y is None else y[:COLUMNS].to(model.device)
        if (original := show(x, y)) is None and data.texts(x) is None:
            return
        number = torch.arange(4 * COLUMNS, device=model.device) % COLUMNS
        wanted = None if y is None else y[number % len(x)]
        if model.classes:
            wanted = number % model.classes
        with isolate_rng():
            torch.manual_seed(0)  # the same codes each time
            reconstructions, samples = model.reconstruct(x, y), model.sample(len(number), wanted)
        if original is None:
            write_texts(Path(trainer.default_root_dir, "texts"), data, x, reconstructions, samples)
            return
        pictures = {
            "reconstructions": torch.cat([original, show(reconstructions, y)]),
            "samples": show(samples, wanted),
        }
        folder = Path(trainer.default_root_dir, "images")
        folder.mkdir(parents=True, exist_ok=True)
        for name, images in pictures.items():
            picture = grid(images, columns=len(x) if name == "reconstructions" else COLUMNS)
            temporary = folder / f".{name}.png"
            picture.save(temporary, format="png")
            temporary.replace(folder / f"{name}.png")
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image(f"images/{name}", [picture], step=trainer.global_step - 1)


def write_texts(
    folder: Path, data: DataModule, x: Tensor, reconstructions: Tensor, samples: Tensor
) -> None:
    """Write texts, each reconstruction below its original."""
    folder.mkdir(parents=True, exist_ok=True)
    both = torch.stack([x, reconstructions], dim=1).flatten(0, 1)
    named = [f"{what} {i}" for i in range(len(x)) for what in ("example", "reconstruction")]
    titles = {"reconstructions": named, "samples": [f"sample {i}" for i in range(len(samples))]}
    for (name, title), tokens in zip(titles.items(), (both, samples), strict=True):
        replace(folder / f"{name}.txt", paragraphs(title, data.texts(tokens) or []))


def paragraphs(titles: Sequence[str], texts: Sequence[str]) -> str:
    """Set each text below its title, as texts may be of several lines."""
    return "\n".join(f"--- {title}\n{text}\n" for title, text in zip(titles, texts, strict=True))


def grid(images: Tensor, columns: int) -> Image.Image:
    """Lay images ``(R * columns, C, H, W)`` with values in [0, 1] out in R rows, large enough."""
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1), value=1.0)
    rows = framed.view(-1, columns, *framed.shape[1:])
    sheet = torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)
    pixels = sheet.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    times = max(1, -(-CELL // min(images.shape[-2:])))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
