"""The database of a review: every verdict is on the disk before anything else happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pairsets.pairset import PairSet
from pairsets.review.store.access import connect
from pairsets.review.store.connection import Connection, DatabaseError, damaged, transaction
from pairsets.review.store.queries import PUT_OFF, Kind, Queries, later, since
from pairsets.review.store.schema import MOST_REPEATED, begin, pairs_in, rename_reasons
from pairsets.review.store.verdicts import ReviewError, Verdict, VerdictRecord, plain_name


class AlreadyJudgedError(ReviewError):
    """A verdict on a pair that this person has judged, in another window: the first one stands."""


class KeyReusedError(ReviewError):
    """A key of another event: what was sent now is not written down, and must not seem so."""


class Store(Queries):
    """The database of one pair set's review; from any number of threads and processes.

    Every method that writes is one transaction, and on the disk when it returns; where it raises,
    a `DatabaseError` too, nothing of it is there.

    What is said of a pair bears a time, and of one person and pair, or of the decisions on a pair,
    each time is later than all that this database knew before, however the clock stands. So of two
    databases' verdicts the later one was given by somebody who knew of the other, if either did;
    those who did not know of one another go by their clocks.

    Attributes:
        path: of the database.
        pairs: the pair set, as its file was when the review was last begun or gone on with.
        seed: of the orders.
        overlap: share of the pairs that everybody judges.
        sample: number of pairs that are to be judged; None for all.
        until: the aim at which judging ends, in words; empty for none.
        repeat: share of verdicts after which a pair that was judged before is asked again.
        digest: tells one set of pairs from another.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        pairs: PairSet | None = None,
        *,
        served: bool = False,
    ) -> None:
        super().__init__(path, connection, served=served)
        rename_reasons(connection)
        self._place = _place(path)
        about = dict(self._db.execute("SELECT key, value FROM about").fetchall())
        if not about:
            raise ReviewError(f"{path}: the database of a review that was never begun: no pairs")
        try:
            self.seed, self.overlap = int(about["seed"]), float(about["overlap"])
            self.digest = about["digest"]
            self.sample = int(about["sample"]) if "sample" in about else None
            self.until = str(about.get("until", ""))
            self.repeat = float(about.get("repeat", 0))
            self.pairs = pairs_in(connection) if pairs is None else pairs
        except (KeyError, ValueError, TypeError) as error:
            raise damaged(path, error) from None

    @classmethod
    def begin(
        cls,
        path: Path,
        pairs: PairSet,
        *,
        seed: int | None = None,
        overlap: float | None = None,
        sample: int | None = None,
        until: str | None = None,
        repeat: float | None = None,
    ) -> Store:
        """Begin the review of `pairs`, or go on with the one in `path`.

        Args:
            path: of the database.
            pairs: must be the pairs that the review was begun with: the same paths and labels in
                the same rows. Verdicts of the file itself may have changed.
            seed: of the orders; what the review was begun with, or 0.
            overlap: share of the pairs that everybody judges; what it was, or 1. It may change.
            sample: number of pairs to judge, drawn at random from those that count; what it was,
                or all. It may grow.
            until: see `pairsets.review.judgement.aims`; what it was, or none. It may change, and an
                empty text is none.
            repeat: share of verdicts after which a pair that the person judged before is asked
                again; what it was, or 0. It may change.

        Raises:
            ReviewError: other pairs, an overlap or repeat that is no such share, another seed than
                begun with, or a database that is damaged.
        """
        if overlap is not None and not 0 <= overlap <= 1:
            raise ReviewError(f"an overlap of {overlap:g}; expected a share from 0 to 1")
        if repeat is not None and not 0 <= repeat <= MOST_REPEATED:
            raise ReviewError(
                f"a repeat of {repeat:g}; expected a share from 0 to {MOST_REPEATED:g}"
            )
        connection = connect(path, create=True)
        try:
            with transaction(connection):
                begin(connection, path, pairs, seed, overlap, sample, until, repeat)
            return cls(path, connection, pairs, served=True)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a review that was begun.

        Raises:
            ReviewError: no such file, not a review's database, or a damaged one.
        """
        connection = connect(path, create=False)
        try:
            return cls(path, connection, served=True)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Let go of the file; what was acknowledged is in it already."""
        with self._lock:
            for one in (*self._readers, self._db):
                one.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def annotator(self, name: str) -> int:
        """The number of a person, who is written down where new.

        Raises:
            ReviewError: no name, too long a one, or one with control characters.
        """
        name = plain_name(name)
        with self._lock:
            known = self._number_of(name)
            if known is not None:
                return known
            with transaction(self._db):
                return self._written_down(name)

    def judge(
        self, annotator: int, pair: int, verdict: Verdict, *, key: str, seconds: float | None = None
    ) -> None:
        """Write a verdict down; the same key again changes nothing.

        Raises:
            AlreadyJudgedError: this person has judged the pair, under another key.
            KeyReusedError: the key is another event's.
            ReviewError: no such pair.
        """
        with self._writing(key, "judge", annotator, pair, verdict) as new:
            if not new:
                return
            self._refuse_stranger(pair)
            if self._stands(annotator, pair):
                raise AlreadyJudgedError(
                    f"pair {pair} is judged already, in another window; change it in the history"
                )
            at = self._moment(annotator, pair)
            event = self._event("judge", annotator, pair, key, at, verdict, seconds)
            self._write(annotator, pair, verdict, seconds, event, at)
            self._db.execute(
                "DELETE FROM skips WHERE annotator = ? AND pair = ?", (annotator, pair)
            )

    def judge_again(
        self, annotator: int, pair: int, verdict: Verdict, *, key: str, seconds: float | None = None
    ) -> None:
        """Write a second answer down, beside the verdict, which stays as it is.

        Raises:
            AlreadyJudgedError: this person has answered the pair twice.
            KeyReusedError: the key is another event's.
            ReviewError: this person has not judged the pair in this review.
        """
        with self._writing(key, "repeat", annotator, pair, verdict) as new:
            if not new:
                return
            self._refuse_again(annotator, pair)
            at = self._moment(annotator, pair)
            event = self._event("repeat", annotator, pair, key, at, verdict, seconds)
            self._db.execute(
                "INSERT INTO repeats VALUES (?, ?, ?, ?, ?, ?, ?)",
                (annotator, pair, *_cells(verdict), at, event),
            )

    def skip(self, annotator: int, pair: int, *, key: str, again: bool = False) -> None:
        """Put a pair off: it comes again when all others are judged.

        Args:
            annotator: who.
            pair: which.
            key: of the event.
            again: the pair was judged, and asked again: then it is not asked a third time.

        Raises:
            AlreadyJudgedError, KeyReusedError, ReviewError: as `judge`, or `judge_again`.
        """
        self._put_off("skip", annotator, pair, key, again)

    def be_unsure(self, annotator: int, pair: int, *, key: str, again: bool = False) -> None:
        """Put a pair off of which a person cannot tell: no verdict, and it comes again last of all.

        Args, Raises: as `skip`.
        """
        self._put_off("unsure", annotator, pair, key, again)

    def undo(self, annotator: int, *, key: str) -> int | None:
        """Take the last verdict or skip of a person back: the pair, or None where there is none.

        A second answer is taken back alone: the verdict before it stays. Verdicts that were
        imported are not undone. The same key again gives the same answer.
        """
        with self._writing(key, "undo", annotator) as new:
            if not new:
                query = "SELECT pair FROM events WHERE key = ?"
                pair = self._db.execute(query, (key,)).fetchone()[0]
                return None if pair is None else int(pair)
            found = self._db.execute(
                "SELECT pair, kind FROM ("
                " SELECT * FROM (SELECT v.pair, v.event, 'verdicts' AS kind FROM verdicts v"
                "  JOIN events e ON e.id = v.event WHERE v.annotator = ? AND e.kind = 'judge'"
                "  ORDER BY v.event DESC LIMIT 1)"
                " UNION ALL SELECT pair, event, 'skips' FROM skips WHERE annotator = ?"
                " UNION ALL SELECT pair, event, 'repeats' FROM repeats WHERE annotator = ?"
                ") ORDER BY event DESC LIMIT 1",
                (annotator, annotator, annotator),
            ).fetchone()
            # Written down even so: the same request again must not take back what came after it.
            pair, table = found or (None, None)
            # Later than the verdict, or this would come back by an import.
            at = now() if pair is None else self._moment(annotator, pair)
            self._event("undo", annotator, pair, key, at)
            if pair is None:
                return None
            self._db.execute(
                f"DELETE FROM {table} WHERE annotator = ? AND pair = ?", (annotator, pair)
            )
            return int(pair)

    def change(self, annotator: int, pair: int, verdict: Verdict, *, key: str) -> None:
        """Replace a verdict of the same person.

        Raises:
            ReviewError: this person has not judged the pair.
        """
        with self._writing(key, "change", annotator, pair, verdict) as new:
            if not new:
                return
            if not self._stands(annotator, pair):
                raise ReviewError(f"pair {pair} is not judged by this person: nothing to change")
            at = self._moment(annotator, pair)
            self._event("change", annotator, pair, key, at, verdict)
            # `event` and `seconds` stay those of the first verdict: they say in which order, and
            # how fast, pairs were judged.
            self._db.execute(
                "UPDATE verdicts SET prediction = ?, invalid = ?, reason = ?, at = ?"
                " WHERE annotator = ? AND pair = ?",
                (*_cells(verdict), at, annotator, pair),
            )

    def decide(self, annotator: int, pair: int, verdict: Verdict, *, key: str) -> None:
        """Settle a pair that people disagree on; a later decision replaces an earlier one.

        Raises:
            ReviewError: no such pair, or nobody judged it.
        """
        with self._writing(key, "decide", annotator, pair, verdict) as new:
            if not new:
                return
            self._refuse_stranger(pair)
            if not self._db.execute("SELECT 1 FROM verdicts WHERE pair = ?", (pair,)).fetchone():
                raise ReviewError(f"pair {pair} is judged by nobody: nothing to decide")
            at = _after(self._last_decision(pair))
            self._event("decide", annotator, pair, key, at, verdict)
            self._decide(annotator, pair, verdict, at)

    def take_in(
        self,
        said: Iterable[VerdictRecord],
        decided: Iterable[VerdictRecord] = (),
        *,
        annotators: Iterable[str] = (),
    ) -> dict[str, int]:
        """Add verdicts from elsewhere, all or none, and the people `annotators` with them.

        Where a person has another verdict on the pair, the later one stands, of one time that which
        comes in; likewise decisions. The same verdict again, given later, takes its later time.

        Returns:
            How many were `added`, `replaced`, `older` (and left out) and `known` already.

        Raises:
            ReviewError: a pair that this review does not have.
        """
        counts = dict.fromkeys(("added", "replaced", "older", "known"), 0)
        said, decided = list(said), list(decided)
        names = dict.fromkeys([*annotators, *(one.annotator for one in (*said, *decided))])
        with self._lock, transaction(self._db):
            numbers = {name: self._written_down(plain_name(name)) for name in names}
            for one in said:
                self._refuse_stranger(one.pair)
                counts[self._take_in(numbers[one.annotator], one)] += 1
            for one in decided:
                self._refuse_stranger(one.pair)
                counts[self._take_in_decision(numbers[one.annotator], one)] += 1
        return counts

    def mark(self, suspects: Mapping[int, tuple[str, str]]) -> None:
        """Note which pairs are suspects: by row, the kinds of doubt and the reason in words."""
        with self._lock, transaction(self._db):
            self._db.execute("DELETE FROM suspects")
            self._db.executemany(
                "INSERT INTO suspects VALUES (?, ?, ?)",
                ((pair, kinds, reason) for pair, (kinds, reason) in suspects.items()),
            )

    def _put_off(self, kind: Kind, annotator: int, pair: int, key: str, again: bool) -> None:
        with self._writing(key, kind, annotator, pair) as new:
            if not new:
                return
            self._refuse_stranger(pair)
            if again:
                self._refuse_again(annotator, pair)
            elif self._stands(annotator, pair):
                raise AlreadyJudgedError(f"pair {pair} is judged already, in another window")
            event = self._event(kind, annotator, pair, key, now())
            self._db.execute("REPLACE INTO skips VALUES (?, ?, ?)", (annotator, pair, event))

    @contextmanager
    def _writing(
        self,
        key: str,
        kind: Kind,
        annotator: int,
        pair: int | None = None,
        verdict: Verdict | None = None,
    ) -> Iterator[bool]:
        """A transaction; whether `key` is new in it."""
        with self._lock, transaction(self._db):
            if _place(self.path) != self._place:
                # SQLite would go on writing into a file that has no name any more.
                why = "its file was moved or deleted; stop the review and begin it again"
                raise DatabaseError(self.path, f"not written to: {why}", why)
            found = self._db.execute(
                "SELECT kind, annotator, pair, prediction, invalid, reason FROM events"
                " WHERE key = ?",
                (key,),
            ).fetchone()
            if found:
                said = None if found[3] is None else found[3:]
                same = said == (None if verdict is None else _cells(verdict))
                if found[:2] != (kind, annotator) or pair not in (None, found[2]) or not same:
                    raise KeyReusedError("the key was used before, for something else")
            yield not found

    def _refuse_stranger(self, pair: int) -> None:
        if not 0 <= pair < len(self.pairs):
            raise ReviewError(f"no pair {pair}; there are {len(self.pairs)}, from 0")

    def _refuse_again(self, annotator: int, pair: int) -> None:
        """Refuse a second answer where there is no first one, or where both are given."""
        self._refuse_stranger(pair)
        where = (annotator, pair)
        query = "SELECT 1 FROM events WHERE annotator = ? AND pair = ? AND kind = 'judge'"
        if not self._stands(*where) or not self._db.execute(query, where).fetchone():
            raise ReviewError(f"pair {pair} is not judged by this person: nothing to ask again")
        for table in ("repeats", "skips"):
            query = f"SELECT 1 FROM {table} WHERE annotator = ? AND pair = ?"
            if self._db.execute(query, where).fetchone():
                raise AlreadyJudgedError(f"pair {pair} is judged already, in another window")

    def _stands(self, annotator: int, pair: int) -> bool:
        query = "SELECT 1 FROM verdicts WHERE annotator = ? AND pair = ?"
        return self._db.execute(query, (annotator, pair)).fetchone() is not None

    def _number_of(self, name: str) -> int | None:
        found = self._db.execute("SELECT id FROM annotators WHERE name = ?", (name,)).fetchone()
        return None if found is None else int(found[0])

    def _written_down(self, name: str) -> int:
        """The number of a person, within a transaction."""
        known = self._number_of(name)
        if known is not None:
            return known
        done = self._db.execute("INSERT INTO annotators (name) VALUES (?)", (name,))
        return int(done.lastrowid or 0)

    def _moment(self, annotator: int, pair: int) -> str:
        """The time of what a person says of a pair now: later than all that was said before."""
        last = self._db.execute(
            "SELECT max(at) FROM (SELECT at FROM events WHERE annotator = :who AND pair = :pair"
            " AND kind <> 'decide'"
            " UNION ALL SELECT at FROM verdicts WHERE annotator = :who AND pair = :pair)",
            {"who": annotator, "pair": pair},
        ).fetchone()[0]
        return _after(last)

    def _last_decision(self, pair: int) -> str | None:
        """When a pair was last decided."""
        last: str | None = self._db.execute(
            "SELECT max(at) FROM (SELECT at FROM events WHERE pair = :pair AND kind = 'decide'"
            " UNION ALL SELECT at FROM decisions WHERE pair = :pair)",
            {"pair": pair},
        ).fetchone()[0]
        return last

    def _event(
        self,
        kind: Kind,
        annotator: int,
        pair: int | None,
        key: str,
        at: str,
        verdict: Verdict | None = None,
        seconds: float | None = None,
    ) -> int:
        cells = (None, None, None) if verdict is None else _cells(verdict)
        done = self._db.execute(
            "INSERT INTO events (kind, annotator, pair, key, prediction, invalid, reason, seconds,"
            " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, annotator, pair, key, *cells, seconds, at),
        )
        return int(done.lastrowid or 0)

    def _decide(self, annotator: int, pair: int, verdict: Verdict, at: str) -> None:
        self._db.execute(
            "REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?)",
            (pair, annotator, *_cells(verdict), at),
        )

    def _write(
        self,
        annotator: int,
        pair: int,
        verdict: Verdict,
        seconds: float | None,
        event: int,
        at: str,
    ) -> None:
        self._db.execute(
            "REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (annotator, pair, *_cells(verdict), seconds, at, event),
        )

    def _take_in(self, annotator: int, one: VerdictRecord) -> str:
        where = (annotator, one.pair)
        mine = self._db.execute(
            "SELECT prediction, invalid, reason, at FROM verdicts WHERE annotator = ? AND pair = ?",
            where,
        ).fetchone()
        last, taken_back = self._past(annotator, one.pair)
        if mine is None:
            outcome = "older" if taken_back > one.at else "added"
        else:
            last = since(mine[3], last)
            outcome = _outcome(mine[:3], last, one)
        later = outcome == "known" and one.at > last
        if outcome in ("added", "replaced") or later:
            key = _import_key("import", annotator, one)
            event = self._event(
                "import", annotator, one.pair, key, one.at, one.verdict, one.seconds
            )
            if later:
                self._db.execute(
                    "UPDATE verdicts SET at = ? WHERE annotator = ? AND pair = ?", (one.at, *where)
                )
            else:
                self._db.execute("DELETE FROM skips WHERE annotator = ? AND pair = ?", where)
                self._write(annotator, one.pair, one.verdict, one.seconds, event, one.at)
        return outcome

    def _past(self, annotator: int, pair: int) -> tuple[str, str]:
        """When a person last said something of a pair, and took a verdict on it back; "" never."""
        last = taken_back = before = ""
        stands = False
        for kind, at in self._db.execute(
            "SELECT kind, at FROM events WHERE annotator = ? AND pair = ? AND kind <> 'decide'"
            " ORDER BY id",
            (annotator, pair),
        ).fetchall():
            # To take back that a pair was put off takes no verdict back, and what is said, or put
            # off, of a pair that is asked again says nothing of the verdict.
            is_again = kind == "repeat" or (stands and kind in PUT_OFF)
            ends_again = kind == "undo" and before == "again"
            if not (is_again or ends_again):
                last = max(last, at)
                if kind == "undo" and before not in PUT_OFF:
                    taken_back, stands = last, False
                stands = stands or kind in ("judge", "change", "import")
            before = "again" if is_again else kind
        return last, taken_back

    def _take_in_decision(self, annotator: int, one: VerdictRecord) -> str:
        mine = self._db.execute(
            "SELECT prediction, invalid, reason, at FROM decisions WHERE pair = ?", (one.pair,)
        ).fetchone()
        last = "" if mine is None else since(mine[3], self._last_decision(one.pair))
        outcome = "added" if mine is None else _outcome(mine[:3], last, one)
        if outcome in ("added", "replaced") or (outcome == "known" and one.at > last):
            key = _import_key("decide", annotator, one)
            self._event("decide", annotator, one.pair, key, one.at, one.verdict)
            self._decide(annotator, one.pair, one.verdict, one.at)
        return outcome


def _after(last: str | None) -> str:
    """The time, or where the clock was set back, a moment after `last`."""
    moment = now()
    if last is None or moment > last:
        return moment
    after = later(last)
    if after == last:
        raise ReviewError(
            f"the last time of this pair is {last}, and none comes after it; did it come from a "
            "machine whose clock was wrong?"
        )
    return after


def _place(path: Path) -> tuple[int, int] | None:
    """Identity of a file, which tells it from another one of its name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def now() -> str:
    """The time, ISO 8601 in UTC to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _cells(verdict: Verdict) -> tuple[int, int, str]:
    return verdict.prediction, int(verdict.invalid), verdict.reason


def _outcome(mine: tuple[int, int, str], last: str, theirs: VerdictRecord) -> str:
    """Outcome of a verdict from elsewhere, beside the one that stands here since `last`."""
    if mine == _cells(theirs.verdict):
        return "known"
    # Of one time, as of two pair files, which tell none: what comes last stands.
    return "replaced" if theirs.at >= last else "older"


def _import_key(kind: str, annotator: int, one: VerdictRecord) -> str:
    return f"{kind}:{annotator}:{one.pair}:{one.at}:{one.verdict.word}:{now()}"
