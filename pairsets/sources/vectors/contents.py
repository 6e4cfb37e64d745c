"""Contents of a file with vectors, or with names of their rows: arrays and columns of text.

Which of them are the vectors, the names and the identities is told here, for all kinds of files
alike: where that is open it is asked, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.identities.lists import LISTED_IDENTITIES, PATH_COLUMNS
from pairsets.identities.rules import nearly_all_single

# What arrays and columns are called that hold names of rows.
_NAMES = PATH_COLUMNS | {f"{name}s" for name in PATH_COLUMNS} | {"names", "img_names", "keys"}
_IDENTITIES = LISTED_IDENTITIES | {f"{name}s" for name in LISTED_IDENTITIES}
_IDENTITIES |= {"identities", "classes", "y", "names"}
_SHOWN = 8


@dataclass(frozen=True)
class Entry:
    """An array of numbers in a file.

    Attributes:
        shape: of it.
        kind: the name of what it holds, as `float32`.
        read: the array.
    """

    shape: tuple[int, ...]
    kind: str
    read: Callable[[], NDArray[Any]]

    def __str__(self) -> str:
        return f"{self.kind} {self.shape}"


@dataclass(frozen=True)
class Contents:
    """Arrays and columns of text in a file.

    Attributes:
        path: of the file.
        entries: the arrays of numbers, by name.
        texts: the columns of text, by name, as long as they are rows.
        unread: what cannot be read as data, by name, and why.
        lines: of a text file, the line of each row.
        titled: whether the file says what its columns are called.
    """

    path: Path
    entries: Mapping[str, Entry] = field(default_factory=dict)
    texts: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[int] | None = None
    titled: bool = True

    def where(self, row: int) -> str:
        """Words for the place of a row."""
        if self.lines is not None:
            return f"line {self.lines[row]}"
        return f"row {row} (counted from 0)"

    def vectors(self, key: str | None) -> tuple[str, NDArray[Any]]:
        """The array of vectors and its name: the one called `key`, or the only one there may be.

        Raises:
            SourceError: none, several, or one that holds no vectors.
        """
        entry = self._entry(key)
        name = next(name for name, one in self.entries.items() if one is entry)
        called = f"{self.path}" + (f": {name!r}" if len(self.entries) > 1 else "")
        if len(entry.shape) != 2:
            hint = " (for N vectors of D numbers, reshape it)" if len(entry.shape) > 2 else ""
            raise SourceError(
                f"{called}: an array of shape {entry.shape}; expected (N, D), a row a face{hint}"
            )
        if 0 in entry.shape:
            raise SourceError(f"{called}: an empty array {entry.shape}; expected (N, D)")
        if not entry.kind.startswith(("float", "bfloat")):
            raise SourceError(f"{called}: {entry.kind} numbers; {_remedy(entry.kind)}")
        if entry.shape[1] == 1:
            raise SourceError(
                f"{called}: one number a row {entry.shape}; are these scores or labels? Expected "
                "vectors (N, D)"
            )
        return name, entry.read()

    def _entry(self, key: str | None) -> Entry:
        if key is not None:
            if key in self.unread:
                raise SourceError(f"{self.path}: {key!r} {self.unread[key]}")
            if key not in self.entries:
                hint = "; it holds text" if key in self.texts else ""
                raise SourceError(f"{self.path}: no array {key!r}{hint}; {self._listed()}")
            return self.entries[key]
        wide = [one for one in self.entries.values() if len(one.shape) == 2]
        if len(wide) == 1:
            return wide[0]
        if len(wide) > 1:
            raise SourceError(
                f"{self.path}: {len(wide)} arrays may be the vectors; choose one with --key; "
                f"{self._listed()}"
            )
        if len(self.entries) == 1:
            return next(iter(self.entries.values()))
        if self.unread and not self.entries:
            name, why = next(iter(self.unread.items()))
            raise SourceError(f"{self.path}: {repr(name) + ' ' if name else ''}{why}")
        raise SourceError(
            f"{self.path}: none of its arrays has rows of numbers (N, D); {self._listed()}"
        )

    def _listed(self) -> str:
        told = [f"{name!r} ({entry})" for name, entry in self.entries.items()]
        told += [f"{name!r} (text)" for name in self.texts]
        more = f" and {len(told) - _SHOWN:,} more" if len(told) > _SHOWN else ""
        return f"there are {', '.join(told[:_SHOWN])}{more}" if told else "there is nothing in it"

    def names(self, key: str | None) -> tuple[str, Sequence[str]] | None:
        """Names of the rows and what their column is called; None where there is no text.

        Raises:
            SourceError: no such column, or it is open which one is meant.
        """
        choose = f"choose one with --names COLUMN={self.path}"
        if key is not None:
            if key in self.unread:
                raise SourceError(f"{self.path}: {key!r} {self.unread[key]}")
            if key not in self.texts:
                raise SourceError(f"{self.path}: no column of text {key!r}; {self._listed()}")
            return key, self.texts[key]()
        told = [name for name in self.texts if name.lower() in _NAMES]
        if len(told) > 1:
            raise SourceError(
                f"{self.path}: {', '.join(map(repr, told))} may be the names of the rows; {choose}"
            )
        if not told:
            told = [name for name in self.texts if name.lower() not in _IDENTITIES]
            if len(told) != 1:
                if not self.texts:
                    return None
                raise SourceError(
                    f"{self.path}: no column is called path, file or image; {self._listed()}; "
                    f"{choose}"
                )
        return told[0], self.texts[told[0]]()

    def identities(self, key: str | None, names: str) -> tuple[str, Sequence[str]] | None:
        """Who each row shows and what its column is called; None where no column says it.

        Args:
            key: its name; else one that is called as such columns are.
            names: the column of the rows' names.

        Raises:
            SourceError: no such column, several, or one that has another value in each row.
        """
        known = {name: texts for name, texts in self.texts.items() if name != names}
        numbers = {
            name: entry
            for name, entry in self.entries.items()
            if len(entry.shape) == 1 and entry.kind.startswith(("int", "uint"))
        }
        if key is not None:
            if key not in known and key not in numbers:
                raise SourceError(
                    f"{self.path}: no column {key!r} of texts or whole numbers, for "
                    f"--identity-field; {self._listed()}"
                )
            return key, known[key]() if key in known else _texts(numbers[key])
        told = [name for name in (*known, *numbers) if name.lower() in _IDENTITIES]
        if not told:
            return None
        if len(told) > 1:
            raise SourceError(
                f"{self.path}: {', '.join(map(repr, told))} may say who is shown; choose one with "
                "--identity-field, or --identity-level 1 for the folder"
            )
        found = known[told[0]]() if told[0] in known else _texts(numbers[told[0]])
        single = nearly_all_single(found)
        if single is not None:
            raise SourceError(
                f"{self.path}: by its column {told[0]!r} {single[1]:,} of {single[0]:,} identities "
                f"have one face alone; if it says who is shown, --identity-field {told[0]}; if the "
                "folder does, --identity-level 1"
            )
        return told[0], found


def _texts(entry: Entry) -> Sequence[str]:
    return [str(one) for one in entry.read().tolist()]


def _remedy(kind: str) -> str:
    if kind.startswith("complex"):
        return "a similarity of complex vectors is not defined here: save their real parts"
    if kind == "bool":
        return "expected floating point; are these masks or binary codes?"
    return (
        "expected floating point: if these are vectors, save them as float32, multiplied by their "
        "scale; are they pictures or labels?"
    )


def text_array(array: NDArray[Any]) -> Sequence[str]:
    """Texts of an array of NumPy's that holds text or bytes in UTF-8.

    Raises:
        UnicodeDecodeError: bytes that are no UTF-8.
    """
    if array.dtype.kind == "S":
        return [one.decode() for one in array.tolist()]
    return [str(one) for one in np.asarray(array).tolist()]
