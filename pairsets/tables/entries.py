"""The rows of a leaderboard: a person, a model, a reference on pairs that others mined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pairsets.evaluation.human import HumanRates
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.kinship import Kinship
from pairsets.evaluation.result import Evaluation

NOT_COMPARABLE = "mined this set: not comparable"
LEAVE_ONE_OUT = "leave-one-out: pairs it did not pick"


@dataclass(frozen=True)
class Entry:
    """One row: rates as shares, None where they do not exist.

    `fpr` and `fnr` are rates that a threshold, or a person, achieves. `fpr_interpolated` is what
    ZACI-20's evaluator prints of a model; of a person, who has no threshold, it is `fpr` again.
    `comparable` is false for the model that mined the set, whose row says little of the model, and
    for its kin, whose scores follow it (`kinships` has how far those of each model do);
    `published` marks figures taken from ZACI-20's own tables, whose models have the interpolated
    rate alone, at the FNR beside it; `pairs_mined_by` names the references whose pairs a
    leave-one-out row is judged on, instead of the table's own. Intervals are there where they are
    known: not of published rows, nor of an FNR that the target set.
    """

    model: str
    fpr: float | None
    fnr: float | None
    eer: float | None
    note: str = ""
    comparable: bool = True
    published: bool = False
    human: bool = False
    evaluation: Evaluation | None = None
    pairs_mined_by: tuple[str, ...] = ()
    fpr_interval: Interval | None = None
    fnr_interval: Interval | None = None
    eer_interval: Interval | None = None
    fpr_interpolated: float | None = None
    kinships: tuple[Kinship, ...] = ()

    @property
    def kin_of(self) -> tuple[str, ...]:
        """The references that the model is kin of."""
        return kin_of(self.kinships)

    @property
    def mined(self) -> bool:
        """Whether the model mined the set itself; its kin did not, and are not comparable either.

        >>> Entry("A", 0.1, 0.1, 0.1, comparable=False).mined
        True
        """
        return not self.comparable and not self.kin_of

    @property
    def competes(self) -> bool:
        """Whether the row can be the best of its table: a model, judged on the table's own pairs.

        A leave-one-out row tells how good its model is, but of other negatives than its
        neighbours: the lowest number of the two kinds together would mean nothing.
        """
        return self.comparable and not (self.human or self.published or self.pairs_mined_by)

    @property
    def title(self) -> str:
        """Name of the row in print: the model, and whose pairs where not the table's.

        >>> Entry("A", 0.1, 0.1, 0.1, pairs_mined_by=("B", "C")).title
        'A (pairs mined by B, C)'
        """
        if not self.pairs_mined_by:
            return self.model
        return f"{self.model} (pairs mined by {', '.join(self.pairs_mined_by)})"


def human_entry(rates: HumanRates, name: str = "Human") -> Entry:
    """The row of the person, or of one of several, who judged the set."""
    note = f"judged {rates.positives + rates.negatives} pairs"
    if rates.unjudged:
        note += f", {rates.unjudged} not judged"
    return Entry(
        name,
        _number(rates.fpr),
        _number(rates.fnr),
        None,
        note,
        human=True,
        fpr_interval=rates.fpr_rate.interval if rates.negatives else None,
        fnr_interval=rates.fnr_rate.interval if rates.positives else None,
        fpr_interpolated=_number(rates.fpr),
    )


def model_entry(
    model: str,
    evaluation: Evaluation,
    *,
    mined: bool = False,
    miners: int = 1,
    kinships: Sequence[Kinship] = (),
) -> Entry:
    """A model's row on a set.

    Args:
        model: its name.
        evaluation: on the set.
        mined: marks a reference on the set that it mined, as one of `miners`.
        miners: how many mined it.
        kinships: of a model that did not, with those that did.
    """
    first = []
    if mined:
        first = [NOT_COMPARABLE if miners == 1 else f"one of {miners} that {NOT_COMPARABLE}"]
    elif kin := kin_of(kinships):
        whose = "its" if len(kin) == 1 else "their"
        first = [f"kin of {' and '.join(kin)}: not comparable on {whose} pairs"]
    return Entry(
        model=model,
        fpr=_number(evaluation.fpr_achieved),
        fnr=_number(evaluation.fnr_achieved),
        eer=_number(evaluation.eer),
        note="; ".join([*first, *score_notes(evaluation)]),
        comparable=not first,
        evaluation=evaluation,
        fpr_interval=evaluation.intervals.get("fpr_achieved"),
        eer_interval=evaluation.intervals.get("eer"),
        fpr_interpolated=_number(evaluation.fpr_interpolated),
        kinships=() if mined else tuple(kinships),
    )


def score_notes(evaluation: Evaluation) -> list[str]:
    """Notes of a table on the scores: pairs without one, distances turned round."""
    found = []
    if evaluation.distance:
        found.append("score = -distance: accepts distance <= threshold")
    if count := evaluation.rejected:
        found.append(f"{count:,} pair{'s' * (count != 1)} without a score, counted as rejected")
    if count := evaluation.dropped:
        found.append(f"{count:,} pair{'s' * (count != 1)} without a score left out")
    return found


def left_out_entry(
    model: str,
    evaluation: Evaluation,
    mined_by: Sequence[str],
    kinships: Sequence[Kinship] = (),
) -> Entry:
    """The row of a reference on the pairs that the others, `mined_by`, mined without it.

    A reference that is kin of one of them is punished for that: its note says so.
    """
    row = model_entry(model, evaluation)
    theirs = tuple(one for one in kinships if one.reference in mined_by)
    kin = kin_of(theirs)
    note = f"{LEAVE_ONE_OUT}; kin of {' and '.join(kin)}" if kin else LEAVE_ONE_OUT
    return replace(row, note=note, pairs_mined_by=tuple(mined_by), kinships=theirs)


def kin_of(kinships: Iterable[Kinship]) -> tuple[str, ...]:
    """The references of those kinships that make a model kin."""
    return tuple(one.reference for one in kinships if one.kin)


def _number(value: float) -> float | None:
    return None if value != value else value
