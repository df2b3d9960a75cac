from .base import DataModule as DataModule
from .binarized_mnist import BinarizedMNIST as BinarizedMNIST
from .digits import Digits as Digits
from .mnist import MNIST as MNIST
from .splits import Split as Split
from .splits import Splits as Splits
