"""The variational autoencoder, assembled from its parts."""

import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from importlib.metadata import version
from typing import Any, Literal

import torch
from lightning import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor
from torch.distributions import Distribution
from torch.func import functional_call
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from vae_zoo.assembly import make, make_network
from vae_zoo.conditions import ConditionFactory, Unconditional
from vae_zoo.continuation import (
    count_epochs_once,
    keep_averages,
    stay_stopped,
    step_plateaus,
)
from vae_zoo.likelihoods import Bernoulli, LikelihoodFactory
from vae_zoo.networks import MLP, NetworkFactory
from vae_zoo.objectives import Objective, PenalizedLikelihood
from vae_zoo.posteriors import DiagonalNormal, PosteriorFactory
from vae_zoo.priors import PriorFactory, StandardNormal
from vae_zoo.regularizers import Regularizer, kl_divergence
from vae_zoo.rehearsal import rehearse
from vae_zoo.runs import STAGES
from vae_zoo.sampling import gather
from vae_zoo.terms import MeanTerms, Terms


class VAE(LightningModule):
    """An autoencoder whose codes are pulled towards a prior.

    One class serves every model of the zoo: the regularizer makes it a β-VAE, an MMD-VAE or a
    Wasserstein autoencoder, the prior is fixed or learned, and a condition makes it conditional.
    The VAE makes every part that needs a size, from a class or a ``functools.partial`` of one.

    Args:
        shape: Shape of one example; on the command line that of the data.
        latent_dim: Number D of latent dimensions; with a condition, 0 makes a regression, whose
            ELBO is log p(x | c) itself.
        regularizer: What pulls the codes towards the prior, such as ``KL(weight=4)``.
        encoder: Makes the network from data to the parameters of q(z | x).
        decoder: Makes the network from codes to the parameters of p(x | z).
        prior: Makes p(z), or p(z | c).
        posterior: Makes the family of q(z | x).
        likelihood: Makes the family of p(x | z).
        condition: Makes the map from y to what a conditional model knows of it.
        objective: What is minimised, such as ``ImportanceWeighted(samples=5)``.
        classes: Number of labels; on the command line that of the data.
        condition_shape: Shape of y where it is no label; on the command line that of the data.
        optimizer: Makes the optimizer from the parameters.
        lr_scheduler: Makes the scheduler of the learning rate from the optimizer.
        lr_interval: How often the scheduler steps.

    Raises:
        TypeError: A part is an object where a class is due, or the other way round.
        ValueError: The parts do not go together.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        regularizer: Regularizer,
        *,
        encoder: NetworkFactory = MLP,
        decoder: NetworkFactory = MLP,
        prior: PriorFactory = StandardNormal,
        posterior: PosteriorFactory = DiagonalNormal,
        likelihood: LikelihoodFactory = Bernoulli,
        condition: ConditionFactory = Unconditional,
        objective: Objective = PenalizedLikelihood(),  # noqa: B008 (deep-copied)
        classes: int = 0,
        condition_shape: Sequence[int] = (),
        optimizer: OptimizerCallable = Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
    ) -> None:
        super().__init__()
        self.shape, self.latent_dim, self.classes = tuple(shape), latent_dim, classes
        self.condition_shape = tuple(condition_shape)
        self.condition = make("condition", condition, classes=classes, shape=condition_shape)
        if latent_dim < (0 if self.condition.dim else 1):
            reason = ", or 0 with a condition" if latent_dim == 0 else ""
            raise ValueError(f"latent_dim must be at least 1{reason}, got {latent_dim}")
        self.posterior = make("posterior", posterior, latent_dim=latent_dim)
        self.likelihood = make("likelihood", likelihood, shape=self.shape)
        c = self.condition.dim
        self.prior = make("prior", prior, latent_dim=latent_dim, condition_dim=c)
        self.encoder = make_network("encoder", encoder, self.shape, self.posterior.params, c)
        self.decoder = make_network("decoder", decoder, (latent_dim,), self.likelihood.params, c)
        self.prior.build(self.shape, self.encode_apart)
        if not isinstance(regularizer, Regularizer):
            raise TypeError(f"regularizer must be an object, such as KL(), got {regularizer!r}")
        if not isinstance(objective, Objective):
            raise TypeError(f"objective must be an object, such as GECO(9.0), got {objective!r}")
        objective.check(regularizer)
        self.objective, self.regularizer = deepcopy(objective), deepcopy(regularizer)
        for part in self._regularizers():
            part.build(latent_dim)
        self.optimizer, self.lr_scheduler, self.lr_interval = optimizer, lr_scheduler, lr_interval
        self._loaded_noise: Tensor | None = None
        self._paused_noise: Tensor | None = None
        self.mean_terms = {stage: MeanTerms() for stage in STAGES}
        rehearse(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":  # Lightning sets it 40 times a step, at a module's cost
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> "VAE":
        for factory in (self.optimizer, self.lr_scheduler):  # whose parser cannot be copied
            memo[id(factory)] = factory
        memo[id(self)] = copy = type(self).__new__(type(self))
        copy.__setstate__(deepcopy(self.__getstate__(), memo))  # type: ignore[no-untyped-call]
        return copy

    def _regularizers(self) -> list[Regularizer]:
        """The regularizer and those that it wraps."""
        return [part for part in self.regularizer.modules() if isinstance(part, Regularizer)]

    @property
    def comparable(self) -> bool:
        """Whether the losses of two epochs can be compared."""
        return all(part.comparable for part in self._regularizers())

    def encode(self, x: Tensor, c: Tensor) -> Distribution:
        """Return q(z | x), of batch shape ``(B,)`` and event shape ``(D,)``."""
        return self.posterior(self.encoder(x, c))  # type: ignore[no-any-return]

    def encode_apart(self, x: Tensor, c: Tensor, index: Tensor | None = None) -> Distribution:
        """Return q(z | x) of what is no batch: what the encoder counts, such as for batch norm,
        stays as it was. With an index, of any shape, return it for the inputs of these numbers.
        """
        counts = {name: buffer.clone() for name, buffer in self.encoder.named_buffers()}
        params = functional_call(self.encoder, counts, (x, c)) if counts else self.encoder(x, c)
        return self.posterior(params if index is None else params[index])  # type: ignore[no-any-return]

    def decode(self, z: Tensor, c: Tensor) -> Distribution:
        """Return p(x | z), of batch shape ``(B,)`` and the event shape of the data."""
        return self.likelihood(self.decoder(z.to(self.dtype), c))  # type: ignore[no-any-return]

    def forward(self, x: Tensor, y: Tensor | None = None) -> Terms:
        """Compute the terms of a batch of data ``(B, *X)`` and labels ``(B,)``, or conditions."""
        c = self._condition(y)
        q = self.encode(x, c)
        p = self.prior(c).expand(q.batch_shape)
        z = q.rsample(self.objective.sample_shape)  # (*K, B, D)
        reconstruction = -self.log_likelihood(x, z, c)
        kl = kl_divergence(q, p, z)
        samples = len(self.objective.sample_shape)
        codes = [*z] if samples else [z]
        if not self.objective.penalizes:
            codes = codes[:1]
        penalty = _mean([self.regularizer(q, p, code) for code in codes])
        critics = [self.regularizer.critic_loss(q, p, code) for code in codes]
        critic = [loss for loss in critics if loss is not None]
        return Terms(
            loss=self.objective(q, p, z, reconstruction, penalty),
            reconstruction=reconstruction.mean(0) if samples else reconstruction,
            kl=kl.mean(0) if kl is not None and kl.dim() > 1 else kl,
            penalty=penalty,
            critic=_mean(critic) if critic else None,
        )

    def log_likelihood(self, x: Tensor, z: Tensor, c: Tensor) -> Tensor:
        """Return log p(x | z), of shape ``(*K, B)``, of codes of shape ``(*K, B, D)``."""
        if z.dim() == 2:
            return self.decode(z, c).log_prob(x)
        k = len(z)
        x, c = (part.expand(k, *part.shape).flatten(0, 1) for part in (x, c))
        return self.decode(z.flatten(0, 1), c).log_prob(x).view(k, -1)

    def _condition(self, y: Tensor | None) -> Tensor:
        return self.condition(y).to(self.dtype)  # type: ignore[no-any-return]

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None) -> Tensor:
        """Decode ``n`` samples of the model's own prior into examples: means, or texts drawn.

        Args:
            n: Number of samples.
            y: Labels ``(n,)``, or conditions ``(n, *Y)``, of a conditional model.

        Returns:
            What the likelihood shows of them, of shape ``(n, *X)``.
        """
        c = self._condition(y)
        z = self.prior(c).expand((n,)).sample()
        return self.likelihood.example(self.decode(z, c))

    @torch.no_grad()
    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Decode the means of q(z | x) into means of p(x | z), of shape ``(B, *X)``."""
        c = self._condition(y)
        return self.likelihood.point(self.decode(self.posterior.point(self.encode(x, c)), c))

    def setup(self, stage: str) -> None:
        if data := getattr(self.trainer, "datamodule", None):
            if stage == "fit":  # later, the weights are no longer those that a training begins with
                self.check(data, self.trainer.world_size)
                self._warn_of_one_label(data)
                if self.prior.examples and hasattr(data, "examples"):
                    self.prior.begin(*data.examples(self.prior.examples))
            for part in self._regularizers():
                part.dataset_size = getattr(data, "size", None)

    def _warn_of_one_label(self, data: Any) -> None:
        """Warn where a condition on labels has one alone to learn from."""
        y = data.splits.train.y if hasattr(data, "splits") else None
        if not (self.condition.dim and self.classes) or y is None:
            return
        low, high = y.aminmax()
        if low == high:
            warnings.warn(
                f"the {len(y)} labels of the train split are all {int(low)}, so that "
                f"{type(self.condition).__name__} tells the model nothing",
                stacklevel=2,
            )

    def check(self, data: Any, devices: int = 1) -> None:
        """Refuse data, or batches of them, that the model cannot be trained on.

        Args:
            data: A data module that knows its ``support`` and ``batch_size``, if it is one of ours.
            devices: Number of devices, whose batches are pooled.

        Raises:
            ValueError: The likelihood is not one of such data, or a batch is too small.
        """
        if support := getattr(data, "support", None):
            self.likelihood.check_support(support)
        if batch_size := getattr(data, "batch_size", None):
            rehearse(self, min(batch_size * devices, 8))

    def training_step(self, batch: tuple[Tensor, Tensor | None], batch_idx: int) -> Tensor:
        for part in self._scheduled:
            part.step = self.trainer.global_step
        terms = self._observe("train", batch)
        return terms.loss if terms.critic is None else terms.loss + terms.critic

    def on_train_batch_end(self, *_: Any) -> None:
        if len(self.mean_terms["train"].kept) >= self.trainer.log_every_n_steps:  # type: ignore[attr-defined]
            self._log_train()

    def on_fit_start(self) -> None:
        self._scheduled = self._regularizers()
        for part in self._scheduled:
            part.check_schedule(self.trainer.estimated_stepping_batches)
        count_epochs_once(self.trainer)

    def on_fit_end(self) -> None:
        keep_averages(self.trainer)

    def on_train_start(self) -> None:
        stay_stopped(self.trainer)
        self._validated = False  # in this epoch
        rank, ranks, loaded = self.global_rank, self.trainer.world_size, self._loaded_noise
        self._loaded_noise = None
        if loaded is not None:
            torch.set_rng_state(loaded[rank % len(loaded)].clone())  # torch crashes on a view
        if ranks > 1 and (loaded is None or len(loaded) != ranks):
            # Ranks are seeded alike, or begin with what another number of them has left.
            torch.manual_seed(int(torch.randint(2**62, ())) + rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # A resumed run goes on with the same draws, even if it was saved while it was evaluated.
        noise = torch.get_rng_state() if self._paused_noise is None else self._paused_noise
        checkpoint["noise"] = gather(noise.unsqueeze(0).to(self.device)).cpu()  # (ranks, bytes)
        checkpoint["vae_zoo_version"] = version("vae_zoo")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._loaded_noise = checkpoint["noise"].view(-1, checkpoint["noise"].shape[-1])

    def on_train_epoch_end(self) -> None:
        self._log_train()
        if self._validated:
            step_plateaus(self.trainer)
            self._validated = False

    def on_validation_start(self) -> None:
        self._fix_noise()

    def validation_step(self, batch: tuple[Tensor, Tensor | None], batch_idx: int) -> None:
        self._observe("val", batch)

    def on_validation_epoch_end(self) -> None:
        means = self._means("val")
        self.log_dict(means)
        self._validated = True
        shown = "elbo" if "val/elbo" in means else "loss"
        self.log(shown, means[f"val/{shown}"], logger=False, prog_bar=True)

    def on_validation_end(self) -> None:
        self._free_noise()

    def on_test_start(self) -> None:
        self._fix_noise()

    def test_step(self, batch: tuple[Tensor, Tensor | None], batch_idx: int) -> None:
        self._observe("test", batch)

    def on_test_epoch_end(self) -> None:
        self.log_dict(self._means("test"))

    def on_test_end(self) -> None:
        self._free_noise()

    def _fix_noise(self) -> None:
        """Evaluate with the same noise each time, and leave that of the training as it was."""
        self._paused_noise = torch.get_rng_state()
        self._fixed_noise = ExitStack()
        self._fixed_noise.enter_context(isolate_rng())
        torch.manual_seed(self.global_rank)

    def _free_noise(self) -> None:
        self._fixed_noise.close()
        self._paused_noise = None

    def configure_optimizers(self) -> Any:
        left = dict.fromkeys(self.parameters())  # an ordered set
        own: list[dict[str, Any]] = []
        for part in reversed(self._regularizers()):  # what is wrapped before what wraps it
            if params := [parameter for parameter in part.parameters() if parameter in left]:
                own.append({"params": params, **part.optimizer_options})
                left = {parameter: None for parameter in left if parameter not in set(params)}
        groups: list[dict[str, Any]] = [{"params": list(left)}, *own]
        optimizer = self.optimizer(groups)
        if self.lr_scheduler is None:
            return optimizer
        scheduler = self.lr_scheduler(optimizer)
        monitor = getattr(scheduler, "monitor", "val/loss")  # for ReduceLROnPlateau
        options = {"scheduler": scheduler, "interval": self.lr_interval, "monitor": monitor}
        if isinstance(scheduler, ReduceLROnPlateau) and self.lr_interval == "epoch":
            options["frequency"] = sys.maxsize  # never by Lightning, but in on_train_epoch_end
        return {"optimizer": optimizer, "lr_scheduler": options}

    def _observe(self, stage: str, batch: tuple[Tensor, Tensor | None]) -> Terms:
        terms: Terms = self(*batch)
        self.mean_terms[stage].add(terms)
        return terms

    def _means(self, stage: str) -> Mapping[str, Tensor]:
        means = self.mean_terms[stage].take(partial(self.trainer.strategy.reduce, reduce_op="sum"))
        if stage != "train":
            means = self.objective.judge(means)
            bits = self.likelihood.bits_per_dimension(means["elbo"]) if "elbo" in means else None
            if bits is not None:
                means = means | {"bits_per_dimension": bits}
        if stage == "val" and not means["loss"].isfinite():
            if not self.trainer.is_global_zero:
                raise SystemExit(1)  # the means are those of all processes, of which one says so
            bad = [name for name, mean in means.items() if name != "loss" and not mean.isfinite()]
            raise FloatingPointError(
                f"the loss of the validation of epoch {self.current_epoch} is "
                f"{means['loss'].item()}: {' and '.join(bad)}. Lower --model.optimizer.lr, or the "
                f"weight of {self.regularizer.label}, or its alpha if it has one"
            )
        return {f"{stage}/{name}": mean for name, mean in means.items()}

    def _log_train(self) -> None:
        """Log the means since the last time to the loggers alone, past ``self.log``'s cost."""
        if not self.mean_terms["train"].kept:
            return
        means = {name: mean.item() for name, mean in self._means("train").items()}
        if self.mean_terms["train"].finite_only and not math.isfinite(means["train/loss"]):
            return  # no step of these was made
        for logger in self.loggers:
            logger.log_metrics(means | {"epoch": self.current_epoch}, self.trainer.global_step - 1)


def _mean(terms: Sequence[Tensor]) -> Tensor:
    return terms[0] if len(terms) == 1 else torch.stack([*terms]).mean()
