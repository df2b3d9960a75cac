from . import pictures as pictures
from .comparison.frame import compare as compare
from .restore import Loaded as Loaded
from .restore import load as load
from .terms import Terms as Terms
from .vae import VAE as VAE
