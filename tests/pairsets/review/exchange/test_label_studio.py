"""Tasks for Label Studio: what its own import asks for, blind, and no address that breaks."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest

from pairsets import PairSet
from pairsets.errors import OutputError
from pairsets.review.exchange.label_studio import interface, write_tasks
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import REASONS, WORDS, ReviewError, Verdict, VerdictRecord

AT = "2026-05-01T09:00:00.000+00:00"
# What the import of a project asks of a task: the names of its pictures, and choices it knows.
PICTURES = ("left", "right")


@pytest.fixture
def pairs():
    return PairSet.of(
        ["雪 & co/1 #2.jpg", "a/100%25.jpg", "b+c/1?.jpg", "quote\"'/é=1&d=2.jpg", "z/1.jpg"],
        ["雪 & co/2.jpg", "b+c/1?.jpg", "雪 & co/2.jpg", "a/100%25.jpg", "雪 & co/2.jpg"],
        [1, 0, 0, 0, 0],
        [-1, -1, 1, -1, -1],
        [0, 0, 0, 0, 1],
    )


@pytest.fixture
def store(tmp_path, pairs):
    with Store.begin(tmp_path / "review.sqlite", pairs) as found:
        yield found


def tasks_of(found):
    return json.loads(found.files[0].read_text("utf-8"))


def choices(task):
    """By control, what the annotation of a task chose."""
    (annotation,) = task["annotations"]
    return {one["from_name"]: one["value"]["choices"] for one in annotation["result"]}


def test_addresses_find_their_pictures(store, pairs, tmp_path):
    found = write_tasks(store, tmp_path / "tasks.json", prefix="/data/local-files/?d=my/faces/")
    assert [file.name for file in found.files] == ["tasks.json", "tasks.xml"]
    assert (found.tasks, found.left_out) == (4, 1)
    tasks = tasks_of(found)
    assert [task["data"]["pair"] for task in tasks] == [0, 1, 2, 3]
    for task in tasks:
        assert set(task["data"]) == {"pair", *PICTURES}
        for side, paths in zip(PICTURES, (pairs.path_a, pairs.path_b), strict=True):
            address = urlsplit(task["data"][side])
            assert (address.path, address.fragment) == ("/data/local-files/", "")
            expected = {"d": [f"my/faces/{paths[task['data']['pair']]}"]}
            assert parse_qs(address.query, strict_parsing=True) == expected


def test_plain_addresses(store, tmp_path):
    found = write_tasks(store, tmp_path / "tasks.json", prefix="https://example.org/faces/")
    data = tasks_of(found)[0]["data"]
    assert data["left"] == "https://example.org/faces/%E9%9B%AA%20%26%20co/1%20%232.jpg"


def test_verdicts_come_as_annotations(store, tmp_path):
    store.take_in(
        [
            VerdictRecord("Rei", 0, Verdict.of("same"), 1.0, AT),
            VerdictRecord("Rei", 1, Verdict(1, True, "bad crop"), 1.0, AT),
            VerdictRecord("Asuka", 1, Verdict.of("invalid"), 1.0, AT),
            VerdictRecord("Rei", 3, Verdict.of("same"), 1.0, AT),
            VerdictRecord("Asuka", 3, Verdict.of("different"), 1.0, AT),
        ]
    )
    found = write_tasks(store, tmp_path / "tasks.json")
    tasks = tasks_of(found)
    assert found.judged == 3
    assert choices(tasks[0]) == {"verdict": ["same"]}
    # Asuka's name comes first, and both said it at one time.
    assert choices(tasks[1]) == {"verdict": ["invalid"]}
    assert choices(tasks[2]) == {"verdict": ["same"]}
    # They disagree: nobody's answer is shown to who shall judge there.
    assert "annotations" not in tasks[3]
    assert [task["annotations"][0]["ground_truth"] for task in tasks[:3]] == [False] * 3
    mine = tasks_of(write_tasks(store, tmp_path / "rei.json", who="Rei"))
    assert choices(mine[1]) == {"verdict": ["invalid"], "reason": ["bad crop"]}
    assert choices(mine[3]) == {"verdict": ["same"]}
    assert "annotations" not in mine[2]
    bare = write_tasks(store, tmp_path / "bare.json", annotations=False)
    assert bare.judged == 0
    assert [set(task) for task in tasks_of(bare)] == [{"data"}] * 4


def test_blind(tmp_path, pairs):
    """Labels change nothing of what is written."""
    files = []
    for name, label in (("one", pairs.label), ("two", 1 - pairs.label)):
        turned = PairSet.of(
            pairs.path_a, pairs.path_b, label, pairs.human_prediction, pairs.invalid
        )
        (tmp_path / name).mkdir()
        with Store.begin(tmp_path / name / "review.sqlite", turned) as store:
            store.take_in([VerdictRecord("Rei", 0, Verdict.of("same"), 1.0, AT)])
            files.append(write_tasks(store, tmp_path / name / "tasks.json").files)
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]


def test_the_interface_knows_what_tasks_say(store, tmp_path):
    store.take_in(
        [
            VerdictRecord("Rei", row, Verdict.of("invalid", reason), 1.0, AT)
            for row, reason in enumerate(REASONS)
        ]
    )
    found = write_tasks(store, tmp_path / "tasks.json")
    text = found.files[1].read_text("utf-8")
    assert text == interface()
    root = ElementTree.fromstring(text)
    pictures = {one.get("name"): one.get("value") for one in root.iter("Image")}
    assert pictures == {side: f"${side}" for side in PICTURES}
    controls = {one.get("name"): one for one in root.iter("Choices")}
    offered = {
        name: [choice.get("value") for choice in control] for name, control in controls.items()
    }
    assert offered == {"verdict": list(WORDS), "reason": list(REASONS)}
    assert [controls[name].get("required") for name in offered] == ["true", None]
    keys = [one.get("hotkey") for one in root.iter("Choice")]
    assert len(set(keys)) == len(keys) == 7
    (hidden,) = (view for view in root.iter("View") if view.get("visibleWhen"))
    assert (hidden.get("whenTagName"), hidden.get("whenChoiceValue")) == ("verdict", "invalid")
    assert controls["reason"] in list(hidden)
    assert controls["verdict"] not in list(hidden)
    for task, reason in zip(tasks_of(found), REASONS, strict=True):
        assert choices(task) == {"verdict": ["invalid"], "reason": [reason]}
        results = task["annotations"][0]["result"]
        assert {(one["type"], one["to_name"]) for one in results} == {("choices", "left")}
        assert len({one["id"] for one in results}) == 2


def test_files_that_may_not_be_written(store, tmp_path):
    with pytest.raises(OutputError, match=r"tasks\.csv: expected a name that ends in \.json"):
        write_tasks(store, tmp_path / "tasks.csv")
    with pytest.raises(ReviewError, match=r"'/faces': expected a prefix that ends in / or ="):
        write_tasks(store, tmp_path / "tasks.json", prefix="/faces")
    with pytest.raises(ReviewError, match="Gendo: judged nothing in"):
        write_tasks(store, tmp_path / "tasks.json", who="Gendo")
    assert not list(tmp_path.glob("tasks*"))
    (tmp_path / "tasks.xml").write_text("mine")
    with pytest.raises(OutputError, match=r"tasks\.xml: exists"):
        write_tasks(store, tmp_path / "tasks.json")
    write_tasks(store, tmp_path / "tasks.json", overwrite=True)
    with pytest.raises(OutputError, match=r"tasks\.json: is read by this command"):
        write_tasks(
            store, tmp_path / "tasks.json", overwrite=True, inputs=[tmp_path / "tasks.json"]
        )


def test_nothing_to_judge(tmp_path, pairs):
    gone = PairSet.of(pairs.path_a, pairs.path_b, pairs.label, -1, 1)
    with (
        Store.begin(tmp_path / "review.sqlite", gone) as store,
        pytest.raises(ReviewError, match="none of the 5 pairs is to be judged"),
    ):
        write_tasks(store, tmp_path / "tasks.json")


def test_many_pairs_one_task_a_line(tmp_path):
    count = 20_000
    numbers = np.arange(count)
    pairs = PairSet.of(
        [f"c{n % 50}/{n}a.jpg" for n in numbers], [f"d{n % 50}/{n}b.jpg" for n in numbers],
        np.zeros(count), numbers % 3 - 1, 0,
    )  # fmt: skip
    with Store.begin(tmp_path / "review.sqlite", pairs) as store:
        found = write_tasks(store, tmp_path / "tasks.json")
    lines = found.files[0].read_text("utf-8").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", count + 2)
    assert (found.tasks, found.judged) == (count, int((numbers % 3 > 0).sum()))
    tasks = tasks_of(found)
    assert [task["data"]["pair"] for task in tasks] == numbers.tolist()
    assert [choices(task)["verdict"][0] for task in tasks[1:3]] == ["different", "same"]
