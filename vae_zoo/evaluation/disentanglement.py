"""How well single latent dimensions tell single factors: MIG, DCI, SAP and the FactorVAE score.

Codes are ``(N, D)``, factors ``(N, F)``: numbers from 0, of which each factor takes two or more.
Where something is fitted, it is on the first half of the rows, whose order must be random, and the
second half is held out.
"""

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.special import entr

from vae_zoo.evaluation.probes import linear_probe
from vae_zoo.evaluation.score import Score

BINS = 20  # of a code
TREES, LEAF = 30, 5  # trees of a forest, and the fewest examples at a leaf
SHARING, VOTES = 64, 800  # examples of a vote; votes to learn from, and as many held out
COLLAPSED = 0.01  # of the largest variance, below which a dimension is left out


def mutual_information_gap(codes: Tensor, factors: Tensor, bins: int = BINS) -> float:
    """MIG: the mean over factors v of (I(z_a; v) - I(z_b; v)) / H(v), with a and b the two
    dimensions that tell most of v; between 0 and 1.

    Args:
        codes: ``(N, D)``, with D at least 2.
        factors: ``(N, F)``.
        bins: Of equal width, from the smallest to the largest value of each code.

    References:
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, 2018, eq. 6.
        https://arxiv.org/abs/1802.04942
    """
    low, high = codes.aminmax(dim=0)
    width = (high - low) / bins
    numbers = ((codes - low) / width.where(width > 0, 1)).long().clamp(max=bins - 1)
    z, v = (one_hot(part).flatten(1).float() for part in (numbers, factors))
    joint = (z.T @ v).double() / len(codes)  # whole numbers before, which a float32 counts exactly
    joint = joint.view(codes.shape[1], -1, factors.shape[1], v.shape[1] // factors.shape[1])
    entropy = entr(joint.sum(1)[0]).sum(1)  # (F,)
    conditional = entr(joint).sum((1, 3)) - entr(joint.sum(3)[:, :, 0]).sum(1)[:, None]  # H(v | z)
    first, second = (entropy - conditional).topk(2, dim=0).values
    return float(((first - second) / entropy).mean())


def separated_attribute_predictability(
    codes: Tensor, factors: Tensor, categorical: Collection[int] = ()
) -> float:
    """SAP: the mean over factors of how much better one dimension tells it than any other.

    The score of a dimension is R² of a linear fit, all examples counted, for a factor whose values
    have an order; for a categorical one it is the accuracy of a multinomial logistic regression on
    held-out examples. So a perfect code of n categories, all equally likely, has a gap of 1 - 1/n.

    Args:
        codes: ``(N, D)``, with D at least 2.
        factors: ``(N, F)``.
        categorical: The columns of factors whose values have no order.

    References:
        Kumar, Sattigeri and Balakrishnan, Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations, 2018, sec. 3. https://arxiv.org/abs/1711.00848
    """
    z, v = (_standardized(part.double()) for part in (codes, factors))
    scores = (z.T @ v / len(z)).square()  # (D, F)
    half = len(z) // 2
    for k in categorical:
        for d, code in enumerate(z.split(1, dim=1)):  # type: ignore[no-untyped-call]
            right = linear_probe(code[:half], factors[:half, k], code[half:], factors[half:, k])
            scores[d, k] = right.double().mean()
    first, second = scores.topk(2, dim=0).values
    return float((first - second).mean())


class DCI(NamedTuple):
    """What forests that tell factors from codes say; None where nothing can be said."""

    disentanglement: Score | None  # 1 if each dimension serves one factor alone
    completeness: Score | None  # 1 if each factor is told by one dimension alone
    informativeness: Score  # the accuracy on held-out examples, averaged over factors


def dci(codes: Tensor, factors: Tensor, seed: int = 0, trees: int = TREES) -> DCI:
    """DCI: 1 minus the entropies of the importances R of dimensions for factors, in log base n.

    R is of random forests of classifiers, one for each factor, that search all dimensions at each
    node; informativeness is their accuracy on held-out examples. Errors of disentanglement and
    completeness are the bootstrap's, since each tree saw a resampling of its own: they are those of
    single trees, and for the forest too large, about twofold. Disentanglement needs two factors,
    completeness two dimensions, and both a tree that tells a factor by something.

    Args:
        codes: ``(N, D)``.
        factors: ``(N, F)``.
        seed: Of the forests.
        trees: Number of trees of each forest.

    References:
        Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled
        Representations, 2018, sec. 2. https://openreview.net/forum?id=By-7dz-AZ
    """
    # Its import takes longer than all of ours.
    from sklearn.ensemble import RandomForestClassifier

    z, v, half = codes.double().cpu().numpy(), factors.cpu().numpy(), len(codes) // 2
    whole, single, right = [], [], []
    for factor in v.T:  # whose trees see the same resamplings, since the seed is the same
        forest = RandomForestClassifier(
            trees, max_features=None, min_samples_leaf=LEAF, random_state=seed
        ).fit(z[:half], factor[:half])
        whole.append(forest.feature_importances_)
        single.append([tree.feature_importances_ for tree in forest.estimators_])
        right.append(forest.predict(z[half:]) == factor[half:])
    importances = torch.from_numpy(np.stack(whole, axis=-1))  # (D, F)
    of_trees = torch.from_numpy(np.stack(single, axis=-1))  # (trees, D, F)
    accuracy = np.mean(right, axis=0)  # (M,), of one example over the factors
    return DCI(
        _concentration(importances, of_trees, dim=-1),
        _concentration(importances, of_trees, dim=-2),
        Score.of_sums(len(accuracy), float(accuracy.sum()), float((accuracy**2).sum())),
    )


def factor_vae_score(
    codes: Tensor, factors: Tensor, seed: int = 0, sharing: int = SHARING, votes: int = VOTES
) -> Score | None:
    """The accuracy of telling which factor was fixed from the dimension that varied least.

    A vote takes a factor and examples that share one value of it, and names the dimension whose
    variance among them is the smallest part of its variance among all. Most votes for a dimension
    decide which factor it stands for; other votes are told by it. Chance is 1/F. Dimensions with
    less than a hundredth of the largest variance, collapsed ones, have no vote. The error is that
    of the votes, given the examples.

    Args:
        codes: ``(N, D)``.
        factors: ``(N, F)``.
        seed: Of the votes.
        sharing: How many examples share the value, or all of them if there are fewer.
        votes: Number of votes to learn from, and as many held out.

    Returns:
        None if no dimension varies, or a factor has another value in each example.

    References:
        Kim and Mnih, Disentangling by Factorising, 2018, sec. 4. https://arxiv.org/abs/1802.05983
    """
    z, v = codes.double().cpu().numpy(), factors.cpu().numpy()
    variance = z.var(axis=0)
    shared = [np.flatnonzero(np.bincount(factor)[factor] > 1) for factor in v.T]
    if not variance.any() or not all(map(len, shared)):
        return None
    active = variance > COLLAPSED * variance.max()
    z = z[:, active] / np.sqrt(variance[active])
    generator = np.random.default_rng(seed)
    table = np.zeros((2, z.shape[1], v.shape[1]), dtype=int)  # of learning and held-out votes
    for vote in range(2 * votes):
        k = generator.integers(v.shape[1])
        value = v[generator.choice(shared[k]), k]
        rows = generator.permutation(np.flatnonzero(v[:, k] == value))[:sharing]
        table[vote % 2, z[rows].var(axis=0).argmin(), k] += 1
    learned, held_out = table
    accuracy = held_out[np.arange(len(learned)), learned.argmax(axis=1)].sum() / votes
    return Score(float(accuracy), math.sqrt(accuracy * (1 - accuracy) / votes))


def _concentration(importances: Tensor, of_trees: Tensor, dim: int) -> Score | None:
    """1 - H / ln n along a dimension of ``(*, D, F)``, averaged by importance over the other."""
    if importances.shape[dim] == 1 or not importances.any():
        return None

    def concentration(part: Tensor) -> Tensor:
        total = part.sum(dim, keepdim=True)
        entropy = entr(part / total.where(total > 0, 1)).sum(dim) / math.log(part.shape[dim])
        weights = total.squeeze(dim) / total.sum(dim=(-2, -1)).unsqueeze(-1)
        mean: Tensor = ((1 - entropy) * weights).sum(-1)
        return mean

    resampled = concentration(of_trees[of_trees.any(-1).any(-1)])
    error = resampled.std().item() if len(resampled) > 1 else None
    return Score(concentration(importances).item(), error)


def _standardized(values: Tensor) -> Tensor:
    """Give columns mean 0 and variance 1; constant ones are 0."""
    centred = values - values.mean(0)
    scale = centred.square().mean(0).sqrt()
    return centred / scale.where(scale > 0, 1)
