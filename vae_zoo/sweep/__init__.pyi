from .runner import run_sweep as run_sweep
from .space import Sweep as Sweep
from .space import read_sweep as read_sweep
