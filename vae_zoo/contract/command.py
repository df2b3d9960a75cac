"""``vae-zoo check``: hold a part of a model to its contract, and show what was found."""

import inspect
import sys
import traceback
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import jsonargparse
import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vae_zoo.catalogue import catalogue
from vae_zoo.contract.codes import SEED
from vae_zoo.contract.data import check_data
from vae_zoo.contract.likelihoods import check_likelihood
from vae_zoo.contract.priors import check_prior
from vae_zoo.contract.properties import check
from vae_zoo.contract.verdict import Property
from vae_zoo.data import DataModule
from vae_zoo.errors import SIZES, explain, flatten
from vae_zoo.likelihoods import Likelihood
from vae_zoo.priors import Prior
from vae_zoo.regularizers import Regularizer
from vae_zoo.suggestion import did_you_mean

MARKS = {True: Text("✓", style="green"), False: Text("✗", style="bold red"), None: Text("–")}


class Family(NamedTuple):
    """What classes of a family are called, derive from, and are held to."""

    noun: str
    base: type
    check: Callable[[Callable[..., Any]], list[Property]]


FAMILIES = {
    "regularizers": Family("regularizer", Regularizer, lambda factory: check(factory)),
    "priors": Family("prior", Prior, check_prior),
    "likelihoods": Family("likelihood", Likelihood, check_likelihood),
    "data": Family("data module", DataModule, check_data),
}
NOUNS = "regularizer, prior, likelihood or data module"


def run_check(name: str, words: Sequence[str]) -> int:
    """Check a part of a model, and print a line for each property.

    Args:
        name: A class of the zoo, such as ``MMD``, or of a file, such as ``moments.Moments``.
        words: Its options, such as ``--kernel gaussian``.

    Returns:
        The exit code: 1 where a property fails, else 0.

    Raises:
        ValueError: There is no such class, or it refuses its options.
        OSError: The files of a data module are missing.
    """
    torch.set_num_threads(1)  # on a busy machine, two are slower
    sys.path.insert(0, str(Path.cwd()))  # where a user's own moments.Moments is
    found = find_class(name)
    factory = read_options(found, words)
    label = factory().label if issubclass(found, Regularizer) else " ".join([name, *words])
    [check_it] = [family.check for family in FAMILIES.values() if issubclass(found, family.base)]
    properties = check_it(factory)
    show(label, properties)
    return 1 if any(one.holds is False for one in properties) else 0


def find_class(name: str) -> type:
    """Find a class by its name, or by its module and name.

    Raises:
        ValueError: There is none, or several.
    """
    families = _names().get(name, [])
    if len(families) > 1:
        paths = " and ".join(f"vae_zoo.{family}.{name}" for family in families)
        raise ValueError(f"{name} has two meanings: write {paths} in full")
    if families:
        return getattr(import_module(f"vae_zoo.{families[0]}"), name)  # type: ignore[no-any-return]
    module, _, family = name.rpartition(".")
    if not module:
        meant = did_you_mean(name, _names()) or "`vae-zoo list` shows the zoo."
        raise ValueError(f"there is no {NOUNS} {name}. {meant}")
    try:
        imported = import_module(module)
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}"
        raise ValueError(f"cannot import {name}: {where}: {error.msg}") from error
    except Exception as error:  # of a file of the user's own
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if "importlib" in at.filename else f"{at.filename}, line {at.lineno}: "
        raise ValueError(f"cannot import {name}: {where}{error}") from error
    found = getattr(imported, family, None)
    if not _is_part(found):
        own = [known for known in dir(imported) if _is_part(getattr(imported, known))]
        meant = did_you_mean(family, own) or f"Its parts are: {', '.join(own) or 'none'}."
        raise ValueError(f"{module} has no {NOUNS} {family}. {meant}")
    return found  # type: ignore[return-value]


def _names() -> dict[str, list[str]]:
    """The families of each name in the zoo, of those that can be checked."""
    names: dict[str, list[str]] = {}
    for entry in catalogue():
        if entry.family in FAMILIES:
            names.setdefault(entry.name, []).append(entry.family)
    return names


def _is_part(found: object) -> bool:
    bases = [family.base for family in FAMILIES.values()]
    return isinstance(found, type) and issubclass(found, tuple(bases)) and found not in bases


def read_options(family: type, words: Sequence[str]) -> Callable[..., Any]:
    """Read the options of a class, typed as in its constructor.

    Args:
        family: The class.
        words: Its options; ``--inner MMD --inner.weight 3`` of one that wraps another.

    Returns:
        What makes it, from its sizes if it needs any, for which the options may be changed.

    Raises:
        ValueError: There is no such option, or it has another type.
    """
    parameters = inspect.signature(family).parameters
    for option, parameter in parameters.items():
        if option in SIZES:
            continue
        flag = f"--{option}"
        known = {flag, "-h", "--help"} & {word.partition("=")[0] for word in words}
        if parameter.default is parameter.empty and not known:
            raise ValueError(f"{family.__name__} needs {flag}: add it, with a value")
    for entry in catalogue():  # imported, so that its short name is known to the parser
        if any(entry.name in word for word in words):
            getattr(import_module(f"vae_zoo.{entry.family}"), entry.name)
    parser = jsonargparse.ArgumentParser(
        prog=f"vae-zoo check {family.__name__}", exit_on_error=False, default_env=False
    )
    sizes = SIZES & set(parameters)
    parser.add_class_arguments(family, skip=sizes, instantiate=False)
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
