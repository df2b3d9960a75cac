from .vae import VAE as VAE
from .vae import Terms as Terms
