"""Copies within one folder of faces: which pictures show what another one shows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from mining.embeddings.store import Embeddings
from mining.overlap.candidates import MOST, Entry, Twins, levels_of
from mining.overlap.copies import state_of
from mining.overlap.entries import entries_of
from mining.overlap.nearest_faces import facts_of, nearest_faces
from mining.parallel import in_chunks
from mining.suspects.check import Check
from mining.suspects.duplicates import DuplicatePictures
from mining.suspects.pictures.comparison import Comparisons
from mining.suspects.sources import TABLE, SourcePictures
from mining.suspects.variants import DrawingVariants
from pairsets.arrays import Rows
from pairsets.faces import Faces
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.progress import Progress, Step, silent
from pairsets.storage.artefacts import versions
from pairsets.storage.resume import Parts

# Pictures that are looked at between two entries of the journal, and that a thread takes at a time.
BLOCK, _CHUNK = 1024, 16
# Memory for what is known of pictures: of 60,000 at once; others are described again.
_SPOTS_BYTES = 2**30
# Faces of one picture, by its name, of which every two are looked at.
MOST_FACES = 64


class Copy(NamedTuple):
    """Two faces of one picture, or of one drawing.

    Attributes:
        path, other: of the faces, the lesser one first.
        kind: of suspects: `duplicate`, `variant` or `source`.
        score: as the check of that kind says it, 0 to 1.
        why: how they differ, or what tells it, in words.
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
        found: each two faces once for each kind, sorted by paths.
        unread: causes by path, of files that cannot be read.
    """

    found: tuple[Copy, ...]
    unread: Mapping[str, str]


def copies_within(
    faces: Faces,
    *,
    references: Sequence[Embeddings] = (),
    journal: Path | None = None,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
    progress: Progress = silent,
) -> Copies:
    """Find the faces of a folder that show one picture, whoever they are said to be.

    Each file is read once, and few of all pairs are compared. Given a journal, an interrupted
    search reads the pictures again and goes on with the blocks that are not in it; whoever calls
    removes it at the end (`pairsets.storage.resume.files_of`).

    Args:
        faces: files below their folder; variants are two of one of `identities`.
        references: vectors of the faces; each face is compared with its nearest other one, too.
        journal: SQLite file in which blocks of faces that were looked at are noted.
        max_pixels: larger images are not looked at.
        threads: how many; as many as there are cores by default. They change nothing that is found.
        progress: shows how far each part is.

    Raises:
        SuspectError: OpenCV is not installed.
        EmbeddingError: vectors are not finite; a file of them changed meanwhile.
        FacesError: a face of the vectors is not among the faces.
    """
    search = Search(faces, max_pixels, threads)
    with progress("Reading pictures") as step:
        search.read(step)
    # What could not be read may be readable when the search goes on.
    unread = sorted(search.comparisons.unread)
    facts = [_state(faces), unread, max_pixels, versions("lookalikes", "opencv-python-headless")]
    facts += facts_of(references)
    kept = None if journal is None else Parts(journal, facts)
    for at, model in enumerate(references):
        with progress("Searching the nearest faces") as step:
            found_by = nearest_faces(model, faces, search.readable, kept, f"nearest {at}", step)
            search.join(found_by)
    found: set[Copy] = set()
    with progress("Looking for copies") as step:
        for start in range(0, len(faces), BLOCK):
            block = None if kept is None else kept.read(str(start))
            if block is None:
                block = search.block(range(start, min(start + BLOCK, len(faces))))
                # What became unreadable since was not compared.
                if kept is not None and sorted(search.comparisons.unread) == unread:
                    kept.write(block, str(start))
            found.update(Copy(*one) for one in block)
            step(min(start + BLOCK, len(faces)), len(faces))
    return Copies(tuple(sorted(found)), search.comparisons.unread)


class Search:
    """Pictures of a folder, and the index in which each is looked for."""

    def __init__(self, faces: Faces, max_pixels: int, threads: int | None) -> None:
        self.comparisons = Comparisons(
            faces.root, max_pixels=max_pixels, threads=threads, spots_bytes=_SPOTS_BYTES
        )
        self._sources = SourcePictures(faces.root, comparisons=self.comparisons)
        self._checks: list[Check] = [
            DuplicatePictures(faces.root, comparisons=self.comparisons),
            DrawingVariants(faces.root, comparisons=self.comparisons),
            self._sources,
        ]
        self._faces, self._threads = faces, threads
        # Of faces that can be read: their row among all, and their entry.
        self._rows: list[int] = []
        self._entries: dict[int, Entry] = {}
        self._named: dict[int, list[int]] = {}
        self._twins = Twins([], levels_of([]))

    def read(self, step: Step) -> None:
        """Read all pictures, and make the index of them."""
        paths = self._faces.paths
        self._entries, levels = entries_of(self.comparisons, paths, step)
        self._rows = list(self._entries)
        self._twins = Twins(self._entries.values(), levels)
        groups: dict[str, list[int]] = defaultdict(list)
        for row in self._rows:
            name = self._sources.telling_name(paths[row])
            if name is not None:
                groups[name].append(row)
        for group in groups.values():
            for one, other in combinations(group[:MOST_FACES], 2):
                self._named.setdefault(one, []).append(other)

    @property
    def readable(self) -> list[int]:
        """Rows of the faces whose pictures could be read."""
        return self._rows

    def join(self, nearest: Rows) -> None:
        """Have each face compared with another one, by its row among all; -1 for none."""
        for row in self._rows:
            other = int(nearest[row])
            if other in self._entries:
                self._named.setdefault(row, []).append(other)

    def block(self, rows: Iterable[int]) -> list[Copy]:
        """Copies of which one is among some faces."""
        paths, identities = self._faces.paths, self._faces.identities
        pairs: set[tuple[int, int]] = set()
        known = [row for row in rows if row in self._entries]
        for part, likely in in_chunks(self._likely, known, self._threads, chunk=_CHUNK):
            for row, others in zip(part, likely, strict=True):
                pairs.update((min(row, other), max(row, other)) for other in others if other != row)
        asked = sorted(pairs)
        if not asked:
            return []
        labels = [int(identities[one] == identities[other]) for one, other in asked]
        first, second = ([paths[pair[at]] for pair in asked] for at in (0, 1))
        compared = PairSet.of(first, second, labels)
        found, keys = [], compared.keys
        for check in self._checks:
            doubt = check(compared)
            for row, reason in enumerate(doubt.reasons):
                if reason:
                    one, other = keys[row]
                    found.append(Copy(one, other, doubt.kind, float(doubt.score[row]), reason))
        return found

    def _likely(self, row: int) -> list[int]:
        """Rows of the faces that may show the picture of one, are named like it, or joined."""
        found = [self._rows[at] for at in self._twins.likely(self._entries[row], most=MOST)]
        return [*found, *self._named.get(row, ())]


def _state(faces: Faces) -> str:
    """Digest of the files, of who they are said to show, and of the table of `crop`."""
    digest = hashlib.sha256(state_of(faces.root, [*faces.paths, TABLE]).encode())
    for name in faces.identities:
        digest.update(f"{name}\0".encode())
    return f"{faces.root} {digest.hexdigest()}"
