"""The posterior gap, and its two parts."""

from vae_zoo.evaluation.annealing import AnnealedImportanceSampling


class PosteriorGap(AnnealedImportanceSampling):
    pass
