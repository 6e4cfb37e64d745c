"""Identities and posts that are in training and in a test set alike: ZACI-20's rule, by names.

Whoever takes part in a zero-shot test trains on no identity and no picture of the test set. Here
is what names and numbers tell; what pictures tell is in `mining.commands.check_overlap`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases, plain_name
from pairsets.identities.rules import Rule
from pairsets.paths import base_name, read_lines
from pairsets.sources.dataset import Dataset, PictureId
from pairsets.sources.folders.safe_names import COLUMNS as NAMES_COLUMNS
from pairsets.sources.folders.safe_names import SafeNames, cell_of
from pairsets.storage.csv_tables import column_names, csv_rows, write_csv

COLUMNS = ("kind", "train", "test", "why", "score")
# What is found, in the order of rows, and what it is in words.
KINDS = {
    "identity": "identities in both",
    "post": "posts in both",
    "file": "files in both, byte by byte",
    "picture": "pictures in both, found by looking at them",
    "similar name": "identities of similar names, to be looked at",
    "alias": "identities that may be one under two names, by their pictures, to be looked at",
}
SIMILAR, ALIAS = "similar name", "alias"
# What is no overlap, but may be.
DOUBTS = frozenset({SIMILAR, ALIAS})
# Beside a folder of crops: identities whose folder is not called what they are.
NAMES = "names.csv"
# From which share of all numbers between the least and the highest files are numbered in a row, and
# not by posts: of Danbooru's first four million posts, ZACI-20 has a third.
_IN_A_ROW = 0.5
# Digits of a post's number. Python itself refuses to read one of thousands.
_LONGEST = 18


class Shared(NamedTuple):
    """Identity or post that is in both collections.

    Attributes:
        kind: of `KINDS`.
        train, test: what it is called on each side: an identity, a path or the number of a post.
        why: it is taken for one, in words.
        score: how sure that is, 0 to 1.
    """

    kind: str
    train: str
    test: str
    why: str
    score: float = 1.0


@dataclass(frozen=True, eq=False)
class Collection:
    """Collection of faces that is compared: the training set or the test set.

    Attributes:
        source: the folder or file.
        identities: their names, each once, sorted.
        pictures: numbers or paths of the pictures, where they are known.
        faces: where it is a folder.
    """

    source: Path
    identities: tuple[str, ...]
    pictures: tuple[PictureId, ...] = ()
    faces: Faces | None = None

    @classmethod
    def read(cls, source: str | Path, rule: Rule | None = None) -> Collection:
        """Read a folder of faces, a dataset (JSON), or names: one a line, or a CSV's `identity`.

        Who the pictures of a folder show is what `rule` says, else their folders. A folder's
        `names.csv`, as `lookalikes crop` writes it, says which identities have a folder
        of another name.

        Raises:
            FacesError: see `Faces.scan`.
            SourceError: there is no such thing, a file of another form, or a damaged `names.csv`.
        """
        source = Path(source)
        if source.is_dir():
            faces = Faces.scan(source, rule)
            names = _recorded(source)
            identities = {names.name(folder) for folder in {*faces.identities}}
            return cls(source, tuple(sorted(identities)), tuple(faces.paths), faces)
        if not source.exists():
            raise SourceError(
                f"{source}: no such folder of faces, dataset (.json) or list of identities"
            )
        if source.suffix.lower() == ".json":
            dataset = Dataset.read(source)
            return cls(source, tuple(sorted(dataset.characters)), tuple(dataset.ids))
        return cls(source, tuple(sorted(_listed(source))))

    @property
    def posts(self) -> tuple[dict[Hashable, PictureId], str]:
        """Pictures by the post or path that tells them elsewhere, and why there may be none.

        A number in a dataset is that of a post. So is a file's name, if all names are numbers, none
        comes twice, and they do not just go on by one. Other paths of a dataset are what they are;
        those of a folder say nothing.
        """
        found: dict[Hashable, PictureId] = {}
        paths = [picture for picture in self.pictures if isinstance(picture, str)]
        why = why_no_posts(paths) if paths else ""
        for picture in self.pictures:
            if isinstance(picture, int):
                found.setdefault(picture, picture)
            elif not why:
                found.setdefault(int(_stem(picture)), picture)
            elif self.faces is None:
                found.setdefault(picture, picture)
        return found, why


def shared_identities(
    train: Iterable[str], test: Iterable[str], aliases: Aliases | None = None
) -> list[Shared]:
    """Identities whose name, or alias, is in both; each two under the strictest rule that says so.

    >>> [found.why for found in shared_identities(["Rei", "saber_(a__b)"], ["rei", "saber_(a/b)"])]
    ['the same name in another case or width', 'the same name, with / written as __']
    """
    train, test = sorted({*train}), sorted({*test})
    groups = aliases.groups if aliases is not None else {}
    rules: list[tuple[str, Callable[[str], Hashable | None]]] = [
        ("the same name", lambda name: name),
        ("the same name, with / written as __", lambda name: name.replace("/", "__")),
        ("the same name in another Unicode form", plain_name),
        ("the same name in another case or width", _levelled),
        ("names of one identity by the aliases", lambda name: groups.get(plain_name(name))),
    ]
    found: dict[tuple[str, str], str] = {}
    for why, key in rules:
        known: dict[Hashable, list[str]] = defaultdict(list)
        for name in train:
            known[key(name)].append(name)
        # Names that are no alias.
        known.pop(None, None)
        for name in test:
            for other in known.get(key(name), ()):
                found.setdefault((name, other), why)
    return [Shared("identity", other, name, why) for (name, other), why in sorted(found.items())]


def shared_posts(train: Collection, test: Collection) -> list[Shared]:
    """Pictures of one post, by its number."""
    ours, theirs = train.posts[0], test.posts[0]
    whys = {True: "the same post", False: "the same path in a dataset"}
    return [
        Shared("post", str(ours[key]), str(picture), whys[isinstance(key, int)])
        for key, picture in theirs.items()
        if key in ours
    ]


def why_no_posts(paths: Sequence[str]) -> str:
    """Why the names of these files are not taken for numbers of posts; empty where they are.

    >>> why_no_posts(["rei/1.jpg", "asuka/1.jpg"])
    "a number comes twice, as in 'asuka/1.jpg'"
    >>> why_no_posts(["rei/3131051.jpg", "asuka/2717.jpg"])
    ''
    """
    numbers: set[str] = set()
    for path in paths:
        stem = _stem(path)
        plain = stem.isascii() and stem.isdigit() and len(stem) <= _LONGEST
        if not plain or (stem[0] == "0" and stem != "0"):
            return f"not all are plain numbers, as {path!r} is not"
        if stem in numbers:
            return f"a number comes twice, as in {path!r}"
        numbers.add(stem)
    values = [int(number) for number in numbers]
    if len(values) > 2 and len(values) > _IN_A_ROW * (max(values) - min(values) + 1):
        return "they go on by one"
    return ""


def write_shared(found: Iterable[Shared], path: str | Path) -> Path:
    """Write `kind,train,test,why,score`, sorted; names that a table could lose are JSON."""
    rows = (
        (one.kind, cell_of(one.train), cell_of(one.test), one.why, f"{one.score:.4f}")
        for one in ordered(found)
    )
    return write_csv(Path(path), COLUMNS, rows)


def ordered(found: Iterable[Shared]) -> list[Shared]:
    """Sort shared things by kind, then by their names in the test set, then in training."""
    place = {kind: at for at, kind in enumerate(KINDS)}
    return sorted(found, key=lambda one: (place[one.kind], one.test, one.train))


def counts_of(found: Iterable[Shared]) -> dict[str, int]:
    """Number of things of the test set that are in both, by kind, each counted once."""
    counts = Counter(kind for kind, _ in {(one.kind, one.test) for one in found})
    return {kind: counts[kind] for kind in KINDS}


def _levelled(name: str) -> str:
    # Not `casefold`, which also makes one of "weiss" and "weiß".
    return unicodedata.normalize("NFKC", plain_name(name).lower()).lower()


def _stem(path: str) -> str:
    return base_name(path).rpartition(".")[0] or base_name(path)


def _recorded(folder: Path) -> SafeNames:
    """The identities whose folders have another name; none where no file says so."""
    path = folder / NAMES
    try:
        with path.open(encoding="utf-8-sig") as stream:
            header = stream.readline().rstrip()
    except (OSError, UnicodeDecodeError):
        return SafeNames()
    # Another header is that of somebody's own file. Not to read ours would hide who is in both.
    ours = column_names(header.split(",")) == [*NAMES_COLUMNS]
    return SafeNames.read(path) if ours else SafeNames()


def _listed(path: Path) -> set[str]:
    """Names, one a line; or those in the column `identity` of a CSV."""
    lines = read_lines(path, "list of identities")
    if path.suffix.lower() == ".csv":
        names = _column(path, lines)
    else:
        names = {line.strip() for line in lines}
    names -= {""}
    if not names:
        raise SourceError(f"{path}: no names in it; expected one a line")
    if any(name.startswith("{") for name in names) and len(names) < 3:
        raise SourceError(f"{path}: looks like JSON; a dataset's name ends in .json")
    return names


def _column(path: Path, lines: Sequence[str]) -> set[str]:
    names: set[str] = set()
    at, length = 0, 1
    rows = csv_rows(path, (line + "\n" for line in lines), error=SourceError)
    for number, (line, cells) in enumerate(rows):
        cells = [cell.strip() for cell in cells]
        if not number and "identity" in (header := column_names(cells)):
            named = cells if "identity" in cells else header
            at, length = named.index("identity"), len(cells)
        elif any(cells):
            if len(cells) != length:
                raise SourceError(
                    f"{path}, line {line}: {len(cells)} values, expected "
                    + ("one name" if length == 1 else f"{length}, as line 1 has")
                    + "; is a comma in a name not quoted?"
                )
            names.add(cells[at])
    return names
