"""The command line, ``vae-zoo``: commands that need no model answer without importing torch."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vae_zoo.catalogue import FAMILIES, catalogue
from vae_zoo.new import write_regularizer

TRAINING = {
    "fit": "train a model",
    "validate": "compute the terms of a checkpoint on the validation split",
    "test": "compute the terms of a checkpoint on the test split",
}
EPILOG = """\
examples:
  vae-zoo fit -c base -c regularizer/mmd --model.latent_dim 16
  vae-zoo fit -c base --model.regularizer moments.Moments
  vae-zoo sweep divergences -j 2
  vae-zoo compare runs/divergences
  vae-zoo new regularizer Moments
  vae-zoo check moments.Moments

`vae-zoo fit --help` shows all options, `vae-zoo fit --model.regularizer.help MMD` those of a class.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; its input errors are one sentence, and the exit code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _train(words) if words and words[0] in TRAINING else _run(words)
    except (ValueError, OSError) as error:
        print(f"vae-zoo: error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("vae-zoo: stopped", file=sys.stderr)
        code = 130
    sys.exit(code)


def _train(words: list[str]) -> int:
    from vae_zoo import fit  # imports torch and lightning, for seconds

    fit.main(words)
    return 0


def _run(words: list[str]) -> int:
    options = _parser().parse_args(words)
    if options.command == "sweep":
        from vae_zoo.packaged import find
        from vae_zoo.sweep import run_sweep

        return run_sweep(Path(find("sweeps", options.file)), options.name, options.jobs)
    if options.command == "compare":
        from vae_zoo.comparison import compare

        compare(options.folders, options.output)
        return 0
    if options.command == "check":
        from vae_zoo.contract.command import run_check  # imports torch, for seconds

        return run_check(options.regularizer, options.options)
    if options.command == "new":
        print(write_regularizer(options.name, Path.cwd()), end="")
        return 0
    _list(options.family)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vae-zoo",
        description="Which divergence should my VAE use? Train, sweep and compare.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, summary in TRAINING.items():
        commands.add_parser(name, help=summary, add_help=False)
    sweep = commands.add_parser("sweep", help="run a W&B sweep file on this machine")
    sweep.add_argument("file", help="its path, or the name of a packaged one, as divergences")
    sweep.add_argument("-j", "--jobs", type=int, default=1, help="trials at once (default: 1)")
    sweep.add_argument("--name", help="its folder is runs/<name> (default: the file's)")
    compare = commands.add_parser("compare", help="compare runs, in a table and on a page")
    compare.add_argument("folders", type=Path, nargs="+", help="runs, or folders that hold them")
    compare.add_argument("-o", "--output", type=Path, help="the page (default: comparison.html)")
    check = commands.add_parser("check", help="hold a regularizer to what each must satisfy")
    check.add_argument("regularizer", help="of the zoo, as MMD, or of a file, as moments.Moments")
    check.add_argument("options", nargs=argparse.REMAINDER, help="its own, as --kernel gaussian")
    new = commands.add_parser("new", help="write a regularizer of your own, and its test")
    new.add_argument("family", choices=["regularizer"])
    new.add_argument("name", help="name of the class, as Moments: writes moments.py")
    listing = commands.add_parser("list", help="list the zoo: every class that can be named")
    listing.add_argument("family", nargs="?", choices=[*FAMILIES], help="one family only")
    return parser


def _list(family: str | None) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for shown in [family] if family else FAMILIES:
        table.add_row(Text(f"\n{shown}", style="bold"))
        for entry in catalogue():
            if entry.family == shown:
                source = Text(f"\n{entry.source}" if entry.source else "", style="dim")
                table.add_row(f"  {entry.name}", Text(entry.summary) + source)
    Console().print(table)
