from .terms import Terms as Terms
from .vae import VAE as VAE
