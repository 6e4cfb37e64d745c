"""Producer of embeddings: each face is embedded once, going on after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from mining.embeddings.batches import BatchSettings, encoded, first_pictures
from mining.embeddings.crew import Encoder
from mining.embeddings.engines import SAMPLE, Engine
from mining.embeddings.journal import VectorJournal, exclusive
from mining.embeddings.known_vectors import KnownVectors
from mining.embeddings.store import (
    FAMILY,
    FILES,
    IDENTITIES,
    SCHEMA,
    WHITENING,
    Embeddings,
    named_otherwise,
    read_images,
    read_manifest,
)
from mining.embeddings.vector_cache import VectorCache, cached, facts_of
from mining.errors import EmbeddingError as EmbeddingError
from mining.models.adapted_model import AdaptedModel
from mining.models.base import Model
from mining.models.collection_mean import collection_mean, identity_codes
from mining.models.heap import kept_heap
from pairsets import images
from pairsets.arrays import Mask
from pairsets.faces import Faces
from pairsets.pairset import IDENTITY_COLUMNS
from pairsets.progress import Step, unheard
from pairsets.storage.artefacts import versions, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256
from pairsets.storage.locks import LOCK
from pairsets.text_column import TextColumn

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
    crew: Encoder | None = None,
    cache: Path | None = None,
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
        crew: runs the model elsewhere, with the same vectors; here where it is None.
        cache: folder of vectors that runs share, by a picture's content; see
            `mining.embeddings.vector_cache`. On one machine the result is the same without it.
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
            known = KnownVectors(faces, folder, journal, model, engine)
            known.check(report)
            finished = known.complete
            if finished is None:
                settings = BatchSettings(batch_size, workers, max_pixels, on_error == "fail")
                failed = _embed_rest(known, model, settings, crew, cache, report)
                _write(known, model, failed, batch_size)
            else:
                known.renew_status()
        _finish_moves(folder)
        shutil.rmtree(folder / "partial", ignore_errors=True)
        if finished is None:
            finished = Embeddings._open(folder, faces.root).of_source(faces.source)
        return finished


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
    if "manifest.json" in found and _is_foreign(folder):
        raise EmbeddingError(
            f"{folder}: holds vectors from elsewhere, which cannot be made again here; choose "
            "another folder"
        )


def _is_foreign(folder: Path) -> bool:
    """Whether the vectors were imported."""
    try:
        provenance = read_manifest(folder / "manifest.json")["provenance"]
    except (OSError, ValueError):
        return False
    return provenance.get("family") == FAMILY or FAMILY in provenance


def _embed_rest(
    known: KnownVectors,
    model: Model,
    settings: BatchSettings,
    crew: Encoder | None,
    cache: Path | None,
    report: Step,
) -> dict[str, str]:
    """Embed the faces without a good vector into the journal; the failures with their causes."""
    faces, done = known.faces, int(known.good.sum())
    report(done, len(faces))
    failed: dict[str, str] = {}
    todo = faces.paths.take(~known.good)
    if faces.source is not None:
        todo = faces.source.in_order(todo)
    known_model = model
    if len(todo):
        model = known.choice.open(
            lambda: first_pictures(faces, todo, model, settings, SAMPLE),
            batch_size=settings.batch_size,
            count=len(todo),
        )
    shared = None
    if cache is not None and len(todo):
        facts = (settings.batch_size, settings.max_pixels)
        shared = VectorCache(cache, facts_of(known_model, known.choice.facts, *facts))
        todo = _take(shared, known, todo, settings, done, report)
        done = len(faces) - len(todo)
    if crew is None or not len(todo):
        batches = encoded(faces, todo, model, settings)
    else:
        batches = crew.encoded(faces, todo, model, known.choice.facts, settings)
    with kept_heap(), closing(batches), closing(shared) if shared else nullcontext():
        for batch, vectors, causes in batches:
            failed.update(causes)
            if batch:
                known.journal.append(batch, vectors)
                if shared is not None:
                    shared.append([one.sha256 for one in batch], vectors)
                done += len(batch)
            report(done + len(failed), len(faces))
    if failed and (settings.stop_on_error or not done):
        raise EmbeddingError(_listing(failed, faces))
    return failed


def _take(
    shared: VectorCache,
    known: KnownVectors,
    todo: TextColumn,
    settings: BatchSettings,
    done: int,
    report: Step,
) -> TextColumn:
    """Append the vectors that a cache has to the journal; the paths of the others."""
    left: list[Mask] = []
    for sources, vectors, hits in cached(shared, known.faces, todo, settings.workers):
        if sources:
            known.journal.append(sources, vectors)
            done += len(sources)
            report(done, len(known.faces))
        left.append(~hits)
    return todo.take(np.concatenate(left))


def _write(known: KnownVectors, model: Model, failed: Mapping[str, str], batch_size: int) -> None:
    """Lay the finished files into `partial/`; its manifest, written last, says they are whole."""
    faces, partial = known.faces, known.folder / "partial"
    paths, dimensions = known.write(partial)
    named = named_otherwise(faces, paths)
    if named is not None:
        write_csv(partial / IDENTITIES, IDENTITY_COLUMNS, named.items())
    whitening, told = _stepped(model, faces, paths, partial)
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
        **({} if whitening is None else {"whitening": whitening}),
        "notes": [*getattr(model, "notes", ()), *told],
        "versions": versions("lookalikes", "numpy", "pillow"),
    }
    write_json(partial / "manifest.json", manifest)


def _stepped(
    model: Model, faces: Faces, paths: TextColumn, partial: Path
) -> tuple[dict[str, object] | None, list[str]]:
    """Lay the step behind the model beside its vectors in `partial`, where there is one.

    Returns:
        Facts on it, and sentences on faces that it was learnt on and on the mean of these.
    """
    if not isinstance(model, AdaptedModel) or model.whitening is None:
        return None, []
    model.whitening.write(partial / WHITENING)
    people = faces.identities[faces.paths.find(paths)]
    vectors = np.load(partial / "vectors.npy", mmap_mode="r")
    mean = collection_mean(vectors, identity_codes(people))
    told = model.notes_on(people.tolist(), read_images(partial / "images.csv", "sha256"))
    note = model.note_on_mean(mean)
    return model.whitening_facts(mean), told if note is None else [*told, note]


def _finish_moves(folder: Path) -> None:
    """Put whole files from `partial/` in place; a kill between two moves is made good here."""
    partial = folder / "partial"
    if not (partial / "manifest.json").exists():
        return
    (folder / "manifest.json").unlink(missing_ok=True)
    for name in (*FILES, IDENTITIES, WHITENING):
        if (partial / name).exists():
            (partial / name).replace(folder / name)
    manifest = read_manifest(partial / "manifest.json")
    for key, name in (("identities_sha256", IDENTITIES), ("whitening", WHITENING)):
        if key not in manifest:
            (folder / name).unlink(missing_ok=True)
    (partial / "manifest.json").replace(folder / "manifest.json")
    shutil.rmtree(partial)


def _listing(failed: Mapping[str, str], faces: Faces) -> str:
    lines = [f"  {path}: {cause}" for path, cause in sorted(failed.items())]
    return (
        f"{len(failed)} of {len(faces)} images in {faces.place} cannot be used:\n"
        + "\n".join(lines)
        + "\nMend or remove them, or leave them out: embed, build and compare have --on-error skip."
    )
