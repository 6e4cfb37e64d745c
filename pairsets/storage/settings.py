"""Settings of a command, so that another one does not go on with its work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

# Of what differs, so much is told.
_MOST = 3
_LONG = 60
_NOTHING = object()


def settings_of(
    given: Mapping[str, object], *, paths: Collection[str] = (), without: Collection[str] = ()
) -> dict[str, object]:
    """Arguments as JSON holds them: paths as they resolve, what has fields by these.

    Args:
        given: by name, as `locals()` gives a function's arguments in its first line.
        paths: names of those that are paths also where they are text.
        without: names of those that change nothing in the result.
    """
    return {
        name: _plain(value, named=name in paths)
        for name, value in given.items()
        if name not in without
    }


def difference(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """In which settings two differ, for an error.

    >>> difference({"seed": 0, "pairs": 10}, {"seed": 1, "pairs": 10})
    'seed: 0 there, 1 here'
    >>> difference({"rules": {"margin": None, "seed": 0}}, {"rules": {"margin": 1, "seed": 0}})
    'rules.margin: null there, 1 here'
    """
    differing = list(_differing(before, now))
    told = [f"{name}: {_short(a)} there, {_short(b)} here" for name, a, b in differing]
    rest = len(told) - _MOST
    return "; ".join(told[:_MOST]) + (f"; and {rest} more" if rest > 0 else "")


def _differing(
    before: Mapping[str, object], now: Mapping[str, object], front: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Settings that differ, with both values; of settings within others, the inner ones."""
    for name in {**before, **now}:
        a, b = before.get(name, _NOTHING), now.get(name, _NOTHING)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differing(a, b, f"{front}{name}.")
        elif a != b:
            yield f"{front}{name}", a, b


def _short(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def _plain(value: object, *, named: bool = False) -> object:
    if isinstance(value, Path) or (named and isinstance(value, str)):
        return str(Path(value).resolve())
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        known = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"is": type(value).__name__, **known}
    if isinstance(value, Mapping):
        whole = {str(key): _plain(one) for key, one in value.items()}
        if len(whole) <= 100:
            return whole
        # Of long lists, as who each of a million faces shows, only whether they are the same.
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    if isinstance(value, Sequence):
        return [_plain(one, named=named) for one in value]
    return str(value)
