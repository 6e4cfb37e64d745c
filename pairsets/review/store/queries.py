"""The questions that a review asks of its database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock, local
from typing import Literal

from pairsets.review.store.access import reading
from pairsets.review.store.connection import Connection
from pairsets.review.store.verdicts import Verdict, VerdictRecord

Kind = Literal["judge", "skip", "undo", "change", "import", "decide", "unsure", "repeat"]
# Kinds that put a pair off: no verdict, and it comes again.
PUT_OFF = ("skip", "unsure")
Cells = tuple[object, ...]
Rows = list[Cells]
# How a verdict that says that a pair is invalid is told among numbers of predictions.
INVALID = 2
_WORD = f"CASE v.invalid WHEN 1 THEN {INVALID} ELSE v.prediction END"
_VERDICTS = "verdicts v JOIN annotators a ON a.id = v.annotator"
_DECISIONS = "decisions d JOIN annotators a ON a.id = d.annotator"
_SAID = "SELECT a.name, v.pair, v.prediction, v.invalid, v.reason, v.seconds, v.at"
_DECIDED = "SELECT a.name, d.pair, d.prediction, d.invalid, d.reason, NULL, d.at"


@dataclass(frozen=True)
class Event:
    """One thing that happened: see `schema`; an undo may have found no pair."""

    id: int
    kind: Kind
    annotator: int
    pair: int | None


@dataclass(frozen=True)
class Repeat:
    """Second answer of a person to a pair, beside the first one as it was given then.

    Attributes:
        annotator: who, by name.
        pair: row of the pair set.
        first, second: what was said.
        seconds: how long the pair was on the screen the second time, where that is known.
        at: when the second answer was given, ISO 8601 in UTC.
    """

    annotator: str
    pair: int
    first: Verdict
    second: Verdict
    seconds: float | None
    at: str

    @property
    def is_alike(self) -> bool:
        """Whether both say same, different or invalid; why a pair is invalid may differ."""
        return self.first.word == self.second.word


class Queries:
    """A review's database as it is read: as of the last commit, from any number of threads."""

    def __init__(self, path: Path, connection: Connection, *, served: bool = False) -> None:
        self.path = path
        self._db = connection
        self._lock = RLock()
        # Who reads does not wait for who writes: every thread reads by a connection of its own.
        self._served = served
        self._local = local()
        self._readers: list[Connection] = []

    def read(self, query: str, values: Iterable[object] = ()) -> list[tuple[object, ...]]:
        """The rows of a query that only reads, as of the last commit."""
        if self._served:
            return self._reader().execute(query, tuple(values)).fetchall()
        with self._lock:
            return self._db.execute(query, tuple(values)).fetchall()

    @property
    def last_event(self) -> int:
        """The number of what happened last; 0 before anything did."""
        return int(self.read("SELECT coalesce(max(id), 0) FROM events")[0][0])  # type: ignore[call-overload, no-any-return]

    @property
    def annotators(self) -> dict[int, str]:
        """Names by number."""
        return {int(n): str(name) for n, name in self.read("SELECT id, name FROM annotators")}  # type: ignore[call-overload]

    def said(self, pair: int | None = None) -> list[VerdictRecord]:
        """The verdicts that stand, on all pairs or one: by pair, then who began first."""
        where, values = ("", ()) if pair is None else ("WHERE v.pair = ?", (pair,))
        return _said(self.read(f"{_SAID} FROM {_VERDICTS} {where} ORDER BY v.pair, a.id", values))

    def decisions(self) -> dict[int, VerdictRecord]:
        """The decisions on pairs that people disagree on, by pair."""
        rows = self.read(f"{_DECIDED} FROM {_DECISIONS} ORDER BY d.pair")
        return {one.pair: one for one in _said(rows)}

    def to_merge(self) -> tuple[list[VerdictRecord], list[VerdictRecord]]:
        """Verdicts and decisions that stand, each as late as all that was known when it was said.

        A verdict that was given after another one was taken back is the later one, though the clock
        was set back in between, and times once went back with it.
        """
        # Up to what made the verdict: a second answer to the pair, or its undoing, is none.
        mine = "pair = v.pair AND annotator = v.annotator"
        said = self.read(
            f"{_SAID}, (SELECT max(at) FROM events WHERE {mine} AND kind <> 'decide' AND id <="
            f" (SELECT max(id) FROM events WHERE {mine} AND kind IN ('judge', 'change', 'import')))"
            f" FROM {_VERDICTS} ORDER BY v.pair, a.id"
        )
        decided = self.read(
            f"{_DECIDED}, (SELECT max(e.at) FROM events e WHERE e.pair = d.pair AND"
            f" e.kind = 'decide') FROM {_DECISIONS} ORDER BY d.pair"
        )
        said, decided = (
            [(*row[:6], since(str(row[6]), row[7])) for row in rows] for rows in (said, decided)
        )
        return _said(said), _said(decided)

    def suspects(self) -> dict[int, tuple[str, str]]:
        """The suspects by row, as `Store.mark` noted them."""
        rows = self.read("SELECT pair, kinds, reason FROM suspects ORDER BY pair")
        return {int(pair): (str(kinds), str(reason)) for pair, kinds, reason in rows}  # type: ignore[call-overload]

    def events_after(self, last: int) -> list[Event]:
        """The events after number `last`, in order."""
        rows = self.read(
            "SELECT id, kind, annotator, pair FROM events WHERE id > ? ORDER BY id", (last,)
        )
        return [Event(*row) for row in rows]  # type: ignore[arg-type]

    def pace(self, annotator: int, count: int = 50) -> list[float]:
        """Seconds that each of a person's latest verdicts took."""
        rows = self.read(
            "SELECT seconds FROM verdicts WHERE annotator = ? AND seconds IS NOT NULL"
            " ORDER BY event DESC LIMIT ?",
            (annotator, count),
        )
        return [float(row[0]) for row in rows]  # type: ignore[arg-type]

    def last_deeds(self) -> dict[int, str]:
        """By person, when something was last done here: ISO 8601 in UTC.

        What was imported was done elsewhere.
        """
        query = "SELECT annotator, max(at) FROM events WHERE kind <> 'import' GROUP BY annotator"
        return dict(self.read(query))  # type: ignore[arg-type]

    def number_of(self, name: str) -> int | None:
        """The number of a person; None where nobody is called so."""
        found = self.read("SELECT id FROM annotators WHERE name = ?", (name,))
        return int(found[0][0]) if found else None  # type: ignore[call-overload]

    def judged(self) -> list[tuple[int, int]]:
        """Person and pair of each verdict."""
        return self.read("SELECT annotator, pair FROM verdicts")  # type: ignore[return-value]

    def put_off(self) -> list[tuple[int, int, Kind]]:
        """Person, pair and kind (skip or unsure) of what was put off, in order."""
        return self.read(  # type: ignore[return-value]
            "SELECT s.annotator, s.pair, e.kind FROM skips s JOIN events e ON e.id = s.event"
            " ORDER BY s.event"
        )

    def put_off_among(self, annotator: int, pairs: Sequence[int]) -> dict[int, Kind]:
        """The pairs among these that a person put off, and the kind: skip or unsure."""
        query = "SELECT pair, kind FROM (SELECT s.pair, s.annotator, e.kind FROM skips s"
        joined = f"{query} JOIN events e ON e.id = s.event)"
        return dict(self._of(joined, pairs, f"AND annotator = {int(annotator)}"))  # type: ignore[arg-type]

    def unsure(self) -> dict[int, int]:
        """By person, how many pairs wait of which the person was unsure, and has no verdict."""
        rows = self.read(
            "SELECT s.annotator, count(*) FROM skips s JOIN events e ON e.id = s.event"
            " WHERE e.kind = 'unsure' AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE"
            " v.annotator = s.annotator AND v.pair = s.pair) GROUP BY s.annotator"
        )
        return dict(rows)  # type: ignore[arg-type]

    def can_undo(self, annotator: int) -> bool:
        """True where a person has said or skipped something that `Store.undo` would take back."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM skips WHERE annotator = ?1) OR EXISTS (SELECT 1"
            " FROM repeats WHERE annotator = ?1) OR EXISTS (SELECT 1"
            " FROM verdicts v JOIN events e ON e.id = v.event"
            " WHERE v.annotator = ?1 AND e.kind = 'judge')"
        )
        return bool(self.read(query, (annotator,))[0][0])

    def has_said(self, annotator: int, pair: int) -> bool:
        """True where a verdict of this person on a pair stands."""
        query = "SELECT 1 FROM verdicts WHERE annotator = ? AND pair = ?"
        return bool(self.read(query, (annotator, pair)))

    def asks_again_after(self, annotator: int) -> int | None:
        """The pair that a person judged last, with nothing asked again since; None for none.

        Verdicts that were imported are nothing that this person was asked.
        """
        rows = self.read(
            "SELECT v.pair, e.kind = 'judge' AND v.event > (SELECT max("
            " (SELECT coalesce(max(event), 0) FROM repeats WHERE annotator = ?1),"
            " (SELECT coalesce(max(s.event), 0) FROM skips s JOIN verdicts USING (annotator, pair)"
            "  WHERE s.annotator = ?1)))"
            " FROM verdicts v JOIN events e ON e.id = v.event WHERE v.annotator = ?1"
            " ORDER BY v.event DESC LIMIT 1",
            (annotator,),
        )
        return int(rows[0][0]) if rows and rows[0][1] else None  # type: ignore[call-overload]

    def turns(self, annotator: int) -> list[tuple[int, bool]]:
        """The pairs that a person judged, in order, and whether each may be asked again.

        It may where the verdict is the only one, and the person has not come back to the pair: not
        by an undo, a change, an import or a decision, nor by having been asked again.
        """
        rows = self.read(
            "SELECT v.pair, e.kind = 'judge' AND NOT EXISTS (SELECT 1 FROM events o"
            "  WHERE o.pair = v.pair AND o.annotator = v.annotator AND o.id <> v.event"
            "  AND o.kind IN ('judge', 'change', 'import', 'decide'))"
            " AND NOT EXISTS (SELECT 1 FROM repeats r WHERE r.annotator = v.annotator"
            "  AND r.pair = v.pair)"
            " AND NOT EXISTS (SELECT 1 FROM skips s WHERE s.annotator = v.annotator"
            "  AND s.pair = v.pair)"
            " FROM verdicts v JOIN events e ON e.id = v.event WHERE v.annotator = ?"
            " ORDER BY v.event",
            (annotator,),
        )
        return [(int(pair), bool(fresh)) for pair, fresh in rows]  # type: ignore[call-overload]

    def repeats(self) -> list[Repeat]:
        """The second answers: by pair, then who began first."""
        rows = self.read(
            "SELECT a.name, r.pair, f.prediction, f.invalid, f.reason, r.prediction, r.invalid,"
            " r.reason, s.seconds, r.at FROM repeats r JOIN annotators a ON a.id = r.annotator"
            " JOIN events s ON s.id = r.event JOIN events f ON f.id = (SELECT max(id) FROM events"
            "  WHERE pair = r.pair AND annotator = r.annotator AND kind = 'judge' AND id < r.event)"
            " ORDER BY r.pair, a.id"
        )
        return [
            Repeat(str(name), int(pair), _verdict(*first), _verdict(*second), seconds, str(at))  # type: ignore[arg-type, call-overload]
            for name, pair, *cells, seconds, at in rows
            for first, second in [(cells[:3], cells[3:])]
        ]

    def unsure_again(self) -> dict[int, int]:
        """By person, how many pairs were judged, and not told when they were asked again."""
        rows = self.read(
            "SELECT s.annotator, count(*) FROM skips s JOIN events e ON e.id = s.event"
            " JOIN verdicts v ON v.annotator = s.annotator AND v.pair = s.pair"
            " WHERE e.kind = 'unsure' GROUP BY s.annotator"
        )
        return dict(rows)  # type: ignore[arg-type]

    def decided(self, after: int = -1) -> list[tuple[int, int]]:
        """Person and pair of each decision that was ever made after event number `after`."""
        query = "SELECT annotator, pair FROM events WHERE id > ? AND kind = 'decide'"
        return self.read(query, (after,))  # type: ignore[return-value]

    def settled(self) -> list[tuple[int, int]]:
        """Pair, and whether it is invalid, of each decision that stands."""
        return self.read("SELECT pair, invalid FROM decisions")  # type: ignore[return-value]

    def decided_words(self) -> list[tuple[int, int]]:
        """Pair and word of each decision that stands; a word is 0, 1 or `INVALID`."""
        word = _WORD.replace("v.", "d.")
        return self.read(f"SELECT d.pair, {word} FROM decisions d")  # type: ignore[return-value]

    def words(self) -> list[tuple[int, int, int, int]]:
        """Person, pair, word and first event of each verdict; a word is 0, 1 or `INVALID`."""
        return self.read(f"SELECT annotator, pair, {_WORD}, event FROM verdicts v")  # type: ignore[return-value]

    def words_after(self, last: int) -> list[tuple[int, int, int | None, int | None]]:
        """Words as of `words` that may be new since event number `last`; None for none."""
        return self.read(  # type: ignore[return-value]
            f"SELECT e.annotator, e.pair, {_WORD}, v.event FROM (SELECT DISTINCT annotator, pair"
            " FROM events WHERE id > ? AND pair IS NOT NULL) e"
            " LEFT JOIN verdicts v USING (annotator, pair)",
            (last,),
        )

    def opinions(self, pairs: Sequence[int], *, decided: bool = False) -> list[VerdictRecord]:
        """Verdicts on these pairs, or decisions: by pair, then who began first."""
        query = f"{_DECIDED} FROM {_DECISIONS}" if decided else f"{_SAID} FROM {_VERDICTS}"
        return _said(self._of(query, pairs, "ORDER BY pair, a.id"))

    def suspects_among(self, pairs: Sequence[int]) -> dict[int, tuple[str, str]]:
        """The suspects of these pairs, as `suspects`."""
        rows = self._of("SELECT pair, kinds, reason FROM suspects", pairs)
        return {int(pair): (str(kinds), str(reason)) for pair, kinds, reason in rows}  # type: ignore[call-overload]

    def decision(self, pair: int) -> tuple[str, str] | None:
        """When a pair was decided, and by whom, where a decision stands."""
        found = self.read(f"SELECT d.at, a.name FROM {_DECISIONS} WHERE d.pair = ?", (pair,))
        return found[0] if found else None  # type: ignore[return-value]

    def is_known(self, key: str, kind: Kind | None = None) -> bool:
        """True where an event of this key, and of this kind, was written down."""
        rows = self.read("SELECT kind FROM events WHERE key = ?", (key,))
        return bool(rows) and kind in (None, rows[0][0])

    def before(self, annotator: int, pair: int, key: str) -> tuple[Kind, Verdict | None] | None:
        """Kind of event that a person took back by the event `key`, and its verdict.

        A pair that was put off had none; None where nothing was taken back.
        """
        rows = self.read(
            "SELECT kind, prediction, invalid, reason FROM events WHERE annotator = ? AND"
            " pair = ? AND kind <> 'decide' AND id < (SELECT id FROM events WHERE key = ?)"
            " ORDER BY id DESC LIMIT 1",
            (annotator, pair, key),
        )
        if not rows:
            return None
        kind, prediction, invalid, reason = rows[0]
        if kind in PUT_OFF:
            return kind, None  # type: ignore[return-value]
        return kind, Verdict(prediction, bool(invalid), str(reason))  # type: ignore[arg-type, return-value]

    def account(self) -> list[tuple[VerdictRecord, bool]]:
        """All verdicts and decisions of one moment, by pair, those given first before.

        With each, whether it is a decision.
        """
        rows = self.read(
            f"{_SAID}, 0 AS decided FROM {_VERDICTS} UNION ALL {_DECIDED}, 1 FROM {_DECISIONS}"
            " ORDER BY 2, 7, 1"
        )
        return list(
            zip(_said(row[:7] for row in rows), (bool(row[7]) for row in rows), strict=True)
        )

    def _of(self, query: str, pairs: Sequence[int], order: str = "") -> Rows:
        """The rows of a table that are about these pairs."""
        marks = ",".join("?" * len(pairs))
        return self.read(f"{query} WHERE pair IN ({marks}) {order}", pairs)

    def _reader(self) -> Connection:
        """This thread's own connection, which only reads."""
        found: Connection | None = getattr(self._local, "reader", None)
        if found is None:
            found = reading(self.path)
            self._local.reader = found
            with self._lock:
                self._readers.append(found)
        return found


def since(at: str, last: object) -> str:
    """Since when what bears the time `at` stands, where something before it bears `last`."""
    return at if last is None or str(last) <= at else later(str(last))


def later(moment: str) -> str:
    """A millisecond later; the end of time itself."""
    try:
        later = datetime.fromisoformat(moment) + timedelta(milliseconds=1)
    except OverflowError:
        return moment
    return later.isoformat(timespec="milliseconds")


def _verdict(prediction: object, invalid: object, reason: object) -> Verdict:
    return Verdict(prediction, bool(invalid), str(reason))  # type: ignore[arg-type]


def _said(rows: Iterable[Cells]) -> list[VerdictRecord]:
    # Of few kinds; each checks itself, but once.
    kinds: dict[Cells, Verdict] = {}
    found = []
    for name, pair, *cells, seconds, at in rows:
        said, invalid, why = kind = tuple(cells)
        if kind not in kinds:
            kinds[kind] = Verdict(said, bool(invalid), why)  # type: ignore[arg-type]
        found.append(VerdictRecord(str(name), int(pair), kinds[kind], seconds, str(at)))  # type: ignore[arg-type, call-overload]
    return found
