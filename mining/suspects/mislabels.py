"""Faces that seem to be another identity's than their folder says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.models.names import model_names
from mining.suspects.identity.identities import Identities, grouped
from pairsets.arrays import Floats, Mask, Rows
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.paths import strings
from pairsets.progress import Step, unheard

THRESHOLD = 0.5
"""Scores from here on are flagged: there both `APART` and `BELONGS` are reached."""
APART = 5.5
"""How much a face must stand apart from its own identity.

In units of the spread of the scores of all pairs of one identity: how much nearer it is to another
identity than to its own, and twice how much less near it is to its own than its fellows are. Set
on 3 % of faces moved to identities drawn at random (drawn faces and a set of game icons; pixels and
an ImageNet network), so that of faces flagged about nine in ten had been moved: with others moved,
`benchmarks/suspect_identities.py` measures 94 to 98 % under the network, 84 and 85 under pixels, 90
to 99 under both. Faces moved to an identity much like theirs are hardly ever found.
"""
BELONGS = -0.25
"""How near it must be to the other identity, less how near that one's own faces typically are.

In the same units; set together with `APART`. After confident learning (C. Northcutt, L. Jiang,
I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021), where a
class has a threshold of its own: its members' mean.
"""
# How fast a score falls off below either limit.
_APART_SLOPE, _BELONGS_SLOPE = 0.5, 2.0
_BLOCK = 1024


class Mislabelled:
    """Doubts a pair of which a face is nearer to another identity than to its own.

    That alone is true of many faces, above all under a weak model. Here the face must besides be as
    near to the other identity as that one's own faces are, and stand out from its own identity.
    With several models, all have to find it nearer to the same other identity, and the limits are
    for the mean of what they find. A face that is alone in its identity cannot be judged.

    Args:
        embeddings: of one or more models, or their `Identities`, which several checks may share.

    Raises:
        ValueError: no embeddings.
    """

    kind = "mislabel"

    def __init__(self, embeddings: Sequence[Embeddings | Identities]) -> None:
        if not embeddings:
            raise ValueError("no embeddings; expected those of one model or more")
        self._models = grouped(embeddings)
        self._names = model_names([each.model for each in self._models])
        # Of a face's path: score and reason, and the other identity that it is compared with.
        self._known: dict[str, tuple[float, str]] = {}
        self._others: dict[str, str] = {}

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Doubt of each pair by the worse of its two faces.

        Raises:
            pairsets.FacesError: a face was not embedded.
        """
        paths = pairs.paths
        scores, said = self.of_faces(paths, progress)
        known = dict(zip(paths, zip(scores.tolist(), said, strict=True), strict=True))
        first, second = (
            np.array([known[path][0] for path in column]) for column in (pairs.path_a, pairs.path_b)
        )
        score = np.fmax(first, second)
        flagged = score >= THRESHOLD
        reasons = [""] * len(pairs)
        for row in np.flatnonzero(flagged).tolist():
            ends = sorted((pairs.path_a[row], pairs.path_b[row]))
            reasons[row] = ", and ".join(filter(None, (known[path][1] for path in ends)))
        return Doubt(self.kind, score, flagged, tuple(reasons))

    def of_faces(self, paths: Sequence[str], progress: Step = unheard) -> tuple[Floats, list[str]]:
        """Score and reason of each face, the reason empty where it is not suspected.

        Raises:
            pairsets.FacesError: a face was not embedded.
        """
        todo = [path for path in dict.fromkeys(paths) if path not in self._known]
        places = [model.rows(strings(todo)) for model in self._models]
        for start in range(0, len(todo), _BLOCK):
            part = slice(start, start + _BLOCK)
            self._judge(todo[part], [rows[part] for rows in places])
            progress(min(start + _BLOCK, len(todo)), len(todo))
        found = [self._known[path] for path in paths]
        return np.array([score for score, _ in found]), [reason for _, reason in found]

    def other_of(self, path: str) -> str:
        """Name of the identity that a face, asked about before, is nearest to but for its own."""
        return self._others[path]

    def _score(self, strengths: Sequence[Seen]) -> Floats:
        """Score of the means of what models say, 0 where one of them does not agree."""
        apart = np.mean([each for each, _, _ in strengths], axis=0)
        belongs = np.mean([each for _, each, _ in strengths], axis=0)
        excess = np.minimum(_APART_SLOPE * (apart - APART), _BELONGS_SLOPE * (belongs - BELONGS))
        return agreed(excess, strengths)

    def _judge(self, paths: list[str], places: list[Rows]) -> None:
        """Look at faces, in these rows of each model, and remember what was seen."""
        seen = [SeenFaces(model, rows) for model, rows in zip(self._models, places, strict=True)]
        best = np.full(len(paths), np.nan)
        whose = np.full(len(paths), "", object)
        # Whoever a model finds nearest is asked about of all. By name: models may have been given
        # other faces, and number identities otherwise.
        for candidate in [each.nearest for each in seen]:
            score = self._score([each.strength(candidate) for each in seen])
            better = (score > best) | (np.isnan(best) & ~np.isnan(score))
            best = np.where(better, score, best)
            whose = np.where(better, candidate, whose)
        said = [each.compared(whose) for each in seen]
        for at, path in enumerate(paths):
            reason = ""
            if best[at] >= THRESHOLD:
                numbers = ", ".join(
                    f"{near[at]:.2f} against {own[at]:.2f}"
                    + (f" for {name}" if len(seen) > 1 else "")
                    for name, (near, own) in zip(self._names, said, strict=True)
                )
                own_name = seen[0].name(at)
                reason = (
                    f"{path}: as near to {whose[at]} as its own faces are, and far from those of "
                    f"{own_name} ({numbers})"
                )
                if any(each.size(at) == 2 for each in seen):
                    reason += f", but which of the two faces of {own_name} is wrong cannot be told"
            self._known[path], self._others[path] = (float(best[at]), reason), str(whose[at])


Seen = tuple[Floats, Floats, Mask]
"""Distance of faces from their own identity, fit to another, and whether that one is nearer."""


class SeenFaces:
    """Faces `[M]` as one model sees them beside their own and other identities.

    Attributes:
        nearest: name of the other identity each is nearest to; empty where there is none.
    """

    def __init__(self, identities: Identities, rows: Rows) -> None:
        self._identities = identities
        self._rows = rows
        codes = identities.codes[rows]
        self._own = identities.near(rows, codes)
        self._fellows = identities.typical_without(rows, self._own)
        found, _, _ = identities.rivals(rows)
        names = np.array([*identities.names, ""], object)
        self.nearest: NDArray[np.object_] = names[found]

    def strength(self, others: NDArray[np.object_]) -> Seen:
        """Distance of each face from its own, its fit to another, and whether that one is nearer.

        Distance and fit are in spreads of positives, and nan where they cannot be told: no such
        identity, its own, a face alone.
        """
        codes, near = self._near(others)
        spread = self._identities.positives.spread
        unit = spread if spread > 0 else np.nan
        apart = near - self._own + 2 * (self._fellows - self._own)
        belongs = near - self._identities.typical(codes)
        known = ~np.isnan(near)
        return apart / unit, np.where(known, belongs / unit, np.nan), near > self._own

    def compared(self, others: NDArray[np.object_]) -> tuple[Floats, Floats]:
        """Nearness of each face to another identity, by name, and to its own."""
        return self._near(others)[1], self._own

    def name(self, at: int) -> str:
        """Name of the identity that a face is said to show."""
        return str(self._identities.names[self._identities.codes[self._rows[at]]])

    def size(self, at: int) -> int:
        """Number of faces that the identity of a face has."""
        return int(self._identities.sizes[self._identities.codes[self._rows[at]]])

    def _near(self, others: NDArray[np.object_]) -> tuple[Rows, Floats]:
        codes = np.array([self._identities.find(name) for name in others.tolist()])
        known = (codes >= 0) & (codes != self._identities.codes[self._rows])
        codes = np.where(known, codes, 0)
        return codes, np.where(known, self._identities.near(self._rows, codes), np.nan)


def agreed(excess: Floats, strengths: Sequence[Seen]) -> Floats:
    """Scores of strengths above a level, 0.5 at it; 0 where a model finds no other one nearer."""
    # Far below, the exponential would overflow.
    score = np.round(1 / (1 + np.exp(-np.maximum(excess, -50))), 6)
    nearer = np.logical_and.reduce([each for _, _, each in strengths])
    return np.asarray(np.where(nearer | np.isnan(score), score, 0))
