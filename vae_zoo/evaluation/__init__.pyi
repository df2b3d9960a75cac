from .bayes import class_log_likelihoods as class_log_likelihoods
from .bayes import class_log_posterior as class_log_posterior
from .bounds import Bounds as Bounds
from .bounds import importance_sampling as importance_sampling
from .bounds import prior_sampling as prior_sampling
from .metrics import ImportanceSampling as ImportanceSampling
from .metrics import PriorSampling as PriorSampling
from .score import Score as Score
