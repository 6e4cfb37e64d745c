"""Small review whose answers are known: faces, pairs, and a browser's stand-in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from pairsets.pairset import PairSet
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.session import Review
from pairsets.review.store.store import Store
from pairsets.review.web.app import create_app
from pairsets.review.web.guard import Guard

# Ugly on purpose: a space, markup, quotes, other scripts, two forms of one letter, a dot in front.
IDENTITIES = ("rei <b>&amp;", "asuka_(eva)", "橘 雪", "Élise 100%", ".hidden 'x'", "лада")
HERE = "http://127.0.0.1:8765"


def draw(seed: int, size: tuple[int, int] = (24, 24)) -> Image.Image:
    """Draw a picture; the same seed gives the same one."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def all_pairs(faces: int = 4, count: int | None = None, invalid: int = 0) -> PairSet:
    """Pairs of `faces` faces of every identity, shuffled; the last `invalid` do not count."""
    paths = [f"{name}/{number} é.png" for name in IDENTITIES for number in range(faces)]
    both = list(combinations(paths, 2))
    order = np.random.default_rng(0).permutation(len(both))[:count]
    a, b = zip(*(both[row] for row in order), strict=True)
    same = [x.split("/")[0] == y.split("/")[0] for x, y in zip(a, b, strict=True)]
    off = np.arange(len(a)) >= len(a) - invalid
    return PairSet.of(a, b, np.array(same, int), np.where(off, 1, -1), off.astype(int))


@dataclass
class Person:
    """Person with a browser."""

    client: TestClient
    name: str
    count: int = 1
    said: dict[int, str] = field(default_factory=dict)

    def ask(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """Answer to a request, whatever it is."""
        header = {"X-Annotator": quote(self.name)}
        if body is None:
            return self.client.get(path, headers=header, params=query)
        return self.client.post(path, headers=header, json={"key": str(uuid4())} | body)

    def get(self, path: str, **query: Any) -> Any:
        """JSON of a GET request that must succeed."""
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        """JSON of a POST request that must succeed."""
        answer = self.ask(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def next(self) -> int | None:
        """Pair that comes next."""
        pairs = self.get("/api/next", count=self.count)["pairs"]
        return pairs[0]["pair"] if pairs else None

    def judge(self, pair: int, verdict: str, reason: str = "", seconds: float = 1.0) -> Any:
        """Send a verdict that must be taken."""
        self.said[pair] = verdict
        body = {"pair": pair, "verdict": verdict, "reason": reason, "seconds": seconds}
        return self.post("/api/judgements", **body)


@dataclass
class Planted:
    """Planted review, its files, and who judges."""

    folder: Path
    faces: Path
    pairs: PairSet
    store: Store
    review: Review
    client: TestClient

    def person(self, name: str) -> Person:
        """Person who is written down as an annotator."""
        who = Person(self.client, name)
        answer = self.client.post("/api/annotators", json={"name": name})
        assert answer.status_code == 200, answer.text
        return who


def write_faces(folder: Path, pairs: PairSet) -> Path:
    """Draw a picture for every face of `pairs`."""
    for seed, path in enumerate(pairs.paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(folder / path)
    return folder


@contextmanager
def planted(
    folder: Path,
    *,
    pairs: PairSet | None = None,
    guard: Guard | None = None,
    overlap: float | None = None,
    suspects_first: bool = False,
    annotator: str | None = None,
    until: str | None = None,
    **settings: Any,
) -> Iterator[Planted]:
    """Plant a review below `folder`, with scores that nobody may see and two suspects."""
    pairs = all_pairs() if pairs is None else pairs
    faces = write_faces(folder / "faces", pairs)
    scores = {
        "resnet": np.linspace(0.123456, 0.987654, len(pairs)),
        "gaps": np.full(len(pairs), 0.5),
    }
    scores["gaps"][::2] = np.nan
    with Store.begin(folder / "review.sqlite", pairs, overlap=overlap, until=until) as store:
        store.mark({2: ("duplicate", "mirrored <i>"), 5: ("alias+crop", "two names")})
        board = Assignment(store, suspects_first=suspects_first)
        review = Review(store, board, faces, "set.csv", scores, annotator, **settings)
        app = create_app(review, guard=guard or Guard())
        with TestClient(app, base_url=HERE, follow_redirects=False) as client:
            yield Planted(folder, faces, pairs, store, review, client)


def problem(answer: Any, status: int, code: str) -> str:
    """The sentence of an error in the house's form."""
    assert answer.status_code == status, answer.text
    content = json.loads(answer.text)
    assert content["code"] == code, content
    assert len(content["error"]) > 10
    return str(content["error"])


def together(*work: Any) -> list[BaseException]:
    """Run functions at once, each in a thread; returns what they raised."""
    raised: list[BaseException] = []

    def run(one: Any) -> None:
        try:
            one()
        except BaseException as error:  # handed to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
