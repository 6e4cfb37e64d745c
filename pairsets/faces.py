"""The table of face images, and whom each shows: its folder, or what a rule says."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets import images
from pairsets.arrays import Rows
from pairsets.errors import FacesError
from pairsets.identities.fields import FOLDER, ByField
from pairsets.identities.folders import by_folder
from pairsets.identities.rules import Naming, Rule, some
from pairsets.path_prefixes import cause
from pairsets.paths import (
    IMAGE_SUFFIXES,
    base_name,
    strings,
    why_unsafe,
)
from pairsets.picture_sources.base import (
    NO_IMAGE,
    FileFacts,
    Opened,
    PictureSource,
    facts_of,
)
from pairsets.picture_sources.folder_entries import images_in
from pairsets.picture_sources.place import RECORDS, open_remote, open_shards, records_of
from pairsets.picture_sources.shard_files import are_shards
from pairsets.spellings import refuse_two_spellings
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.mirrors import mirror_of, origin_of
from pairsets.storage.remote_files import is_remote
from pairsets.text_column import TextColumn

# Lies in a folder as long as faces are being put into it.
UNFINISHED = ".unfinished"
# Asks shards for no identities, of which it may be open what says them.
_UNNAMED = ByField(FOLDER)


@dataclass(frozen=True, eq=False, repr=False)
class Faces:
    """Face images and their identities, in one stable order.

    Attributes:
        root: the folder that `paths` are relative to.
        paths: `[N]` str, `/`-separated, sorted by code point whatever the file system; taken as
            any sequence of str, kept as a `TextColumn`.
        identities: `[N]` str, the identity of each: the folder that holds it, relative to `root`,
            or what a rule says. Faces of one identity share one object.
        skipped: how many entries of the folder were left out, by reason.
        notes: sentences on how identities were told, for the user to look at.
        said: the option that says how identities are told; None where nobody said it.
        split: number of the first face of a second set, where these are two: pairs are then of a
            face of each.
        source: of the pictures, where they are no files below `root`: a bucket, or shards.
    """

    root: Path
    paths: TextColumn
    identities: NDArray[np.object_]
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    said: str | None = None
    split: int | None = None
    source: PictureSource | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", TextColumn.of(self.paths))
        if len(self.paths) != len(self.identities):
            raise FacesError(f"{len(self.paths)} paths for {len(self.identities)} identities")
        refuse_two_spellings(self.paths, TextColumn.of(_folders(self._folders[1])))

    @classmethod
    def scan(cls, root: str | Path, rule: Rule | None = None) -> Faces:
        """Find the faces below `root`: `<identity>/<image>`, or those that `rule` gives a name.

        Args:
            root: the folder; or a tar or Parquet shard, or a folder of shards alone; each also by
                its URL, such as `s3://bucket/faces`.
            rule: who each picture shows; see `pairsets.identities.rules`. Without one it is the
                folder, and all pictures lie one folder deep, or in `train/<identity>`,
                `val/<identity>`: what else they may mean is asked.

        Raises:
            FacesError: `root` is missing, not a folder, without images or still being filled; an
                image lies outside an identity folder, or it is open which of several folders is
                the identity; the rule does not fit; two paths are spellings of one; an entry is
                a link or has a name that is not UTF-8.
        """
        root = mirror_of(root) if is_remote(root) else Path(root)
        far = origin_of(root)
        if far is not None:
            return cls._of(root, open_remote(far, UNFINISHED, rule), rule)
        if not root.exists():
            raise FacesError(f"{root}: no such folder of faces")
        if not root.is_dir():
            opened = open_shards(root, rule)
            if opened is None:
                raise FacesError(
                    f"{root}: a file; expected a folder with one folder per identity, or a .tar or "
                    ".parquet shard"
                )
            return cls._of(root, opened, rule)
        if (root / UNFINISHED).exists():
            raise FacesError(
                f"{root}: not all faces are in it yet, or what filled it was interrupted: it holds "
                f"{UNFINISHED}/; give the command that makes it (crop, arrange) once more"
            )
        skipped: Counter[str] = Counter()
        paths = TextColumn.of(chain.from_iterable(images_in(root, "", skipped)))
        skipped[NO_IMAGE] -= _records(root)
        skipped = +skipped
        if not paths:
            opened = open_shards(root, rule)
            if opened is not None:
                return cls._of(root, opened, rule)
            raise FacesError(
                f"{root}: no images in it; expected <identity>/<image> "
                f"with {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        naming = by_folder(root, paths) if rule is None else rule.name(paths)
        return cls._named(root, paths, naming, skipped, rule)

    @classmethod
    def _of(cls, root: Path, opened: Opened, rule: Rule | None) -> Faces:
        """The faces of an opened source."""
        naming = opened.naming(rule)
        return cls._named(root, opened.paths, naming, opened.skipped, rule, opened.source)

    @classmethod
    def _named(
        cls,
        root: Path,
        paths: TextColumn,
        naming: Naming,
        skipped: Mapping[str, int],
        rule: Rule | None,
        source: PictureSource | None = None,
    ) -> Faces:
        """The pictures that have an identity."""
        names = strings(name for name in naming.identities if name is not None)
        if len(names) < len(paths):
            paths = paths.take([name is not None for name in naming.identities])
        return cls(
            root=root,
            paths=paths,
            identities=names,
            skipped={**skipped, **naming.left_out},
            notes=(*naming.notes, *_alike(names)),
            said=None if rule is None else rule.said,
            source=source,
        )

    @classmethod
    def of_paths(
        cls,
        root: Path,
        paths: Sequence[str],
        skipped: Mapping[str, int] | None = None,
        *,
        identities: Mapping[str, str] | None = None,
        said: str | None = None,
        source: PictureSource | None = None,
    ) -> Faces:
        """Faces with these relative paths, in the order given; the files are not looked at.

        Who is on each is what `identities` says, else the folder.
        """
        column = TextColumn.of(paths)
        return cls(
            root=root,
            paths=column,
            identities=strings(identified(column, identities)),
            skipped=skipped or {},
            said=said,
            source=source,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        where = f" in {self.place!r}" if self.source is not None or self.root.name else ""
        return f"Faces({len(self):,} faces of {self.count_identities:,} identities{where})"

    @property
    def groups(self) -> NDArray[np.int64]:
        """`[N]`: a number per face, equal for faces of one identity."""
        codes: dict[str, int] = {}
        found = (codes.setdefault(name, len(codes)) for name in self.identities.tolist())
        return np.fromiter(found, np.int64, len(self))

    @property
    def count_identities(self) -> int:
        """Number of identities."""
        return len(set(self.identities))

    @cached_property
    def _folders(self) -> tuple[Rows, list[str]]:
        """Number of each face's folder, and the folders."""
        return self.paths.folders

    @cached_property
    def named(self) -> Mapping[str, str] | None:
        """Identity by path, where it is not everywhere the folder; as `PairSet` takes it."""
        codes, folders = self._folders
        if bool((strings(folders)[codes] == self.identities).all()):
            return None
        return dict(zip(self.paths, self.identities.tolist(), strict=True))

    def known_names(self, base_names: Iterable[str]) -> frozenset[str]:
        """Names out of `base_names` that image files here have."""
        asked = frozenset(base_names)
        return asked.intersection(map(base_name, self.paths)) if asked else asked

    def without(self, base_names: Iterable[str]) -> NDArray[np.bool_]:
        """`[N]`: true for the faces whose base name is not in `base_names`."""
        ignored = frozenset(base_names)
        if not ignored:
            return np.ones(len(self), np.bool_)
        return np.array([base_name(path) not in ignored for path in self.paths], bool)

    def positions(self, paths: Iterable[str]) -> NDArray[np.int64]:
        """Row of each of `paths`; `FacesError` names the first that is not among the faces."""
        wanted = list(paths)
        found = self.paths.find(wanted)
        if (found < 0).any():
            missing = [wanted[at] for at in np.flatnonzero(found < 0)]
            # Embeddings are opened without the folder, which their messages cannot name then.
            where = f"{self.place}: " if self.root.name else ""
            why = cause(missing[0], frozenset(self.paths).__contains__)
            raise FacesError(
                f"{where}{some(list(dict.fromkeys(missing)))} not among the {len(self)} "
                f"faces{why or '; were the pairs made from another folder?'}"
            )
        return found

    @property
    def place(self) -> str:
        """Place of the faces, for messages."""
        return str(self.root) if self.source is None else self.source.name

    def read(self, path: str) -> tuple[bytes, FileFacts]:
        """The bytes of a picture, and the facts by which it is known again.

        Raises:
            ImageError, OSError: this one cannot be read.
            RemoteError: none of them can.
        """
        if self.source is not None:
            return self.source.read(path)
        file = self.root / path
        status = file.stat()
        return images.read(file), facts_of(status)

    def take(self, rows: NDArray[Any]) -> Faces:
        """Faces in these rows, a mask `[N]` or numbers, small to send to where they are read."""
        paths = self.paths.take(rows)
        source = None if self.source is None else self.source.take(paths)
        return Faces(self.root, paths, self.identities[rows], said=self.said, source=source)

    def locate(self, path: str) -> Path:
        """The file of a relative path; from elsewhere it is fetched, where it is not there yet.

        Raises:
            ImageError, RemoteError: it cannot be fetched.
        """
        return self.root / path if self.source is None else self.source.locate(path)

    def locate_pairs(self, path_a: Iterable[str], path_b: Iterable[str]) -> list[tuple[Path, Path]]:
        """The files of pairs, as `pairsets.figures.pair_columns` takes them."""
        locate = self.locate
        return [(locate(a), locate(b)) for a, b in zip(path_a, path_b, strict=True)]

    def write(self, path: str | Path) -> Path:
        """Write `path,identity` rows as CSV."""
        return write_csv(
            Path(path), ["path", "identity"], zip(self.paths, self.identities, strict=True)
        )


def identity_of(path: str) -> str:
    """The identity a relative path belongs to: the folder that holds it.

    >>> identity_of("asuka_(eva)/12.jpg")
    'asuka_(eva)'
    """
    return path.rpartition("/")[0]


def identified(paths: Iterable[str], identities: Mapping[str, str] | None) -> list[str]:
    """Who each of `paths` shows: what `identities` says, else the folder.

    Raises:
        FacesError: `identities` lacks a path.

    >>> identified(["rei/1.jpg"], None), identified(["1.jpg"], {"1.jpg": "rei"})
    (['rei'], ['rei'])
    """
    if identities is None:
        codes, folders = TextColumn.of(paths).folders
        return list(strings(folders)[codes])
    try:
        return [identities[path] for path in paths]
    except KeyError as error:
        raise FacesError(f"no identity is known of {error.args[0]!r}") from None


def differing(identities: Mapping[str, str]) -> Mapping[str, str] | None:
    """`identities` as they are, or None where all of them are what the folders say."""
    same = all(name == identity_of(path) for path, name in identities.items())
    return None if same else identities


def resolve(root: Path, paths: Iterable[str], identities: Mapping[str, str] | None = None) -> Faces:
    """Faces of exactly these relative paths, each checked to be a file inside `root`.

    Args:
        root: the folder of faces.
        paths: in any order, also twice.
        identities: who each shows, where it is not the folder.

    Raises:
        FacesError: a path is missing, or leaves `root` (absolute, `..` or through a link); the
            message names the first, and how many others.
    """
    far = origin_of(root)
    if far is not None:
        return _resolve(root, open_remote(far, UNFINISHED, _UNNAMED), paths, identities)
    if not root.is_dir():
        opened = open_shards(root, _UNNAMED) if root.is_file() else None
        if opened is not None:
            return _resolve(root, opened, paths, identities)
        what = "a file; expected the" if root.exists() else "no such"
        raise FacesError(f"{root}: {what} folder of faces")
    inside = root.resolve()
    wanted = sorted(set(paths))
    missing: list[str] = []
    for path in wanted:
        leaving = why_unsafe(path)
        if leaving:
            raise FacesError(f"{path!r} {leaving}; expected a path inside {root}")
        file = root / path
        if not file.is_file():
            missing.append(path)
        elif not file.resolve().is_relative_to(inside):
            raise FacesError(f"{path!r} is a link that leaves {root}: refused")
    if len(missing) == len(wanted) > 0:
        opened = open_shards(root, _UNNAMED) if are_shards(root) else None
        if opened is not None:
            return _resolve(root, opened, paths, identities)
    if missing:
        why = cause(missing[0], lambda path: why_unsafe(path) is None and (root / path).is_file())
        raise FacesError(
            f"{root}: {some(missing)} not "
            f"there{why or '; is this the folder the pairs were made from?'}"
        )
    return Faces.of_paths(root, wanted, identities=identities)


def locator(root: Path) -> Callable[[str], Path]:
    """Function that gives the file of each path of the faces in `root`, which may be shards.

    A plain folder is not gone through: it may be one high above the faces.

    Raises:
        FacesError, SourceError, RemoteError: the shards, or the place, cannot be opened.
    """
    far = origin_of(root)
    if far is not None:
        return open_remote(far, UNFINISHED, _UNNAMED).source.locate
    shards = None if is_folder(root) else open_shards(root, _UNNAMED)
    return root.joinpath if shards is None else shards.source.locate


def is_folder(root: Path) -> bool:
    """Whether faces are files of their own below `root`, on this machine."""
    return origin_of(root) is None and not root.is_file() and not are_shards(root)


def _resolve(
    root: Path, opened: Opened, paths: Iterable[str], identities: Mapping[str, str] | None
) -> Faces:
    """Faces of these paths of a source.

    Raises:
        FacesError: one is not among them.
    """
    wanted = TextColumn.of(sorted(set(paths)))
    missing = [wanted[at] for at in np.flatnonzero(opened.paths.find(wanted) < 0).tolist()]
    if missing:
        why = cause(missing[0], frozenset(opened.paths).__contains__)
        raise FacesError(
            f"{opened.source.name}: {some(missing)} not "
            f"there{why or '; are these the faces the pairs were made from?'}"
        )
    source = opened.source.take(wanted)
    return Faces.of_paths(root, wanted, identities=identities, source=source)


def _records(root: Path) -> int:
    """Number of files in `root` by which `crop` and `arrange` tell what they made."""
    files = {name for name in RECORDS if (root / name).is_file()}
    return sum(name in files for name in records_of(files))


def _folders(identities: Iterable[str]) -> list[str]:
    """The identities' folders and those they lie in, each once."""
    found: dict[str, None] = {}
    for folder in dict.fromkeys(identities):
        while folder and folder not in found:
            found[folder] = None
            folder = identity_of(folder)
    return list(found)


def _alike(names: Iterable[str]) -> list[str]:
    """A sentence on identities that differ in case or Unicode form alone."""
    seen: dict[str, str] = {}
    twins = []
    for name in dict.fromkeys(names):
        other = seen.setdefault(unicodedata.normalize("NFC", name.lower()), name)
        if other != name:
            twins.append((other, name))
    if not twins:
        return []
    more = f", as do {len(twins) - 1:,} more" if len(twins) > 1 else ""
    return [
        f"The identities {twins[0][0]!r} and {twins[0][1]!r} differ in upper and lower case or in "
        f"Unicode form alone{more}: they are taken for two."
    ]


def some_of(faces: Faces, rows: NDArray[np.bool_]) -> Faces:
    """Faces that `rows`, `[N]`, is true for."""
    split = None if faces.split is None else int(rows[: faces.split].sum())
    paths = faces.paths.take(rows)
    source = None if faces.source is None else faces.source.take(paths)
    return Faces(faces.root, paths, faces.identities[rows], split=split, source=source)
