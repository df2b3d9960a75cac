"""Pictures, or texts, of what a model reconstructs and samples, and of its codes."""

import warnings
from pathlib import Path

from lightning import Trainer
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from vae_zoo import pictures
from vae_zoo.callbacks.periodic import Periodic
from vae_zoo.data import DataModule
from vae_zoo.evaluation.examples import SplitName
from vae_zoo.generation.decoded import conditions, first, reconstruct, sample
from vae_zoo.generation.files import paragraphs, png
from vae_zoo.generation.made import COLUMNS, Made
from vae_zoo.runs import Run, replace
from vae_zoo.vae import VAE

AT_THE_END = ("traversals", "interpolations", "latents", "grid", "density")


class Pictures(Periodic):
    """Draws reconstructions of the same examples, and samples of the model, for files and W&B.

    They are ``images/reconstructions.png`` and ``images/samples.png`` in the run's folder: of the
    validation split while the model trains, and of the test split at its end. A fit ends with
    ``traversals``, ``interpolations``, ``latents`` and, of two latent dimensions, ``grid`` and
    ``density`` besides; :mod:`vae_zoo.pictures` says what they show. What a model or its data have
    no picture of is left out.

    Texts are ``texts/reconstructions.txt`` and ``texts/samples.txt``.

    Args:
        every_n_epochs: How often to draw them while training; 0 only at the end.
    """

    def show(self, trainer: Trainer, model: VAE, split: SplitName) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.is_global_zero or not isinstance(data, DataModule):
            return
        folder = Path(trainer.default_root_dir)
        if data.support == "tokens":
            write_texts(folder / "texts", model, data, split)
        for name in ("reconstructions", "samples", *AT_THE_END * (split == "test")):
            options = {} if name in AT_THE_END else {"split": split}
            try:
                picture = getattr(pictures, name)(model, data, **options)
            except pictures.NoPictureError:
                continue
            except Exception as error:  # of a class of one's own; the training has its worth
                warnings.warn(f"images/{name}.png is left out: {error}", stacklevel=2)
                continue
            self._keep(trainer, name, picture)

    def _keep(self, trainer: Trainer, name: str, picture: Image.Image) -> None:
        file = Run(Path(trainer.default_root_dir)).images / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, png(picture))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"images/{name}", [picture], step=trainer.global_step - 1)


def write_texts(folder: Path, model: VAE, data: DataModule, split: SplitName) -> None:
    """Write reconstructions, each below its original, and samples."""
    n = 4 * COLUMNS
    made: dict[str, Made] = {
        "reconstructions": reconstruct(model, *first(model, data, COLUMNS, split)),
        "samples": sample(model, n, conditions(model, data, n, split=split)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in made.items():
        replace(folder / f"{name}.txt", paragraphs(each.titles, data.texts(each.x) or []))
