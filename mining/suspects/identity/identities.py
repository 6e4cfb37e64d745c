"""Identities as groups of vectors: how near a face is to its own, and to which other.

A face's nearness to an identity is the mean of its scores with that identity's faces, itself left
out. That is its inner product with their mean vector, whether the vectors have unit norm or not: a
model's own score decides what is near, and nothing is normalised that its model does not normalise.
Where norms differ, an identity of long vectors is near to everybody. So nobody is called near to an
identity who is not as near as its own faces are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexes.memory import gather
from mining.embeddings.store import Embeddings
from mining.suspects.identity.positive_scores import Positives
from pairsets.arrays import Floats, Rows
from pairsets.progress import Step, unheard

# Products are rounded, so that it does not show in which block a face was computed. So many digits
# are kept of what a score of typical vectors is, whatever their length.
_DIGITS = 9
# Scores by which an identity's own nearness is drawn towards that of all: with two faces it is one
# score alone.
_PRIOR = 2


@dataclass(frozen=True, eq=False)
class Relabelled:
    """Other vectors and identities of faces than those that were embedded.

    Attributes:
        vectors: `[N, D]` float32.
        codes: `[N]` number of each face's identity.
        names: by number.
    """

    vectors: NDArray[np.float32]
    codes: Rows
    names: Sequence[str]


class Identities:
    """The faces of each identity, its centre, and what faces are near to.

    Args:
        embeddings: of one model.
        other: vectors and identities in place of those of the embeddings.

    Attributes:
        codes: `[N]` number of each face's identity.
        names: `[C]` by number.
        sizes: `[C]` how many faces.
        positives: the scores of pairs of one identity.
        own: `[C]` mean score of an identity's own pairs; nan where it has one face.
        lengths: `[N]` norms of the faces' vectors.
    """

    # At most so many faces are looked at together, and so many scores: 32 MB in float32.
    most_faces, most_scores = 512, 2**23

    def __init__(self, embeddings: Embeddings, other: Relabelled | None = None) -> None:
        self._embeddings = embeddings
        self._faces = embeddings.faces
        if other is None:
            self._vectors = embeddings.vectors
            self.codes = embeddings.faces.groups
            self.names = list(dict.fromkeys(embeddings.faces.identities.tolist()))
        else:
            self._vectors, self.codes, self.names = other.vectors, other.codes, [*other.names]
        self._number = {name: code for code, name in enumerate(self.names)}
        self.sizes = np.bincount(self.codes, minlength=len(self.names))
        self._order = np.argsort(self.codes, kind="stable")
        self._starts = np.cumsum(self.sizes) - self.sizes
        self.positives = Positives.among(self._vectors, self.codes)
        self._sums, norms = self._summed()
        self.lengths = np.sqrt(norms)
        squares = np.bincount(self.codes, norms, minlength=len(self.names))
        many = self.sizes > 1
        pairs = np.where(many, self.sizes * (self.sizes - 1.0), np.nan)
        self.own = (np.einsum("cd,cd->c", self._sums, self._sums) - squares) / pairs
        # Powers of two, by which it is divided and multiplied without an error.
        self._unit = _power_of_two(float(squares.sum()) / max(1, len(self.codes)))
        self._length = _power_of_two(float(self.lengths.max(initial=0)))
        centres = self._sums / (self.sizes[:, None] * self._length)
        self._centres = centres.astype(np.float32)
        self._longest = float(np.linalg.norm(centres, axis=1).max(initial=0))
        # Of every face: the nearest other identity, how near it is, and how near the next.
        self._nearest = np.full(len(self.codes), -1)
        self._best = np.full(len(self.codes), np.nan)
        self._next = np.full(len(self.codes), np.nan)

    @property
    def model(self) -> str:
        """The text of the model that looks, with its label if it has one."""
        return self._embeddings.called

    @property
    def centres(self) -> NDArray[np.float32]:
        """`[C, D]`: the mean vector of each identity, all divided by one number."""
        return self._centres

    @cached_property
    def owners(self) -> dict[str, list[str]]:
        """Who is shown on each face, by its path."""
        faces = self._faces
        return {path: [name] for path, name in zip(faces.paths, faces.identities, strict=True)}

    def rows(self, paths: NDArray[np.object_]) -> Rows:
        """Rows of faces; `FacesError` where one was not embedded."""
        return self._faces.positions(paths)

    def members(self, code: int, most: int | None = None) -> Rows:
        """Rows of an identity's faces; at most `most`, spread evenly."""
        start = self._starts[code]
        rows = self._order[start : start + self.sizes[code]]
        if most is None or len(rows) <= most:
            return rows
        return np.asarray(rows[np.arange(most) * len(rows) // most])

    def number(self, name: str) -> int:
        """The code of an identity that has embedded faces."""
        return self._number[name]

    def find(self, name: str) -> int:
        """The code of an identity; -1 for one that has none."""
        return self._number.get(name, -1)

    def cross(self, a: Rows, b: Rows) -> Floats:
        """`[A, B]` scores of faces."""
        one, other = (gather(self._vectors, rows).astype(np.float64) for rows in (a, b))
        return self._rounded(one @ other.T)

    def near(self, rows: Rows, codes: Rows | int) -> Floats:
        """`[M]`: how near faces are to identities, themselves left out; nan: nobody is left."""
        codes = np.broadcast_to(codes, rows.shape)
        found = np.empty(len(rows))
        for start in range(0, len(rows), self.most_faces):
            part = slice(start, start + self.most_faces)
            vectors = gather(self._vectors, rows[part]).astype(np.float64)
            inside = self.codes[rows[part]] == codes[part]
            sums = np.einsum("nd,nd->n", vectors, self._sums[codes[part]])
            sums -= np.where(inside, np.einsum("nd,nd->n", vectors, vectors), 0)
            count = self.sizes[codes[part]] - inside
            found[part] = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
        return self._rounded(found)

    def typical(self, codes: Rows) -> Floats:
        """`[M]`: how near an identity's own faces are to it, drawn towards all positives."""
        own = np.where(self.sizes > 1, self.own, 0)[codes]
        count = np.where(self.sizes > 1, self.sizes, 0)[codes]
        return np.asarray((own * count + _PRIOR * self.positives.mean) / (count + _PRIOR))

    def typical_without(self, rows: Rows, own: Floats) -> Floats:
        """`[M]`: `typical` of the other faces of a face's identity; `own` is `near` of the faces.

        A face that does not belong lowers what is typical of its identity less then.
        """
        codes = self.codes[rows]
        count = self.sizes[codes] - 1
        others = self.own[codes] * self.sizes[codes] - own
        return np.asarray((others + _PRIOR * self.positives.mean) / (count + _PRIOR))

    def rivals(self, rows: Rows, progress: Step = unheard) -> tuple[Rows, Floats, Floats]:
        """The other identity each face is nearest to, how near it is, and how near the next is.

        All -1 and -inf where there is no other identity, the last also where there is one. Of ties
        it is the identity that comes first. What was found is kept.
        """
        best = self._best[rows]
        if not np.isnan(best).any():
            return self._nearest[rows], best, self._next[rows]
        todo = self.unsearched(rows)
        step = max(1, min(self.most_faces, self.most_scores // max(1, len(self.names))))
        for start in range(0, len(todo), step):
            part = todo[start : start + step]
            self._nearest[part], self._best[part], self._next[part] = self._search(part)
            progress(start + len(part), len(todo))
        return self._nearest[rows], self._best[rows], self._next[rows]

    def unsearched(self, rows: Rows) -> Rows:
        """Rows, each once, that `rivals` has not searched for yet."""
        return np.unique(rows[np.isnan(self._best[rows])])

    def _search(self, rows: Rows) -> tuple[Rows, Floats, Floats]:
        """Find the nearest and the next identity of faces: in float32, settled in float64."""
        vectors = gather(self._vectors, rows).astype(np.float64)
        scaled = vectors / self._length
        rough = scaled.astype(np.float32) @ self._centres.T
        line, own = np.arange(len(rows)), self.codes[rows]
        rough[line, own] = -np.inf
        top = rough.argmax(axis=1)
        first = rough[line, top]
        rough[line, top] = -np.inf
        limit = rough.max(axis=1) - self._slack(scaled)
        rough[line, top] = first
        may = rough >= limit[:, None]
        may[line, own] = False
        at, codes = np.nonzero(may)
        exact = self._exact(vectors, at, codes)
        # By face, the nearest first. Ties go to the identity that comes first.
        order = np.lexsort((codes, -exact, at))
        counts = may.sum(axis=1)
        starts = np.cumsum(counts) - counts
        nearest = np.full(len(rows), -1)
        best, after = np.full((2, len(rows)), -np.inf)
        one, two = counts > 0, counts > 1
        nearest[one] = codes[order[starts[one]]]
        best[one] = exact[order[starts[one]]]
        after[two] = exact[order[starts[two] + 1]]
        return nearest, best, after

    def _slack(self, scaled: Floats) -> NDArray[np.float32]:
        """`[M]`: by how much two rough scores of a face can be in the wrong order, and be rounded.

        Twice the bound on the error of a float32 inner product (N. Higham, "Accuracy and Stability
        of Numerical Algorithms", 3.1), of which the length is one more for each value that was
        rounded to float32.
        """
        lengths = np.linalg.norm(scaled, axis=1)
        error = (scaled.shape[1] + 8) * 2.0**-23 * lengths * self._longest
        ties = 10.0**-_DIGITS * self._unit / self._length**2
        return np.asarray(2 * (error + ties + 2.0**-100), np.float32)

    def _exact(self, vectors: Floats, at: Rows, codes: Rows) -> Floats:
        """Nearness, in float64, of face `at[k]` to identity `codes[k]`, another one."""
        if len(at) > len(vectors) * (len(self.names) // 16 + 16):
            # To a model of few different vectors all are as near.
            return self._rounded((vectors @ self._sums.T)[at, codes] / self.sizes[codes])
        found = np.empty(len(at))
        for start in range(0, len(at), self.most_faces):
            part = slice(start, start + self.most_faces)
            found[part] = np.einsum("nd,nd->n", vectors[at[part]], self._sums[codes[part]])
        return self._rounded(found / self.sizes[codes])

    def _rounded(self, scores: Floats) -> Floats:
        return np.asarray(np.round(scores / self._unit, _DIGITS) * self._unit)

    def _summed(self) -> tuple[Floats, Floats]:
        """Sum of each identity's vectors `[C, D]`, and the squared norms of all `[N]`."""
        sums = np.zeros((len(self.names), self._vectors.shape[1]))
        norms = np.zeros(len(self._order))
        for start in range(0, len(self._order), 8192):
            rows = self._order[start : start + 8192]
            vectors = gather(self._vectors, rows).astype(np.float64)
            codes = self.codes[rows]
            firsts = np.flatnonzero(np.diff(codes, prepend=-1))
            sums[codes[firsts]] += np.add.reduceat(vectors, firsts, axis=0)
            norms[rows] = np.einsum("nd,nd->n", vectors, vectors)
        return sums, norms


def grouped(models: Sequence[Embeddings | Identities]) -> list[Identities]:
    """Identities of each model; those that were grouped before are taken as they are."""
    return [each if isinstance(each, Identities) else Identities(each) for each in models]


def _power_of_two(value: float) -> float:
    """Largest power of two that is not above a value; 1 for nought."""
    return float(2.0 ** np.floor(np.log2(value))) if value > 0 else 1.0
