from .base import Network as Network
from .base import NetworkFactory as NetworkFactory
from .conv import Conv as Conv
from .gru import GRU as GRU
from .mlp import MLP as MLP
