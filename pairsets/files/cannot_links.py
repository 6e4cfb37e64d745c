"""Faces that somebody knows to be of different people, and faces of one picture, which are too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pairsets.errors import PairSetError
from pairsets.files.exclusions import COLUMNS as PAIR
from pairsets.path_prefixes import cause
from pairsets.storage.csv_tables import column_names, read_table

# Columns of faces and the pictures that they are of; `crop` calls the picture `id`.
PATH, PICTURES = "path", ("picture", "id")
# A picture of more faces than that is a group of which nobody has drawn all boxes by hand.
MOST_FACES = 4096
_EXPECTED = "pathA and pathB, or path and picture"


@dataclass(frozen=True, eq=False)
class CannotLinks:
    """Pairs of faces that cannot be one identity's.

    Attributes:
        pairs: two paths each, in the order of the files.
        pictures: paths of the faces of each picture that has several.
        sources: the files.
    """

    pairs: Sequence[tuple[str, str]]
    pictures: Sequence[Sequence[str]]
    sources: Sequence[Path]

    @classmethod
    def read(cls, files: Iterable[str | Path]) -> CannotLinks:
        """Read CSV files with the columns `pathA` and `pathB`, or `path` and `picture`.

        Others may stand beside them, as in a pair file, or in the `crops.csv` that `crop` writes,
        where the picture is called `id`. A picture's faces may stand in several files.

        Raises:
            PairSetError: a file is missing, not CSV, has neither columns or no row, an empty or an
                absolute path, a face paired with itself, or one face in two pictures.
        """
        pairs: list[tuple[str, str]] = []
        of: dict[str, str] = {}
        faces: dict[str, list[str]] = defaultdict(list)
        sources = [Path(file) for file in files]
        for source in sources:
            for line, (one, other), is_pair in _rows(source):
                where = f"{source}, line {line}"
                if is_pair:
                    if one == other:
                        raise PairSetError(f"{where}: {one!r} with itself; expected two faces")
                    pairs.append((one, other))
                elif of.setdefault(one, other) != other:
                    raise PairSetError(
                        f"{where}: {one!r} is of the picture {other!r} and of {of[one]!r}; a face "
                        "is of one"
                    )
                elif one not in faces[other]:
                    faces[other].append(one)
                    if len(faces[other]) > MOST_FACES:
                        raise PairSetError(
                            f"{where}: more than {MOST_FACES:,} faces of the picture {other!r}; is "
                            "it the column of pictures?"
                        )
        several = [paths for paths in faces.values() if len(paths) > 1]
        if sources and not pairs and not several:
            raise PairSetError(
                f"{', '.join(map(str, sources))}: no picture has two faces, and no pair is named: "
                "nothing is said by it"
            )
        return cls(pairs, several, sources)

    @property
    def paths(self) -> list[str]:
        """The paths that something is said of, each once."""
        named = [path for pair in self.pairs for path in pair]
        return list(dict.fromkeys([*named, *(path for faces in self.pictures for path in faces)]))

    def identities(
        self, owners: Mapping[str, Iterable[str]]
    ) -> tuple[frozenset[tuple[str, str]], int]:
        """Identities that cannot be one, two each in the order of their names.

        Args:
            owners: path -> who is shown; several where one path is in two sets.

        Returns:
            Those, and how many pairs of faces of *one* identity are said to be of two.
        """
        found: set[tuple[str, str]] = set()
        same = 0
        for one, other in self._all_pairs():
            ours, theirs = {*owners.get(one, ())}, {*owners.get(other, ())}
            if ours & theirs:
                # Of a path in both sets it is open whose face is meant.
                same += len(ours) == len(theirs) == 1
                continue
            found |= {(min(a, b), max(a, b)) for a in ours for b in theirs}
        return frozenset(found), same

    def refuse_strangers(self, known: Iterable[str], what: str = "these faces") -> int:
        """Number of the paths that are not among `known`.

        Raises:
            PairSetError: none of them is.
        """
        there, paths = frozenset(known), self.paths
        strangers = [path for path in paths if path not in there]
        if paths and len(strangers) == len(paths):
            why = cause(paths[0], there.__contains__)
            raise PairSetError(
                f"{', '.join(map(str, self.sources))}: none of its paths is of {what}, "
                f"{paths[0]!r} for one{why or '; were they made from another folder?'}"
            )
        return len(strangers)

    def _all_pairs(self) -> Iterator[tuple[str, str]]:
        yield from self.pairs
        for faces in self.pictures:
            yield from combinations(faces, 2)


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str], bool]]:
    """Line and both cells of each row, and whether they are a pair of faces."""
    rows = read_table(path, "file of faces that cannot be one identity's", kind="file of pairs")
    _, header = next(rows)
    if not header:
        raise PairSetError(f"{path}: empty; expected a header with {_EXPECTED}")
    names = column_names(header)
    is_pair = all(name in names for name in PAIR)
    picture = next((name for name in PICTURES if name in names), None)
    if not is_pair and (PATH not in names or picture is None):
        raise PairSetError(
            f"{path}, line 1: expected {_EXPECTED} among the columns, got "
            f"{','.join(header)[:80]}; is the header line missing?"
        )
    columns = PAIR if is_pair else (PATH, str(picture))
    one, other = (names.index(name) for name in columns)
    for line, cells in rows:
        both = cells[one], cells[other]
        for name, cell in zip(columns, both, strict=True):
            if not cell:
                raise PairSetError(f"{path}, line {line}: {name} is empty")
            if name in (*PAIR, PATH) and (cell.startswith("/") or cell[1:3] in (":\\", ":/")):
                raise PairSetError(
                    f"{path}, line {line}: path {cell!r} is absolute; expected one relative to the "
                    "faces folder"
                )
        yield line, both, is_pair
