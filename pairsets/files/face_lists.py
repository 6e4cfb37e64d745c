"""List of a folder's faces as it was when it was looked at: is the folder still that one?"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import PairSetError
from pairsets.faces import Faces, identity_of
from pairsets.progress import Step, unheard
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import JsonObject

# Digits of a digest that are kept: of a file that changed by chance one in 2^64 has the same ones.
DIGITS = 16


@dataclass(frozen=True, eq=False)
class FaceList:
    """Paths of faces, whom each shows, and what its file was.

    Attributes:
        paths: `N`, relative to the folder of faces.
        identities: `N`, of each.
        sizes: `[N]` int64, bytes; -1 of a file that could not be asked.
        digests: `N`, the first `DIGITS` of the SHA-256 of each file; empty of one that could not be
            read, or is known by its size alone.
    """

    paths: Sequence[str]
    identities: Sequence[str]
    sizes: NDArray[np.int64]
    digests: Sequence[str]

    @classmethod
    def of(cls, faces: Faces, progress: Step = unheard) -> FaceList:
        """List of faces that are files, as they are now: all of them are read."""
        paths, digests = faces.paths.tolist(), []
        for done, path in enumerate(paths, 1):
            digests.append(_digest(faces.root / path))
            if done % 256 == 0 or done == len(paths):
                progress(done, len(paths))
        return cls(paths, faces.identities.tolist(), _sizes(faces.root, paths), digests)

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """Whom each face shows, by its path."""
        return dict(zip(self.paths, self.identities, strict=True))

    @property
    def digest(self) -> str:
        """SHA-256 of all that is listed."""
        digest = hashlib.sha256()
        columns = self.paths, self.identities, self.sizes.tolist(), self.digests
        for path, name, size, known in zip(*columns, strict=True):
            # Of lists that know files by their sizes alone it stays what it was.
            last = f"{size}\0{known}" if known else f"{size}"
            digest.update(f"{path}\0{name}\0{last}\n".encode())
        return digest.hexdigest()

    def content(self) -> dict[str, Any]:
        """Content for JSON; identities are left out where they are the folders."""
        folders = all(map(_is_folder, self.paths, self.identities))
        return {
            "images": len(self),
            "identities": len({*self.identities}),
            "sha256": self.digest,
            "paths": [*self.paths],
            "shown": None if folders else [*self.identities],
            "sizes": self.sizes.tolist(),
            "digests": [*self.digests],
        }

    @classmethod
    def of_content(cls, content: JsonObject) -> FaceList:
        """Read what `content` gave.

        Raises:
            whatever `content` raises of something else: another form, or another digest.
        """
        paths = content.texts("paths")
        shown = content.texts("shown") if "shown" in content else [*map(identity_of, paths)]
        sizes = content.items("sizes")
        digests = content.texts("digests") if "digests" in content else [""] * len(paths)
        whole = all(type(size) is int for size in sizes)
        if not whole or not len(paths) == len(shown) == len(sizes) == len(digests):
            raise content.error(
                f"{content.where}: {len(paths)} paths, {len(shown)} identities, {len(sizes)} sizes "
                f"and {len(digests)} digests of faces; expected one of each a face"
            )
        found = cls(paths, shown, np.array(sizes, np.int64), digests)
        if found.digest != content.text("sha256"):
            raise content.error(
                f"{content.where}: its list of faces is not the one its digest is of; was it "
                "edited? Audit the faces again: lookalikes audit FACES --overwrite"
            )
        return found

    def refuse_other(
        self,
        faces: Faces,
        source: Path,
        *,
        sizes: bool = False,
        absent: Collection[str] = (),
        moved: Collection[str] = (),
    ) -> None:
        """Raise PairSetError unless `faces` are those listed.

        Args:
            faces: the folder's, or those that were embedded.
            source: file that the list is from, for errors.
            sizes: compare those of the files, too.
            absent: faces of the folder that are rightly not among `faces`, as those skipped.
            moved: listed faces that were moved away, or back again, since.
        """
        there = faces.paths.tolist()
        known, now = self.owners, {*there}
        if not now & known.keys():
            raise PairSetError(
                f"{source}: an audit of other faces: none of its {len(self):,} paths, such as "
                f"{min(known, default='none')!r}, is one of these, such as "
                f"{min(now, default='none')!r}; audit these: lookalikes audit FACES"
            )
        added = sorted(now - known.keys())
        gone = sorted(known.keys() - now - {*absent} - {*moved})
        resized: list[str] = []
        if sizes:
            before = dict(zip(self.paths, self.sizes.tolist(), strict=True))
            asked = [path for path in there if path in before]
            resized = _differing(faces.root, asked, before)
        self._refuse(source, added, gone, resized)
        self.refuse_names(dict(zip(there, faces.identities.tolist(), strict=True)).items(), source)

    def refuse_strangers(self, paths: Iterable[str], source: Path, root: Path | None) -> None:
        """Raise PairSetError where a path is not listed, or its file below `root` changed."""
        asked = [*paths]
        added = sorted({*asked} - self.owners.keys())
        if asked and len(added) == len({*asked}):
            raise PairSetError(
                f"{source}: an audit of other faces: {added[0]!r} is not among its {len(self):,}, "
                "and no other face of the pairs is; audit the folder that the pairs are made of"
            )
        before = dict(zip(self.paths, self.sizes.tolist(), strict=True))
        known = [] if root is None else sorted({*asked} & before.keys())
        resized = [] if root is None else _differing(root, known, before)
        self._refuse(source, added, [], resized)
        if root is not None:
            self.refuse_changed({path: _digest(root / path) for path in known}, source)

    def changed(self, digests: Mapping[str, str]) -> list[str]:
        """Listed faces whose files have other bytes than those listed, sorted.

        Args:
            digests: SHA-256 of files by path, or its first digits.
        """
        before = dict(zip(self.paths, self.digests, strict=True))
        return sorted(
            path
            for path, digest in digests.items()
            # What could not be read has no digest, and is told as that.
            if before.get(path) and digest and before[path] != digest[:DIGITS]
        )

    def refuse_changed(self, digests: Mapping[str, str], source: Path) -> None:
        """Raise PairSetError where files have other bytes than when they were listed."""
        changed = self.changed(digests)
        if changed:
            raise PairSetError(
                f"{source}: the faces are not as they were audited: {len(changed):,} with other "
                f"bytes ({changed[0]!r}{' for one' if len(changed) > 1 else ''}); audit them "
                "again: lookalikes audit FACES --overwrite"
            )

    def refuse_names(self, shown: Iterable[tuple[str, str]], source: Path) -> None:
        """Raise PairSetError where a listed face is said to show somebody else."""
        for path, name in shown:
            if self.owners.get(path, name) != name:
                raise PairSetError(
                    f"{source}: {path!r} shows {self.owners[path]!r} by the audit, and {name!r} "
                    "here; tell identities alike (--identity-level, --identity-pattern, "
                    "--identities)"
                )

    def _refuse(
        self, source: Path, added: Sequence[str], gone: Sequence[str], resized: Sequence[str]
    ) -> None:
        """Raise PairSetError where faces came, went or changed."""
        told = [
            f"{len(found):,} {what} ({found[0]!r}{' for one' if len(found) > 1 else ''})"
            for found, what in (
                (added, "added"),
                (gone, "no longer there"),
                (resized, "of another size"),
            )
            if found
        ]
        if told:
            raise PairSetError(
                f"{source}: the faces are not as they were audited: {', '.join(told)}; audit them "
                "again: lookalikes audit FACES --overwrite"
            )


def _digest(file: Path) -> str:
    """First digits of the SHA-256 of a file; empty where it cannot be read."""
    try:
        return sha256(file)[:DIGITS]
    except OSError:
        return ""


def _is_folder(path: str, identity: str) -> bool:
    return identity_of(path) == identity


def _differing(root: Path, paths: Sequence[str], before: Mapping[str, int]) -> list[str]:
    """Paths whose files have another size than before."""
    now = _sizes(root, paths).tolist()
    return sorted(path for path, size in zip(paths, now, strict=True) if size != before[path])


def _sizes(root: Path, paths: Sequence[str]) -> NDArray[np.int64]:
    """`[N]`: bytes of each file, -1 where it cannot be asked."""
    return np.fromiter((_size(root / path) for path in paths), np.int64, len(paths))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1
