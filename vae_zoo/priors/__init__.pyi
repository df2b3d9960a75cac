from .base import Prior as Prior
from .base import PriorFactory as PriorFactory
from .conditional import ConditionalNormal as ConditionalNormal
from .mixture import MixtureOfNormals as MixtureOfNormals
from .normal import LearnedNormal as LearnedNormal
from .normal import StandardNormal as StandardNormal
