"""Verdicts: what a person may say of a pair, and what several say together."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pairsets.errors import PairsetsError
from pairsets.storage import former_names

Word = Literal["same", "different", "invalid"]
WORDS: tuple[Word, ...] = ("same", "different", "invalid")
# Why a pair does not count; what is not among them is "other".
REASONS = ("duplicate", "bad crop", "several identities", "other")
LONGEST_NAME = 64
_PREDICTIONS = {"same": 1, "different": 0, "invalid": -1}


class ReviewError(PairsetsError):
    """A review that cannot go on as it was asked to."""


@dataclass(frozen=True)
class Verdict:
    """Verdict of somebody on a pair.

    Attributes:
        prediction: 1 same identity, 0 different, -1 nothing said: the column `human_prediction`.
        invalid: the pair does not count. ZACI-20's files hold a prediction of such pairs too.
        reason: why it does not count, one of `REASONS`, where that was said.

    Raises:
        ReviewError: no such prediction or reason, a reason of a valid pair, or nothing said.
    """

    prediction: int
    invalid: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", former_names.REASONS.get(self.reason, self.reason))
        if self.prediction not in (-1, 0, 1):
            raise ReviewError(f"a prediction of {self.prediction}; expected 1, 0 or -1")
        if self.prediction < 0 and not self.invalid:
            raise ReviewError("a verdict that says nothing; expected same, different or invalid")
        if self.reason and not self.invalid:
            raise ReviewError(f"a reason ({self.reason}) for a pair that counts")
        if self.reason and self.reason not in REASONS:
            raise ReviewError(f"the reason {self.reason!r}; expected one of {', '.join(REASONS)}")

    @classmethod
    def of(cls, word: Word, reason: str = "") -> Verdict:
        """From the word for it.

        >>> Verdict.of("same")
        Verdict(prediction=1, invalid=False, reason='')
        """
        return cls(_PREDICTIONS[word], word == "invalid", reason)

    @property
    def word(self) -> Word:
        """`same`, `different` or `invalid`.

        >>> Verdict(0, invalid=True).word
        'invalid'
        """
        if self.invalid:
            return "invalid"
        return "same" if self.prediction == 1 else "different"


def common(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict of more than half of those who judged; None where there is none.

    Of an invalid pair the prediction and the reason are the first that were given.

    >>> common([Verdict.of("same"), Verdict.of("same"), Verdict.of("different")]).word
    'same'
    >>> common([Verdict.of("same"), Verdict.of("different")])
    """
    words = [verdict.word for verdict in verdicts]
    most = next((word for word in WORDS if 2 * words.count(word) > len(words)), None)
    if most is None:
        return None
    return verdicts[words.index(most)]


def plain_name(name: str) -> str:
    """A person's name in one spelling.

    Raises:
        ReviewError: nothing is left of it, it is too long, or has control characters.

    >>> plain_name("  Rei ")
    'Rei'
    """
    plain = unicodedata.normalize("NFC", name).strip()
    if not plain:
        raise ReviewError("no name; expected that of the person who judges")
    if len(plain) > LONGEST_NAME:
        raise ReviewError(f"a name of {len(plain)} characters; expected at most {LONGEST_NAME}")
    # Control, format and private characters, halves of surrogate pairs, ends of lines; but not the
    # (non-)joiners, which are letters' shapes in many scripts.
    kinds = {unicodedata.category(sign) for sign in plain if sign not in "\u200c\u200d"}
    if any(kind.startswith("C") or kind in ("Zl", "Zp") for kind in kinds):
        raise ReviewError(f"{plain!r}: a name with characters that cannot be shown")
    return plain


def alike(name: str, names: Iterable[str]) -> list[str]:
    """Other names that may be this one, spelled otherwise: letters' sizes and widths, spaces.

    >>> alike("rei  ayanami", ["Rei Ayanami", "Rei", "Asuka"])
    ['Rei Ayanami']
    """
    mine = _bare(name)
    return [one for one in names if one != name and _bare(one) == mine]


def _bare(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


@dataclass(frozen=True)
class VerdictRecord:
    """Verdict that stands: whose it is, on which pair, since when.

    Attributes:
        annotator: who, by name.
        pair: row of the pair set.
        verdict: what.
        seconds: how long the pair was on the screen, where that is known.
        at: when, ISO 8601 in UTC.
    """

    annotator: str
    pair: int
    verdict: Verdict
    seconds: float | None
    at: str
