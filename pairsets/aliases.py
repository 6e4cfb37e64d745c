"""Names that somebody says are one character's."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pairsets.artefacts import reading
from pairsets.errors import PairSetError

COLUMNS = ("character", "alias")


@dataclass(frozen=True, eq=False)
class Aliases:
    """Groups of names, each of one character.

    Attributes:
        groups: name, as `plain_name` has it -> a number, equal for names of one character.
    """

    groups: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Aliases:
        """Groups of names, each two of which are one character's; also by way of others.

        >>> Aliases.of([("rei", "ayanami_rei"), ("rei", "rei_ii")]).same("rei_ii", "ayanami_rei")
        True
        """
        above: dict[str, str] = {}

        def first(name: str) -> str:
            while above.setdefault(name, name) != name:
                above[name] = name = above[above[name]]
            return name

        for one, other in pairs:
            above[first(plain_name(other))] = first(plain_name(one))
        numbers: dict[str, int] = {}
        return cls({name: numbers.setdefault(first(name), len(numbers)) for name in list(above)})

    @classmethod
    def read(cls, path: str | Path) -> Aliases:
        """Read a UTF-8 CSV with the header `character,alias`.

        Each row says that two names are one character's. A byte-order mark, CRLF, quotes and empty
        lines are understood.

        Raises:
            PairSetError: the file is missing, not CSV, has another header, no rows, or a row with
                another number of names or an empty one; the message gives the file and the line.
        """
        path = Path(path)
        with reading(path, "file of aliases") as stream:
            found = cls.of(_rows(path, stream))
        if not len(found):
            raise PairSetError(
                f"{path}: a header and no aliases; expected rows such as rei,ayanami_rei"
            )
        return found

    def __len__(self) -> int:
        """How many names are listed."""
        return len(self.groups)

    def same(self, a: str, b: str) -> bool:
        """Whether both names are listed, as one character's. A name that is not is no error."""
        group = self.groups.get(plain_name(a))
        return group is not None and group == self.groups.get(plain_name(b))

    def unknown(self, characters: Iterable[str]) -> list[str]:
        """The listed names that none of `characters` has, sorted: most likely misspelt."""
        return sorted({*self.groups} - {plain_name(name) for name in characters})


def plain_name(name: str) -> str:
    """One form of names that a file system, or an archive of pictures, writes in several.

    A `/`, which a folder cannot have in its name, is written `__` by some.

    >>> plain_name("saber_(fate/zero)") == plain_name("saber_(fate__zero)")
    True
    """
    return unicodedata.normalize("NFC", name).replace("/", "__").strip()


def _rows(path: Path, stream: Iterator[str]) -> Iterator[tuple[str, str]]:
    reader = csv.reader(stream, strict=True)
    expected = ",".join(COLUMNS)
    try:
        header = next(reader, None)
        if not header:
            raise PairSetError(f"{path}: empty; expected the header {expected}")
        if tuple(cell.strip() for cell in header) != COLUMNS:
            raise PairSetError(
                f"{path}, line 1: expected the header {expected}, got "
                f"{','.join(header)[:80]}; is the header line missing?"
            )
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(COLUMNS):
                raise PairSetError(
                    f"{path}, line {reader.line_num}: {len(cells)} "
                    f"{'name' if len(cells) == 1 else 'names'}, expected {len(COLUMNS)}"
                    + ("; is a comma in a name not quoted?" if len(cells) > len(COLUMNS) else "")
                )
            if not cells[0].strip() or not cells[1].strip():
                raise PairSetError(
                    f"{path}, line {reader.line_num}: an empty name; expected two, such as "
                    "rei,ayanami_rei"
                )
            yield cells[0], cells[1]
    except csv.Error as error:
        raise PairSetError(f"{path}, line {reader.line_num}: not CSV ({error})") from None
