"""Vectors that exist already, given in place of a model that would be run on the faces.

They are embeddings that `lookalikes embed` or `lookalikes import` left, or arrays in memory. It is
looked whether each is of these very faces; then its rows are copied to where a model's would lie.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.foreign_vectors import vectors_header
from mining.embeddings.known_vectors import CHUNK, COPIED, STATUS, read_status, write_status
from mining.embeddings.producer import OnError
from mining.embeddings.store import (
    IDENTITIES,
    IMAGES_HEADER,
    NO_VECTOR,
    Embeddings,
    named_otherwise,
    read_images,
)
from mining.errors import EmbeddingError, RunError
from pairsets import images
from pairsets.arrays import Mask, Rows
from pairsets.faces import Faces
from pairsets.pairset import IDENTITY_COLUMNS
from pairsets.path_prefixes import cause
from pairsets.picture_sources.base import NOTHING, FileFacts, facts_of
from pairsets.progress import Step, unheard
from pairsets.storage.artefacts import atomic_write, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256
from pairsets.storage.publication import written_together
from pairsets.text_column import TextColumn

_NAMED = 5


@dataclass(frozen=True, eq=False)
class GivenVectors:
    """Embeddings that stand for a model which is not run.

    Attributes:
        source: the embeddings.
    """

    source: Embeddings

    @classmethod
    def open(cls, given: Path | Embeddings) -> GivenVectors:
        """The embeddings of `FOLDER` or `NAME=FOLDER`, or those at hand.

        Raises:
            ModelError, EmbeddingError: as `Embeddings.load_named`.
        """
        return cls(given if isinstance(given, Embeddings) else Embeddings.load_named(given))

    @property
    def name(self) -> str:
        """The `family:argument` text of the model that made them, or an import's."""
        return self.source.model

    @property
    def fingerprint(self) -> str:
        """Fingerprint of that model."""
        return str(self.source.manifest["fingerprint"])

    @property
    def called(self) -> str:
        """The model's text, with its label if it has one."""
        return self.source.called

    @property
    def place(self) -> Path | None:
        """The folder that they lie in; None of arrays in memory."""
        return None if self.source.row_digests is not None else self.source.folder

    @property
    def settled(self) -> dict[str, str]:
        """Digests by which they are known again, wherever they lie."""
        names = ("fingerprint", "vectors_sha256", "images_sha256")
        return {name: str(self.source.manifest[name]) for name in names}

    @property
    def notes(self) -> list[str]:
        """Sentences that a user should know of them."""
        notes = [str(note) for note in self.source.manifest.get("notes", ())]
        if not self.source.saw_pictures:
            notes.append(
                f"{self.called}: its paths alone say which picture a vector is of. No digest of a "
                "picture came with the vectors, so that it is not known whether they are of the "
                "pictures that are there now; lookalikes import --faces takes the digests."
            )
        return notes

    @cached_property
    def digests(self) -> TextColumn:
        """`[M]`: SHA-256 of the picture of each row, or of the row."""
        place, paths = self.place, self.source.faces.paths
        if place is not None and read_images(place / "images.csv").equals(paths):
            return read_images(place / "images.csv", "sha256")
        known = self.source.digests
        return TextColumn.of(known[path] for path in paths)

    def rows(self, faces: Faces) -> Rows:
        """`[N]`: the row of each face, or -1."""
        ours = self.source.faces.paths
        return np.arange(len(faces)) if ours.equals(faces.paths) else ours.find(faces.paths)

    def check(self, faces: Faces, on_error: OnError) -> Mask:
        """`[N]`: the faces that there is a vector of; all of them unless some are to be skipped.

        Args:
            faces: of the folder.
            on_error: `fail` refuses faces without a vector, `skip` leaves them out.

        Raises:
            EmbeddingError: vectors of other faces, or of faces that show somebody else.
        """
        rows = self.rows(faces)
        there: Mask = rows >= 0
        self._refuse_others(faces, int(there.sum()))
        if not there.all() and (on_error == "fail" or not there.any()):
            lacking = faces.paths.take(~there).tolist()
            self._refuse(
                f"no vector of faces in {faces.place}",
                [f"{path} ({self.source.skipped.get(path, 'not in it')})" for path in lacking],
                "Make them of the whole folder, or leave these faces out: --on-error skip",
            )
        if faces.said is None:
            self._refuse_other_people(faces, rows)
        return there

    def _refuse_others(self, faces: Faces, shared: int) -> None:
        """Raise EmbeddingError where there are vectors of faces that the folder has not."""
        ours = self.source.faces.paths
        if shared == len(ours):
            return
        others = ours.take(faces.paths.find(ours) < 0).tolist()
        if faces.said is not None and faces.source is None:
            # The identities given leave them out, as they do where a model is run.
            others = [path for path in others if not (faces.root / path).is_file()]
        if not others:
            return
        remedy = cause(others[0], frozenset(faces.paths).__contains__).removeprefix("; ")
        if remedy.startswith("paths"):
            remedy = f"The {remedy}"
        elif not remedy:
            remedy = (
                "Are they of another folder, of more faces, or of pictures that are gone? Make "
                "them of this folder, and with the same identities"
            )
        self._refuse(f"vectors of faces that are not in {faces.place}", others, remedy)

    def _refuse_other_people(self, faces: Faces, rows: Rows) -> None:
        """Raise EmbeddingError where a face is not whom its folder says, by the embeddings."""
        there = np.flatnonzero(rows >= 0)
        mine, theirs = self.source.faces.identities[rows[there]], faces.identities[there]
        differing = np.flatnonzero(mine != theirs)
        if not differing.size:
            return
        named = [
            f"{faces.paths[there[at]]} ({mine[at]!r}, and not {theirs[at]!r})"
            for at in differing[:_NAMED].tolist()
        ]
        said = self.source.faces.said
        self._refuse(
            f"faces in {faces.place} show somebody else than their folders say",
            named,
            "Say who is shown, for this build too"
            + (f": it was {said} there" if said else "")
            + " (--identity-level 1 takes the folders)",
            count=int(differing.size),
        )

    def _refuse(
        self, what: str, named: Sequence[str], remedy: str, *, count: int | None = None
    ) -> None:
        total = len(named) if count is None else count
        more = ", ..." if total > _NAMED else ""
        raise EmbeddingError(
            f"{self.source.folder}: {what} ({total:,}): {', '.join(named[:_NAMED])}{more}. {remedy}"
        )

    def copy(self, faces: Faces, folder: Path, step: Step = unheard) -> Embeddings:
        """Copy the vectors of `faces`, in their order, into `folder`; what is there is kept.

        The model, its fingerprint and provenance stay. Interrupted, nothing of it is there.

        Raises:
            EmbeddingError: the vectors changed since they were opened.
        """
        found = self._copied(faces, folder)
        if found is None:
            self._write(faces, folder, step)
            # Of a model that was run here before, and killed.
            shutil.rmtree(folder / "partial", ignore_errors=True)
            found = Embeddings.load(folder, faces.root, known=faces.paths)
        return replace(found.of_source(faces.source), label=self.source.label)

    def _copied(self, faces: Faces, folder: Path) -> Embeddings | None:
        """The embeddings in the folder, if they are all that is given."""
        try:
            found = Embeddings.load(folder, faces.root, known=faces.paths)
        except EmbeddingError:
            return None
        theirs = found.faces
        same = (
            found.manifest == self.source.manifest
            and theirs.paths.equals(faces.paths)
            and np.array_equal(theirs.identities, faces.identities)
            and theirs.said == faces.said
        )
        return found if same else None

    def _write(self, faces: Faces, folder: Path, step: Step) -> None:
        """Write the rows of `faces` and what is known of them, all files or none."""
        rows, named = self.rows(faces), named_otherwise(faces, faces.paths)
        kept = self.place is not None and (self.place / STATUS).is_file()
        optional = {STATUS: kept, IDENTITIES: named is not None}
        names = ["vectors.npy", "images.csv", *(one for one in optional if optional[one])]
        files = [folder / name for name in (*names, "manifest.json")]
        stale = [folder / name for name in optional if not optional[name]]
        with written_together(files, stale=stale) as staged:
            with atomic_write(staged / "vectors.npy") as stream:
                for piece in self._pieces(rows, step):
                    stream.write(piece)
            digests = self.digests.take(rows)
            write_csv(staged / "images.csv", IMAGES_HEADER, zip(faces.paths, digests, strict=True))
            if kept and self.place is not None:
                status = read_status(self.place, self.source)[rows]
                write_status(staged, map(np.ndarray.tolist, status))
            if named is not None:
                write_csv(staged / IDENTITIES, IDENTITY_COLUMNS, named.items())
            write_json(staged / "manifest.json", self._manifest(faces, staged))

    def _pieces(self, rows: Rows, step: Step) -> Iterator[bytes]:
        """Bytes of the file of these rows."""
        vectors = self.source.vectors
        with self.source.watched():
            yield vectors_header((len(rows), int(vectors.shape[1])))
            for start in range(0, len(rows), COPIED):
                block = vectors[rows[start : start + COPIED]]
                yield np.ascontiguousarray(block, "<f4").tobytes()
                step(start + len(block), len(rows))

    def _manifest(self, faces: Faces, staged: Path) -> dict[str, Any]:
        """The manifest of a copy: the source's, but for what is of other rows."""
        manifest: dict[str, Any] = {}
        for name, value in self.source.manifest.items():
            if name == "images_sha256":
                manifest[name] = sha256(staged / "images.csv")
                if faces.said is not None:
                    manifest["identities"] = faces.said
                if (staged / IDENTITIES).is_file():
                    manifest["identities_sha256"] = sha256(staged / IDENTITIES)
            elif name not in ("identities", "identities_sha256"):
                manifest[name] = value
        manifest["images"] = len(faces)
        manifest["vectors_sha256"] = sha256(staged / "vectors.npy")
        return manifest

    def without(self, faces: Faces) -> GivenVectors:
        """These vectors, of which is said that they lack what they lack of the folder's faces."""
        lacking = faces.paths.take(self.rows(faces) < 0).tolist()
        told = {path: self.source.skipped.get(path, f"{NO_VECTOR} in what was given")
                for path in lacking}  # fmt: skip
        manifest = {**self.source.manifest, "skipped": dict(sorted(told.items()))}
        return replace(self, source=replace(self.source, manifest=manifest))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Pictures as they were when their vectors were made.

    Attributes:
        rows: `[N]` of the faces, or -1.
        status: `[M, 4]` of the rows.
    """

    given: GivenVectors
    rows: Rows
    status: NDArray[np.int64]

    @classmethod
    def of(cls, given: GivenVectors, faces: Faces) -> _Seen:
        place = given.place
        assert place is not None  # arrays have seen no pictures
        status = read_status(place, given.source)
        return cls(given, given.rows(faces), status)

    def stands(self, at: int, facts: FileFacts | None) -> bool:
        """Whether the file is what it was, by its facts, or one that has no vector here."""
        row = int(self.rows[at])
        return row < 0 or tuple(self.status[row].tolist()) == facts


def refuse_other_pictures(
    given: Sequence[GivenVectors], faces: Faces, workers: int | None = None, step: Step = unheard
) -> None:
    """Raise EmbeddingError where a picture is not the one that a vector was made of.

    Where nothing is known of the pictures, nothing is compared. A file with the size, times and
    inode that it had is taken to be the same; others are read, each once.

    Args:
        given: vectors.
        faces: of the folder.
        workers: threads that read; by default one a core.
        step: called with the faces looked at and the faces in all.
    """
    seen = [_Seen.of(one, faces) for one in given if one.source.saw_pictures]
    if not seen:
        return
    digests = [one.given.digests for one in seen]
    changed: dict[int, list[str]] = {at: [] for at in range(len(seen))}

    def look(at: int, path: str, facts: FileFacts | None) -> list[int]:
        asked = [number for number, one in enumerate(seen) if not one.stands(at, facts)]
        if not asked:
            return []
        try:
            content = hashlib.sha256(faces.read(path)[0]).hexdigest()
        except (OSError, images.ImageError):
            content = ""
        return [one for one in asked if digests[one][int(seen[one].rows[at])] != content]

    paths = iter(faces.paths)
    with ThreadPoolExecutor(workers or os.cpu_count() or 1, "digest") as pool:
        for start in range(0, len(faces), CHUNK):
            part = list(islice(paths, CHUNK))
            numbers = range(start, start + len(part))
            looked = pool.map(look, numbers, part, _facts(faces, part))
            for path, differing in zip(part, looked, strict=True):
                for number in differing:
                    changed[number].append(path)
            step(start + len(part), len(faces))
    for number, found in changed.items():
        if found:
            one = seen[number].given
            one._refuse(
                f"pictures in {faces.place} are other than those that the vectors were made of, or "
                "cannot be read",
                found,
                "Did they change since, or are they of another folder? Make the vectors again",
            )


def _facts(faces: Faces, paths: Sequence[str]) -> list[FileFacts | None]:
    """The facts of each picture; None of one that is not there."""
    if faces.source is not None:
        there = [(a, b, c, d) for a, b, c, d in faces.source.facts(paths).tolist()]
        return [None if one == NOTHING else one for one in there]
    found: list[FileFacts | None] = []
    for path in paths:
        try:
            found.append(facts_of((faces.root / path).stat()))
        except OSError:
            found.append(None)
    return found


def shared_faces(given: Sequence[GivenVectors], faces: Faces, on_error: OnError) -> Faces:
    """The faces that all of these have a vector of; see `GivenVectors.check`.

    Raises:
        EmbeddingError: as that; or there is no such face.
    """
    there: Mask = np.ones(len(faces), np.bool_)
    for one in given:
        there &= one.check(faces, on_error)
    if not there.any():
        where = ", ".join(str(one.source.folder) for one in given)
        raise RunError(f"{where}: no face has a vector in each of them; make them of one folder")
    return faces if there.all() else faces.take(there)
