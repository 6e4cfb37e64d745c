"""Lists of who is on which picture: `FILE ID` a line as CelebA has it, or a CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pairsets.errors import FacesError
from pairsets.identities.listed_files import placed, stem
from pairsets.identities.rules import WHO_COLUMNS, Naming
from pairsets.paths import base_name, read_lines, why_unsafe
from pairsets.storage.csv_tables import csv_rows

# What columns are called, where they have names.
PATH_COLUMNS = frozenset(
    {"path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path"}
    | {"image_name", "image_id", "img", "img_path", "picture", "face"}
)
LISTED_IDENTITIES = (
    WHO_COLUMNS
    | {"id", "identity_id", "class_id", "person_id", "pid", "subject_id", "vehicle_id"}
)  # fmt: skip
UNTOLD = frozenset({"", "nan", "none", "null"})


@dataclass(frozen=True)
class ByList:
    """Rule by which the identity is what a list says of the picture.

    Attributes:
        path: of the list: lines `FILE ID`, or a CSV with or without a header.
        column: of the identity, where the header does not tell.
    """

    path: Path
    column: str | None = None

    @classmethod
    def of(cls, text: str) -> ByList:
        """Rule of an option's text: `FILE`, or `COLUMN=FILE` where no file is called so."""
        column, sign, file = text.partition("=")
        if sign and column and not Path(text).exists():
            return cls(Path(file), column)
        return cls(Path(text))

    @property
    def said(self) -> str:
        """Option that asks for this rule."""
        column = f"{self.column}=" if self.column is not None else ""
        return f"--identities {column}{self.path.name}"

    def name(self, paths: Sequence[str]) -> Naming:
        """Identities that the list gives to each of these paths.

        A list may name files with folders in front that the paths lack, or without some that they
        have, where that leaves no doubt.

        Raises:
            FacesError: no list, none of the form, columns that have to be chosen, a file listed
                with two identities, or one outside the folder; not one of its files is there.
        """
        table = _Table.read(self.path)
        rows = table.listed(paths, self.column)
        known: dict[str, tuple[int, str]] = {}
        for line, file, identity in rows:
            if leaving := why_unsafe(file):
                raise FacesError(
                    f"{self.path}, line {line}: the path {file!r} {leaving}; expected one inside "
                    "the folder of faces, relative to it"
                )
            before = known.setdefault(file, (line, identity))
            if before[1] != identity:
                raise FacesError(
                    f"{self.path}, line {line}: {file!r} is {identity!r}, but {before[1]!r} in "
                    f"line {before[0]}; expected one identity a picture"
                )
        places, how = placed(self.path, list(known), paths)
        found: list[str | None] = [None] * len(paths)
        untold = 0
        listed = [False] * len(paths)
        for file, (_, identity) in known.items():
            row = places.get(file)
            if row is not None:
                listed[row] = True
                found[row] = None if identity.lower() in UNTOLD else identity
                untold += found[row] is None
        left_out = {
            f"not in the list {self.path.name}": listed.count(False),
            f"without an identity in {self.path.name}": untold,
        }
        absent = [file for file in known if file not in places]
        notes = [how] if how else []
        if absent:
            notes.append(
                f"{self.path}: {len(absent):,} of its {len(known):,} files are not among the "
                f"pictures, {absent[0]!r} for one."
            )
        if not any(name is not None for name in found):
            raise FacesError(f"{self.path}: says of none of the {len(paths):,} pictures who it is")
        return Naming(found, {what: count for what, count in left_out.items() if count}, notes)


class _Names(NamedTuple):
    """Paths of pictures, and base names with and without their endings."""

    paths: frozenset[str]
    whole: frozenset[str]
    bare: frozenset[str]

    @classmethod
    def of(cls, paths: Sequence[str]) -> _Names:
        whole = frozenset(map(base_name, paths))
        return cls(frozenset(paths), whole, frozenset(map(stem, whole)))

    def has(self, path: str) -> bool:
        """Whether a picture is called so, with its ending, another one, or none."""
        base = base_name(plain_path(path))
        return base in self.whole or base in self.bare or stem(base) in self.bare

    def parted(self, cells: Sequence[str]) -> Sequence[str]:
        """The words of two cells, parted beside those that are a picture, if any are."""
        words = " ".join(cells).split(" ")
        parts = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
        exact = [part for part in parts for cell in part if plain_path(cell) in self.paths]
        # A first cell is a picture's with its last word, and a second whatever stands before it.
        near = [part for part in reversed(parts) if self.has(part[0])]
        near += [part for part in reversed(parts) if self.has(part[1])]
        return next(iter([*exact, *near]), cells)


@dataclass(frozen=True)
class _Table:
    """The rows of a list, with their lines; the header where there may be one."""

    path: Path
    lines: Sequence[int]
    rows: Sequence[Sequence[str]]
    commas: bool

    @classmethod
    def read(cls, path: Path) -> _Table:
        """Read a CSV (or with tabs or semicolons), or lines of a file and an identity.

        Raises:
            FacesError: no such file, not text, or rows of several lengths.
        """
        text = read_lines(path, "list of identities")
        first = next((line for line in text if line.strip()), None)
        if first is None:
            raise FacesError(f"{path}: empty; expected lines FILE ID, or a CSV with a header")
        comma = next((sign for sign in ",\t;" if sign in first), None)
        lines: list[int] = []
        rows: list[list[str]] = []
        for line, cells in _cells(path, text, comma):
            if rows and len(cells) != len(rows[0]):
                raise FacesError(
                    f"{path}, line {line}: {len(cells)} values, and {len(rows[0])} in line "
                    f"{lines[0]}; expected as many in each"
                    + ("; is a comma in one not quoted?" if comma == "," else "")
                )
            lines.append(line)
            rows.append(cells)
        if not rows:  # of cells that are blank, every one
            raise FacesError(f"{path}: no row with a value; expected FILE ID, or a CSV")
        if len(rows[0]) < 2:
            raise FacesError(
                f"{path}, line {lines[0]}: {first.strip()[:60]!r}; expected FILE ID, or a CSV"
            )
        return cls(path, lines, rows, comma is not None)

    def listed(self, paths: Sequence[str], column: str | None) -> Iterator[tuple[int, str, str]]:
        """Line, file and identity of each row.

        Raises:
            FacesError: it does not tell which columns they are in.
        """
        names = _Names.of(paths)
        if not self.commas:
            if column is not None:
                raise FacesError(f"{self.path}: no column {column!r}; it is no CSV with a header")
            yield from self._parted(names)._untitled(names)
            return
        header = [cell.strip() for cell in self.rows[0]]
        low = [cell.lower() for cell in header]
        titled = not any(base_name(plain_path(cell)) in names.whole for cell in header)
        titled = titled and (column in header or bool({*low} & (PATH_COLUMNS | LISTED_IDENTITIES)))
        body = range(int(titled), len(self.rows))
        if not body:
            raise FacesError(f"{self.path}: a header and no rows")
        if not titled and column is not None:
            raise FacesError(
                f"{self.path}: no column {column!r}; its first line is {','.join(header)[:80]!r}"
            )
        if titled:
            file, identity = self._by_title(header, low, names, column)
        else:
            file, identity = self._by_content(names, body)
        yield from self._told(file, identity, body)

    def _untitled(self, names: _Names) -> Iterator[tuple[int, str, str]]:
        body = range(len(self.rows))
        fits = any(any(self._hits(at, names, body)) for at in (0, 1))
        yield from self._told(*(self._by_content(names, body) if fits else (0, 1)), body)

    def _told(self, file: int, identity: int, body: range) -> Iterator[tuple[int, str, str]]:
        for at in body:
            cells = self.rows[at]
            yield self.lines[at], plain_path(cells[file].strip()), cells[identity].strip()

    def _parted(self, names: _Names) -> _Table:
        """Lines parted where a picture's name ends or begins, since both may have blanks.

        Raises:
            FacesError: they are of three values or more, some of them numbers.
        """
        rows = [cells if " " not in cells[0] else names.parted(cells) for cells in self.rows]
        _refuse_numbers(self.path, self.lines, rows, names)
        return replace(self, rows=rows)

    def _by_title(
        self, header: Sequence[str], low: Sequence[str], names: _Names, column: str | None
    ) -> tuple[int, int]:
        """Numbers of the two columns by their names."""
        shown = f"there are {', '.join(map(repr, header))}"
        if column is not None and column not in header:
            raise FacesError(f"{self.path}: no column {column!r}; {shown}")
        body = range(1, len(self.rows))
        mine = None if column is None else header.index(column)
        files = [at for at, name in enumerate(low) if name in PATH_COLUMNS and at != mine]
        files = files or [at for at in range(len(header)) if at != mine]
        hits = {at: self._hits(at, names, body) for at in files}
        file = max(files, key=lambda at: hits[at])
        if not any(hits[file]) and not (len(files) == 1 and low[file] in PATH_COLUMNS):
            raise FacesError(
                f"{self.path}: no column holds paths or names of the pictures; {shown}"
            )
        if mine is not None:
            return file, mine
        told = [at for at, name in enumerate(low) if name in LISTED_IDENTITIES and at != file]
        if not told and len(header) == 2:
            told = [1 - file]
        if len(told) != 1:
            what = "no column is" if not told else f"{len(told)} columns may be"
            raise FacesError(
                f"{self.path}: {what} the identity; {shown}. Choose with --identities "
                f"COLUMN={self.path.name}"
            )
        return file, told[0]

    def _by_content(self, names: _Names, body: range) -> tuple[int, int]:
        """Numbers of the two columns by which one names pictures."""
        width = len(self.rows[0])
        hits = [self._hits(at, names, body) for at in range(width)]
        if width != 2 or not any(max(hits)):
            what = f"{width} columns without a header" if width != 2 else "no header"
            why = "" if any(max(hits)) else ", and none holds paths or names of the pictures"
            raise FacesError(
                f"{self.path}: {what}{why}; expected a header with a column of paths (path, file, "
                "image) and one of identities (identity, label, id)"
            )
        file = hits.index(max(hits))
        return file, 1 - file

    def _hits(self, column: int, names: _Names, body: range) -> tuple[int, int]:
        """Number of cells that name a picture, and of those that do but for an ending."""
        cells = [base_name(plain_path(self.rows[at][column].strip())) for at in body]
        return sum(cell in names.whole for cell in cells), sum(c in names.bare for c in cells)


def _cells(path: Path, text: Sequence[str], comma: str | None) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not empty."""
    if comma is not None:
        rows = csv_rows(path, (f"{line}\n" for line in text), error=FacesError, mark=comma)
        yield from ((line, cells) for line, cells in rows if any(map(str.strip, cells)))
        return
    for line, row in enumerate(text, 1):
        if row.strip():
            # Which of both has blanks is told by the pictures: see `_Names.parted`.
            yield line, row.strip().rsplit(None, 1)


def _refuse_numbers(
    path: Path, lines: Sequence[int], rows: Sequence[Sequence[str]], names: _Names
) -> None:
    """Raise FacesError where there are as many values beside each picture, numbers in one place.

    A name may have several words; then these are no numbers.
    """
    values = [cells[names.has(cells[0])].split() for cells in rows]
    width = len(values[0])
    if width < 2 or any(len(words) != width for words in values):
        return
    if any(all(words[at].isdigit() for words in values) for at in range(width)):
        raise FacesError(
            f"{path}, line {lines[0]}: {' '.join(rows[0])[:60]!r}; which value is the identity? "
            "Expected FILE ID, or a CSV with a header that names its columns"
        )


def plain_path(path: str) -> str:
    """A path in its plain spelling, `/`-separated."""
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path
