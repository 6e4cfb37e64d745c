"""Learner of a whitening: from the vectors of some faces a mean, and a projection.

- `centre`: the mean is taken off, m = 1/N sum x.
- `pca`: and principal directions are scaled to one variance, P = U_K L_K^(-1/2), where the
  covariance 1/N sum (x - m)(x - m)' = U L U' (Jegou and Chum, "Negative Evidences and
  Co-occurences in Image Retrieval: the Benefit of PCA and Whitening", ECCV 2012).
- `within`: the same with the covariance *within* identities, pooled over those of two faces or
  more, P = U L^(-1/2) (Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for
  SVM-based speaker recognition", Interspeech 2006). With K dimensions, the directions in which the
  means of identities then vary most are kept: Fisher's linear discriminants.

A covariance S is shrunk towards a multiple of the identity, (1 - g) S + g tr(S) / D I, by the
share g that Ledoit and Wolf ("A well-conditioned estimator for large-dimensional covariance
matrices", 2004) estimate, or by the one given.

All is computed in float64, in one thread, of rows in the order of their paths; the largest
component of a direction is positive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from indexes.memory import gather
from mining.embeddings.store import Embeddings, read_images
from mining.errors import EmbeddingError
from mining.models.collection_mean import CollectionMean, collection_mean, identity_codes
from mining.models.names import short_name
from mining.models.whitening_step import Whitening, image_marks, marks, model_digest, unit
from pairsets.arrays import Floats, Rows
from pairsets.progress import Step, unheard
from pairsets.storage.artefacts import versions

Method = Literal["centre", "pca", "within"]
_BLOCK = 4096
# Of the largest: directions that vary less are those of rounding.
_RANK = 1e-10


@dataclass(frozen=True)
class WhiteningPlan:
    """Options of learning a whitening.

    Attributes:
        method: see the module.
        dimensions: K; by default as many as can be told.
        shrinkage: 0 to 1; None estimates it.

    Raises:
        EmbeddingError: no such method, or numbers that make no sense.
    """

    method: Method = "within"
    dimensions: int | None = None
    shrinkage: float | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise EmbeddingError(f"method {self.method!r} is none of {', '.join(get_args(Method))}")
        if self.dimensions is not None and self.dimensions < 1:
            raise EmbeddingError(f"{self.dimensions} dimensions; expected 1 or more")
        if self.shrinkage is not None and not 0 <= self.shrinkage <= 1:
            raise EmbeddingError(f"a shrinkage of {self.shrinkage}; expected 0 to 1")
        if self.method == "centre" and (self.dimensions, self.shrinkage) != (None, None):
            raise EmbeddingError(
                "the method centre takes off a mean alone; dimensions and shrinkage are of pca and "
                "within"
            )


def learn_whitening(
    embeddings: Embeddings, plan: WhiteningPlan, progress: Step | None = None
) -> Whitening:
    """Learn a whitening from all vectors of a folder, or of those of its faces that are taken.

    Args:
        embeddings: of one model, without a whitening behind it.
        plan: the method.
        progress: told how many of the passes over the vectors are done.

    Raises:
        EmbeddingError: too few faces, or identities of two faces, for what is asked; vectors that
            are not finite or do not vary, or that were whitened before.
    """
    manifest = embeddings.manifest
    provenance = manifest["provenance"]
    if "whitening" in provenance:
        raise EmbeddingError(
            f"{embeddings.folder}: its vectors are whitened already; learn from those without"
        )
    order = np.argsort(embeddings.faces.paths[:], kind="stable")
    identities = identity_codes(embeddings.faces.identities[order])
    report = progress or unheard
    with embeddings.watched() as told, threadpool_limits(1, user_api="blas"):
        vectors = _Vectors(embeddings, order)
        report(0, 3)
        mean, centres, counts = vectors.means(identities)
        told(1, 3)
        report(1, 3)
        projection, found = _projection(vectors, plan, mean, centres, counts, identities)
        told(2, 3)
        report(2, 3)
        stepped = _stepped(embeddings, order, identities, mean, projection)
        report(3, 3)
    step = Whitening(
        mean,
        projection,
        {},
        marks(embeddings.faces.identities.tolist()),
        image_marks(_digests(embeddings)),
    )
    facts = {
        "digest": step.digest,
        "method": plan.method,
        **found,
        "rank": step.dimensions,
        "model": short_name(embeddings.model),
        "model_fingerprint": manifest["fingerprint"],
        "model_digest": model_digest(provenance),
        "similarity": manifest["similarity"],
        "faces": len(embeddings),
        "identities": len(counts),
        "folder": embeddings.folder.name or str(embeddings.folder),
        "images_sha256": manifest["images_sha256"],
        "vectors_sha256": manifest["vectors_sha256"],
        "versions": versions("lookalikes", "numpy"),
    }
    return Whitening(step.mean, step.projection, facts, step.identities, step.images, stepped)


@dataclass(frozen=True, eq=False)
class _Stepped:
    """Rows of the vectors that a step makes, as they are kept, made when they are asked for."""

    embeddings: Embeddings
    order: Rows
    mean: Floats
    projection: Floats | None

    @property
    def shape(self) -> tuple[int, int]:
        last = self.mean if self.projection is None else self.projection[0]
        return len(self.order), len(last)

    def __getitem__(self, rows: Rows) -> Floats:
        found = gather(self.embeddings.vectors, self.order[rows]).astype(np.float64) - self.mean
        if self.projection is not None:
            found = found @ self.projection
        return unit(found) if self.embeddings.manifest["similarity"] == "cosine" else found


def _stepped(
    embeddings: Embeddings, order: Rows, identities: Rows, mean: Floats, projection: Floats | None
) -> CollectionMean:
    """The mean of what a step makes of the vectors that it was learnt on."""
    rows = _Stepped(embeddings, order, mean, projection)
    return collection_mean(cast(Floats, rows), identities)


@dataclass(frozen=True, eq=False)
class _Vectors:
    """The vectors of a folder, float64, in an order of rows of their own."""

    embeddings: Embeddings
    order: Rows

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The vectors, some thousand at a time; EmbeddingError where they are not finite."""
        for start in range(0, len(self.order), _BLOCK):
            part = slice(start, start + _BLOCK)
            block = gather(self.embeddings.vectors, self.order[part]).astype(np.float64)
            if not np.isfinite(block).all():
                raise EmbeddingError(
                    f"{self.embeddings.folder}: vectors that are not finite; make them again with: "
                    "lookalikes embed"
                )
            yield part, block

    def means(self, identities: Rows) -> tuple[Floats, Floats, Rows]:
        """The mean `[D]`, those of identities `[C, D]`, and how many faces each has `[C]`."""
        dimensions = self.embeddings.vectors.shape[1]
        counts = np.bincount(identities)
        sums = np.zeros((len(counts), dimensions))
        for part, block in self.blocks():
            np.add.at(sums, identities[part], block)
        return sums.sum(axis=0) / len(self.order), sums / counts[:, None], counts

    def covariance(self, centres: Floats, which: Rows, scale: Floats) -> tuple[Floats, float, int]:
        """Covariance `[D, D]` about centres, the mean of fourth powers of lengths, and the rows.

        Args:
            centres: `[C, D]`, of which each row has one.
            which: `[N]`: the row's centre.
            scale: `[C]`: what the distance from a centre is multiplied by; 0 leaves a row out.
        """
        dimensions = self.embeddings.vectors.shape[1]
        total, fourth, rows = np.zeros((dimensions, dimensions)), 0.0, 0
        for part, block in self.blocks():
            used = scale[which[part]] > 0
            at = which[part][used]
            apart = (block[used] - centres[at]) * scale[at, None]
            total += apart.T @ apart
            fourth += float((np.einsum("nd,nd->n", apart, apart) ** 2).sum())
            rows += int(used.sum())
        return total / rows, fourth / rows, rows


def _projection(
    vectors: _Vectors,
    plan: WhiteningPlan,
    mean: Floats,
    centres: Floats,
    counts: Rows,
    identities: Rows,
) -> tuple[Floats | None, dict[str, object]]:
    """The projection `[D, K]`, None for `centre`, and what was found on the way."""
    folder, faces, dimensions = vectors.embeddings.folder, len(identities), len(mean)
    if plan.method == "centre":
        return None, {}
    if plan.method == "pca":
        most, of = faces - 1, f"{faces:,} faces"
        about = mean[None], np.zeros(faces, np.int64), np.ones(1)
        if faces < 2:
            raise EmbeddingError(f"{folder}: one face has no covariance; expected several")
    else:
        most, of = len(counts) - 1, f"{len(counts):,} identities"
        if not (counts > 1).any():
            raise EmbeddingError(
                f"{folder}: no identity has two faces, so that nothing tells how one's vectors "
                "vary; take the method pca"
            )
        # Of n faces about their own mean, the mean square is too small by (n - 1) / n.
        about = (
            centres,
            identities,
            np.where(counts > 1, np.sqrt(counts / np.maximum(counts - 1, 1)), 0),
        )
    wanted = plan.dimensions
    if wanted is not None and wanted > min(most, dimensions):
        raise EmbeddingError(
            f"{folder}: {wanted:,} dimensions asked for; {of} and vectors of {dimensions:,} "
            f"components tell {min(most, dimensions):,} at the most"
        )
    covariance, fourth, rows = vectors.covariance(*about)
    if not np.trace(covariance) > 0:
        raise EmbeddingError(f"{folder}: its vectors do not vary: they are all alike")
    shrinkage = plan.shrinkage
    if shrinkage is None:
        shrinkage = estimated_shrinkage(covariance, fourth, rows)
    shrunk = (1 - shrinkage) * covariance
    shrunk[np.diag_indices(dimensions)] += shrinkage * np.trace(covariance) / dimensions
    values, directions = principal(shrunk)
    told = int((values > _RANK * values[0]).sum())
    if plan.method == "pca":
        count = wanted or min(most, dimensions, told)
        _refuse_flat(folder, count, told)
        return directions[:, :count] / np.sqrt(values[:count]), {"shrinkage": shrinkage}
    _refuse_flat(folder, dimensions, told)
    whitened = directions / np.sqrt(values)
    if wanted is not None:
        spread = (centres - centres.mean(axis=0)) @ whitened
        whitened = whitened @ principal(spread.T @ spread / len(spread))[1][:, :wanted]
    return whitened, {"shrinkage": shrinkage}


def _refuse_flat(folder: object, count: int, told: int) -> None:
    """Raise EmbeddingError where directions without any variance would be divided by it."""
    if count > told:
        raise EmbeddingError(
            f"{folder}: its vectors vary in {told:,} directions, too few for {count:,}; ask for "
            "fewer dimensions, or for some shrinkage"
        )


def estimated_shrinkage(covariance: Floats, fourth: float, rows: int) -> float:
    """The share of Ledoit and Wolf (2004), 0 to 1.

    Args:
        covariance: S, `[D, D]`, of `rows` vectors about their centre.
        fourth: the mean of |x|^4.
        rows: their number.

    Returns:
        min(b / d, 1), where d = |S - tr(S)/D I|^2 and b = (mean |x|^4 - |S|^2) / N, in Frobenius
        norms; 1 where d is 0.
    """
    size = len(covariance)
    square = float((covariance**2).sum())
    apart = square - float(np.trace(covariance)) ** 2 / size
    noise = max(fourth - square, 0.0) / rows
    return 1.0 if apart <= 0 else min(1.0, noise / apart)


def principal(covariance: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues `[D]`, the largest first, and directions `[D, D]` in columns, signs settled."""
    values, directions = np.linalg.eigh((covariance + covariance.T) / 2)
    values, directions = values[::-1], directions[:, ::-1]
    largest = np.argmax(np.abs(directions), axis=0)
    signs = np.sign(directions[largest, np.arange(len(values))])
    return values, cast(Floats, np.ascontiguousarray(directions * np.where(signs < 0, -1.0, 1.0)))


def _digests(embeddings: Embeddings) -> list[str]:
    """SHA-256 of the pictures of these faces, in hex."""
    if embeddings.row_digests is not None:
        return [embeddings.row_digests[path] for path in embeddings.faces.paths]
    file = embeddings.folder / "images.csv"
    rows = read_images(file).find(embeddings.faces.paths)
    if (rows < 0).any():
        raise EmbeddingError(f"{file}: lacks faces of these embeddings; learn from one folder")
    return read_images(file, "sha256").take(rows).tolist()
