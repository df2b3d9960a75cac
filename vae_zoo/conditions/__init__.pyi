from .base import Condition as Condition
from .base import ConditionFactory as ConditionFactory
from .label import OneHot as OneHot
from .unconditional import Unconditional as Unconditional
