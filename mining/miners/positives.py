"""Embeddings -> the pairs of one identity that the model finds least alike."""

from __future__ import annotations

from collections.abc import Iterable

from mining.embeddings.store import Embeddings
from mining.ranking.mined_pairs import Mined, mined_from
from mining.ranking.positive_ranking import PositiveRanking
from mining.ranking.rules import Rules
from pairsets.files.exclusions import PathPairs
from pairsets.progress import Step


def mine_positives(
    embeddings: Embeddings,
    n: int,
    *,
    rules: Rules | None = None,
    ignore: Iterable[str] = (),
    exclude: Iterable[PathPairs] = (),
    progress: Step | None = None,
) -> Mined:
    """The n pairs of one identity that score lowest, exact over all pairs.

    Args:
        embeddings: of the reference model.
        n: how many pairs; all if fewer exist.
        rules: which pairs count, and how often an image or an identity may come. A pair has its
            identity once, so that the cap of an identity and of an identity pair are the same.
        ignore: base names of images never to take.
        exclude: pairs not to be taken: pair sets, `pairsets.Exclusions`, what was mined before.
        progress: called with the faces done and the faces in all.

    Raises:
        RulesError: a margin, or no identity with two faces.
        indexes.IndexesError: n below 1.
    """
    ranking = PositiveRanking(embeddings, rules=rules, ignore=ignore, exclude=exclude)
    return mined_from(ranking, n, label=1, progress=progress)
