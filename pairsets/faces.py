"""The table of face images, and whom each shows: its folder, or what a rule says."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import eq
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import FacesError
from pairsets.identities.folders import by_folder
from pairsets.identities.rules import Rule, some
from pairsets.path_prefixes import cause
from pairsets.paths import IMAGE_SUFFIXES, base_name, is_image, strings, why_unsafe
from pairsets.storage.csv_tables import write_csv

# macOS leaves `._name.jpg` files, of another format, on foreign disks.
_APPLE_DOUBLE = b"\x00\x05\x16\x07"
# Lies in a folder as long as faces are being put into it.
UNFINISHED = ".unfinished"
# What `crop` (`crops.csv`) and `arrange` (`faces.csv`) leave beside the identities' folders.
_RECORDS = {
    f"{kind}.json": (f"{kind}.json", f"{kind}.csv", "names.csv", "missing.csv")
    for kind in ("crops", "faces")
}
_NO_IMAGE = "not an image by its name"


@dataclass(frozen=True, eq=False)
class Faces:
    """Face images and their identities, in one stable order.

    Attributes:
        root: the folder that `paths` are relative to.
        paths: `[N]` str, `/`-separated, sorted by code point whatever the file system.
        identities: `[N]` str, the identity of each: the folder that holds it, relative to `root`,
            or what a rule says.
        skipped: how many entries of the folder were left out, by reason.
        notes: sentences on how identities were told, for the user to look at.
        said: the option that says how identities are told; None where nobody said it.
        split: number of the first face of a second set, where these are two: pairs are then of a
            face of each.
    """

    root: Path
    paths: NDArray[np.object_]
    identities: NDArray[np.object_]
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    said: str | None = None
    split: int | None = None

    def __post_init__(self) -> None:
        if len(self.paths) != len(self.identities):
            raise FacesError(f"{len(self.paths)} paths for {len(self.identities)} identities")
        _refuse_two_spellings([*self.paths, *_folders(map(identity_of, self.paths))])

    @classmethod
    def scan(cls, root: str | Path, rule: Rule | None = None) -> Faces:
        """Find the faces below `root`: `<identity>/<image>`, or those that `rule` gives a name.

        Args:
            root: the folder.
            rule: who each picture shows; see `pairsets.identities.rules`. Without one it is the
                folder, and all pictures lie one folder deep, or in `train/<identity>`,
                `val/<identity>`: what else they may mean is asked.

        Raises:
            FacesError: `root` is missing, not a folder, without images or still being filled; an
                image lies outside an identity folder, or it is open which of several folders is
                the identity; the rule does not fit; two paths are spellings of one; an entry is
                a link or has a name that is not UTF-8.
        """
        root = Path(root)
        if not root.exists():
            raise FacesError(f"{root}: no such folder of faces")
        if not root.is_dir():
            raise FacesError(f"{root}: a file; expected a folder with one folder per identity")
        if (root / UNFINISHED).exists():
            raise FacesError(
                f"{root}: not all faces are in it yet, or what filled it was interrupted: it holds "
                f"{UNFINISHED}/; give the command that makes it (crop, arrange) once more"
            )
        skipped: Counter[str] = Counter()
        paths = sorted(_walk(root, "", skipped))
        skipped[_NO_IMAGE] -= _records(root)
        skipped = +skipped
        if not paths:
            raise FacesError(
                f"{root}: no images in it; expected <identity>/<image> "
                f"with {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        naming = by_folder(root, paths) if rule is None else rule.name(paths)
        named = [
            (path, name)
            for path, name in zip(paths, naming.identities, strict=True)
            if name is not None
        ]
        kept, names = zip(*named, strict=True)
        return cls(
            root=root,
            paths=strings(kept),
            identities=strings(names),
            skipped={**skipped, **naming.left_out},
            notes=(*naming.notes, *_alike(names)),
            said=None if rule is None else rule.said,
        )

    @classmethod
    def of_paths(
        cls,
        root: Path,
        paths: Sequence[str],
        skipped: Mapping[str, int] | None = None,
        *,
        identities: Mapping[str, str] | None = None,
    ) -> Faces:
        """Faces with these relative paths, in the order given; the files are not looked at.

        Who is on each is what `identities` says, else the folder.
        """
        return cls(
            root=root,
            paths=strings(paths),
            identities=strings(identified(paths, identities)),
            skipped=skipped or {},
        )

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def groups(self) -> NDArray[np.int64]:
        """`[N]`: a number per face, equal for faces of one identity."""
        codes: dict[str, int] = {}
        return np.array([codes.setdefault(name, len(codes)) for name in self.identities], np.int64)

    @property
    def count_identities(self) -> int:
        """Number of identities."""
        return len(set(self.identities))

    @cached_property
    def named(self) -> Mapping[str, str] | None:
        """Identity by path, where it is not everywhere the folder; as `PairSet` takes it."""
        paths, names = self.paths.tolist(), self.identities.tolist()
        if all(map(eq, map(identity_of, paths), names)):
            return None
        return dict(zip(paths, names, strict=True))

    @property
    def base_names(self) -> frozenset[str]:
        """The names of the image files, without their folders."""
        return frozenset(map(base_name, self.paths))

    def without(self, base_names: Iterable[str]) -> NDArray[np.bool_]:
        """`[N]`: true for the faces whose base name is not in `base_names`."""
        ignored = frozenset(base_names)
        return np.array([base_name(path) not in ignored for path in self.paths], bool)

    def positions(self, paths: Iterable[str]) -> NDArray[np.int64]:
        """Row of each of `paths`; `FacesError` names the first that is not among the faces."""
        rows = {path: row for row, path in enumerate(self.paths)}
        wanted = list(paths)
        found = np.array([rows.get(path, -1) for path in wanted], np.int64)
        if (found < 0).any():
            missing = [wanted[at] for at in np.flatnonzero(found < 0)]
            # Embeddings are opened without the folder, which their messages cannot name then.
            where = f"{self.root}: " if self.root.name else ""
            why = cause(missing[0], rows.__contains__)
            raise FacesError(
                f"{where}{some(list(dict.fromkeys(missing)))} not among the {len(self)} "
                f"faces{why or '; were the pairs made from another folder?'}"
            )
        return found

    def locate(self, path: str) -> Path:
        """The file of a relative path."""
        return self.root / path

    def locate_pairs(self, path_a: Iterable[str], path_b: Iterable[str]) -> list[tuple[Path, Path]]:
        """The files of pairs, as `pairsets.figures.pair_columns` takes them."""
        return [(self.root / a, self.root / b) for a, b in zip(path_a, path_b, strict=True)]

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
        return list(map(identity_of, paths))
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
    if not root.is_dir():
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
    if missing:
        why = cause(missing[0], lambda path: why_unsafe(path) is None and (root / path).is_file())
        raise FacesError(
            f"{root}: {some(missing)} not "
            f"there{why or '; is this the folder the pairs were made from?'}"
        )
    return Faces.of_paths(root, wanted, identities=identities)


def _walk(folder: Path, prefix: str, skipped: Counter[str]) -> Iterator[str]:
    """Relative paths of the images below `folder`, in no particular order."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            try:
                path.encode()
            except UnicodeEncodeError:
                raise FacesError(f"{folder}: the name {entry.name!r} is not UTF-8") from None
            if entry.is_symlink():
                raise FacesError(
                    f"{entry.path}: a link. Links are refused: they lead out of the folder or "
                    "name one image twice. Copy the files, or hard-link them (cp -rl)"
                )
            if entry.is_dir():
                yield from _walk(Path(entry.path), path + "/", skipped)
            elif not is_image(entry.name):
                skipped[_NO_IMAGE] += 1
            # Only a file is opened: to open a pipe would wait for ever.
            elif (
                entry.name.startswith("._")
                and entry.is_file()
                and _starts_with(entry.path, _APPLE_DOUBLE)
            ):
                skipped["macOS resource file"] += 1
            else:
                yield path


def _records(root: Path) -> int:
    """Number of files in `root` by which `crop` and `arrange` tell what they made."""
    names = {name for made, names in _RECORDS.items() if (root / made).is_file() for name in names}
    return sum((root / name).is_file() for name in names)


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


def _refuse_two_spellings(paths: Iterable[str]) -> None:
    """Refuse one path in two Unicode forms or cases: one file on some systems, two here."""
    seen: dict[str, str] = {}
    for path in paths:
        # Not `casefold`, which also makes one of "weiss" and "weiß".
        key = path.lower()
        key = key if key.isascii() else unicodedata.normalize("NFC", key)
        other = seen.get(key)
        seen[key] = path
        if other == path:
            raise FacesError(f"{path!r} is listed twice")
        if other is not None:
            raise FacesError(
                f"{other!r} and {path!r} are two spellings of one path "
                "(upper and lower case, or Unicode form): rename or remove one"
            )


def some_of(faces: Faces, rows: NDArray[np.bool_]) -> Faces:
    """Faces that `rows`, `[N]`, is true for."""
    return Faces(faces.root, faces.paths[rows], faces.identities[rows])


def _starts_with(path: str, magic: bytes) -> bool:
    with Path(path).open("rb") as stream:
        return stream.read(len(magic)) == magic
