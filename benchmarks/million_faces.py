"""A folder of a million faces and finished embeddings of it, without a million pictures.

The pictures are hard links of a few hundred small ones, each with its own name and folder; what
reads their names and status sees what it would of as many files, but that their inodes are few.
Identities have skewed sizes, by a log-normal law: from one picture to some hundreds.

Vectors are `clustered` as in `benchmarks/vectors.py`, or `real`: each identity is one of a folder
of embeddings, moved by Gaussian noise with the set's own covariance at 0.6 of its standard
deviation, and each face one of that identity's, moved likewise once more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import vectors
from benchmarks.vectors import JITTER, SEED, Rows, Source, Vectors

FACES, IDENTITIES, DIMENSIONS = 1_451_527, 39_038, 512
# Of the log-normal law of sizes: the largest of 39,038 has some hundreds of faces.
_SPREAD = 0.8
# An original takes at most so many links; ext4 has 65,000.
_LINKS = 60_000


def sizes_of(faces: int, identities: int) -> Rows:
    """`[identities]`: faces of each, one or more, together `faces`."""
    if faces < identities:
        raise ValueError(f"{faces} faces of {identities} identities; expected one each")
    draw = np.random.default_rng([SEED, identities])
    weights = draw.lognormal(sigma=_SPREAD, size=identities)
    ends = np.round(np.cumsum(weights) / weights.sum() * (faces - identities)).astype(np.int64)
    return np.diff(ends, prepend=0) + 1


def names_of(sizes: Rows) -> list[tuple[str, list[str]]]:
    """The folder of each identity and its pictures, sorted, named as those of Danbooru are."""
    draw = np.random.default_rng([SEED, len(sizes), 1])
    numbers = np.sort(draw.permutation(int(sizes.sum()) * 4)[: int(sizes.sum())]) + 1_000_000
    numbers = draw.permutation(numbers)
    found, start = [], 0
    for at, size in enumerate(sizes.tolist()):
        mine = sorted(f"{number}.jpg" for number in numbers[start : start + size].tolist())
        found.append((f"character_{at:05d}_(series_{at % 997})", mine))
        start += size
    return found


def write_faces(root: Path, sizes: Rows, originals: Sequence[Path]) -> None:
    """Make the folder of faces by hard links of the originals."""
    if len(originals) * _LINKS < sizes.sum():
        raise ValueError(f"{len(originals)} originals for {sizes.sum()} links")
    taken = 0
    for folder, names in names_of(sizes):
        (root / folder).mkdir(parents=True)
        for name in names:
            os.link(originals[taken % len(originals)], f"{root}/{folder}/{name}")
            taken += 1


def real(sizes: Rows, dimensions: int, folder: Path) -> Source:
    """Rows of as many identities, from the embeddings in `folder`; see the module."""
    from mining import Embeddings

    embeddings = Embeddings.load(folder)
    faces = np.array(embeddings.vectors, np.float32)
    codes = embeddings.faces.groups
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    _, scale, axes = np.linalg.svd(faces - faces.mean(axis=0), full_matrices=False)
    shape = (JITTER / np.sqrt(len(faces)) * scale[:, np.newaxis] * axes).astype(np.float32)
    turned = vectors.basis(faces.shape[1], dimensions)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    own = np.array([len(rows) for rows in members])
    first = np.cumsum(own) - own
    kind = groups % len(members)
    origin = np.concatenate(members)[first[kind] + place % own[kind]]

    def chunk(start: int) -> Vectors:
        part = slice(start, start + vectors.CHUNK)
        mine, which = np.unique(groups[part], return_inverse=True)
        moves = np.stack([_noise(len(shape), SEED, 1, int(code)) for code in mine])
        draw = np.random.default_rng([SEED, 2, start])
        noise = draw.standard_normal((len(which), len(shape)), np.float32) + moves[which]
        return vectors.unit(vectors.unit(faces[origin[part]] + noise @ shape) @ turned)

    model = embeddings.model.partition("@")[0]
    told = f"{len(faces)} faces by {model}, {faces.shape[1]}-d, jittered identities and faces"
    return Source(groups, chunk, told)


def _noise(count: int, *seed: int) -> Vectors:
    return np.random.default_rng(seed).standard_normal(count, np.float32)


def source_of(kind: str, sizes: Rows, dimensions: int, folder: Path | None) -> Source:
    """The rows of a kind of vectors, in the order of the faces."""
    if kind == "clustered":
        groups = np.repeat(np.arange(len(sizes)), sizes)
        return vectors.clustered(int(sizes.sum()), dimensions, groups)
    if folder is None:
        raise ValueError("the real set needs a folder of embeddings")
    return real(sizes, dimensions, folder)


def write_embeddings(
    folder: Path, root: Path, sizes: Rows, source: Source, dimensions: int, model: str
) -> None:
    """Write a finished folder of embeddings, as `lookalikes embed` leaves it."""
    import hashlib

    from mining import load_model
    from mining.embeddings.journal import FACTS, facts
    from pairsets.storage.csv_tables import write_csv

    folder.mkdir(parents=True)
    write_vectors(folder, source, dimensions)
    paths = [f"{home}/{name}" for home, names in names_of(sizes) for name in names]
    known: dict[int, str] = {}
    status = []
    digests = []
    for path in paths:
        found = facts((root / path).stat())
        if found[-1] not in known:
            known[found[-1]] = hashlib.sha256((root / path).read_bytes()).hexdigest()
        status.append(found)
        digests.append(known[found[-1]])
    write_csv(folder / "status.csv", FACTS, status)
    loaded: Any = load_model(model)
    made_by = {
        "model": loaded.name,
        "fingerprint": loaded.fingerprint,
        "provenance": dict(loaded.provenance),
        "notes": list(getattr(loaded, "notes", ())),
    }
    finish_embeddings(folder, paths, digests, made_by, dimensions)


def write_vectors(folder: Path, source: Source, dimensions: int) -> None:
    """Write the rows of a source as `vectors.npy` in `folder`, a chunk at a time."""
    table = np.lib.format.open_memmap(
        folder / "vectors.npy",
        mode="w+",
        dtype=np.float32,
        shape=(len(source.groups), dimensions),
    )
    for start, rows in source.chunks():
        table[start : start + len(rows)] = rows
    table.flush()


def finish_embeddings(
    folder: Path,
    paths: Sequence[str],
    digests: Sequence[str],
    made_by: Mapping[str, object],
    dimensions: int,
) -> None:
    """Write the list of pictures and the manifest that go with the vectors in `folder`."""
    from mining.embeddings.store import IMAGES_HEADER, SCHEMA
    from pairsets.storage.artefacts import versions, write_json
    from pairsets.storage.csv_tables import write_csv
    from pairsets.storage.digests import sha256

    write_csv(folder / "images.csv", IMAGES_HEADER, zip(paths, digests, strict=True))
    manifest = {
        "schema": SCHEMA,
        "similarity": "cosine",
        "images": len(paths),
        "dimensions": dimensions,
        "skipped": {},
        "batch_size": 32,
        "images_sha256": sha256(folder / "images.csv"),
        "vectors_sha256": sha256(folder / "vectors.npy"),
        "provenance": {},
        "notes": [],
        "versions": versions("lookalikes", "numpy", "pillow"),
        **made_by,
    }
    write_json(folder / "manifest.json", manifest)
