"""Embeddings of several references -> the pairs that their models confuse most together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mining.embeddings.store import Embeddings
from mining.errors import FusionError, RulesError
from mining.miners.negatives import adversarial_pairs
from mining.ranking.filtered_ranking import FilteredRanking
from mining.ranking.fused_ranking import LIMIT, FusedRanking, Reference
from mining.ranking.mined_pairs import Fusion, Mined, mined_from
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.rank_aggregation import Method
from mining.ranking.rules import Rules
from mining.ranking.search_checkpoints import Checkpoints
from mining.ranking.search_crews import SearchCrews
from mining.ranking.search_space import SearchSpace
from mining.scores.score_pairs import score_pairs
from pairsets.files.exclusions import PathPairs
from pairsets.pairset import PairSet
from pairsets.progress import Step
from pairsets.tables.leaderboard import LeftOut


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
    crews: SearchCrews | None = None,
    each: bool = True,
    progress: Step | None = None,
) -> Mined:
    """The n pairs of different identities that are hardest for several references together.

    Pairs stand by the fused quantile of the models: see `mining.ranking.rank_aggregation`. What may
    be taken of them (`rules`, `exclude`) is the same for all, and for what each is judged on.

    Args:
        sources: by name, the embeddings of the reference models; over the same faces, but for
            ignored ones.
        n: how many pairs; all if fewer exist.
        method: `mean`: hard for the models taken together; `min`: hard for each of them.
        rules: how often an image or an identity may come; no score limits and no margins.
        ignore: base names of images never to take.
        exclude: pairs not to be taken.
        limit: pairs listed of a model at most; see `mining.ranking.fused_ranking`.
        checkpoint: file, in a folder that is there, beside which each model's long searches keep
            what they have found; the files are gone when it is done.
        device, crews: where the searches run; see `mining.mine_negatives`.
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
            ModelRanking(
                source, ignore=ignore, checkpoint=_file(checkpoint, at), device=device, crews=crews
            ),
        )
        for at, (name, source) in enumerate(sources.items())
    ]
    fused = FusedRanking(references, method, limit=limit)
    space = SearchSpace.of(sources[names[0]].faces, ignore, exclude)
    mined = _mine(fused, sources, rules, space, n, progress)
    as_many = max(1, len(mined))
    without = {
        name: _mine(fused.without(name), sources, rules, space, as_many, progress)
        for name in (names if each else ())
    }
    # Those of every model: their names begin with the one that was given.
    Checkpoints(checkpoint).clear()
    return replace(mined, without=without)


def left_out(
    together: Mined,
    sources: Mapping[str, Embeddings],
    test: PairSet,
    *,
    seed: int = 0,
) -> dict[str, LeftOut]:
    """Pairs and scores of the leave-one-out rows of a table, by reference.

    Args:
        together: from `mine_together`.
        sources: the embeddings it was mined from.
        test, seed: as they were given to `adversarial_pairs` for the set itself, so that the
            positives are the same.
    """
    rows = {}
    for name, mined in together.without.items():
        pairs, _ = adversarial_pairs(mined, test, seed=seed)
        rows[name] = LeftOut(pairs, score_pairs(pairs, sources[name]), tuple(mined.references))
    return rows


def _mine(
    ranking: FusedRanking,
    sources: Mapping[str, Embeddings],
    rules: Rules,
    space: SearchSpace,
    n: int,
    progress: Step | None,
) -> Mined:
    mined = mined_from(FilteredRanking(ranking, rules, space), n, progress=progress)
    rows = (space.faces.positions(paths) for paths in (mined.path_a, mined.path_b))
    sure = ranking.sure(*rows)
    # More was listed than was taken: that it is not all certain does not matter then.
    return replace(
        mined,
        exact=mined.exact or sure == n,
        references={name: sources[name] for name in ranking.names},
        fusion=Fusion(ranking.names, ranking.method, sure, ranking.limit),
    )


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


def refuse_for_several(count: int, rules: Rules) -> None:
    """Raise unless `count` references can mine together: told before the work.

    Raises:
        FusionError: no reference.
        RulesError: rules about the scores of one model.
    """
    if not count:
        raise FusionError("no reference to mine with; expected one or more")
    if count > 1:
        refuse_scores(rules)


def refuse_twice(names: Sequence[str], fingerprints: Sequence[str] = ()) -> None:
    """Raise FusionError where two references are one model, by name or by fingerprint.

    Such a model would be judged on pairs that it picked itself.
    """
    for at, name in enumerate(names):
        if name in names[:at]:
            raise FusionError(f"reference {name} is given twice; name different models")
    for at, fingerprint in enumerate(fingerprints):
        if fingerprint in fingerprints[:at]:
            other = names[fingerprints.index(fingerprint)]
            raise FusionError(
                f"references {other} and {names[at]} are one model: their fingerprints are equal; "
                "name different models"
            )
