"""The score card of a run, as ``fit`` leaves it and ``evaluate`` completes it."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from tests.evaluation.commands import card, run
from vae_zoo import evaluate as evaluation
from vae_zoo.evaluation import ActiveUnits, Elbo
from vae_zoo.evaluation.examples import examples
from vae_zoo.evaluation.numbers import PARTS, find, page, title
from vae_zoo.evaluation.parts import MEASURES
from vae_zoo.evaluation.score import Score
from vae_zoo.evaluation.subject import MOST, Setting
from vae_zoo.restore import restore
from vae_zoo.scorecard import Part, ScoreCard

SMALL = [
    *("-c", "base", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"),
    *("--model.encoder.hidden", "[16]", "--model.decoder.hidden", "[16]"),
    *("--trainer.logger", "false", "--name", "cards"),
]
FIT = ["fit", *SMALL, "--trainer.max_epochs", "3"]
RUNS = {
    "kl": ["--trainer.max_epochs", "8", "--model.optimizer.lr", "0.005"],
    "point": ["--model.posterior", "Deterministic", "--model.regularizer", "MMD"],
    "label": ["--model.condition", "OneHot", "--model.prior", "ConditionalNormal"],
}
TEXTS = "no features: the data are texts"
FITTED = {"regression": ["--model.latent_dim", "0", "--model.condition", "OneHot"]}


@pytest.fixture(autouse=True)
def cards(copies):
    return Path("runs/cards")


def refuse(*_):
    raise AssertionError("it was measured again")


def test_a_fit_ends_with_every_part_of_the_card_in_order(cards):
    found = card(cards / "kl")
    assert [*found.parts] == [*PARTS] == [*MEASURES]
    assert (found.checkpoint, found.split, found.conditional) == ("best.ckpt", "test", False)
    for name, part in found.parts.items():
        if name not in ("cost", "factors"):
            assert {"n": min(200, MOST[name]), "seed": 0}.items() <= part.setting.items()
    assert found.parts["factors"].absent == {"": "the factors of the data are not known"}
    assert found.parts["importance"].setting["samples"] == 500


def test_every_number_of_the_catalogue_is_on_some_card_and_none_besides(cards):
    names = {name.partition("/")[0] for name in card(cards / "kl").scores}
    for part, numbers in PARTS.items():
        if part != "factors":
            assert names & numbers.keys() == numbers.keys()
    assert names <= {name for numbers in PARTS.values() for name in numbers}


def test_every_number_but_a_count_of_parameters_and_of_memory_has_a_standard_error(cards):
    scores = card(cards / "kl").scores
    without = {name for name, one in scores.items() if one.standard_error is None}
    assert without <= {"parameters", "peak_memory", "distance_at_radius/0"}


def test_of_a_point_only_what_is_defined_is_there_with_the_reason_for_the_rest(cards):
    found = card(cards / "point")
    undefined = {
        *("elbo", "kl", "bits_per_dimension", "importance_sampling", "effective_samples"),
        *("posterior_gap", "approximation_gap", "amortisation_gap", "mutual_information"),
        *("aggregate_kl", "surgery_rate", "total_correlation", "dimension_wise_kl"),
        *("prior_log_ratio", "kl_of_dimension"),
    }
    assert not undefined & {name.partition("/")[0] for name in found.scores}
    reasons = {name: why for part in found.parts.values() for name, why in part.absent.items()}
    assert {name for name in reasons if name} == undefined
    assert {reasons[name] for name in undefined} == {"no density: the posterior is deterministic"}
    defined = {"reconstruction", "prior_samples", "ais", "active_units", "mmd", "fid/samples"}
    assert defined <= found.scores.keys()


def test_what_a_metric_leaves_out_has_its_reason(cards):
    no_one_prior = "the prior depends on the condition: there is no one p(z)"
    absent = card(cards / "label").parts["aggregate"].absent
    for name in ("aggregate_kl", "surgery_rate", "prior_log_ratio"):
        assert absent[name] == no_one_prior
    assert "the prior does not factorise" in absent["dimension_wise_kl"]
    assert not card(cards / "kl").parts["aggregate"].absent


def test_the_numbers_are_those_of_the_metrics_alone(cards):
    model, data = restore(cards / "kl")
    x, y = examples(model, data, "test")
    for metric in (ActiveUnits(), Elbo()):
        metric.update(model, x, y)
        for name, score in metric.compute().items():
            assert card(cards / "kl").scores[name].value == pytest.approx(score.value, rel=1e-6)


def test_evaluate_finds_what_fit_wrote_and_measures_nothing_again(cards, monkeypatch, capsys):
    before = (cards / "kl" / "scorecard.json").read_bytes()
    for name in MEASURES.keys() - {"cost"}:  # which is read, and not measured
        monkeypatch.setitem(MEASURES, name, refuse)
    assert run("evaluate", cards / "kl") == 0
    assert (cards / "kl" / "scorecard.json").read_bytes() == before
    printed = capsys.readouterr().out
    found = card(cards / "kl").scores
    for name in ("elbo", "ais", "fid/samples", "linear_probe", "distance_at_radius/test"):
        assert title(name) in printed
    for name in ("elbo", "ais", "importance_sampling"):
        assert f"{found[name].value:.2f} ± {found[name].standard_error:.2f}" in printed
    assert "the factors of the data are not known" in printed


def test_evaluate_makes_the_same_numbers_as_fit(cards):
    before = card(cards / "kl")
    (cards / "kl" / "scorecard.json").unlink()
    parts = ["likelihood", "importance", "aggregate", "yardsticks"]
    assert run("evaluate", cards / "kl", "--parts", *parts) == 0
    after = card(cards / "kl")
    assert [*after.parts] == parts
    for name, score in after.scores.items():
        assert score == pytest.approx(before.scores[name], rel=1e-6)


def test_an_interrupted_card_goes_on_with_the_part_that_it_was_at(cards, monkeypatch, capsys):
    (cards / "kl" / "scorecard.json").unlink()
    measured = []

    def measure(name):
        def part(subject):
            measured.append(name)
            if name == "aggregate" and measured.count(name) == 1:
                raise KeyboardInterrupt
            return Part({"n": 1}, {name: Score(1.0)}, {}, subject.setting.asked(name))

        return part

    for name in MEASURES:
        monkeypatch.setitem(MEASURES, name, measure(name))
    assert run("evaluate", cards / "kl") == 130
    assert [*card(cards / "kl").parts] == ["likelihood", "importance", "annealing"]
    assert run("evaluate", cards / "kl") == 0
    assert measured == ["likelihood", "importance", "annealing", "aggregate", *[*MEASURES][3:]]
    assert [*card(cards / "kl").parts] == [*PARTS]


def test_an_interrupted_fit_says_what_completes_the_card(monkeypatch, capsys):
    def stop(subject):
        raise KeyboardInterrupt

    monkeypatch.setitem(MEASURES, "likelihood", stop)
    monkeypatch.setenv("WANDB_RUN_ID", "stopped")
    assert run(*FIT) == 130
    printed = capsys.readouterr().out
    assert "stopped; `vae-zoo evaluate runs/cards/stopped` completes the score card" in printed


def test_a_part_that_fails_undoes_neither_the_training_nor_other_parts_and_is_tried_again(
    monkeypatch, capsys
):
    def fail(subject):
        raise RuntimeError("no such features")

    folder = Path("runs/cards/failed")
    monkeypatch.setenv("WANDB_RUN_ID", folder.name)
    with monkeypatch.context() as patched:
        patched.setitem(MEASURES, "samples", fail)
        with pytest.warns(UserWarning, match="goes on: samples failed: RuntimeError: no such feat"):
            assert run(*FIT) == 0
        assert "elbo" in card(folder).scores
        assert run("evaluate", folder) == 2
        assert f"not evaluated: cards/{folder.name}: samples failed" in capsys.readouterr().out
        assert run("evaluate", folder, "--parts", "likelihood") == 0
    assert run("evaluate", folder, "--parts", "samples") == 0
    assert "fid/samples" in card(folder).scores


def test_what_goes_wrong_with_a_card_does_not_undo_a_training(monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(ScoreCard, "write", fail)
    monkeypatch.setenv("WANDB_RUN_ID", "unwritten")
    with pytest.warns(UserWarning, match="no whole score card, .* goes on: no space left"):
        assert run(*FIT) == 0


@pytest.mark.parametrize("runs", [["kl"], ["kl", "point"]])
def test_the_parts_that_are_asked_for_are_shown_alone(cards, capsys, runs):
    assert run("evaluate", *(cards / one for one in runs), "--parts", "yardsticks", "cost") == 0
    out = capsys.readouterr().out
    assert out.count("\nyardsticks") == out.count("\ncost") == len(runs)
    assert "ELBO" not in out


def test_without_scorecard_a_fit_leaves_none(monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "none")
    assert run(*FIT, "--scorecard", "false") == 0
    assert Path("runs/cards/none/config.yaml").is_file()
    assert not Path("runs/cards/none/scorecard.json").exists()


@pytest.mark.parametrize("change", ["checkpoint", "version", "torn", "recipe", "data", "absent"])
def test_a_card_that_no_longer_fits_is_made_anew(cards, change):
    folder, file = cards / "kl", cards / "kl" / "scorecard.json"
    content = json.loads(file.read_text())
    content["parts"]["likelihood"]["scores"]["elbo"]["value"] = 1.0
    if change == "version":
        content["version"] = 0
    if change == "recipe":
        content["parts"]["likelihood"]["asked"]["recipe"] = 0
    if change == "data":
        content["examples"] = "0f"
    if change == "absent":
        content["parts"]["likelihood"]["absent"] = None
    file.write_text(json.dumps(content)[: -50 if change == "torn" else None])
    if change == "checkpoint":
        path = folder / "checkpoints" / "best.ckpt"
        torch.save(torch.load(path, weights_only=True) | {"note": 1}, path)
    assert run("evaluate", folder, "--parts", "likelihood") == 0
    assert card(folder).scores["elbo"].value < 0
    assert ("samples" in card(folder).parts) == (change == "recipe")


def test_other_samples_have_a_card_of_their_own(cards, monkeypatch):
    before = (cards / "kl" / "scorecard.json").read_bytes()
    assert run("evaluate", cards / "kl", "--samples", 20, "--parts", "importance") == 0
    assert (cards / "kl" / "scorecard.json").read_bytes() == before
    for name in MEASURES:
        monkeypatch.setitem(MEASURES, name, refuse)
    assert run("evaluate", cards / "kl", "--samples", 20, "--parts", "importance") == 0
    part = card(cards / "kl", "scorecard_K20").parts["importance"]
    assert part.setting["samples"] == 20
    assert 1 <= part.scores["effective_samples"].value <= 20


def test_other_examples_have_a_card_of_their_own(cards):
    words = ["--parts", "likelihood", "--examples", 30]
    assert run("evaluate", cards / "label", *words, "--split", "val") == 0
    assert run("evaluate", cards / "label", *words, "--shuffle-conditions") == 0
    val, shuffled = (card(cards / "label", f"scorecard_{end}") for end in ("val_30", "30_shuffled"))
    assert (val.split, val.parts["likelihood"].setting["n"]) == ("val", 30)
    assert shuffled.shuffled_conditions
    assert shuffled.conditional
    assert shuffled.scores["elbo"] != val.scores["elbo"]


def test_of_a_regression_there_are_no_codes_to_measure(monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "regression")
    assert run(*FIT, *FITTED["regression"]) == 0
    found = card(Path("runs/cards/regression"))
    none = {"": "no codes: the model is a regression"}
    for part in ("annealing", "aggregate", "yardsticks", "holes", "probes"):
        assert found.parts[part].absent == none
    scores = found.scores
    assert scores["importance_sampling"].value == pytest.approx(scores["elbo"].value, rel=1e-5)
    assert not {"kl", "effective_samples"} & scores.keys()
    assert found.parts["likelihood"].absent == {"kl": none[""]}
    assert found.parts["importance"].absent == {"effective_samples": none[""]}
    assert "fid/samples" in scores
    assert found.parts["samples"].absent["fid/reconstructions"] == none[""]


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["-c", "data/linear_gaussian"], {"probes": "the data have no labels"}),
        (["-c", "likelihood/tokens", "-c", "data/markov_chain"], {"samples": TEXTS}),
        (["-c", "experiment/two_modes"], {"probes": "the data have no labels"}),
        (["-c", "data/sprites", "--data.train", 400, "--data.side", 16], {}),
        (["-c", "prior/vamp_prior"], {}),
        (["-c", "posterior/flow_posterior"], {}),
        (["-c", "condition/image", "-c", "data/completion"], {"probes": "the data have no labels"}),
    ],
    ids=lambda value: "-".join(map(str, value[:4:2])) if isinstance(value, list) else "",
)
def test_the_card_of_other_data_and_parts_is_whole_too(words, absent, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "other")
    small = ["--trainer.max_epochs", 1, "--trainer.limit_train_batches", 3, "--scorecard", "false"]
    assert run("fit", *SMALL[:2], *words, *SMALL[8:], *small) == 0
    assert run("evaluate", "runs/cards/other", "--examples", 24, "--samples", 5) == 0
    found = card(Path("runs/cards/other"), "scorecard_24_K5")
    assert [*found.parts] == [*PARTS]
    assert all(math.isfinite(one.value) for one in found.scores.values())
    for part, reason in absent.items():
        assert found.parts[part].absent == {"": reason}
    assert ("mig" in found.scores) == ("data/sprites" in words)


def test_a_number_that_is_not_finite_is_absent_and_the_rest_is_there(cards):
    path = cards / "kl" / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    for name, value in content["state_dict"].items():
        if name.startswith("decoder"):
            value *= 1e25
    torch.save(content, path)
    assert run("evaluate", cards / "kl", "--parts", "likelihood", "probes") == 0
    found = card(cards / "kl").parts
    assert "not finite" in found["likelihood"].absent["elbo"]
    assert "linear_probe" in found["probes"].scores


def test_training_examples_are_no_test_of_probes_nor_a_floor_of_themselves(cards):
    words = ["--split", "train", "--examples", 50, "--parts", "probes", "samples"]
    assert run("evaluate", cards / "kl", *words) == 0
    found = card(cards / "kl", "scorecard_train_50").parts
    assert "needs test examples" in found["probes"].absent[""]
    assert {"fid/samples"} <= found["samples"].scores.keys()
    assert "fid/train" not in found["samples"].scores
    assert found["samples"].absent["fid/train"] == "no floor of themselves"


def test_what_cannot_be_evaluated_is_said_and_hides_no_other_run(cards, capsys):
    shutil.rmtree(cards / "point" / "checkpoints")
    best = cards / "label" / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[:1000])
    (cards / "label" / "scorecard.json").unlink()
    assert run("evaluate", "runs") == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert "not evaluated: cards/point: runs/cards/point has no checkpoint yet" in printed
    assert "not evaluated: cards/label: runs/cards/label/checkpoints/best.ckpt is no" in printed
    assert "cards/kl" in printed


def test_the_costs_are_those_that_the_training_logged(cards):
    scores, summary = card(cards / "kl").scores, {}
    for row in (cards / "kl" / "metrics.csv").read_text().splitlines():
        summary = {**summary, "rows": row}
    model, _ = restore(cards / "kl")
    assert scores["parameters"].value == sum(each.numel() for each in model.parameters())
    seconds, rate = scores["epoch_seconds"], scores["examples_per_second"]
    assert rate.value == pytest.approx(1397 // 64 * 64 / seconds.value, rel=1e-6)
    assert rate.standard_error / rate.value == pytest.approx(seconds.standard_error / seconds.value)
    assert 50 < scores["peak_memory"].value < 20_000


def test_a_card_comes_back_as_it_was_written(tmp_path):
    scores = {"elbo": Score(-1.5, 0.1), "kl": Score(2.0)}
    parts = {"likelihood": Part({"n": 3}, scores, {"a": "b"}, {"recipe": 1})}
    whole = ScoreCard("best.ckpt", "0f", "test", parts=parts)
    whole.write(tmp_path / "card.json")
    assert ScoreCard.read(tmp_path / "card.json") == whole


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is no score card"),
        ("[]", "is no score card"),
        ("{}", "is no score card"),
        ('{"version": 2}', "is of version 2, and this is a vae_zoo of version 1: delete it"),
        ('{"version": 1, "parts": {"a": {"scores": {"b": 1}}}}', "is no score card"),
        (
            '{"version": 1, "parts": {"a": {"scores": {"b": {"value": NaN, "standard_error": 1}}}}}',  # noqa: E501
            "a number is nan",
        ),
    ],
)
def test_a_broken_card_is_refused_in_a_sentence(content, reason, tmp_path):
    file = tmp_path / "card.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=reason):
        ScoreCard.read(file)
    with pytest.raises(OSError, match="No such file"):
        ScoreCard.read(tmp_path / "none.json")


def test_the_page_of_numbers_says_of_each_what_it_is_and_when_it_may_be_compared():
    text = page()
    for numbers in PARTS.values():
        for name, number in numbers.items():
            [line] = [line for line in text.splitlines() if f"(`{name}`)" in line]
            for words in (number.title, number.meaning, number.between, number.beware):
                assert words.replace("|", r"\|") in line
    assert Path(evaluation.__file__).parents[1].joinpath("docs/scorecard.md").read_text() == text
    assert find("fid/samples") == PARTS["samples"]["fid"]
    assert title("fid/samples") == "FID, samples"
    assert title("distance_at_radius/2") == "distance at radius 2"


def test_a_setting_names_its_file_and_caps_its_examples():
    assert Setting().stem == "scorecard"
    assert Setting("val", 10, 100, True).stem == "scorecard_val_100_shuffled_K10"
    assert Setting(examples=100).most("samples") == 100
    assert Setting(examples=100).most("annealing") == MOST["annealing"]
