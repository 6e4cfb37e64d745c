from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from support.reviews import IDENTITIES, Planted, all_pairs, planted, problem, together

from pairsets.review.store.connection import failure
from pairsets.review.store.verdicts import Verdict, VerdictRecord

KEY = "0123456789abcdef"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Planted]:
    with planted(tmp_path, pairs=all_pairs(count=30, invalid=3)) as found:
        yield found


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """For requests that change nothing."""
    with planted(tmp_path_factory.mktemp("quiet"), pairs=all_pairs(count=30)) as found:
        found.person("Rei")
        yield found


def on_disk(world: Planted) -> list[tuple[Any, ...]]:
    """What another process finds in the database."""
    other = sqlite3.connect(world.store.path)
    try:
        return other.execute(
            "SELECT a.name, v.pair, v.prediction, v.invalid, v.reason, v.seconds FROM verdicts v"
            " JOIN annotators a ON a.id = v.annotator ORDER BY v.event"
        ).fetchall()
    finally:
        other.close()


def test_says_what_is_judged(world: Planted) -> None:
    world.person("Rei")
    found = world.client.get("/api/set").json()
    assert found.pop("version")
    assert len(found.pop("digest")) == 16
    assert found == {
        "name": "set.csv",
        "pairs": 30,
        "to_judge": 27,
        "suspects": 2,
        "suspects_first": False,
        "overlap": 1.0,
        "annotators": ["Rei"],
        "as": None,
        "reasons": ["duplicate", "bad crop", "several identities", "other"],
    }


def test_other_pairs_are_told_from_these(tmp_path: Path) -> None:
    digests = []
    for number, pairs in enumerate((all_pairs(count=30), all_pairs(count=30), all_pairs(3, 30))):
        with planted(tmp_path / str(number), pairs=pairs) as world:
            digests.append(world.client.get("/api/set").json()["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_the_person_of_the_command_line_needs_no_header(tmp_path: Path) -> None:
    with planted(tmp_path, annotator="  Élise ", suspects_first=True) as world:
        found = world.client.get("/api/set").json()
        assert (found["as"], found["suspects_first"]) == ("Élise", True)
        work = world.client.get("/api/next").json()
        assert len(work["pairs"]) == 6
        body = {"key": KEY, "pair": work["pairs"][0]["pair"], "verdict": "same"}
        assert world.client.post("/api/judgements", json=body).status_code == 200
        assert on_disk(world)[0][0] == "Élise"


def test_every_verdict_is_on_the_disk_when_it_is_acknowledged(world: Planted) -> None:
    rei = world.person("Rei")
    words = {"same": (1, 0), "different": (0, 0), "invalid": (-1, 1)}
    expected = []
    for number in range(27):
        pair = rei.next()
        word = list(words)[number % 3]
        reason = "bad crop" if word == "invalid" else ""
        work = rei.judge(pair, word, reason, seconds=0.5 + number)
        expected.append(("Rei", pair, *words[word], reason, 0.5 + number))
        assert on_disk(world) == expected
        done = work["progress"]
        assert (done["done"], done["left"], done["total"]) == (number + 1, 26 - number, 27)
        assert done["time_left"] == pytest.approx(done["seconds"] * done["left"])
        assert done["seconds"] == pytest.approx(0.5 + number / 2)
    assert sorted(rei.said) == list(range(27))
    assert rei.next() is None


def test_the_same_key_is_the_same_verdict(world: Planted) -> None:
    rei = world.person("Rei")
    pair = rei.next()
    body = {"key": KEY, "pair": pair, "verdict": "same", "seconds": 2.5}
    first, again = (rei.ask("/api/judgements", body) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert on_disk(world) == [("Rei", pair, 1, 0, "", 2.5)]


def test_a_retry_after_undo_brings_nothing_back(world: Planted) -> None:
    rei = world.person("Rei")
    body = {"key": KEY, "pair": rei.next(), "verdict": "same"}
    rei.post("/api/judgements", **body)
    rei.post("/api/undo")
    assert rei.ask("/api/judgements", body).status_code == 200
    assert on_disk(world) == []


def test_a_key_of_something_else_is_never_acknowledged(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    rei.post("/api/judgements", key=KEY, pair=3, verdict="same")
    body = {"key": KEY, "pair": 3, "verdict": "same"}
    problem(bo.ask("/api/judgements", body), 409, "key_reused")
    problem(rei.ask("/api/judgements", body | {"pair": 4}), 409, "key_reused")
    problem(rei.ask("/api/skips", {"key": KEY, "pair": 5}), 409, "key_reused")
    problem(rei.ask("/api/undo", {"key": KEY}), 409, "key_reused")
    problem(rei.ask("/api/changes", body | {"verdict": "different"}), 409, "key_reused")
    assert on_disk(world) == [("Rei", 3, 1, 0, "", None)]


def test_two_windows_the_first_verdict_stands(world: Planted) -> None:
    rei = world.person("Rei")
    rei.judge(7, "same")
    for path, body in (
        ("/api/judgements", {"pair": 7, "verdict": "different"}),
        ("/api/skips", {"pair": 7}),
    ):
        answer = rei.ask(path, body)
        problem(answer, 409, "already_judged")
        work = answer.json()["work"]
        assert work["progress"]["done"] == 1
        assert 7 not in [task["pair"] for task in work["pairs"]]
    assert on_disk(world) == [("Rei", 7, 1, 0, "", 1.0)]


def test_undo_goes_back_one_by_one(world: Planted) -> None:
    rei = world.person("Rei")
    first = rei.next()
    rei.judge(first, "invalid", "several identities")
    second = rei.next()
    rei.post("/api/skips", pair=second)
    third = rei.next()
    rei.judge(third, "different")
    rei.post("/api/changes", pair=third, verdict="same")
    assert len({first, second, third}) == 3
    undone = rei.post("/api/undo", count=1)
    assert (undone["pair"]["pair"], undone["was"]) == (third, {"verdict": "same", "reason": ""})
    assert [task["pair"] for task in undone["pairs"]] == [third]
    undone = rei.post("/api/undo", key=KEY)
    assert (undone["pair"]["pair"], undone["was"]) == (second, None)
    assert rei.post("/api/undo", key=KEY)["pair"]["pair"] == second
    undone = rei.post("/api/undo")
    was = {"verdict": "invalid", "reason": "several identities"}
    assert (undone["pair"]["pair"], undone["was"]) == (first, was)
    assert rei.next() == first
    undone = rei.post("/api/undo")
    assert (undone["pair"], undone["was"], undone["progress"]["done"]) == (None, None, 0)
    assert on_disk(world) == []


def test_a_pair_put_off_comes_last(world: Planted) -> None:
    rei = world.person("Rei")
    late = rei.next()
    work = rei.post("/api/skips", pair=late)
    assert work["progress"]["skipped"] == 1
    order = []
    while (pair := rei.next()) is not None:
        order.append(pair)
        last = rei.get("/api/next", count=1)["pairs"][0]
        assert last["skipped"] == (pair == late)
        rei.judge(pair, "same")
    assert order[-1] == late
    assert sorted(order) == list(range(27))


def test_who_is_unsure_gives_no_verdict(world: Planted) -> None:
    rei = world.person("Rei")
    first = rei.next()
    work = rei.post("/api/unsure", key=KEY, pair=first, count=1)
    assert work["progress"]["unsure"] == work["progress"]["skipped"] == 1
    assert work["progress"]["left"] == 27
    assert work["pairs"][0]["pair"] != first
    assert rei.post("/api/unsure", key=KEY, pair=first)["progress"]["unsure"] == 1
    later = rei.next()
    rei.post("/api/skips", pair=later)
    person = rei.get("/api/agreement")["people"][0]
    assert (person["judged"], person["unsure"]) == (0, 1)
    for _ in range(25):
        rei.judge(rei.next(), "same")
    # What was skipped comes before what could not be told.
    order = rei.get("/api/next", count=5)["pairs"]
    assert [(one["pair"], one["skipped"], one["unsure"]) for one in order] == [
        (later, True, False),
        (first, False, True),
    ]
    assert {row[1] for row in on_disk(world)}.isdisjoint({first, later})
    rei.judge(later, "same")
    undone = rei.post("/api/undo")
    assert (undone["pair"]["pair"], undone["unsure"]) == (later, False)
    rei.post("/api/unsure", pair=later)
    undone = rei.post("/api/undo")
    assert (undone["pair"]["pair"], undone["was"], undone["unsure"]) == (later, None, True)
    rei.judge(first, "different")
    assert rei.get("/api/agreement")["people"][0]["unsure"] == 0
    problem(rei.ask("/api/unsure", {"pair": first}), 409, "already_judged")
    problem(rei.ask("/api/unsure", {"pair": 28}), 409, "not_judged_here")


def test_a_change_is_the_persons_own(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    rei.judge(1, "same", seconds=3)
    found = rei.post("/api/changes", pair=1, verdict="invalid", reason="duplicate")
    (said,) = found["said"]
    assert (said["verdict"], said["reason"], said["seconds"]) == ("invalid", "duplicate", 3)
    problem(bo.ask("/api/changes", {"pair": 1, "verdict": "same"}), 403, "not_judged")
    assert on_disk(world) == [("Rei", 1, -1, 1, "duplicate", 3)]


def test_disagreements_are_decided_blindly(world: Planted) -> None:
    rei, bo, judge = (world.person(name) for name in ("Rei", "Bo", "Judge"))
    problem(judge.ask("/api/decisions", {"pair": 4, "verdict": "same"}), 409, "no_disagreement")
    rei.judge(4, "same")
    problem(judge.ask("/api/decisions", {"pair": 4, "verdict": "same"}), 409, "no_disagreement")
    bo.judge(4, "different")
    # What others said is not told unasked to who may have to judge the pair yet.
    assert judge.get("/api/disagreements", show="all") == {"pairs": [], "next": None, "total": 0}
    (hidden,) = judge.get("/api/disagreements", unjudged=True)["pairs"]
    for face in (hidden["left"], hidden["right"]):
        assert (face["path"], face["identity"]) == (None, None)
    assert (hidden["label"], hidden["scores"], hidden["suspect"]) == (None, None, None)
    assert [one["verdict"] for one in hidden["said"]] == ["same", "different"]
    assert bo.get("/api/disagreements")["pairs"][0]["left"]["path"] in world.pairs.paths
    problem(judge.ask("/api/pairs/4"), 403, "not_judged")
    found = judge.post("/api/decisions", pair=4, verdict="different")
    assert found["decision"]["annotator"] == "Judge"
    paths = {found["left"]["path"], found["right"]["path"]}
    assert paths == {world.pairs.path_a[4], world.pairs.path_b[4]}
    assert judge.get("/api/disagreements", unjudged=True)["pairs"] == []
    (shown,) = judge.get("/api/disagreements", show="all")["pairs"]
    assert shown == found == judge.get("/api/pairs/4")
    seen = found["decision"]["at"]
    again = judge.post("/api/decisions", pair=4, verdict="invalid", reason="other", seen=seen)
    assert again["decision"]["verdict"] == "invalid"


def test_a_decided_pair_hides_from_others_what_it_is(world: Planted) -> None:
    """That somebody decided a pair lets nobody else see it before judging it."""
    rei, bo, judge, ken = (world.person(name) for name in ("Rei", "Bo", "Judge", "Ken"))
    rei.judge(4, "same")
    bo.judge(4, "different")
    judge.post("/api/decisions", pair=4, verdict="different")
    assert 4 in [task["pair"] for task in ken.get("/api/next", count=50)["pairs"]]
    assert ken.get("/api/disagreements", show="all")["pairs"] == []
    (asked,) = ken.get("/api/disagreements", show="all", unjudged=True)["pairs"]
    assert [one["annotator"] for one in asked["said"]] == ["Rei", "Bo"]
    for hidden in (asked["left"]["path"], asked["right"]["identity"], asked["label"]):
        assert hidden is None
    assert (asked["scores"], asked["suspect"]) == (None, None)
    problem(ken.ask("/api/pairs/4"), 403, "not_judged")
    ken.judge(4, "same")
    (known,) = ken.get("/api/disagreements", show="all")["pairs"]
    assert known["left"]["path"] in world.pairs.paths


def test_nobody_replaces_a_decision_unseen(world: Planted) -> None:
    rei, bo, judge = (world.person(name) for name in ("Rei", "Bo", "Judge"))
    rei.judge(4, "same")
    bo.judge(4, "different")
    body = {"key": KEY, "pair": 4, "verdict": "same"}
    first = rei.post("/api/decisions", **body)
    answers = [
        who.ask("/api/decisions", {"pair": 4, "verdict": "different"} | seen)
        for who in (bo, judge, rei)
        for seen in ({}, {"seen": None}, {"seen": "2020-01-01T00:00:00.000+00:00"})
    ]
    for answer in answers:
        assert "Rei" in problem(answer, 409, "already_decided")
    shown = [answer.json()["pair"] for answer in answers]
    assert all(pair["decision"] == first["decision"] for pair in shown)
    # Bo judged it; the third person learns no names from being refused.
    assert shown[0]["left"]["path"] in world.pairs.paths
    assert (shown[3]["left"]["path"], shown[3]["label"]) == (None, None)
    # What is sent again, since its answer got lost, has seen itself.
    assert rei.post("/api/decisions", **body) == first
    again = {"key": "bo-decides-knowingly", "pair": 4, "verdict": "different"}
    again["seen"] = first["decision"]["at"]
    later = bo.post("/api/decisions", **again)
    assert (later["decision"]["annotator"], later["decision"]["verdict"]) == ("Bo", "different")
    assert bo.post("/api/decisions", **again) == later
    events = world.store.read("SELECT count(*) FROM events WHERE kind = 'decide'")
    assert events == [(2,)]


def test_of_decisions_at_once_one_stands(world: Planted) -> None:
    people = [world.person(f"P{number}") for number in range(6)]
    people[0].judge(4, "same")
    people[1].judge(4, "different")
    answers = []

    def deciding(who: Any) -> Any:
        body = {"pair": 4, "verdict": "same"}
        return lambda: answers.append(who.ask("/api/decisions", body).status_code)

    assert together(*map(deciding, people)) == []
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]


def test_a_decision_stays_in_the_list_when_people_agree_later(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    rei.judge(4, "same")
    bo.judge(4, "different")
    rei.post("/api/decisions", pair=4, verdict="invalid", reason="other")
    bo.post("/api/changes", pair=4, verdict="same")
    assert rei.get("/api/disagreements")["pairs"] == []
    for path in ("/api/disagreements", "/api/history"):
        show = "all" if path == "/api/disagreements" else "disagreements"
        (pair,) = rei.get(path, show=show)["pairs"]
        assert (pair["pair"], pair["decision"]["verdict"]) == (4, "invalid")


def test_pairs_that_the_file_calls_invalid_are_not_decided(world: Planted) -> None:
    """Verdicts on them may come from another review."""
    rei = world.person("Rei")
    at = "2026-01-01T00:00:00.000+00:00"
    said = [
        VerdictRecord(who, 29, Verdict.of(word), 1.0, at)
        for who, word in (("Rei", "same"), ("Bo", "different"))
    ]
    world.store.take_in(said)
    assert not world.pairs.valid[29]
    for query in ({}, {"show": "all"}, {"unjudged": True}):
        assert rei.get("/api/disagreements", **query)["pairs"] == []
    assert rei.get("/api/history", show="undecided")["pairs"] == []
    assert rei.get("/api/history")["total"] == 1
    problem(rei.ask("/api/decisions", {"pair": 29, "verdict": "same"}), 409, "not_judged_here")
    world.store.take_in([], [VerdictRecord("Bo", 29, Verdict.of("same"), None, at)])
    assert rei.get("/api/disagreements", show="all")["pairs"] == []


def test_all_of_a_judged_pair(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    rei.judge(2, "same", seconds=4)
    bo.judge(2, "invalid", "bad crop")
    found = rei.get("/api/pairs/2")
    assert found["label"] == ("same" if world.pairs.label[2] else "different")
    assert found["suspect"] == {"kinds": "duplicate", "reason": "mirrored <i>"}
    assert found["scores"]["resnet"] == world.review.scores["resnet"][2]
    assert found["scores"]["gaps"] is None
    assert [(one["annotator"], one["verdict"], one["reason"]) for one in found["said"]] == [
        ("Rei", "same", ""),
        ("Bo", "invalid", "bad crop"),
    ]
    for face in (found["left"], found["right"]):
        assert face["identity"] == face["path"].split("/")[0]
        picture = world.client.get(face["image"])
        assert picture.content == (world.faces / face["path"]).read_bytes()


def test_people_are_told_with_what_is_left_for_each(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    found = rei.get("/api/people")
    assert [one["name"] for one in found["people"]] == ["Rei", "Bo"]
    assert all(one["last"] is None for one in found["people"])
    total = rei.get("/api/set")["to_judge"]
    assert (found["judged"], found["to_judge"]) == (0, total)
    for pair in range(10):
        rei.judge(pair, "same")
    bo.judge(3, "same")
    bo.judge(11, "different")
    bo.post("/api/unsure", pair=12)
    found = rei.get("/api/people")
    assert (found["judged"], found["to_judge"]) == (11, total)
    for one, person in zip(found["people"], (rei, bo), strict=True):
        assert one["progress"] == person.get("/api/next")["progress"]
        assert one["last"].endswith("+00:00")
    assert [one["progress"]["left"] for one in found["people"]] == [total - 10, total - 2]


def test_agreement_follows_what_happens(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    assert rei.get("/api/agreement")["between"] == []
    for pair in range(10):
        rei.judge(pair, "same")
        bo.judge(pair, "same" if pair else "different")
    found = rei.get("/api/agreement")
    assert [(one["name"], one["judged"]) for one in found["people"]] == [("Rei", 10), ("Bo", 10)]
    negatives = int((world.pairs.label[:10] == 0).sum())
    fpr = found["people"][0]["fpr"]
    assert (fpr["value"], fpr["errors"], fpr["count"]) == (1.0, negatives, negatives)
    (two,) = found["between"]
    assert (two["pairs"], two["agreed"]) == (10, 0.9)
    assert (found["disagreements"], found["decided"]) == (1, 0)
    rei.post("/api/decisions", pair=0, verdict="same")
    assert rei.get("/api/agreement")["decided"] == 1


def test_names_come_percent_encoded_and_in_one_spelling(world: Planted) -> None:
    name = "Élise <ō> 100%"
    for form in ("NFC", "NFD"):
        who = world.person(unicodedata.normalize(form, f" {name} "))
        assert who.get("/api/next")["progress"]["total"] == 27
    assert list(world.store.annotators.values()) == [unicodedata.normalize("NFC", name)]


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 422, "no_annotator"),
        ("Nobody", 403, "unknown_annotator"),
        ("%FF%FE", 422, "bad_annotator"),
        ("%ED%A0%80", 422, "bad_annotator"),
        ("", 422, "refused"),
        ("%00", 422, "refused"),
        ("a" * 65, 422, "refused"),
        ("a" * 1001, 422, "invalid"),
        ("\xe9", 403, "unknown_annotator"),
    ],
)
def test_refuses_who_is_nobody(quiet: Planted, header: str | None, status: int, code: str) -> None:
    headers = {} if header is None else {"X-Annotator": header.encode("latin-1")}
    answer = quiet.client.get("/api/next", headers=headers)
    problem(answer, status, code)
    assert list(quiet.store.annotators.values()) == ["Rei"]


BAD_BODIES = {
    "nan": '{"key":"%s","pair":1,"verdict":"same","seconds":NaN}',
    "inf": '{"key":"%s","pair":1,"verdict":"same","seconds":Infinity}',
    "overflow": '{"key":"%s","pair":1,"verdict":"same","seconds":1e999}',
    "negative seconds": '{"key":"%s","pair":1,"verdict":"same","seconds":-1}',
    "text seconds": '{"key":"%s","pair":1,"verdict":"same","seconds":"1"}',
    "huge pair": '{"key":"%s","pair":' + "9" * 400 + ',"verdict":"same"}',
    "enormous pair": '{"key":"%s","pair":' + "9" * 9000 + ',"verdict":"same"}',
    "over 64 bits": '{"key":"%s","pair":9223372036854775808,"verdict":"same"}',
    "negative pair": '{"key":"%s","pair":-1,"verdict":"same"}',
    "text pair": '{"key":"%s","pair":"1","verdict":"same"}',
    "fraction": '{"key":"%s","pair":1.5,"verdict":"same"}',
    "truth": '{"key":"%s","pair":true,"verdict":"same"}',
    "no verdict": '{"key":"%s","pair":1}',
    "other verdict": '{"key":"%s","pair":1,"verdict":"maybe"}',
    "surrogate verdict": '{"key":"%s","pair":1,"verdict":"\\ud800"}',
    "other reason": '{"key":"%s","pair":1,"verdict":"invalid","reason":"why not"}',
    "reason of a valid pair": '{"key":"%s","pair":1,"verdict":"same","reason":"other"}',
    "extra field": '{"key":"%s","pair":1,"verdict":"same","annotator":"Bo"}',
    "surrogate field": '{"key":"%s","pair":1,"verdict":"same","\\udfff":1}',
    "no pairs": '{"key":"%s","pair":1,"verdict":"same","count":0}',
    "many pairs": '{"key":"%s","pair":1,"verdict":"same","count":51}',
    "short key": '{"key":"1234567","pair":1,"verdict":"same"}',
    "long key": '{"key":"' + "a" * 65 + '","pair":1,"verdict":"same"}',
    "key with a line break": '{"key":"12345678\\n","pair":1,"verdict":"same"}',
    "key with a surrogate": '{"key":"12345678\\ud800","pair":1,"verdict":"same"}',
    "null": "null",
    "list": "[]",
    "no JSON": "{",
    "nothing": "",
    "deep": "[" * 30_000,
    "not UTF-8": b'{"key":"\xff\xfe"}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_refuses_bodies_that_are_no_verdict(quiet: Planted, name: str) -> None:
    body = BAD_BODIES[name]
    if isinstance(body, str):
        body = body.replace("%s", KEY).encode()
    headers = {"X-Annotator": "Rei", "Content-Type": "application/json"}
    answer = quiet.client.post("/api/judgements", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert set(answer.json()) == {"error", "code"}
    assert on_disk(quiet) == []


def test_no_pair_of_that_number(world: Planted) -> None:
    rei = world.person("Rei")
    for path, body in (
        ("/api/judgements", {"pair": 30, "verdict": "same"}),
        ("/api/skips", {"pair": 2**53 - 1}),
        ("/api/changes", {"pair": 30, "verdict": "same"}),
        ("/api/decisions", {"pair": 30, "verdict": "same"}),
        ("/api/pairs/30", None),
    ):
        problem(rei.ask(path, body), 404, "no_pair")


def test_the_files_own_invalid_pairs_are_nobodys(world: Planted) -> None:
    rei = world.person("Rei")
    for path in ("/api/judgements", "/api/skips"):
        body = {"pair": 29} | ({"verdict": "same"} if path == "/api/judgements" else {})
        problem(rei.ask(path, body), 409, "not_judged_here")
    assert on_disk(world) == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(quiet: Planted, kind: str) -> None:
    """What a form elsewhere can send without being asked for leave is no verdict."""
    headers = {"X-Annotator": "Rei", "Content-Type": kind}
    body = json.dumps({"key": KEY, "pair": 1, "verdict": "same"})
    answer = quiet.client.post("/api/judgements", content=body, headers=headers)
    problem(answer, 422, "invalid")
    assert on_disk(quiet) == []


@pytest.mark.parametrize(
    "name", ["", "   ", "a" * 65, "a\0b", "a\nb", "\ud800", "\u202e", "\ufeff"]
)
def test_refuses_names_that_are_none(quiet: Planted, name: str) -> None:
    answer = quiet.client.post(
        "/api/annotators",
        content=json.dumps({"name": name}),
        headers={"Content-Type": "application/json"},
    )
    problem(answer, 422, "invalid" if name == "\ud800" else "refused")
    assert list(quiet.store.annotators.values()) == ["Rei"]


def test_seconds_of_a_pair_left_alone_are_cut(world: Planted) -> None:
    rei = world.person("Rei")
    rei.judge(1, "same", seconds=1e300)
    assert on_disk(world) == [("Rei", 1, 1, 0, "", 600.0)]


def test_a_verdict_that_cannot_be_written_says_so_and_may_be_sent_again(world: Planted) -> None:
    rei = world.person("Rei")
    world.store._db.execute("PRAGMA busy_timeout = 50")
    body = {"key": KEY, "pair": 1, "verdict": "same"}
    other = sqlite3.connect(world.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    said = problem(rei.ask("/api/judgements", body), 503, "not_saved")
    assert "cannot be written now" in said
    assert "locked" in said
    other.execute("ROLLBACK")
    other.close()
    assert rei.ask("/api/judgements", body).status_code == 200
    assert on_disk(world) == [("Rei", 1, 1, 0, "", None)]


def test_a_question_that_the_database_fails_is_no_verdict_lost(
    world: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    rei = world.person("Rei")

    def fail(*_: object) -> None:
        raise failure(world.store.path, sqlite3.OperationalError("disk I/O error"))

    monkeypatch.setattr(world.store, "read", fail)
    said = problem(rei.ask("/api/next"), 503, "not_read")
    assert "cannot be read now (disk I/O error)" in said


def test_a_full_disk_loses_no_verdict_that_was_acknowledged(world: Planted) -> None:
    rei = world.person("Rei")
    database = world.store._db
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    judge, undo = ("/api/judgements", {"pair": 2, "verdict": "same"}), ("/api/undo", {})
    answers = [rei.ask(*judge)]
    while answers[-1].status_code == 200:
        answers.append(rei.ask(*(undo if len(answers) % 2 else judge)))
        assert len(answers) < 2000
    assert "full" in problem(answers[-1], 503, "not_saved")
    # What stands is what the last acknowledged one said.
    stands = on_disk(world)
    assert len(stands) == (len(answers) - 1) % 2
    database.execute("PRAGMA max_page_count = 100000").fetchall()
    rei.judge(3, "different")
    assert on_disk(world) == [*stands, ("Rei", 3, 0, 0, "", 1.0)]


def secrets(world: Planted) -> list[bytes]:
    """What nobody may learn of a pair before judging it, in every spelling of an answer."""
    words = {*IDENTITIES, *world.pairs.paths, *(path.split("/")[1] for path in world.pairs.paths)}
    words |= {str(score) for score in world.review.scores["resnet"].tolist()}
    words |= {"mirrored", "two names", "alias", '"label"', '"scores"', '"path"', '"identity"'}
    spelt = {*words, *(quote(word) for word in words), *(json.dumps(word)[1:-1] for word in words)}
    return [word.encode() for word in spelt if word]


def _without_nothing(found: Any) -> Any:
    """JSON without the names of what is null."""
    if isinstance(found, list):
        return [_without_nothing(one) for one in found]
    if isinstance(found, dict):
        return {name: _without_nothing(one) for name, one in found.items() if one is not None}
    return found


def test_nothing_tells_a_pair_before_it_is_judged(world: Planted) -> None:
    rei, bo, ken = world.person("Rei"), world.person("Bo"), world.person("Ken")
    bo.judge(1, "different")
    for pair in (3, 4):
        bo.judge(pair, "different")
        ken.judge(pair, "same")
    bo.post("/api/decisions", pair=3, verdict="same")
    answers = [
        rei.ask("/api/set"),
        rei.ask("/api/next", count=50),
        rei.ask("/api/skips", {"pair": 1}),
        rei.ask("/api/undo", {}),
        rei.ask("/api/history"),
        rei.ask("/api/history", show="suspects"),
        rei.ask("/api/history", show="disagreements"),
        rei.ask("/api/disagreements"),
        rei.ask("/api/disagreements", show="all"),
        rei.ask("/api/agreement"),
        rei.ask("/api/pairs/1"),
        rei.ask("/api/pairs/3"),
        rei.ask("/api/changes", {"pair": 3, "verdict": "same"}),
        rei.ask("/api/pairs/999"),
        rei.ask("/api/changes", {"pair": 1, "verdict": "same"}),
        rei.ask("/api/decisions", {"pair": 1, "verdict": "same"}),
        rei.ask("/image/0"),
    ]
    tasks = answers[1].json()["pairs"]
    assert len(tasks) == 27
    # A file that is gone tells its name as little as one that is there.
    (world.faces / world.pairs.path_a[tasks[0]["pair"]]).unlink()
    pictures = [rei.ask(task[side]) for task in tasks for side in ("left", "right")]
    assert {answer.status_code for answer in pictures} == {200, 404}
    words = secrets(world)
    for answer in answers + pictures:
        head = repr(answer.headers).encode() + str(answer.url).encode()
        body = b"" if answer.headers["content-type"].startswith("image/") else answer.content
        told = [word for word in (*words, b'"said"') if word in head + body]
        assert not told, (answer.url, told)
    # To who asks what others said, it is told, and still nothing else is.
    for query in ({"show": "all"}, {}):
        asked = rei.ask("/api/disagreements", unjudged=True, **query)
        pairs = asked.json()["pairs"]
        assert [pair["pair"] for pair in pairs] == ([4, 3] if query else [4])
        shown = json.dumps([_without_nothing(pair) for pair in pairs]).encode()
        assert not [word for word in words if word in shown]
    refused = rei.ask("/api/decisions", {"pair": 3, "verdict": "same"})
    shown = json.dumps(_without_nothing(refused.json()["pair"])).encode()
    assert not [word for word in words if word in shown]
    shown = {"pair", "left", "right", "skipped", "unsure"}
    assert all(set(task) == shown for task in tasks)
    # The order of two faces, and of the pairs, tells nothing that another person's does not.
    others = {task["pair"]: task for task in bo.get("/api/next", count=50)["pairs"]}
    both = [task for task in tasks if task["pair"] in others]
    swapped = [task["left"] != others[task["pair"]]["left"] for task in both]
    assert any(swapped)
    assert not all(swapped)
    assert [task["pair"] for task in both] != list(others)


def test_what_was_judged_is_told(world: Planted) -> None:
    """The check above could find the words: they are there afterwards."""
    rei = world.person("Rei")
    rei.judge(1, "same")
    told = {word for word in secrets(world) if word in rei.ask("/api/pairs/1").content}
    assert world.pairs.path_a[1].encode() in told
    assert str(world.review.scores["resnet"][1]).encode() in told
    assert b'"label"' in told


@pytest.mark.parametrize("path", ["/", "/history", "/disagreements", "/agreement"])
def test_pages_are_there(quiet: Planted, path: str) -> None:
    answer = quiet.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_there_is_no_page_that_loads_from_elsewhere(quiet: Planted) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        problem(quiet.client.get(path), 404, "http_404")
    paths = quiet.client.get("/api/openapi.json").json()["paths"]
    assert "/api/judgements" in paths


def test_other_methods_are_refused_in_the_same_form(quiet: Planted) -> None:
    problem(quiet.client.delete("/api/judgements"), 405, "http_405")
    problem(quiet.client.get("/api/nothing"), 404, "http_404")


def test_many_at_once_lose_nothing(world: Planted) -> None:
    people = [world.person(f"P{number}") for number in range(4)]

    def work(who: Any) -> Any:
        def run() -> None:
            while (pair := who.next()) is not None:
                who.judge(pair, "same" if pair % 2 else "different")

        return run

    assert together(*map(work, people)) == []
    found = {(name, pair): prediction for name, pair, prediction, *_ in on_disk(world)}
    expected = {(who.name, pair): pair % 2 for who in people for pair in range(27)}
    assert found == expected
    assert np.array_equal(world.review.board.progress(1).left, 0)
