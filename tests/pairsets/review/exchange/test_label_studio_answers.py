"""What Label Studio exports, as verdicts: both forms, whatever an address looks like."""

from __future__ import annotations

import json

import pytest

from pairsets import PairSet
from pairsets.errors import PairSetError
from pairsets.review.exchange.imports import import_judged
from pairsets.review.exchange.label_studio import write_tasks
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError, Verdict, VerdictRecord

EARLY, LATE = "2026-05-01T09:00:00.000000Z", "2026-05-01T10:00:00.000000Z"


@pytest.fixture
def store(tmp_path):
    pairs = PairSet.of(
        ["a/1.jpg", "a/1.jpg", "b & c/100%25.jpg", "d/1.jpg"],
        ["a/2.jpg", "b & c/2 #.jpg", "a/2.jpg", "a/1.jpg"],
        [1, 0, 0, 0],
    )
    with Store.begin(tmp_path / "review.sqlite", pairs) as found:
        yield found


def record(store, row, **values):
    pairs = store.pairs
    return {"id": row + 1, "left": pairs.path_a[row], "right": pairs.path_b[row], **values}


def taken(store, tmp_path, content, name="export.json", **options):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return import_judged(store, path, **options)


def said(store):
    """Who says what of which pair."""
    return {(one.annotator, one.pair): one.verdict.word for one in store.said()}


def test_json_min_leaves_out_what_nobody_answered(store, tmp_path):
    """Where nothing was chosen there is no such value; it is counted, and no verdict."""
    content = [
        record(store, 0, choice="same", annotator=4, lead_time=3.4),
        record(store, 1, annotator=4, lead_time=1.2),
        record(store, 2, choice="different", annotator="rei@example.org"),
        record(store, 3, choice={"choices": ["Invalid"]}, annotator=4),
    ]
    found = taken(store, tmp_path, content)
    assert said(store) == {
        ("annotator 4", 0): "same",
        ("rei@example.org", 2): "different",
        ("annotator 4", 3): "invalid",
    }
    assert (found.kind, found.added, found.unjudged, found.unknown) == ("answers", 3, 1, 0)
    assert {one.pair: one.seconds for one in store.said()} == {0: 3.4, 2: None, 3: None}
    # Twice is as good as once.
    assert taken(store, tmp_path, content).known == 3


def annotation(store, row, word, **values):
    result = [] if word is None else [{"from_name": "verdict", "value": {"choices": [word]}}]
    return {"result": result, "completed_by": 7, **values}


@pytest.mark.parametrize("reason", ["several identities", "several characters"])
def test_a_reason_by_its_former_name(reason, store, tmp_path):
    """The tasks that an earlier version exported offer the former one."""
    taken(store, tmp_path, [record(store, 0, choice="invalid", reason=reason, annotator=4)])
    assert [one.verdict.reason for one in store.said()] == ["several identities"]


def test_json_has_a_list_of_annotations(store, tmp_path):
    pairs = store.pairs

    def task(row, *annotations):
        data = {"pair": row, "left": pairs.path_a[row], "right": pairs.path_b[row]}
        return {"id": row, "data": data, "annotations": list(annotations)}

    bad = annotation(store, 2, "invalid", completed_by={"id": 3, "email": "asuka@example.org"})
    bad["result"].append({"from_name": "reason", "value": {"choices": ["bad crop"]}})
    content = [
        task(
            0,
            annotation(store, 0, "same", created_at=EARLY, updated_at=LATE),
            annotation(store, 0, "different", created_at=EARLY),
        ),
        task(1, annotation(store, 1, "same", was_cancelled=True)),
        task(2, bad),
        task(3),
    ]
    found = taken(store, tmp_path, content)
    assert said(store) == {("annotator 7", 0): "same", ("asuka@example.org", 2): "invalid"}
    assert found.unjudged == 2
    assert {one.verdict.reason for one in store.said()} == {"", "bad crop"}
    assert [one.at for one in store.said() if one.pair == 0] == ["2026-05-01T10:00:00.000+00:00"]


@pytest.mark.parametrize(
    "prefix", ["/data/local-files/?d=", "/data/local-files/?d=my/faces/", "https://example.org/f/"]
)
def test_tasks_of_ours_come_back(prefix, store, tmp_path):
    """What we wrote as annotated tasks is an export of the form JSON."""
    words = {0: "same", 1: "different", 2: "invalid", 3: "same"}
    told = [VerdictRecord("Rei", row, Verdict.of(w), None, "2026-05-01T09:00:00.000+00:00")
            for row, w in words.items()]  # fmt: skip
    store.take_in(told)
    file = write_tasks(store, tmp_path / "tasks.json", prefix=prefix).files[0]
    with Store.begin(tmp_path / "other.sqlite", store.pairs) as other:
        found = import_judged(other, file, who="Rei")
        assert said(other) == {("Rei", row): word for row, word in words.items()}
        assert found.unknown == 0


def test_pictures_may_be_called_otherwise_and_pairs_be_unknown(store, tmp_path):
    one = {"image1": "/data/local-files/?d=x/a/1.jpg", "image2": "a/2.jpg", "is_same": "same"}
    other = {"image1": "/data/upload/3/1f-zz.jpg", "image2": "a/2.jpg", "is_same": "same"}
    found = taken(store, tmp_path, [one, other], name="Rei.json")
    assert said(store) == {("Rei", 0): "same"}
    assert (found.added, found.unknown) == (1, 1)
    assert found.stranger.startswith(
        "task 2: '/data/upload/3/1f-zz.jpg' is none of its faces; pict"
    )


def test_two_faces_that_are_no_pair_are_told(store, tmp_path):
    content = [
        record(store, 0, choice="same", annotator=1),
        {"left": "d/1.jpg", "right": "b & c/2 #.jpg", "choice": "same", "annotator": 1},
    ]
    found = taken(store, tmp_path, content)
    assert (found.added, found.unknown) == (1, 1)
    assert found.stranger == "task 2: 'd/1.jpg' and 'b & c/2 #.jpg' are no pair of it"


def test_several_choices_at_once_are_refused(store, tmp_path):
    for choice in (["same", "different"], {"choices": ["same", "invalid"]}):
        with pytest.raises(ReviewError, match=r"export\.json, task 1: 2 choices at once, 'same, "):
            taken(store, tmp_path, [record(store, 0, choice=choice, annotator=4)])
    two = annotation(store, 0, "same")
    two["result"][0]["value"]["choices"].append("different")
    task = {"data": record(store, 0), "annotations": [two]}
    with pytest.raises(ReviewError, match="task 1: 2 choices at once"):
        taken(store, tmp_path, [task])
    # Of what is no verdict there may be several.
    tags = record(store, 0, choice="same", tags={"choices": ["dark", "blurred"]}, annotator=4)
    assert taken(store, tmp_path, [tags]).added == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"left": "a/1.jpg"}', "no verdicts; expected .* Label Studio as JSON or JSON-MIN"),
        ("[1, 2]", "no list of tasks; expected an export of Label Studio"),
        ('[{"left": "a/1.jpg"', "not JSON .*; expected an export"),
        ([{"left": "a/1.jpg", "choice": "same"}], "task 1: 1 pictures among left, choice"),
        ([{"left": "a/1.jpg", "right": "a/2.jpg"}], "no verdict in any of its 1 answers; expected"),
        ([{"left": "a/1.jpg", "right": "a/2.jpg", "which": "left"}],
         r"no verdict .* A <Pairwise> control says which .*use <Choices>"),
        ([{"left": "a/1.jpg", "right": "a/2.jpg", "choice": "same"},
          {"left": "a/1.jpg", "right": "a/2.jpg", "choice": "maybe"}],
         "task 2: 'maybe'; expected one of same, different, invalid"),
        ([{"left": "a/1.jpg", "right": "a/2.jpg", "choice": x} for x in ("same", "different")],
         "task 2: export says different and same of one pair, and no time tells"),
        ([{"left": "a/1.jpg", "right": "a/2.jpg", "x": "same", "y": "different"}],
         r"several controls have verdicts \(x, y\)"),
        ([{"left": "a/1.jpg", "right": "a/2.jpg", "x": "same", "updated_at": "yesterday"}],
         "task 1: at is 'yesterday'"),
    ],
    ids=["object", "numbers", "cut", "one-picture", "nothing-chosen", "pairwise", "another-word",
         "twice", "two-controls", "time"],
)  # fmt: skip
def test_what_is_no_such_export(content, told, store, tmp_path):
    with pytest.raises(ReviewError, match=rf"(?s)export\.json.*{told}"):
        taken(store, tmp_path, content)
    assert not said(store)


def test_tasks_of_other_pairs(store, tmp_path):
    content = [{"left": "x/1.jpg", "right": "y/2.jpg", "choice": "same", "annotator": 1}]
    told = "none of its 1 pairs is among the 4 of this review.* task 1: 'x/1.jpg' is none of its"
    with pytest.raises(PairSetError, match=told):
        taken(store, tmp_path, content)


@pytest.mark.parametrize("seconds", [pytest.param(10**400, id="vast"), True, "5", -1, [], None])
def test_a_time_that_is_none_is_not_known(store, tmp_path, seconds):
    taken(store, tmp_path, [record(store, 0, choice="same", annotator=4, lead_time=seconds)])
    assert [one.seconds for one in store.said()] == [None]


def test_a_name_that_cannot_be_shown_is_told_with_its_file(store, tmp_path):
    with pytest.raises(ReviewError, match=r"export\.json: 'a\\nb': a name with characters"):
        taken(store, tmp_path, [record(store, 0, choice="same", annotator="a\nb")])
