import csv
import math
from collections import defaultdict

import numpy as np
import yaml

from vae_zoo.comparison import read
from vae_zoo.comparison.estimate import Estimate
from vae_zoo.runs import find_runs


def only_section(path):
    [section] = read([path]).sections
    return section


def test_means_and_standard_errors_are_those_of_the_test_split(zoo):
    values = defaultdict(list)
    for folder in zoo.iterdir():
        model = yaml.safe_load((folder / "config.yaml").read_text())["model"]
        key = (str(model["regularizer"]), str(model["prior"]))
        with (folder / "metrics.csv").open() as file:
            [row] = [row for row in csv.DictReader(file) if row["test/elbo"]]
        values[key].append([float(row[f"test/{t}"]) for t in ("elbo", "reconstruction", "kl")])
    groups = only_section(zoo).groups
    assert len(groups) == len(values) == 6
    for group in groups:
        model = group.configuration.tree["model"]
        numbers = np.array(values[str(model["regularizer"]), str(model["prior"])])
        errors = numbers.std(axis=0, ddof=1) / math.sqrt(3)
        for i, term in enumerate(("elbo", "reconstruction", "kl")):
            mean, error, seeds = group.estimate(term)
            np.testing.assert_allclose(mean, numbers[:, i].mean(), rtol=1e-12)
            np.testing.assert_allclose(error, errors[i], rtol=1e-9)
            assert seeds == 3


def test_runs_that_differ_in_seed_id_and_name_alone_form_a_group(runs):
    runs.write("a", 0)
    config = yaml.safe_load((runs.write("b", 1) / "config.yaml").read_text())
    config["name"] = "another"
    (runs.path / "b" / "config.yaml").write_text(yaml.safe_dump(config))
    [group] = only_section(runs.path).groups
    assert group.seeds == ["0", "1"]


def test_a_class_by_its_path_alone_is_the_class_without_options(runs):
    runs.write("a", 0, prior="vae_zoo.priors.StandardNormal")
    runs.write("b", 1, prior={"class_path": "vae_zoo.priors.StandardNormal"})
    runs.write("c", 2, prior=runs.part("priors", "StandardNormal"))
    assert len(only_section(runs.path).groups) == 1


def test_where_the_data_lie_makes_no_other_group(runs):
    runs.write("a", 0, data=runs.part("data", "MNIST", root="/here", batch_size=64))
    runs.write("b", 1, data=runs.part("data", "MNIST", root="/there", batch_size=64))
    assert len(only_section(runs.path).groups) == 1


def test_one_seed_gives_a_value_and_no_error(runs):
    runs.write("a", 0)
    [group] = only_section(runs.path).groups
    assert group.estimate("elbo") == Estimate(-20.0, None, 1)
    assert str(group.estimate("elbo")) == "-20.00"


def test_a_repeated_seed_counts_once(runs):
    for name in ("a", "b"):
        runs.write(name, 0)
    runs.write("c", 1)
    comparison = read([runs.path])
    assert comparison.sections[0].groups[0].seeds == ["0", "1"]
    assert [str(one) for one in comparison.repeated] == ["demo/b (repeats seed 0 of demo/a)"]


def test_unknown_seeds_are_different_seeds(runs):
    runs.write("a", None)
    runs.write("b", None)
    [group] = only_section(runs.path).groups
    assert len(group.members) == 2


def test_a_term_that_a_deterministic_posterior_has_not_is_absent_with_the_reason(runs):
    point = runs.part("posteriors", "Deterministic")
    runs.write("a", posterior=point, terms={"reconstruction": 9.0})
    [group] = only_section(runs.path).groups
    assert group.estimate("elbo") is None
    assert group.estimate("kl") is None
    assert group.why_absent("kl") == "no density: the posterior is deterministic"
    assert group.curve("elbo") == {}


def test_a_curve_ends_where_the_first_seed_does(runs):
    for seed in (0, 1):
        runs.write(str(seed), seed)
    lines = (runs.path / "1" / "metrics.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.split(",")[0] not in {"37", "38", "39"}]
    (runs.path / "1" / "metrics.csv").write_text("".join(kept))
    [group] = only_section(runs.path).groups
    curve = group.curve("elbo")
    assert list(curve) == list(range(37))
    assert curve[0].seeds == 2
    np.testing.assert_allclose(curve[6].mean, -20 * (1 + 0.8 * math.exp(-1)))


def test_of_two_runs_of_a_seed_the_one_with_a_score_card_stays(runs):
    runs.write("a", 0)
    runs.card(runs.write("b", 0), likelihood={"elbo": -20.0})
    comparison = read([runs.path])
    [[member]] = [group.members for group in comparison.sections[0].groups]
    assert member.run.id == "b"
    [repeated] = comparison.repeated
    assert repeated.run.id == "a"


def test_runs_behind_links_are_found(runs, tmp_path):
    folder = runs.write("a")
    links = tmp_path / "links"
    links.mkdir()
    (links / "mine").symlink_to(folder)
    [run] = find_runs([links])
    assert run.folder == links / "mine"
