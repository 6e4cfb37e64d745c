"""Names of identities as names of folders that every file system takes, and back again.

A name that is safe stays as it is, but that `/` becomes `__`, as ZACI-20 has it. In one that is
not, the offending characters are written as `%` and the hex digits of their UTF-8 bytes, `%`
itself included. Of names that would share a folder, on a file system that does not tell case or
Unicode forms apart, one keeps it, and the others get a digest behind theirs. Since no rule could
tell all of them apart from names that happen to look so, what was changed is recorded in a file.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.paths import is_text
from pairsets.storage.csv_tables import table_rows, write_csv

COLUMNS = ("folder", "identity")
# Bytes of UTF-8. It is never less than the UTF-16 units that Windows counts.
LONGEST = 255
_DIGITS = 8
# Windows takes these for devices, whatever stands behind a dot.
_DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])[ ]*(?:\.|$)", re.IGNORECASE
)
_BLANKS = re.compile(r"\s+")
# Windows drops dots and spaces at the end, and many a tool a space at the beginning.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\\:<>"|?*]|^ +|[. ]+\Z')


@dataclass(frozen=True)
class SafeNames:
    """Names of folders that differ from the names of their identities.

    Attributes:
        changed: folder by identity, of those whose folder is not called what they are.

    Raises:
        SourceError: a folder stands for two identities.
    """

    changed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names: dict[str, str] = {}
        for name, folder in self.changed.items():
            if folder in names:
                raise SourceError(
                    f"the folder {folder!r} stands for both {names[folder]!r} and {name!r}"
                )
            names[folder] = name
        object.__setattr__(self, "changed", dict(self.changed))
        object.__setattr__(self, "_names", names)

    @classmethod
    def read(cls, path: str | Path) -> SafeNames:
        """Read a file of changed names.

        Raises:
            SourceError: the file is missing or not of the form that `write` gives it, a folder
                may not be one, or a name is listed twice; the message gives file and line.
        """
        path = Path(path)
        changed: dict[str, str] = {}
        try:
            for line, folder, name in _rows(path):
                if _plain(folder) != folder:
                    raise SourceError(f"{path}, line {line}: {folder!r} is no safe folder name")
                if name in changed:
                    raise SourceError(f"{path}, line {line}: {name!r} is listed twice")
                changed[name] = folder
            return cls(changed)
        except SourceError as error:
            told = str(error)
            raise SourceError(told if told.startswith(str(path)) else f"{path}: {told}") from None

    def write(self, path: str | Path) -> Path:
        """Write `folder,identity`, a row a changed name; sorted, so that order is no matter."""
        rows = sorted((folder, cell_of(name)) for name, folder in self.changed.items())
        return write_csv(Path(path), COLUMNS, rows)

    def folder(self, name: str) -> str:
        """The folder of an identity.

        Raises:
            SourceError: a name that may not be a folder's and is not among the changed ones.
        """
        folder = self.changed.get(name)
        if folder is not None:
            return folder
        if _plain(name) != name or name in self._names:
            raise SourceError(f"{name!r} is none of the names that folders were found for")
        return name

    def name(self, folder: str) -> str:
        """The identity whose folder it is."""
        return self._names.get(folder, folder)

    _names: Mapping[str, str] = field(init=False, repr=False, compare=False)


def safe_names(
    names: Iterable[str],
    *,
    taken: Iterable[str] = (),
    longest: int = LONGEST,
    blanks: bool = True,
) -> SafeNames:
    """Find a folder for each of `names`, whatever their order and however often each comes.

    A name that is its own folder keeps it before one that is not; then the least does.

    Args:
        names: any text, empty or with lone surrogates too.
        taken: names that no folder may have, such as those of files beside the folders.
        longest: bytes of UTF-8 that the name of a folder may have.
        blanks: whether a folder's name may have any; else `_` stands for each row of them, as in
            LFW's names.

    Raises:
        SourceError: `longest` leaves no room for a digest.

    >>> found = safe_names(["saber_(fate/zero)", "Rei", "rei", "a:b"])
    >>> found.changed["saber_(fate/zero)"], found.changed["a:b"]
    ('saber_(fate__zero)', 'a%3Ab')
    >>> found.folder("Rei"), found.folder("rei")
    ('Rei', 'rei~780a2352')
    >>> found.name("rei~780a2352")
    'rei'
    """
    if longest < 80:
        raise SourceError(f"names of at most {longest} bytes; expected 80 or more")
    wanted: dict[str, list[tuple[bool, str, str]]] = defaultdict(list)
    for name in set(names):
        plain = _plain(name if blanks else _BLANKS.sub("_", name))
        wanted[spelling(plain)].append((plain != name, name, plain))
    used = {spelling(name) for name in taken}
    changed: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for key, claims in wanted.items():
        first, *rest = sorted(claims)
        if key in used or len(first[2].encode()) > longest:
            rest = [first, *rest]
        elif first[0]:
            changed[first[1]] = first[2]
        others += [(name, plain) for _, name, plain in rest]
    used |= set(wanted)
    for name, plain in sorted(others):
        changed[name] = folder = _told_apart(name, plain, used, longest)
        used.add(spelling(folder))
    return SafeNames(dict(sorted(changed.items())))


def spelling(name: str) -> str:
    """Key that names share which some file system, or `Faces`, takes for one.

    >>> spelling("ZOE\u0308") == spelling("zo\u00eb")
    True
    """
    if name.isascii():
        return name.lower()
    lower = unicodedata.normalize("NFC", name.lower())
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", lower).casefold())


def cell_of(name: str) -> str:
    """Cell of a table for a name; as JSON where a table could lose it, or it looks like JSON.

    >>> cell_of("橘_雪"), cell_of("")
    ('橘_雪', '""')
    """
    if name and not is_text(name):
        return json.dumps(name)
    quoted = not name or name.startswith('"') or not name.isprintable()
    return json.dumps(name, ensure_ascii=False) if quoted else name


def _plain(name: str) -> str:
    """Folder for a name, as long as it may be and if no other wants it; idempotent."""
    joined = name.replace("/", "__")
    device = _DEVICE.match(joined)
    if not joined:
        return "%"
    if not device and not _UNSAFE.search(joined):
        return joined
    joined = joined.replace("%", "%25")
    escaped = _UNSAFE.sub(lambda found: _escaped(found[0]), joined)
    return _escaped(escaped[0]) + escaped[1:] if device else escaped


def _escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _told_apart(name: str, plain: str, used: set[str], longest: int) -> str:
    """`plain` with so much of the digest of `name` behind it that nobody uses it yet."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    for digits in range(_DIGITS, len(digest) + 1):
        room = longest - digits - 1
        # A character cut in two is dropped.
        start = plain.encode()[:room].decode("utf-8", "ignore")
        folder = f"{start}~{digest[:digits]}"
        if spelling(folder) not in used:
            return folder
    raise SourceError(f"{name!r}: every folder name for it is used; is a name made to clash?")


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    for line, (folder, cell) in table_rows(path, "file of names", COLUMNS, error=SourceError):
        name: object = cell
        if cell.startswith('"'):
            try:
                name = json.loads(cell)
            except ValueError:
                name = None
        if not isinstance(name, str):
            raise SourceError(f"{path}, line {line}: {cell!r:.80} is no name in JSON")
        yield line, folder, name
