from .compiled import Compiled as Compiled
from .cost import Cost as Cost
from .finite import Finite as Finite
from .kl_histogram import KLHistogram as KLHistogram
from .pictures import Pictures as Pictures
from .progress import Progress as Progress
from .rate_gap import RateGap as RateGap
from .termination import Termination as Termination
