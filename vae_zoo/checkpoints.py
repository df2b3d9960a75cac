"""Checkpoints of runs: where they lie, and how they are read, running nothing that they hold."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from vae_zoo.data import DataModule
from vae_zoo.runs import Run, replace
from vae_zoo.vae import VAE


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside the one that it replaces, and then exchanges them.

    Lightning writes it where temporary files lie: copied from there to another disk, which is full,
    it would be torn, and the one before gone.

    What is read names the files of the run where they lie now: Lightning would forget how good
    ``best.ckpt`` is once the run's folder was moved or copied, and write a worse one over it.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        buffer = BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        replace(Path(path), buffer.getbuffer())

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        content = super().load_checkpoint(path, *args, **kwargs)
        now = Path(os.path.realpath(path))  # as Lightning names it
        for state in content.get("callbacks", {}).values():
            written = state.get("best_model_path") if isinstance(state, dict) else None
            before = Path(written) if isinstance(written, str) else now
            if before.name == now.name and before != now:  # of what wrote this file, elsewhere
                folders = str(before.parent), str(now.parent)
                content["callbacks"] = _moved(content["callbacks"], *folders)
                break
        return content


def _moved(state: Any, before: str, now: str) -> Any:
    """Exchange the folder in all paths of a state."""
    if isinstance(state, dict):
        pairs = state.items()
        return {_moved(key, before, now): _moved(value, before, now) for key, value in pairs}
    if isinstance(state, str) and (state == before or state.startswith(f"{before}{os.sep}")):
        return now + state.removeprefix(before)
    return state


def check_finite(model: VAE, path: Path) -> None:
    """Refuse weights that a diverged training has left.

    Raises:
        ValueError: A parameter is not finite.
    """
    for name, parameter in [*model.named_parameters(), *model.encoder.named_buffers()]:
        if not parameter.isfinite().all():
            raise ValueError(
                f"{path} holds values that are not finite, in {name}: its training diverged; train "
                "it again with a lower --model.optimizer.lr"
            )


def checkpoint(run: Run) -> Path:
    """Return the path of best.ckpt, or of last.ckpt while there is no other."""
    best = run.checkpoints / "best.ckpt"
    path = best if best.is_file() else run.last_checkpoint
    if not path.is_file():
        raise FileNotFoundError(f"{run.folder} has no checkpoint yet: {best}")
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, running nothing that it may hold besides tensors and plain numbers.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, or holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        return {"global_step": content["global_step"], **content}
    except Exception as error:
        reason = str(error).partition("\n")[0][:100]
        if not is_zipfile(path):
            size = path.stat().st_size
            reason = f"its {size:,} bytes are no whole file: copy it again, or resume the run"
        raise ValueError(f"{path} is no checkpoint that can be read: {reason}") from error


def load_weights(model: VAE, path: Path) -> dict[str, Any]:
    """Load the weights of a checkpoint, and return all that it holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, or one of another model.
    """
    content = read_checkpoint(path)
    try:
        model.load_state_dict(content["state_dict"])
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        reason += of_version(content)
        raise ValueError(f"{path} is a checkpoint of another model: {reason}") from error
    return content


def load_state(data: DataModule, checkpoint: dict[str, Any]) -> None:
    """Let data remember what a checkpoint keeps of them, at Lightning's place for it.

    Raises:
        ValueError: The data were read, and are others.
    """
    if isinstance(state := checkpoint.get(type(data).__qualname__), dict):
        data.load_state_dict(state)


def of_version(checkpoint: Mapping[str, Any]) -> str:
    """Say in brackets which other version of vae_zoo a checkpoint is of, if it is known to be."""
    was, now = checkpoint.get("vae_zoo_version"), version("vae_zoo")
    return f" (it is of vae_zoo {was}, and this is {now})" if was not in (None, now) else ""
