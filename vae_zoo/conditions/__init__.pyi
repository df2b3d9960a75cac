from .base import Condition as Condition
from .base import ConditionFactory as ConditionFactory
from .image import Image as Image
from .label import Embedding as Embedding
from .label import OneHot as OneHot
from .unconditional import Unconditional as Unconditional
from .vector import Vector as Vector
