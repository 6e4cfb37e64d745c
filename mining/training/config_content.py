"""Content of a configuration: nested values, as JSON holds them, and the configuration they are.

It is the inverse of `TrainingConfig.content`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from mining.errors import TrainingError
from mining.training.configuration import TrainingConfig
from pairsets.storage.json_files import is_number, short

# Whose keys a loss names, not the configuration.
FREE = ("loss.options",)


def read_content(content: Mapping[str, Any]) -> TrainingConfig:
    """The configuration of nested values; those that are not there stand at their defaults.

    Whole numbers stand for the numbers they are, so that 1 and 1.0 are one configuration.

    Args:
        content: keys as `TrainingConfig.content` has them.

    Raises:
        TrainingError: an unknown key, with all of its path and the nearest known one; a value of
            another kind or out of range.

    >>> read_content({"dim": 64, "optimizer": {"lr": 1}}).optimizer.lr
    1.0
    >>> read_content({"optimizer": {"rl": 1}})
    Traceback (most recent call last):
        ...
    mining.errors.TrainingError: optimizer.rl: no such key; did you mean optimizer.lr?
    """
    made = _made(TrainingConfig, content, "")
    assert isinstance(made, TrainingConfig)
    return made


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted paths, as nested ones.

    >>> nested({"dim": 1, "optimizer.lr": 2, "optimizer.eps": 3})
    {'dim': 1, 'optimizer': {'lr': 2, 'eps': 3}}
    """
    content: dict[str, Any] = {}
    for path, value in values.items():
        *above, last = path.split(".")
        place = content
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return content


def refuse_unknown(keys: Iterable[str], known: Iterable[str], front: str = "") -> None:
    """Refuse the first of `keys` that is not `known`, with the nearest; `front` comes before each.

    Raises:
        TrainingError: it names the key and the one that may have been meant, or all there are.
    """
    names = [*known]
    for key in keys:
        if key in names:
            continue
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
        said = f"did you mean {front}{near[0]}?" if near else f"expected {', '.join(sorted(names))}"
        raise TrainingError(f"{front}{short(key).strip(chr(39))}: no such key; {said}")


def _made(kind: type, content: object, front: str) -> object:
    """An instance of a dataclass from the values of its fields."""
    if not isinstance(content, Mapping):
        raise TrainingError(f"{front.rstrip('.')}: {short(content)}; expected an object")
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)]
    refuse_unknown(content, names, front)
    return kind(**{name: _value(hints[name], one, front + name) for name, one in content.items()})


def _value(hint: Any, value: object, path: str) -> object:
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return _made(hint, value, f"{path}.")
    if path in FREE:
        if not isinstance(value, Mapping):
            raise TrainingError(f"{path}: {short(value)}; expected an object")
        return {key: _number(one, f"{path}.{key}") for key, one in value.items()}
    if isinstance(value, list | dict):
        raise TrainingError(f"{path}: {short(value)}; expected one value")
    if hint is float or float in get_args(hint):
        return None if value is None and hint is not float else _number(value, path)
    return value


def _number(value: object, path: str) -> float:
    if not is_number(value):
        raise TrainingError(f"{path}: {short(value)}; expected a number")
    return float(value)
