"""PairSet: the five-column pair file of ZACI-20, read and written strictly."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import PairSetError
from pairsets.face_codes import Codes, FaceCodes, blocks, of_each
from pairsets.faces import Faces, differing, identified, identity_of
from pairsets.identities.rules import Rule, some
from pairsets.paths import base_name, strings, why_unsafe
from pairsets.storage.artefacts import atomic_write, write_json
from pairsets.storage.csv_tables import csv_cells, open_table, read_table, table_rows, write_csv
from pairsets.storage.digests import rows_digest
from pairsets.storage.manifests import refuse_other
from pairsets.storage.publication import written_together
from pairsets.storage.spreadsheets import copy_hint

COLUMNS = ("pathA", "pathB", "label", "human_prediction", "invalid")
# Those of a file that says no more: nobody judged its pairs, and all count.
SHORT = COLUMNS[:3]
IDENTITY_COLUMNS = ("path", "identity")
# What cells of the last three columns say.
VALUES = {
    "label": {"0": 0, "1": 1},
    "human_prediction": {"0": 0, "1": 1, "-1": -1},
    "invalid": {"0": 0, "1": 1},
}

# What the last columns say where they are missing, after the label, which never is.
_UNTOLD = (0, -1, 0)

# Read at a time.
_ROWS = 1 << 14

# Tells what to do with a file that is no pair file, by its forms of other projects: many modules,
# all above this one, loaded for such a file alone.
_ADVISER = "pairsets.sources.formats.advice"

# Turns pair sets into tables and back; above this one, too.
_FRAMES = "pairsets.pair_frames"

# Turns pair sets into what notebooks show; above this one, too.
_NOTEBOOK = "pairsets.report.notebook_tables"

# The two paths of a pair, the smaller one (by code point) first.
PairKey = tuple[str, str]


def pair_key(a: str, b: str) -> PairKey:
    """Key of a pair of faces, equal for both orders of the two.

    >>> pair_key("b/1", "a/1")
    ('a/1', 'b/1')
    """
    return (a, b) if a < b else (b, a)


class NotebookTable(Protocol):
    """Table that a notebook shows by itself."""

    def _repr_html_(self) -> str: ...


@dataclass(frozen=True, eq=False, repr=False)
class PairSet:
    """Pairs of faces with their labels and what a person said of them.

    Attributes:
        path_a, path_b: `[N]` str, relative to the faces folder, `/`-separated.
        label: `[N]` int8, 1 same identity, 0 different.
        human_prediction: `[N]` int8, 1 same, 0 different, -1 not judged.
        invalid: `[N]` int8, 1 = the row does not count.
        identities: who each face shows, by its path, where that is not everywhere the folder; it
            may know of other faces, too. In a file of its own, `PAIRS.identities.csv`, beside the
            pair file.
        codes: the faces by number, and the two of each pair.

    The arrays are read-only copies.

    Raises:
        PairSetError: another length or value, a path that leaves its folder, a face paired with
            itself, a pair listed twice (in either order), or a face that `identities` lacks.
    """

    path_a: NDArray[np.object_]
    path_b: NDArray[np.object_]
    label: NDArray[np.int8]
    human_prediction: NDArray[np.int8]
    invalid: NDArray[np.int8]
    identities: Mapping[str, str] | None = None
    codes: FaceCodes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "path_a", strings(self.path_a))
        set_field(self, "path_b", strings(self.path_b))
        for name in COLUMNS[2:]:
            set_field(self, name, _flags(name, getattr(self, name), len(self.path_a)))
        if len(self.path_b) != len(self.path_a):
            raise PairSetError(f"{len(self.path_a)} paths A for {len(self.path_b)} paths B")
        self._settle(FaceCodes.of(self.path_a, self.path_b))

    def _settle(self, codes: FaceCodes, *, sound: bool = False) -> None:
        """Keep the numbers of the faces; refuse pairs that are not as they should be."""
        if not sound and not codes.sound():
            row, told = _first_problem(self.path_a, self.path_b) or (0, "")  # type: ignore[arg-type]
            raise PairSetError(f"pair {row + 1}: {told}")
        object.__setattr__(self, "codes", codes)
        self._refuse_unnamed()

    def _refuse_unnamed(self) -> None:
        if self.identities is not None:
            unnamed = [path for path in self.paths if path not in self.identities]
            if unnamed:
                raise PairSetError(f"no identity of {some(unnamed)} known; expected one a face")

    @classmethod
    def of(
        cls,
        path_a: Iterable[str],
        path_b: Iterable[str],
        label: ArrayLike,
        human_prediction: ArrayLike = -1,
        invalid: ArrayLike = 0,
        *,
        identities: Mapping[str, str] | None = None,
    ) -> PairSet:
        """A pair set from columns; one value stands for a whole column."""
        first = strings(path_a)

        def column(value: ArrayLike) -> NDArray[np.int8]:
            return np.broadcast_to(np.asarray(value), first.shape) if np.ndim(value) == 0 else value  # type: ignore[return-value]

        flags = column(label), column(human_prediction), column(invalid)
        return cls(first, strings(path_b), *flags, identities)

    @classmethod
    def coded(
        cls,
        codes: FaceCodes,
        label: ArrayLike,
        human_prediction: ArrayLike = -1,
        invalid: ArrayLike = 0,
        *,
        identities: Mapping[str, str] | None = None,
        sound: bool = False,
    ) -> PairSet:
        """A pair set of numbered faces, so that millions of paths need not be numbered again.

        The caller vouches for pairs that are `sound`, see `FaceCodes.sound`, such as some of those
        of a pair set.
        """
        found = object.__new__(cls)
        columns: dict[str, Any] = {"path_a": codes.path_a, "path_b": codes.path_b}
        for name, value in zip(COLUMNS[2:], (label, human_prediction, invalid), strict=True):
            given = np.broadcast_to(np.asarray(value), len(codes)) if np.ndim(value) == 0 else value
            columns[name] = _flags(name, given, len(codes))
        for name, column in (columns | {"identities": identities}).items():
            object.__setattr__(found, name, column)
        found._settle(codes, sound=sound)
        return found

    @classmethod
    def read(cls, path: str | Path, rule: Rule | None = None) -> PairSet:
        """Read a five-column CSV; a byte-order mark, CRLF and quoted commas are understood.

        One of three columns, `pathA,pathB,label`, is read as valid pairs that nobody judged.
        Identities are what `rule` says, else those of `PAIRS.identities.csv` where it lies beside
        the file, else the folders.

        Raises:
            FacesError: the rule does not fit the paths.
            PairSetError: the message gives the file, the line, what was expected and what came; or
                the manifest beside the file describes another one.
        """
        path = Path(path)
        # What is no file, as a pipe, can be read but once.
        if path.is_file():
            with open_table(path, "pair file") as stream:
                found = _columns(csv.reader(stream, strict=True))
            if found is not None:
                sound = None
                with suppress(PairSetError):
                    sound = cls.coded(found[0], *found[1])
                if sound is not None:
                    refuse_other(path, lambda: sound.rows_sha256)
                    return sound._told(path, rule)
        # Something is wrong: only then is the file read row by row, to tell in which line.
        try:
            lines, columns = _parse(path)
        except PairSetError as error:
            told = importlib.import_module(_ADVISER).advice(path)
            raise PairSetError(told or str(error)) from None
        problem = _first_problem(columns["pathA"], columns["pathB"])
        if problem:
            row, text = problem
            raise PairSetError(f"{path}, line {lines[row]}: {text}")
        found_rows = cls(*(columns[name] for name in COLUMNS))  # type: ignore[arg-type]
        refuse_other(path, lambda: found_rows.rows_sha256)
        return found_rows._told(path, rule)

    def write(self, path: str | Path, manifest: Mapping[str, object] | None = None) -> Path:
        """Write the five columns as CSV and, if given, `manifest` as JSON beside it.

        Identities that are not the folders go into `PAIRS.identities.csv`; one that lay beside
        another pair file of this name is removed.
        """
        path = Path(path)
        beside, names = identities_of(path), self.named
        files = [path, *([] if names is None else [beside])]
        described = None if manifest is None else path.with_suffix(".json")
        if described is not None:
            files.append(described)
        stale = [beside] if names is None else []
        with written_together(files, manifest=described, stale=stale) as folder:
            if names is not None:
                write_csv(folder / beside.name, IDENTITY_COLUMNS, names.items())
            with atomic_write(folder / path.name) as stream:
                stream.write((",".join(COLUMNS) + "\n").encode())
                stream.writelines(self._lines())
            if manifest is not None and described is not None:
                content = {**manifest, "rows_sha256": self.rows_sha256}
                write_json(folder / described.name, content)
        return path

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> PairSet:
        """A pair set of the rows of a table, as `to_frame` makes it.

        Columns `pathA`, `pathB` and `label` must be there; `human_prediction`, `invalid`,
        `identityA` and `identityB` may; others are not looked at, nor is the index.

        Raises:
            PairSetError: a column is missing, a cell is not what it may be, a face has two
                identities, or as `PairSet`.
        """
        found: PairSet = importlib.import_module(_FRAMES).pairs_of(frame)
        return found

    def to_frame(self) -> pd.DataFrame:
        """Table of the pairs: the columns of the file, and `identityA`, `identityB`."""
        found: pd.DataFrame = importlib.import_module(_FRAMES).frame_of(self)
        return found

    def show(
        self,
        faces: Faces | str | Path | None = None,
        scores: ArrayLike | None = None,
        *,
        most: int = 10,
    ) -> NotebookTable:
        """Table of the first pairs that a notebook shows, with their faces.

        Args:
            faces: that the paths are of, or their folder; None shows names alone.
            scores: `[N]`, one a row.
            most: how many pairs.

        Raises:
            PairSetError: scores of another number than the pairs, or `most` below 1.
            FacesError: a face is missing, unreadable or outside its folder.
        """
        made: NotebookTable = importlib.import_module(_NOTEBOOK).PairTable.of(
            self, faces, scores, most=most
        )
        return made

    def _repr_html_(self) -> str:
        """Table of the first pairs, as a notebook shows it; `show` has the faces, too."""
        return self.show()._repr_html_()

    def _lines(self) -> Iterator[bytes]:
        """The rows as lines of a pair file, some thousands at a time."""
        cells = np.array([cell + b"," for cell in csv_cells(self.codes.faces)], object)
        ends = np.array(
            [
                f"{label},{said},{invalid}\n".encode()
                for label in (0, 1)
                for said in (-1, 0, 1)
                for invalid in (0, 1)
            ],
            object,
        )
        for rows in blocks(len(self)):
            columns = self.label[rows], self.human_prediction[rows], self.invalid[rows]
            line = np.empty((len(columns[0]), 3), object)
            line[:, 0], line[:, 1] = cells[self.codes.a[rows]], cells[self.codes.b[rows]]
            line[:, 2] = ends[6 * columns[0] + 2 * (columns[1] + 1) + columns[2]]
            yield b"".join(line.ravel().tolist())

    @property
    def rows_sha256(self) -> str:
        """SHA-256 of paths and labels, row by row, whatever was judged: as a manifest has it."""
        return rows_digest(self.path_a, self.path_b, self.label)

    def __len__(self) -> int:
        return len(self.path_a)

    def __repr__(self) -> str:
        out = int((self.invalid != 0).sum())
        left = f", {out:,} more invalid" if out else ""
        people = f", {int(self.judged.sum()):,} judged" if self.judged.any() else ""
        return (
            f"PairSet({int(self.positives.sum()):,} positives, {int(self.negatives.sum()):,} "
            f"negatives of {len(self.codes.faces):,} faces{people}{left})"
        )

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`[N]`: whether each row counts, not being marked invalid."""
        return np.asarray(self.invalid == 0)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """`[N]`: valid rows that a person judged."""
        return np.asarray(self.valid & (self.human_prediction >= 0))

    @property
    def positives(self) -> NDArray[np.bool_]:
        """`[N]`: valid rows of one identity."""
        return np.asarray(self.valid & (self.label == 1))

    @property
    def negatives(self) -> NDArray[np.bool_]:
        """`[N]`: valid rows of different identities."""
        return np.asarray(self.valid & (self.label == 0))

    @property
    def paths(self) -> list[str]:
        """The distinct face paths, sorted."""
        return sorted(self.codes.faces.tolist())

    @property
    def keys(self) -> list[PairKey]:
        """Keys, `N`, that tell each pair from the others, whatever the order of its faces."""
        return list(map(pair_key, self.path_a, self.path_b))

    @property
    def named(self) -> Mapping[str, str] | None:
        """Identity by path, of exactly these faces; None where the folders say it."""
        if self.identities is None:
            return None
        return differing({path: self.identities[path] for path in self.paths})

    @cached_property
    def identity_a(self) -> NDArray[np.object_]:
        """`[N]`: who the first face of each pair shows."""
        return of_each(self._named, self.codes.a)

    @cached_property
    def identity_b(self) -> NDArray[np.object_]:
        """`[N]`: who the second face of each pair shows."""
        return of_each(self._named, self.codes.b)

    @cached_property
    def _named(self) -> NDArray[np.object_]:
        """`[K]`: who each face shows."""
        return strings(identified(self.codes.faces, self.identities))

    @property
    def contradicting(self) -> NDArray[np.bool_]:
        """`[N]`: valid rows whose label says another thing than the identities of their faces.

        Positives of two identities, and negatives of one.
        """
        owners, _ = pd.factorize(self._named)
        same = owners[self.codes.a] == owners[self.codes.b]
        return np.asarray(self.valid & (same != (self.label == 1)))

    def identity(self, path: str) -> str:
        """Identity that a face shows.

        >>> pairs = PairSet.of(["1.jpg"], ["2.jpg"], 0, identities={"1.jpg": "rei", "2.jpg": "a"})
        >>> pairs.identity("1.jpg"), PairSet.of(["rei/1"], ["a/1"], 0).identity("rei/1")
        ('rei', 'rei')
        """
        return identity_of(path) if self.identities is None else self.identities[path]

    def with_identities(self, identities: Mapping[str, str] | None) -> PairSet:
        """Copy in which `identities` says who is on the faces; None is the folders.

        Raises:
            PairSetError: it lacks a face.
        """
        return self._of(self.codes, slice(None), identities)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> PairSet:
        """The pair set of some rows, by mask or by number."""
        # Of rows by number, one may come twice.
        sound = np.asarray(rows).dtype == np.bool_
        return self._of(self.codes.take(rows), rows, self.identities, sound=sound)

    def _of(
        self,
        codes: FaceCodes,
        rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
        identities: Mapping[str, str] | None,
        *,
        sound: bool = True,
    ) -> PairSet:
        flags = (getattr(self, name)[rows] for name in COLUMNS[2:])
        return PairSet.coded(codes, *flags, identities=identities, sound=sound)

    def names(self, row: int) -> tuple[str, str]:
        """The two identities of a row."""
        return self.identity(self.path_a[row]), self.identity(self.path_b[row])

    def named_by(self, rule: Rule) -> PairSet:
        """Copy in which `rule` says who is on the faces.

        Raises:
            FacesError: it does not fit the paths.
            PairSetError: it says of a face that it is nobody.
        """
        paths = self.paths
        names = rule.name(paths).identities
        nobody = [path for path, name in zip(paths, names, strict=True) if name is None]
        if nobody:
            raise PairSetError(f"{rule.said}: {some(nobody)} nobody by it, and stands in a pair")
        told = {path: name for path, name in zip(paths, names, strict=True) if name is not None}
        return self.with_identities(differing(told))

    def _told(self, path: Path, rule: Rule | None) -> PairSet:
        if rule is not None:
            return self.named_by(rule)
        identities = read_identities(identities_of(path), self.paths)
        return self if identities is None else self.with_identities(identities)

    @staticmethod
    def _fields() -> tuple[str, ...]:
        return ("path_a", "path_b", *COLUMNS[2:])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PairSet):
            return False
        told = self.identities is not None or other.identities is not None
        names = (*self._fields(), *(("identity_a", "identity_b") if told else ()))
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]


def identities_of(pairs: Path) -> Path:
    """Path of the file of identities beside a pair file, where they are not the folders.

    >>> identities_of(Path("sets/market.csv")).as_posix()
    'sets/market.identities.csv'
    """
    return pairs.with_suffix(".identities.csv")


def read_identities(path: Path, paths: Iterable[str]) -> dict[str, str] | None:
    """Identity by path, from the file beside a pair file; None where there is none.

    Raises:
        PairSetError: another form, a face with two identities, or one of `paths` is not in it.
    """
    if not path.is_file():
        return None
    found: dict[str, str] = {}
    for line, (face, identity) in table_rows(path, "file of identities", IDENTITY_COLUMNS):
        if found.setdefault(face, identity) != identity:
            raise PairSetError(f"{path}, line {line}: {face!r} is {identity!r} and {found[face]!r}")
    lacking = [face for face in paths if face not in found]
    if lacking:
        raise PairSetError(
            f"{path}: {some(lacking)} not in it; was it made for another pair file of this name? "
            "Remove it, or make the pairs again"
        )
    return found


def _columns(reader: Iterator[list[str]]) -> tuple[FaceCodes, list[NDArray[np.int8]]] | None:
    """The faces and flags of a file that is as it should be, many rows at a time; else None."""
    sides: tuple[list[Codes], list[Codes]] = ([], [])
    flags = bytearray(), bytearray(), bytearray()
    # As bytes have no sign.
    values = [{cell: flag % 256 for cell, flag in VALUES[name].items()} for name in COLUMNS[2:]]
    known = _Numbers()
    try:
        header = tuple(next(reader, ()))
        if header not in (COLUMNS, SHORT):
            return None
        told = len(header) - 2
        while rows := list(islice(reader, _ROWS)):
            first, second, *cells = zip(*filter(None, rows), strict=True)
            for codes, side in zip(sides, (first, second), strict=True):
                codes.append(np.fromiter(map(known.__getitem__, side), np.int32, len(side)))
            for flag, value, side in zip(flags[:told], values[:told], cells, strict=True):
                flag.extend(map(value.__getitem__, side))
    except (csv.Error, KeyError, ValueError):
        return None
    if not sides[0]:
        return None
    a, b = map(np.concatenate, sides)
    found = [np.frombuffer(flag, np.int8) for flag in flags[:told]]
    untold = [np.full(len(a), value, np.int8) for value in _UNTOLD[told:]]
    return FaceCodes(strings(known), a, b), [*found, *untold]


class _Numbers(dict[str, int]):
    """Number of each text, as they are asked for: 0, 1, ..."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def _parse(path: Path) -> tuple[list[int], dict[str, list[object]]]:
    """Line number and cells of each row of a pair file."""
    rows = read_table(path, "pair file")
    _, header = next(rows)
    if not header:
        raise PairSetError(f"{path}: empty; expected the header {','.join(COLUMNS)}")
    if tuple(header) not in (COLUMNS, SHORT):
        raise PairSetError(f"{path}, line 1: {_header_problem(header)}{copy_hint(header)}")
    lines: list[int] = []
    columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for line, cells in rows:
        cells += map(str, _UNTOLD[len(header) - 2 :])
        lines.append(line)
        columns["pathA"].append(cells[0])
        columns["pathB"].append(cells[1])
        for name, cell in zip(COLUMNS[2:], cells[2:], strict=True):
            value = VALUES[name].get(cell)
            if value is None:
                raise PairSetError(
                    f"{path}, line {line}: {name} is {cell!r}, expected "
                    + " or ".join(VALUES[name])
                )
            columns[name].append(value)
    if not lines:
        raise PairSetError(f"{path}: a header and no pairs")
    return lines, columns


def joined_identities(sets: Iterable[PairSet]) -> Mapping[str, str] | None:
    """Who all faces of several sets show, by path; None where the folders say it.

    >>> one = PairSet.of(["1.jpg"], ["2.jpg"], 0, identities={"1.jpg": "rei", "2.jpg": "a"})
    >>> dict(joined_identities([one, PairSet.of(["rei/3.jpg"], ["rei/4.jpg"], 1)]))
    {'1.jpg': 'rei', '2.jpg': 'a', 'rei/3.jpg': 'rei', 'rei/4.jpg': 'rei'}
    """
    given = list(sets)
    if all(one.identities is None for one in given):
        return None
    return differing({path: one.identity(path) for one in given for path in one.paths})


def _header_problem(header: list[str]) -> str:
    missing = [name for name in COLUMNS if name not in header]
    extra = [name for name in header if name not in COLUMNS]
    expected = f"expected exactly {','.join(COLUMNS)} or the first three"
    if missing:
        hint = "; is the header line missing?" if len(missing) == len(COLUMNS) else ""
        for mark in ";\t":
            if mark in header[0] and {*header[0].split(mark)} >= {*COLUMNS[:3]}:
                hint = f"; {mark!r} stands between its columns: save it with commas"
        return f"column {', '.join(missing)} missing; {expected}{hint}"
    if extra:
        return f"column {', '.join(map(repr, extra))} too many; {expected}"
    return f"columns {','.join(header)}; {expected}, in that order, each once"


def _flags(name: str, values: ArrayLike, length: int) -> NDArray[np.int8]:
    array = np.asarray(values)
    if array.shape != (length,):
        raise PairSetError(f"{name} has shape {array.shape}, expected ({length},)")
    allowed = sorted(VALUES[name].values())
    if array.dtype.kind in "iub":
        wrong = np.flatnonzero(~np.logical_or.reduce([array == value for value in allowed]))
    else:
        wrong = np.flatnonzero(~np.isin(array, allowed))
    if wrong.size:
        row = int(wrong[0])
        raise PairSetError(f"pair {row + 1}: {name} is {array[row]}, expected one of {allowed}")
    flags = array.astype(np.int8)
    flags.setflags(write=False)
    return flags


def _such(path: object) -> str:
    """Advice on what a path that begins outside the faces folder most likely is, within it."""
    parts = path.replace("\\", "/").split("/")[-2:] if isinstance(path, str) else []
    if len(parts) < 2 or not all(parts) or ".." in parts:
        return ""
    return f", such as {'/'.join(parts)}"


def _first_problem(path_a: Sequence[object], path_b: Sequence[object]) -> tuple[int, str] | None:
    """Row and description of the first pair that breaks a rule, of the first kind met."""
    count = len(path_a)
    both = np.concatenate([strings(path_a), strings(path_b)])  # type: ignore[arg-type]
    codes, distinct = pd.factorize(both, use_na_sentinel=False)
    for code, path in enumerate(distinct):
        unsafe = why_unsafe(path) if isinstance(path, str) else "is not text"
        if unsafe:
            row = int(np.flatnonzero(codes == code)[0]) % count
            return row, f"path {path!r} {unsafe}; expected one inside the faces folder{_such(path)}"
    low = np.minimum(codes[:count], codes[count:])
    high = np.maximum(codes[:count], codes[count:])
    twins = np.flatnonzero(low == high)
    if twins.size:
        return int(twins[0]), f"{path_a[twins[0]]!r} is paired with itself"
    keys = low * len(distinct) + high
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(count))
    if again.size:
        row = int(again[0])
        earlier = int(first[inverse[row]]) + 1
        return row, f"{path_a[row]!r} and {path_b[row]!r} are already pair {earlier}"
    return None


def ignored_rows(pairs: PairSet, ignore: Iterable[str]) -> NDArray[np.bool_]:
    """`[N]`: rows with an image whose base name is in `ignore`."""
    names = frozenset(ignore)
    ends = zip(pairs.path_a, pairs.path_b, strict=True)
    return np.array([base_name(a) in names or base_name(b) in names for a, b in ends], bool)


def refuse_lacking(pairs: PairSet, labels: Iterable[int], source: str) -> None:
    """Raise PairSetError unless `pairs` has valid rows of each of `labels`."""
    for label in labels:
        if not (pairs.valid & (pairs.label == label)).any():
            kind = ("negative", "positive")[label]
            invalid = int((~pairs.valid).sum())
            left = f" (after {invalid} invalid rows were left out)" if invalid else ""
            raise PairSetError(
                f"{source}: no valid {kind} pair among its {len(pairs)}{left}; "
                "rates need both kinds"
            )
