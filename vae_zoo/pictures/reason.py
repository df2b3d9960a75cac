"""Why a model has no picture of a kind."""

from torch.distributions import Distribution

from vae_zoo.vae import VAE


class NoPictureError(ValueError):
    """The model, or its data, have no such picture."""


def require_dimensions(model: VAE, least: int, most: int | None = None) -> None:
    """Refuse a model of other latent dimensions than a picture shows.

    Raises:
        NoPictureError: There are fewer or more.
    """
    d = model.latent_dim
    if d < least or (most is not None and d > most):
        rule = f"{least}" if least == most else f"{least} or more"
        raise NoPictureError(f"the picture is of {rule} latent dimensions, and the model has {d}")


def require_prior_density(p: Distribution) -> None:
    """Refuse a prior that has samples alone.

    Raises:
        NoPictureError: It has no density.
    """
    if type(p).log_prob is Distribution.log_prob:
        raise NoPictureError(f"the prior, a {type(p).__name__}, has no density")
