"""Pair files of other benchmarks and libraries: which there are, and what all of them give.

One format is one file beside this one and one line in `FORMATS`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.pairset import PairSet
from pairsets.progress import Step
from pairsets.sources.formats.refusals import why_refused
from pairsets.sources.text.text_lines import read_head

# What a format may bring back as it went; the paths always come back.
KEEPABLE = frozenset({"label", "folds", "human_prediction", "invalid", "order", "identities"})

# Name -> module. Data, so that no module is loaded before its format is asked for.
FORMATS: dict[str, str] = {
    "csv": "pairsets.sources.formats.zaci",
    "lfw": "pairsets.sources.formats.lfw",
    "sllfw": "pairsets.sources.formats.sllfw",
    "calfw": "pairsets.sources.formats.calfw",
    "jsonl": "pairsets.sources.formats.jsonl",
    "parquet": "pairsets.sources.formats.parquet",
    "trials": "pairsets.sources.formats.trials",
    "table": "pairsets.sources.formats.named_columns",
    "ijb": "pairsets.sources.formats.ijb",
    "indices": "pairsets.sources.formats.indices",
    "n-tuples": "pairsets.sources.formats.tuples",
    "pml": "pairsets.sources.formats.pml",
}
# Endings of names that say which format a new file should have.
ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a file of any format, with folds and notes.

    Attributes:
        pairs: the pairs. Where a format has no folders of identities, paths are given one, or
            the pairs' `identities` say who is who; see the format's own module.
        folds: of the pairs, where the format has them.
        notes: sentences on what was inferred, or is not as it was; for the user to read.
        dropped: how many entries were left out, by reason.
    """

    pairs: PairSet
    folds: Folds | None = None
    notes: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folds is not None and len(self.folds.numbers) != len(self.pairs):
            raise SourceError(f"{len(self.folds.numbers)} folds for {len(self.pairs)} pairs")


class Format(Protocol):
    """A module of this package that reads and writes one format.

    Attributes of the module: `NAME`, `SUMMARY` (one line: what the file looks like), `KEEPS`
    (which of `KEEPABLE` come back as they went). Options are keyword parameters of `read` and
    `write`, each with a default; others are refused before the module sees them. Those that several
    formats have mean one thing in all of them:

    - `folds`: so many equal parts of the file, one after the other. Without it they are inferred
      where the labels come in equal blocks, as LFW's 10 of 300 + 300 do;
    - `rule`: who each face shows, where that is not the folder and there are no labels;
    - `suffix`: what follows a picture's number, .jpg by default; .png, or _0.png;
    - `digits`: of a picture's number at least, as usual in the format by default; 1 where noughts
      are left out;
    - `faces`: the folder with the pictures: what of the two is not said is as there.
    """

    NAME: str
    SUMMARY: str
    KEEPS: frozenset[str]

    def looks_like(self, path: Path, head: bytes) -> bool:
        """Whether a file may be of this format: by its name and its first bytes (64 KiB).

        No two formats may say so of one file that either of them can read; but nothing in a file
        tells `ijb` from `indices`, so that it has to be asked.
        """

    def read(self, path: Path, *, progress: Step | None = None, **options: object) -> Pairs:
        """Read a file.

        Args:
            path: of the file.
            progress: called with how much is done and how much there is in all.
            options: of the format.

        Raises:
            SourceError: file, line, what was expected, what came, and the likely cause.
        """

    def write(self, content: Pairs, path: Path, **options: object) -> Pairs:
        """Write a file, atomically; returns what of `content` is in it, with `dropped` and `notes`.

        What comes back has exactly what reading the file gives: see `gathering.held_by`.

        Raises:
            SourceError: the format cannot hold this.
        """


def format_named(name: str) -> Format:
    """The module of a format.

    Raises:
        SourceError: no such format.
    """
    if name not in FORMATS:
        raise SourceError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return cast(Format, importlib.import_module(FORMATS[name]))


def sniff(path: str | Path) -> str:
    """The name of the format of a file, by what is in it.

    Raises:
        SourceError: there is no such file, it is a pickle, or it looks like none of the formats or
            like several.
    """
    path = Path(path)
    found = candidates(path)
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceError(
            f"{path}: could be {' or '.join(found)}; say which with --from-format. There are\n"
            + "\n".join(f"  {name}: {format_named(name).SUMMARY}" for name in found)
        )
    why = why_refused(path, read_head(path))
    if why:
        raise SourceError(why)
    raise SourceError(
        f"{path}: looks like none of the formats of pairs; say which it is with --from-format to "
        "be told what is wrong with it. There are\n"
        + "\n".join(f"  {name}: {format_named(name).SUMMARY}" for name in FORMATS)
    )


def candidates(path: Path) -> list[str]:
    """The names of the formats that a file looks like.

    Raises:
        SourceError: there is no such file, it is empty or a pickle.
    """
    head = read_head(path)
    if not head.strip():
        raise SourceError(f"{path}: empty; expected a file of pairs")
    return [name for name in FORMATS if format_named(name).looks_like(path, head)]


def read_pairs(
    path: str | Path,
    name: str | None = None,
    *,
    progress: Step | None = None,
    **options: object,
) -> Pairs:
    """Read a file of the format of that name or, without one, of the format that it looks like.

    Raises:
        SourceError: no such format, option or file, or the file is not of the format.
    """
    path = Path(path)
    name = name or sniff(path)
    read = format_named(name).read
    _refuse_options(f"reading {name}", read, options)
    return read(path, progress=progress, **options)


def write_pairs(content: Pairs, path: str | Path, name: str, **options: object) -> Pairs:
    """Write a file of the format of that name; returns what of `content` is in it.

    Raises:
        SourceError: no such format or option, or the format cannot hold this.
    """
    write = format_named(name).write
    _refuse_options(f"writing {name}", write, options)
    return write(content, Path(path), **options)


def options_of(function: Callable[..., object]) -> list[str]:
    """The options of a format's `read` or `write`."""
    named = inspect.signature(function).parameters
    return [name for name in named if name not in ("path", "content", "progress")]


def _refuse_options(
    what: str, function: Callable[..., object], options: Mapping[str, object]
) -> None:
    known = options_of(function)
    for name in options:
        if name not in known:
            raise SourceError(
                f"{what} has no option {name!r}; it has {', '.join(known) if known else 'none'}"
            )
