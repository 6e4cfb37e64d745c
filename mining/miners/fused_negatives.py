"""Embeddings of several references -> the pairs that their models confuse most together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mining.embeddings.store import Embeddings
from mining.errors import FusionError, RulesError
from mining.miners.negatives import adversarial_pairs
from mining.ranking.checkpoints import Checkpoints
from mining.ranking.filtered_ranking import FilteredRanking
from mining.ranking.fused_ranking import LIMIT, FusedRanking, Reference, leave_one_out
from mining.ranking.mined_pairs import Mined, mined_from
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.rank_aggregation import Method
from mining.ranking.ranked_pairs import Progress
from mining.ranking.rules import Rules
from mining.ranking.search_space import SearchSpace
from mining.scores.score_pairs import score_pairs
from pairsets.files.exclusions import PathPairs
from pairsets.pairset import PairSet
from pairsets.tables.leaderboard import LeftOut


@dataclass(frozen=True, eq=False)
class Fused:
    """Pairs that several references mined together.

    Attributes:
        mined: the pairs; their scores are fused quantiles, `quantiles` has a column a reference.
        names: the references, in that order.
        method: how their quantiles were fused.
        sure: how many of the pairs are certainly the hardest; all, where `mined.exact`.
        limit: pairs listed of a model at most.
    """

    mined: Mined
    names: tuple[str, ...]
    method: Method
    sure: int
    limit: int

    def content(self) -> dict[str, object]:
        """What a manifest says of the fusion."""
        return {
            "method": self.method,
            "sure": self.sure,
            "exact": self.mined.exact,
            "limit": self.limit,
        }


@dataclass(frozen=True, eq=False)
class Together:
    """What several references mined, and what each is judged on.

    Attributes:
        fused: by all of them.
        without: by reference, as many pairs of the others; nothing where it was not asked for.
    """

    fused: Fused
    without: Mapping[str, Fused]

    @property
    def warnings(self) -> list[str]:
        """What a user should know where the answer is not exact."""
        found = [("", self.fused)]
        found += [(f" mined without {name}", fused) for name, fused in self.without.items()]
        return [
            f"{', '.join(fused.names)} agree on too little for an exact answer: of the "
            f"{len(fused.mined):,} pairs{which}, {fused.sure:,} are certainly the hardest; harder "
            "ones than the others may be missing."
            for which, fused in found
            if not fused.mined.exact
        ]


def mine_together(
    sources: Mapping[str, Embeddings],
    n: int,
    *,
    method: Method = "mean",
    rules: Rules | None = None,
    ignore: Iterable[str] = (),
    exclude: Iterable[PathPairs] = (),
    limit: int = LIMIT,
    checkpoint: Path | None = None,
    device: str = "auto",
    each: bool = True,
    progress: Progress | None = None,
) -> Together:
    """The n pairs of different characters that are hardest for several references together.

    Pairs stand by the fused quantile of the models: see `mining.ranking.rank_aggregation`. What may
    be taken of them (`rules`, `exclude`) is the same for all, and for what each is judged on.

    Args:
        sources: by name, the embeddings of the reference models; over the same faces, but for
            ignored ones.
        n: how many pairs; all if fewer exist.
        method: `mean`: hard for the models taken together; `min`: hard for each of them.
        rules: how often an image or a character may come; no score limits and no margins.
        ignore: base names of images never to take.
        exclude: pairs not to be taken.
        limit: pairs listed of a model at most; see `mining.ranking.fused_ranking`.
        checkpoint: file, in a folder that is there, beside which each model's long searches keep
            what they have found; the files are gone when it is done.
        device: where the searches run; see `mining.mine_negatives`.
        each: mine also what each reference is judged on.
        progress: called with the pairs compared and the pairs in all, of one search after another.

    Raises:
        FusionError: fewer than two references, other faces, or another method.
        RulesError: score limits or a margin: scores of several models share no scale.
        ModelError: there is no such device.
        indexes.IndexesError: n below 1.
    """
    rules, ignore, exclude = rules or Rules(), frozenset(ignore), list(exclude)
    refuse_scores(rules)
    names = list(sources)
    if len(names) < 2:
        raise FusionError(f"{len(names)} reference; several are two or more")
    references = [
        Reference(
            name,
            ModelRanking(source, ignore=ignore, checkpoint=_file(checkpoint, at), device=device),
        )
        for at, (name, source) in enumerate(sources.items())
    ]
    fused = FusedRanking(references, method, limit=limit)
    space = SearchSpace.of(sources[names[0]].faces, ignore, exclude)
    mined = _mine(fused, rules, space, n, progress)
    as_many = max(1, len(mined.mined))
    without = {
        one.name: _mine(one.ranking, rules, space, as_many, progress)
        for one in (leave_one_out(fused) if each else ())
    }
    # Those of every model: their names begin with the one that was given.
    Checkpoints(checkpoint).clear()
    return Together(mined, without)


def left_out(
    together: Together,
    sources: Mapping[str, Embeddings],
    test: PairSet,
    *,
    seed: int = 0,
) -> dict[str, LeftOut]:
    """What the leave-one-out rows of a table are made of, by reference.

    Args:
        together: from `mine_together`.
        sources: the embeddings it was mined from.
        test, seed: as they were given to `adversarial_pairs` for the set itself, so that the
            positives are the same.
    """
    rows = {}
    for name, fused in together.without.items():
        pairs, _ = adversarial_pairs(fused.mined, test, seed=seed)
        rows[name] = LeftOut(pairs, score_pairs(pairs, sources[name]), fused.names)
    return rows


def _mine(
    ranking: FusedRanking, rules: Rules, space: SearchSpace, n: int, progress: Progress | None
) -> Fused:
    mined = mined_from(FilteredRanking(ranking, rules, space), n, progress=progress)
    rows = (space.faces.positions(paths) for paths in (mined.path_a, mined.path_b))
    sure = ranking.sure(*rows)
    # More was listed than was taken: that it is not all certain does not matter then.
    exact = mined.exact or sure == n
    return Fused(replace(mined, exact=exact), ranking.names, ranking.method, sure, ranking.limit)


def _file(checkpoint: Path | None, at: int) -> Path | None:
    if checkpoint is None:
        return None
    return checkpoint.with_name(f"{checkpoint.stem}-{at + 1}{checkpoint.suffix}")


def refuse_scores(rules: Rules) -> None:
    """Raise RulesError where rules are about the scores of one model."""
    given = [
        name
        for name in ("min_score", "max_score", "margin", "relative_margin")
        if getattr(rules, name) is not None
    ]
    if given:
        raise RulesError(
            f"{', '.join(given)} with several references, whose scores share no scale: leave out "
            "one or the other"
        )
