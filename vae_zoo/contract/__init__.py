"""What every regularizer, prior, likelihood and data module must satisfy: ``vae-zoo check``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
