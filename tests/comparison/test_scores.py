import json
import math

import numpy as np
import pytest

from vae_zoo.comparison import read
from vae_zoo.comparison.score_table import scores
from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.runs import find_runs
from vae_zoo.scorecard import ScoreCard

POINT = "no density: the posterior is deterministic"


def tables(path):
    [section] = read([path]).sections
    found, notes = scores(section)
    return {table.part: table for table in found}, notes


def column(table, name):
    """A column's cells, by the label of their row."""
    [i] = [i for i, each in enumerate(table.columns) if each.name == name]
    return {row.label: row.cells[i] for row in table.rows}


def is_rounded(word, exact):
    """Whether a word is a number to all of its decimals, as <0.01 is 0.003."""
    number = word.replace("−", "-").replace(",", "")
    unit = 10.0 ** -len(number.partition(".")[2])
    shown = 0.0 if number.startswith("<") else float(number)
    return abs(shown - exact) <= unit * 0.500001


def test_means_and_errors_over_seeds_are_those_of_the_score_cards(zoo):
    found, _ = tables(zoo)
    [section] = read([zoo]).sections
    seen = 0
    for group in section.groups:
        files = [member.run.scorecard_file for member in group.members]
        contents = [json.loads(file.read_text())["parts"] for file in files]
        for part, table in found.items():
            for each in (each for each in table.columns if not each.by_dimension):
                values = [content[part]["scores"][each.name]["value"] for content in contents]
                cell = column(table, each.name)[section.label(group)]
                assert cell.order == pytest.approx(np.mean(values), rel=1e-12)
                error = np.std(values, ddof=1) / math.sqrt(3)
                for word, exact in zip(
                    cell.text.split(" ± "), (np.mean(values), error), strict=False
                ):
                    assert is_rounded(word, exact)
                seen += 1
    assert seen == 6 * (4 + 3 + 5 + 7 + 3 + 4 + 12 + 2 + 4)


def test_one_seed_has_the_number_of_its_card_and_its_own_error(runs):
    runs.card(runs.write("a"), likelihood={"elbo": (-20.123456, 0.52)})
    found, _ = tables(runs.path)
    [row] = found["likelihood"].rows
    assert row.cells == [("−20.12 ± 0.52", "", -20.123456, "", "")]
    assert row.hover == (
        "one seed: ± is its own standard error, over examples; "
        "1,000 examples, noise seed 0, of p(x)"
    )
    assert found["likelihood"].notes == [
        "Measured with 1,000 examples, noise seed 0, of p(x).",
        "Of a single seed, ± is the standard error over examples.",
    ]


def test_the_error_over_seeds_is_said_to_be_that(zoo):
    found, _ = tables(zoo)
    for table in found.values():
        for row in table.rows:
            assert row.hover.startswith("± is the standard error over 3 seeds")
        assert "single seed" not in " ".join(table.notes)
    assert (
        found["yardsticks"]
        .rows[0]
        .hover.endswith("; 1,000 examples, noise seed 0, kernel imq, widths 0.1 1, projections 500")
    )


def test_parts_and_numbers_stand_in_the_order_of_the_catalogue(zoo):
    found, notes = tables(zoo)
    assert list(found) == [part for part in PARTS if part != "factors"]
    assert notes == ["No factors: the factors of the data are not known."]
    for part in ("likelihood", "annealing", "aggregate", "cost"):
        assert [each.name for each in found[part].columns] == list(PARTS[part])


def test_samples_and_reconstructions_stand_apart_above_the_floor(zoo):
    table = tables(zoo)[0]["samples"]
    kinds = list(PARTS["samples"])
    names = [f"{kind}/{of}" for of in ("samples", "reconstructions") for kind in kinds]
    assert [each.name for each in table.columns] == names
    assert table.above == [("samples from the prior", 6), ("reconstructions", 6)]
    [floor] = table.references
    assert floor.label == "training examples, the floor"
    shown = [float(cell.text.split()[0]) for cell in floor.cells]
    assert shown == [0.02, 0.0001, 0.9, 0.9, 1.0, 0.97] * 2


def test_distances_stand_by_radius_above_those_of_the_test_examples(runs):
    distances = {f"distance_at_radius/{r}": r / 4 for r in (10, 2, 0.5)}
    holes = distances | {"distance_at_radius/test": 0.25, "two_sample_accuracy": 0.5}
    runs.card(runs.write("a"), holes=holes)
    table = tables(runs.path)[0]["holes"]
    assert [each.title for each in table.columns] == ["two-sample accuracy", "0.5", "2", "10"]
    assert table.above == [("", 1), ("distance at radius", 3)]
    [row], [reference] = table.rows, table.references
    assert [cell.order for cell in row.cells] == [0.5, 0.125, 0.5, 2.5]
    assert [cell.text for cell in reference.cells] == ["", "0.250", "0.250", "0.25"]


def test_dimensions_are_one_column_sorted_within_each_run(runs):
    for seed, values in enumerate(([0.05, 3.0, 1.0], [2.0, 0.3, 0.0])):
        numbers = {f"kl_of_dimension/{i}": value for i, value in enumerate(values)}
        runs.card(runs.write(str(seed), seed), aggregate=numbers)
    table = tables(runs.path)[0]["aggregate"]
    [each], [row] = table.columns, table.rows
    [cell] = row.cells
    assert (each.name, each.unit) == ("kl_of_dimension", "> 0.1 nats")
    assert cell.text == "2 of 3"
    assert cell.hover == "nats, the largest first: 2.5, 0.65, 0.025"
    assert cell.order == 2.0
    assert cell.bars == "M2 16v-16.0M6 16v-4.2M10 16v-0.7"


def test_bars_of_all_groups_have_one_scale(runs):
    for value in (1.0, 4.0):
        folder = runs.write(str(value), latent_dim=int(value))
        runs.card(folder, aggregate={"kl_of_dimension/0": value})
    cells = column(tables(runs.path)[0]["aggregate"], "kl_of_dimension").values()
    assert sorted(cell.bars for cell in cells) == ["M2 16v-16.0", "M2 16v-4.0"]


def test_what_a_deterministic_posterior_has_not_is_absent_with_the_reason(runs):
    runs.card(runs.write("a"), likelihood={"elbo": -20.0, "reconstruction": 14.0})
    points = runs.write("b", posterior=runs.part("posteriors", "Deterministic"))
    absent = dict.fromkeys(("elbo", "kl", "bits_per_dimension"), POINT)
    runs.card(points, likelihood=runs.part_of_card("likelihood", {"reconstruction": 9.0}, absent))
    table = tables(runs.path)[0]["likelihood"]
    cells = column(table, "elbo")
    assert cells["KL β=1 · Deterministic"] == ("–", POINT, None, "", "")
    assert cells["KL β=1 · DiagonalNormal"].order == -20.0
    assert f"– {POINT}" in table.notes
    assert f"No rate, bits per dimension: {POINT}." in table.notes


def test_a_part_without_numbers_has_the_reason_of_the_whole_part(runs):
    numbers = {"mmd": 0.5, "kl_of_dimension/0": 1.0}
    runs.card(runs.write("a"), yardsticks=numbers)
    empty = runs.part_of_card("yardsticks", {}, {"": "no codes"})
    runs.card(runs.write("b", latent_dim=0), yardsticks=empty)
    for name in ("mmd", "kl_of_dimension"):
        cells = column(tables(runs.path)[0]["yardsticks"], name)
        assert cells["KL β=1 · latent_dim 0"].hover == "no codes"


def test_the_setting_of_a_part_without_numbers_is_none(runs):
    runs.card(runs.write("0", 0), yardsticks={"mmd": 0.5})
    empty = runs.part_of_card("yardsticks", {}, {"": "no codes"})._replace(setting={"n": 200})
    runs.card(runs.write("1", 1), yardsticks=empty)
    [row] = tables(runs.path)[0]["yardsticks"].rows
    assert row.cells[0].hover == "no codes"


def test_a_reason_by_the_kind_of_a_number_holds_for_all_of_it(runs):
    runs.card(runs.write("a"), holes={"distance_at_radius/1": 0.5})
    texts = runs.part_of_card(
        "holes", {"two_sample_accuracy": 0.5}, {"distance_at_radius": "texts"}
    )
    runs.card(runs.write("b", latent_dim=2), holes=texts)
    cells = column(tables(runs.path)[0]["holes"], "distance_at_radius/1")
    assert cells["KL β=1 · latent_dim 2"].hover == "texts"


def test_a_run_without_a_card_leaves_its_group_the_mean_of_the_others(runs):
    for seed, elbo in enumerate((-20.0, -22.0)):
        runs.card(runs.write(str(seed), seed), likelihood={"elbo": elbo})
    runs.write("2", 2)
    found, notes = tables(runs.path)
    [row] = found["likelihood"].rows
    assert row.cells[0].text == "−21.00 ± 1.00"
    assert "± is the standard error over 2 seeds (1 of 3 without a score card)" in row.hover
    assert notes == ["KL β=1: 2 of 3 runs have a score card."]
    assert "single seed" not in " ".join(found["likelihood"].notes)


def test_a_group_without_any_card_is_a_row_of_dashes(runs):
    runs.card(runs.write("a"), likelihood={"elbo": -20.0})
    runs.write("b", latent_dim=2)
    found, notes = tables(runs.path)
    cell = column(found["likelihood"], "elbo")["KL β=1 · latent_dim 2"]
    assert cell.text == "–"
    assert cell.hover == "no score card: no scorecard.json: `vae-zoo evaluate RUN` makes one"
    assert notes == []


def test_a_number_that_one_seed_lacks_has_no_mean(runs):
    runs.card(runs.write("0", 0), likelihood={"elbo": -20.0, "kl": 6.0})
    runs.card(runs.write("1", 1), likelihood={"kl": 6.0})
    runs.card(runs.write("2", 2), cost={"parameters": 7.0}, likelihood={"kl": 6.0})
    found, _ = tables(runs.path)
    [row] = found["likelihood"].rows
    assert [cell.text for cell in row.cells] == ["–", "6.00 ± 0.00"]
    assert row.cells[0].hover == "not in every score card of the group"
    [row] = found["cost"].rows
    assert row.cells[0].hover == "not in every score card: `vae-zoo evaluate RUN` adds cost"


def test_the_reason_is_that_of_a_run_that_lacks_the_number(runs):
    whole = runs.part_of_card("likelihood", {"elbo": -20.0, "kl": 6.0}, {"": "of another"})
    runs.card(runs.write("0", 0), likelihood=whole)
    lacking = runs.part_of_card("likelihood", {"kl": 6.0}, {"elbo": "its own"})
    runs.card(runs.write("1", 1), likelihood=lacking)
    [row] = tables(runs.path)[0]["likelihood"].rows
    assert row.cells[0].hover == "its own"


def test_groups_that_were_measured_otherwise_are_flagged_with_what_differs(runs):
    for i in range(3):
        folder = runs.write(str(i), latent_dim=i + 2)
        usual = runs.part_of_card("yardsticks", {"mmd": 0.5})
        other = runs.part_of_card("yardsticks", {"mmd": 0.5}, n=200, kernel="gaussian")
        runs.card(folder, yardsticks=other if i == 1 else usual, probes={"knn": 0.5})
    found, _ = tables(runs.path)
    differs = "200 examples, not 1,000 examples, kernel gaussian, not kernel imq"
    table = found["yardsticks"]
    flags = {row.label: row.other for row in table.rows}
    label = "KL β=1 · latent_dim 3"
    assert flags.pop(label) == differs
    assert set(flags.values()) == {""}
    assert f"† Not to be compared with the other rows: {label} ({differs})." in table.notes
    assert not any("†" in note for note in found["probes"].notes)


def test_a_likelihood_under_a_condition_is_not_that_of_the_others(runs):
    for i in range(3):
        card = {"likelihood": {"elbo": -20.0}, "probes": {"knn": 0.5}}
        runs.card(runs.write(str(i), latent_dim=i + 2), i == 1, **card)
    found, _ = tables(runs.path)
    flags = [row.other for row in found["likelihood"].rows]
    assert sorted(flags) == ["", "", "of p(x|c), not of p(x)"]
    assert {row.other for row in found["probes"].rows} == {""}


def test_a_setting_that_another_group_lacks_forbids_nothing(runs):
    for i in range(2):
        more = {"optimiser_steps": 100} if i else {}
        part = runs.part_of_card("annealing", {"ais": -18.0}, **more)
        runs.card(runs.write(str(i), latent_dim=i + 2), annealing=part)
    assert {row.other for row in tables(runs.path)[0]["annealing"].rows} == {""}


def test_seeds_that_were_measured_otherwise_have_no_mean(runs):
    for seed, n in enumerate((1000, 200)):
        part = runs.part_of_card("yardsticks", {"mmd": 0.5}, n=n)
        runs.card(runs.write(str(seed), seed), yardsticks=part)
    [row] = tables(runs.path)[0]["yardsticks"].rows
    assert row.cells[0].text == "–"
    assert row.cells[0].hover == (
        "the runs of the group were measured in different settings: "
        "200 examples, not 1,000 examples"
    )


def test_a_setting_that_another_seed_lacks_forbids_no_mean(runs):
    for seed in range(2):
        more = {"optimiser_steps": 100} if seed else {}
        part = runs.part_of_card("annealing", {"ais": -18.0 - seed}, **more)
        runs.card(runs.write(str(seed), seed), annealing=part)
    [row] = tables(runs.path)[0]["annealing"].rows
    assert row.cells[0].order == -18.5


def test_the_number_of_codes_forbids_a_comparison_of_distances_but_not_of_means(runs):
    for codes in (2000, 500):
        more = {
            "aggregate": runs.part_of_card("aggregate", {"aggregate_kl": 1.0}, codes=codes),
            "yardsticks": runs.part_of_card("yardsticks", {"mmd": 1.0}, codes=codes),
        }
        runs.card(runs.write(str(codes), latent_dim=codes), **more)
    found, _ = tables(runs.path)
    assert {row.other for row in found["aggregate"].rows} == {""}
    assert "" in {row.other for row in found["yardsticks"].rows} != {""}


def test_each_setting_has_a_floor_of_its_own(runs):
    for i, n in enumerate((1000, 1000, 200)):
        numbers = {"fid/samples": 1.0, "fid/train": 20.0 / n}
        part = runs.part_of_card("samples", numbers, n=n)
        runs.card(runs.write(str(i), latent_dim=i + 2), samples=part)
    usual, other = tables(runs.path)[0]["samples"].references
    assert (usual.cells[0].text, usual.other) == ("0.02", "")
    assert (other.cells[0].text, other.other) == ("0.10", "200 examples, not 1,000 examples")


def test_numbers_that_the_catalogue_does_not_know_come_last(runs):
    cost = {"odd/thing": 2.0, "odd/nan": 1.0, "parameters": 3.0}
    runs.card(runs.write("a"), mine={"my_number": 1.5}, cost=cost, likelihood={"elbo": -20.0})
    found, _ = tables(runs.path)
    assert list(found) == ["likelihood", "cost", "mine"]
    assert [each.title for each in found["cost"].columns] == ["parameters", "odd", "odd"]
    assert found["cost"].above == [("", 1), ("nan", 1), ("thing", 1)]
    assert found["likelihood"].above == []
    assert found["mine"].columns[0].title == "my number"


def test_headings_say_what_the_catalogue_knows(zoo):
    found, _ = tables(zoo)
    known = {each.name: each for table in found.values() for each in table.columns}
    mmd = PARTS["yardsticks"]["mmd"]
    assert known["mmd"].arrow == "↓"
    assert known["mmd"].hover.splitlines() == [
        mmd.meaning,
        "Lower is better.",
        f"Compare between runs of {mmd.comparable}.",
        f"Beware: {mmd.beware}",
    ]
    assert (known["elbo"].arrow, known["kl"].arrow) == ("↑", "")
    assert " is better." not in known["kl"].hover
    assert "Compare between all runs." in known["parameters"].hover
    assert "No number to compare runs by." in known["bdmc_gap"].hover


def test_the_cards_of_the_zoo_are_those_that_training_writes(zoo):
    cards = [ScoreCard.read(run.scorecard_file) for run in find_runs([zoo])]
    assert len(cards) == 18
    assert all(set(card.parts) == set(PARTS) for card in cards)
