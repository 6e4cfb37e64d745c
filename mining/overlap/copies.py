"""Copies between two folders of faces: which pictures of one show a picture of the other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mining.overlap.candidates import Twins
from mining.parallel import in_chunks
from mining.suspects.duplicates import DuplicatePictures
from mining.suspects.pictures.comparison import Comparisons
from mining.suspects.pictures.features import Bytes, Picture, needed, picture_of
from mining.suspects.pictures.single_thread import opencv_alone
from pairsets import images
from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.pairset import PairSet, pair_key
from pairsets.progress import Step, unheard

# Pictures that a thread takes at a time.
_CHUNK = 16


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
        check: what judges.
        unread: files that cannot be read, and why.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores where it is None.
    """

    kept: Faces
    other: Path
    above: Path
    twins: Twins
    check: DuplicatePictures
    unread: dict[str, str]
    max_pixels: int
    threads: int | None

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
        check = DuplicatePictures(
            root,
            comparisons=Comparisons(root, max_pixels=max_pixels, threads=threads, copies_only=True),
        )
        home = kept.root.resolve()

        def picture(path: str) -> Picture | str:
            made = _picture(kept.locate(path), max_pixels)
            if isinstance(made, str):
                return made
            check.keep(_place(root, home, path), *made)
            return made[0]

        found: list[Picture] = []
        paths: list[str] = []
        unread: dict[str, str] = {}
        with opencv_alone():
            for part, read in in_chunks(picture, kept.paths.tolist(), threads, chunk=_CHUNK):
                for path, made in zip(part, read, strict=True):
                    if isinstance(made, str):
                        unread[str(kept.locate(path))] = made
                    else:
                        found.append(made)
                        paths.append(path)
                progress(len(found) + len(unread), len(kept))
        return cls(
            Faces.of_paths(kept.root, paths),
            other,
            root,
            Twins.of(found),
            check,
            unread,
            max_pixels,
            threads,
        )

    def block(self, paths: Sequence[str]) -> tuple[list[Match], dict[str, str]]:
        """The pictures of the other folder, of these, that show a kept one; what cannot be read."""
        likely: list[tuple[str, str]] = []
        unread: dict[str, str] = {}
        with opencv_alone():
            for part, named in in_chunks(self._likely, paths, self.threads, chunk=_CHUNK):
                for path, kept_rows in zip(part, named, strict=True):
                    if isinstance(kept_rows, str):
                        unread[path] = kept_rows
                    else:
                        likely.extend((path, self.kept.paths[row]) for row in kept_rows)
        other, own = self.other.resolve(), self.kept.root.resolve()
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

    def _likely(self, path: str) -> list[int] | str:
        made = _picture(self.other / path, self.max_pixels)
        if isinstance(made, str):
            return made
        rows = self.twins.likely(made[0])
        if rows:
            self.check.keep(_place(self.above, self.other.resolve(), path), *made)
        return rows


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


def _picture(file: Path, max_pixels: int) -> tuple[Picture, Bytes] | str:
    """The picture in a file and its pixels that are compared, or why it cannot be read."""
    try:
        image = images.decode(images.read(file), path=file, max_pixels=max_pixels)
        return picture_of(image)
    except images.ImageError as error:
        return error.cause
