from .listing import list_trials as list_trials
from .listing import show_status as show_status
from .runner import run_sweep as run_sweep
from .space import Sweep as Sweep
from .space import read_sweep as read_sweep
