"""Comparisons: runs read from their folders, a table in the terminal, and one page of HTML."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
