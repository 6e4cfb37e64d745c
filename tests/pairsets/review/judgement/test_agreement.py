"""Agreement while people judge: counted by hand, and as the finished files have it."""

from __future__ import annotations

import numpy as np
import pytest
from support.counted import calls_of

from pairsets import PairSet, human_rates
from pairsets.evaluation.annotators import agreement
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.kappa import cohen
from pairsets.review.exchange.export import judged
from pairsets.review.judgement.agreement import live
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict, VerdictRecord

AT = "2026-05-01T09:00:00.000+00:00"
WORD = {"s": "same", "d": "different", "i": "invalid"}


def take(store, **people):
    """Each person's verdicts as letters, a row each; a dot where nothing is said."""
    store.take_in(
        VerdictRecord(name, row, Verdict.of(WORD[letter]), None, AT)
        for name, letters in people.items()
        for row, letter in enumerate(letters)
        if letter != "."
    )


@pytest.fixture
def store(tmp_path):
    """Seven pairs: rows 0 to 2 of one identity, the last one marked invalid by the file."""
    pairs = PairSet.of(
        ["雪 & co/1.jpg", "a/1.jpg", "b/1.jpg", "a/1.jpg", "b/1.jpg", "c/1.jpg", "c/2.jpg"],
        ["雪 & co/2.jpg", "a/2.jpg", "b/2.jpg", "b/1.jpg", "c/1.jpg", "a/2.jpg", "b/2.jpg"],
        [1, 1, 1, 0, 0, 0, 0],
        invalid=[0, 0, 0, 0, 0, 0, 1],
    )
    with Store.begin(tmp_path / "review.sqlite", pairs) as found:
        yield found


def test_nobody_began(store):
    found = live(store)
    assert (found.people, found.between, found.disagreements, found.decided) == ((), (), 0, 0)


def test_counted_by_hand(store):
    store.annotator("Gendo")
    take(store, Rei="sdsdsis", Asuka="ssdd..d", 碇="...s...")
    found = live(store)
    gendo, rei, asuka, ikari = found.people
    assert (gendo.name, gendo.judged, gendo.fpr, gendo.fnr) == ("Gendo", 0, None, None)
    assert (rei.name, rei.judged) == ("Rei", 7)
    # Neither Rei's own invalid pair nor that of the file counts.
    assert (rei.fnr.errors, rei.fnr.count, rei.fpr.errors, rei.fpr.count) == (1, 3, 1, 2)
    assert (asuka.fnr.errors, asuka.fnr.count, asuka.fpr.errors, asuka.fpr.count) == (1, 3, 0, 1)
    assert (ikari.fnr, ikari.fpr.value) == (None, 1.0)
    first, second, third = found.between
    assert (first.first, first.second, first.agreed.count, first.kappa.count) == (
        "Rei",
        "Asuka",
        5,
        4,
    )
    assert first.agreed.value == 2 / 5
    assert first.kappa.value == cohen([1, 0, 1, 0], [1, 1, 0, 0]).value
    assert (second.first, second.second, second.agreed.count, second.agreed.value) == (
        "Rei",
        "碇",
        1,
        0.0,
    )
    assert (third.first, third.second, third.agreed.count) == ("Asuka", "碇", 1)
    # Rows 1, 2 and 3; row 6 the file itself marks invalid.
    assert (found.disagreements, found.decided) == (3, 0)


def test_invalid_is_a_word_of_its_own(store):
    take(store, Rei="siii...", Asuka="sids...")
    found = live(store)
    (two,) = found.between
    assert (two.agreed.count, two.agreed.value, two.kappa.count) == (4, 2 / 4, 1)
    # One pair, of which both say the same: agreement beyond chance is not defined.
    assert (two.kappa.value, two.kappa.interval) == (None, None)
    assert found.disagreements == 2


def test_a_decision_settles(store):
    take(store, Rei="sssssss", Asuka="sdssdss")
    before = live(store)
    store.decide(store.annotator("Rei"), 1, Verdict.of("invalid"), key="decision-1")
    store.decide(store.annotator("Rei"), 0, Verdict.of("same"), key="decision-2")
    found = live(store)
    assert (before.disagreements, before.decided) == (2, 0)
    assert (found.disagreements, found.decided) == (2, 1)
    # Row 1 does not count any more in rates and kappa; that two differ on it still does.
    assert [one.fnr.count for one in before.people] == [3, 3]
    assert [(one.fnr.errors, one.fnr.count) for one in found.people] == [(0, 2), (0, 2)]
    assert (before.between[0].kappa.count, found.between[0].kappa.count) == (6, 5)
    assert before.between[0].agreed.value == found.between[0].agreed.value == 5 / 7


def test_what_changes_while_people_judge(store):
    rei, asuka = store.annotator("Rei"), store.annotator("Asuka")
    store.judge(rei, 3, Verdict.of("same"), key="key-00001")
    assert live(store).between == ()
    store.judge(asuka, 3, Verdict.of("different"), key="key-00002")
    assert (live(store).disagreements, live(store).between[0].agreed.value) == (1, 0.0)
    store.change(rei, 3, Verdict.of("different"), key="key-00003")
    assert (live(store).disagreements, live(store).between[0].agreed.value) == (0, 1.0)
    store.undo(asuka, key="key-00004")
    assert (live(store).between, live(store).people[1].judged) == ((), 0)


def many(count):
    """Pairs of 60 characters that share them, and three people who err at rates of their own."""
    generator = np.random.default_rng(7)
    a = generator.integers(0, 60, count)
    b = np.where(generator.random(count) < 0.3, a, generator.integers(0, 60, count))
    label = (a == b).astype(np.int8)
    # A face of its own for every end: no pair comes twice.
    pairs = PairSet.of(
        [f"c{n}/{row}a.jpg" for row, n in enumerate(a)],
        [f"c{n}/{row}b.jpg" for row, n in enumerate(b)],
        label,
    )
    said = [
        np.where(generator.random(count) < share, 1 - label, label) for share in (0.05, 0.15, 0.3)
    ]
    return pairs, said


def test_the_same_as_of_finished_files(tmp_path):
    """Where nobody calls a pair invalid, the files exported give the same numbers."""
    pairs, said = many(2000)
    generator = np.random.default_rng(3)
    with Store.begin(tmp_path / "review.sqlite", pairs) as store:
        store.take_in(
            VerdictRecord(name, row, Verdict(int(words[row])), 1.0, AT)
            for name, words in zip("xyz", said, strict=True)
            for row in np.flatnonzero(generator.random(len(pairs)) < 0.8).tolist()
        )
        people = {name: judged(store, who=name).pairs for name in "xyz"}
        found, expected = live(store), agreement(people)
    for one in found.people:
        rates = human_rates(people[one.name])
        assert (one.fpr, one.fnr) == (rates.fpr_rate, rates.fnr_rate)
    for one, other in zip(found.between, expected.between, strict=True):
        assert (one.first, one.second) == (other.first, other.second)
        assert (one.agreed.count, one.agreed.value) == (other.agreed.count, other.agreed.value)
        assert one.kappa == other.kappa
    assert found.disagreements == sum(
        len({people[name].human_prediction[row] for name in "xyz"} - {-1}) > 1
        for row in range(len(pairs))
    )


def test_intervals_are_clustered(tmp_path):
    """Who errs on one identity alone knows less than the number of pairs tells."""
    pairs, _ = many(2000)
    hub = np.array([path.startswith("c7/") for path in pairs.path_a])
    words = np.where(hub, 1, pairs.label)
    with Store.begin(tmp_path / "review.sqlite", pairs) as store:
        store.take_in(
            VerdictRecord("x", row, Verdict(int(word)), 1.0, AT) for row, word in enumerate(words)
        )
        rate = live(store).people[0].fpr
    assert rate.effective < rate.count / 3
    assert Clusters.of(pairs).used == 60


def test_quick_with_many_pairs(tmp_path):
    pairs, said = many(100_000)
    with Store.begin(tmp_path / "review.sqlite", pairs) as store:
        # Written as `take_in` does, but all at once.
        store._db.execute("BEGIN")
        for number, words in enumerate(said):
            store._db.execute("INSERT INTO annotators VALUES (?, ?)", (number, f"p{number}"))
            store._db.execute(
                "INSERT OR IGNORE INTO events VALUES (1, 'k', 'import', 0, 0, 1, 0, '', NULL, '')"
            )
            store._db.executemany(
                "INSERT INTO verdicts VALUES (?, ?, ?, 0, '', NULL, ?, 1)",
                ((number, row, int(word), AT) for row, word in enumerate(words)),
            )
        store._db.execute("COMMIT")
        calls, found = calls_of(lambda: live(store))
    assert [one.judged for one in found.people] == [100_000] * 3
    np.testing.assert_allclose(
        [one.fnr.value for one in found.people], [0.05, 0.15, 0.3], atol=0.01
    )
    assert calls < 2_000_000  # some for each of 200,000 paths
