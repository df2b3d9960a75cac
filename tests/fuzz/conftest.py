"""How many mutations there are, and one trained run and one sweep to mutate.

``VAE_ZOO_FUZZ=2000 pytest tests/fuzz`` tries so many of each kind, others at each call.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz.place import ends_well
from vae_zoo.sweep.queue import Queue
from vae_zoo.sweep.source import Source

GIVEN = os.environ.get("VAE_ZOO_FUZZ")
settings.register_profile(
    "vae_zoo",
    max_examples=int(GIVEN or 20),
    derandomize=not GIVEN,
    phases=[Phase.generate],  # to shrink what was found takes minutes
    database=None,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
settings.load_profile("vae_zoo")
SMALL = [
    *("fit", "-c", "base", "--name", "a", "--trainer.max_epochs", "1", "--scorecard", "false"),
    *("--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"),
    *("--model.encoder.hidden", "[4]", "--model.decoder.hidden", "[4]"),
    *("--trainer.logger", "false", "--trainer.enable_progress_bar", "false"),
]
SWEEP = """\
method: grid
program: vae-zoo
name: s
metric: {name: val/elbo, goal: maximize}
command: ["${env}", vae-zoo, fit, --config, base, --config, "${args_json}"]
parameters:
  seed_everything: {values: [0, 1]}
  model:
    parameters:
      regularizer: {values: [{class_path: KL}, {class_path: MMD, init_args: {kernel: imq}}]}
"""


@pytest.fixture(scope="module")
def place(folder_of_the_file):
    """The current folder, with a trained run, ``runs/a/x``, and a sweep that waits, ``runs/s``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_RUN_ID", "x")
        ends_well(*SMALL, keep=True)
        Path("s.yaml").write_text(SWEEP)
        Path("runs/s").mkdir()
        source = Source.read(Path("s.yaml"))
        with Queue(Path("runs/s/sweep.db"), "s", source.search) as queue:
            queue.add(source.given)
        yield folder_of_the_file
