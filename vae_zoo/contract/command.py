"""``vae-zoo check``: hold a regularizer to the contract, and show what was found."""

import inspect
import sys
import traceback
from argparse import ArgumentError
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

import jsonargparse
import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vae_zoo import regularizers
from vae_zoo.catalogue import catalogue
from vae_zoo.contract.codes import SEED, Factory
from vae_zoo.contract.properties import check
from vae_zoo.contract.verdict import Property
from vae_zoo.errors import explain, flatten
from vae_zoo.regularizers import Regularizer
from vae_zoo.suggestion import did_you_mean

MARKS = {True: Text("✓", style="green"), False: Text("✗", style="bold red"), None: Text("–")}


def run_check(name: str, words: Sequence[str]) -> int:
    """Check a regularizer, and print a line for each property.

    Args:
        name: A class of the zoo, such as ``MMD``, or of a file, such as ``moments.Moments``.
        words: Its options, such as ``--kernel gaussian``.

    Returns:
        The exit code: 1 where a property fails, else 0.

    Raises:
        ValueError: There is no such class, or it refuses its options.
    """
    torch.set_num_threads(1)  # on a busy machine, two are slower
    sys.path.insert(0, str(Path.cwd()))  # where a user's own moments.Moments is
    factory = read_options(find_class(name), words)
    label = factory().label
    found = check(factory)
    show(label, found)
    return 1 if any(one.holds is False for one in found) else 0


def find_class(name: str) -> type[Regularizer]:
    """Find a regularizer by its name, or by its module and name.

    Raises:
        ValueError: There is none.
    """
    zoo = _names()
    if name in zoo:
        return getattr(regularizers, name)  # type: ignore[no-any-return]
    module, _, family = name.rpartition(".")
    if not module:
        meant = did_you_mean(name, zoo) or "`vae-zoo list regularizers` shows the zoo."
        raise ValueError(f"there is no regularizer {name}. {meant}")
    try:
        known = vars(import_module(module))
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise ValueError(f"cannot import {name}: {where}: {error.msg}") from error
    except Exception as error:  # of a file of the user's own
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if "importlib" in at.filename else f"{at.filename}, line {at.lineno}: "
        raise ValueError(f"cannot import {name}: {where}{error}") from error
    own = [known_name for known_name, found in known.items() if _is_regularizer(found)]
    if family not in own:
        meant = did_you_mean(family, own) or f"Its regularizers are: {', '.join(own) or 'none'}."
        raise ValueError(f"{module} has no regularizer {family}. {meant}")
    return known[family]  # type: ignore[no-any-return]


def _names() -> list[str]:
    return [entry.name for entry in catalogue() if entry.family == "regularizers"]


def _is_regularizer(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Regularizer) and found is not Regularizer


def read_options(family: type[Regularizer], words: Sequence[str]) -> Factory:
    """Read the options of a class, typed as in its constructor.

    Args:
        family: The class.
        words: Its options; ``--inner MMD --inner.weight 3`` of one that wraps another.

    Returns:
        What makes the regularizer, for which the options may be changed.

    Raises:
        ValueError: There is no such option, or it has another type.
    """
    for option, parameter in inspect.signature(family).parameters.items():
        flag = f"--{option}"
        known = {flag, "-h", "--help"} & {word.partition("=")[0] for word in words}
        if parameter.default is parameter.empty and not known:
            raise ValueError(f"{family.__name__} needs {flag}: add it, with a value")
    for name in _names():  # imported, so that its short name is known to the parser
        if any(name in word for word in words):
            getattr(regularizers, name)
    parser = jsonargparse.ArgumentParser(
        prog=f"vae-zoo check {family.__name__}", exit_on_error=False, default_env=False
    )
    parser.add_class_arguments(family, instantiate=False)
    try:
        config = parser.instantiate_classes(parser.parse_args(list(words)))
    except ArgumentError as error:
        options = [action.dest for action in parser._actions]
        raise ValueError(explain(str(error), flatten(words, str), options)) from error
    return partial(family, **{name: config[name] for name in vars(config)})


def show(label: str, found: Sequence[Property]) -> None:
    """Print each property: a mark, its name, the figure, and below it what was expected."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in found:
        expected = Text(f"\n{one.expected}" if one.expected else "", style="dim")
        table.add_row(MARKS[one.holds], one.name, Text(one.figure) + expected)
    holding = sum(one.holds is True for one in found)
    failing = sum(one.holds is False for one in found)
    console = Console()
    console.print(Text(label, style="bold"))
    console.print(table)
    rest = len(found) - holding - failing
    console.print(f"{holding} hold, {failing} fail; {rest} do not apply, or have no threshold")
    console.print(f"The noise is that of seed {SEED}, so that a check always says the same.")
