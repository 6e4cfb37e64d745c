"""Embeddings -> the ranked pairs of different identities that the model confuses most."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes import ApproximateIndex
from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.ranking.mined_pairs import Mined, mined_from
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.rules import Rules
from mining.ranking.search_crews import SearchCrews
from mining.ranking.search_space import SearchSpace
from pairsets.files.exclusions import PathPairs
from pairsets.pairset import PairSet, joined_identities
from pairsets.progress import Step

DEFAULT_PAIRS = 3000


def mine_negatives(
    embeddings: Embeddings,
    n: int = DEFAULT_PAIRS,
    *,
    rules: Rules | None = None,
    ignore: Iterable[str] = (),
    exclude: Iterable[PathPairs] = (),
    index: str | None = None,
    recall: bool = False,
    checkpoint: Path | None = None,
    device: str = "auto",
    crews: SearchCrews | None = None,
    progress: Step | None = None,
) -> Mined:
    """The n best-scoring pairs of different identities: exact over all pairs, unless asked not to.

    The score is the inner product of the stored vectors: the cosine, for a cosine model.

    Args:
        embeddings: of the reference model.
        n: how many pairs; all if fewer exist.
        rules: which pairs count, and how often an image or an identity may come; by default all,
            and any number of times.
        ignore: base names of images never to take.
        exclude: pairs not to be taken: pair sets, `pairsets.Exclusions`, what was mined before.
        index: FAISS factory string of an approximate index to search instead; without rules.
        recall: measure what share of the exact pairs the approximate index found.
        checkpoint: file, in a folder that is there, in which a search of over a minute keeps what
            it has found, so that the same call goes on; gone when all is done. Further searches
            that the rules need have files of their own beside it.
        device: where the exact search runs: `auto`, `cpu`, `cuda` or `cuda:N`; the pairs are the
            same.
        crews: see `mining.ranking.model_ranking.ModelRanking`.
        progress: called with the pairs compared and the pairs in all, of one search after another.

    Raises:
        RulesError: a margin where no identity has two faces, or rules for an approximate index.
        ModelError: there is no such device.
        indexes.IndexesError: n below 1, or a factory string that FAISS refuses.
    """
    rules, exclude = rules or Rules(), list(exclude)
    if index is not None:
        refuse_for_index(rules, exclude)
        return _approximate(embeddings, n, ignore, index, recall, progress)
    ranking = ModelRanking(
        embeddings,
        rules=rules,
        ignore=ignore,
        exclude=exclude,
        checkpoint=checkpoint,
        device=device,
        crews=crews,
    )
    mined = mined_from(ranking, n, progress=progress)
    ranking.checkpoints.clear()
    return mined


def refuse_for_index(rules: Rules, exclude: Iterable[object]) -> None:
    """Raise RulesError where rules would need more than an approximate index answers."""
    given = [*rules.given, *(["exclude"] if [*exclude] else [])]
    if given:
        raise RulesError(
            f"{', '.join(given)} with an approximate index, which finds the best pairs alone; "
            "leave the index out: the exact search keeps to every rule"
        )


def adversarial_pairs(
    mined: Mined, test: PairSet, *, seed: int = 0
) -> tuple[PairSet, NDArray[np.int64]]:
    """Mined pairs and the valid pairs of the other label in `test`, shuffled, nothing judged.

    That is: mined negatives get the positives of `test`, hard positives its negatives, as they are:
    an ignore list keeps images from being mined and drawn, and ZACI-20's adversarial set has all
    855 positives of its random set, 12 of them with an image on its list. So both sets have the
    same positives, and one threshold serves both. The shuffle is that of `seed`.

    Returns:
        The pair set, and `[N]` the rank of each row among the mined pairs (1 is the hardest; 0
        for a pair of `test`).
    """
    kept = test.valid & (test.label != mined.label)
    count = int(kept.sum())
    label = np.r_[test.label[kept], np.full(len(mined), mined.label, np.int8)]
    rank = np.r_[np.zeros(count, np.int64), np.arange(1, len(mined) + 1)]
    order = np.random.default_rng(seed).permutation(label.size)
    path_a = np.r_[test.path_a[kept], mined.path_a][order]
    path_b = np.r_[test.path_b[kept], mined.path_b][order]
    # An image on the ignore list is none of the mined faces, but may be one of the test pairs.
    identities = joined_identities([mined.pairs, test.take(kept)])
    pairs = PairSet.of(path_a, path_b, label[order], identities=identities)
    return pairs, rank[order]


def _approximate(
    embeddings: Embeddings,
    n: int,
    ignore: Iterable[str],
    factory: str,
    recall: bool,
    progress: Step | None,
) -> Mined:
    space = SearchSpace.of(embeddings.faces, ignore)
    faces = space.faces
    with embeddings.watched():
        index = ApproximateIndex(space.take(embeddings.vectors), factory)
        best = index.top_pairs(n, faces.groups, recall=recall)
    return Mined(
        path_a=faces.paths[best.i],
        path_b=faces.paths[best.j],
        scores=best.scores,
        faces=faces,
        wanted=n,
        ignored=space.ignored,
        unknown=space.unknown,
        index=factory,
        recall=best.recall,
        exact=False,
        depth=len(best),
    )
