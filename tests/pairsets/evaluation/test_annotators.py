"""Several people on the same pairs: read, counted as on paper, and agreement beyond chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from pairsets import PairSet, PairSetError, ScoresError, human_rates
from pairsets.evaluation.annotator_files import read_annotators
from pairsets.evaluation.annotators import agreement, majority
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.kappa import cohen, fleiss

# Fourteen people sort ten subjects into five kinds: the worked example of Fleiss' kappa, 0.210.
FOURTEEN = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


@pytest.fixture
def pairs():
    return PairSet.of(
        ["雪 & co/1.jpg", "a/1.jpg", "b/1.jpg", "b/2.jpg", "c,d/1.jpg"],
        ["雪 & co/2.jpg", "b/1.jpg", "c,d/1.jpg", "a/1.jpg", "雪 & co/1.jpg"],
        [1, 0, 0, 0, 0],
    )


def said(pairs, verdicts, invalid=0):
    return PairSet.of(pairs.path_a, pairs.path_b, pairs.label, verdicts, invalid)


# ---------------------------------------------------------------- reading


def test_files_are_brought_into_the_order_of_the_set(pairs, tmp_path):
    said(pairs, [1, 0, 1, 0, -1]).write(tmp_path / "rei.csv")
    order = np.array([3, 0, 4, 1])
    theirs = said(pairs, [0, 1, 1, 0, 1]).take(order)
    turned = PairSet.of(
        [*theirs.path_b, "a/1.jpg"], [*theirs.path_a, "z/9.jpg"], [*theirs.label, 0],
        [*theirs.human_prediction, 1], [0, 0, 1, 0, 0],
    )  # fmt: skip
    turned.write(tmp_path / "asuka.csv")
    found = read_annotators(pairs, {"Rei": tmp_path / "rei.csv", "Asuka": tmp_path / "asuka.csv"})
    assert list(found) == ["Rei", "Asuka"]
    assert found["Rei"] == said(pairs, [1, 0, 1, 0, -1])
    assert found["Asuka"] == said(pairs, [0, 1, -1, 0, 1], [0, 0, 0, 0, 1])


def test_what_the_set_says_of_a_row_stands(pairs, tmp_path):
    """A row invalid in the set is so for everybody; a verdict in the set is nobody's here."""
    said(pairs, [1, 0, 0, 0, 0]).write(tmp_path / "rei.csv")
    marked = said(pairs, [0, 1, 1, 1, 1], [0, 1, 0, 0, 0])
    assert read_annotators(marked, {"Rei": tmp_path / "rei.csv"})["Rei"] == said(
        pairs, [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]
    )


def test_files_that_cannot_be_used(pairs, tmp_path):
    mine, other = tmp_path / "mine.csv", tmp_path / "other.csv"
    said(pairs, 0).write(mine)
    PairSet.of(["x/1"], ["y/1"], [0], [1]).write(other)
    with pytest.raises(PairSetError, match="nobody's pair file"):
        read_annotators(pairs, {})
    with pytest.raises(PairSetError, match=r"mine\.csv: the file of Rei and of Asuka"):
        read_annotators(pairs, {"Rei": mine, "Asuka": tmp_path / "." / "mine.csv"})
    with pytest.raises(
        PairSetError, match=r"other\.csv: none of its 1 pairs is among the 5 that Asuka .* another"
    ):
        read_annotators(pairs, {"Rei": mine, "Asuka": other})
    PairSet.of(pairs.path_b, pairs.path_a, [1, 0, 1, 0, 1]).write(other)
    message = r"other\.csv: pair 3 \(c,d/1\.jpg, b/1\.jpg\) has label 1, .* has 0 \(2 such pairs\)"
    with pytest.raises(PairSetError, match=message):
        read_annotators(pairs, {"Asuka": other})
    with pytest.raises(PairSetError, match=r"gone\.csv: no such pair file"):
        read_annotators(pairs, {"Rei": tmp_path / "gone.csv"})


# ---------------------------------------------------------------- agreement


def test_counted_by_hand(pairs):
    """Five pairs; somebody marked the last one invalid, so four count."""
    people = {
        "x": said(pairs, [1, 1, 0, -1, 1]),
        "y": said(pairs, [1, 0, 0, 1, 1], [0, 0, 0, 0, 1]),
        "z": said(pairs, [0, 1, 0, 0, 0]),
    }
    found = agreement(people)
    assert found.people == ("x", "y", "z")
    assert (found.pairs, found.invalid) == (4, 1)
    assert found.judged_by == (0, 0, 1, 3)
    assert (found.unanimous, found.ties) == (1, 1)
    assert {name: (one.fpr, one.fnr, one.unjudged) for name, one in found.rates.items()} == {
        "x": (1 / 2, 0, 1),
        "y": (1 / 3, 0, 0),
        "z": (1 / 3, 1, 0),
    }
    assert [(one.first, one.second) for one in found.between] == [
        ("x", "y"),
        ("x", "z"),
        ("y", "z"),
    ]
    first = found.between[0]
    assert (first.agreed.errors, first.agreed.count, first.kappa.count) == (2, 3, 3)
    assert (first.positives.value, first.negatives.value) == (1.0, 0.5)
    assert (first.only_first, first.only_second) == (1, 0)
    last = found.between[2]
    assert (last.only_first, last.only_second) == (2, 1)
    # Judged by all: 2, 2 and 0 of three said "same".
    assert found.fleiss.value == fleiss([[1, 2], [1, 2], [3, 0]]).value
    assert (found.majority.fpr, found.majority.fnr, found.majority.unjudged) == (1 / 2, 0, 1)
    vote = majority(people)
    np.testing.assert_array_equal(vote.human_prediction, [1, 1, 0, -1, 1])
    np.testing.assert_array_equal(vote.invalid, [0, 0, 0, 0, 1])


def test_one_person_agrees_with_nobody(pairs):
    found = agreement({"x": said(pairs, [1, 0, 0, 1, -1])})
    assert (found.between, found.fleiss, found.majority) == ((), None, None)
    assert (found.judged_by, found.ties, found.unanimous) == ((1, 4), 0, 4)
    assert found.rates["x"].fpr == 1 / 3


def test_everyone_says_the_same_everywhere(pairs):
    found = agreement({name: said(pairs, 0) for name in "xyz"})
    (kappa, *_), fleiss_kappa = [one.kappa for one in found.between], found.fleiss
    for one in (kappa, fleiss_kappa):
        assert (one.value, one.error, one.interval) == (None, None, None)
        assert (one.agreed, one.expected, one.count) == (1.0, 1.0, 5)
    assert (found.unanimous, found.majority.fnr) == (5, 1.0)


def test_two_who_are_evenly_split_everywhere(pairs):
    found = agreement({"x": said(pairs, [1, 0, 1, 0, 1]), "y": said(pairs, [0, 1, 0, 1, 0])})
    assert (found.majority, found.ties) == (None, 5)
    assert found.between[0].agreed.value == 0


def test_people_who_share_no_pair(pairs):
    found = agreement({"x": said(pairs, [1, 0, -1, -1, -1]), "y": said(pairs, [-1, -1, 0, 1, 1])})
    (one,) = found.between
    assert (one.kappa.value, one.kappa.count, found.fleiss.count) == (None, 0, 0)
    assert np.isnan(one.agreed.value)
    assert (found.judged_by, found.majority) == ((0, 5, 0), None)


def test_what_cannot_be_compared(pairs):
    with pytest.raises(PairSetError, match="nobody judged"):
        agreement({})
    with pytest.raises(PairSetError, match="y judged none of the 5 pairs"):
        agreement({"x": said(pairs, 0), "y": said(pairs, -1)})
    with pytest.raises(PairSetError, match="none of the 5 pairs is valid for everybody"):
        agreement({"x": said(pairs, 0, [1, 1, 0, 0, 0]), "y": said(pairs, 0, [0, 0, 1, 1, 1])})
    turned = said(pairs, 0).take(np.arange(5)[::-1])
    with pytest.raises(PairSetError, match=r"x and y do not have the same pairs .* \(path_a"):
        agreement({"x": said(pairs, 0), "y": turned})


def test_the_published_verdicts_as_one_persons(real_data):
    """The intervals that the clustered formulas give for the published human rows."""
    expected = {
        "zaci20_test_pairs_adversarial": (0.1361, 0.0990, 0.1841, 0.1690, 0.1453, 0.1957),
        "zaci20_test_pairs": (0.0159, 0.0097, 0.0261, 0.1392, 0.1176, 0.1640),
    }
    for name, figures in expected.items():
        path = real_data / "zaci20" / f"{name}.csv"
        pairs = PairSet.read(path)
        annotated = dict(read_annotators(pairs, {"published": path}))
        # Someone who is wrong where the first is right, on every tenth pair.
        flip = np.arange(len(pairs)) % 10 == 0
        annotated["other"] = said(
            pairs, np.where(flip, 1 - pairs.human_prediction, pairs.human_prediction), pairs.invalid
        )
        found = agreement(annotated)
        rates = found.rates["published"]
        assert rates == human_rates(pairs)
        rounded = [
            round(end, 4)
            for rate in (rates.fpr_rate, rates.fnr_rate)
            for end in (rate.value, rate.low, rate.high)
        ]
        assert rounded == list(figures)
        (between,) = found.between
        assert between.agreed.errors == int((~flip & pairs.valid).sum())
        verdicts = [one.human_prediction[pairs.valid] for one in annotated.values()]
        assert between.kappa.value == pytest.approx(cohen_kappa_score(*verdicts), abs=1e-12)
        assert between.kappa.value in between.kappa.interval


# ---------------------------------------------------------------- kappa


@given(
    st.integers(2, 4).flatmap(
        lambda kinds: st.lists(
            st.tuples(st.integers(0, kinds - 1), st.integers(0, kinds - 1)), min_size=1, max_size=40
        )
    )
)
def test_cohens_kappa_is_scikit_learns(verdicts):
    first, second = map(list, zip(*verdicts, strict=True))
    found = cohen(first, second)
    if len({*first, *second}) == 1:
        assert found.value is None
        return
    assert found.value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    if found.interval is not None:
        assert found.interval.low - 1e-12 <= found.value <= found.interval.high + 1e-12
        assert found.interval.high <= 1


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3).filter(
        lambda table: np.sum(table) > 0
    )
)
def test_its_error_is_that_of_1969_for_independent_pairs(table):
    """Equation 12 of Fleiss, Cohen and Everitt, without weights, written out."""
    counts = np.array(table)
    first, second = (
        np.repeat(numbers.ravel(), counts.ravel()) for numbers in np.indices(counts.shape)
    )
    found = cohen(first, second)
    share = counts / counts.sum()
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    agreed, expected = np.trace(share), rows @ columns
    if found.value is None:
        assert expected == pytest.approx(1)
        return
    total = -((agreed * expected - 2 * expected + agreed) ** 2)
    for i in range(3):
        inner = (1 - expected) - (columns[i] + rows[i]) * (1 - agreed)
        total += share[i, i] * inner**2
        for j in range(3):
            if i != j:
                total += (1 - agreed) ** 2 * share[i, j] * (columns[i] + rows[j]) ** 2
    variance = total / counts.sum() / (1 - expected) ** 4
    assert found.error**2 == pytest.approx(variance, rel=1e-6, abs=1e-12)


def test_fleiss_kappa_of_the_worked_example():
    found = fleiss(FOURTEEN)
    assert (round(found.value, 3), round(found.agreed, 3), round(found.expected, 3)) == (
        0.210,
        0.378,
        0.213,
    )
    assert found.count == 10
    assert found.value in found.interval


def test_fleiss_error_is_that_of_leaving_one_out():
    generator = np.random.default_rng(0)
    shares = generator.beta(0.6, 0.9, 400)
    same = generator.binomial(5, shares)
    table = np.stack([5 - same, same], axis=1)
    values = np.array([fleiss(np.delete(table, row, axis=0)).value for row in range(400)])
    jackknife = (399 / 400 * ((values - values.mean()) ** 2).sum()) ** 0.5
    assert fleiss(table).error == pytest.approx(jackknife, rel=0.02)


def test_of_two_people_fleiss_pools_what_cohen_keeps_apart():
    """Where both say "same" equally often the two kappas are one."""
    first, second = [1, 1, 0, 0, 1, 0], [1, 0, 1, 0, 1, 0]
    same = np.add(first, second)
    assert fleiss(np.stack([2 - same, same], axis=1)).value == pytest.approx(
        cohen(first, second).value
    )


def test_where_kappa_is_known_without_spread():
    nobody_disagrees = cohen([1, 0] * 20, [1, 0] * 20)
    assert (nobody_disagrees.value, nobody_disagrees.error) == (1.0, 0.0)
    assert (nobody_disagrees.interval.low < 0.9, nobody_disagrees.interval.high) == (True, 1.0)
    one_never_says_same = cohen([0] * 10, [0, 1] * 5)
    assert (one_never_says_same.value, one_never_says_same.interval) == (0.0, None)


def test_verdicts_that_are_none():
    with pytest.raises(ScoresError, match="expected one a pair"):
        cohen([0, 1], [0])
    with pytest.raises(ScoresError, match="not judged by both"):
        cohen([0, -1], [0, 1])
    with pytest.raises(ScoresError, match="from 2 to 3 verdicts a pair"):
        fleiss([[1, 1], [2, 1]])
    with pytest.raises(ScoresError, match="two or more"):
        fleiss([[1, 0], [0, 1]])
    with pytest.raises(ScoresError, match=r"expected \[pairs, verdicts\]"):
        fleiss([1, 2])


def test_intervals_cover_where_pairs_share_identities():
    """Two people find the same identities hard; pairs taken as independent are far too sure."""
    generator = np.random.default_rng(7)

    def world(identities):
        a = generator.integers(0, identities, 5 * identities)
        b = (a + generator.integers(1, identities, a.size)) % identities
        alike, taste = generator.normal(size=identities), generator.normal(size=(2, identities)) / 2
        seen = alike[a] + alike[b] + generator.normal(size=a.size) / 2
        own = generator.normal(size=(2, a.size)) * 0.6
        verdicts = [(seen + taste[k][a] + taste[k][b] + own[k] > 0).astype(int) for k in (0, 1)]
        return verdicts, Clusters(a, b, identities)

    truth = cohen(*world(200_000)[0]).value
    clustered = independent = 0
    for _ in range(250):
        verdicts, clusters = world(150)
        clustered += truth in cohen(*verdicts, clusters).interval
        independent += truth in cohen(*verdicts).interval
    assert 0.90 <= clustered / 250 <= 0.98
    assert independent / 250 < 0.90
