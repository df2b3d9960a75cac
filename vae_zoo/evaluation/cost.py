"""What a training costs: seconds, examples and memory."""

import sys

import torch
from lightning import LightningModule
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from vae_zoo.evaluation.score import Score


class TrainingCost(Metric):
    """What the epochs of a training took; it is shown each when it has ended.

    - ``parameters``: number of those that are trained.
    - ``epoch_seconds``: mean over epochs, and processes. The first of several epochs, in which all
      warms up, does not count.
    - ``examples_per_second``: of all processes together, in the same epochs.
    - ``peak_memory``: MiB, of the process so far, or of what torch took on a CUDA device: of the
      process that took most. Where it cannot be known, it is absent.

    Standard errors are over epochs.
    """

    full_state_update = False
    epochs: list[Tensor]
    trained: Tensor
    memory: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("epochs", [], dist_reduce_fx="cat")  # (number, seconds, examples) of each
        self.add_state("trained", torch.tensor(0.0), dist_reduce_fx="max")
        self.add_state("memory", torch.tensor(0.0), dist_reduce_fx="max")

    def update(self, model: LightningModule, seconds: float, examples: int) -> None:
        """Count an epoch.

        Args:
            model: The model that was trained.
            seconds: That the epoch took.
            examples: That this process trained on in it.
        """
        row = [[len(self.epochs), seconds, examples]]
        self.epochs.append(torch.tensor(row, device=self.device))
        trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
        self.trained = self.trained.new_tensor(trained)
        self.memory = self.memory.new_tensor(peak_memory(model.device) or 0.0)

    def compute(self) -> dict[str, Score]:
        """Return the numbers, by name.

        Raises:
            ValueError: There were no epochs.
        """
        if not len(self.epochs):
            raise ValueError("TrainingCost has seen no epochs: update it with some")
        rows = dim_zero_cat(self.epochs).double()
        numbers = rows[:, 0].unique()  # type: ignore[no-untyped-call]
        if len(numbers) > 1:
            numbers = numbers[1:]
        seconds, examples = [], []
        for number in numbers:
            _, lasted, shown = rows[rows[:, 0] == number].T
            seconds.append(lasted.mean().item())
            examples.append(shown.sum().item())
        time = Score.of_sums(len(seconds), sum(seconds), sum(one**2 for one in seconds))
        rate, error = sum(examples) / sum(seconds), time.standard_error
        found = {
            "parameters": Score(self.trained.item()),
            "epoch_seconds": time,
            "examples_per_second": Score(rate, error and rate * error / time.value),
        }
        if self.memory > 0:
            found["peak_memory"] = Score(self.memory.item())
        return found


def peak_memory(device: torch.device) -> float | None:
    """Return MiB, of the process so far, or of what torch took on CUDA; None where unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
