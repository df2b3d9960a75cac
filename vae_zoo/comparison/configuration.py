"""A run's configuration in few words: flat keys, short names, what the regularizer is called."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from vae_zoo.printable import printable_tree

# Runs of one group may differ in these and in nothing else.
IDENTITY = ("ckpt_path", "config", "id", "name", "resume", "scorecard", "seed_everything")
# Where data lie and what is shown on the way change no result.
WITHOUT_EFFECT = re.compile(
    r"data\.root|trainer\.(default_root_dir|enable_(model_summary|progress_bar)|logger)(\..*)?"
)
CALLBACKS = "trainer.callbacks"
CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.[A-Z]\w*")


class Configuration:
    """What a run was made of, from its ``config.yaml``.

    Args:
        tree: The complete configuration, as the command line saves it.

    Raises:
        ValueError: It names no model, no data or no regularizer.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree: Mapping[str, Any] = printable_tree(tree)
        for keys in (("model", "regularizer"), ("model", "likelihood"), ("data",)):
            if not class_of(self._at(*keys)):
                raise ValueError(f"config.yaml names no {'.'.join(keys)}")

    def _at(self, *keys: str) -> Any:
        value: Any = self.tree
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @cached_property
    def flat(self) -> dict[str, Any]:
        """Settings with an effect, by dotted keys without ``class_path`` and ``init_args``."""
        settings = {key: value for key, value in self.tree.items() if key not in IDENTITY}
        flat = {
            key: value for key, value in flatten("", settings) if not WITHOUT_EFFECT.fullmatch(key)
        }
        flat[CALLBACKS] = _with_effect(self._at(*CALLBACKS.split(".")))
        return flat

    @property
    def seed(self) -> int | None:
        """The seed, or None where it is not known (and so every run is another seed)."""
        seed = self.tree.get("seed_everything")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @property
    def regularizer(self) -> str:
        """Its name, with what it wraps: ``Annealed(MMD)``."""
        return regularizer_name(self._at("model", "regularizer"))

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the regularizer and of those that it wraps."""
        return tuple(regularizer_weights(self._at("model", "regularizer")))

    @property
    def prior(self) -> str:
        return class_of(self._at("model", "prior"))

    @property
    def posterior(self) -> str:
        return class_of(self._at("model", "posterior"))


def _with_effect(callbacks: Any) -> tuple[Any, ...]:
    """Callbacks that may change a result: the package's own look on."""
    given = callbacks if isinstance(callbacks, list) else [callbacks] if callbacks else []
    others = [each for each in given if not _path(each).startswith("vae_zoo.callbacks.")]
    return tuple(tuple(flatten("", each)) for each in others)


def flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield ``(dotted key, value)``, a class as its path under the key of the part it fills."""
    if isinstance(value, Mapping):
        if "class_path" in value:
            yield prefix, value["class_path"]
            options = value.get("init_args")
            value = options if isinstance(options, Mapping) else {}  # in a file that is none of fit
        for key, item in value.items():
            yield from flatten(f"{prefix}.{key}".lstrip("."), item)
    elif isinstance(value, list | tuple):
        # A list counts as one value: its items have no names that a column could have.
        yield prefix, tuple(tuple(flatten("", item)) for item in value)
    elif isinstance(value, float):  # a search ends up near the same number again and again
        yield prefix, float(f"{value:.9g}")
    else:
        yield prefix, value if isinstance(value, str | int | None) else str(value)


def class_of(value: Any) -> str:
    """Name of a class without its module, from ``{class_path: ...}`` or a plain string."""
    path = _path(value)
    return path.rpartition(".")[2] if CLASS_PATH.fullmatch(path) else path


def _path(value: Any) -> str:
    path = value.get("class_path") if isinstance(value, Mapping) else value
    return path if isinstance(path, str) else ""


def _arguments(value: Any) -> Mapping[str, Any]:
    arguments = value.get("init_args") if isinstance(value, Mapping) else None
    return arguments if isinstance(arguments, Mapping) else {}


def wrapped(value: Any) -> list[Any]:
    """Regularizers inside a regularizer: its ``inner`` one, or those of a list."""
    inside = []
    for key, item in _arguments(value).items():
        inside += item if isinstance(item, list) else [item] if key == "inner" else []
    return [item for item in inside if CLASS_PATH.fullmatch(_path(item))]


def regularizer_name(value: Any) -> str:
    """Name of a regularizer with those that it wraps: ``Sum(KL + MMD)``."""
    inside = " + ".join(regularizer_name(item) for item in wrapped(value))
    return f"{class_of(value)}({inside})" if inside else class_of(value)


def regularizer_weights(value: Any) -> Iterator[float]:
    """Yield the weights of a regularizer and of those that it wraps, the outer one first."""
    weight = _arguments(value).get("weight")
    outer = bool(wrapped(value))
    if isinstance(weight, int | float) and not (outer and weight == 1):  # says nothing there
        yield float(weight)
    for item in wrapped(value):
        yield from regularizer_weights(item)


def differing(configurations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys on which flat configurations differ, in the order of the first that has them.

    The options of a class count only where two of that class differ: that KL has no ``kernel`` is
    no difference beside the name KL.
    """
    seen: dict[str, set[Any]] = {}
    for flat in configurations:
        for key, value in flat.items():
            seen.setdefault(key, set()).add(value)
    return [key for key in seen if len(seen[key]) > 1 or _lacking(key, configurations)]


def _lacking(key: str, configurations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether, among configurations with the same classes above a key, only some have it."""
    parts = key.split(".")
    above = [".".join(parts[:i]) for i in range(1, len(parts))]
    has: dict[tuple[Any, ...], set[bool]] = {}
    for flat in configurations:
        classes = tuple(flat.get(part) for part in above)
        has.setdefault(classes, set()).add(key in flat)
    return any(len(answers) > 1 for answers in has.values())


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Names for columns: ``model.encoder.hidden`` is ``encoder hidden``, ``…kernel`` ``kernel``."""
    names = {}
    for key in keys:
        shown = key.removeprefix("model.regularizer.")
        names[key] = shown if shown != key or "." not in key else key.partition(".")[2]
    count = Counter(names.values())
    return {
        key: (name if count[name] == 1 else key).replace(".", " ") for key, name in names.items()
    }


def text(value: Any) -> str:
    """A value as people write it: a class without its module, ``256, 256``, ``0.001``."""
    if isinstance(value, tuple):
        return ", ".join(_item(item) for item in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    return class_of(str(value))


def _item(settings: tuple[tuple[str, Any], ...]) -> str:
    first = [text(value) for key, value in settings if not key]
    rest = [f"{key}={text(value)}" for key, value in settings if key]
    return "".join(first) + (f"({', '.join(rest)})" if rest else "")
