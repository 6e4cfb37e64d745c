"""Size of a set that tells two models apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mining.miners.inputs import contradictions
from mining.scores.collection import Scores
from mining.scores.pair_files import lost_rows, low_aucs, was_mined
from mining.scores.sources import ScoreSources
from pairsets.errors import ScoresError
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.differences import ALPHA
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.power import Power, power_between
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, refuse_lacking


@dataclass(frozen=True, eq=False)
class PowerPlan:
    """Plans for every two models, and the set that they were compared on.

    `warnings` name the two models that nothing can be planned from, and those that mined the set;
    `funnel` counts the pairs that were left out, or counted as rejected.
    """

    plans: Sequence[Power]
    pairs: Path
    warnings: Sequence[str] = ()
    funnel: Sequence[FunnelRow] = ()


def plan(
    pairs: Path,
    sources: ScoreSources,
    *,
    points: float,
    identities: Rule | None = None,
    models: Sequence[str] = (),
    statistic: str = "fpr",
    power: float = 0.8,
    target_fnr: float | str | None = None,
    intervals: IntervalOptions = IntervalOptions(),
) -> PowerPlan:
    """Plan the pairs and identities that tell every two models `points` (a share) apart.

    `identities` say who faces show, where neither folders nor `PAIRS.identities.csv` do.
    `models` picks some of those that have scores; all of them if not given. With M comparisons each
    is planned at the level 0.05 / M, the first step of Holm's correction, which tables apply: a set
    of that size tells the two apart whatever the other models do.

    Raises:
        ScoresError: fewer than two models, an unknown one or one named twice, and what
            `pairsets.evaluation.power` refuses of every two.
    """
    if not intervals.draws:
        raise ScoresError("0 bootstrap draws: not resampled, so that there is nothing to plan from")
    intervals.refuse_few()
    asked = PairSet.read(pairs, identities)
    against = contradictions(asked, intervals.clusters, str(pairs))
    refuse_lacking(asked, [0, 1], str(pairs))
    found = sources.open(without=("models", "submissions")).gather({pairs.stem: asked})
    whole, asked = asked, asked.take(found.kept[pairs.stem])
    refuse_lacking(asked, [0, 1], str(pairs))
    chosen = _chosen(found.scores[pairs.stem], models)
    compared = compare(
        pairs.stem,
        asked,
        chosen,
        target_fnr,
        missing="reject",
        turned=found.distances,
        **vars(intervals),
    )
    every_two = list(combinations(chosen, 2))
    plans: list[Power] = []
    refused: list[ScoresError] = []
    for first, second in every_two:
        try:
            plans.append(
                power_between(
                    compared,
                    first,
                    second,
                    statistic,
                    points=points,
                    power=power,
                    alpha=ALPHA / len(every_two),
                    clusters=intervals.clusters,
                )
            )
        except ScoresError as error:
            refused.append(error)
    if not plans:
        raise refused[0]
    miners = found.mined_by(pairs)
    warnings = [
        f"{model} mined this set, which makes its rates there what they are: a difference from it "
        "says nothing of the model"
        for model in chosen
        if model in miners
    ]
    warnings += [] if was_mined(pairs, whole) else low_aucs(pairs.stem, compared.aucs, found)
    said = [*against, *map(str, refused), *warnings]
    return PowerPlan(plans, pairs, said, lost_rows("power", pairs.stem, found))


def _chosen(known: Mapping[str, Scores], models: Sequence[str]) -> dict[str, Scores]:
    """The scores of those models, or of all.

    Raises:
        ScoresError: fewer than two, an unknown one or one named twice.
    """
    for model in models:
        if model not in known:
            raise ScoresError(f"no scores of {model}; there are {', '.join(known) or 'none'}")
    if len({*models}) < len(models):
        raise ScoresError(f"a model named twice: {', '.join(models)}")
    chosen = {model: known[model] for model in (models or known)}
    if len(chosen) < 2:
        raise ScoresError(
            f"{len(chosen)} model{'s' * (len(chosen) != 1)} to tell apart "
            f"({', '.join(chosen) or 'none'}); expected two or "
            "more with --scores and --embeddings"
        )
    return chosen
