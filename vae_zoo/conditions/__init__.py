"""Conditions c: what the encoder, the decoder and perhaps the prior know besides x and z."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
