from .decoded import interpolations as interpolations
from .decoded import reconstructions as reconstructions
from .decoded import samples as samples
from .decoded import traversals as traversals
from .density import density as density
from .latents import latents as latents
from .plane import grid as grid
from .reason import NoPictureError as NoPictureError
