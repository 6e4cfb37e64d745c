"""A pair set and its scores -> the rates ZACI-20 reports, how well they are known, and more."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Floats, Mask, Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.bootstrap import DRAWS, draw_clusters, resample
from pairsets.evaluation.clusters import By, Clusters
from pairsets.evaluation.human import DEFAULT_TARGET_FNR, resolve_target
from pairsets.evaluation.intervals import (
    CONFIDENCE,
    UNKNOWN,
    Interval,
    Rate,
    clustered_rate,
)
from pairsets.evaluation.labelled_scores import (
    ends_of,
    labels_of,
    refuse_other_rows,
    scores_in,
)
from pairsets.evaluation.missing_scores import Missing, settle
from pairsets.evaluation.rates import (
    Curve,
    area_under,
    equal_error,
    fnr_at_fpr,
    fnr_at_fpr_interpolated,
    fpr_at_fnr,
    fpr_at_fnr_interpolated,
    is_resolvable,
    roc,
    sensitivity_index,
)
from pairsets.evaluation.resamples import Resampled, Targets
from pairsets.evaluation.result import Carried, Evaluation, OperatingPoint
from pairsets.pairset import PairSet

# Rates that every model is also reported at: FPR at these FNRs, FNR at these FPRs.
TARGETS = (1e-1, 1e-2, 1e-3, 1e-4)
# A draw of the bootstrap keeps one pair in so many: a target must be resolvable there too.
_KEPT = 4


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """A model's evaluation, and what a comparison with other models needs.

    Attributes:
        evaluation: the numbers.
        curve: its ROC.
        right: `[N]` of the pairs evaluated, whether the verdict at `evaluation.threshold` is right;
            all false where no threshold reaches the target (`evaluation.reaches_target`).
        resampled: by statistic, see `pairsets.evaluation.bootstrap.resample`; empty where nothing
            was.
    """

    evaluation: Evaluation
    curve: Curve
    right: Mask
    resampled: Mapping[str, Resampled]


@overload
def evaluate(
    pairs: PairSet,
    scores: ArrayLike,
    target_fnr: float | str | None = None,
    *,
    missing: Missing = "fail",
    distance: bool = False,
    clusters: By = "identity",
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation: ...


@overload
def evaluate(
    pairs: ArrayLike,
    scores: ArrayLike,
    identities_a: ArrayLike | None = None,
    identities_b: ArrayLike | None = None,
    *,
    independent: bool = False,
    target_fnr: float | None = None,
    distance: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation: ...


def evaluate(  # type: ignore[misc] # of a pair set the third argument is the target
    pairs: Any,
    scores: ArrayLike,
    identities_a: Any = None,
    identities_b: Any = None,
    *,
    independent: bool = False,
    target_fnr: float | str | None = None,
    missing: Missing = "fail",
    distance: bool = False,
    clusters: By = "identity",
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Evaluate `scores [N]`, one a row of `pairs`; invalid rows are left out.

    Args:
        pairs: the pair set; or `[N]` labels, 1 for pairs of one identity and 0 for pairs of two.
        scores: higher is more alike; those of invalid rows are not looked at. nan and either
            infinity are no score.
        identities_a, identities_b: `[N]`, with labels alone: who stands at either end, which
            intervals are clustered by. With a pair set, the third argument is `target_fnr`.
        independent: with labels alone: no two pairs share an identity, which then need not be told.
        target_fnr: a share, `"human"` (the person's FNR on these pairs), or None: human where
            every valid pair was judged, else 0.139 as in the original evaluator.
        missing: of pairs without a score, see `pairsets.evaluation.missing_scores.settle`; of
            labels alone every pair must have one.
        distance: the scores are distances: lower is more alike.
        clusters: what pairs of a pair set share that makes them depend on one another.
        draws: of the bootstrap; 0 leaves out what has no closed form.
        seed: of the draws.

    Raises:
        ScoresError: another number of scores, pairs without one (unless `missing` says what to do
            about them), scores that are all the same, one class only; labels without identities.
        PairSetError: the human FNR is asked for and pairs are not judged.
    """
    turned = [""] if distance else ()
    if not isinstance(pairs, PairSet):
        refuse_other_rows(
            labels=pairs, scores=scores, identities_a=identities_a, identities_b=identities_b
        )
        labels = labels_of(pairs)
        plain = scores_in(scores, len(labels))
        ends = ends_of(labels, identities_a, identities_b, independent=independent)
        if isinstance(target_fnr, str) or missing != "fail":
            raise ScoresError("a person's FNR, and missing scores, are of pair sets alone")
        _refuse_constant(plain, "")
        target = DEFAULT_TARGET_FNR if target_fnr is None else target_fnr
        values = {"": -plain if distance else plain}
        found = evaluate_arrays(labels, values, ends, target, draws=draws, seed=seed, turned=turned)
        return found[""].evaluation
    if identities_b is not None or independent:
        raise ScoresError("identities beside a pair set, which has its own; see with_identities")
    if identities_a is not None and target_fnr is not None:
        raise ScoresError("two targets of the FNR; expected one")
    given = scores_of(pairs, scores, "")
    judged = evaluate_all(
        pairs,
        {"": -given if distance else given},
        identities_a if target_fnr is None else target_fnr,
        missing=missing,
        turned=turned,
        clusters=clusters,
        draws=draws,
        seed=seed,
    )
    return judged[""].evaluation


def evaluate_all(
    pairs: PairSet,
    scores: Mapping[str, ArrayLike],
    target_fnr: float | str | None = None,
    *,
    missing: Missing = "fail",
    turned: Collection[str] = (),
    dropped: int = 0,
    clusters: By = "identity",
    draws: int = DRAWS,
    seed: int = 0,
    carried: Mapping[str, tuple[float, str]] | None = None,
) -> dict[str, ModelEvaluation]:
    """Evaluate several models on the same valid rows and the same draws; see `evaluate`.

    `carried` has a threshold and the name of its set by model; `turned` names the models whose
    scores are distances, turned round already; `dropped` counts pairs that were left out before
    for want of a score.
    """
    count = len(pairs)
    pairs, values = settled(pairs, scores, missing)
    target = resolve_target(pairs, target_fnr)
    if not values:
        return {}
    rows = pairs.valid
    labels, invalid = pairs.label, int((~rows).sum())
    if invalid:
        labels, values = labels[rows], {model: one[rows] for model, one in values.items()}
    for model, one in values.items():
        _refuse_constant(one, model)
    ends = Clusters.of(pairs, clusters)
    if invalid:
        # Packed, so that rows left out do not change what the others' clusters draw.
        ends = ends.take(rows).packed()
    return evaluate_arrays(
        labels,
        values,
        ends,
        target,
        draws=draws,
        seed=seed,
        carried=carried,
        invalid=invalid,
        dropped=dropped + count - len(pairs),
        turned=turned,
    )


def settled(
    pairs: PairSet, scores: Mapping[str, ArrayLike], missing: Missing
) -> tuple[PairSet, dict[str, Scores]]:
    """Pairs that stay and their scores by model; see `pairsets.evaluation.missing_scores.settle`.

    Raises:
        ScoresError: as `scores_of` and `settle`.
    """
    given = {model: scores_of(pairs, one, model) for model, one in scores.items()}
    kept, values = settle(pairs, given, missing)
    if kept.all():
        return pairs, values
    return pairs.take(kept), {model: one[kept] for model, one in values.items()}


def _intervals(
    table: Mapping[str, Resampled],
    curve: Curve,
    shares: Mapping[str, float],
    target_fnr: float,
    confidence: float,
) -> dict[str, Interval]:
    """Intervals of the shares and of d', as far as draws tell them; none without draws."""
    if not table:
        return {}
    main = table[f"fpr@{target_fnr!r}"]
    resampled = {"fpr_interpolated": main, "fpr_achieved": main}
    resampled |= {name: table[name] for name in ("eer", "auc")}
    fewer = min(curve.positives, curve.negatives)
    counts = dict.fromkeys(("fpr_interpolated", "fpr_achieved"), curve.negatives)
    found = {
        name: resampled[name].share(value, counts.get(name, fewer), confidence)
        for name, value in shares.items()
    }
    found["dprime"] = table["dprime"].interval(confidence)
    return {name: one for name, one in found.items() if one is not None}


def _curves(labels: ArrayLike, scores: Mapping[str, ArrayLike], invalid: int) -> dict[str, Curve]:
    """ROC of each model; ScoresError names the model whose scores have none."""
    curves = {}
    for model, values in scores.items():
        try:
            curves[model] = roc(labels, values)
        except ScoresError as error:
            left = f" (after {invalid} invalid pairs were left out)" if invalid else ""
            raise ScoresError(f"{_of(model)}{error}{left}") from None
    return curves


def evaluate_arrays(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    clusters: Clusters,
    target_fnr: float,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    carried: Mapping[str, tuple[float, str]] | None = None,
    invalid: int = 0,
    dropped: int = 0,
    turned: Collection[str] = (),
    confidence: float = CONFIDENCE,
    targets: Sequence[float] = TARGETS,
) -> dict[str, ModelEvaluation]:
    """Evaluate scores `[N]` by model against `labels [N]`, pairs of `clusters`.

    Arrays in, so that ten million pairs need no ten million names. A pair that scores -inf is
    rejected at every threshold. At each of `targets`, FPR is told at that FNR, and FNR at that FPR.

    Raises:
        ScoresError: scores of nan or +inf, another length, one class only.
    """
    truth, target_fnr = np.asarray(labels) == 1, float(target_fnr)
    if truth.shape != clusters.a.shape:
        raise ScoresError(f"clusters of {len(clusters)} pairs for labels of shape {truth.shape}")
    curves = _curves(labels, scores, invalid)
    aims = Targets(tuple(dict.fromkeys((target_fnr, *targets))), targets)
    tables: dict[str, dict[str, Resampled]] = {}
    if draws:
        tables = resample(labels, scores, clusters, draw_clusters(clusters, draws, seed), aims)
    kinds = {kind: (rows, clusters.take(rows)) for kind, rows in ((0, ~truth), (1, truth))}

    def rate(kind: int, accepted: Mask) -> Rate:
        rows, ends = kinds[kind]
        wrong = ~accepted[rows] if kind else accepted[rows]
        return clustered_rate(wrong, ends, confidence)

    found = {}
    for model, curve in curves.items():
        values, table = np.asarray(scores[model], np.float64), tables.get(model, {})
        achieved = fpr_at_fnr(curve, target_fnr)
        eer, eer_threshold = equal_error(curve)
        interpolated = fpr_at_fnr_interpolated(curve, target_fnr)
        area = area_under(curve)
        shares = {"fpr_interpolated": interpolated, "fpr_achieved": achieved.fpr}
        shares |= {"eer": eer, "auc": area}
        reached = not math.isnan(achieved.threshold)
        accepted = values >= achieved.threshold
        evaluation = Evaluation(
            target_fnr=target_fnr,
            fpr_interpolated=interpolated,
            fpr_achieved=achieved.fpr,
            fnr_achieved=achieved.fnr,
            threshold=achieved.threshold,
            eer=eer,
            eer_threshold=eer_threshold,
            auc=area,
            dprime=sensitivity_index(labels, values),
            positives=curve.positives,
            negatives=curve.negatives,
            invalid=invalid,
            fpr_rate=rate(0, accepted) if reached else UNKNOWN,
            fnr_rate=rate(1, accepted) if reached else UNKNOWN,
            intervals=_intervals(table, curve, shares, target_fnr, confidence),
            points=_points(curve, table, confidence, targets),
            carried=_carried(values, carried, model, rate),
            clusters=clusters.used,
            rejected_positives=curve.rejected_positives,
            rejected_negatives=curve.rejected_negatives,
            dropped=dropped,
            distance=model in turned,
        )
        found[model] = ModelEvaluation(evaluation, curve, (accepted == truth) & reached, table)
    return found


def _points(
    curve: Curve, table: Mapping[str, Resampled], confidence: float, targets: Sequence[float]
) -> list[OperatingPoint]:
    kinds: tuple[tuple[Literal["fnr", "fpr"], int, int], ...] = (
        ("fnr", curve.positives, curve.negatives),
        ("fpr", curve.negatives, curve.positives),
    )
    points = []
    for fixed, count, others in kinds:
        for target in targets:
            if fixed == "fnr":
                at, name = fpr_at_fnr(curve, target), f"fpr@{target!r}"
                value, between = at.fpr, fpr_at_fnr_interpolated(curve, target)
            else:
                at, name = fnr_at_fpr(curve, target), f"fnr@{target!r}"
                value, between = at.fnr, fnr_at_fpr_interpolated(curve, target)
            interval = None
            if table and is_resolvable(target, count // _KEPT):
                interval = table[name].share(value, others, confidence)
            known = is_resolvable(target, count)
            points.append(
                OperatingPoint(
                    fixed, target, at.threshold, at.fpr, at.fnr, between, interval, known
                )
            )
    return points


def scores_of(pairs: PairSet, scores: ArrayLike, model: str) -> Scores:
    """`scores [N]` as float64.

    Raises:
        ScoresError: no numbers, or not one a row of `pairs`.
    """
    try:
        values = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise ScoresError(f"{_of(model)}scores that are not one number a pair: {error}") from None
    if values.shape != (len(pairs),):
        raise ScoresError(f"{_of(model)}scores of shape {values.shape} for {len(pairs)} pairs")
    return values


def _refuse_constant(values: Floats, model: str) -> None:
    known = values[np.isfinite(values)]
    if known.size > 1 and (known == known[0]).all():
        raise ScoresError(
            f"{_of(model)}all {known.size} scores are {known[0]:g}, so that no threshold tells any "
            "two pairs apart; is it the right column, or a model that maps all faces to one point?"
        )


def _of(model: str) -> str:
    return f"{model}: " if model else ""


def _carried(
    values: Floats,
    carried: Mapping[str, tuple[float, str]] | None,
    model: str,
    rate: Callable[[int, Mask], Rate],
) -> Carried | None:
    if carried is None or model not in carried:
        return None
    threshold, source = carried[model]
    accepted = values >= threshold
    return Carried(threshold, source, rate(0, accepted), rate(1, accepted))
