"""A review for the tests of its pages: drawn faces, a real server in a process of its own.

Run as a program, it is that server: `review_server.py PAIRS FACES STORE PORT OVERLAP PERSON UNTIL
REPEAT`.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import uuid4

import numpy as np
from PIL import Image

from pairsets.pairset import PairSet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVIL = "<img src=x onerror=alert(1)>&quot;"
IDENTITIES = (EVIL, "d & e", "橘_雪", "שרה_כהן", "Ünal (school) %41", "rei", "Rei2", "zoë", "kaoru")
EACH = 5
MODELS = ("resnet", f"m {EVIL}")
SUSPECT = f"one picture twice {EVIL}"
# What a browser says of a server that is killed: refused, reset, or cut off within an answer.
CUT_OFF = "net::ERR_"


def plant(folder: Path, *, negatives: int = 250, positives: int = 40) -> Path:
    """Plant faces in `folder/faces`, and pairs of them in `folder/pairs.csv`, the path returned."""
    generator = np.random.default_rng(5)
    faces = []
    for identity in IDENTITIES:
        (folder / "faces" / identity).mkdir(parents=True)
        base = generator.integers(0, 256, (6, 6, 3))
        for number in range(EACH):
            blocks = np.clip(base + generator.integers(-40, 41, base.shape), 0, 255)
            image = Image.fromarray(blocks.astype(np.uint8)).resize((96, 96), 0)
            faces.append(f"{identity}/{number}.png")
            image.save(folder / "faces" / faces[-1])
    every = list(combinations(faces, 2))
    same = [pair for pair in every if pair[0].split("/")[0] == pair[1].split("/")[0]]
    different = [pair for pair in every if pair[0].split("/")[0] != pair[1].split("/")[0]]
    chosen = [
        *(different[n] for n in generator.permutation(len(different))[:negatives]),
        *(same[n] for n in generator.permutation(len(same))[:positives]),
    ]
    first, second = zip(*chosen, strict=True)
    labels = [int(a.split("/")[0] == b.split("/")[0]) for a, b in chosen]
    return PairSet.of(first, second, labels, [-1] * len(chosen), [0] * len(chosen)).write(
        folder / "pairs.csv"
    )


def suspects(pairs: PairSet) -> list[int]:
    """Rows that are marked as suspects."""
    return list(range(0, len(pairs), 7))


def scores(pairs: PairSet) -> dict[str, Any]:
    """Scores of two models: one of every pair, the other of every second."""
    drawn = np.random.default_rng(9).normal(size=(2, len(pairs)))
    drawn[1, ::2] = np.nan
    return dict(zip(MODELS, drawn, strict=True))


@dataclass
class ReviewServer:
    """Server of a review in a process, which can be killed and started again in place."""

    file: Path
    overlap: float = 1.0
    person: str = ""
    until: str = ""
    repeat: float = 0.0
    port: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def pairs(self) -> PairSet:
        return PairSet.read(self.file)

    @property
    def store(self) -> Path:
        return self.file.with_suffix(".sqlite")

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the server; returns when the page can be opened."""
        given = [
            self.file,
            self.file.parent / "faces",
            self.store,
            self.port,
            self.overlap,
            self.person,
            self.until,
            self.repeat,
        ]
        self.process = subprocess.Popen(
            [sys.executable, __file__, *map(str, given)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        announced = self.process.stdout.readline().strip()
        assert announced.startswith("http"), announced
        self.port = int(announced.rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        """Kill the server as `kill -9` does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query of the database."""
        with closing(sqlite3.connect(self.store)) as connection:
            return connection.execute(query, values).fetchall()

    def said(self, person: str) -> list[tuple[int, int, int, str]]:
        """Verdicts of a person in their order: pair, prediction, invalid, reason."""
        return self.rows(
            "SELECT pair, prediction, invalid, reason FROM verdicts JOIN annotators a"
            " ON a.id = annotator WHERE a.name = ? ORDER BY event",
            person,
        )

    def ask(self, person: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Answer of the API to a request."""
        request = Request(
            f"{self.link}api{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Annotator": quote(person), "Content-Type": "application/json"},
        )
        with urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def judge(self, person: str, verdicts: dict[int, str]) -> None:
        """Judge pairs without a browser: by the word, or the reason that makes one invalid."""
        self.ask(person, "/annotators", {"name": person})
        for pair, word in verdicts.items():
            known = word in ("same", "different")
            said = {"verdict": word} if known else {"verdict": "invalid", "reason": word}
            body = {"key": str(uuid4()), "pair": pair, "seconds": 2.5, **said}
            self.ask(person, "/judgements", body)


@contextmanager
def serving(
    file: Path, *, overlap: float = 1.0, person: str = "", until: str = "", repeat: float = 0.0
) -> Iterator[ReviewServer]:
    """Serve a review of the pairs in `file` until the end."""
    server = ReviewServer(file, overlap, person, until, repeat)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@dataclass
class Visit:
    """Visit of a page in the browser: what it complained of, what it was answered."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)


@contextmanager
def visit_review(
    browser: Browser, server: ReviewServer, where: str = "", *, may_say: str = "", **context: Any
) -> Iterator[Visit]:
    """Open the review in a fresh profile; fails if the page complains, or asks anybody else.

    Args:
        browser: from `browser.running_browser`.
        server: of the review.
        where: what follows the link: `?as=Rei#/history`.
        may_say: complaints with this in them are expected.
        **context: Playwright's settings.
    """
    from support.browser import PATIENCE_MS, WATCH

    profile = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | context)
    try:
        page = profile.new_page()
        page.set_default_timeout(PATIENCE_MS)
        seen = Visit(page)

        def complain(text: str) -> None:
            if not (may_say and may_say in text):
                seen.complaints.append(text)

        page.on("console", lambda said: said.type in ("error", "warning") and complain(said.text))
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("dialog", lambda box: (complain(box.message), box.dismiss()))
        page.on("request", lambda asked: seen.requests.append(asked.url))
        page.on("response", lambda answer: seen.answers.append(answer))
        page.add_init_script(WATCH)
        page.goto(server.link + where)
        yield seen
        assert not [url for url in seen.requests if not url.startswith(server.link)]
        assert not seen.complaints, seen.complaints
    finally:
        profile.close()


def until(page: Page, condition: str, value: Any = None) -> None:
    """Wait for an expression of `value`; Playwright's own way is against the page's policy."""
    from support.browser import PATIENCE_MS

    met = page.evaluate(
        """([value, within]) => new Promise((resolve) => {
            const end = performance.now() + within;
            const look = () => {
                if (CONDITION) resolve(true);
                else if (performance.now() > end) resolve(false);
                else setTimeout(look, 10);
            };
            look();
        })""".replace("CONDITION", condition),
        [value, PATIENCE_MS],
    )
    assert met, condition


def _main() -> None:
    from pairsets.review.judgement.assignment import Assignment
    from pairsets.review.judgement.session import Review
    from pairsets.review.store import connection
    from pairsets.review.store.store import Store
    from pairsets.review.web.server import serve

    # Seconds until a locked database is an error: who tests that waits for them.
    connection.PATIENCE_S = 2.0
    file, faces, store, port, overlap, person, until, repeat = sys.argv[1:]
    pairs = PairSet.read(file)
    plan = {"overlap": float(overlap), "repeat": float(repeat)}
    with Store.begin(Path(store), pairs, until=until, **plan) as found:
        found.mark(dict.fromkeys(suspects(pairs), ("duplicate", SUSPECT)))
        shown = scores(pairs)
        review = Review(found, Assignment(found), Path(faces), "pairs.csv", shown, person or None)
        serve(review, port=int(port), announce=lambda link: print(link, flush=True))


if __name__ == "__main__":
    _main()
