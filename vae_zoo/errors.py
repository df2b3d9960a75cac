"""The parser's complaints, as a sentence that names the key, the value and what would be right."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any

from vae_zoo.catalogue import FAMILIES, catalogue
from vae_zoo.plain_yaml import read_yaml
from vae_zoo.suggestion import did_you_mean

MADE_LATER = {"params"}  # an optimizer's, which the VAE knows
SIZES = {  # the VAE's
    "shape",
    "latent_dim",
    "in_shape",
    "out_shape",
    "condition_dim",
    "classes",
    "condition_shape",
}

# What the parser adds where a part, such as data, might also be none.
OPTIONAL = (
    r" - Expected a <class 'NoneType'> Given value type: <class 'jsonargparse\S+ Given value: .*"
)

# What it adds to a complaint of one option: the whole part that has it.
AGAIN = (
    r"((?:Given|Got) value: .*?) - Expected a <class 'NoneType'> Given value type: <class 'dict'>.*"
)


def explain(message: str, given: Mapping[str, str], options: Sequence[str]) -> str:
    """Put a complaint of jsonargparse into one sentence with a suggestion.

    Args:
        message: What the parser said.
        given: Keys and values of the command line and the config files, as of :func:`flatten`.
        options: All keys that the parser knows by itself.
    """
    message = re.sub(AGAIN, r"\1", re.sub(OPTIONAL, "", " ".join(message.split())))
    if match := re.search(r"Option '([^']+)' is not accepted", message):
        return _unknown_option(_full_key(match[1], given), given)
    if match := re.search(
        r"does not accept option '([^']+)'|unrecognized arguments: (\S+)", message
    ):
        key = (match[1] or match[2]).removeprefix("--").partition("=")[0]
        return f"{key}: there is no such option. {did_you_mean(key, options)}".rstrip()
    if match := re.search(r"required.*?: ?(.*)|[Kk]ey \"(\S+)\" is required", message):
        missing = (match[1] or match[2]).replace("fit.", "")
        if part := re.search(r"Parser key \"([^\"]+)\"", message):
            key = _lacking(missing.split(", "), part[1], given)
            needs = missing.replace(", ", f", --{key}.")
            return f"{key}: {given.get(key, 'it')} needs --{key}.{needs}"
        return f"{missing}: not given. `-c base` gives all that is needed."
    if not (match := re.search(r".*Parser key \"([^\"]+)\":(.*)", message)):
        return message[:300]
    key, reason = _full_key(match[1], given), match[2].strip(" -")
    if match := re.search(r"Multiple subclasses with name (\w+)\..*?: ([\w., ]+)\.", reason):
        paths = " or ".join(match[2].split(", "))
        return f"{key}: there is more than one class {match[1]}: name it in full, {paths}"
    if match := re.search(r"Importing '([^']+)' is not allowed", reason):
        module = match[1].rpartition(".")[0]
        return (
            f"{key}: it names {match[1]}, which would run the code of {module}: add --trust "
            f"{module}, if that is yours"
        )
    if match := re.search(r"given class_path '([^']+)': (.*)", reason):
        return f"{key}: cannot import {match[1]}: {match[2].partition(' - Expected ')[0]}"
    match = re.search(r"dot import path string: (\S+)", reason)
    if match and not re.search(r"Expected an? <class '(float|int|bool)'>", reason):
        found = did_you_mean(match[1], _class_names(key)) or _listing(key)
        return f"{key}: there is no class {match[1]}. {found}"
    if match := re.search(r"Expected '([^']+)' to be a subclass of <class '([\w.]+)'>", reason):
        name, base = (path.rpartition(".")[2] for path in match.groups())
        found = did_you_mean(name, _class_names(key)) or _listing(key)
        return f"{key}: {name} is no {base}. {found}"
    if "expects a function or a callable class" in reason:
        got = reason.rpartition("but got ")[2].partition(". Got value: ")[0]
        return f"{key}: expected a class, by its name or class_path and init_args, got {got:.80}"
    if match := re.search(r"Unable to load config \"(.*)\"", reason):
        return f"{key}: expected a mapping of options, got {match[1]:.80}"
    value = re.search(r"(?:Got value|Given value): (.*)$", reason)
    shown = value[1] if value else given.get(key, "")
    if literals := re.findall(r"Literal\[(.*?)\]", reason):
        choices = [*dict.fromkeys(re.findall(r"[\w./-]+", " ".join(literals)))]
        found = did_you_mean(shown, choices)
        return f"{key}: {shown} is none of {', '.join(choices)}. {found}".rstrip()
    if types := dict.fromkeys(re.findall(r"Expected (?:an? )?<class '([\w.]+)'>", reason)):
        expected = " or ".join(types).replace("collections.abc.Sequence", "list")
        return f"{key}: expected {expected}, got {shown}"
    return f"{key}: {reason}"[:300]


def locate(message: str, given: Mapping[str, str]) -> str:
    """Put the key before a constructor's complaint that begins with the name of an argument."""
    name = message.partition(" ")[0]
    keys = [key for key in given if key == name or key.endswith(f".{name}")]
    got = message.rpartition("got ")[2]
    keys = [key for key in keys if given[key].rpartition(".")[2] == got] or keys
    return f"{keys[0]}: {message}" if len(keys) == 1 else message  # a wrong key is worse than none


def locate_null(error: BaseException) -> str:
    """Name the options of a constructor that are null and may not be, of an error within it."""
    frames = [
        frame.f_locals | {"": frame.f_code.co_name} for frame, _ in walk_tb(error.__traceback__)
    ]
    for values in reversed(frames):
        if values[""] != "__init__" or "self" not in values:
            continue
        parameters = inspect.signature(type(values["self"])).parameters
        null = [
            name
            for name, parameter in parameters.items()
            if values.get(name, name) is None and parameter.default is not None
        ]
        if null:
            return f"{type(values['self']).__name__}: {' and '.join(null)} must not be null"
    return str(error)


def check_form(config: Any, key: str = "") -> None:
    """Refuse a config whose keys are no words, or that describes a class as none can be.

    Raises:
        ValueError: It is one.
    """
    if isinstance(config, list):
        for number, value in enumerate(config):
            check_form(value, f"{key}.{number}".lstrip("."))
    if not isinstance(config, dict):
        return
    for name, value in config.items():
        full = f"{key}.{name}".lstrip(".")
        if not isinstance(name, str) or not name or re.search(r"\s", name):
            raise ValueError(f"the key {name!r}{f' in {key}' * bool(key)} is no name of an option")
        if name == "class_path" and not isinstance(value, str):
            raise ValueError(f"{full} should name a class, such as KL, got {value!r:.60}")
        if name == "init_args" and not isinstance(value, dict):
            raise ValueError(f"{full} should be a mapping of options, got {value!r:.60}")
        check_form(value, full)


def flatten(words: Sequence[str], find: Callable[[str], str]) -> dict[str, str]:
    """Read the keys and values of a command line, and of the configs that it names, in order.

    Class paths and their options count as plain keys: ``model.regularizer``, ``….weight``.

    Args:
        words: The words of the command line.
        find: Finds the path of a config by its name.
    """
    given: dict[str, str] = {}
    for i, word in enumerate(words):
        name, separator, value = word.partition("=")
        if not separator:
            value = words[i + 1] if i + 1 < len(words) else ""
        if name in ("-c", "--config"):
            given |= _flatten_config(value, find)
        elif name.startswith("--"):
            given[name[2:]] = value
            if value.lstrip().startswith("["):
                given |= _flatten_config(f"{{{name[2:]}: {value}}}", find)
    return given


def _flatten_config(config: str, find: Callable[[str], str]) -> dict[str, str]:
    try:
        text = config if config.lstrip().startswith("{") else Path(find(config)).read_text()
        return dict(_leaves(read_yaml(text), ""))
    except (OSError, ValueError):
        return {}  # the parser says what is wrong


def _leaves(node: Any, key: str) -> list[tuple[str, str]]:
    if isinstance(node, list) and any(isinstance(item, dict) for item in node):
        return [leaf for i, item in enumerate(node) for leaf in _leaves(item, f"{key}.{i}")]
    if not isinstance(node, dict):
        return [(key, node if isinstance(node, str) else json.dumps(node, default=str))]
    leaves = []
    for name, value in node.items():
        inner = key if name in ("class_path", "init_args") else f"{key}.{name}".strip(".")
        leaves += _leaves(value, inner)
    return leaves


def _full_key(name: str, given: Mapping[str, str]) -> str:
    matches = [key for key in given if key == name or key.endswith(f".{name}")]
    return matches[-1] if matches else name


def _lacking(names: Sequence[str], outermost: str, given: Mapping[str, str]) -> str:
    """The part that lacks options: the outermost, or one inside."""
    inside = [key for key in given if key.startswith(f"{outermost}.")]
    for key in [outermost, *inside]:
        options = _options(given.get(key, "")) or []
        if all(name in options and f"{key}.{name}" not in given for name in names):
            return key
    return outermost


def _options(part: str) -> list[str] | None:
    """The options of a class, or None where it is not known."""
    entries = {entry.name: f"vae_zoo.{entry.family}" for entry in catalogue()}
    module, _, owner = part.rpartition(".")
    module = module or entries.get(owner, "")
    if module not in sys.modules or not hasattr(sys.modules[module], owner):
        return None
    parameters = inspect.signature(getattr(sys.modules[module], owner)).parameters
    return [option for option in parameters if option not in SIZES | MADE_LATER]


def _unknown_option(key: str, given: Mapping[str, str]) -> str:
    parent, _, name = key.rpartition(".")
    part = given.get(parent, "")
    owner, options = part.rpartition(".")[2], _options(part)
    if options is None:
        return f"{key}: there is no such option"
    has = f"Its options are {', '.join(options)}." if options else "It has none."
    return " ".join(
        f"{key}: {owner} has no option {name}. {did_you_mean(name, options)} {has}".split()
    )


def _family(key: str) -> str:
    """The family that a key wants a class of, if any."""
    part = key.rpartition(".")[2]
    return {"encoder": "networks", "decoder": "networks", "data": "data"}.get(part, f"{part}s")


def _listing(key: str) -> str:
    """Where the user finds what a key might be."""
    family = _family(key) if _family(key) in FAMILIES else ""
    return f"`vae-zoo list {family}".rstrip() + "` shows the zoo."


def _class_names(key: str) -> list[str]:
    """The classes that a key wants, so that an encoder is never suggested for a prior."""
    family = _family(key)
    names = [entry.name for entry in catalogue() if entry.family == family]
    return names or dir(sys.modules["torch.optim"]) + dir(sys.modules["torch.optim.lr_scheduler"])
