"""JSON that anybody may have written, cut off or damaged: read whole, or refused by one error.

Every manifest, sidecar and settings file is read here, so that what `json` raises of its own
(`RecursionError`, a number of 5,000 digits, half of a surrogate pair that no file can hold) is said
like all else that is wrong with a file.

    found = read_object(path, "the manifest of a submission", error=SubmissionError)
    found.text("model"), found.count("pairs", least=1)
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

from pairsets.errors import PairsetsError

# Bytes of what describes other files; what holds data has no such limit.
MOST = 2**26
# Nothing that we read is nested deeper, and what is cannot be shown or written again either.
DEEPEST = 100
# Numbers that NumPy and SQLite can hold.
LARGEST = 2**63 - 1
_SHOWN = 60
# How JSON in ASCII writes surrogates, of which half a pair is no text.
_ESCAPED = (b"\\ud", b"\\uD")

Fail = Callable[[str], Exception]


class JsonError(PairsetsError):
    """A file that is no JSON, or not of the form expected."""


def read_json(
    path: Path,
    what: str,
    *,
    error: Fail = JsonError,
    most: int | None = MOST,
    constants: bool = False,
    surrogates: bool = False,
    comment: str | None = None,
) -> Any:
    """Read what a JSON file holds.

    Args:
        path: of the file: UTF-8, with or without a byte-order mark.
        what: it is, as `the manifest of embeddings`, for errors.
        error: makes the error of a message.
        most: bytes that it may have; None for any number.
        constants: let numbers be NaN or infinite, which JSON has no words for.
        surrogates: let texts have halves of surrogate pairs, which no file name and no UTF-8 has.
        comment: a key that may be there several times, as other projects write comments.

    Raises:
        JsonError, or what `error` makes: not UTF-8, not JSON, a key that is there twice, nested
            too deeply, or larger than `most`.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read() if most is None else stream.read(most + 1)
    if most is not None and len(data) > most:
        raise error(f"{path}: larger than {most:,} bytes; is it {what}?")
    return parse_json(
        data,
        str(path),
        what,
        error=error,
        constants=constants,
        surrogates=surrogates,
        comment=comment,
    )


def parse_json(
    data: bytes | str,
    where: str,
    what: str,
    *,
    error: Fail = JsonError,
    constants: bool = False,
    surrogates: bool = False,
    comment: str | None = None,
) -> Any:
    """Parse JSON that is in memory; `where` it is from is for errors.

    Args and errors are those of `read_json`.

    >>> parse_json('{"a": 1, "a": 2}', "x.json", "a set")
    Traceback (most recent call last):
        ...
    pairsets.storage.json_files.JsonError: x.json: 'a' is there twice in one object; expected a set
    """

    def twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found, keys = dict(pairs), [key for key, _ in pairs if key != comment]
        if len({*keys}) != len(keys):
            again = Counter(keys).most_common(1)[0][0]
            raise _TwiceError(f"{short(again)} is there twice in one object")
        return found

    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        found = json.loads(
            text,
            object_pairs_hook=twice,
            parse_constant=None if constants else _no_constant,
            parse_float=None if constants else _finite,
        )
    except UnicodeDecodeError as fault:
        raise error(f"{where}: not UTF-8 text at byte {fault.start}; expected {what}") from None
    except RecursionError:
        raise error(f"{where}: nested too deeply; expected {what}") from None
    except _TwiceError as fault:
        raise error(f"{where}: {fault}; expected {what}") from None
    except ValueError as fault:  # not JSON, a constant, a number of too many digits
        raise error(f"{where}: not JSON ({fault}); expected {what}") from None
    if _depth(found) > DEEPEST:
        raise error(f"{where}: nested too deeply; expected {what}")
    half = "" if surrogates else _half_in(data, found)
    if half:
        raise error(
            f"{where}: half of a surrogate pair (U+{ord(half):04X}) in a text; expected {what}"
        )
    return found


def json_text(content: Mapping[str, object]) -> str:
    """Text of an object in a file of ours: indented, in its own key order."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_object(
    path: Path,
    what: str,
    *,
    error: Fail = JsonError,
    most: int | None = MOST,
    constants: bool = False,
) -> JsonObject:
    """The object that a JSON file holds; args and errors are those of `read_json`.

    Raises:
        JsonError, or what `error` makes: as `read_json`; or it is no object.
    """
    found = read_json(path, what, error=error, most=most, constants=constants)
    return JsonObject.of(found, str(path), what, error=error)


@dataclass(frozen=True)
class JsonObject:
    """An object of JSON that nobody vouches for, whose values are asked for by kind.

    Each getter raises what `error` makes, with the file, the key, what was expected and what came.

    Attributes:
        content: the object.
        where: it is from, for errors.
        error: makes the error of a message.
    """

    content: Mapping[str, Any]
    where: str
    error: Fail = JsonError

    @classmethod
    def of(cls, value: object, where: str, what: str, *, error: Fail = JsonError) -> JsonObject:
        """`value`, if it is an object; `what` was expected."""
        if not isinstance(value, dict):
            raise error(f"{where}: {short(value)}; expected {what}, an object")
        return cls(value, where, error)

    def __contains__(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.content.get(key) is not None

    def text(self, key: str, *, empty: bool = False) -> str:
        """A text, not empty unless that may be."""
        value = self.content.get(key)
        if not isinstance(value, str) or not (value or empty):
            self.refuse(key, "a text")
        return value

    def count(self, key: str, *, least: int = 0, most: int = LARGEST) -> int:
        """A whole number within limits; true and 1.0 are none."""
        value = self.content.get(key)
        if type(value) is not int or not least <= value <= most:
            limit = "or more" if most == LARGEST else f"to {most}"
            self.refuse(key, f"a whole number, {least} {limit}")
        return value

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self.content.get(key)
        if not isinstance(value, list):
            self.refuse(key, "a list")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        value = self.content.get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.refuse(key, "a list of texts")
        return value

    def inner(self, key: str) -> JsonObject:
        """An object within."""
        value = self.content.get(key)
        if not isinstance(value, dict):
            self.refuse(key, "an object")
        return JsonObject(value, f"{self.where}: {key}", self.error)

    def objects(self, key: str) -> list[JsonObject]:
        """A list of objects."""
        value = self.content.get(key)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(key, "a list of objects")
        return [
            JsonObject(one, f"{self.where}: {key} {at}", self.error)
            for at, one in enumerate(value, 1)
        ]

    def refuse(self, key: str, expected: str) -> NoReturn:
        """Raise the error that another value was expected."""
        came = short(self.content[key]) if key in self.content else "missing"
        raise self.error(f"{self.where}: {key} is {came}; expected {expected}")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of JSON is a number that a float can hold; true and false are none."""
    if isinstance(value, int):
        return type(value) is int and abs(value) < 2**1023
    return isinstance(value, float)


def short(value: object) -> str:
    """A value as a message shows it.

    >>> short([1] * 99)[-9:], short(10**400)
    (' 1, 1,...', 'a number of 1329 bits')
    """
    # Numbers of some thousand digits cannot be shown at all.
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


class _TwiceError(Exception):
    """A key that is there twice."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:_SHOWN]} is too large a number")
    return value


def _depth(found: object) -> int:
    """Depth to which a value is nested, or so much of it as is too deep."""
    depth, level = 0, [found] if isinstance(found, dict | list) else []
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
    return depth


def _half_in(data: bytes | str, found: object) -> str:
    """The first half of a surrogate pair in a text within; empty where there is none."""
    if isinstance(data, bytes) and not any(mark in data for mark in _ESCAPED):
        return ""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return error.object[error.start]
    return ""
