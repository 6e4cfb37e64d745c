"""What a check expects of itself: in words, in JSON, and what it cannot be."""

from __future__ import annotations

import json

import pytest

from pairsets.files.expectations import Expectation, Share

SURE = Expectation("mislabel", Share(0.96, 0.9, 1.0), Share(0.4, 0.31, 0.49), 1120, flagged=50)
SILENT = Expectation("alias", None, Share(0.0, 0.0, 0.06), 60, "too much looks like one")


def test_in_words():
    assert SURE.sentence() == (
        "of its flags 96 % (90 to 100 %) are expected to be right here; of all such mistakes it "
        "finds 40 % (31 to 49 %) (measured on 1,120 planted)"
    )
    assert SILENT.sentence() == "abstains: too much looks like one"
    trusted = Expectation("alias", None, None, 60, "too much looks like one", trusted=True)
    assert trusted.sentence() == "speaks as told, though: too much looks like one"
    none = Expectation("mislabel", Share(0.95, 0, 1), Share(0.5, 0.4, 0.6), 100, flagged=0)
    assert none.sentence() == (
        "nothing stood out enough here to be flagged; of all such mistakes it finds 50 % (40 to "
        "60 %) (measured on 100 planted)"
    )
    assert [one.abstains for one in (SURE, SILENT, trusted, none)] == [False, True, False, False]


@pytest.mark.parametrize("one", [SURE, SILENT])
def test_there_and_back(one):
    assert Expectation.of_content(json.loads(json.dumps(one.content()))) == one


def test_what_cannot_be():
    with pytest.raises(ValueError, match="an expectation of kind 'ghost'"):
        Expectation("ghost", None, None, 0, "why")
    with pytest.raises(ValueError, match="neither a precision nor why"):
        Expectation("alias", None, None, 0)
    for wrong in ((0.5, 0.6, 0.7), (0.5, -0.1, 1.0), (0.5, 0.1, 1.1), (0.9, 0.1, 0.8)):
        with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
            Share(*wrong)
