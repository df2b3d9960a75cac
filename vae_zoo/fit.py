"""``vae-zoo fit``, ``validate`` and ``test``: a LightningCLI that keeps a run in one folder."""

import argparse
import logging
import os
import re
import secrets
import signal
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import jsonargparse
import yaml
from filelock import Timeout
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from torch import distributed

from vae_zoo.callbacks import Compiled, Cost, Finite, KLHistogram, Pictures, Progress, Termination
from vae_zoo.callbacks.idle import save_by_epoch, skip_idle_hooks
from vae_zoo.catalogue import FAMILIES
from vae_zoo.checkpoints import WholeCheckpoints, load_state, load_weights, read_checkpoint
from vae_zoo.data import DataModule
from vae_zoo.data.reading import labels_file
from vae_zoo.errors import explain, flatten, locate, locate_null
from vae_zoo.evaluate import complete
from vae_zoo.evaluation.parts import MEASURES
from vae_zoo.evaluation.subject import Setting
from vae_zoo.metrics_file import MetricsFile
from vae_zoo.objectives import PenalizedLikelihood
from vae_zoo.parser import (
    ComplaintError,
    ConfigAction,
    Parser,
    check_config,
    config_path,
    import_only,
)
from vae_zoo.preemption import preempted
from vae_zoo.processor import prepare_processor
from vae_zoo.profiler import NoProfiler
from vae_zoo.runs import ROOT, Run, check_name, remove_torn, replace
from vae_zoo.scorecard import ScoreCard
from vae_zoo.vae import VAE
from vae_zoo.weights_and_biases import (
    WeightsAndBiases,
    finish,
    hand_back,
    score_metrics,
)


def main(arguments: Sequence[str]) -> None:
    """Run ``fit``, ``validate`` or ``test``.

    Args:
        arguments: The words after ``vae-zoo``.

    Raises:
        ValueError: The words, the configuration or the data are not right.
        OSError: A file is not there, or not what it should be.
    """
    quieten()
    prepare_processor()
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--resume", type=Path)
    first.add_argument("--trust", action="append", default=[])
    options, words = first.parse_known_args(arguments)
    run = None
    if options.trust and not options.resume:
        raise ValueError(f"--trust is of a run to --resume, got {' '.join(options.trust)}")
    here = str(Path.cwd())  # where a user's own mine.Moments is
    if not options.resume:
        sys.path.insert(0, here)
    else:
        run = Run(options.resume)
        sys.path[:] = [path for path in sys.path if path not in ("", here)]
        if options.trust:
            run.import_own(options.trust)
        import_only(options.trust)  # its config may be another's
        run.check_links()
        if not run.last_checkpoint.is_file():
            raise FileNotFoundError(f"--resume {run.folder}: it has no {run.last_checkpoint}")
        check_config(run)
        words[1:1] = ["--config", str(run.config_file)]
    with ExitStack() as stack:
        stack.push(_finish_wandb)
        try:
            CLI(words, run, stack)
        except MisconfigurationException as error:  # a wrong option of Lightning's trainer
            raise ValueError(f"trainer: {' '.join(str(error).split())}") from error
        except SIGTERMException as end:  # whose own code is that of a run that came to its end
            raise SystemExit(128 + signal.SIGTERM) from end


def _finish_wandb(kind: type[BaseException] | None, *_: Any) -> None:
    finish(exit_code=0 if kind is None else 1)


def quieten() -> None:
    """Leave to the screen what concerns the user."""
    warnings.formatwarning = lambda message, *_, **__: f"vae-zoo: warning: {message}\n"
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*is smaller than the logging interval",  # terms are logged at the end of an epoch too
        ".*treespec, LeafSpec",
        "Checkpoint directory .* exists and is not empty",
        "LightningCLI's args parameter is intended",
        ".*sync_dist=True",  # the terms are reduced over ranks before they are logged
        "Be aware that when using `ckpt_path`, callbacks used",
        "You're using the WeightAveraging callback, but loading",  # averages, which are wanted
        "The `srun` command is available",  # which need not be how a trial is started
    ):
        warnings.filterwarnings("ignore", message=message)
    jsonargparse.set_parsing_settings(omegaconf_absolute_to_relative_paths=True)


class CLI(LightningCLI):
    """A LightningCLI of the VAE.

    It states sizes once, keeps all of a run in its folder, and ends a fit with the test of the best
    checkpoint, which is what runs are compared by.

    Args:
        words: The words after ``vae-zoo``.
        resumed: The run to go on with, if any.
        stack: Holds the run's folder as long as it is open.
    """

    def __init__(self, words: Sequence[str], resumed: Run | None, stack: ExitStack) -> None:
        self.words, self.resumed, self.stack = words, resumed, stack
        super().__init__(
            VAE,
            DataModule,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=None,
            parser_kwargs={"parser_mode": "omegaconf+", "allow_abbrev": False},
            args=list(words),
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Name the commands, and the arguments of the trainer's that are not options."""
        evaluation = {"model", "dataloaders", "datamodule", "weights_only"}
        fit = {"model", "train_dataloaders", "val_dataloaders", "datamodule", "weights_only"}
        return {"fit": fit, "validate": evaluation, "test": evaluation}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Make a parser that takes configs."""
        parser = Parser(**kwargs)
        message = "a config's path, or the name of a packaged one, such as regularizer/mmd"
        parser.add_argument("-c", "--config", action=ConfigAction, help=message)
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is not the trainer's, the model's or the data's."""
        message = "the run's folder is runs/<name>/<id>; <data>-<regularizer> unless given"
        parser.add_argument("--name", type=str | None, default=None, help=message)
        message = "end with the run's score card"
        parser.add_argument("--scorecard", type=bool, default=True, help=message)
        message = "whether a loss or gradient that is not finite ends the training (exit code 1)"
        parser.add_argument("--on_nan", type=Literal["stop", "skip"], default="stop", help=message)
        message = "compile the networks (torch.compile) while they are trained"
        parser.add_argument("--compile", type=bool, default=False, help=message)
        message = "go on with the run in this folder, with its config"
        parser.add_argument("--resume", type=str | None, default=None, help=message)
        message = "with --resume, a module of your own that the run may import; repeatable"
        parser.add_argument("--trust", type=str | None, default=None, help=message)
        parser.set_defaults({"model.objective": {"class_path": "PenalizedLikelihood"}})
        for size in ("shape", "classes", "condition_shape"):
            parser.link_arguments(f"data.{size}", f"model.{size}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, or say in a sentence what is wrong.

        Raises:
            ValueError: The words or a config are not right.
        """
        for family in FAMILIES:  # imported, so that their short names are known
            module = import_module(f"vae_zoo.{family}")
            for name in getattr(module, "__all__", ()):
                getattr(module, name)
        try:
            super().parse_arguments(parser, args)
        except SyntaxError as error:
            where = f"{error.filename}, line {error.lineno}"
            raise ValueError(f"a class cannot be imported: {where}: {error.msg}") from error
        except ComplaintError as complaint:
            options = [a.dest for p in self._subcommand_parsers.values() for a in p._actions]
            given = flatten(self.words, config_path)
            raise ValueError(explain(str(complaint), given, options)) from complaint
        except OmegaConfBaseException as error:
            reason = (error.msg or str(error)).partition("\n")[0].rpartition("interpolation: ")[2]
            raise ValueError(f"{error.full_key}: {reason}".replace("fit.", "", 1)) from error
        except Exception as error:  # of a file of the user's own
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{at.filename}, line {at.lineno}: {type(error).__name__}"
            raise ValueError(f"a class cannot be imported: {where}: {error}") from error
        options = self.config[self.config.subcommand]
        if self.config.subcommand != "fit" and not options.ckpt_path:
            if self.resumed is None:
                raise ValueError(
                    f"{self.config.subcommand} needs --ckpt_path FILE with the run's -c CONFIG, or "
                    "--resume RUN for its best.ckpt"
                )
            options.ckpt_path = str(self.resumed.checkpoints / "best.ckpt")
        if options.ckpt_path in ("last", "best", "hpc"):
            raise ValueError(
                f"ckpt_path: a run goes on from its last.ckpt by --resume RUN; else it is the path "
                f"of a file, got {options.ckpt_path}"
            )
        if options.ckpt_path:
            read_checkpoint(Path(options.ckpt_path))
        if options.trainer.default_root_dir:
            raise ValueError(
                f"trainer.default_root_dir: a run's folder is {ROOT}/<name>/<id>: use --name, got "
                f"{options.trainer.default_root_dir}"
            )

    def instantiate_classes(self) -> None:
        """Make data, model and trainer.

        Raises:
            ValueError: A part refuses its options.
        """
        try:
            super().instantiate_classes()
        except (TypeError, ValueError) as error:
            first: BaseException = error
            while "Union subtypes" in str(first) and first.__cause__:  # the parser wraps it
                first = first.__cause__
            said = locate_null(first) if isinstance(first, TypeError) else str(first)
            raise ValueError(locate(said, flatten(self.words, config_path))) from error
        if path := self._get(self.config, "ckpt_path"):  # before anything is written
            load_weights(self.model, Path(path))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer, with loggers and callbacks that write to the run's folder."""
        if self.subcommand != "fit":
            return super().instantiate_trainer(logger=False, enable_checkpointing=False, **kwargs)
        self.run = self.resumed or self._name_run()
        if self.config.fit.trainer.fast_dev_run:
            return super().instantiate_trainer(logger=False, enable_checkpointing=False, **kwargs)
        callbacks = self.config_init.fit.trainer.callbacks or []
        callbacks = [*(callbacks if isinstance(callbacks, list) else [callbacks])]
        for kind in (Pictures, KLHistogram):
            if not any(isinstance(callback, kind) for callback in callbacks):
                callbacks.append(kind())
        callbacks += own_callbacks(self.run, self.model.comparable, self.config.fit.on_nan)
        if self.config.fit.compile:
            callbacks.append(Compiled())
        bar = self.config_init.fit.trainer.enable_progress_bar
        bar = sys.stdout.isatty() if bar is None else bar  # in a file, it is control characters
        if bar and not any(isinstance(callback, ProgressBar) for callback in callbacks):
            callbacks.append(Progress())
        plugins = self.config_init.fit.trainer.plugins or []
        plugins = [*(plugins if isinstance(plugins, list) else [plugins])]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(WholeCheckpoints())
        trainer = super().instantiate_trainer(
            callbacks=callbacks,
            plugins=plugins,
            enable_progress_bar=bar,
            profiler=self.config_init.fit.trainer.profiler or NoProfiler(),
            logger=self._loggers(self.config_init.fit.trainer.logger),
            default_root_dir=self.run.folder,
            **kwargs,
        )
        skip_idle_hooks(trainer.callbacks)  # type: ignore[attr-defined]
        return trainer

    def fit(self, model: VAE, datamodule: DataModule, ckpt_path: str | None = None) -> None:
        """Train, then test the best checkpoint."""
        self._check(model, datamodule)
        if self.config.fit.trainer.fast_dev_run:
            self.trainer.fit(model, datamodule=datamodule)
            return
        if self.trainer.is_global_zero:
            self._occupy()
        before = signal.signal(signal.SIGTERM, self._end)
        try:
            self._train_and_test(model, datamodule, ckpt_path)
        except SIGTERMException:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it has been heard
            if preempted():
                hand_back(self.run)
            raise
        signal.signal(signal.SIGTERM, before)

    def _end(self, *_: Any) -> None:
        """End the run, but leave it to Lightning to end a training, after a batch."""
        lightnings = signal.getsignal(signal.SIGTERM) != self._end  # which calls this one, too
        if self.trainer.state.fn != "fit" or not lightnings:
            raise SIGTERMException

    def _train_and_test(self, model: VAE, datamodule: DataModule, ckpt_path: str | None) -> None:
        last = self.run.last_checkpoint
        path = ckpt_path or (str(last) if last.is_file() else None)
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=path, weights_only=True)
        except (KeyboardInterrupt, SystemExit):  # Lightning turns the one into the other
            if self.trainer.is_global_zero and last.is_file():
                print(f"stopped; `vae-zoo fit --resume {self.run.folder}` goes on where it was")
            raise
        self._log_best()
        best = self.run.checkpoints / "best.ckpt"
        path = str(best if best.is_file() else last)
        [test] = self.trainer.test(
            model, datamodule=datamodule, ckpt_path=path, weights_only=True, verbose=False
        )
        if self.trainer.is_global_zero:
            print(f"{self.run.folder}: test split, {Path(path).name}, {_in_words(test)}")
        if self.config.fit.scorecard:
            self._score()

    def _score(self) -> None:
        """Complete the run's score card, by one process alone."""
        if (
            distributed.is_available() and distributed.is_initialized()
        ):  # what waited for other ranks would wait forever
            distributed.barrier()
            distributed.destroy_process_group()
        if not self.trainer.is_global_zero:
            return
        device = self.trainer.strategy.root_device
        console = Console(quiet=not sys.stdout.isatty())
        try:
            card = complete(
                self.run,
                Setting(),
                [*MEASURES],
                console,
                make=lambda: (self.model.to(device).eval(), self.datamodule),
                log=self._log_card,
            )
            failed = [f"{part} {why}" for part, why in card.failed.items()]
        except KeyboardInterrupt:
            print(f"stopped; `vae-zoo evaluate {self.run.folder}` completes the score card")
            raise
        except Exception as error:  # the training has ended well, whatever comes of its card
            failed = [str(error)]
        if failed:
            warnings.warn(
                f"no whole score card, `vae-zoo evaluate {self.run.folder}` goes on: "
                f"{'; '.join(failed)}",
                stacklevel=2,
            )

    def _log_card(self, card: ScoreCard) -> None:
        for logger in self.trainer.loggers:
            if isinstance(logger, WeightsAndBiases):
                logger.log_card(card, self.trainer.global_step - 1)
            elif not isinstance(logger, MetricsFile):
                logger.log_metrics(score_metrics(card), self.trainer.global_step - 1)

    def _check(self, model: VAE, datamodule: DataModule) -> None:
        """Refuse what can be known to fail, before anything is written."""
        if self.config.fit.compile:
            Compiled.check(self.trainer)
        model.check(datamodule, self.trainer.world_size)
        datamodule.prepare_data()
        datamodule.setup("fit")
        try:
            model.configure_optimizers()
        except (TypeError, ValueError) as error:
            said = locate_null(error) if isinstance(error, TypeError) else str(error)
            raise ValueError(f"model.optimizer or model.lr_scheduler: {said}") from error
        if self.trainer.limit_test_batches == 0:
            raise ValueError("trainer.limit_test_batches: a fit ends with a test, got 0")
        if self.trainer.max_epochs == 0 or self.trainer.max_steps == 0:
            raise ValueError("trainer.max_epochs: nothing would be trained, got 0")

    def _check_resumed(self) -> None:
        """Refuse to go on with a run as if it were another."""
        checkpoint = read_checkpoint(self.run.last_checkpoint)
        load_state(self.datamodule, checkpoint)
        now, before = self._complete_config(), self.run.config
        before = before | {"data": _absolute(before.get("data"))}
        for key in ("seed_everything", "model", "data"):
            if now[key] != before.get(key):
                raise ValueError(
                    f"{self.run.folder} is a run with another {key}, and goes on only as it began: "
                    "see its config.yaml, or begin another run"
                )
        done, epochs = checkpoint["epoch"] + 1, self.trainer.max_epochs
        if epochs is not None and 0 <= epochs < done:
            raise ValueError(
                f"trainer.max_epochs: {self.run.folder} has trained for {done} epochs, got {epochs}"
            )

    def _name_run(self) -> Run:
        config = self.config.fit
        parts = (type(self.datamodule).__name__, type(self.model.regularizer).__name__)
        name = config.name
        if name is None:  # of a sweep on this machine, or of W&B's
            name = os.environ.get("VAE_ZOO_NAME") or os.environ.get("WANDB_SWEEP_ID")
            name = name or "-".join(parts).lower()
        identity = os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
        launched = rank_zero_only.rank or os.environ.get("WORLD_SIZE", "1") != "1"  # type: ignore[attr-defined]
        if launched and "WANDB_RUN_ID" not in os.environ:
            raise ValueError("WANDB_RUN_ID: a launcher must set it, for all processes alike")
        check_name("--name", name)
        if not re.fullmatch(r"\w[\w.-]*", identity):
            raise ValueError(
                f"WANDB_RUN_ID must be letters, digits, '.', '_' and '-', got {identity!r}"
            )
        return Run(ROOT / name / identity)

    def _loggers(self, given: Any) -> list[Any]:
        """The run's own file always, W&B unless the trainer's logger is false, and the user's."""
        resumed = None
        if self.run.last_checkpoint.is_file():
            resumed = read_checkpoint(self.run.last_checkpoint)["global_step"]
        loggers: list[Any] = [MetricsFile(self.run, resumed)]
        if given is False:
            return loggers
        config = self._complete_config()
        group = "/".join(type(part).__name__ for part in (self.datamodule, self.model.regularizer))
        parts = (self.model.prior, self.model.likelihood, self.model.objective)
        tags = [self.model.regularizer.label, *(type(part).__name__ for part in parts)]
        loggers.append(WeightsAndBiases(self.run, config, group, tags))
        extra = given if isinstance(given, list) else [given]
        return loggers + [logger for logger in extra if logger not in (None, True)]

    def _complete_config(self) -> dict[str, Any]:
        """The configuration as it was resolved, with the sizes that the model got from the data."""
        config: dict[str, Any] = yaml.safe_load(
            self.parser.dump(self.config, skip_none=False, format="yaml")
        )["fit"]
        sizes = {
            "shape": list(self.model.shape),
            "classes": self.model.classes,
            "condition_shape": list(self.model.condition_shape),
        }
        config["model"] = sizes | config["model"]
        config["data"] = _absolute(config["data"])
        for name in ("ckpt_path", "resume", "trust"):  # of this start, and not of the run
            config.pop(name)
        return config

    def _occupy(self) -> None:
        """Hold the run's folder, and write its config.

        Raises:
            ValueError: Another process holds it, or a link in it leads elsewhere.
        """
        self.run.check_links()
        try:
            self.stack.enter_context(self.run.lock())
        except Timeout as error:
            raise ValueError(
                f"{self.run.folder} is in use by another process: wait for it to end, or stop it"
            ) from error
        remove_torn(self.run.folder)
        if self.run.last_checkpoint.is_file():
            self._check_resumed()
        if self.trainer.world_size > 1:  # for the processes that Lightning starts
            os.environ["WANDB_RUN_ID"] = self.run.id
        text = yaml.safe_dump(self._complete_config(), sort_keys=False)
        replace(self.run.config_file, text)
        what = self.model.regularizer.label
        if type(self.model.objective) is not PenalizedLikelihood:
            what += f" under {type(self.model.objective).__name__}"
        print(f"{self.run.folder}: {what} on {type(self.datamodule).__name__}")

    def _log_best(self) -> None:
        """Log ``best/val_elbo`` and the like: what was logged of the epoch of best.ckpt."""
        rows = Run(self.run.folder).rows
        epochs = [row for row in rows if "val/loss" in row]
        if not epochs or not self.trainer.is_global_zero:
            return
        best = epochs[-1]
        if self.model.comparable:
            best = min(epochs, key=lambda row: row["val/loss"])
        metrics = {"epoch": best["epoch"]} | {
            name.replace("val/", "best/val_"): value
            for row in rows
            if row.get("epoch") == best["epoch"]
            for name, value in row.items()
            if name.startswith("val/")
        }
        for logger in self.trainer.loggers:
            logger.log_metrics(metrics, self.trainer.global_step - 1)


def _absolute(config: Any) -> Any:
    """Make the paths of data absolute, so that a run is of use from any folder."""
    if not isinstance(config, dict):
        return config
    given = {name: config[name] for name in ("path", "root", "labels") if config.get(name)}
    if not labels_file(str(given.get("labels"))):  # but a column
        given.pop("labels", None)
    paths = {name: Path(str(value)).expanduser() for name, value in given.items()}
    found = {name: str(path.absolute()) for name, path in paths.items() if path.exists()}
    return {name: _absolute(value) for name, value in config.items()} | found


def _in_words(test: Mapping[str, float]) -> str:
    terms = {name.removeprefix("test/"): value for name, value in test.items()}
    bits = terms.pop("bits_per_dimension", None)
    nats = ", ".join(f"{name} {value:.2f}" for name, value in terms.items())
    return f"nats per example: {nats}" + (
        "" if bits is None else f"; bits per dimension: {bits:.3f}"
    )


def own_callbacks(
    run: Run, comparable: bool = True, on_nan: Literal["stop", "skip"] = "stop"
) -> list[Callback]:
    """What every training has beside its pictures and what it is given.

    It keeps ``last.ckpt``, and ``best.ckpt`` by what the run itself minimises, ``val/loss``. Where
    that is not comparable between epochs, since a critic learns on, the last epoch is best.

    The ELBO compares runs, but does not choose within one: a run that does not train it, such as
    MMD, has its best ELBO before it has learned anything.
    """
    monitor, mode = ("val/loss", "min") if comparable else ("epoch", "max")
    keep: dict[str, Any] = {"dirpath": run.checkpoints, "enable_version_counter": False}
    return [
        Cost(),
        Finite(on_nan),
        Termination(),
        save_by_epoch(ModelCheckpoint(filename="best", monitor=monitor, mode=mode, **keep)),
        save_by_epoch(ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **keep)),
    ]
