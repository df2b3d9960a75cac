"""The command line, ``vae-zoo``: commands that need no model answer without importing torch."""

import argparse
import os
import re
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vae_zoo.catalogue import FAMILIES, catalogue
from vae_zoo.evaluation.numbers import PARTS
from vae_zoo.new import write_regularizer
from vae_zoo.printable import printable
from vae_zoo.runs import STAGES
from vae_zoo.suggestion import did_you_mean

Commands: TypeAlias = "argparse._SubParsersAction[Words]"
Options: TypeAlias = dict[str, Any]

TRAINING = {
    "fit": "train a model",
    "validate": "compute the terms of a checkpoint on the validation split",
    "test": "compute the terms of a checkpoint on the test split",
}
FORMS = {
    "json": "the runs, a row each",
    "csv": "the same",
    "latex": "the groups, in tables for a paper",
    "markdown": "the groups, in tables for an issue",
}
DAY = 86_400  # seconds
LINES, LONG = 5, 600  # of an error, and characters of a line
GENERATING = ("sample", "reconstruct", "interpolate", "traverse")
EPILOG = """\
examples:
  vae-zoo fit -c base -c regularizer/mmd --model.latent_dim 16
  vae-zoo fit -c base --model.regularizer moments.Moments
  vae-zoo sweep divergences -j 2
  vae-zoo compare runs/divergences
  vae-zoo new regularizer Moments
  vae-zoo check moments.Moments
  vae-zoo sample runs/digits-kl/1a2b3c4d

`vae-zoo fit --help` shows all options, `vae-zoo fit --model.regularizer.help MMD` those of a class.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; its input errors are one sentence, and the exit code 2.

    ``--debug``, which may stand anywhere, shows where an error came from.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--debug"]
    debug = words != given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without β shows \u03b2, and goes on
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _train(words) if words and words[0] in TRAINING else _run(words)
    except BrokenPipeError:  # as of `| head`, which has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (ValueError, OSError) as error:
        if debug:
            traceback.print_exc()
        print(message(error, debug), file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("vae-zoo: stopped", file=sys.stderr)
        code = 130
    except FloatingPointError as error:  # the input is right, and its training diverges
        if debug:
            traceback.print_exc()
        print(message(error, debug), file=sys.stderr)
        code = 1
    except Exception as error:
        if debug:
            raise
        print(surprise(error), file=sys.stderr)
        code = 1
    sys.exit(code)


def message(error: Exception, whole: bool = False) -> str:
    """Say what is wrong with the input, without what would act on a terminal."""
    text = printable(str(error)).splitlines()
    lines = [line if whole else _cut(line) for line in text] or [repr(error)]
    if len(lines) > LINES and not whole:
        lines[LINES - 1 :] = [f"… ({len(lines) - LINES + 1} more lines: add --debug)"]
    return "vae-zoo: error: " + "\n".join(lines)


def _cut(line: str) -> str:
    return line if len(line) <= LONG else f"{line[:LONG]}… (add --debug for the rest)"


def surprise(error: Exception) -> str:
    """Say that nobody has thought of an error, and where it is."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    said = message(error).removeprefix("vae-zoo: error: ").partition("\n")[0]
    return (
        f"vae-zoo: unexpected {type(error).__name__}: {said}\n"
        f"  in {at.filename}, line {at.lineno}\n"
        "If that is no file of yours, it is a bug: run it again with --debug, and report all of it."
    )


class Words(argparse.ArgumentParser):
    """A parser that complains by an exception, and not by its usage."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Complain of unknown words here, where the options of a command are known."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Raise the complaint, with what may have been meant.

        Raises:
            ValueError: Always.
        """
        meant = ""
        if match := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            meant = did_you_mean(match[1], re.findall(r"[\w-]+", match[2]))
        elif match := re.search(r"unrecognized arguments: (--[\w-]+)", message):
            meant = did_you_mean(match[1], self._option_string_actions)
        raise ValueError(f"{message}. {meant or f'`{self.prog} --help` shows all.'}")


def _train(words: list[str]) -> int:
    from vae_zoo import fit  # imports torch and lightning, for seconds

    fit.main(words)
    return 0


def _run(words: list[str]) -> int:
    options = _parser().parse_args(words)
    if options.command == "sweep":
        return _sweep(options)
    if options.command == "compare":
        _compare(options)
        return 0
    if options.command == "evaluate":
        from vae_zoo.evaluate import run_evaluation  # imports torch, for seconds
        from vae_zoo.evaluation.subject import Setting

        asked = (options.split, options.samples, options.examples, options.shuffle_conditions)
        return run_evaluation(options.folders, Setting(*asked), options.parts, options.trust)
    if options.command == "classify":
        from vae_zoo.classify import run_classification  # imports torch

        return run_classification(
            options.run, options.split, options.samples, options.examples, options.trust
        )
    if options.command == "encode":
        from vae_zoo.encoding import write_codes  # imports torch, for seconds

        source = (options.split, options.file, options.labels)
        print(write_codes(options.run, options.output, *source, options.trust))
        return 0
    if options.command in GENERATING:
        print(_generate(options))
        return 0
    if options.command == "check":
        from vae_zoo.contract.command import run_check  # imports torch, for seconds

        return run_check(options.part, options.options)
    if options.command == "workspace":
        from vae_zoo.workspace import run_workspace  # imports wandb, for a second

        asked = (options.entity, options.project, options.name, options.dry_run)
        print(run_workspace(*asked))
        return 0
    if options.command == "new":
        print(write_regularizer(options.name, Path.cwd()), end="")
        return 0
    _list(options.family)
    return 0


def _parser() -> Words:
    parser = Words(
        prog="vae-zoo",
        description="Which divergence should my VAE use? Train, sweep and compare.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    message = "show where an error came from; it may stand anywhere, in every command"
    parser.add_argument("--debug", action="store_true", help=message)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, summary in TRAINING.items():
        commands.add_parser(name, help=summary, add_help=False)
    _add_comparing(commands)
    _add_using(commands)
    _add_extending(commands)
    return parser


def _generate(options: argparse.Namespace) -> str:
    from vae_zoo.generation import commands  # imports torch, for seconds

    run, output, trust = options.run, options.output, options.trust
    if options.command == "sample":
        return commands.write_samples(run, options.n, options.label, output, options.seed, trust)
    if options.command == "reconstruct":
        return commands.write_reconstructions(run, options.n, options.split, output, trust)
    if options.command == "interpolate":
        between = tuple(options.between)
        return commands.write_interpolation(run, between, options.steps, output, trust)
    return commands.write_traversals(run, options.example, options.steps, output, trust)


def _compare(options: argparse.Namespace) -> None:
    if options.form and options.watch:
        raise ValueError(f"--watch writes the page again and again: not with --{options.form}")
    if options.form and options.open and options.output is None:
        raise ValueError(f"--{options.form} writes no page to open: add -o page.html")
    from vae_zoo.comparison import command

    asked = (options.folders, options.output, options.reference)
    if options.watch:
        from vae_zoo.comparison.watch import Watch

        Watch(*asked, options.watch, command.open_page if options.open else None).run()
        return
    page = command.export(options.form, *asked) if options.form else command.compare(*asked)
    if options.open and page:
        command.open_page(page)


def _sweep(options: argparse.Namespace) -> int:
    from vae_zoo.packaged import find
    from vae_zoo.sweep import list_trials, run_sweep, show_status

    if options.file == "status":
        if options.folder is None:
            raise ValueError("sweep status needs the sweep's folder, as runs/divergences")
        show_status(options.folder, options.storage)
        return 0
    if options.folder is not None:
        raise ValueError(f"sweep takes one file, got {options.file} and {options.folder}")
    file = Path(find("sweeps", options.file))
    if options.dry_run:
        list_trials(file, options.name, options.storage, options.seed)
        return 0
    return run_sweep(
        file,
        name=options.name,
        jobs=options.jobs,
        storage=options.storage,
        seed=options.seed,
        retry_failed=options.retry_failed,
        quiet=options.quiet,
    )


def _add_comparing(commands: Commands) -> None:
    """Add the commands on many runs."""
    sweep = commands.add_parser("sweep", help="run a W&B sweep file on this machine")
    sweep.add_argument(
        "file", help="its path, or the name of a packaged one, as divergences; or status"
    )
    sweep.add_argument("-j", "--jobs", type=int, default=1, help="trials at once (default: 1)")
    sweep.add_argument(
        "folder", type=Path, nargs="?", help="of `vae-zoo sweep status FOLDER` alone"
    )
    sweep.add_argument("--name", help="its folder is runs/<name> (default: the file's)")
    message = "of a random or Bayesian search (default: 0)"
    sweep.add_argument("--seed", type=int, default=0, help=message)
    message = (
        "the queue's database, which many machines may share, as postgresql+psycopg://HOST/NAME"
    )
    sweep.add_argument(
        "--storage", metavar="URL", help=f"{message} (default: a file in the folder)"
    )
    sweep.add_argument("--retry-failed", action="store_true", help="try again what has failed")
    sweep.add_argument(
        "--dry-run", action="store_true", help="print the trials' command lines alone"
    )
    sweep.add_argument("--quiet", action="store_true", help="print the end alone")
    _add_compare(commands)
    message = "make the workspace on W&B in which the runs of a project are compared"
    workspace = commands.add_parser("workspace", help=message)
    workspace.add_argument("--entity", help="user or team (default: WANDB_ENTITY, or the key's)")
    message = "the runs' (default: WANDB_PROJECT, or vae_zoo)"
    workspace.add_argument("--project", help=message)
    message = "of the workspace (default: Divergences)"
    workspace.add_argument("--name", default="Divergences", help=message)
    message = "print what would be sent, without an account"
    workspace.add_argument("--dry-run", action="store_true", help=message)


def _add_compare(commands: Commands) -> None:
    """Add the command that compares runs, with the forms that it can print."""
    compare = commands.add_parser("compare", help="compare runs, in a table and on a page")
    compare.add_argument("folders", type=Path, nargs="+", help="runs, or folders that hold them")
    message = "the page (default: comparison.html in the first folder)"
    compare.add_argument("-o", "--output", type=Path, help=message)
    message = "the group that others are held against, as 'KL β=4' (default: KL β=1, or the best)"
    compare.add_argument("--reference", default="", metavar="GROUP", help=message)
    compare.add_argument("--open", action="store_true", help="open the page in the browser")
    message = "write the page again whenever runs have changed, until Ctrl-C (looks every 10 s)"
    watch: Options = {"type": _seconds, "nargs": "?", "const": 10.0, "metavar": "SECONDS"}
    compare.add_argument("--watch", help=message, **watch)
    titled = compare.add_argument_group("printed instead of the table, and a page only with -o")
    printed = titled.add_mutually_exclusive_group()
    for form, what in FORMS.items():
        printed.add_argument(f"--{form}", action="store_const", dest="form", const=form, help=what)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        message = f"should be seconds, as 10, got {word!r}: name folders before --watch"
        raise argparse.ArgumentTypeError(message) from None
    if not 0 < seconds <= DAY:
        raise argparse.ArgumentTypeError(f"should be above 0 and at most {DAY}, got {word}")
    return seconds


def _add_using(commands: Commands) -> None:
    """Add the commands on trained models."""
    trusting = Words(add_help=False)
    message = "a module of your own that the run's config may import; repeatable"
    trusting.add_argument("--trust", action="append", default=[], metavar="MODULE", help=message)
    one = Words(add_help=False, parents=[trusting])
    one.add_argument("run", type=Path, help="the run's folder")
    estimating = Words(add_help=False)
    estimating.add_argument("--examples", type=int, help="so many at most (default: all)")
    split: Options = {"choices": STAGES, "default": "test", "help": "(default: test)"}
    estimating.add_argument("--split", **split)
    message = "complete and print the score cards of trained models"
    evaluate = commands.add_parser("evaluate", help=message, parents=[estimating, trusting])
    message = "of importance sampling, and of the prior (default: 500)"
    evaluate.add_argument("--samples", type=int, default=500, help=message)
    message = "these parts of the card alone (default: all)"
    evaluate.add_argument("--parts", nargs="+", choices=[*PARTS], metavar="PART", help=message)
    evaluate.add_argument("folders", type=Path, nargs="+", help="runs, or folders that hold them")
    message = "condition each example on what belongs to another"
    evaluate.add_argument("--shuffle-conditions", action="store_true", help=message)
    message = "tell labels by p(x | y) and Bayes' rule"
    classify = commands.add_parser("classify", help=message, parents=[estimating, one])
    message = "of each class (default: 100)"
    classify.add_argument("--samples", type=int, default=100, help=message)
    message = "write codes, labels and log-densities of data"
    encode = commands.add_parser("encode", help=message, parents=[one])
    encode.add_argument("-o", "--output", type=Path, required=True, help="the .npz file to write")
    data = encode.add_mutually_exclusive_group()
    data.add_argument("--split", **split)
    data.add_argument("--file", type=Path, help="a file or folder of your own, as of --data Files")
    encode.add_argument("--labels", help="the column, the array or the file of its labels")
    _add_generating(commands, one, split)


def _add_generating(commands: Commands, one: Words, split: Options) -> None:
    """Add the commands that decode codes."""
    generating = Words(add_help=False, parents=[one])
    message = "a new .txt, .png or .npz (default: texts here, else a .png or .npz)"
    generating.add_argument("-o", "--output", type=Path, help=message)
    message = "sample a model: texts, pictures or numbers"
    sample = commands.add_parser("sample", help=message, parents=[generating])
    sample.add_argument("-n", type=int, default=16, help="number of samples (default: 16)")
    message = "one for all, by name or number (default: all in turn, if the model knows labels)"
    sample.add_argument("--label", help=message)
    sample.add_argument("--seed", type=int, default=0, help="of the samples (default: 0)")
    message = "decode the codes of examples, and show both"
    reconstruct = commands.add_parser("reconstruct", help=message, parents=[generating])
    reconstruct.add_argument("-n", type=int, default=10, help="of the first ones (default: 10)")
    reconstruct.add_argument("--split", **split)
    message = "go from one example to another"
    interpolate = commands.add_parser("interpolate", help=message, parents=[generating])
    pair: Options = {"type": int, "nargs": 2, "default": (0, 1), "metavar": ("I", "J")}
    interpolate.add_argument("--between", help="numbers of test examples (default: 0 1)", **pair)
    interpolate.add_argument("--steps", type=int, default=8, help="codes (default: 8)")
    message = "change one latent dimension of an example at a time, the most used ones first"
    traverse = commands.add_parser("traverse", help=message, parents=[generating])
    message = "number of a test example (default: 0)"
    traverse.add_argument("--example", type=int, default=0, metavar="I", help=message)
    message = "codes of each, the example's own in the middle (default: 9)"
    traverse.add_argument("--steps", type=int, default=9, help=message)


def _add_extending(commands: Commands) -> None:
    """Add the commands on the zoo itself, and on classes of one's own."""
    check = commands.add_parser(
        "check", help="hold a regularizer, prior, likelihood or data module to what each must be"
    )
    check.add_argument("part", help="of the zoo, as MMD, or of a file, as moments.Moments")
    check.add_argument("options", nargs=argparse.REMAINDER, help="its own, as --kernel gaussian")
    new = commands.add_parser("new", help="write a regularizer of your own, and its test")
    new.add_argument("family", choices=["regularizer"])
    new.add_argument("name", help="name of the class, as Moments: writes moments.py")
    listing = commands.add_parser("list", help="list the zoo: every class that can be named")
    listing.add_argument("family", nargs="?", choices=[*FAMILIES], help="one family only")


def _list(family: str | None) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    entries = catalogue()
    for shown in [family] if family else FAMILIES:
        table.add_row(Text(f"\n{shown}", style="bold"))
        for entry in entries:
            if entry.family == shown:
                source = Text(f"\n{entry.source}" if entry.source else "", style="dim")
                table.add_row(f"  {entry.name}", Text(entry.summary) + source)
    Console().print(table)
