"""``vae-zoo evaluate`` and ``vae-zoo classify`` as a user types them."""

import math
import re
import shutil
from pathlib import Path

import pytest
import torch

from tests.evaluation.commands import card, run
from vae_zoo.data import Digits, Split, Splits
from vae_zoo.evaluation import ImportanceSampling
from vae_zoo.evaluation.examples import examples, shuffle_conditions
from vae_zoo.restore import restore

FIT = [
    *("fit", "-c", "base", "--trainer.max_epochs", "12", "--trainer.enable_progress_bar", "false"),
    *("--trainer.accelerator", "cpu", "--trainer.logger", "false", "--model.optimizer.lr", "0.005"),
    *("--model.encoder.hidden", "[32]", "--model.decoder.hidden", "[32]"),
    *("--scorecard", "false", "--name", "zoo"),
]
LIKELIHOODS = ["--parts", "likelihood", "importance"]
RUNS = {
    "label": ["--model.condition", "OneHot"],
    "point": ["--model.posterior", "Deterministic", "--model.regularizer", "MMD"],
}


@pytest.fixture(autouse=True)
def zoo(copies):
    return Path("runs/zoo")


def test_evaluate_prints_and_writes_the_numbers_of_each_run(zoo, capsys):
    assert run("evaluate", "runs", "--samples", 20, "--examples", 40, *LIKELIHOODS) == 0
    printed = capsys.readouterr().out
    found, point = (card(zoo / name, "scorecard_40_K20") for name in ("label", "point"))
    assert (found.split, found.checkpoint, found.conditional) == ("test", "best.ckpt", True)
    assert found.parts["importance"].setting == {"n": 40, "seed": 0, "samples": 20}
    scores = found.scores
    assert scores["elbo"].value < scores["importance_sampling"].value
    assert 1 < scores["effective_samples"].value < 20
    assert not {"elbo", "importance_sampling", "effective_samples"} & point.scores.keys()
    for name in ("elbo", "importance_sampling", "prior_samples"):
        assert f"{scores[name].value:.2f} ± {scores[name].standard_error:.2f}" in printed
    assert f"{point.scores['prior_samples'].value:.2f} ± " in printed
    for words in ("zoo/label", "condition OneHot", "log p(x | c)", "log p(x)", "40 examples", "–"):
        assert words in printed
    assert printed.count("(K=20)") == 2


def test_a_run_that_lacks_a_likelihood_has_a_dash_there_beside_one_that_has_it(zoo, capsys):
    runs = [zoo / "point", zoo / "label"]
    assert run("evaluate", *runs, "--samples", 20, "--examples", 40, *LIKELIHOODS) == 0
    lines = capsys.readouterr().out.splitlines()
    point, label = (
        next(line.split()[1:] for line in lines if line.startswith(f"zoo/{name}"))
        for name in ("point", "label")
    )
    by_prior = card(zoo / "point", "scorecard_40_K20").scores["prior_samples"]
    assert point == ["–"] * 3 + f"{by_prior.value:.2f} ± {by_prior.standard_error:.2f}".split()
    assert "–" not in label
    assert label.count("±") == 4


def test_the_numbers_are_those_of_the_metric_on_the_examples_of_the_split(zoo):
    words = ["--samples", 3, "--split", "val", "--parts", "importance"]
    assert run("evaluate", zoo / "label", *words) == 0
    model, data = restore(zoo / "label")
    metric = ImportanceSampling(samples=3)
    metric.update(model, *examples(model, data, "val"))
    found = card(zoo / "label", "scorecard_val_K3")
    assert (found.split, found.parts["importance"].setting["n"]) == ("val", 200)
    for name, score in metric.compute().items():
        assert found.scores[name] == pytest.approx(score, rel=1e-6)


def test_shuffled_conditions_lower_the_conditional_likelihood(zoo, capsys):
    for words in ([], ["--shuffle-conditions"]):
        run("evaluate", zoo / "label", "--samples", 10, *LIKELIHOODS, *words)
    printed = " ".join(capsys.readouterr().out.split())
    assert "each under the condition of another" in printed
    right, wrong = (card(zoo / "label", f"scorecard{end}_K10") for end in ("", "_shuffled"))
    assert (right.shuffled_conditions, wrong.shuffled_conditions) == (False, True)
    for name in ("elbo", "importance_sampling", "prior_samples"):
        a, b = right.scores[name], wrong.scores[name]
        assert a.value - b.value > 2 * math.hypot(a.standard_error, b.standard_error)


def test_classify_prints_accuracy_and_cost(zoo, capsys):
    assert run("classify", zoo / "label", "--samples", 10, "--examples", 100) == 0
    printed = capsys.readouterr().out
    match = re.search(r"accuracy ([\d.]+) % ± ([\d.]+) %", printed)
    accuracy, error = map(float, match.groups())
    assert accuracy > 70
    share = accuracy / 100
    assert error == pytest.approx(100 * math.sqrt(share * (1 - share) / 99), abs=0.06)
    assert "by importance sampling (K=10)" in printed
    assert "10 classes x 10 samples = 100 decoder passes an example, 10,000 in all" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "nowhere"], "nowhere is no folder"),
        (["evaluate", "."], "no runs in ."),
        (["evaluate", "runs", "--samples", "0"], "samples must be at least 1, got 0"),
        (["evaluate", "runs/zoo/label", "--examples", "1"], "examples must be at least 2, got 1"),
        (["evaluate", "runs", "--parts", "elbo"], "invalid choice: 'elbo'"),
        (["evaluate", "runs/zoo/point", "--shuffle-conditions"], "no condition that could be"),
        (["classify", "runs/zoo/point"], "condition of this model is Unconditional: train one"),
        (["classify", "runs"], "runs is no run"),
        (["classify", "runs/zoo/label", "--samples", "0"], "samples must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(words, message, capsys):
    if words[1] == ".":
        shutil.rmtree("runs")
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith(("vae-zoo: error:", "usage:"))
    assert not list(Path().rglob("scorecard*"))


def test_a_run_that_cannot_be_evaluated_does_not_hide_the_others(zoo, capsys):
    shutil.rmtree(zoo / "point" / "checkpoints")
    assert run("evaluate", "runs", "--samples", 2, "--examples", 3, *LIKELIHOODS) == 2
    printed = capsys.readouterr().out
    assert "zoo/label" in printed
    assert "not evaluated: zoo/point: runs/zoo/point has no checkpoint yet" in printed.replace(
        "\n", " "
    )


def test_a_run_of_a_class_of_ones_own_is_evaluated_if_that_is_trusted(zoo, capsys):
    Path("own_prior.py").write_text(
        "from vae_zoo.priors import StandardNormal\n\n\nclass Mine(StandardNormal):\n    pass\n"
    )
    config = (zoo / "label" / "config.yaml").read_text()
    changed = config.replace("vae_zoo.priors.StandardNormal", "own_prior.Mine")
    assert changed != config
    (zoo / "label" / "config.yaml").write_text(changed)
    for command in (["evaluate", *LIKELIHOODS], ["classify"]):
        words = [command[0], zoo / "label", *command[1:], "--samples", 2, "--examples", 3]
        assert run(*words) == 2
        assert "add --trust own_prior" in capsys.readouterr().err
        assert run(*words, "--trust", "own_prior") == 0


def test_chosen_examples_are_the_same_each_time_and_keep_their_labels(zoo):
    model, data = restore(zoo / "label")
    x, y = examples(model, data, "test", 30)
    again, _ = examples(model, data, "test", 30)
    assert torch.equal(x, again)
    whole, labels = examples(model, data, "test")
    assert (len(x), len(whole)) == (30, 200)
    assert all(
        any(torch.equal(x[i], whole[j]) and y[i] == labels[j] for j in range(200))
        for i in range(30)
    )
    assert len(examples(model, data, "test", 1000)[0]) == 200
    assert len(examples(model, data, "train", 7)[0]) == 7


def test_no_example_keeps_its_own_condition():
    x, y = torch.rand(50, 2), torch.arange(50)
    same, shuffled = shuffle_conditions((x, y))
    assert torch.equal(same, x)
    assert torch.equal(shuffled.sort().values, y)
    assert (shuffled != y).all()
    with pytest.raises(ValueError, match="no conditions to shuffle"):
        shuffle_conditions((x, None))


def test_labels_are_as_probable_beforehand_as_in_the_training(zoo, capsys, monkeypatch):
    def nothing_is_known(model, x, samples):
        return torch.zeros(len(x), model.classes)

    monkeypatch.setattr("vae_zoo.classify.class_log_likelihoods", nothing_is_known)
    splits = Digits().splits
    commonest = [split.y.bincount().argmax() for split in (splits.train, splits.test)]
    assert commonest[0] != commonest[1]
    assert run("classify", zoo / "label") == 0
    accuracy = (splits.test.y == commonest[0]).double().mean()
    assert f"accuracy {100 * accuracy:.1f} %" in capsys.readouterr().out


class Coins(Digits):
    """Grey digits, of which those to train on are drawn anew."""

    def load(self):
        train, val, test = super().load()
        return Splits(Split(train.x / 2, train.y), val, test)

    def augment(self, x, generator):
        return (x > torch.from_numpy(generator.random(x.shape))).float()


def test_examples_to_train_on_are_drawn_as_a_model_sees_them(zoo):
    model, _ = restore(zoo / "label")
    x, _ = examples(model, Coins(), "train")
    assert set(x.unique().tolist()) == {0.0, 1.0}
