"""Properties of a training with a regularizer: that it resumes, and what it costs."""

import io
import time
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from vae_zoo.contract.codes import Factory, make, parameters_of_codes, prepare
from vae_zoo.contract.estimates import Estimates
from vae_zoo.contract.gradients import backward
from vae_zoo.contract.verdict import Verdict
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.priors import StandardNormal
from vae_zoo.regularizers import KL, Regularizer

N, LATENT_DIM, FEATURES = 32, 2, 4
COST_EXAMPLES, COST_DIMENSIONS, COST_REPEATS = 512, 16, 7


class Training:
    """A linear encoder that is trained with a regularizer alone.

    Args:
        factory: Makes the regularizer.
        seed: Of the parameters and of the noise.
    """

    def __init__(self, factory: Factory, seed: int) -> None:
        self.regularizer = make(factory, N, seed=seed)
        self.encoder = nn.Linear(FEATURES, 2 * LATENT_DIM)
        self.model = nn.ModuleList([self.encoder, self.regularizer])
        groups: list[dict[str, Any]] = [{"params": list(self.encoder.parameters())}]
        if own := list(self.regularizer.parameters()):
            groups.append({"params": own, **self.regularizer.optimizer_options})
        self.optimizer = Adam(groups)
        self.x = torch.randn(N, FEATURES, generator=torch.Generator().manual_seed(0))

    def steps(self, first: int, last: int) -> list[float]:
        """Take some steps, and return the losses of each."""
        losses = []
        for step in range(first, last):
            prepare(self.regularizer, N, step)
            loss = penalty_and_critic(self.regularizer, self.encoder(self.x))
            self.optimizer.zero_grad()
            backward(loss)
            self.optimizer.step()
            losses.append(loss.item())
        return losses

    def save(self) -> bytes:
        """Write what a checkpoint holds: parameters, buffers, the optimizer's and the noise's."""
        file = io.BytesIO()
        noise = torch.get_rng_state()
        torch.save((self.model.state_dict(), self.optimizer.state_dict(), noise), file)
        return file.getvalue()

    def load(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint."""
        model, optimizer, noise = torch.load(io.BytesIO(checkpoint), weights_only=True)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)
        torch.set_rng_state(noise)


def penalty_and_critic(regularizer: Regularizer, output: Tensor) -> Tensor:
    """Add the two losses that share a backward pass, of the codes of a batch.

    Args:
        regularizer: The regularizer.
        output: What the encoder returned, of shape ``(n, 2D)``.
    """
    n, latent_dim = len(output), output.shape[1] // 2
    q = DiagonalNormal(latent_dim)(output)
    p = StandardNormal(latent_dim).to(output.dtype)(output.new_empty(1, 0)).expand((n,))
    z = q.rsample()
    loss: Tensor = regularizer(q, p, z)
    critic = regularizer.critic_loss(q, p, z)
    return loss if critic is None else loss + critic


def resumes_exactly(estimates: Estimates) -> Verdict:
    """Compare six steps with three, a checkpoint, and three more by another object."""
    expected = "3 steps, a checkpoint and 3 more end as 6 steps do, bit for bit"
    whole = Training(estimates.factory, seed=0)
    losses = whole.steps(0, 6)
    first = Training(estimates.factory, seed=0)
    again = first.steps(0, 3)
    checkpoint = first.save()
    second = Training(estimates.factory, seed=1)
    second.load(checkpoint)
    again += second.steps(3, 6)
    for step, (loss, other) in enumerate(zip(losses, again, strict=True)):
        if loss != other:
            figure = f"loss {loss:.8g} and {other:.8g} at step {step + 1}: state outside state_dict"
            return Verdict(False, figure, expected)
    pairs = zip(whole.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    same = all(torch.equal(one, other) for one, other in pairs)
    return Verdict(same, "the same" if same else "other parameters or buffers", expected)


def cost_relative_to_kl(estimates: Estimates) -> Verdict:
    """Time a step with the regularizer beside one with KL, in turns."""
    seconds: dict[str, list[float]] = {"KL": [], "it": []}
    contenders = {
        "KL": make(KL, COST_EXAMPLES, COST_DIMENSIONS),
        "it": make(estimates.factory, COST_EXAMPLES, COST_DIMENSIONS),
    }
    for _ in range(COST_REPEATS + 1):
        for name, regularizer in contenders.items():
            output = torch.cat(parameters_of_codes(COST_EXAMPLES, COST_DIMENSIONS), dim=1)
            begin = time.perf_counter()
            backward(penalty_and_critic(regularizer, output))
            seconds[name].append(time.perf_counter() - begin)
    kl, it = (median(times[1:]) for times in seconds.values())  # the first warms up
    figure = f"{it / kl:.1f} times ({1000 * it:.2g} ms and {1000 * kl:.2g} ms)"
    expected = (
        f"a figure, no threshold: one step, one thread, n={COST_EXAMPLES}, D={COST_DIMENSIONS}"
    )
    return Verdict(None, figure, expected)
