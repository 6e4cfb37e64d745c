"""Names that somebody says are one identity's."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pairsets.errors import PairSetError
from pairsets.storage.csv_tables import table_rows

COLUMNS = ("identity", "alias")


@dataclass(frozen=True, eq=False)
class Aliases:
    """Groups of names, each of one identity.

    Attributes:
        groups: name, as `plain_name` has it -> a number, equal for names of one identity.
    """

    groups: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Aliases:
        """Groups of names, each two of which are one identity's; also by way of others.

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
        """Read a UTF-8 CSV with the header `identity,alias`.

        Each row says that two names are one identity's. A byte-order mark, CRLF, quotes and empty
        lines are understood.

        Raises:
            PairSetError: the file is missing, not CSV, has another header, no rows, or a row with
                another number of names or an empty one; the message gives the file and the line.
        """
        path = Path(path)
        pairs = []
        for line, (name, alias) in table_rows(path, "file of aliases", COLUMNS):
            if not name.strip() or not alias.strip():
                raise PairSetError(
                    f"{path}, line {line}: an empty name; expected two, such as rei,ayanami_rei"
                )
            pairs.append((name, alias))
        if not pairs:
            raise PairSetError(
                f"{path}: a header and no aliases; expected rows such as rei,ayanami_rei"
            )
        return cls.of(pairs)

    def __len__(self) -> int:
        """Number of names that are listed."""
        return len(self.groups)

    def same(self, a: str, b: str) -> bool:
        """Whether both names are listed, as one identity's. A name that is not is no error."""
        group = self.groups.get(plain_name(a))
        return group is not None and group == self.groups.get(plain_name(b))

    def unknown(self, identities: Iterable[str]) -> list[str]:
        """The listed names that none of `identities` has, sorted: most likely misspelt."""
        return sorted({*self.groups} - {plain_name(name) for name in identities})


def plain_name(name: str) -> str:
    """One form of names that a file system, or an archive of pictures, writes in several.

    A `/`, which a folder cannot have in its name, is written `__` by some.

    >>> plain_name("saber_(fate/zero)") == plain_name("saber_(fate__zero)")
    True
    """
    return unicodedata.normalize("NFC", name).replace("/", "__").strip()
