"""Whether a verdict that was acknowledged is ever lost: the review's server killed many times.

    python -m benchmarks.durability_verdicts [--verdicts 10000] [--kills 30]

A real server in a process of its own, on loopback; several people judge at once, each over a real
connection, change and take back what they said, and are sent the same pairs as a browser would. At
random moments the server is killed (`SIGKILL`) and started again at the same database. Every answer
that arrived is written down here, and at the end compared with the database, opened anew:

- **lost**: an acknowledged verdict, change or undo that the database does not have;
- **wrong**: a verdict in the database that nobody sent, or one twice among what happened;

Every start, and the look at the end, reads the whole database and refuses a damaged one.

What was on its way when the server was killed may be there or not; it is sent again under the same
key, as the page does, and then has to be there once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any

from benchmarks.machine import keep
from pairsets.pairset import PairSet
from pairsets.review.store.store import Store

PROGRAM = "from mining.cli import main\nmain()"
PEOPLE = ("Rei", "Bo", "Mio", "Asuka")
WORDS = ("same", "different", "invalid")
# Longer than any pause of a busy machine: what does not answer by then is a failure.
PATIENCE_S = 120


@dataclass
class Acknowledged:
    """What the server said was on the disk, by person.

    Attributes:
        stands: by pair, the verdict that stands.
        keys: of all that was acknowledged.
        kinds: how many of each kind were.
        sent_again: requests that were sent more than once.
    """

    stands: dict[int, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    kinds: dict[str, int] = field(default_factory=dict)
    sent_again: int = 0


class Served:
    """A server that is killed and comes back at another port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        self.kills = 0
        self.start()

    def start(self) -> None:
        """Begin to serve; returns once it can be asked."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "review", "set.csv", "--faces", "faces", "--port", "0"],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        link = next((line for line in self._process.stdout if line.startswith("http")), None)
        if link is None:
            raise RuntimeError("the review did not begin again")
        self.address = link.split("/")[2].strip()

    def kill(self) -> None:
        """End it as a lack of memory or of power would, and start it again."""
        with self._lock:
            assert self._process is not None
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self.kills += 1
            self.start()

    def end(self) -> None:
        """Kill it for good."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


class Person:
    """Somebody who judges, and sends again what was not answered."""

    def __init__(self, served: Served, name: str, seed: int, done: Callable[[], None]) -> None:
        self.name, self.known = name, Acknowledged()
        self._served, self._done = served, done
        self._dice = random.Random(seed)
        self._connection: http.client.HTTPConnection | None = None
        self._number = self._verdicts = 0

    def judge(self, count: int) -> None:
        """Judge until `count` verdicts are acknowledged, changed ones among them."""
        self._ask("POST", "/api/annotators", {"name": self.name})
        work = self._ask("GET", "/api/next?count=1")
        while self._verdicts < count:
            stands, dice = self.known.stands, self._dice.random()
            self._number += 1
            body: dict[str, Any] = {"key": f"{self.name}-{self._number:08}"}
            word = self._dice.choice(WORDS)
            if stands and dice < 0.1:
                pair = self._dice.choice(list(stands))
                self._ask("POST", "/api/changes", body | {"pair": pair, "verdict": word})
                stands[pair] = word
                self._note("changes", body)
            elif stands and dice < 0.15:
                answer = self._ask("POST", "/api/undo", body | {"count": 1})
                stands.pop(answer["pair"]["pair"])
                self._note("undo", body)
                work = answer
            else:
                pair = work["pairs"][0]["pair"]
                said = {"pair": pair, "verdict": word, "seconds": 1.5, "count": 1}
                work = self._ask("POST", "/api/judgements", body | said)
                stands[pair] = word
                self._note("judgements", body)

    def _note(self, kind: str, body: dict[str, Any]) -> None:
        self.known.keys.add(body["key"])
        self.known.kinds[kind] = self.known.kinds.get(kind, 0) + 1
        if kind != "undo":
            self._verdicts += 1
            self._done()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer, however often the server has to be asked for it."""
        end = time.monotonic() + PATIENCE_S
        content = None if body is None else json.dumps(body)
        headers = {"X-Annotator": self.name, "Content-Type": "application/json"}
        tries = 0
        while True:
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(self._served.address, timeout=60)
                self._connection.request(method, path, content, headers)
                answer = self._connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                if time.monotonic() > end:
                    raise
                self._connection = None
                tries += 1
                time.sleep(0.01)
                continue
            if answer.status != 200:
                raise RuntimeError(f"{self.name}, {path}: {answer.status}: {text[:300]!r}")
            self.known.sent_again += tries > 0 and method == "POST"
            return json.loads(text)


def acknowledged_verdicts(verdicts: int = 10_000, kills: int = 30, seed: int = 0) -> dict[str, Any]:
    """Judge until `verdicts` answers arrived, with `kills` of the server spread among them.

    Returns:
        Numbers: `acknowledged` verdicts, these and undos `by_kind`, `kills`, `lost` and `wrong`,
        which have to be 0, how many were `sent_again`, and the `seconds` it took.
    """
    dice = random.Random(seed)
    each = -(-verdicts // len(PEOPLE))
    moments = sorted(dice.sample(range(1, each * len(PEOPLE)), kills))
    start = time.perf_counter()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pairs = _pairs(each)
        pairs.write(folder / "set.csv")
        (folder / "faces" / "a").mkdir(parents=True)
        (folder / "faces" / pairs.path_a[0]).touch()
        served, lock, count = Served(folder), Lock(), 0
        problems: list[str] = []

        def done() -> None:
            nonlocal count
            with lock:
                count += 1

        def run(person: Person) -> None:
            try:
                person.judge(each)
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}")

        people = [Person(served, name, seed * 100 + at, done) for at, name in enumerate(PEOPLE)]
        threads = [Thread(target=run, args=(person,)) for person in people]
        try:
            for thread in threads:
                thread.start()
            for moment in moments:
                while count < moment and any(thread.is_alive() for thread in threads):
                    time.sleep(0.001)
                # Anywhere between two answers, and not always right behind one.
                time.sleep(dice.random() * 0.01)
                served.kill()
            for thread in threads:
                thread.join()
        finally:
            served.end()
        if problems:
            raise RuntimeError("; ".join(problems))
        found = _found(folder / "set.review.sqlite")
    lost, wrong = _compared(people, *found)
    kinds: dict[str, int] = {}
    for person in people:
        for kind, number in person.known.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + number
    return {
        "acknowledged": count,
        "by_kind": kinds,
        "people": len(people),
        "pairs": len(pairs),
        "kills": served.kills,
        "lost": lost,
        "wrong": wrong,
        "sent_again": sum(person.known.sent_again for person in people),
        "seconds": round(time.perf_counter() - start, 1),
    }


def _pairs(count: int) -> PairSet:
    """So many pairs that nobody comes to an end."""
    faces = [f"{name}/{number}.png" for name in "ab" for number in range(2 * count)]
    half = len(faces) // 2
    return PairSet.of(faces[:half], faces[half:], 0)


Stands = dict[str, dict[int, str]]


def _found(path: Path) -> tuple[Stands, dict[str, int]]:
    """What stands by person and pair, and how often each key is among what happened.

    Opening it reads all of it, and refuses what is damaged.
    """
    with Store.open(path) as store:
        stands: Stands = {name: {} for name in PEOPLE}
        for one in store.said():
            stands[one.annotator][one.pair] = one.verdict.word
        keys = store.read("SELECT key, count(*) FROM events GROUP BY key")
        return stands, {str(key): int(number) for key, number in keys}  # type: ignore[call-overload]


def _compared(people: list[Person], stands: Stands, keys: dict[str, int]) -> tuple[int, int]:
    """How much of what was acknowledged is not there, and how much is there that was not."""
    lost = wrong = 0
    acknowledged: set[str] = set()
    for person in people:
        mine, there = person.known.stands, stands[person.name]
        lost += sum(there.get(pair) != word for pair, word in mine.items())
        wrong += len(there.keys() - mine.keys())
        lost += len(person.known.keys - keys.keys())
        acknowledged |= person.known.keys
    wrong += sum(number != 1 for number in keys.values()) + len(keys.keys() - acknowledged)
    return lost, wrong


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verdicts", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=30)
    options = parser.parse_args()
    keep("durability_verdicts", acknowledged_verdicts(options.verdicts, options.kills))


if __name__ == "__main__":
    main()
