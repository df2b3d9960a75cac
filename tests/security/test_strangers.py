"""A run folder or a file from a stranger runs nothing of theirs."""

import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import vae_zoo
from tests.security.conftest import FIT, code
from vae_zoo.runs import Run
from vae_zoo.sweep.queue import Queue
from vae_zoo.sweep.source import Source

CALLED = Path("called")
EVIL = f"""
from pathlib import Path
from vae_zoo.regularizers import KL

Path("{CALLED}").touch()

class Evil(KL):
    pass

def function(*args, **kwargs):
    pass
"""


def slowly(*values):
    """A case of many that are alike, which the fast tests leave out."""
    return pytest.param(*values, marks=pytest.mark.slow)


class Payload:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {CALLED}",)


def pickled(path, content):
    path.write_bytes(pickle.dumps(Payload()))


def zipped(path, content):
    torch.save(content | {"hyper_parameters": Payload()}, path)


def alone(path, content):
    torch.save(Payload(), path)


USES = {
    "evaluate": ("evaluate", "{}", "--parts", "likelihood"),
    "sample": ("sample", "{}", "-n", "2"),
    "encode": ("encode", "{}", "-o", "codes.npz"),
    "reconstruct": ("reconstruct", "{}"),
    "traverse": ("traverse", "{}"),
    "interpolate": ("interpolate", "{}"),
    "classify": ("classify", "{}"),
    "fit": ("fit", "--resume", "{}"),
    "fit with weights": (*FIT, "--ckpt_path", "{}/checkpoints/best.ckpt"),
    "test": ("test", "--resume", "{}"),
    "validate": ("validate", "--resume", "{}"),
}


@pytest.mark.parametrize("payload", [zipped, *(slowly(each) for each in (pickled, alone))])
def test_a_checkpoint_with_a_payload_is_refused_and_nothing_of_it_runs(payload, run, capsys):
    for path in (run / "checkpoints").iterdir():
        payload(path, torch.load(path, weights_only=True))
    before = sorted(Path().rglob("*"))
    for words in USES.values():
        assert code(*(word.format(run) for word in words)) == 2, words
        assert ".ckpt is no checkpoint that can be read" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no checkpoint that can be read"):
        vae_zoo.load(run)
    assert sorted(Path().rglob("*")) == before
    assert not CALLED.exists()
    pickle.loads(pickle.dumps(Payload()))
    assert CALLED.exists(), "the payload would have done nothing"


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "y.npy"])
def test_a_pickled_array_is_refused_and_nothing_of_it_runs(name, run, capsys):
    objects = np.asarray([Payload()] * 4, dtype=object)
    np.save("good.npy", np.zeros((4, 1, 8, 8), np.uint8))
    if name.endswith("npz"):
        np.savez(name, x=objects)
    else:
        np.save(name, objects, allow_pickle=True)
    file = ("--file", "good.npy", "--labels", name) if name == "y.npy" else ("--file", name)
    assert code("encode", run, "-o", "codes.npz", *file) == 2
    assert "Python's own objects are never opened" in capsys.readouterr().err
    path = ["--data.path", "good.npy", "--data.labels", name] if name == "y.npy" else []
    path = path or ["--data.path", name]
    assert code("fit", "-c", "base", "--data", "Files", *path, "--model.likelihood", "Normal") == 2
    assert "Python's own objects are never opened" in capsys.readouterr().err
    assert not CALLED.exists()
    assert not Path("codes.npz").exists()


TOUCH = {"command": f"touch {CALLED}"}
HOSTILE = {
    "model.encoder": [
        "evil.Evil",
        "runs.a.x.evil.Evil",  # the folder is a package of Python's, wherever it is unpacked
        "os.system",
        {"class_path": "os.system", "init_args": TOUCH},
        {"class_path": "runs.a.x.evil.function"},
        {"class_path": "vae_zoo.runs.os.system", "init_args": TOUCH},
        {"class_path": "vae_zoo.data.download.pooch.retrieve"},
        {"class_path": "torch.hub.load", "init_args": {"repo_or_dir": "a/b", "model": "c"}},
        {"class_path": "torch.load", "init_args": {"f": "runs/a/x/payload.pt"}},
        {"class_path": "torch.utils.cpp_extension.load", "init_args": {"name": "a", "sources": []}},
        {"class_path": "lightning.pytorch.cli.LightningCLI"},
        {"class_path": "vae_zoo.fit.CLI"},
        {"class_path": "vae_zoo.runs.replace", "init_args": {"path": str(CALLED), "content": ""}},
        {"class_path": "builtins.exec"},
    ],
    "model.regularizer": [{"class_path": "runs.a.x.evil.Evil"}, "evil.Evil"],
    "model.optimizer": [{"class_path": "os.system", "init_args": TOUCH}, "evil.function"],
    "model.lr_scheduler": [{"class_path": "evil.function"}, "os.abort"],
    "data": [{"class_path": "evil.Evil"}],
    "trainer.callbacks": [
        [{"class_path": "evil.Evil"}],
        [
            {
                "class_path": "lightning.pytorch.callbacks.LambdaCallback",
                "init_args": {"on_fit_start": "evil.function"},
            }
        ],
        [
            {
                "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                "init_args": {"dirpath": "elsewhere"},
            }
        ],
        *[
            [{"class_path": path, "init_args": {"exclude_batches_path": "elsewhere"}}]
            for path in (
                "lightning.pytorch.callbacks.spike.SpikeDetection",
                "SpikeDetection",
                "lightning.pytorch.callbacks.SpikeDetection",
            )
        ],
    ],
    "trainer.logger": [
        {
            "class_path": "lightning.pytorch.loggers.CSVLogger",
            "init_args": {"save_dir": "elsewhere"},
        }
    ],
    "trainer.plugins": [[{"class_path": "evil.Evil"}]],
    "trainer.profiler": [{"class_path": "lightning.pytorch.profilers.SimpleProfiler"}],
    "trainer.strategy": [{"class_path": "lightning.pytorch.strategies.DDPStrategy"}],
    "name": ["${oc.env:HOME}"],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (slowly if number else lambda *one: one)(key, value)
        for key, values in HOSTILE.items()
        for number, value in enumerate(values[::-1])
    ],
    ids=str,
)
def test_a_run_that_goes_on_imports_and_calls_nothing_of_its_config(key, value, run, capsys):
    for folder in (Path(), run):
        (folder / "evil.py").write_text(EVIL)
    torch.save(Payload(), run / "payload.pt")
    config = yaml.safe_load((run / "config.yaml").read_text())
    *above, name = key.split(".")
    block = config[above[0]] if above else config
    block[name] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    before = sorted(Path().rglob("*"))
    assert code("fit", "--resume", run, "--trainer.max_epochs", "2") == 2
    error = capsys.readouterr().err
    assert "vae-zoo: error: " in error
    assert len(error.splitlines()) == 1
    assert [name for name in sys.modules if "evil" in name] == []
    after = [path for path in sorted(Path().rglob("*")) if "__pycache__" not in str(path)]
    assert after == before


def test_what_is_one_s_own_goes_on_with_trust(run, capsys):
    Path("mine.py").write_text(EVIL.replace("Evil", "Mine"))
    assert code(*FIT, "--trainer.logger", "false", "--model.regularizer", "mine.Mine") == 0
    [config] = set(Path("runs/a").glob("*/config.yaml")) - {run / "config.yaml"}
    sys.modules.pop("mine")
    words = ("fit", "--resume", config.parent, "--trainer.max_epochs", "2")
    assert code(*words) == 2
    assert (
        "model.regularizer: it names mine.Mine, which would run the code of mine: add --trust mine,"
        in capsys.readouterr().err
    )
    assert code(*words, "--trust", "mine") == 0
    sys.modules.pop("mine")
    assert code(*words, "--trust", "a/b") == 2
    assert "--trust should name a module, as moments, got 'a/b'" in capsys.readouterr().err
    assert code(*FIT, "--trust", "mine") == 2
    assert "--trust is of a run to --resume, got mine" in capsys.readouterr().err


TAGGED = "!!python/object/apply:os.system ['touch called']"


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "{}"),
        ("fit", "--resume", "{}"),
        ("fit", "-c", "{}/config.yaml"),
        ("sweep", "{}/config.yaml", "--dry-run"),
        ("compare", "{}"),
        ("evaluate", "{}"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("text", [f"model: {TAGGED}", "a: !!python/name:os.system"])
def test_objects_of_python_in_yaml_are_never_made(words, text, run, capsys):
    (run / "config.yaml").write_text(text)
    assert code(*(word.format(run) for word in words)) == 2
    assert "no valid YAML: could not determine a constructor" in capsys.readouterr().err
    assert not CALLED.exists()


def test_aliases_of_aliases_do_not_fill_the_memory(run, capsys):
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    names = "abcdefghijkl"
    for before, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    (run / "config.yaml").write_text("\n".join(lines))
    for words in (
        ("sample", run),
        ("fit", "-c", run / "config.yaml"),
        ("sweep", run / "config.yaml"),
    ):
        assert code(*words) == 2
        assert "at most 100,000 values, aliases counted" in capsys.readouterr().err


def test_a_secret_of_the_environment_is_not_taken_into_a_config(monkeypatch, empty_folder, capsys):
    for name in ("WANDB_API_KEY", "HF_TOKEN", "DB_PASSWORD"):
        monkeypatch.setenv(name, "hush")
        Path("c.yaml").write_text(f"name: ${{oc.env:{name}}}")
        assert code("fit", "-c", "base", "-c", "c.yaml") == 2
        error = capsys.readouterr().err
        assert f"name: {name} may be a secret, which a run must not keep" in error
        assert "hush" not in error
    monkeypatch.setenv("MINE", "here")
    Path("c.yaml").write_text("name: ${oc.env:MINE}")
    assert code(*FIT[:3], "-c", "c.yaml", *FIT[5:], "--trainer.logger", "false") == 0
    assert Path("runs/here").is_dir()


LINKS = ["config.yaml", "checkpoints", "images", "metrics.csv", "scorecard.json", "wandb"]


@pytest.mark.parametrize("name", [*LINKS[:2], *map(slowly, LINKS[2:])])
def test_a_link_out_of_the_run_s_folder_is_refused(name, run, capsys):
    target = Path("elsewhere", name)
    target.parent.mkdir()
    if (run / name).exists():
        (run / name).rename(target)
    else:
        target.mkdir()
    (run / name).symlink_to(target.absolute())
    before = {path: path.stat().st_mtime_ns for path in Path("elsewhere").rglob("*")}
    for words in USES.values():
        if words[0] == "fit" and "--ckpt_path" in words:
            continue
        assert code(*(word.format(run) for word in words)) == 2, words
        assert f"{run / name} is a link out of the run's folder" in capsys.readouterr().err
    assert code("compare", run) == 2
    assert "is a link out of the run's folder" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in Path("elsewhere").rglob("*")} == before


def test_links_within_the_folder_and_to_the_folder_are_taken(run, capsys):
    best = run / "checkpoints/best.ckpt"
    best.unlink()
    best.symlink_to("last.ckpt")
    Path("mine").symlink_to(run, target_is_directory=True)
    assert code("sample", "mine", "-n", "1") == 0


@pytest.mark.parametrize("name", ["../x", "../../x", "/tmp/x", "a/b", "..", ".x", "a\nb", "-x"])
def test_no_name_leads_out_of_the_runs_folder(name, empty_folder, capsys):
    assert code(*FIT, f"--name={name}") == 2
    assert "is no name of a folder in runs/" in capsys.readouterr().err
    Path("s.yaml").write_text(yaml.safe_dump(SWEEP | {"name": name}))
    assert code("sweep", "s.yaml") == 2
    Path("s.yaml").write_text(yaml.safe_dump(SWEEP))
    assert code("sweep", "s.yaml", f"--name={name}") == 2
    assert list(Path().iterdir()) == [Path("s.yaml")]


@pytest.mark.parametrize("variable", ["VAE_ZOO_NAME", "WANDB_SWEEP_ID", "WANDB_RUN_ID"])
def test_no_variable_leads_out_of_the_runs_folder(variable, monkeypatch, empty_folder, capsys):
    monkeypatch.setenv(variable, "../x")
    assert code(*(FIT if variable == "WANDB_RUN_ID" else [*FIT[:3], *FIT[5:]])) == 2
    assert "'../x'" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


SWEEP = {
    "method": "grid",
    "command": [sys.executable, "-S", "-c", "import sys; print(sys.argv[1])", "${args_json}"],
    "parameters": {"a": {"values": [1]}},
}


def test_a_queue_of_another_s_names_no_folder_outside(empty_folder, capsys):
    Path("s.yaml").write_text(yaml.safe_dump(SWEEP))
    source = Source.read(Path("s.yaml"))
    Path("runs/s").mkdir(parents=True)
    with Queue(Path("runs/s/sweep.db"), "s", source.search) as queue:
        queue.add(source.given)
    changes = {
        "id = '../../x'": "holds a trial that no sweep has added, of the id '../../x'",
        "id = 'x', parameters = '{\"a\": 2}'": "trial x has other parameters in the queue than in",
        "parameters = '[]'": "holds a trial that no sweep has added",
    }
    for change, error in changes.items():
        with sqlite3.connect("runs/s/sweep.db") as database:
            database.execute(f"update vae_zoo_trials set {change}")
        database.close()
        assert code("sweep", "s.yaml") == 2
        assert error in capsys.readouterr().err
    assert sorted(map(str, Path().iterdir())) == ["runs", "s.yaml"]


def test_a_link_among_the_files_of_a_trial_is_not_written_through(empty_folder, capsys):
    Path("s.yaml").write_text(yaml.safe_dump(SWEEP))
    source = Source.read(Path("s.yaml"))
    Path("runs/s").mkdir(parents=True)
    with Queue(Path("runs/s/sweep.db"), "s", source.search) as queue:
        queue.add(source.given)
        [trial] = queue.trials()
    folder = Path("runs/s", trial.id)
    folder.mkdir()
    Path("profile").write_text("mine\n")
    (folder / "output.log").symlink_to(Path("profile").absolute())
    assert code("sweep", "s.yaml") == 2
    assert "output.log is a link out of the run's folder" in capsys.readouterr().err
    assert Path("profile").read_text() == "mine\n"


SHELL = [
    *("; touch called", "$(touch called)", "`touch called`", "'; touch called; '"),
    *("a\ntouch called", '" | touch called', "& touch called &", "${envvar:HOME}"),
]


def test_values_of_a_sweep_go_through_no_shell_and_are_listed_in_quotes(empty_folder, capfd):
    Path("s.yaml").write_text(yaml.safe_dump(SWEEP | {"parameters": {"a": {"values": SHELL}}}))
    assert code("sweep", "s.yaml", "--dry-run") == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == len(SHELL)
    for line, value in zip(lines, SHELL, strict=True):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == {"a": value}
    assert code("sweep", "s.yaml", "--quiet") == 0
    printed = [file.read_text().splitlines()[-1] for file in Path("runs/s").glob("*/output.log")]
    assert sorted(json.loads(line)["a"] for line in printed) == sorted(SHELL)
    assert not CALLED.exists()


KEY = "5ecre7" + "0123456789abcdef" * 2 + "ab"  # 40 characters, as W&B wants them


@pytest.mark.slow
def test_no_key_is_printed_or_kept_with_a_run(monkeypatch, empty_folder, capfd):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, KEY)
    assert code(*FIT) == 0
    assert code("evaluate", *Path("runs/a").iterdir(), "--parts", "likelihood") == 0
    Path("s.yaml").write_text(yaml.safe_dump(SWEEP))
    assert code("sweep", "s.yaml") == 0
    for url in (f"postgresql+psycopg://me:{KEY}@127.0.0.1:9/x", f"nonsense://me:{KEY}@host/x"):
        assert code("sweep", "s.yaml", "--name", "t", "--storage", url) == 2
    said = capfd.readouterr()
    assert KEY not in said.out + said.err
    files = [file for file in Path().rglob("*") if file.is_file()]
    assert [file for file in files if file.suffix == ".wandb"]
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []


@pytest.mark.parametrize("folder", ["wandb", ".wandb", "checkpoints/wandb"])
def test_settings_of_wandb_in_a_run_are_refused(folder, run, monkeypatch, capsys):
    (run / folder).mkdir()
    (run / folder / "settings").write_text("[default]\nbase_url = http://127.0.0.1:9\n")
    monkeypatch.chdir(run)
    for words in (("fit", "--resume", "."), ("test", "--resume", "."), ("evaluate", ".")):
        assert code(*words) == 2
        assert f"{folder}/settings would tell W&B's client where" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["wandb/latest-run", "images/wandb/a", "wandb/x/files/a"])
def test_a_link_out_of_a_folder_called_wandb_is_refused(name, run, capsys):
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(Path("elsewhere").absolute())
    for words in (("fit", "--resume", run), ("evaluate", run), ("compare", run)):
        assert code(*words) == 2
        assert "is a link out of the run's folder" in capsys.readouterr().err


def test_the_links_of_wandb_itself_are_taken(run):
    logs = run / "wandb/offline-run-20261128_134123-x/logs"
    logs.mkdir(parents=True)
    (logs / "debug-core.log").symlink_to("/root/.cache/wandb/logs/core-debug.log")
    (logs / "debug.log").touch()
    (run / "wandb/debug.log").symlink_to("offline-run-20261128_134123-x/logs/debug.log")
    Run(run).check_links()


@pytest.mark.parametrize("name", ["config.yaml", "metrics.csv", "checkpoints/best.ckpt"])
def test_a_pipe_among_a_run_s_files_is_refused_and_holds_nothing_up(name, run, capsys):
    whole = shutil.copytree(run, "runs/a/y")
    (run / name).unlink()
    os.mkfifo(run / name)
    said = f"{run / name} is neither a file nor a folder"
    for words in (("evaluate", run), ("fit", "--resume", run), ("sample", run), ("compare", run)):
        assert code(*words) == 2, words
        assert said in capsys.readouterr().err
    assert code("compare", run, whole, "-o", "page.html") == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_run_s_folder_is_walked_once(run, monkeypatch):
    walks = []
    monkeypatch.setattr(os, "walk", lambda home: walks.append(home) or ())
    one = Run(run)
    one.check_links()
    one.check_links()
    assert one.config
    assert len(walks) == 1


def test_no_module_of_the_current_folder_is_found_unless_trusted(run, monkeypatch, capsys):
    home = Path.cwd()
    (run / "evil.py").write_text(EVIL)
    monkeypatch.chdir(run)
    for here in ("", str(Path.cwd())):
        sys.path.insert(0, here)
        assert code("validate", "--resume", ".") == 0
        assert not {"", str(Path.cwd())} & {*sys.path}
    monkeypatch.chdir("images")
    for words in (("fit", "--resume", ".."), ("sample", ".."), ("encode", "..", "-o", "c.npz")):
        capsys.readouterr()
        assert code(*words, "--trust", "evil") == 2
        assert "--trust evil: the current folder is the run's own" in capsys.readouterr().err
    monkeypatch.chdir(home)
    assert code("validate", "--resume", run, "--trust", "mine") == 0
    assert sys.path[-1] == str(home)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("validate", "--resume", "."), ("evaluate", ".")], ids=str)
def test_a_module_of_a_library_s_name_in_the_run_s_folder_is_not_imported(words, run):
    for library in ("sklearn", "torch", "rich"):
        (run / library).mkdir()
        (run / library / "__init__.py").write_text(f"open({str(CALLED)!r}, 'w')")
    words = [sys.executable, "-m", "vae_zoo", *words]
    done = subprocess.run(words, cwd=run, capture_output=True, text=True)
    assert not (run / CALLED).exists()
    assert done.returncode == 0, done.stderr


def test_callbacks_of_lightning_that_write_nowhere_go_on_without_trust(empty_folder):
    options = {
        "EarlyStopping": {"monitor": "val/loss", "patience": 9},
        "EMAWeightAveraging": {"decay": 0.9},
        "GradientAccumulationScheduler": {"scheduling": {"0": 1}},
        "ModelSummary": {},
        "RichProgressBar": {"leave": True},
        "StochasticWeightAveraging": {"swa_lrs": 0.1, "device": None},
        "Timer": {"duration": "01:00:00:00", "interval": "step"},
        "DeviceStatsMonitor": {"cpu_stats": False},
    }
    callbacks = [{"class_path": name, "init_args": given} for name, given in options.items()]
    callbacks.append({"class_path": "vae_zoo.callbacks.Pictures"})
    Path("c.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    words = (*FIT, "-c", "c.yaml", "--trainer.logger=false", "--trainer.enable_progress_bar=true")
    assert code(*words) == 0
    [run] = Path("runs/a").iterdir()
    assert code("fit", "--resume", run, "--trainer.max_epochs", "2") == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("config", "secret"),
        ("ckpt_path", "secret"),
        ("resume", "secret"),
        ("trust", "evil"),
        ("data", "secret"),
        ("data", "{}"),
        ("model.encoder", "{}"),
        ("model.encoder", "../../../secret"),  # seen from the config itself
        ("model.encoder", {"class_path": "vae_zoo.networks.MLP", "init_args": {"hidden": "{}"}}),
        ("model.encoder", {"class_path": "MLP", "init_args": {"hidden": "{}"}}),
        ("model.encoder", {"init_args": {"hidden": "{}"}}),
        ("model.optimizer", "{}"),
        ("trainer.callbacks", ["{}"]),
        ("trainer.callbacks", "['{}']"),
        ("trainer.logger", "{}"),
    ],
    ids=str,
)
def test_a_run_s_config_has_no_file_read_besides(key, value, run, capsys):
    secret = Path("secret").absolute()
    secret.write_text("hush\n")
    config = yaml.safe_load((run / "config.yaml").read_text())
    *above, name = key.split(".")
    block = config[above[0]] if above else config
    block[name] = json.loads(json.dumps(value).replace("{}", str(secret)))
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert code("fit", "--resume", run, "--trainer.max_epochs", "2") == 2
    said = capsys.readouterr()
    assert f"{run / 'config.yaml'}: {key}" in said.err
    assert "hush" not in said.out + said.err


def test_no_variable_of_the_environment_is_read_for_a_run_s_config(run, capsys):
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("name: a", r'name: "\x24{oc.env:HOME}"'))
    assert code("fit", "--resume", run, "--trainer.max_epochs", "2") == 2
    assert "config.yaml holds ${…}, which no fit has written there" in capsys.readouterr().err


def test_what_is_null_and_the_files_of_data_are_taken(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config |= dict.fromkeys(("config", "ckpt_path", "resume", "trust"))
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert code("validate", "--resume", run) == 0
    np.save("x.npy", np.random.default_rng(0).integers(0, 255, (99, 1, 8, 8)).astype(np.uint8))
    data = (
        "--data",
        "Files",
        "--data.path=x.npy",
        "--data.batch_size=16",
        "--model.likelihood",
        "Normal",
    )
    words = [word for word in FIT if word not in ("--model.condition", "OneHot")]
    assert code(*words, "--name", "b", *data, "--trainer.logger", "false") == 0
    [new] = Path("runs/b").iterdir()
    assert code("validate", "--resume", new) == 0


def test_resume_is_given_in_full_and_on_the_command_line_alone(run, capsys):
    assert code(*FIT, "--resum", run) == 2
    assert "resum: there is no such option. Did you mean resume?" in capsys.readouterr().err
    assert code(*FIT, "--model.latent", "3") == 2
    for name in ("resume", "trust"):
        Path("c.yaml").write_text(f"{name}: {run}")
        assert code(*FIT, "-c", "c.yaml") == 2
        said = f"c.yaml: {name} is given on the command line alone, as --{name}"
        assert said in capsys.readouterr().err
    assert [*Path("runs/a").iterdir()] == [run]
