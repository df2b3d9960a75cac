import math

import pytest

from vae_zoo.comparison import page, read
from vae_zoo.comparison.equal_rate import equal_rate
from vae_zoo.comparison.families import at_one_weight, families
from vae_zoo.comparison.weight_curves import weight_curves
from vae_zoo.comparison.yardsticks import Yardstick

ELBO = Yardstick("likelihood", "elbo")


@pytest.fixture
def weighed(runs):
    """MMD at three weights, whose rate falls and whose ELBO rises with them, beside KL."""
    for seed in range(3):
        terms = {"elbo": -20.0 - seed, "reconstruction": 14.0 + seed, "kl": 6.0 + seed}
        runs.write(f"kl{seed}", seed, terms=terms)
        for weight, rate, elbo in ((1.0, 12.0, -32.0), (100.0, 4.0, -24.0), (1000.0, 1.0, -23.0)):
            terms = {"elbo": elbo - seed, "reconstruction": -elbo - rate, "kl": rate + seed}
            mmd = runs.part("regularizers", "MMD", weight=weight)
            runs.write(f"mmd{weight}{seed}", seed, terms=terms, regularizer=mmd)
    return read([runs.path])


def test_a_family_is_one_regularizer_at_several_weights(weighed):
    [section] = weighed.sections
    [family] = families(section)
    assert family.label == "MMD"
    assert family.weights == [1.0, 100.0, 1000.0]


def test_a_family_is_compared_where_it_spends_the_rate_of_the_reference(weighed):
    [section] = weighed.sections
    [family] = families(section)
    # From 12 + seed to 4 + seed, 6 + seed is three quarters of the way, in the log of the weight.
    rates = {seed: 6.0 + seed for seed in range(3)}
    assert family.weight_at(rates) == pytest.approx(math.exp(0.75 * math.log(100.0)))
    assert family.at_rate(ELBO, rates) == pytest.approx({s: -26.0 - s for s in range(3)})
    assert family.at_rate(ELBO, {0: 30.0}) == {}
    assert family.reach.startswith("its rates reach from 1.0 to 14.0")


def test_the_table_at_equal_rate_judges_paired_seeds(weighed):
    [section], [answer] = weighed.sections, weighed.answers
    table = equal_rate(section, answer)
    assert table.rate == pytest.approx(7.0)
    [(label, [weight, elbo])] = table.rows
    assert (label, weight.text) == ("MMD", "31.6")
    assert (elbo.text, elbo.mark) == ("−27.0 ± 0.6", "worse")
    assert elbo.hover.startswith("-6 [-6, -6] from the reference, 3 seeds, p = 0 after Holm")
    assert [cell.text for cell in table.reference] == ["1", "−21.0 ± 0.6"]


def test_a_rate_out_of_reach_is_absent_with_the_rates_that_there_are(runs):
    runs.write("kl", terms={"elbo": -40.0, "reconstruction": 10.0, "kl": 30.0})
    for weight, rate in ((1.0, 12.0), (10.0, 4.0)):
        mmd = runs.part("regularizers", "MMD", weight=weight)
        terms = {"elbo": -20.0, "reconstruction": 20.0 - rate, "kl": rate}
        runs.write(f"mmd{weight}", regularizer=mmd, terms=terms)
    found = read([runs.path])
    table = equal_rate(found.sections[0], found.answers[0])
    [(_, cells)] = table.rows
    assert {cell.text for cell in cells} == {"–"}
    assert cells[0].hover.startswith("its rates reach from 4.0 to 12.0")


def test_a_rate_that_is_met_at_several_weights_is_taken_at_the_least_and_said(runs):
    for weight, rate in ((1.0, 12.0), (10.0, 4.0), (100.0, 8.0), (1000.0, 1.0)):
        mmd = runs.part("regularizers", "MMD", weight=weight)
        terms = {"elbo": -20.0, "reconstruction": 20.0 - rate, "kl": rate}
        runs.write(f"mmd{weight}", regularizer=mmd, terms=terms)
    runs.write("kl", terms={"elbo": -20.0, "reconstruction": 14.0, "kl": 6.0})
    found = read([runs.path])
    [family] = families(found.sections[0])
    assert [(each.low, each.high) for each in family.brackets(0, 6.0)] == [
        (1.0, 10.0),
        (10.0, 100.0),
        (100.0, 1000.0),
    ]
    for rate, count in ((12.0, 1), (4.0, 2), (9.0, 1), (1.0, 1), (0.5, 0)):
        assert len(family.brackets(0, rate)) == count
    [(_, [weight, _])] = equal_rate(found.sections[0], found.answers[0]).rows
    assert weight.text == "5.62, the least of several"
    assert weight.order == pytest.approx(10**0.75)


def test_groups_of_one_weight_are_named_with_their_rates(weighed):
    [section] = weighed.sections
    assert at_one_weight(section) == ["KL β=1 (rate 7.0)"]
    assert "nor to be compared at equal rate: KL β=1 (rate 7.0)." in page.render(weighed)


def test_yardsticks_are_drawn_against_the_weight(weighed):
    [section], [answer] = weighed.sections, weighed.answers
    figures = weight_curves(section, answer)
    assert list(figures) == ["rate", "ELBO"]
    band, line = figures["rate"].data
    assert list(line.x) == [1.0, 100.0, 1000.0]
    assert list(line.y) == pytest.approx([13.0, 5.0, 2.0])
    assert band.y[0] == pytest.approx(13.0 + 1 / math.sqrt(3), rel=1e-4)  # five digits
    assert figures["rate"].layout.xaxis.type == "log"


def test_weights_that_differ_in_the_tenth_digit_are_one(runs):
    for seed, weight in enumerate((100.0, 100.00000000004)):
        mmd = runs.part("regularizers", "MMD", weight=weight)
        runs.write(str(seed), seed, regularizer=mmd)
    [section] = read([runs.path]).sections
    assert len(section.groups) == 1


def test_codes_of_another_dimension_are_not_compared_at_equal_rate(runs):
    def write(name, seed, rate, **model):
        terms = {"elbo": -20.0, "reconstruction": 20.0 - rate, "kl": rate}
        folder = runs.write(name, seed, terms=terms, **model)
        runs.card(folder, yardsticks={"sliced_wasserstein": 0.1 + seed / 100})

    for seed in range(3):
        write(f"kl{seed}", seed, 6.0)
        for weight, rate in ((10.0, 9.0), (100.0, 3.0)):
            mmd = runs.part("regularizers", "MMD", weight=weight)
            write(f"mmd{weight}{seed}", seed, rate, regularizer=mmd, latent_dim=2)
    found = read([runs.path])
    [(_, [_, elbo, codes])] = equal_rate(found.sections[0], found.answers[0]).rows
    assert elbo.text.startswith("−20")
    assert (codes.text, codes.hover) == ("–", "of 2 latent dimensions, not 8")
