"""What is wrong with a sweep file, in one sentence.

The schema is the one that W&B publishes (``schema.md`` says from where). It describes a parameter
as any of twenty kinds, so that its own messages give twenty reasons: here the kind that was meant
is picked first.
"""

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.exceptions import best_match

from vae_zoo.suggestion import did_you_mean
from vae_zoo.sweep.distributions import distribution

# The key that tells a parameter's kind, in the order in which they decide.
_KINDS = {
    "parameters": "param_dict",
    "probabilities": "param_categorical_w_probabilities",
    "values": "param_categorical",
    "value": "param_single_value",
}
_TYPES = {"array": "a list", "object": "a mapping", "string": "a text", "integer": "a whole number"}


@cache
def _validator() -> Draft7Validator:
    schema = resources.files("vae_zoo.sweep").joinpath("schema.json").read_text(encoding="utf-8")
    return Draft7Validator(json.loads(schema))


def suggest(word: Any, known: Iterable[str]) -> str:
    """``Did you mean grid?``, or all that is known where no word is near."""
    known = sorted(known)
    return did_you_mean(word, known) or f"Known: {', '.join(known)}"


def check_schema(config: Any) -> None:
    """Check the content of a sweep file against the schema of W&B.

    Raises:
        ValueError: The first violation: its key path, the value, what would be right.
    """
    if not isinstance(config, dict):
        raise ValueError(f"a sweep file should hold a mapping (method: ...), got {config!r}")
    for name in _names(config):
        if not isinstance(name, str):  # which the schema's patterns would meet with a TypeError
            raise ValueError(f"the key {name!r} should be a text: put it in quotes")
    errors = list(_validator().iter_errors(config))
    if errors:
        # A misspelt key is the reason why the right one is missing.
        raise ValueError(_explain(min(errors, key=lambda e: e.validator != "additionalProperties")))


def _names(block: Any) -> list[Any]:
    """The names of settings and parameters; the keys within a parameter's value are its own."""
    if not isinstance(block, dict):
        return []
    inner = block.get("parameters")
    if not isinstance(inner, dict):
        return list(block)
    return [*block, *inner, *(name for each in inner.values() for name in _names(each))]


def _path(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.absolute_path)


def _explain(error: ValidationError) -> str:
    if error.validator == "anyOf" and "parameters" in error.absolute_path:
        return _explain_parameter(error)
    if [*error.absolute_path] == ["early_terminate"]:
        return f"early_terminate needs min_iter, or max_iter and s, got {error.instance!r}"
    error = best_match([error]) or error
    schema: Any = error.schema
    value: Any = error.instance
    wanted: Any = error.validator_value
    path = _path(error)
    where = f" in {path}" if path else ""
    match error.validator:
        case "additionalProperties":
            name = next(name for name in value if name not in schema["properties"])
            return f"unknown key {name!r}{where}. {suggest(name, schema['properties'])}"
        case "enum":
            return f"{path}: unknown value {value!r}. {suggest(value, wanted)}"
        case "required":
            missing = next(name for name in wanted if name not in value)
            return f"the key {missing!r} is missing{where}"
        case "type":
            return f"{path} should be {_TYPES.get(wanted, f'a {wanted}')}, got {value!r}"
        case "minimum" | "exclusiveMinimum":
            bound = "at least" if error.validator == "minimum" else "above"
            return f"{path} should be {bound} {wanted}, got {value!r}"
        case "minItems" | "minProperties":
            return f"{path} should not be empty"
        case "pattern":
            return f"the name {value!r}{where} should be of letters, digits, `_`, `.` and `-`"
    return f"{path}: {error.message}"


def _explain_parameter(error: ValidationError) -> str:
    """Why a block below ``parameters:`` is none of the kinds that the schema knows."""
    block: Any = error.instance
    path = _path(error)
    if not isinstance(block, dict):
        return f"{path} should be a mapping such as `value: {block}`, got {block!r}"
    given = [key for key in ("parameters", "values", "value") if key in block]
    if len(given) > 1:
        return f"{path} should hold one of `{'` and `'.join(given)}`, got {block!r}"
    kinds: Any = error.validator_value
    for key, kind in _KINDS.items():
        if key in block:
            branch = kinds.index({"$ref": f"#/definitions/{kind}"})
            return _explain(next(e for e in error.context or () if e.schema_path[0] == branch))
    known = _distributions()
    for name in block:
        if name not in known:
            return f"unknown key {name!r} in {path}. {suggest(name, known)}"
    law = block.get("distribution")
    if "distribution" in block and law not in list(known["distribution"]):
        return f"{path}.distribution: unknown value {law!r}. {suggest(law, known['distribution'])}"
    if block:
        try:
            distribution(block, path)
        except ValueError as error:
            return str(error)
    return f"{path} should hold `value`, `values` or `parameters`, got {block!r}"


def _distributions() -> dict[str, set[str]]:
    """The keys of all kinds of parameter, each with the closed list of its values, if any."""
    schema: Any = _validator().schema
    known: dict[str, set[str]] = {}
    for name, definition in schema["definitions"].items():
        if name.startswith("param_"):
            for kind in definition.get("anyOf", [definition]):
                for key, rule in kind["properties"].items():
                    known.setdefault(key, set()).update(rule.get("enum", []))
    return known
