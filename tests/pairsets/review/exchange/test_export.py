"""Verdicts out of a review and into one: what stands, round trips, files that cannot be used."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairsets import PairSet, PairSetError, human_rates
from pairsets.errors import OutputError
from pairsets.evaluation.annotator_files import read_annotators
from pairsets.evaluation.annotators import agreement, majority
from pairsets.review.exchange.export import export, judged
from pairsets.review.exchange.imports import import_judged
from pairsets.review.exchange.judgement_table import HEADER, UNDATED, moment, read_judgements
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import REASONS, ReviewError, Verdict, VerdictRecord

AT = "2026-05-01T09:00:00.000+00:00"
WORD = {"s": "same", "d": "different", "i": "invalid"}
# Rows: a name with a comma, quotes and a line end; unicode; the last two have a say of their own.
PATHS = [
    ("雪 & co/1.jpg", "雪 & co/2.jpg"),
    ("c,d/1.jpg", 'the "e"/1\n.jpg'),
    ("b/1.jpg", "a/1.jpg"),
    ("a/2.jpg", "b/1.jpg"),
    ("a/1.jpg", "a/2.jpg"),
    ("z/1.jpg", "y/1.jpg"),
    ("z/2.jpg", "y/2.jpg"),
]
LABEL = [1, 0, 0, 0, 1, 0, 0]
OWN = [-1, -1, -1, -1, -1, 1, 0]
OWN_INVALID = [0, 0, 0, 0, 0, 0, 1]


def pair_set(prediction=OWN, invalid=OWN_INVALID, label=LABEL):
    return PairSet.of([a for a, _ in PATHS], [b for _, b in PATHS], label, prediction, invalid)


@pytest.fixture
def store(tmp_path):
    with Store.begin(tmp_path / "review.sqlite", pair_set()) as found:
        yield found


@pytest.fixture
def fresh(tmp_path):
    """Makes further reviews of the same pairs."""
    made = []

    def begin(pairs=None):
        folder = tmp_path / f"fresh {len(made)}"
        folder.mkdir()
        made.append(Store.begin(folder / "review.sqlite", pair_set() if pairs is None else pairs))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def take(store, **people):
    """Each person's verdicts as letters, a row each; a dot where nothing is said."""
    store.take_in(
        VerdictRecord(name, row, Verdict.of(WORD[letter]), 1.25, AT)
        for name, letters in people.items()
        for row, letter in enumerate(letters)
        if letter != "."
    )


def everything(store):
    """All that a review holds of verdicts, events included."""
    return [
        store.read(f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("annotators", "verdicts", "decisions", "events")
    ]


def counts(found):
    return found.decided, found.judged, found.waiting, found.own, found.open


# ---------------------------------------------------------------- what stands


def test_untouched_is_the_file_itself(store):
    found = judged(store)
    assert found.pairs == pair_set()
    assert counts(found) == (0, 0, 0, 2, 5)


def test_what_is_said_of_each_pair(store):
    take(store, Rei="ssdi.d.", Asuka="sdd..s.", 碇="sss...s")
    found = judged(store)
    # Row 5: they disagree, so the file's own verdict does not stand. Row 6 stays invalid.
    np.testing.assert_array_equal(found.pairs.human_prediction, [1, 1, 0, -1, -1, -1, 1])
    np.testing.assert_array_equal(found.pairs.invalid, [0, 0, 0, 1, 0, 0, 1])
    np.testing.assert_array_equal(found.pairs.path_a, pair_set().path_a)
    assert counts(found) == (0, 5, 1, 0, 1)
    assert human_rates(found.pairs).unjudged == 2


def test_a_decision_stands_above_all(store):
    take(store, Rei="sd..sss", Asuka="sd..dds", 碇="ss...s")
    gendo = store.annotator("Gendo")
    store.decide(gendo, 0, Verdict.of("invalid", "duplicate"), key="key-00001")
    store.decide(gendo, 4, Verdict.of("different"), key="key-00002")
    store.decide(gendo, 6, Verdict.of("different"), key="key-00003")
    found = judged(store)
    np.testing.assert_array_equal(found.pairs.human_prediction, [-1, 0, -1, -1, 0, 1, 0])
    np.testing.assert_array_equal(found.pairs.invalid, [1, 0, 0, 0, 0, 0, 0])
    assert counts(found) == (3, 2, 0, 0, 2)
    assert found.reasons == {0: "duplicate"}


def test_one_person_alone(store):
    take(store, Rei="sd.i..s", Asuka="dd..s..")
    store.decide(store.annotator("Rei"), 0, Verdict.of("different"), key="key-00001")
    found = judged(store, who=" Rei")
    assert found.who == "Rei"
    np.testing.assert_array_equal(found.pairs.human_prediction, [1, 0, -1, -1, -1, -1, 1])
    np.testing.assert_array_equal(found.pairs.invalid, [0, 0, 0, 1, 0, 0, 1])
    assert counts(found) == (0, 4, 0, 0, 3)
    assert counts(judged(store, who="Asuka")) == (0, 3, 0, 1, 3)
    with pytest.raises(ReviewError, match=r"Gendo: judged nothing in .* one of Asuka, Rei"):
        judged(store, who="Gendo")
    with pytest.raises(ReviewError, match=r"expected one of .*; did you mean Asuka\?$"):
        judged(store, who="a suka")


def test_the_earliest_of_the_invalid_gives_prediction_and_reason(store):
    for name, said, at in (
        ("Asuka", Verdict(0, True, "duplicate"), "2026-05-02T09:00:00.000+00:00"),
        ("Rei", Verdict(1, True, "bad crop"), AT),
        ("碇", Verdict(1), UNDATED),
    ):
        store.take_in([VerdictRecord(name, 2, said, None, at)])
    found = judged(store)
    assert (found.pairs.human_prediction[2], found.pairs.invalid[2]) == (1, 1)
    assert found.reasons == {2: "bad crop"}


@given(said=st.lists(st.lists(st.sampled_from(".sdi"), min_size=7, max_size=7), max_size=4))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_equals_the_majority_vote_of_files(tmp_path, said):
    """`annotators.majority` of three or four who all judged all: another way to count."""
    path = tmp_path / "hypothesis.sqlite"
    path.unlink(missing_ok=True)
    clean = pair_set(-1, 0)
    with Store.begin(path, clean) as store:
        take(store, **{f"p{number}": "".join(row) for number, row in enumerate(said)})
        found = judged(store)
    for row in range(7):
        words = [WORD[one[row]] for one in said if one[row] != "."]
        most = {word for word in words if 2 * words.count(word) > len(words)}
        cells = int(found.pairs.human_prediction[row]), int(found.pairs.invalid[row])
        expected = {"same": (1, 0), "different": (0, 0), "invalid": (-1, 1)}
        assert cells == (expected[most.pop()] if most else (-1, 0))
    if len(said) == 3 and not any({".", "i"} & {*row} for row in said):
        files = {
            f"p{n}": pair_set([int(letter == "s") for letter in row], 0)
            for n, row in enumerate(said)
        }
        assert found.pairs == majority(files)


# ---------------------------------------------------------------- export


def test_files_of_an_export(store, tmp_path):
    take(store, Rei="sd.id..", Asuka="dd.id..")
    store.take_in([VerdictRecord("Rei", 2, Verdict.of("same"), None, UNDATED)])
    store.decide(store.annotator("碇, G."), 0, Verdict.of("same"), key="key-00001")
    done = export(store, tmp_path / "out" / "judged.csv")
    pairs, manifest, judgements = done.files
    assert [file.name for file in done.files] == [
        "judged.csv", "judged.json", "judged.judgements.csv",
    ]  # fmt: skip
    assert {file.name for file in pairs.parent.iterdir()} == {file.name for file in done.files}
    assert PairSet.read(pairs) == done.judged.pairs == judged(store).pairs
    with judgements.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert tuple(header) == HEADER
    at = store.decisions()[0].at
    assert rows == [
        [*PATHS[0], "Asuka", "different", "0", "", "1.25", AT, "0"],
        [*PATHS[0], "Rei", "same", "1", "", "1.25", AT, "0"],
        [*PATHS[0], "碇, G.", "same", "1", "", "", at, "1"],
        [*PATHS[1], "Asuka", "different", "0", "", "1.25", AT, "0"],
        [*PATHS[1], "Rei", "different", "0", "", "1.25", AT, "0"],
        [*PATHS[2], "Rei", "same", "1", "", "", "", "0"],
        [*PATHS[3], "Asuka", "invalid", "-1", "", "1.25", AT, "0"],
        [*PATHS[3], "Rei", "invalid", "-1", "", "1.25", AT, "0"],
        [*PATHS[4], "Asuka", "different", "0", "", "1.25", AT, "0"],
        [*PATHS[4], "Rei", "different", "0", "", "1.25", AT, "0"],
    ]
    content = json.loads(manifest.read_text("utf-8"))
    assert (content["schema"], content["kind"], content["who"]) == (1, "judged", None)
    assert content["rows"] == {"decided": 1, "judged": 4, "waiting": 0, "own": 2, "open": 0}
    assert [(one["name"], one["judged"], one["words"]) for one in content["people"]] == [
        ("Asuka", 4, {"same": 0, "different": 3, "invalid": 1}),
        ("Rei", 5, {"same": 2, "different": 2, "invalid": 1}),
    ]
    assert content["people"][0]["fnr"]["errors"] == 2
    assert (content["human"]["fnr"]["errors"], content["human"]["fnr"]["count"]) == (1, 2)
    # Row 1 is right, 2 is wrong; what the file itself says of 5 is somebody else's error.
    assert (content["human"]["fpr"]["errors"], content["human"]["fpr"]["count"]) == (1, 2)
    (two,) = content["agreement"]["between"]
    assert (two["agreed"]["errors"], two["agreed"]["count"]) == (2, 3)
    assert "2026" not in manifest.read_text("utf-8")


def test_rates_and_agreement_are_those_of_the_package(store, tmp_path):
    take(store, Rei="sddsd..", Asuka="dsdsd..", 碇="ssidsd.")
    found = export(store, tmp_path / "judged.csv")
    content = json.loads(found.files[1].read_text("utf-8"))
    files = {}
    for name in ("Asuka", "Rei", "碇"):
        files[name] = export(store, tmp_path / f"{name}.csv", who=name).files[0]
    # Who marked a pair invalid takes it away from all.
    expected = agreement(read_annotators(pair_set(-1), files))
    assert found.agreement.fleiss == expected.fleiss
    assert found.agreement.between == expected.between
    assert content["agreement"]["fleiss"]["value"] == expected.fleiss.value
    assert content["agreement"]["invalid"] == 2
    rate = human_rates(found.judged.pairs).fpr_rate
    assert content["human"]["fpr"] == {
        name: getattr(rate, name) for name in ("value", "low", "high", "errors", "count")
    }


def test_a_pair_decided_to_be_invalid_is_left_out_of_agreement(store, tmp_path):
    take(store, Rei="sdss", Asuka="sddd")
    store.decide(store.annotator("Rei"), 0, Verdict.of("invalid"), key="key-00001")
    store.decide(store.annotator("Rei"), 3, Verdict.of("same"), key="key-00002")
    found = export(store, tmp_path / "judged.csv").agreement
    # Row 6 is invalid in the file itself.
    assert (found.pairs, found.invalid) == (5, 2)
    assert (found.between[0].agreed.errors, found.between[0].agreed.count) == (1, 3)


def test_verdicts_on_a_pair_stand_by_name(store, tmp_path):
    store.take_in(
        [
            VerdictRecord("Rei", 0, Verdict(1), None, UNDATED),
            VerdictRecord("Asuka", 0, Verdict(1), 1, AT),
        ]
    )
    lines = read_judgements(export(store, tmp_path / "judged.csv").files[2])
    assert [line.annotator for line in lines] == ["Asuka", "Rei"]


def test_one_persons_export_tells_nothing_of_others(store, tmp_path):
    take(store, Rei="sd.....", Asuka="d......")
    store.decide(store.annotator("Asuka"), 0, Verdict.of("different"), key="key-00001")
    store.decide(store.annotator("Rei"), 1, Verdict.of("same"), key="key-00002")
    done = export(store, tmp_path / "rei.csv", who="Rei")
    assert done.judged.pairs == judged(store, who="Rei").pairs
    lines = read_judgements(done.files[2])
    assert [(line.annotator, line.verdict.word, line.decided) for line in lines] == [
        ("Rei", "same", False),
        ("Rei", "different", False),
    ]
    content = json.loads(done.files[1].read_text("utf-8"))
    assert (content["who"], [one["name"] for one in content["people"]]) == ("Rei", ["Rei"])
    assert (content["agreement"], done.agreement) == (None, None)
    assert "Asuka" not in "".join(file.read_text("utf-8") for file in done.files)


def test_nothing_to_tell_is_no_error(fresh, tmp_path):
    done = export(fresh(pair_set(-1, 0)), tmp_path / "judged.csv")
    assert (done.human, done.agreement) == (None, None)
    assert done.judged.pairs == pair_set(-1, 0)
    content = json.loads(done.files[1].read_text("utf-8"))
    assert (content["human"], content["people"]) == (None, [])


def test_everything_invalid(fresh, tmp_path):
    store = fresh(pair_set(-1, 0))
    take(store, Rei="iiiiiii", Asuka="iiiiiii")
    done = export(store, tmp_path / "judged.csv")
    assert (done.human, done.agreement, done.judged.judged) == (None, None, 7)


def test_the_same_verdicts_give_the_same_bytes(store, fresh, tmp_path):
    """Whoever was written down first, and in whatever order verdicts came."""
    take(store, Rei="sds", Asuka="sdd")
    other = fresh()
    take(other, Asuka="sdd")
    take(other, Rei="sds")
    one = export(store, tmp_path / "one" / "judged.csv").files
    two = export(other, tmp_path / "two" / "judged.csv").files
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_files_that_may_not_be_written(store, tmp_path):
    take(store, Rei="s")
    with pytest.raises(OutputError, match=r"judged\.txt: expected a name that ends in \.csv"):
        export(store, tmp_path / "judged.txt")
    (tmp_path / "judged.json").write_text("mine")
    with pytest.raises(OutputError, match=r"judged\.json: exists; choose another --out, or"):
        export(store, tmp_path / "judged.csv")
    assert not (tmp_path / "judged.csv").exists()
    export(store, tmp_path / "judged.csv", overwrite=True)
    before = (tmp_path / "judged.csv").read_bytes()
    with pytest.raises(OutputError, match=r"judged\.csv: is read by this command"):
        export(
            store, tmp_path / "judged.csv", overwrite=True, inputs=[tmp_path / "." / "judged.csv"]
        )
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match=r"folder\.csv: a folder"):
        export(store, tmp_path / "folder.csv", overwrite=True)
    with pytest.raises(OutputError, match=r"judged\.csv is a file, not a folder"):
        export(store, tmp_path / "judged.csv" / "more.csv")
    assert (tmp_path / "judged.csv").read_bytes() == before


def test_all_files_or_none(store, tmp_path, monkeypatch):
    take(store, Rei="s")
    files = export(store, tmp_path / "judged.csv").files
    before = [file.read_bytes() for file in files]
    take(store, Rei=".d")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pairsets.review.exchange.export.write_judgements", full)
    with pytest.raises(OSError, match="No space left"):
        export(store, tmp_path / "judged.csv", overwrite=True)
    assert [file.read_bytes() for file in files] == before
    assert sorted(file.name for file in tmp_path.glob("*judged*")) == sorted(
        file.name for file in files
    )


# ---------------------------------------------------------------- import


def test_a_pair_file_that_somebody_judged(store, tmp_path):
    theirs = pair_set([1, 0, -1, 1, 0, -1, 0], [0, 0, 0, 1, 0, 1, 0]).take(
        np.array([6, 3, 2, 0, 5, 1, 4])
    )
    turned = PairSet.of(
        [*theirs.path_b, "x/1.jpg", "x/2.jpg"], [*theirs.path_a, "y/1.jpg", "y/2.jpg"],
        [*theirs.label, 0, 0], [*theirs.human_prediction, 1, -1], [*theirs.invalid, 0, 0],
    )  # fmt: skip
    turned.write(tmp_path / "綾波 レイ.csv")
    found = import_judged(store, tmp_path / "綾波 レイ.csv")
    assert (found.kind, found.people) == ("pairs", ("綾波 レイ",))
    assert (found.added, found.unjudged, found.unknown) == (6, 2, 1)
    assert {one.pair: one.verdict for one in store.said()} == {
        0: Verdict(1),
        1: Verdict(0),
        3: Verdict(1, invalid=True),
        4: Verdict(0),
        5: Verdict(-1, invalid=True),
        6: Verdict(0),
    }
    assert {(one.annotator, one.at, one.seconds) for one in store.said()} == {
        ("綾波 レイ", UNDATED, None)
    }
    before = everything(store)
    again = import_judged(store, tmp_path / "綾波 レイ.csv")
    assert (again.added, again.replaced, again.older, again.known) == (0, 0, 0, 6)
    assert everything(store) == before
    other = import_judged(store, tmp_path / "綾波 レイ.csv", who=" Asuka ")
    assert (other.people, other.added) == (("Asuka",), 6)


def test_what_was_said_in_the_review_stands(store, tmp_path):
    rei = store.annotator("Rei")
    store.judge(rei, 0, Verdict.of("different"), key="key-00001")
    store.judge(rei, 1, Verdict.of("different"), key="key-00002")
    pair_set([1, 0, 1, -1, -1, -1, -1], 0).write(tmp_path / "Rei.csv")
    found = import_judged(store, tmp_path / "Rei.csv")
    assert (found.added, found.replaced, found.older, found.known) == (1, 0, 1, 1)
    assert [one.verdict.word for one in store.said()] == ["different", "different", "same"]


def test_the_later_verdict_of_one_person_stands(store, fresh):
    other = fresh()
    early, late = AT, "2026-05-02T09:00:00.000+00:00"
    store.take_in(
        [
            VerdictRecord("Rei", row, Verdict(1), 1.0, at)
            for row, at in enumerate([early, late, early])
        ]
    )
    other.take_in(
        [
            VerdictRecord("Rei", row, Verdict(0), 2.0, at)
            for row, at in enumerate([late, early, early])
        ]
    )
    found = import_judged(store, other.path)
    assert (found.added, found.replaced, found.older, found.known) == (0, 2, 1, 0)
    assert [one.verdict.prediction for one in store.said()] == [0, 1, 0]


def test_a_pair_file_that_was_corrected_is_taken_in_again(store, tmp_path):
    for said in ([1, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0]):
        pair_set(said, 0).write(tmp_path / "Rei.csv")
        import_judged(store, tmp_path / "Rei.csv")
    assert [one.verdict.prediction for one in store.said()] == [1, 1, 1, 1, 1, 1, 0]
    assert import_judged(store, tmp_path / "Rei.csv").known == 7


def test_decisions_come_along(store, fresh):
    other = fresh()
    take(other, Rei="sd", Asuka="ds")
    other.decide(other.annotator("碇"), 1, Verdict.of("invalid", "other"), key="key-00001")
    found = import_judged(store, other.path)
    assert (found.kind, found.people, found.added) == ("database", ("Rei", "Asuka", "碇"), 5)
    assert store.decisions() == other.decisions()
    assert store.said() == other.said()


def test_another_review_of_other_rows(fresh, tmp_path):
    """Pairs in another order and turned round, some of them unknown here."""
    rows = np.array([4, 2, 0])
    some = pair_set(-1, 0).take(rows)
    other = fresh(
        PairSet.of(
            [*some.path_b, "x/1.jpg"], [*some.path_a, "y/1.jpg"], [*some.label, 0], -1, 0
        )
    )  # fmt: skip
    take(other, Rei="sdis")
    store = fresh()
    found = import_judged(store, other.path, who="Asuka")
    assert (found.people, found.added, found.unknown) == (("Asuka",), 3, 1)
    assert {one.pair: one.verdict.word for one in store.said()} == {
        0: "invalid", 2: "different", 4: "same",
    }  # fmt: skip


def test_a_name_is_for_one_person(store, fresh):
    other = fresh()
    take(other, Rei="s", Asuka="d")
    before = everything(store)
    for source in (other.path, export(other, other.path.with_name("judged.csv")).files[2]):
        with pytest.raises(ReviewError, match=r"verdicts of 2 people \(.*\); one name, Gendo,"):
            import_judged(store, source, who="Gendo")
    assert everything(store) == before


def test_a_review_in_use(store, fresh):
    """What the other process has said, but not yet brought into its main file, is there."""
    other = fresh()
    other.judge(other.annotator("Rei"), 0, Verdict.of("same"), key="key-00001")
    assert other.path.with_name("review.sqlite-wal").stat().st_size
    assert import_judged(store, other.path).added == 1


def test_the_source_is_only_read(store, fresh):
    other = fresh()
    take(other, Rei="sd")
    other.close()
    before = other.path.read_bytes()
    assert import_judged(store, other.path).added == 2
    assert other.path.read_bytes() == before
    assert [file.name for file in other.path.parent.iterdir()] == ["review.sqlite"]


# ---------------------------------------------------------------- round trips

VERDICTS = st.one_of(
    st.builds(Verdict, st.sampled_from([0, 1])),
    st.builds(Verdict, st.sampled_from([-1, 0, 1]), st.just(True), st.sampled_from(["", *REASONS])),
)
TIMES = st.datetimes().map(lambda time: moment(f"{time.isoformat(timespec='milliseconds')}+00:00"))
SAID = st.builds(
    VerdictRecord,
    st.sampled_from(["Rei", "綾波, 'レイ'", '"A"', "=1+1", "z"]),
    st.integers(0, 6),
    VERDICTS,
    st.none() | st.floats(0, 1e6),
    st.just(UNDATED) | TIMES,
)


@given(
    said=st.lists(SAID, unique_by=lambda one: (one.annotator, one.pair), min_size=1),
    decided=st.lists(SAID, unique_by=lambda one: one.pair, max_size=3),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_out_and_in_again(tmp_path, said, decided):
    folder = tmp_path / "hypothesis"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with Store.begin(folder / "first.sqlite", pair_set()) as store:
        store.take_in(said, decided)
        files = export(store, folder / "judged.csv").files
        for source in (files[2], store.path):
            path = folder / source.stem / "again.sqlite"
            path.parent.mkdir()
            with Store.begin(path, pair_set()) as other:
                assert import_judged(other, source).added == len(said) + len(decided)
                before = everything(other)
                assert import_judged(other, source).known == len(said) + len(decided)
                assert everything(other) == before
                again = export(other, path.parent / "judged.csv").files
            assert [file.read_bytes() for file in again] == [file.read_bytes() for file in files]


def test_the_pair_file_alone_out_and_in_again(fresh, tmp_path):
    """Where a file says nothing itself: what nobody judged, or is disagreed on, stays so."""
    store, other = fresh(pair_set(-1)), fresh(pair_set(-1))
    take(store, Rei="sdi.sdi", Asuka="sds.s..")
    first = export(store, tmp_path / "one.csv").files[0]
    found = import_judged(other, first, who="both")
    assert (found.added, found.unjudged) == (5, 2)
    assert export(other, tmp_path / "two.csv").files[0].read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("name", "fpr", "fnr"),
    [
        ("zaci20_test_pairs_adversarial.csv", (0.1361, 0.0990, 0.1841), (0.1690, 0.1453, 0.1957)),
        ("zaci20_test_pairs.csv", (0.0159, 0.0097, 0.0261), (0.1392, 0.1176, 0.1640)),
    ],
)
@pytest.mark.parametrize("kept", ["nothing", "marks", "all"])
def test_the_published_files(real_data, tmp_path, name, fpr, fnr, kept):
    """Whatever of the verdicts the pair file under review still holds itself."""
    source = real_data / "zaci20" / name
    pairs = PairSet.read(source)
    bare = PairSet.of(
        pairs.path_a,
        pairs.path_b,
        pairs.label,
        pairs.human_prediction if kept == "all" else -1,
        0 if kept == "nothing" else pairs.invalid,
    )
    with Store.begin(tmp_path / "review.sqlite", bare) as store:
        found = import_judged(store, source, who="Kai")
        assert (found.added, found.unjudged, found.unknown) == (len(pairs), 0, 0)
        done = export(store, tmp_path / "judged.csv")
    assert done.files[0].read_bytes() == source.read_bytes()
    assert done.judged.pairs == pairs
    for rate, expected in ((done.human.fpr_rate, fpr), (done.human.fnr_rate, fnr)):
        assert (rate.value, rate.low, rate.high) == pytest.approx(expected, abs=5e-5)
    content = json.loads(done.files[1].read_text("utf-8"))
    assert content["people"][0]["words"]["invalid"] == int(pairs.invalid.sum())


def test_the_published_files_untouched(real_data, tmp_path):
    source = real_data / "zaci20" / "zaci20_test_pairs_adversarial.csv"
    with Store.begin(tmp_path / "review.sqlite", PairSet.read(source)) as store:
        done = export(store, tmp_path / "judged.csv")
    assert done.files[0].read_bytes() == source.read_bytes()
    assert (done.judged.own, done.judged.judged) == (3855, 0)


# ---------------------------------------------------------------- sources that cannot be used


def refused(store, source, error, match, **options):
    before = everything(store)
    with pytest.raises(error, match=match):
        import_judged(store, source, **options)
    assert everything(store) == before


def test_nothing_of_the_kind(store, tmp_path):
    for gone in (tmp_path / "gone.csv", store.path / "gone.csv"):
        refused(store, gone, ReviewError, r"gone\.csv: no such file of verdicts")
    refused(store, tmp_path, ReviewError, "a folder; expected a judged pair file")
    for name, content, what in (
        ("empty.csv", b"", "empty"),
        ("empty.sqlite", b"", "empty"),
        ("notes.txt", b"Rei was here\n", "no verdicts"),
        ("scores.csv", b"path,score\na,1\n", "no verdicts"),
        ("face.png", b"\x89PNG\r\n\x1a\n\0\0" * 900, "no verdicts"),
        ("torn.csv", b'"pathA,pathB', "no verdicts"),
    ):
        (tmp_path / name).write_bytes(content)
        refused(
            store, tmp_path / name, ReviewError,
            rf"{name}, line 1: {what}; expected a judged pair file \(pathA,.*verdicts .*database",
        )  # fmt: skip


def test_pair_files_that_do_not_fit(store, tmp_path):
    path = tmp_path / "Rei.csv"
    text = pair_set().write(path).read_bytes()
    path.write_bytes(re.sub(rb",(human_prediction|-?[01]),(invalid|[01])\n", b"\n", text))
    refused(store, path, ReviewError, r"Rei\.csv: no verdict in it on any .* is it judged\?")
    pair_set().write(path)
    path.write_text(path.read_text("utf-8") + "q/1,r/1,0,5,0\n", "utf-8")
    refused(store, path, PairSetError, r"Rei\.csv, line 10: human_prediction is '5'")
    PairSet.of(["x/1"], ["y/1"], [0], [1]).write(path)
    refused(
        store, path, PairSetError, r"Rei\.csv: none of its 1 pairs is among the 7 .* another pair"
    )
    pair_set(1, label=[1, 0, 1, 0, 1, 1, 0]).write(path)
    refused(
        store, path, PairSetError,
        r"pair 3 \(b/1\.jpg, a/1\.jpg\) has label 1, in this review it has 0 \(2 such pairs\)",
    )  # fmt: skip
    pair_set(-1, 0).write(path)
    refused(store, path, ReviewError, "no verdict in it on any of the 7 pairs of this review")
    pair_set(1).write(path)
    refused(store, path, ReviewError, "no name", who="  ")
    refused(store, path, ReviewError, "a name of 65 characters", who="x" * 65)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b/1.jpg,a/1.jpg,Rei,same,1,,,", "8 values, expected 9$"),
        ("b/1.jpg,a/1.jpg,Rei, A.,same,1,,,,0", "10 values, expected 9; is a comma"),
        ("b/1.jpg,a/1.jpg,Rei,alike,1,,,,0", "verdict is 'alike', expected same, different, inv"),
        ("b/1.jpg,a/1.jpg,Rei,same,2,,,,0", "human_prediction is '2', expected 1 or 0 or -1"),
        ("b/1.jpg,a/1.jpg,Rei,same,0,,,,0", "verdict is same where human_prediction is 0"),
        ("b/1.jpg,a/1.jpg,Rei,same,-1,,,,0", "a verdict that says nothing"),
        ("b/1.jpg,a/1.jpg,Rei,invalid,1,ugly,,,0", "the reason 'ugly'; expected one of"),
        ("b/1.jpg,a/1.jpg,Rei,same,1,other,,,0", r"a reason \(other\) for a pair that counts"),
        ("b/1.jpg,a/1.jpg,Rei,same,1,,-1,,0", "seconds is '-1', expected a number"),
        ("b/1.jpg,a/1.jpg,Rei,same,1,,1e999,,0", "seconds is '1e999'"),
        ("b/1.jpg,a/1.jpg,Rei,same,1,,,yesterday,0", "at is 'yesterday', expected a time such as"),
        ("b/1.jpg,a/1.jpg,Rei,same,1,,,2026-05-01T09:00:00,0", "at is '2026-05-01T09:00:00'"),
        ("b/1.jpg,a/1.jpg,Rei,same,1,,,,yes", "decided is 'yes', expected 0 or 1"),
        ("b/1.jpg,a/1.jpg, ,same,1,,,,0", "no name"),
        (
            "雪 & co/2.jpg,雪 & co/1.jpg, Asuka,same,1,,,,0",
            "a second verdict of Asuka on .* line 2",
        ),
        ('b/1.jpg,a/1.jpg,Rei,same,1,,,,"0', r"not CSV"),
    ],
)
def test_lines_that_cannot_be_read(store, fresh, tmp_path, line, message):
    """The good lines before are not taken in either."""
    other = fresh()
    take(other, Asuka="sds")
    path = export(other, tmp_path / "judged.csv").files[2]
    text = path.read_text("utf-8")
    path.write_text(text + line + "\n", "utf-8")
    # The path of row 1 holds a line end.
    refused(store, path, ReviewError, rf"judged\.judgements\.csv, line 6: {message}")
    path.write_text(text, "utf-8")
    assert import_judged(store, path).added == 3


def test_judgements_of_other_pairs(store, tmp_path):
    path = tmp_path / "judged.judgements.csv"
    path.write_text(",".join(HEADER[:-1]) + "\n")
    refused(
        store, path, ReviewError, r"judgements\.csv, line 1: expected exactly pathA.*,decided, g"
    )
    path.write_text(",".join(HEADER) + "\n")
    refused(store, path, ReviewError, "no verdict in it on any of the 7 pairs")
    with path.open("a") as stream:
        stream.write("x/1,y/1,Rei,same,1,,,,0\nx/1,y/2,Rei,same,1,,,,0\n")
    refused(store, path, PairSetError, "none of its 2 pairs is among the 7 of this review")
    with path.open("a") as stream:
        stream.write("a/1.jpg,b/1.jpg,Asuka,same,1,,,,0\n")
    found = import_judged(store, path)
    # Rei said nothing of these pairs, and is nobody here.
    assert (found.people, found.added, found.unknown) == (("Asuka",), 1, 2)
    assert list(store.annotators.values()) == ["Asuka"]


def test_databases_that_do_not_fit(store, fresh, tmp_path):
    refused(store, store.path, ReviewError, "this review's own database")
    stranger = tmp_path / "stranger.sqlite"
    with sqlite3.connect(stranger) as connection:
        connection.execute("CREATE TABLE verdicts (a)")
    connection.close()
    before = stranger.read_bytes()
    refused(store, stranger, ReviewError, r"stranger\.sqlite: a database, but not of a review")
    assert stranger.read_bytes() == before
    other = fresh(PairSet.of(["x/1"], ["y/1"], [0]))
    take(other, Rei="s")
    refused(store, other.path, PairSetError, "none of its 1 pairs is among the 7")
    relabelled = fresh(pair_set(label=[1, 0, 0, 1, 1, 0, 0]))
    take(relabelled, Rei="s")
    refused(store, relabelled.path, PairSetError, r"pair 4 \(a/2.* label 1, in this .* 0 \(1 such")
    refused(store, fresh().path, ReviewError, "no verdict in it on any of the 7 pairs")


@pytest.fixture
def closed(fresh):
    """Another review with verdicts, which nobody has open."""
    other = fresh()
    take(other, Rei="sdsdsds", Asuka="sssssss")
    other.close()
    return other.path


def test_a_newer_database(store, closed):
    with sqlite3.connect(closed) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    refused(store, closed, ReviewError, "version 7 of the review's database, this version of .* 1")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE verdicts SET prediction = 5 WHERE pair = 2",
        "UPDATE verdicts SET reason = 'ugly' WHERE pair = 2",
        "UPDATE verdicts SET at = 'now' WHERE pair = 2",
        "UPDATE pairs SET label = 3 WHERE id = 2",
        "UPDATE pairs SET path_a = '../../etc/passwd' WHERE id = 2",
        "UPDATE verdicts SET pair = 700 WHERE pair = 2",
        "UPDATE verdicts SET pair = -1 WHERE pair = 2",
        "UPDATE verdicts SET seconds = 9e999 WHERE pair = 2",
        "UPDATE annotators SET name = ' '",
        "DELETE FROM about",
        "DROP TABLE decisions",
    ],
)
def test_a_database_somebody_meddled_with(store, closed, statement):
    with sqlite3.connect(closed) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(
            statement if "annotators" not in statement else f"{statement} WHERE name = 'Rei'"
        )
    connection.close()
    refused(store, closed, ReviewError, r"review\.sqlite: a damaged database of a review \(")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_database_cut_short(store, closed, kept):
    content = closed.read_bytes()
    closed.write_bytes(content[: int(len(content) * kept)])
    refused(store, closed, ReviewError, r"review\.sqlite: a damaged database of a review")


def test_a_database_with_pages_overwritten(store, closed):
    content = bytearray(closed.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    closed.write_bytes(content)
    refused(store, closed, ReviewError, r"review\.sqlite: a damaged database of a review")


def test_a_database_with_a_broken_index(store, closed):
    """Damage that reading the tables does not meet: what else is wrong nobody knows."""
    connection = sqlite3.connect(closed)
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'verdicts_in_order'"
    ).fetchone()
    connection.close()
    content = bytearray(closed.read_bytes())
    content[(page - 1) * size + 8 : page * size] = b"\xa5" * (size - 8)
    closed.write_bytes(content)
    refused(store, closed, ReviewError, r"review\.sqlite: a damaged database of a review")


def test_moments():
    assert moment("") == UNDATED
    assert moment("2026-05-01T09:00:00Z") == AT
    assert moment("2026-05-01 11:00:00.0004+02:00") == AT
    assert moment(AT) == AT
