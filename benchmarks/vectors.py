"""Vectors to mine: a documented random world, and the embeddings of real faces brought to size.

Both are deterministic, written in chunks to `vectors.npy` and `groups.npy`, and every side of a
comparison reads the same file.

**clustered** is made to be hard for whoever counts on structure: its spectrum is nearly flat. A
row is a weighted sum of independent random directions, brought to unit norm; its squared weights:

| part | squared weight | shared by |
|---|---|---|
| mean direction | 0.1 | all rows |
| one of 200 archetypes | 0.2 | some identities: the ones that look alike |
| identity | 0.25 to 0.55, drawn per identity | its 1 to 50 faces (sizes uniform) |
| own direction | the rest | none |

One row in 500 is a *hub* (mean 0.1, archetype 0.7, own 0.2: a near neighbour of every face of its
archetype), one in 10,000 a *universal* one (mean 0.6, own 0.4). Faces of an identity stand
together, as a folder per character has them.

**real** is a folder of embeddings and jittered copies of it. Copy 0 is the faces themselves; a
further copy adds Gaussian noise with the set's own covariance, at 0.6 of its standard deviation in
every direction, and goes back to unit norm. (A random crop of up to a tenth on each side moves
EfficientNet-Lite0's embeddings of these faces by 0.62 of their spread, a mirror image by 0.51.) A
copy keeps its face's character, and the copies follow one another whole, so that the faces of a
character lie far apart.

Fewer dimensions than the embeddings have come from a seeded random orthonormal projection; the
leading principal directions would hand the spectrum bound what it looks for. A random one mixes
all directions evenly and leaves a flatter spectrum than a model trained at that size would have.
More dimensions come from a random rotation of the zero-padded vectors: every inner product stays,
no column is zero, the rank stays that of the embeddings. Either is neutral to the sides that
multiply everything, since their time does not depend on the values, and asks nothing of the
spectrum bound that real data would not. Copies are harder on k-NN than new faces would be: beyond
N = 185,700 a face has more than k = 100 copies of itself, which fill its list of neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

SETS = ("clustered", "real")
SEED = 20
LARGEST = 50
ARCHETYPES = 200
JITTER = 0.6
CHUNK = 8192


@dataclass(frozen=True)
class Source:
    """Rows that are not made yet.

    Attributes:
        groups: `[N]`, the identity of each row.
        chunk: the rows from a multiple of 8,192 on, up to as many, `[M, D]` of unit norm.
        origin: where they come from, for the result.
    """

    groups: Rows
    chunk: Callable[[int], Vectors]
    origin: str

    def chunks(self) -> Iterator[tuple[int, Vectors]]:
        """The first row of each chunk, and the chunk."""
        for start in range(0, len(self.groups), CHUNK):
            yield start, self.chunk(start)


def clustered(count: int, dimensions: int, groups: Rows | None = None) -> Source:
    """`count` rows of random identities, or of those of `groups`; see the module."""
    draw = np.random.default_rng([SEED, dimensions])
    sizes = draw.integers(1, LARGEST + 1, size=count)
    identities = int(np.searchsorted(sizes.cumsum(), count)) + 1
    told = f"of 1 to {LARGEST} faces"
    if groups is None:
        groups = np.repeat(np.arange(identities), sizes[:identities])[:count]
    else:
        identities, told = int(groups[-1]) + 1, "of the sizes given"
    mean, archetypes = _directions(draw, 1, dimensions), _directions(draw, ARCHETYPES, dimensions)
    centres = _directions(draw, identities, dimensions)
    of_identity = draw.integers(0, ARCHETYPES, size=identities)
    spread = draw.uniform(0.25, 0.55, size=identities)

    def chunk(start: int) -> Vectors:
        identity = groups[start : start + CHUNK]
        own = np.random.default_rng([SEED, dimensions, start])
        kind = own.random(len(identity))
        universal, hub = kind < 1 / 10_000, (kind >= 1 / 10_000) & (kind < 1 / 500)
        # Squared weights of mean, archetype and identity; what is left of 1 is the row's own.
        weights = np.empty((3, len(identity)))
        weights[0], weights[1], weights[2] = 0.1, 0.2, spread[identity]
        weights[:, hub] = np.array([[0.1], [0.7], [0.0]])
        weights[:, universal] = np.array([[0.6], [0.0], [0.0]])
        rows = _directions(own, len(identity), dimensions)
        rows *= _column(1 - weights.sum(axis=0))
        rows += _column(weights[0]) * mean
        rows += _column(weights[1]) * archetypes[of_identity[identity]]
        rows += _column(weights[2]) * centres[identity]
        return unit(rows)

    return Source(groups, chunk, f"random identities {told}, seed {SEED}")


def real(count: int, dimensions: int, folder: Path) -> Source:
    """`count` rows from the embeddings in `folder` and jittered copies; see the module.

    Raises:
        mining.embeddings.store.EmbeddingError: no embeddings there.
    """
    from mining import Embeddings

    embeddings = Embeddings.load(folder)
    faces = np.array(embeddings.vectors, np.float32)
    _, scale, axes = np.linalg.svd(faces - faces.mean(axis=0), full_matrices=False)
    shape = (JITTER / np.sqrt(len(faces)) * scale[:, np.newaxis] * axes).astype(np.float32)
    turned = basis(faces.shape[1], dimensions)
    source = np.arange(count) % len(faces)

    def chunk(start: int) -> Vectors:
        of = source[start : start + CHUNK]
        own = np.random.default_rng([SEED, start])
        jitter = own.standard_normal((len(of), len(shape)), np.float32) @ shape
        jitter[: max(0, len(faces) - start)] = 0
        return unit(unit(faces[of] + jitter) @ turned)

    # The family and name of the model; what follows the @ is a path of some machine.
    model = embeddings.model.partition("@")[0]
    origin = f"{len(faces)} faces by {model}, {faces.shape[1]}-d, jittered copies to size"
    return Source(embeddings.faces.groups[source], chunk, origin)


def write(
    folder: Path, kind: str, count: int, dimensions: int, embeddings: Path | None = None
) -> str:
    """Write a set's `vectors.npy` and `groups.npy` into `folder`; returns their origin."""
    if kind == "clustered":
        source = clustered(count, dimensions)
    elif embeddings is None:
        raise ValueError("the real set needs a folder of embeddings")
    else:
        source = real(count, dimensions, embeddings)
    table = np.lib.format.open_memmap(
        folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(count, dimensions)
    )
    for start, rows in source.chunks():
        table[start : start + len(rows)] = rows
    table.flush()
    np.save(folder / "groups.npy", source.groups)
    return source.origin


def leading_energy(vectors: Vectors, directions: int = 64, sample: int = 10_000) -> float:
    """Share of the energy (sum of squares) that the leading principal directions hold."""
    step = max(1, len(vectors) // sample)
    rows = vectors[::step]
    values = np.linalg.eigvalsh(rows.T @ rows)
    return float(values[-directions:].sum() / values.sum())


def _directions(draw: np.random.Generator, count: int, dimensions: int) -> Vectors:
    """Gaussian rows, of unit norm on average."""
    rows = draw.standard_normal((count, dimensions), np.float32)
    rows /= np.float32(np.sqrt(dimensions))
    return rows


def basis(old: int, new: int) -> Vectors:
    """Random `[old, new]` with orthonormal columns or, where new > old, orthonormal rows."""
    square = np.random.default_rng([SEED, old, new]).standard_normal((max(old, new), min(old, new)))
    columns = np.linalg.qr(square)[0]
    return np.ascontiguousarray(columns if new <= old else columns.T, np.float32)


def _column(squares: NDArray[np.float64]) -> Vectors:
    return np.sqrt(np.maximum(squares, 0))[:, np.newaxis].astype(np.float32)


def unit(rows: Vectors) -> Vectors:
    """The rows themselves, brought to unit norm."""
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
