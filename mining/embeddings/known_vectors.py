"""Vectors that exist already of some faces: finished ones of a folder, and those of its journal.

All is held in columns, since a folder may have a million faces: where each one's vector stands, and
the status of its file as it was when the vector was made.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.engines import Engine, EngineChoice
from mining.embeddings.journal import FACTS, Source, VectorJournal
from mining.embeddings.store import IMAGES_HEADER, Embeddings, read_images
from mining.errors import EmbeddingError
from mining.models.base import Model
from pairsets import images
from pairsets.arrays import Mask, Rows
from pairsets.faces import Faces
from pairsets.picture_sources.base import FileFacts, PictureSource, facts_of
from pairsets.progress import Step
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.csv_tables import write_csv
from pairsets.text_column import TextColumn

STATUS = "status.csv"
# Faces whose files are looked at between two reports, and rows that are copied at a time.
CHUNK = 1000
COPIED = 4096


class KnownVectors:
    """Vectors of `faces` in `folder` that need not be made again; a later one of a path counts.

    Args:
        faces: to be embedded.
        folder: of embeddings, finished or not.
        journal: what `folder/partial` holds.
        model, engine: what the others are to be made by.

    Attributes:
        choice: the engine of the folder's vectors.
        finished: the embeddings of the folder, if they are finished and of the journal's model and
            of that engine.
        good: `[N]`: the faces whose files still have the content of their vectors; false for all
            before `check`.
    """

    def __init__(
        self, faces: Faces, folder: Path, journal: VectorJournal, model: Model, engine: Engine
    ) -> None:
        self.faces, self.folder, self.journal = faces, folder, journal
        found = _finished(folder, faces, journal.fingerprint)
        manifest = None if found is None else found.manifest
        begun = bool(journal.sources)
        self.choice = EngineChoice(folder, model, engine, begun=begun, finished=manifest)
        fits = found is not None and self.choice.fits(found.manifest)
        self.finished: Embeddings | None = found if fits else None
        self.good: Mask = np.zeros(len(faces), np.bool_)
        # Where each face's vector stands: its row among the finished, and in the journal; or -1.
        self._rows = np.full(len(faces), -1, np.int64)
        if self.finished is not None:
            self._rows = _places(self.finished.faces.paths, faces.paths)
        self._status = read_status(folder, self.finished)
        self._changed = False
        self._before = len(journal.sources)
        self._noted = self._in_journal()
        self._renewed: dict[int, Source] = {}

    @cached_property
    def _digests(self) -> TextColumn:
        return read_images(self.folder / "images.csv", "sha256")

    def _in_journal(self) -> Rows:
        """`[N]`: the last row of each face in the journal, or -1."""
        sources = self.journal.sources
        backwards = TextColumn.of(source.path for source in reversed(sources))
        found = backwards.find(self.faces.paths)
        return np.where(found < 0, -1, len(sources) - 1 - found)

    def check(self, report: Step) -> None:
        """Find the faces that need not be embedded: whose files stand as they were."""
        if self.finished is None and not self.journal.sources:
            return
        done, paths = 0, iter(self.faces.paths)
        for start in range(0, len(self.faces), CHUNK):
            part = slice(start, start + CHUNK)
            self.good[part] = list(self._unchanged(part, list(islice(paths, CHUNK))))
            done += int(self.good[part].sum())
            report(done, len(self.faces))

    def _unchanged(self, part: slice, paths: Sequence[str]) -> Iterator[bool]:
        if self.faces.source is not None:
            yield from self._unchanged_there(self.faces.source, part, paths)
            return
        root, stat = os.path.join(self.faces.root, ""), os.stat  # noqa: PTH118
        rows, notes = self._rows[part], self._noted[part]
        expected = np.full((len(rows), len(FACTS)), -1, np.int64)
        finished = (notes < 0) & (rows >= 0)
        expected[finished] = self._status[rows[finished]]
        for path, row, note, (size, mtime, ctime, inode) in zip(
            paths, rows.tolist(), notes.tolist(), expected.tolist(), strict=True
        ):
            if note < 0 and row < 0:
                yield False
                continue
            try:
                status = stat(root + path)
                # For a million files, without a call for each.
                yield (
                    status.st_size == size
                    and status.st_mtime_ns == mtime
                    and status.st_ctime_ns == ctime
                    and status.st_ino == inode
                ) or self._same_content(path, row, note, facts_of(status))
            except (OSError, images.ImageError):
                yield False

    def _unchanged_there(
        self, source: PictureSource, part: slice, paths: Sequence[str]
    ) -> Iterator[bool]:
        """Whether each picture stands as it was, by the facts of a listing."""
        now = source.facts(paths)
        for path, row, note, (size, time, tag, rest) in zip(
            paths, self._rows[part].tolist(), self._noted[part].tolist(), now.tolist(), strict=True
        ):
            known = note >= 0 or row >= 0
            try:
                yield known and self._same_content(path, row, note, (size, time, tag, rest))
            except (OSError, images.ImageError):
                yield False

    def _same_content(self, path: str, row: int, note: int, facts: FileFacts) -> bool:
        """Whether a file has the content of its vector; if so, its facts are kept."""
        if note >= 0:
            source = self.journal.sources[note]
        else:
            source = Source(path, self._digests[row], *self._status[row].tolist())
        if source.stands(facts):
            return True
        if facts[0] != source.size and min(facts[0], source.size) >= 0:
            return False
        content = hashlib.sha256(self.faces.read(path)[0]).hexdigest()
        if content != source.sha256:
            return False
        if note >= 0:
            self._renewed[note] = Source.of(path, content, facts)
        else:
            self._status[row] = facts
            self._changed = True
        return True

    @property
    def complete(self) -> Embeddings | None:
        """The finished embeddings, if they are of exactly these faces as they are now."""
        finished = self.finished
        if finished is None or finished.skipped or not self.good.all():
            return None
        # What the journal has of a face is newer than what is finished.
        if (self._noted >= 0).any():
            return None
        same = (
            finished.faces.paths.equals(self.faces.paths)
            and np.array_equal(finished.faces.identities, self.faces.identities)
            and finished.faces.said == self.faces.said
        )
        return finished if same else None

    def renew_status(self) -> None:
        """Write the status of a finished folder's files, if it is no longer what stands there."""
        if self._changed:
            write_status(self.folder, map(np.ndarray.tolist, self._status))

    def write(self, partial: Path) -> tuple[TextColumn, int]:
        """Lay vectors, digests and status of all faces that have a vector into `partial`.

        Returns their paths, in the order of the faces, and the dimensions.

        Raises:
            EmbeddingError: the finished vectors changed while they were copied.
        """
        last = self._in_journal()
        noted = np.where(self.good | (last >= self._before), last, -1)
        chosen = np.flatnonzero(self.good | (noted >= 0))
        paths, rows, noted = self.faces.paths.take(chosen), self._rows[chosen], noted[chosen]
        dimensions = self._write_vectors(partial / "vectors.npy", rows, noted)
        digests = self._digests_of(rows, noted)
        write_csv(partial / "images.csv", IMAGES_HEADER, zip(paths, digests, strict=True))
        write_status(partial, self._statuses_of(rows, noted))
        return paths, dimensions

    def _write_vectors(self, path: Path, rows: Rows, noted: Rows) -> int:
        """Write the vectors in these rows of the journal or, where -1, of the finished ones."""
        made = self.journal.vectors()
        old = made if self.finished is None else self.finished.vectors
        dimensions = (old if noted[0] < 0 else made).shape[1]
        with atomic_write(path) as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), dimensions)}
            np.lib.format.write_array_header_1_0(stream, header)
            for start in range(0, len(rows), COPIED):
                part = slice(start, start + COPIED)
                new = noted[part] >= 0
                block = np.empty((len(new), dimensions), "<f4")
                block[new] = made[noted[part][new]]
                block[~new] = old[rows[part][~new]]
                stream.write(block.tobytes())
            if self.finished is not None:
                self.finished.refuse_changed()
        return int(dimensions)

    def _digests_of(self, rows: Rows, noted: Rows) -> Iterator[str]:
        sources = self.journal.sources
        for row, note in zip(rows.tolist(), noted.tolist(), strict=True):
            yield sources[note].sha256 if note >= 0 else self._digests[row]

    def _statuses_of(self, rows: Rows, noted: Rows) -> Iterator[Sequence[int]]:
        for row, note in zip(rows.tolist(), noted.tolist(), strict=True):
            if note < 0:
                yield self._status[row].tolist()
            else:
                yield astuple(self._renewed.get(note, self.journal.sources[note]))[2:]


def _finished(folder: Path, faces: Faces, fingerprint: str) -> Embeddings | None:
    """The finished embeddings of the folder, if they are of the model with this fingerprint."""
    try:
        found = Embeddings.load(folder, faces.root, known=faces.paths).of_source(faces.source)
    except EmbeddingError:
        return None
    return found if found.manifest["fingerprint"] == fingerprint else None


def _places(known: TextColumn, paths: TextColumn) -> Rows:
    """`[N]`: the row of each path among those known, or -1."""
    return np.arange(len(paths)) if known.equals(paths) else known.find(paths)


def read_status(folder: Path, finished: Embeddings | None) -> NDArray[np.int64]:
    """`[N, 4]` of the finished rows; without a readable file none is as any file's."""
    count = 0 if finished is None else len(finished)
    if not count:
        return np.empty((0, len(FACTS)), np.int64)
    try:
        found = np.loadtxt(folder / STATUS, np.int64, delimiter=",", skiprows=1, ndmin=2)
        if found.shape != (count, len(FACTS)):
            raise ValueError(f"status of shape {found.shape}")
    except (OSError, ValueError):
        found = np.full((count, len(FACTS)), -1, np.int64)
    return found


def write_status(folder: Path, rows: Iterable[Sequence[int]]) -> None:
    """Write the status of the files of a folder's rows."""
    write_csv(folder / STATUS, FACTS, rows)
