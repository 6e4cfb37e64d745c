"""Similar names of two lists, found without comparing each with each."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from mining.overlap.similar_names import LEAST, similar_names
from mining.suspects.identity.names import likeness

WORDS = st.sampled_from(
    ["rin", "miku", "hatsune", "kai", "kaga", "mio", "akiyama", "tamamo no", "ri", "n", "橘", "雪"]
)
SERIES = st.sampled_from(
    ["", "_(fate)", "_(summer)_(fate)", "_(swimsuit)", "_(kancolle)", "_(alter)"]
)
NAMES = st.builds(
    lambda words, gap, series: gap.join(words) + series,
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from("_ -"),
    SERIES,
)


def naive(first, second):
    return sorted(
        (a, b, likeness(a, b)) for a in {*first} for b in {*second} if likeness(a, b) >= LEAST
    )


@given(st.lists(NAMES, max_size=15), st.lists(NAMES, max_size=15))
@example(["rin_kai_kai_(swimsuit)"], ["rin_(swimsuit)"])
def test_equals_the_double_loop(first, second):
    assert similar_names(first, second) == naive(first, second)


def test_kinds_of_likeness_that_are_told():
    first = ["hatsune_miku", "kaga_(kancolle)", "rin_(fate)", "rin_(vocaloid)", "Jeanne d'Arc", ""]
    second = ["miku_hatsune", "kaga_kai_(kancolle)", "rin_(summer)_(fate)", "jeanne_darc", "rin"]
    found = {(a, b) for a, b, _ in similar_names(first, second)}
    assert found == {
        ("hatsune_miku", "miku_hatsune"),
        ("kaga_(kancolle)", "kaga_kai_(kancolle)"),
        ("rin_(fate)", "rin_(summer)_(fate)"),
        ("Jeanne d'Arc", "jeanne_darc"),
    }


def test_real_names(real_data):
    """ZACI-20's identities: each is like itself, and like no other so much."""
    names = sorted(json.loads((real_data / "zaci20" / "zaci20_test.json").read_text()))
    few = names[::9]
    assert similar_names(names, few) == naive(names, few)
    assert {(a, b) for a, b, _ in similar_names(names, few)} >= {(name, name) for name in few}
