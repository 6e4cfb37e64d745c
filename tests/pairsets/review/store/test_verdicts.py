"""What may be said of a pair, and what several people say together."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets.errors import PairsetsError
from pairsets.review.store.verdicts import REASONS, WORDS, ReviewError, Verdict, common

VERDICTS = st.one_of(
    st.builds(Verdict, st.sampled_from([0, 1])),
    st.builds(Verdict, st.sampled_from([-1, 0, 1]), st.just(True), st.sampled_from(["", *REASONS])),
)


@pytest.mark.parametrize(
    ("word", "reason", "cells"),
    [
        ("same", "", (1, False, "")),
        ("different", "", (0, False, "")),
        ("invalid", "", (-1, True, "")),
        ("invalid", "bad crop", (-1, True, "bad crop")),
    ],
)
def test_words_and_cells(word, reason, cells):
    verdict = Verdict.of(word, reason)
    assert (verdict.prediction, verdict.invalid, verdict.reason) == cells
    assert verdict.word == word


def test_an_invalid_pair_may_hold_a_prediction():
    assert [Verdict(said, invalid=True).word for said in (-1, 0, 1)] == ["invalid"] * 3


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ((2,), "a prediction of 2"),
        ((-2, True), "a prediction of -2"),
        ((-1,), "says nothing; expected same, different or invalid"),
        ((1, False, "duplicate"), r"a reason \(duplicate\) for a pair that counts"),
        ((-1, True, "ugly"), "the reason 'ugly'; expected one of duplicate, bad crop"),
    ],
)
def test_verdicts_that_are_none(cells, message):
    with pytest.raises(ReviewError, match=message):
        Verdict(*cells)
    assert issubclass(ReviewError, PairsetsError)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["same"], "same"),
        (["invalid"], "invalid"),
        (["same", "different"], None),
        (["different", "different"], "different"),
        (["same", "different", "different"], "different"),
        (["same", "different", "invalid"], None),
        (["same", "same", "different", "invalid"], None),
        (["invalid", "invalid", "same"], "invalid"),
        (["same", "same", "different", "different"], None),
    ],
)
def test_more_than_half(words, expected):
    found = common([Verdict.of(word) for word in words])
    assert (found.word if found else None) == expected


def test_the_first_of_the_majority_gives_prediction_and_reason():
    said = [
        Verdict(1),
        Verdict(0, True, "duplicate"),
        Verdict(1, True, "bad crop"),
        Verdict(-1, True),
    ]
    assert common(said) == Verdict(0, True, "duplicate")
    assert common(said[::-1]) == Verdict(-1, True)


@given(st.lists(VERDICTS, max_size=7))
def test_equals_counting(verdicts):
    counts = Counter(verdict.word for verdict in verdicts)
    most = [word for word in WORDS if counts[word] > len(verdicts) / 2]
    found = common(verdicts)
    assert ([found.word] if found else []) == most
    assert found is None or found in verdicts
