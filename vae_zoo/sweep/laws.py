"""Continuous distributions, by their quantile functions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist

_LEAST = 2.0**-53  # the step of random numbers: a normal distribution has no value at 0
_LARGEST_LOG = 700.0  # exp(709.8) is no number any more


@dataclass(frozen=True)
class Law:
    """A continuous distribution by its quantile function and its distribution function."""

    ppf: Callable[[float], float]
    cdf: Callable[[float], float]
    low: float = -math.inf
    high: float = math.inf


def _uniform(low: float, high: float) -> Law:
    width = high - low
    return Law(lambda u: low + u * width, lambda x: clip((x - low) / width, 0.0, 1.0), low, high)


def _normal(mu: float, sigma: float) -> Law:
    normal = NormalDist(mu, sigma)
    return Law(lambda u: normal.inv_cdf(clip(u, _LEAST, 1 - _LEAST)), normal.cdf)


def _beta(a: float, b: float) -> Law:
    from scipy.special import betainc, betaincinv  # slow to load, and hardly a sweep needs it

    def cdf(x: float) -> float:
        return float(betainc(a, b, clip(x, 0.0, 1.0)))

    return Law(lambda u: float(betaincinv(a, b, u)), cdf, 0.0, 1.0)


def _exp(law: Law) -> Law:
    """The distribution of exp(X) where the law is that of X."""
    for end in (law.ppf(0.0), law.ppf(1.0)):
        if abs(end) > _LARGEST_LOG:
            raise ValueError(
                f"the value's natural logarithm would reach {end:g}, beyond ±{_LARGEST_LOG:g}. "
                "To give the values themselves there is log_uniform_values"
            )
    return Law(
        lambda u: math.exp(law.ppf(u)),
        lambda x: law.cdf(math.log(x)) if x > 0 else 0.0,
        math.exp(law.low),
        math.exp(law.high),
    )


def _log_uniform_values(low: float, high: float) -> Law:
    return replace(_exp(_uniform(math.log(low), math.log(high))), low=low, high=high)


def clip(x: float, low: float, high: float) -> float:
    """The nearest number between two."""
    return min(max(x, low), high)


RANGE = {"min": None, "max": None}
_NORMAL = {"mu": 0.0, "sigma": 1.0}
LAWS: dict[str, tuple[Callable[[float, float], Law], Mapping[str, float | None]]] = {
    "uniform": (_uniform, RANGE),
    "log_uniform": (lambda low, high: _exp(_uniform(low, high)), RANGE),
    "log_uniform_values": (_log_uniform_values, RANGE),
    # log(1/X) is uniform; for the latter between log(1/max) and log(1/min).
    "inv_log_uniform": (lambda low, high: _exp(_uniform(-high, -low)), RANGE),
    "inv_log_uniform_values": (_log_uniform_values, RANGE),
    "normal": (_normal, _NORMAL),
    "log_normal": (lambda mu, sigma: _exp(_normal(mu, sigma)), _NORMAL),
    "beta": (_beta, {"a": 1.0, "b": 1.0}),
}
