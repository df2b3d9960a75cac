"""``vae-zoo check`` and ``vae-zoo new`` as a user types them."""

import subprocess
import sys
from pathlib import Path

import pytest

from vae_zoo.cli import main
from vae_zoo.contract import command, properties
from vae_zoo.contract.verdict import Property
from vae_zoo.new import snake_case

MINE = """
from vae_zoo.regularizers import KL

class Half(KL):
    def forward(self, q, p, z):
        return self.divergence(q, p, z)
"""


PARTS = """
import torch
from torch.distributions import Independent, Normal as N
from vae_zoo.data import DataModule, Split, Splits
from vae_zoo.likelihoods import Normal
from vae_zoo.priors import StandardNormal

class Wide(StandardNormal):
    def __init__(self, latent_dim, condition_dim=0, width: float = 1.0):
        super().__init__(latent_dim, condition_dim)
        self.scale *= width

class Squares(Normal):
    def forward(self, params):
        return Square(super().forward(params).base_dist, len(self.shape))

class Square(Independent):
    def log_prob(self, value):
        return -(value - self.mean).square().flatten(1).sum(1)

class Points(DataModule):
    shape, support = (2,), "real"

    def __init__(self, n: int = 20):
        super().__init__(batch_size=5)
        self.n = n

    def load(self):
        x = torch.randn(self.n + 20, 2, generator=torch.Generator().manual_seed(0))
        return Splits.at_random(Split(x), val=10, test=10, seed=0)
"""


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """An empty folder to work in; what the command sets in this process is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "200")
    yield
    for name in ("mine", "moments"):
        sys.modules.pop(name, None)


def run(*words):
    """Run a command in this process, and return its exit code."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code


def test_a_new_regularizer_keeps_the_contract_as_written(capsys):
    assert run("new", "regularizer", "Moments") == 0
    out = capsys.readouterr().out
    assert "vae-zoo check moments.Moments" in out
    assert "vae-zoo fit -c base --model.regularizer moments.Moments" in out
    assert sorted(path.name for path in Path().iterdir()) == ["moments.py", "test_moments.py"]
    assert run("check", "moments.Moments", "--weight", "3") == 0
    out = capsys.readouterr().out
    assert "Moments λ=3" in out
    assert "✗" not in out
    assert "2.19609 and 4.39219" in out
    assert "13 hold, 0 fail; 2 do not apply, or have no threshold" in out


def test_ctrl_c_is_answered_in_a_word_and_without_a_traceback(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_check", interrupted)
    assert run("check", "MMD") == 130
    assert capsys.readouterr().err == "vae-zoo: stopped\n"


def test_its_test_passes_and_fails_once_it_is_broken():
    run("new", "regularizer", "Moments")
    words = [sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    file = Path("moments.py")
    file.write_text(file.read_text().replace("z.std(0)", "2 * z.std(0)"))
    words += ["-k", "not contract"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "1 failed" in done.stdout, done.stdout + done.stderr


def test_a_regularizer_that_fails_is_shown_and_exits_with_1(capsys, monkeypatch):
    alone = "same_gradient_on_two_processes"  # which takes seconds
    monkeypatch.setattr(properties, alone, lambda _: {"it": properties.NOT_REACHED})
    Path("mine.py").write_text(MINE)
    assert run("check", "mine.Half") == 1
    out = capsys.readouterr().out
    assert "✗  proportional to its weight" in out
    assert "1 fail" in out


def test_a_prior_a_likelihood_and_data_of_ones_own_are_checked(capsys):
    Path("mine.py").write_text(PARTS)
    assert run("check", "mine.Wide", "--width", "2") == 0
    assert "mine.Wide --width 2" in (out := capsys.readouterr().out)
    assert "integrates to 1                 1.00000" in out
    assert run("check", "mine.Squares") == 1
    out = capsys.readouterr().out
    assert "✗  normalised" in out
    assert "2 fail" in out  # its samples are not of its density, either
    assert run("check", "mine.Points", "--n", "30") == 0
    assert "30 / 10 / 10 examples: Points: real data of shape (2,)" in capsys.readouterr().out


def test_a_part_of_the_zoo_is_checked_by_its_name(capsys):
    assert run("check", "Normal", "--learned", "decoded") == 0
    assert "params (4, 1, 1), event (2, 1, 1)" in capsys.readouterr().out
    assert run("check", "Completion", "--of", "Digits", "--of.split_seed", "3") == 0
    assert "Completion: binary data of shape (48,)" in capsys.readouterr().out


def test_a_name_of_two_families_is_asked_for_in_full(monkeypatch):
    monkeypatch.setattr(command, "_names", lambda: {"Text": ["likelihoods", "data"]})
    with pytest.raises(ValueError, match=r"write vae_zoo.likelihoods.Text and vae_zoo.data.Text"):
        command.find_class("Text")


def test_options_are_typed_and_a_wrapper_takes_another_by_its_short_name(capsys, monkeypatch):
    labels = []
    monkeypatch.setattr(command, "check", lambda factory: labels.append(factory().label) or [])
    assert run("check", "MMD", "--kernel", "gaussian", "--weight=3") == 0
    assert run("check", "FreeBits", "--inner", "KL", "--inner.weight", "2", "--nats", "0.1") == 0
    assert labels == ["MMD gaussian λ=3", "FreeBits 0.1 KL β=2"]


def test_a_figure_with_brackets_is_shown_as_it_is(capsys):
    command.show("Mine", [Property("value", False, "got [/x] of [3]", "[1]")])
    assert "got [/x] of [3]" in capsys.readouterr().out


def test_the_rest_is_not_reached_without_a_scalar(monkeypatch):
    Path("mine.py").write_text(MINE + "\n    def divergence(self, q, p, z):\n        return z\n")
    sys.path.insert(0, str(Path.cwd()))
    first, *rest = properties.check(command.find_class("mine.Half"))
    assert first.holds is False
    assert {one.holds for one in rest} == {None}
    assert len(rest) == 14


ERRORS = {
    "check MDD": "no regularizer, prior, likelihood or data module MDD. Did you mean MMD?",
    "check Nonsense": "data module Nonsense. `vae-zoo list` shows the zoo.",
    "check nowhere.Mine": "cannot import nowhere.Mine: No module named 'nowhere'",
    "check mine.Hall": "or data module Hall. Did you mean Half?",
    "check mine.Path": "mine has no regularizer, prior, likelihood or data module Path. Its parts "
    "are: Half, KL.",
    "check wrong.Mine": "wrong.py, line 2: expected ':'",
    "check fails.Mine": "fails.py, line 1: division by zero",
    "check MMD --kernal imq": "kernal: there is no such option. Did you mean kernel?",
    "check MMD --kernel gaus": "kernel: gaus is none of gaussian, imq, laplace. Did you mean",
    "check MMD --weight x": "weight: expected float, got x",
    "check MMD --weight -1": "weight must be non-negative, got -1",
    "check FreeBits": "FreeBits needs --inner: add it, with a value",
    "check MixtureOfNormals --components 0": "components must be at least 1, got 0",
    "check MixtureOfNormals --latent_dim 3": "latent_dim: there is no such option",
    "check Normal --variance -1": "variance must be positive and finite, got -1",
    "check Ring --train 1": "train must be at least 4, got 1",
    "check Completion": "Completion needs --of: add it, with a value",
    "check Digits --binarization on": "binarization: on is none of threshold, none",
    "new regularizer moments": "name must be that of a class, such as StudentT, got 'moments'",
    "new regularizer Two-Parts": "name must be that of a class, such as StudentT, got 'Two-Parts'",
    "new regularizer None": "name must be that of a class, such as StudentT, got 'None'",
    "new regularizer Random": "name must not be Random: random.py would hide the module random",
    "new regularizer Class": "name must not be Class: class.py would hide the module class",
    "new regularizer Mine": "mine.py exists already, and nothing was written",
    "new regularizer Tested": "test_tested.py exists already, and nothing was written",
}


@pytest.mark.parametrize("words", ERRORS)
def test_bad_input_is_one_sentence_and_nothing_is_written(words, capsys):
    Path("mine.py").write_text(MINE)
    Path("wrong.py").write_text("\nclass Mine\n")
    Path("fails.py").write_text("1 / 0\n")
    Path("test_tested.py").write_text("")
    before = {path: path.read_text() for path in Path().glob("*.py")}
    assert run(*words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("vae-zoo: error: ")
    assert ERRORS[words] in error
    assert len(error.splitlines()) == 1
    assert {path: path.read_text() for path in Path().glob("*.py")} == before


def test_both_files_are_written_or_none(monkeypatch):
    opened = Path.open

    def full(path, *args, **options):
        if path.name.startswith("test_") and args[:1] == ("x",):
            raise OSError("no space left on device")
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    assert run("new", "regularizer", "Moments") == 2
    assert not list(Path().iterdir())


def test_a_name_of_the_zoo_is_told_apart(capsys):
    run("new", "regularizer", "MMD")
    assert (
        "MMD alone is the zoo's own class: yours is mmd.MMD everywhere" in capsys.readouterr().out
    )
    run("new", "regularizer", "MyOwn")
    assert "alone" not in capsys.readouterr().out


def test_new_answers_without_importing_torch():
    code = (
        "import sys; from vae_zoo.cli import main\n"
        "try: main(['new', 'regularizer', 'Mine'])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("0 False\n")


@pytest.mark.parametrize(
    ("name", "module"),
    [("Moments", "moments"), ("StudentT", "student_t"), ("MMD", "mmd"), ("MMDTwo", "mmd_two")],
)
def test_a_module_is_named_after_its_class(name, module):
    assert snake_case(name) == module
