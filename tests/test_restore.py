"""A trained model comes back from its run's folder, and brings no one else's code along."""

import importlib
import math
import shutil
import sys

import numpy as np
import pytest
import torch
import yaml
from torch.testing import assert_close

import vae_zoo
from vae_zoo.checkpoints import load_state
from vae_zoo.cli import main
from vae_zoo.data import MNIST, Completion, Files, Ring
from vae_zoo.evaluation.examples import read
from vae_zoo.restore import restore
from vae_zoo.runs import Run

EVIL = """
from pathlib import Path
from vae_zoo.regularizers import KL

Path("called").touch()

class Evil(KL):
    pass
"""
FIT = [
    *("fit", "-c", "base", "--name", "a", "--trainer.max_epochs", "1"),
    *("--scorecard", "false"),
    *("--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"),
    *("--model.encoder.hidden", "[8]", "--model.decoder.hidden", "[8]"),
    *("--trainer.logger", "false"),
]
MINE = """
from vae_zoo.regularizers import KL

class Mine(KL):
    pass
"""


pytestmark = pytest.mark.usefixtures("empty_folder")


def fit(tmp_path, *words):
    with pytest.raises(SystemExit) as end:
        main([*FIT, *words])
    assert end.value.code == 0
    [config] = tmp_path.glob("runs/a/*/config.yaml")
    return config.parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run; its tests work in another."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["vae-zoo"])
        return fit(folder)


def test_a_restored_model_has_the_terms_that_the_run_reported(tmp_path):
    words = ("--model.prior", "LearnedNormal", "--model.condition", "OneHot", "--data.batch_size")
    folder = fit(tmp_path, *words, "200")
    model, data = restore(folder)
    assert not model.training
    [batch] = data.test_dataloader()
    with torch.no_grad():
        torch.manual_seed(0)  # of the evaluation's own noise
        terms = model(*batch)
    assert_close(terms.elbo.mean().item(), Run(folder).summary["test/elbo"], rtol=1e-5, atol=0)


def test_a_class_of_ones_own_is_imported_only_if_it_is_trusted(tmp_path):
    (tmp_path / "own_kl.py").write_text(MINE)
    folder = fit(tmp_path, "--model.regularizer", "own_kl.Mine")
    sys.modules.pop("own_kl")
    with pytest.raises(ValueError, match=r"names own_kl\.Mine.*: add --trust own_kl, or"):
        restore(folder)
    assert "own_kl" not in sys.modules
    model, _ = restore(folder, trust=["own_kl"])
    assert type(model.regularizer).__name__ == "Mine"


def test_a_notebook_loads_the_model_the_data_and_the_run_by_the_same_rule(tmp_path):
    (tmp_path / "own_loaded.py").write_text(MINE.replace("Mine", "Loaded"))
    folder = fit(tmp_path, "--model.regularizer", "own_loaded.Loaded")
    sys.modules.pop("own_loaded")
    for untrusted in ((), "own", ["own"]):
        with pytest.raises(ValueError, match=r"trust=\['own_loaded'\] in a notebook, if that is"):
            vae_zoo.load(str(folder), trust=untrusted)
        assert "own_loaded" not in sys.modules
    for trusted in ("own_loaded", ["own_loaded"]):
        loaded = vae_zoo.load(str(folder), trust=trusted)
    model, data = restore(folder, trust=["own_loaded"])
    assert loaded.run == Run(folder)
    x, _ = loaded.data.batch(*loaded.data.splits.test.cut(0, 3))
    assert_close(loaded.model.reconstruct(x), model.reconstruct(x))
    assert type(loaded.data) is type(data)
    assert vae_zoo.pictures.traversals(loaded.model, loaded.data).width > 400


MARKER = {"command": "touch called"}


@pytest.mark.parametrize("part", ["prior", "encoder", "regularizer"])
@pytest.mark.parametrize(
    "named",
    [
        "evil.Evil",
        "os.system",
        'class_path: "evil.Evil"',
        '{"class_path": "os.system", "init_args": {"command": "touch called"}}',
        "payload.yaml",
        "${oc.env:HOME}",
        {"class_path": "os.system", "init_args": MARKER},
        {"class_path": "vae_zoo.runs.os.system", "init_args": MARKER},
        {"class_path": "vae_zoo.priors.os.system", "init_args": MARKER},
        {"class_path": "vae_zoo.sweep.process.subprocess.getoutput", "init_args": {"cmd": "touch"}},
        {"class_path": "torch.hub.load"},
        {"class_path": "evil.Evil"},
        {"class_path": ["evil.Evil"]},
        {"class_path": "vae_zoo.regularizers.KL", "dict_kwargs": {"a": 1}},
        [{"class_path": "evil.Evil"}],
    ],
    ids=str,
)
def test_a_config_imports_and_calls_nothing_but_classes_of_the_zoo(tmp_path, named, part, trained):
    config = yaml.safe_load((trained / "config.yaml").read_text())
    config["model"][part] = named
    for folder in ("hostile", "."):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, text in {"evil.py": EVIL, "payload.yaml": "class_path: evil.Evil\n"}.items():
            (tmp_path / folder / name).write_text(text)
    (tmp_path / "hostile" / "config.yaml").write_text(yaml.safe_dump(config))
    sys.path.insert(0, str(tmp_path))
    with pytest.raises(ValueError, match=r"hostile/config\.yaml: "):
        restore(tmp_path / "hostile")
    assert "evil" not in sys.modules
    assert not (tmp_path / "called").exists()


def test_a_config_that_contains_itself_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("model: &a {x: *a}\ndata: {}\n")
    with pytest.raises(ValueError, match=r"config\.yaml is no valid YAML: a block contains itself"):
        restore(tmp_path)
    (tmp_path / "config.yaml").write_bytes(b"model: \xff\n")
    with pytest.raises(ValueError, match=r"config\.yaml is no valid YAML"):
        restore(tmp_path)


def test_a_list_of_regularizers_and_networks_within_come_back(tmp_path):
    words = ["-c", "regularizer/sum", "-c", "condition/image", "--model.condition.network", "Conv"]
    model, data = restore(fit(tmp_path, *words))
    assert [type(part).__name__ for part in model.regularizer.parts] == ["KL", "MMD"]
    assert type(model.condition.network).__name__ == "Conv"
    assert type(data.of).__name__ == "Digits"


def test_the_optimizer_is_not_made(tmp_path):
    folder = fit(tmp_path)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["optimizer"] = {"class_path": "os.system", "init_args": {"command": "false"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    restore(folder)


def test_what_is_no_run_is_said_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere is no run: it has no config\.yaml"):
        restore(tmp_path / "nowhere")
    folder = fit(tmp_path)
    for checkpoint in (folder / "checkpoints").iterdir():
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"best\.ckpt .* its 1,000 bytes are no whole file"):
        restore(folder)
    for checkpoint in (folder / "checkpoints").iterdir():
        checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match="has no checkpoint yet"):
        restore(folder)
    (folder / "config.yaml").write_text("model: {latent_dim: 3}\n")
    with pytest.raises(ValueError, match="lacks data"):
        restore(folder)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    folder = fit(tmp_path)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["latent_dim"] = 3
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"is a checkpoint of another model: .*size mismatch"):
        restore(folder)
    config["model"]["latent_dims"] = 3
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"latent_dims'$"):
        restore(folder)


@pytest.mark.parametrize("change", [{"latent_dim": 3}, {"latent_dims": 3}])
def test_a_run_of_another_version_is_said_to_be_of_one(tmp_path, change):
    folder = fit(tmp_path)
    for path in (folder / "checkpoints").iterdir():
        torch.save(torch.load(path) | {"vae_zoo_version": "0.0.1"}, path)
    restore(folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"] |= change
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"\(it is of vae_zoo 0\.0\.1, and this is \d"):
        restore(folder)


def test_a_class_that_is_no_longer_there_is_said_in_a_sentence(tmp_path):
    (tmp_path / "own_gone.py").write_text(MINE)
    folder = fit(tmp_path, "--model.regularizer", "own_gone.Mine")
    for code, reason in (
        ("raise RuntimeError('later')", r"RuntimeError: later\): run this where own_gone\.py is"),
        ("", r"there is no class own_gone\.Mine of a model or of data"),
        (None, r"own_gone\.Mine cannot be imported here \(ModuleNotFoundError: .*'own_gone'\)"),
    ):
        sys.modules.pop("own_gone", None)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        (tmp_path / "own_gone.py").unlink()
        if code is not None:
            (tmp_path / "own_gone.py").write_text(code)
        importlib.invalidate_caches()
        with pytest.raises(ValueError, match=reason):
            restore(folder, trust=["own_gone"])
        (tmp_path / "own_gone.py").touch()


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    folder = fit(tmp_path)
    path = folder / "checkpoints" / "best.ckpt"
    for value in (math.nan, math.inf):
        content = torch.load(path, weights_only=True)
        content["state_dict"]["decoder.layers.0.weight"][0, 0] = value
        torch.save(content, path)
        with pytest.raises(
            ValueError, match=r"not finite, in decoder\.layers\.0\.weight: its train"
        ):
            restore(folder)


class Foreign(MNIST):
    """Says where it would download to."""

    def prepare_data(self):
        raise AssertionError(f"a download to {self.root}")


def test_nothing_is_downloaded_to_a_folder_that_a_config_names(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_ZOO_DATA", str(tmp_path / "mine"))
    model, _ = restore(fit(tmp_path))
    for data in (Foreign(tmp_path / "theirs"), Completion(Foreign(tmp_path / "theirs"))):
        with pytest.raises(
            FileNotFoundError, match=r"theirs lacks .*; the run's config\.yaml says"
        ):
            read(model, data)
    assert not (tmp_path / "theirs").exists()
    with pytest.raises(AssertionError, match=r"a download to .*mine"):
        read(model, Foreign())


def test_data_of_other_sizes_than_the_model_are_refused(tmp_path):
    model, data = restore(fit(tmp_path))
    assert read(model, data) is data.splits
    with pytest.raises(ValueError, match=r"have changed: shape is \(2,\), and .* is \(1, 8, 8\)"):
        read(model, Ring())


def test_the_paths_of_a_runs_data_are_absolute(tmp_path):
    np.savez("own.npz", x=(np.arange(160.0).reshape(40, 4) % 3 == 0) * 1.0)
    np.save("own.npy", np.arange(40) % 2)
    words = ["--data", "Files", "--data.path", "own.npz", "--data.batch_size", "8"]
    folder = fit(tmp_path, *words, "--data.labels", "own.npy")
    options = Run(folder).config["data"]["init_args"]
    assert (options["path"], options["labels"]) == (f"{tmp_path}/own.npz", f"{tmp_path}/own.npy")
    with pytest.raises(SystemExit) as end:
        main(["fit", "--resume", str(folder), "--trainer.max_epochs", "2"])
    assert end.value.code == 0


@pytest.mark.parametrize("state", [5, {}, {"names": 5}, {"names": ["a"], "support": []}])
def test_what_a_checkpoint_says_of_data_is_read_with_care(state):
    data = Files("nowhere.npz")
    load_state(data, {"Files": state})
    assert data._support is None
