"""The aggregate posterior q(z) = E_x q(z | x), and the surgery of the rate, as a metric."""

import math
from typing import Any

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.evaluation.aggregate_density import in_double, normal_marginals
from vae_zoo.evaluation.codes import KeptPosteriors
from vae_zoo.evaluation.kept import GROUPS, mean_score
from vae_zoo.evaluation.noise import sample_prior
from vae_zoo.evaluation.score import Score
from vae_zoo.evaluation.surgery import (
    factorised,
    kl_of_dimensions,
    log_density,
    prior_log_ratio,
    surgery,
)
from vae_zoo.posteriors import DiagonalNormal
from vae_zoo.regularizers.families import require_density
from vae_zoo.vae import VAE

PAIRS = 100_000  # of a code and a posterior, each of which takes a flow several milliseconds


class AggregatePosterior(KeptPosteriors):
    """I(x; z) and KL(q(z) ‖ p), whose sum is the rate E_x KL(q(z | x) ‖ p), and their parts.

    All are in nats, by codes of M examples, as many of each, and q(z) is that of all N examples:

    - ``mutual_information``: I(x; z), by which examples can be told apart. It cannot exceed ln N,
      the ``ceiling`` of the setting: with 200 examples and a rate of 9 nats it is 5.3, and what it
      lacks is counted in ``aggregate_kl``.
    - ``aggregate_kl``: KL(q(z) ‖ p).
    - ``surgery_rate``: their sum, the rate; a check, since the rate has a closed form, too.
    - ``total_correlation``: KL(q(z) ‖ Π_d q(z_d)), where the dimensions of q(z | x) are normal.
    - ``dimension_wise_kl``: Σ_d KL(q(z_d) ‖ p(z_d)), where those of the prior are independent
      besides. With the total correlation it is ``aggregate_kl``.
    - ``prior_log_ratio``: KL(p ‖ q(z)), by as many samples of the prior. It is large where the
      prior has mass and no posterior puts any.
    - ``kl_of_dimension/d``: E_x KL(q(z_d | x) ‖ p(z_d)), of diagonal normals and independent
      dimensions of the prior; by all N examples where it has a closed form.

    In a conditional model x is the pair of x and c. Where the prior depends on c, the rate is that
    from a prior of each example's own, not from one that q(z) could be compared with: of the parts
    there are the mutual information, the total correlation and those of single dimensions alone.

    Posteriors of flows take so long that at most 100,000 / N codes are drawn, and no fewer than 2.

    Args:
        codes: At most so many are drawn: one of each example, or several where those are few.
        seed: Of codes and samples of the prior.

    Raises:
        ValueError: No codes are drawn, or the seed is negative; later, the posterior has no
            density, or the model no codes.

    References:
        Hoffman and Johnson, ELBO Surgery, 2016.
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, 2018, eq. 2.
        https://arxiv.org/abs/1802.04942
    """

    def __init__(self, codes: int = 2000, seed: int = 0) -> None:
        super().__init__(codes, seed)
        self._counts: dict[str, Any] = {}

    def measure(self, model: VAE, x: Tensor, c: Tensor, keys: Tensor) -> dict[str, Tensor]:
        measured = super().measure(model, x, c, keys)
        require_density(model.posterior(measured["params"]), "AggregatePosterior")
        return measured

    def scores(  # type: ignore[override]
        self, params: Tensor, conditions: Tensor
    ) -> dict[str, Score]:
        model, n = self.model, len(params)
        params, c = params.to(model.device), conditions.to(model.device)
        q = model.posterior(params)
        m, k = self._number(q)
        self._counts = {"encoders": n, "codes": k * m, "ceiling": math.log(n)}
        z, p = self.draw(params[:m], k), model.prior(c[:m])  # (K, M, D)
        own = in_double(model.posterior(params[:m])).log_prob(z).double()
        terms = surgery(q, z.flatten(0, 1), own.flatten(), None if p.batch_shape else p)
        # log q(z) is itself estimated by the examples; but as E log q(z) is stationary in q, to
        # first order the error is that of the mean over the codes.
        found = {name: mean_score(term.view(k, m).mean(0)) for name, term in terms.items()}
        if not p.batch_shape:
            total = found["mutual_information"].value + found["aggregate_kl"].value
            found["surgery_rate"] = found["surgery_rate"]._replace(value=total)
            found["prior_log_ratio"] = self._prior_log_ratio(params, c[:m].repeat(k, 1), p)
        if factorised(p) and isinstance(model.posterior, DiagonalNormal):
            kl = self._kl_of_dimensions(params, c, z)
            found |= {f"kl_of_dimension/{d}": mean_score(one) for d, one in enumerate(kl.T)}
        return found

    @property
    def setting(self) -> dict[str, Any]:
        """Numbers N of encoders and of codes, and ln N; once the scores were computed."""
        return self._counts or {"codes": self.codes}

    def _number(self, q: Distribution) -> tuple[int, int]:
        """Number M of examples, and K of codes of each."""
        n = q.batch_shape[0]
        most = self.codes if normal_marginals(q) else min(self.codes, max(2, PAIRS // n))
        return min(n, most), max(1, most // n)

    def _prior_log_ratio(self, params: Tensor, c: Tensor, p: Distribution) -> Score:
        y = sample_prior(self.model, c, self.seed)
        count = min(GROUPS, len(params), len(c))
        groups = [self.model.posterior(params[g::count]) for g in range(count)]
        return prior_log_ratio(groups, y, log_density(p, y))

    def _kl_of_dimensions(self, params: Tensor, c: Tensor, z: Tensor) -> Tensor:
        """By all examples in closed form, or by those of the codes; nats, ``(N, D)``."""
        model, m = self.model, z.shape[1]
        try:
            return kl_of_dimensions(model.posterior(params), model.prior(c))
        except NotImplementedError:
            return kl_of_dimensions(model.posterior(params[:m]), model.prior(c[:m]), z).mean(0)
