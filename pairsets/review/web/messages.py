"""Messages between the browser and the server of a review."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pairsets.evaluation.annotators import PairwiseAgreement
from pairsets.review.store.verdicts import Word

MOST_PAIRS = 50
LONGEST_TEXT = 200
# A pair that was on the screen for longer was left alone.
MOST_SECONDS = 600.0
# SQLite's whole numbers end at 2**63 - 1; browsers count exactly to 2**53 - 1.
LARGEST = 2**53 - 1

Key = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
Row = Annotated[int, Field(ge=0, le=LARGEST)]
Count = Annotated[int, Field(ge=1, le=MOST_PAIRS)]
Reason = Literal["", "duplicate", "bad crop", "several identities", "other", "several characters"]


class _Model(BaseModel):
    """Message of which nothing is guessed: no other fields, no number in a string, no nan."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def of(cls, found: object) -> Self:
        """Message of an object that has what it says as attributes, down to the innermost."""
        return cls.model_validate(found, strict=False, from_attributes=True)


class NewAnnotator(_Model):
    """Name of a person who begins to judge."""

    name: Annotated[str, Field(max_length=1000)]


class Annotator(_Model):
    """Person who judges, by the one spelling of the name."""

    name: str


class Change(_Model):
    """New verdict on a pair that was judged.

    Attributes:
        key: made by the page, once a verdict: sent again, it is the same verdict.
        pair: row of the pair set.
        verdict: what was said.
        reason: why an invalid pair does not count.
    """

    key: Key
    pair: Row
    verdict: Word
    reason: Reason = ""


class Judgement(Change):
    """Verdict on the pair on the screen.

    Attributes:
        seconds: how long the pair was on the screen; what is above 600 is taken as 600.
        count: how many pairs to answer with.
    """

    seconds: Annotated[float, Field(ge=0)] | None = None
    count: Count = 6


class Skip(_Model):
    """Request to put off a pair."""

    key: Key
    pair: Row
    count: Count = 6


class Unsure(Skip):
    """Answer that a person cannot tell: no verdict, the pair comes again last of all."""


class Undo(_Model):
    """Request to take back the last verdict or skip."""

    key: Key
    count: Count = 6


class Decision(Change):
    """Verdict that settles a pair that people disagree on.

    Attributes:
        seen: `at` of the decision that the page shows, None where it shows none: another one that
            stands by now is not replaced unseen.
    """

    seen: Annotated[str, Field(max_length=64)] | None = None


class HistoryQuery(BaseModel):
    """Query of judged pairs; `after` is the `next` of the answer before."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    verdict: Word | Literal[""] = ""
    who: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    show: Literal["all", "disagreements", "wrong", "suspects", "undecided"] = "all"
    after: Annotated[str, Field(pattern=r"^([0-9]{1,16})?$")] = ""
    limit: Count = MOST_PAIRS


class DisagreementsQuery(BaseModel):
    """Query of disagreements; `after` is the `next` of the answer before.

    With `unjudged` also those that this person has neither judged nor decided.
    """

    model_config = ConfigDict(extra="forbid")

    show: Literal["all", "undecided"] = "undecided"
    unjudged: bool = False
    after: Annotated[str, Field(pattern=r"^([01]-[0-9]{1,16})?$")] = ""
    limit: Count = MOST_PAIRS


class ReviewSet(_Model):
    """Facts of the set that is judged; another `digest` after a restart: rows are other pairs."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str
    digest: str
    pairs: int
    to_judge: int
    suspects: int
    suspects_first: bool
    overlap: float
    annotators: list[str]
    as_: Annotated[str | None, Field(alias="as")]
    reasons: list[str]
    version: str


class Task(_Model):
    """A pair to judge; nothing in it tells what it is."""

    pair: int
    left: str
    right: str
    skipped: bool
    unsure: bool


class Pace(_Model):
    """Progress of a person, and the time it takes."""

    done: int
    left: int
    skipped: int
    unsure: int
    total: int
    seconds: float | None
    time_left: float | None


class Worker(_Model):
    """Person who judges: progress, pace, and when something was last done; None for never."""

    name: str
    progress: Pace
    last: str | None


class People(_Model):
    """All who judge, who began first before, and how much of the set has a verdict."""

    people: list[Worker]
    judged: int
    to_judge: int


class AimMet(_Model):
    """Aim of the review that is met, in words, and what is known."""

    aim: str
    known: str


class Work(_Model):
    """The pairs to judge next, the first one first, and whether there is something to undo.

    Attributes:
        pairs: none where the aim is met.
        progress: of who asks.
        can_undo: whether there is something to undo.
        aim: where it is met; before, it would tell what others say.
    """

    pairs: list[Task]
    progress: Pace
    can_undo: bool
    aim: AimMet | None


class Was(_Model):
    """Verdict that an undo took back."""

    verdict: Word
    reason: str


class Undone(Work):
    """The pair taken back, which is to be judged now; None where there was nothing.

    Attributes:
        pair: that pair.
        was: the verdict that was taken back.
        unsure: whether it was that this person was unsure.
    """

    pair: Task | None
    was: Was | None
    unsure: bool


class Face(_Model):
    """One face of a pair; None for what is still hidden."""

    image: str
    path: str | None
    identity: str | None


class Doubted(_Model):
    """Kinds of doubt about a suspect, and the reason."""

    kinds: str
    reason: str


class Opinion(_Model):
    """Verdict of one person on a pair."""

    annotator: str
    verdict: Word
    reason: str
    at: str
    seconds: float | None


class Pair(_Model):
    """All that is known of a pair; label, scores and suspicion are None while they are hidden."""

    pair: int
    left: Face
    right: Face
    label: Literal["same", "different"] | None
    scores: dict[str, float | None] | None
    suspect: Doubted | None
    said: list[Opinion]
    decision: Opinion | None


class Listing(_Model):
    """Page of a list of pairs, and where the list goes on."""

    pairs: list[Pair]
    next: str | None
    total: int


class ErrorRate(_Model):
    """A share of wrong verdicts, and how well it is known."""

    value: float
    low: float | None
    high: float | None
    errors: int
    count: int


class AskedAgain(_Model):
    """Second answers of one annotator, beside the first ones; `errors` are those alike."""

    alike: ErrorRate | None
    unsure: int


class Person(_Model):
    """Errors of one annotator against the labels, and agreement with oneself."""

    name: str
    judged: int
    unsure: int
    fpr: ErrorRate | None
    fnr: ErrorRate | None
    again: AskedAgain | None


class Agreement(_Model):
    """Agreement of two annotators."""

    first: str
    second: str
    pairs: int
    agreed: float | None
    kappa: float | None
    low: float | None
    high: float | None

    @model_validator(mode="before")
    @classmethod
    def flat(cls, found: object) -> object:
        """Numbers of two people as the page has them: None for those that are not defined."""
        if not isinstance(found, PairwiseAgreement):
            return found
        bounds = found.kappa.interval
        return {
            "first": found.first,
            "second": found.second,
            "pairs": found.agreed.count,
            "agreed": _finite(found.agreed.value),
            "kappa": _finite(found.kappa.value),
            "low": None if bounds is None else _finite(bounds.low),
            "high": None if bounds is None else _finite(bounds.high),
        }


class Agreements(_Model):
    """Agreement of all annotators, and the errors of each."""

    people: list[Person]
    between: list[Agreement]
    disagreements: int
    decided: int


class Problem(_Model):
    """Error in one sentence, and what the page needs to go on.

    Attributes:
        work: with the code `already_judged`: what comes next.
        pair: with the code `already_decided`: as it stands now.
    """

    error: str
    code: str
    work: Work | None = None
    pair: Pair | None = None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
