"""Run a W&B sweep file on this machine: the trials, their queue, the processes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
