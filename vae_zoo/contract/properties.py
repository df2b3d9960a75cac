"""All properties of one regularizer."""

from collections.abc import Callable

from vae_zoo.contract import gradients, training, values
from vae_zoo.contract.codes import Factory
from vae_zoo.contract.estimates import Estimates
from vae_zoo.contract.examine import examine
from vae_zoo.contract.ranks import same_gradient_on_two_processes
from vae_zoo.contract.verdict import Property, Verdict

PROPERTIES: dict[str, Callable[[Estimates], Verdict]] = {
    "scalar and finite": values.scalar_and_finite,
    "value where q = p": values.null_value,
    "grows with a shift": values.grows_with_a_shift,
    "grows with a scaling": values.grows_with_a_scaling,
    "same value at every n": values.independent_of_the_number_of_examples,
    "proportional to its weight": values.proportional_to_its_weight,
    "single precision": values.single_precision_under_autocast,
    "gradient in the encoder": gradients.gradient_reaches_the_encoder,
    "gradient in a learned prior": gradients.gradient_reaches_a_learned_prior,
    "deterministic posterior": gradients.takes_a_deterministic_posterior,
    "players are cut off": gradients.players_are_cut_off,
    "2, 16 and 128 dimensions": gradients.works_in_2_16_and_128_dimensions,
    "resumes exactly": training.resumes_exactly,
    "cost relative to KL": training.cost_relative_to_kl,
}
TWO_PROCESSES = "two processes as one"
NOT_REACHED = Verdict(None, "not reached: the divergence is no finite scalar", "")


def check(factory: Factory) -> list[Property]:
    """Hold a regularizer to the contract.

    Each property has noise of a fixed seed, so that it holds or fails alike each time.

    Args:
        factory: The class, or a ``functools.partial`` of it that gives its options. Two further
            processes are started, which import the class by its name.

    Returns:
        The properties; one fails whose ``holds`` is False.
    """
    found = check_in_one_process(factory)
    verdict = NOT_REACHED
    if found[0].holds:
        [verdict] = same_gradient_on_two_processes({"it": factory}).values()
    return [*found, Property(TWO_PROCESSES, *verdict)]


def check_in_one_process(factory: Factory) -> list[Property]:
    """Hold a regularizer to all of the contract but what needs several processes."""
    return examine(PROPERTIES, Estimates(factory), NOT_REACHED)
