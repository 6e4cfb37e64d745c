"""Copies between two folders of faces: which pictures of one show a picture of the other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mining.overlap.candidates import Twins, entry_of
from mining.overlap.entries import entries_of
from mining.suspects.duplicates import DuplicatePictures
from mining.suspects.pictures.comparison import Comparisons
from mining.suspects.pictures.features import needed
from pairsets import images
from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.pairset import PairSet, pair_key
from pairsets.progress import Step, unheard


class Match(NamedTuple):
    """Match of two pictures, of which one shows the other.

    Attributes:
        path: of the one that was given.
        kept: of the other.
        score: how well the two agree at the worst spot, 0 to 1.
        why: how they differ, in words.
    """

    path: str
    kept: str
    score: float
    why: str


@dataclass(frozen=True, eq=False)
class Matching:
    """Matching of two folders: pictures of the one, ready to be found in the other.

    Attributes:
        kept: their faces, but for those that cannot be read.
        other: the folder of the pictures that will be given.
        above: the folder that both lie in.
        twins: what finds them.
        check: what judges, by comparisons below that folder.
        unread: files that cannot be read, and why.
    """

    kept: Faces
    other: Path
    above: Path
    twins: Twins
    check: DuplicatePictures
    unread: dict[str, str]

    @classmethod
    def of(
        cls,
        kept: Faces,
        other: Path,
        *,
        max_pixels: int = images.MAX_PIXELS,
        threads: int | None = None,
        progress: Step = unheard,
    ) -> Matching:
        """Read the pictures of `kept`, to be found among those below `other`.

        Raises:
            SuspectError: OpenCV is not installed.
            SourceError: the two folders lie on different drives.
        """
        needed("copies of pictures", "cv2")
        try:
            root = Path(os.path.commonpath([kept.root.resolve(), other.resolve()]))
        except ValueError:
            raise SourceError(
                f"{kept.root} and {other} lie on different drives; copy one beside the other"
            ) from None
        comparisons = Comparisons(root, max_pixels=max_pixels, threads=threads, copies_only=True)
        places = [_place(root, kept.root.resolve(), path) for path in kept.paths]
        entries, levels = entries_of(comparisons, places, progress)
        return cls(
            Faces.of_paths(kept.root, [kept.paths[row] for row in entries]),
            other,
            root,
            Twins(entries.values(), levels),
            DuplicatePictures(root, comparisons=comparisons),
            {str(root / place): why for place, why in comparisons.unread.items()},
        )

    def block(self, paths: Sequence[str]) -> tuple[list[Match], dict[str, str]]:
        """The pictures of the other folder, of these, that show a kept one; what cannot be read."""
        other, own = self.other.resolve(), self.kept.root.resolve()
        places = [_place(self.above, other, path) for path in paths]
        likely: list[tuple[str, str]] = []
        unread: dict[str, str] = {}
        for path, place, found in zip(paths, places, self._likely(places), strict=True):
            if found is None:
                unread[path] = self.check.comparisons.pictures.unread[place]
            else:
                likely.extend((path, self.kept.paths[row]) for row in found)
        places = [_place(self.above, other, path) for path, _ in likely]
        kept = [_place(self.above, own, path) for _, path in likely]
        # A file of both folders is no copy of itself; two such files are one pair either way.
        keys = [pair_key(*ends) for ends in zip(places, kept, strict=True)]
        rows = {key: row for row, key in enumerate(dict.fromkeys(k for k in keys if k[0] != k[1]))}
        doubt = self.check(PairSet.of([a for a, _ in rows], [b for _, b in rows], 0))
        return [
            Match(*ends, float(doubt.score[rows[key]]), doubt.reasons[rows[key]])
            for ends, key in zip(likely, keys, strict=True)
            if key in rows and doubt.flagged[rows[key]]
        ], unread

    def _likely(self, places: Sequence[str]) -> Iterator[list[int] | None]:
        """Rows of the kept pictures that each picture may show; None where it cannot be read."""
        made_of = partial(entry_of, levels=self.twins.levels, both=False)
        for place, made in self.check.comparisons.read(places, made_of):
            if made is None:
                yield None
                continue
            known, entry = made
            rows = self.twins.likely(entry)
            # Most others are never looked at again.
            if rows:
                self.check.comparisons.keep(place, known)
            yield rows


def _place(above: Path, folder: Path, path: str) -> str:
    """Path of a face below the folder that both lie in."""
    return (folder / path).relative_to(above).as_posix()


def state_of(root: Path, paths: Iterable[str]) -> str:
    """A digest of files by their names, sizes and times: another where one was changed."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = (root / path).stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "gone"
        digest.update(f"{path}\0{state}\n".encode())
    return digest.hexdigest()
