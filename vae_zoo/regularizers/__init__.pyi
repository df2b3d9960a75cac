from .base import Regularizer as Regularizer
from .kl import KL as KL
from .kl import kl_divergence as kl_divergence
from .mmd import MMD as MMD
from .mmd import mmd as mmd
from .wasserstein import SlicedWasserstein as SlicedWasserstein
from .wasserstein import sliced_wasserstein as sliced_wasserstein
