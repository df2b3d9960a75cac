from .base import Posterior as Posterior
from .base import PosteriorFactory as PosteriorFactory
from .detaching import detach as detach
from .deterministic import Delta as Delta
from .deterministic import Deterministic as Deterministic
from .normal import DiagonalNormal as DiagonalNormal
