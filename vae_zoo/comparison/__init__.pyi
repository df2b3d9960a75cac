from .command import compare as compare
from .reading import Comparison as Comparison
from .reading import read as read
