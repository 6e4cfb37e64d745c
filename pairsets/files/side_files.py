"""Side files of a pair file, and how they are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pairsets.errors import OutputError


def manifest_of(out: Path) -> Path:
    """Path of the manifest of the pair file `out`."""
    if out.suffix.lower() == ".json":
        raise OutputError(f"{out}: the manifest's name; expected that of a pair file, such as .csv")
    return out.with_suffix(".json")


def identity_folds_of(pairs: Path) -> Path:
    """Path of the folds of the identities of a pair file.

    >>> identity_folds_of(Path("sets/mine.csv")).as_posix()
    'sets/mine.identity_folds.csv'
    """
    return pairs.with_suffix(".identity_folds.csv")


def mined_folds_of(pairs: Path) -> list[Path]:
    """Paths of the folds that lie beside a pair file that is there, if it was mined within some.

    >>> mined_folds_of(Path("not/there.csv"))
    []
    """
    if not pairs.exists():
        return []
    # The last is what earlier versions called the one before it.
    return [folds_of(pairs), identity_folds_of(pairs), pairs.with_suffix(".characters.csv")]


@dataclass(frozen=True)
class Named:
    """A file, and what to call the model, or the person, in it where the user says so."""

    path: Path
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Named:
        """Parse `NAME=PATH` or `PATH`; a path that exists counts as one, `=` in it or not.

        >>> Named.parse("CCIP=ccip.csv").name
        'CCIP'
        """
        name, sign, path = text.partition("=")
        if not sign or not name or not path or Path(text).exists():
            return cls(Path(text))
        return cls(Path(path), name)


def suspects_of(path: Path) -> Path:
    """Path of the suspects of the pair file `path`."""
    return path.with_suffix(".suspects.csv")


def folds_of(pairs: Path) -> Path:
    """Path of the folds of a pair file.

    >>> folds_of(Path("sets/lfw.csv")).as_posix()
    'sets/lfw.folds.csv'
    """
    return pairs.with_suffix(".folds.csv")


def design_of(pairs: Path) -> Path:
    """Path of the design of a pair file: which part of all pairs each of its negatives stands for.

    >>> design_of(Path("sets/fair.csv")).as_posix()
    'sets/fair.design.csv'
    """
    return pairs.with_suffix(".design.csv")


def store_of(path: Path) -> Path:
    """Path of the verdicts on the pair file `path`."""
    return path.with_suffix(".review.sqlite")
