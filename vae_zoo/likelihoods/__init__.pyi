from .base import Likelihood as Likelihood
from .base import LikelihoodFactory as LikelihoodFactory
from .bernoulli import Bernoulli as Bernoulli
from .normal import Normal as Normal
