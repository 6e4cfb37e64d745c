"""Copies within one folder of faces: which pictures show what another one shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mining.overlap.copies import Matching, state_of
from pairsets.faces import Faces
from pairsets.images import MAX_PIXELS
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import versions
from pairsets.storage.resume import Parts

# Pictures that are looked at between two entries of the journal.
_BLOCK = 1024


class Copy(NamedTuple):
    """Two faces of one picture.

    Attributes:
        path, other: of the faces, the lesser one first.
        kind: of suspects: `duplicate` or `variant`.
        score: how sure that is, 0 to 1, as the check of that kind says it.
        why: how they differ, in words.
    """

    path: str
    other: str
    kind: str
    score: float
    why: str


@dataclass(frozen=True, eq=False)
class Copies:
    """Copies that a folder of faces has, and what could not be looked at.

    Attributes:
        found: each two faces once, sorted by paths.
        unread: causes by path, of files that cannot be read.
    """

    found: tuple[Copy, ...]
    unread: Mapping[str, str]


def copies_within(
    faces: Faces,
    *,
    journal: Path | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
    progress: Progress = silent,
) -> Copies:
    """Find the faces of a folder that show one picture, whoever they are said to be.

    Each file is read once, and few of all pairs are compared. Given a journal, an interrupted
    search goes on with the blocks that are not in it; whoever calls removes it at the end
    (`pairsets.storage.resume.files_of`).

    Args:
        faces: files below their folder; of each, `identities` tells whether a variant is one.
        journal: SQLite file in which blocks of faces that were looked at are noted.
        max_pixels: larger images are not looked at.
        threads: how many; as many as there are cores by default. They change nothing that is found.
        progress: shows how far each part is.

    Raises:
        SuspectError: OpenCV or ImageHash is not installed.
    """
    with progress("Reading pictures") as step:
        matching = Matching.of(
            faces, faces.root, max_pixels=max_pixels, threads=threads, progress=step
        )
    state = state_of(faces.root, faces.paths)
    facts = ["copies within", state, str(faces.root), max_pixels, versions("lookalikes")]
    kept = None if journal is None else Parts(journal, facts)
    unread: dict[str, str] = {}
    found: set[Copy] = set()
    with progress("Looking for copies") as step:
        for start in range(0, len(faces), _BLOCK):
            paths = faces.paths[start : start + _BLOCK].tolist()
            block = None if kept is None else kept.read(str(start))
            if block is None:
                block = matching.block(paths)
                if kept is not None:
                    kept.write(block, str(start))
            matches, damaged = block
            for path, other, score, why in matches:
                first, second = sorted((path, other))
                found.add(Copy(first, second, "duplicate", score, why))
            unread |= damaged
            step(min(start + _BLOCK, len(faces)), len(faces))
    return Copies(tuple(sorted(found)), dict(sorted(unread.items())))
