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
    "check MDD": "there is no regularizer MDD. Did you mean MMD?",
    "check Nonsense": "no regularizer Nonsense. `vae-zoo list regularizers` shows the zoo.",
    "check nowhere.Mine": "cannot import nowhere.Mine: No module named 'nowhere'",
    "check mine.Hall": "mine has no regularizer Hall. Did you mean Half?",
    "check mine.Path": "mine has no regularizer Path. Its regularizers are: KL, Half.",
    "check wrong.Mine": "wrong.py, line 2: expected ':'",
    "check fails.Mine": "fails.py, line 1: division by zero",
    "check MMD --kernal imq": "kernal: there is no such option. Did you mean kernel?",
    "check MMD --kernel gaus": "kernel: gaus is none of gaussian, imq, laplace. Did you mean",
    "check MMD --weight x": "weight: expected float, got x",
    "check MMD --weight -1": "weight must be non-negative, got -1",
    "check FreeBits": "FreeBits needs --inner: add it, with a value",
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
