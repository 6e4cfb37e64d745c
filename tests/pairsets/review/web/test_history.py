from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.counted import calls_of
from support.reviews import Person, Planted, all_pairs, planted

from pairsets.pairset import PairSet
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.current_verdicts import Standing
from pairsets.review.judgement.session import Review
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict, VerdictRecord
from pairsets.review.web.history import History
from pairsets.review.web.messages import DisagreementsQuery, HistoryQuery
from pairsets.review.web.pictures import ServedPictures

PEOPLE = ("Rei", "Bo", "José")
WORDS = ("same", "different", "invalid")
SHOWS = ("all", "disagreements", "wrong", "suspects", "undecided")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Planted]:
    with planted(tmp_path, pairs=all_pairs(count=60)) as found:
        yield found


class Notes:
    """What was said, in plain dictionaries, and the naive answer to every question."""

    def __init__(self, world: Planted) -> None:
        self.pairs = world.pairs
        self.said: dict[str, dict[int, str]] = defaultdict(dict)
        self.decided: dict[int, str] = {}
        self.deciders: dict[str, set[int]] = defaultdict(set)
        self.seen: dict[int, str] = {}
        self.suspects = {2, 5}

    def disputed(self, pair: int) -> bool:
        return len({said[pair] for said in self.said.values() if pair in said}) > 1

    def listed(self, pair: int) -> bool:
        return self.disputed(pair) or pair in self.decided

    def judged(self, who: str, query: dict[str, str]) -> list[int]:
        mine = self.said[who]
        return [pair for pair in reversed(mine) if self._fits(pair, mine[pair], query)]

    def _fits(self, pair: int, word: str, query: dict[str, str]) -> bool:
        paths = (self.pairs.path_a[pair], self.pairs.path_b[pair])
        label = "same" if self.pairs.label[pair] else "different"
        show = query.get("show", "all")
        return (
            query.get("verdict", "") in ("", word)
            and (not query.get("who") or pair in self.said.get(query["who"], {}))
            and any(query.get("text", "").lower() in path.lower() for path in paths)
            and {
                "all": True,
                "disagreements": self.listed(pair),
                "undecided": self.disputed(pair) and pair not in self.decided,
                "wrong": word not in ("invalid", label),
                "suspects": pair in self.suspects,
            }[show]
        )

    def knows(self, who: str, pair: int) -> bool:
        return pair in self.said[who] or pair in self.deciders[who]

    def disagreements(self, show: str, who: str = "") -> list[int]:
        """All of them, or those that somebody judged or decided."""
        pairs = {pair for pair in range(60) if self.listed(pair)}
        if who:
            pairs = {pair for pair in pairs if self.knows(who, pair)}
        if show == "undecided":
            return sorted(pairs - set(self.decided))
        return sorted(pairs, key=lambda pair: (pair in self.decided, pair))


def act(dice: random.Random, people: list[Person], notes: Notes) -> None:
    """Something that a person may do."""
    who = dice.choice(people)
    mine = notes.said[who.name]
    kind = dice.choices(("judge", "undo", "change", "decide"), (12, 2, 2, 2))[0]
    word = dice.choice(WORDS)
    if kind == "judge" and (pair := dice.choice(range(60))) not in mine:
        who.post("/api/judgements", pair=pair, verdict=word)
        mine[pair] = word
    elif kind == "undo":
        back = who.post("/api/undo")["pair"]
        assert (back and back["pair"]) == (mine.popitem()[0] if mine else None)
    elif kind == "change" and mine:
        pair = dice.choice(list(mine))
        who.post("/api/changes", pair=pair, verdict=word)
        mine[pair] = word
    elif kind == "decide" and (disputed := notes.disagreements("all")):
        pair = dice.choice(disputed)
        body = {"pair": pair, "verdict": word, "seen": notes.seen.get(pair)}
        notes.seen[pair] = who.post("/api/decisions", **body)["decision"]["at"]
        notes.decided[pair] = word
        notes.deciders[who.name].add(pair)


def pages(asking: Person, path: str, limit: int, **query: Any) -> tuple[list[dict[str, Any]], int]:
    """All pages of a list, one after the other."""
    found, after = [], ""
    while True:
        page = asking.get(path, limit=limit, after=after, **query)
        assert len(page["pairs"]) <= limit
        found += page["pairs"]
        if page["next"] is None:
            return found, page["total"]
        assert len(page["pairs"]) == limit
        after = page["next"]


@pytest.mark.parametrize("seed", range(3))
def test_every_question_is_answered_as_by_hand(world: Planted, seed: int) -> None:
    people = [world.person(name) for name in PEOPLE]
    dice, notes = random.Random(seed), Notes(world)
    for _ in range(4):
        for _ in range(40):
            act(dice, people, notes)
        for who in people:
            for _ in range(12):
                query = {
                    "show": dice.choice(SHOWS),
                    "verdict": dice.choice(("", "", *WORDS)),
                    "who": dice.choice(("", "", *PEOPLE, "Nobody")),
                    "text": dice.choice(("", "", "asuka", "é", "É", "ЛАДА", "100%", "_", "<b>")),
                }
                found, total = pages(who, "/api/history", dice.choice((1, 3, 50)), **query)
                expected = notes.judged(who.name, query)
                assert [pair["pair"] for pair in found] == expected, query
                assert total == len(expected)
                for pair in found:
                    said = {one["annotator"]: one["verdict"] for one in pair["said"]}
                    assert said == {
                        name: mine[pair["pair"]]
                        for name, mine in notes.said.items()
                        if pair["pair"] in mine
                    }
            for show, all_ in product(("undecided", "all"), (True, False)):
                query = {"show": show, "unjudged": all_}
                found, total = pages(who, "/api/disagreements", dice.choice((2, 50)), **query)
                expected = notes.disagreements(show, "" if all_ else who.name)
                assert [pair["pair"] for pair in found] == expected
                assert total == len(found)
                for pair in found:
                    number = pair["pair"]
                    assert (pair["decision"] or {}).get("verdict") == notes.decided.get(number)
                    hidden = not notes.knows(who.name, number)
                    assert (pair["label"] is None) == hidden
                    assert (pair["left"]["path"] is None) == hidden


def test_what_is_judged_meanwhile_shifts_no_page(world: Planted) -> None:
    rei = world.person("Rei")
    for pair in range(20):
        rei.judge(pair, "same")
    first = rei.get("/api/history", limit=5)
    for pair in range(20, 40):
        rei.judge(pair, "same")
    second = rei.get("/api/history", limit=5, after=first["next"])
    seen = [pair["pair"] for pair in first["pairs"] + second["pairs"]]
    assert seen == list(range(19, 9, -1))
    assert second["total"] == 40


def test_the_faces_stand_as_they_were_seen(world: Planted) -> None:
    rei, bo = world.person("Rei"), world.person("Bo")
    sides = set()
    for who in (rei, bo):
        for task in who.get("/api/next", count=20)["pairs"]:
            who.judge(task["pair"], "same")
            pair = who.get(f"/api/pairs/{task['pair']}")
            assert (pair["left"]["image"], pair["right"]["image"]) == (task["left"], task["right"])
            sides.add(pair["left"]["path"] == world.pairs.path_a[task["pair"]])
    assert sides == {True, False}


def test_sees_what_another_process_wrote(world: Planted) -> None:
    rei = world.person("Rei")
    rei.judge(3, "same")
    assert rei.get("/api/disagreements")["total"] == 0
    with Store.open(world.store.path) as other:
        bo = other.annotator("Bo")
        other.judge(bo, 3, Verdict.of("different"), key="elsewhere-1")
        assert rei.get("/api/disagreements")["total"] == 1
        other.undo(bo, key="elsewhere-2")
    assert rei.get("/api/disagreements")["total"] == 0
    assert rei.get("/api/history")["total"] == 1


def test_nothing_is_lost_where_a_person_is_new_to_two_at_once(world: Planted) -> None:
    """One asks for what a newcomer said, while another learns it from the store."""
    rei = world.store.annotator("Rei")
    world.store.judge(rei, 3, Verdict.of("same"), key="somewhere-1")
    standing, asked = Standing(world.store), threading.Event()
    asking = threading.Thread(target=standing.of, args=(rei,))

    class Slow(dict[int, Any]):
        def __contains__(self, key: object) -> bool:
            found = super().__contains__(key)
            if threading.current_thread() is asking:
                asked.set()
                time.sleep(0.3)
            return found

    standing.words = Slow()
    asking.start()
    assert asked.wait(600)
    standing.sync()
    asking.join()
    assert standing.of(rei)[0][3] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"after": "-1"},
        {"after": "x"},
        {"after": "1" * 17},
        {"after": "1\n"},
        {"limit": "0"},
        {"limit": "51"},
        {"limit": "nan"},
        {"show": "none"},
        {"verdict": "maybe"},
        {"text": "x" * 201},
        {"other": "1"},
    ],
)
def test_refuses_what_is_no_question(world: Planted, query: dict[str, str]) -> None:
    rei = world.person("Rei")
    answer = rei.ask("/api/history", **query)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "code"}


def test_any_text_may_be_searched_for(world: Planted) -> None:
    rei = world.person("Rei")
    rei.judge(1, "same")
    for text in ("%", "_", "\\", "'", '"; DROP TABLE verdicts', "\0", "\U0001f600", "[a-z]*"):
        paths = world.pairs.path_a[1] + "\n" + world.pairs.path_b[1]
        assert rei.get("/api/history", text=text)["total"] == int(text in paths), text
    for query in ("text=%ED%A0%80", "text=%FF", "who=%00", "after=%00"):
        answer = world.client.get(f"/api/history?{query}", headers={"X-Annotator": "Rei"})
        assert answer.status_code in (200, 422)
    assert rei.get("/api/history")["total"] == 1


def test_stays_fast_with_many_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand pairs and three people; the benchmark has five times as many."""
    count, dice = 20_000, np.random.default_rng(0)
    pairs = PairSet.of(
        [f"a{n}/é.png" for n in range(count)], [f"b{n}/x.png" for n in range(count)], 0
    )
    with Store.begin(tmp_path / "review.sqlite", pairs) as store:
        words = [Verdict.of(word) for word in ("different", "same")]
        store.take_in(
            VerdictRecord(
                name, pair, words[int(dice.random() < 0.1)], 1.0, "2026-01-01T00:00:00.000+00:00"
            )
            for name in PEOPLE
            for pair in range(count)
        )
        review = Review(store, Assignment(store), tmp_path, "many")
        history = History(review, ServedPictures(pairs, tmp_path, 1))
        history.judged(1, HistoryQuery())
        rows, ask = 0, store.read

        def asked(*query: Any) -> list[tuple[object, ...]]:
            nonlocal rows
            found = ask(*query)
            rows += len(found)
            return found

        monkeypatch.setattr(store, "read", asked)
        query = HistoryQuery(show="undecided", text="É", after="15000")
        calls, found = calls_of(lambda: history.judged(1, query))
        query = DisagreementsQuery(after="0-15000", unjudged=True)
        more, disputed = calls_of(lambda: history.disagreements(1, query))
    assert found.total == disputed.total > 1000
    assert disputed.pairs[0].pair > 15000
    # A page is made, not all verdicts once more.
    assert rows < 1000
    assert calls + more < count
