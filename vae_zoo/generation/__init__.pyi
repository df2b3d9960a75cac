from .decoded import interpolate as interpolate
from .decoded import reconstruct as reconstruct
from .decoded import sample as sample
from .dimensions import Dimensions as Dimensions
from .dimensions import traverse as traverse
from .made import Made as Made
from .sheet import sheet as sheet
