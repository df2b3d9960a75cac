"""Thousands of wrong inputs, in one process: each command succeeds, or says one error."""

import contextlib
import io
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import JUNK, contents, trees
from tests.fuzz.place import clear, ends_well

FEW = max(1, settings.default.max_examples // 4)  # of what takes a second
RUN = Path("runs/a/x")
pytestmark = pytest.mark.usefixtures("place")


def mutated(data, text: str) -> str | bytes:
    """A YAML text of which values or bytes are others."""
    if data.draw(st.booleans()):
        return yaml.safe_dump(data.draw(trees(yaml.safe_load(text))), allow_unicode=True)
    return data.draw(contents(text.encode()))


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    )


def copied() -> Path:
    clear("runs/b")
    shutil.copytree(RUN, "runs/b/x")
    return Path("runs/b/x")


@settings(max_examples=FEW)
@given(data=st.data())
def test_configs_of_a_fit(data):
    text = (RUN / "config.yaml").read_text()
    write(Path("c.yaml"), mutated(data, text))
    ends_well("fit", "-c", "c.yaml", "--trainer.fast_dev_run", "true")


@settings(max_examples=FEW)
@given(data=st.data())
def test_configs_of_a_run_that_goes_on(data):
    run = copied()
    write(run / "config.yaml", mutated(data, (RUN / "config.yaml").read_text()))
    ends_well("fit", "--resume", run, "--trainer.fast_dev_run", "true")


@given(data=st.data())
def test_configs_of_a_run_that_is_used(data):
    run = copied()
    write(run / "config.yaml", mutated(data, (RUN / "config.yaml").read_text()))
    ends_well("reconstruct", run, "-n", "2", "-o", "r.npz")


@given(data=st.data())
def test_checkpoints(data):
    run = copied()
    best = run / "checkpoints/best.ckpt"
    if data.draw(st.booleans()):
        content = torch.load(best, weights_only=True)
        keys = data.draw(st.sampled_from([*content, *content["state_dict"]]))
        tree = content if keys in content else content["state_dict"]
        junk = [*JUNK, torch.zeros(1), torch.zeros(3, 4), torch.tensor([]), {"names": [1]}]
        tree[keys] = data.draw(st.sampled_from(junk))
        torch.save(content, best)
    else:
        best.write_bytes(data.draw(contents(best.read_bytes())))
    ends_well("sample", run, "-n", "2", "-o", "r.npz")


@given(data=st.data())
def test_sweep_files(data):
    write(Path("t.yaml"), mutated(data, Path("s.yaml").read_text()))
    ends_well("sweep", "t.yaml", "--dry-run")


@given(data=st.data())
def test_queues(data):
    clear("runs/t")
    shutil.copytree("runs/s", "runs/t")
    path = Path("runs/t/sweep.db")
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(contents(path.read_bytes())))
    else:
        with sqlite3.connect(path) as queue:
            tables = [
                name
                for (name,) in queue.execute("select name from sqlite_master where type='table'")
            ]
            table = data.draw(st.sampled_from([name for name in tables if name[:6] != "sqlite"]))
            columns = [row[1] for row in queue.execute(f"pragma table_info({table})")]
            column = data.draw(st.sampled_from(columns))
            junk = [each for each in JUNK if isinstance(each, (str, float, bool, type(None)))]
            junk += [3, -1, b"\xff", "[]", "{}", '{"a": 1}', '{"a": NaN}', "[" * 5000]
            with contextlib.suppress(sqlite3.Error):
                queue.execute(
                    f"update {table} set {column} = ? where rowid = 1",
                    [data.draw(st.sampled_from(junk))],
                )
        queue.close()
    ends_well("sweep", "status", "runs/t")
    ends_well("sweep", "s.yaml", "--name", "t", "--dry-run")


@given(data=st.data())
def test_what_is_compared(data):
    run = copied()
    (run / "scorecard.json").write_text('{"checkpoint": "best.ckpt", "sha256": "", "parts": {}}')
    file = data.draw(st.sampled_from(["metrics.csv", "scorecard.json", "config.yaml"]))
    write(run / file, mutated(data, (run / file).read_text()))
    ends_well("compare", "runs/b", *data.draw(st.sampled_from([[], ["--json"], ["--latex"]])))


def arrays() -> dict[str, bytes]:
    """Files of data of the model's shape, by their names."""
    x = np.zeros((6, 1, 8, 8), np.uint8)
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, x)
    np.savez(npz, x=x, y=np.arange(6))
    rows = ",".join(f"p{i}" for i in range(64)) + "\n" + (",".join("01" * 32) + "\n") * 6
    return {"x.npy": npy.getvalue(), "x.npz": npz.getvalue(), "x.csv": rows.encode()}


@given(data=st.data())
def test_data_files(data):
    name, content = data.draw(st.sampled_from([*arrays().items()]))
    Path(name).write_bytes(data.draw(contents(content)))
    ends_well("encode", RUN, "-o", "codes.npz", "--file", name)
    clear(name)


def idx(shape: tuple[int, ...]) -> bytes:
    return (
        bytes([0, 0, 8, len(shape)])
        + np.asarray(shape, ">u4").tobytes()
        + bytes(int(np.prod(shape)))
    )


PUBLISHED = {
    "IDX": {
        "train-images-idx3-ubyte": idx((8, 8, 8)),
        "train-labels-idx1-ubyte": idx((8,)),
        "t10k-images-idx3-ubyte": idx((4, 8, 8)),
        "t10k-labels-idx1-ubyte": idx((4,)),
    },
    "Text": {"text.txt": b"To be, or not to be\n" * 60},
    "BinarizedMNIST": {
        f"binarized_mnist/binarized_mnist_{part}.amat": b"0 1 " * 392 + b"\n"
        for part in ("train", "valid", "test")
    },
}


@settings(max_examples=max(1, FEW // 2))
@given(data=st.data())
def test_files_of_data_modules(data):
    module = data.draw(st.sampled_from([*PUBLISHED]))
    hit = data.draw(st.sampled_from([*PUBLISHED[module]]))
    clear("data")
    for name, content in PUBLISHED[module].items():
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).write_bytes(data.draw(contents(content)) if name == hit else content)
    options = {"IDX": ["--data.path", "data"], "Text": ["--data.path", "data/text.txt"]}
    words = [*options.get(module, ["--data.root", "data"]), "--data.batch_size", "4"]
    words += ["--data.val", "2"] * (module == "IDX") + ["--data.length", "4"] * (module == "Text")
    kind = "Tokens" if module == "Text" else "Normal" if module == "IDX" else "Bernoulli"
    small = ["--model.encoder.hidden", "[4]", "--model.decoder.hidden", "[4]"] * (module != "Text")
    words += ["--model.likelihood", kind, *small]
    ends_well("fit", "-c", "base", "--data", module, *words, "--trainer.fast_dev_run", "true")
