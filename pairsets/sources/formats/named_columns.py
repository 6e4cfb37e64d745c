"""Tables of pairs whose columns are called otherwise than here: CSV, JSON lines or Parquet.

Columns of paths are two names that differ by a, b; 1, 2; left, right; first, second, as
`image_a_path,image_b_path` or `img1,img2`; a label is `is_same`, `label`, `match` and the like, a
fold `fold`, `fold_id`. Where that leaves a choice it is asked for: `columns` names them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.paths import is_image
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.fields import labels
from pairsets.sources.formats.owners import owners
from pairsets.sources.formats.row_tables import columns as columns_in
from pairsets.sources.formats.row_tables import face_of, read_rows, unit_of, write_rows
from pairsets.sources.text.text_lines import read_head
from pairsets.storage.csv_tables import line_cells

NAME = "table"
SUMMARY = (
    "CSV, JSON lines or Parquet with other names of columns: image_a_path,image_b_path,is_same"
)
KEEPS = frozenset({"label", "folds", "order"})
_WRITTEN = ("image_a_path", "image_b_path", "is_same", "fold_id")
_SIDES = frozenset(
    {("a", "b"), ("1", "2"), ("0", "1"), ("l", "r"), ("left", "right"), ("first", "second")}
    | {("one", "two")}
)
# Sides that say enough by themselves.
_PLAIN = frozenset({"left", "right", "first", "second"})
_PATHS = frozenset(
    {"path", "image", "img", "im", "file", "filename", "filepath", "face", "picture", "photo"}
    | {"pic", "name", "jpg", "rel", "relative"}
)
_LABELS = frozenset(
    {"label", "labels", "is_same", "same", "issame", "actual_issame", "is_same_person"}
    | {"same_person", "same_identity", "is_same_identity", "same_character", "is_match", "match"}
    | {"target", "gt", "ground_truth", "genuine", "is_genuine", "mated"}
)
_FOLDS = frozenset({"fold", "fold_id", "fold_index", "fold_number", "fold_no", "foldid", "folds"})
_MOST = 2**31
_ADVICE = "say which with --columns A,B,LABEL or A,B,LABEL,FOLD"


@dataclass(frozen=True)
class Columns:
    """Names of the columns that hold paths, label and fold.

    Attributes:
        a, b: the paths.
        label: the label.
        fold: the fold, if there are any.
    """

    a: str
    b: str
    label: str
    fold: str | None = None

    @classmethod
    def of(cls, text: str) -> Columns:
        """Columns that a user names: `A,B,LABEL` or `A,B,LABEL,FOLD`.

        Raises:
            SourceError: other than three or four names.
        """
        cells = [cell.strip() for cell in line_cells(text)]
        if len(cells) not in (3, 4) or len({*cells}) != len(cells) or not all(cells):
            raise SourceError(
                f"columns {text!r}; expected the names of three or four: A,B,LABEL or "
                "A,B,LABEL,FOLD"
            )
        return cls(*cells)

    @property
    def names(self) -> list[str]:
        """Names of all columns that there are."""
        return [name for name in (self.a, self.b, self.label, self.fold) if name is not None]


def looks_like(path: Path, head: bytes) -> bool:
    """Whether columns are called as two paths are, and one as a label, though not as here."""
    names = columns_in(path, head)
    if {"pathA", "pathB"} <= {*names} or any(name.startswith("negative") for name in names):
        return False
    if any(is_image(name) for name in names):
        return False  # the first pair, without names above it
    return bool(pairs_among(names)) and any(_plain(name) in _LABELS for name in names)


def read(path: Path, *, progress: Step | None = None, columns: str | None = None) -> Pairs:
    """Read a row a pair; other columns are left out, and noted.

    Args:
        path, progress: as in `Format`.
        columns: the names of those of the paths, the label and, where there are any, the folds.

    Raises:
        SourceError: columns that are not there, or have to be chosen; a row that lacks a value, or
            a label or fold that is none.
    """
    head = read_head(path)
    names = columns_in(path, head)
    if columns is None:
        chosen = _found(path, names)
    else:
        chosen = Columns.of(columns)
        absent = [name for name in chosen.names if name not in names]
        if absent:
            raise SourceError(
                f"{path}: no column {', '.join(absent)}; it has {', '.join(names)[:200] or 'none'}"
            )
    sides: tuple[list[str], list[str]] = ([], [])
    said: list[str] = []
    lines: list[int] = []
    folds: list[int] = []
    unit = unit_of(head)
    for line, row in read_rows(path, progress):
        where = f"{path}, {unit} {line}"
        for side, name in zip(sides, (chosen.a, chosen.b), strict=True):
            side.append(face_of(row, name, where))
        label = row.get(chosen.label)
        if label is None or isinstance(label, list | dict):
            raise SourceError(f"{where}: {chosen.label} is {label!r:.60}, expected a label")
        said.append(str(label))
        if chosen.fold is not None:
            folds.append(_fold(row.get(chosen.fold), chosen.fold, where))
        lines.append(line)
    if not lines:
        raise SourceError(f"{path}: a header and no pairs")
    label_of = labels(path, said, lines, unit)
    identities, notes = owners(path, *sides, label_of)
    notes.insert(0, f"read from the columns {', '.join(chosen.names)}")
    others = [name for name in names if name not in chosen.names]
    if others:
        notes.insert(1, f"columns left out: {', '.join(others)}")
    return gather(
        path,
        *sides,
        label_of,
        folds=folds or None,
        lines=lines,
        unit=unit,
        notes=notes,
        identities=identities,
    )


def write(content: Pairs, path: Path) -> Pairs:
    """Write `image_a_path,image_b_path,is_same` and, where there are folds, `fold_id`.

    As Parquet or JSON lines if the name ends so, else as CSV.
    """
    held = held_by(NAME, KEEPS, content)
    pairs = held.pairs
    cells = [pairs.path_a, pairs.path_b, pairs.label.tolist()]
    if held.folds is not None:
        cells.append(held.folds.numbers.tolist())
    ending = None if path.suffix in (".jsonl", ".parquet") else ".csv"
    write_rows(path, _WRITTEN[: len(cells)], zip(*cells, strict=True), ending=ending)
    return held


def pairs_among(names: Sequence[str]) -> list[tuple[str, str]]:
    """The columns that are called as two paths of one pair are, in their order.

    >>> pairs_among(["img1", "img2", "label"])
    [('img1', 'img2')]
    """
    found = []
    words = [_words(name) for name in names]
    for at, one in enumerate(words):
        for other, theirs in enumerate(words):
            if len(one) != len(theirs) or not one:
                continue
            differ = [row for row in zip(one, theirs, strict=True) if row[0] != row[1]]
            rest = {word for word, _ in zip(one, theirs, strict=True)} - {w for w, _ in differ}
            if len(differ) == 1 and differ[0] in _SIDES and _of_paths(rest, differ[0][0]):
                found.append((names[at], names[other]))
    return found


def _of_paths(rest: set[str], side: str) -> bool:
    if not rest:
        return side in _PLAIN
    # Two names alone may be those of people.
    return rest <= _PATHS and rest != {"name"}


def _found(path: Path, names: Sequence[str]) -> Columns:
    """Columns of a table, found by known names.

    Raises:
        SourceError: there are none, or several that might be meant.
    """
    has = f"{path}: it has the columns {', '.join(names)[:200] or 'none'}"
    paths = pairs_among(names)
    if len(paths) > 1:
        paths = [one for one in paths if "path" in _words(one[0])] or paths
    said = [name for name in names if _plain(name) in _LABELS]
    folds = [name for name in names if _plain(name) in _FOLDS]
    for found, what in ((paths, "the two paths"), (said, "the label"), (folds, "the fold")):
        if len(found) > 1:
            listed = " or ".join(one if isinstance(one, str) else ",".join(one) for one in found)
            raise SourceError(f"{has}; {what} could be {listed}: {_ADVICE}")
    if not paths or not said:
        raise SourceError(
            f"{has}; {'no two paths' if not paths else 'no label'} known among them by name (as "
            f"image_a_path, image_b_path, is_same): {_ADVICE}"
        )
    return Columns(*paths[0], said[0], folds[0] if folds else None)


def _words(name: str) -> list[str]:
    """The words of a name: `imageA_path` has image, a, path."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)]


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip()).lower()


def _fold(value: object, name: str, where: str) -> int:
    text = str(value).strip().removesuffix(".0")
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 10:
        raise SourceError(f"{where}: {name} is {value!r:.60}, expected a whole number")
    if int(text) >= _MOST:
        raise SourceError(f"{where}: {name} is {value!r:.60}, expected a fold such as 1")
    return int(text)
