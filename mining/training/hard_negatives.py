"""Hard negatives of a training: what the network as it is confuses, mined exactly.

`identities`: Graph Sampling (Liao and Shao, CVPR 2022, arXiv 2104.01546) builds a batch of an
identity and its nearest ones in an approximate graph of one picture each; here the graph is exact,
over the means of several pictures, and a batch has several small neighbourhoods. `pairs`: the
highest-scoring pairs of pictures, with occurrence caps, and below the positives by a margin: the
hardest of all are wrong labels and redrawn pictures, and do not train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexes import FlatIndex
from mining.errors import TrainingError
from mining.ranking.occurrence_caps import take
from mining.ranking.ranked_pairs import RankedPairs
from mining.ranking.rules import Rules
from mining.training.batches import BatchPlan, Hardness
from mining.training.configuration import TrainingConfig
from pairsets.faces import Faces, some_of
from pairsets.files.exclusions import PathPairs
from pairsets.progress import Step

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Embed = Callable[[Rows], Vectors]
_SAMPLE = 6
# Of the time between two minings, so much may go into embedding what is mined; a forward pass is a
# third of a training step.
_SHARE, _FORWARD = 0.05, 3
# Pairs that are mined at most at once.
_MOST = 200_000


@dataclass(frozen=True, eq=False)
class Vetoes:
    """Pairs of faces that are not to be taken for two identities'.

    Attributes:
        pairs: `[K, 2]` rows of faces.
        faces: number of the faces.
    """

    pairs: Rows
    faces: int
    _keys: Rows = field(init=False, repr=False)

    def __post_init__(self) -> None:
        i, j = self.pairs.min(axis=1, initial=2**62), self.pairs.max(axis=1, initial=-1)
        object.__setattr__(self, "_keys", np.unique(i * self.faces + j))

    @classmethod
    def of(cls, faces: Faces, exclude: Sequence[PathPairs] = ()) -> Vetoes:
        """Vetoes among `faces`, of pairs by path; a pair with any other face concerns none."""
        found = [np.empty((0, 2), np.int64)]
        for one in exclude:
            rows = np.column_stack([faces.paths.find(one.path_a), faces.paths.find(one.path_b)])
            found.append(rows[(rows >= 0).all(axis=1)])
        return cls(np.concatenate(found), len(faces))

    @property
    def digest(self) -> str | None:
        """SHA-256, in hex, of them; None where there are none."""
        return hashlib.sha256(self._keys.tobytes()).hexdigest() if len(self._keys) else None

    def among(self, rows: Rows) -> NDArray[np.bool_] | None:
        """`[B, B]`: which pairs of `rows` are not to be taken for negatives; None where none is."""
        if not len(self._keys):
            return None
        low, high = np.minimum(rows[:, None], rows), np.maximum(rows[:, None], rows)
        vetoed = np.isin(low * self.faces + high, self._keys)
        return vetoed if vetoed.any() else None


def mining_interval(plan: BatchPlan, config: TrainingConfig) -> int:
    """Epochs between two minings: as given, else as often as costs at most 5 % of the training."""
    if config.hard_negatives.every is not None:
        return config.hard_negatives.every
    most = config.hard_negatives.faces
    embedded = sum(min(len(rows), most) for rows in plan.units[: plan.count_identities])
    return max(1, -int(-(embedded / _FORWARD) // (_SHARE * config.images_per_epoch)))


def is_mining_epoch(epoch: int, interval: int, config: TrainingConfig) -> bool:
    """Whether hard negatives are mined before an epoch, the first being 0."""
    since = epoch - config.hard_negatives.warmup
    return config.hard_negatives.name != "none" and since >= 0 and since % interval == 0


def sampled_faces(plan: BatchPlan, config: TrainingConfig, seed: int, epoch: int) -> Rows:
    """Rows of the faces that are embedded for a mining, rising: some of each identity."""
    rng = np.random.default_rng([seed, _SAMPLE, epoch])
    most = config.hard_negatives.faces
    identities = plan.units[: plan.count_identities]
    return np.sort(
        np.concatenate(
            [rows if len(rows) <= most else rng.permutation(rows)[:most] for rows in identities]
        )
    )


def mine_hard_negatives(
    embed: Embed,
    faces: Faces,
    plan: BatchPlan,
    config: TrainingConfig,
    vetoes: Vetoes,
    *,
    seed: int,
    epoch: int,
    batches: int,
) -> Hardness:
    """Mine what the network confuses, for the batches until the next mining.

    Args:
        embed: rows of faces to unit vectors `[n, D]`.
        faces: the training faces.
        plan: of the batches.
        config: with `hard_negatives`.
        vetoes: pairs that are no negatives.
        seed, epoch: decide which faces are embedded.
        batches: how many will be drawn from it.

    Raises:
        TrainingError: vectors that are not finite.
    """
    rows = sampled_faces(plan, config, seed, epoch)
    vectors = embed(rows)
    if not np.isfinite(vectors).all():
        raise TrainingError(
            f"epoch {epoch + 1}: the network gives vectors that are not finite, so nothing can be "
            "mined; a lower learning rate?"
        )
    if config.hard_negatives.name == "identities":
        units = plan.unit_of[rows]
        neighbours = nearest_units(vectors, units, config)
        return Hardness(neighbours, np.empty((0, 2), np.int64))
    wanted = min(_MOST, max(1, batches * (plan.hard_units // 2)))
    pairs = hardest_pairs(vectors, rows, faces, config, vetoes, wanted)
    return Hardness(np.empty((0, 0), np.int64), pairs)


def nearest_units(vectors: Vectors, units: Rows, config: TrainingConfig) -> Rows:
    """The identities that each is most confused with, `[U, K]`, worst first; -1 where none is left.

    Two identities are as alike as the means of their unit vectors, by cosine.

    Args:
        vectors: `[n, D]` of unit norm.
        units: `[n]` number of each one's identity, from 0, none left out.
        config: with how many neighbours.
    """
    count = int(units.max()) + 1
    sums = np.zeros((count, vectors.shape[1]), np.float64)
    np.add.at(sums, units, vectors.astype(np.float64))
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    means = (sums / np.where(norms == 0, 1, norms)).astype(np.float32)
    wanted = min(config.hard_negatives.neighbours, count - 1)
    found = FlatIndex(means).search(means, wanted + 1).rows
    neighbours = np.full((count, wanted), -1, np.int64)
    for unit, row in enumerate(found):
        others = row[row != unit][:wanted]
        neighbours[unit, : len(others)] = others
    return neighbours


class _SampledRanking:
    """Pairs of the embedded faces in the order of their scores, below their positives."""

    def __init__(self, vectors: Vectors, faces: Faces, exclude: Rows, rules: Rules) -> None:
        self.faces = faces
        self._index, self._exclude = FlatIndex(vectors), exclude
        best = self._index.best_of_group(faces.groups)
        self._ceilings = rules.ceilings(best)

    def top(self, depth: int, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs."""
        found = self._index.top_pairs(
            depth,
            self.faces.groups,
            exclude=self._exclude if len(self._exclude) else None,
            ceilings=self._ceilings,
            progress=progress,
        )
        return RankedPairs(found.i, found.j, found.scores, None, found.exact)


def hardest_pairs(
    vectors: Vectors,
    rows: Rows,
    faces: Faces,
    config: TrainingConfig,
    vetoes: Vetoes,
    wanted: int,
) -> Rows:
    """The hardest pairs among embedded faces, `[M, 2]` rows of `faces`, worst first.

    Args:
        vectors: `[n, D]` of unit norm.
        rows: `[n]` of `faces`, each one's, rising.
        faces: the training faces.
        config: with the margin and the cap.
        vetoes: pairs that are no negatives.
        wanted: how many; fewer where the rules allow no more.
    """
    cap = config.hard_negatives.max_per_identity
    if cap is None:
        # The hardest pairs of all are of a few identities: trained on those alone, a network
        # gets worse at all others.
        cap = -(-4 * wanted // len(np.unique(faces.groups[rows])))
    rules = Rules(
        margin=config.hard_negatives.margin,
        max_per_identity=cap,
        max_per_identity_pair=max(1, cap // 4),
    )
    place = np.full(len(faces), -1, np.int64)
    place[rows] = np.arange(len(rows))
    excluded = place[vetoes.pairs]
    excluded = excluded[(excluded >= 0).all(axis=1)]
    chosen = np.zeros(len(faces), np.bool_)
    chosen[rows] = True
    some = some_of(faces, chosen)
    ranking = _SampledRanking(vectors, some, excluded, rules)
    found = take(ranking, wanted, rules).pairs
    return np.column_stack([rows[found.i], rows[found.j]])
