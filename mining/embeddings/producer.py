"""Producer of embeddings: each face is embedded once, going on after a kill."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from mining.embeddings.batches import BatchSettings, encoded, first_pictures
from mining.embeddings.engines import SAMPLE, Engine, EngineChoice
from mining.embeddings.journal import Source, VectorJournal, Vectors, exclusive
from mining.embeddings.store import (
    FILES,
    IDENTITIES,
    IMAGES_HEADER,
    SCHEMA,
    Embeddings,
    named_otherwise,
    read_images,
    read_manifest,
)
from mining.errors import EmbeddingError as EmbeddingError
from mining.models.base import Model
from mining.models.heap import kept_heap
from pairsets import images
from pairsets.faces import Faces
from pairsets.pairset import IDENTITY_COLUMNS
from pairsets.progress import Step, unheard
from pairsets.storage.artefacts import atomic_write, versions, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256
from pairsets.storage.locks import LOCK

BATCH_SIZE = 32
OnError = Literal["fail", "skip"]


def embed(
    faces: Faces,
    model: Model,
    folder: str | Path,
    *,
    batch_size: int = BATCH_SIZE,
    workers: int | None = None,
    on_error: OnError = "fail",
    max_pixels: int = images.MAX_PIXELS,
    engine: Engine = "auto",
    progress: Step | None = None,
) -> Embeddings:
    """Embed each face once and keep the vectors in `folder`.

    What `folder` already holds of this model is used again: an image is decoded and encoded only
    if it is new or its content changed. Interrupted at any moment, the next call goes on where
    this one stopped and ends with the same bytes.

    Args:
        faces: what to embed.
        model: from `mining.load_model`.
        folder: where the vectors go.
        batch_size: images a call of `model.encode`; the last batch is filled up, so that every
            call has one shape.
        workers: decoding threads; by default one a core.
        on_error: `fail` lists every unreadable image and stops, `skip` leaves them out and
            counts them.
        max_pixels: width times height above which an image is refused undecoded.
        engine: what runs a network of PyTorch's: `torch`, `onnx` (ONNX Runtime, on the CPU), or
            `auto`, the one that made what `folder` holds, else the faster of the two where they
            agree. Vectors of the other are made again, as another model's are.
        progress: called with the faces done and the faces in all.

    Raises:
        EmbeddingError: unreadable images (`fail`), or none that can be read; vectors that are
            zero or not finite.
        ModelError: another process is at work in `folder`; or a picture's vector depends on what
            else is in its batch, which the first batch is tried for; or the engine asked for is not
            for this model, cannot be had, or disagrees with PyTorch.
    """
    folder = Path(folder)
    if batch_size < 1:
        raise EmbeddingError(f"a batch size of {batch_size}; expected 1 or more")
    if on_error not in get_args(OnError):
        raise EmbeddingError(f"on_error {on_error!r} is none of {', '.join(get_args(OnError))}")
    _refuse_other_content(folder)
    report = progress or unheard
    with exclusive(folder):
        _finish_moves(folder)
        with closing(VectorJournal(folder / "partial", model.fingerprint)) as journal:
            known = _Known(folder, journal, model, engine)
            found = known.still_good(faces, report)
            if len(found) < len(faces) or not known.is_complete(faces):
                settings = BatchSettings(batch_size, workers, max_pixels, on_error == "fail")
                failed = _embed_rest(faces, found, model, known, settings, report)
                known.add(journal.sources, journal.vectors())
                _write(folder, faces, found, known, model, failed, batch_size)
            else:
                _write_status(folder, found.values())
        _finish_moves(folder)
        shutil.rmtree(folder / "partial", ignore_errors=True)
        return Embeddings._open(folder, faces.root)


def _refuse_other_content(folder: Path) -> None:
    """Refuse a folder of other content: a stranger's manifest would be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise EmbeddingError(f"{folder}: a file; expected a folder for the embeddings")
    found = {entry.name for entry in folder.iterdir()} - {LOCK}
    ours = found & {*FILES, "manifest.json"}
    if found and "partial" not in found and len(ours) < 2:
        raise EmbeddingError(
            f"{folder}: holds something else than embeddings ({min(found - ours or found)!r}); "
            "choose a folder of their own"
        )


def _embed_rest(
    faces: Faces,
    found: dict[str, Source],
    model: Model,
    known: _Known,
    settings: BatchSettings,
    report: Step,
) -> dict[str, str]:
    """Embed the faces not in `found` and add them to it; returns the failures with their causes."""
    todo = [path for path in faces.paths if path not in found]
    report(len(found), len(faces))
    failed: dict[str, str] = {}
    if todo:
        model = known.choice.open(
            lambda: first_pictures(faces, todo, model, settings, SAMPLE),
            batch_size=settings.batch_size,
            count=len(todo),
        )
    batches = encoded(faces, todo, model, settings)
    with kept_heap(), closing(batches):
        for batch, vectors, causes in batches:
            failed.update(causes)
            if batch:
                known.journal.append(batch, vectors)
                found.update((source.path, source) for source in batch)
            report(len(found) + len(failed), len(faces))
    if failed and (settings.stop_on_error or not found):
        raise EmbeddingError(_listing(failed, faces))
    return failed


class _Known:
    """Vectors that exist already: finished ones of the folder, and those of the journal."""

    def __init__(self, folder: Path, journal: VectorJournal, model: Model, engine: Engine) -> None:
        self.sources: dict[str, Source] = {}
        self.rows: dict[str, tuple[Vectors, int]] = {}
        self.finished: Embeddings | None = None
        self.journal = journal
        # The manifest of finished vectors of this model.
        ours = None
        try:
            self.finished = Embeddings.load(folder)
        except EmbeddingError:
            pass
        else:
            if self.finished.manifest["fingerprint"] == journal.fingerprint:
                ours = self.finished.manifest
        begun = bool(journal.sources)
        self.choice = EngineChoice(folder, model, engine, begun=begun, finished=ours)
        self.fits = ours is not None and self.choice.fits(ours)
        if self.finished is not None and self.fits:
            self.add(_read_sources(folder, self.finished), self.finished.vectors)
        self.add(journal.sources, journal.vectors())

    def still_good(self, faces: Faces, report: Step) -> dict[str, Source]:
        """The records of the faces that need not be embedded."""
        found = {}
        for done, path in enumerate(faces.paths):
            source = self.unchanged(faces, path)
            if source is not None:
                found[path] = source
            if self.sources and done % 1000 == 0:
                report(len(found), len(faces))
        return found

    def add(self, sources: Iterable[Source], vectors: Vectors) -> None:
        """Take in further finished rows; a later one of the same path counts."""
        for row, source in enumerate(sources):
            self.sources[source.path] = source
            self.rows[source.path] = vectors, row

    def unchanged(self, faces: Faces, path: str) -> Source | None:
        """The record of a face whose file still has the content of its vector."""
        source = self.sources.get(path)
        if source is None:
            return None
        try:
            status = faces.locate(path).stat()
            if source.stands(status):
                return source
            if status.st_size == source.size or source.size < 0:
                content = hashlib.sha256(images.read(faces.locate(path))).hexdigest()
                return Source.of(path, content, status) if content == source.sha256 else None
        except (OSError, images.ImageError):
            pass
        return None

    def is_complete(self, faces: Faces) -> bool:
        """Whether the folder is finished, for exactly these faces and this model."""
        return (
            self.finished is not None
            and self.fits
            and not self.finished.skipped
            and np.array_equal(self.finished.faces.paths, faces.paths)
            and np.array_equal(self.finished.faces.identities, faces.identities)
            and self.finished.faces.said == faces.said
        )


def _write(
    folder: Path,
    faces: Faces,
    found: Mapping[str, Source],
    known: _Known,
    model: Model,
    failed: Mapping[str, str],
    batch_size: int,
) -> None:
    """Lay the finished files into `partial/`; its manifest, written last, says they are whole."""
    partial = folder / "partial"
    paths = [path for path in faces.paths if path in found]
    rows = [known.rows[path] for path in paths]
    dimensions = rows[0][0].shape[1]
    with atomic_write(partial / "vectors.npy") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(paths), dimensions)}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(rows), 4096):
            block = np.stack([array[row] for array, row in rows[start : start + 4096]])
            stream.write(np.ascontiguousarray(block, "<f4").tobytes())
    write_csv(partial / "images.csv", IMAGES_HEADER, ((path, found[path].sha256) for path in paths))
    _write_status(partial, (found[path] for path in paths))
    named = named_otherwise(faces, paths)
    if named is not None:
        write_csv(partial / IDENTITIES, IDENTITY_COLUMNS, named.items())
    manifest = {
        "schema": SCHEMA,
        "model": model.name,
        "fingerprint": model.fingerprint,
        "similarity": model.similarity,
        "images": len(paths),
        "dimensions": dimensions,
        "skipped": dict(sorted(failed.items())),
        "batch_size": batch_size,
        "images_sha256": sha256(partial / "images.csv"),
        **({"identities": faces.said} if faces.said is not None else {}),
        **({"identities_sha256": sha256(partial / IDENTITIES)} if named is not None else {}),
        "vectors_sha256": sha256(partial / "vectors.npy"),
        **({} if known.choice.facts is None else {"engine": dict(known.choice.facts)}),
        "provenance": dict(model.provenance),
        "notes": list(getattr(model, "notes", ())),
        "versions": versions("lookalikes", "numpy", "pillow"),
    }
    write_json(partial / "manifest.json", manifest)


def _write_status(folder: Path, sources: Iterable[Source]) -> None:
    write_csv(
        folder / "status.csv",
        ["size", "mtime_ns", "ctime_ns", "inode"],
        (astuple(item)[2:] for item in sources),
    )


def _finish_moves(folder: Path) -> None:
    """Put whole files from `partial/` in place; a kill between two moves is made good here."""
    partial = folder / "partial"
    if not (partial / "manifest.json").exists():
        return
    (folder / "manifest.json").unlink(missing_ok=True)
    for name in (*FILES, IDENTITIES):
        if (partial / name).exists():
            (partial / name).replace(folder / name)
    if "identities_sha256" not in read_manifest(partial / "manifest.json"):
        (folder / IDENTITIES).unlink(missing_ok=True)
    (partial / "manifest.json").replace(folder / "manifest.json")
    shutil.rmtree(partial)


def _read_sources(folder: Path, finished: Embeddings) -> list[Source]:
    """The records of finished rows; without a readable `status.csv` every file is hashed again."""
    digests = [content for _, content in read_images(folder / "images.csv")]
    try:
        status = np.loadtxt(folder / "status.csv", np.int64, delimiter=",", skiprows=1, ndmin=2)
        if status.shape != (len(digests), 4):
            raise ValueError(f"status of shape {status.shape}")
    except (OSError, ValueError):
        status = np.full((len(digests), 4), -1, np.int64)
    return [
        Source(path, content, *numbers)
        for path, content, numbers in zip(
            finished.faces.paths, digests, status.tolist(), strict=True
        )
    ]


def _listing(failed: Mapping[str, str], faces: Faces) -> str:
    lines = [f"  {path}: {cause}" for path, cause in sorted(failed.items())]
    return (
        f"{len(failed)} of {len(faces)} images in {faces.root} cannot be used:\n"
        + "\n".join(lines)
        + "\nMend or remove them, or leave them out: embed, build and compare have --on-error skip."
    )
