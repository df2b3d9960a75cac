from .base import Network as Network
from .base import NetworkFactory as NetworkFactory
from .conv import Conv as Conv
from .mlp import MLP as MLP
