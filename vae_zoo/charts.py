"""What the charts of W&B run over: epochs where a term is one, else steps of the optimizer."""

from typing import Any

from vae_zoo.runs import STAGES

TERMS = ("loss", "elbo", "reconstruction", "kl", "penalty", "critic", "bits_per_dimension")
PREFIXES = (*(f"{stage}/" for stage in STAGES), "best/val_")
KNOWN = (*(f"{prefix}{term}" for prefix in PREFIXES for term in TERMS), "kl_of_dimension")
OTHERS = (*(f"{stage}/*" for stage in STAGES), "best/*", "cost/*")


def define_charts(client: Any) -> None:
    """Put the charts of a W&B run over ``epoch``, that Lightning puts over ``trainer/global_step``.

    W&B keeps no order of globs, and Lightning's is ``*``: what is known is named in full. None has
    a ``summary=``, which would make a mapping of a number. W&B shows the extremes of any history,
    and that of the ELBO is not of the checkpoint that was chosen, which is ``best/val_elbo``.
    """
    client.define_metric("epoch")
    for name in (*KNOWN, *OTHERS):
        client.define_metric(name, step_metric="epoch")
