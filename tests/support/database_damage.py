"""Databases of reviews, ways to damage them, and everything that opens one.

A reader gets the path of a damaged database and a folder of its own, ends well or raises one of our
errors, and never changes what it refuses.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mining.commands.review import export_review, export_tasks, import_review
from pairsets.errors import PairsetsError
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.session import Review
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError, Verdict, VerdictRecord
from pairsets.review.web.messages import Decision, DisagreementsQuery, HistoryQuery, Undo
from pairsets.review.web.service import ApiError, Desk
from support.reviews import all_pairs

PAIRS = all_pairs(count=120, invalid=3)
PEOPLE = ("Rei", "Bo", "橘 雪")
WORDS = ("same", "different", "invalid")
AT = "2026-05-01T09:30:00.500+00:00"
Reader = Callable[[Path, Path], None]


def databases(folder: Path) -> list[Path]:
    """Healthy databases of reviews, which nobody has open: full of everything, and just begun."""
    folder.mkdir(parents=True, exist_ok=True)
    full, new, small = (folder / f"{name}.sqlite" for name in ("full", "new", "small"))
    with Store.begin(full, PAIRS, overlap=0.5) as store:
        store.mark({2: ("duplicate", "mirrored"), 5: ("alias+crop", "two names")})
        for turn, name in enumerate(PEOPLE):
            who = store.annotator(name)
            for pair in range(60 + turn):
                verdict = Verdict.of(WORDS[(pair + turn) % 3])
                store.judge(who, pair, verdict, key=f"{turn}-{pair:07}", seconds=pair / 7)
            store.change(who, 3, Verdict.of("invalid", "bad crop"), key=f"{turn}-change")
            store.undo(who, key=f"{turn}-undo-it")
            store.skip(who, 90 + turn, key=f"{turn}-skip-it")
            store.be_unsure(who, 95 + turn, key=f"{turn}-unsure")
        store.decide(who, 1, Verdict.of("same"), key="decided-1")
        store.take_in(
            [VerdictRecord("Mio", pair, Verdict.of("same"), None, AT) for pair in range(30)]
        )
    with Store.begin(new, PAIRS):
        pass
    # Pages so small that most of their bytes are of something.
    with closing(sqlite3.connect(full)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA page_size = 512")
        connection.execute(f"VACUUM INTO '{small}'")
        connection.execute("PRAGMA journal_mode = WAL")
    return [full, new, small]


def readers() -> dict[str, Reader]:
    """Readers of a review's database, all there are, by what each is for."""
    return {
        "review": _judge,
        "review export": _export,
        "review export --to-format label-studio": _export_tasks,
        "review import of it": _import_from,
        "review import into it": _import_into,
    }


@contextmanager
def _refused_unchanged(*files: Path) -> Iterator[None]:
    """Check that what is refused stays as it is, and nothing is left beside it."""
    before = [file.read_bytes() for file in files]
    beside = [_beside(file) for file in files]
    try:
        yield
    except PairsetsError as error:
        if [file.read_bytes() for file in files] != before:
            raise AssertionError("a database was refused, and changed") from error
        if [_beside(file) for file in files] != beside:
            raise AssertionError("a database was refused, and files left beside it") from error
        if not any(file.name in str(error) for file in files):
            raise AssertionError(f"the message names no file: {error}") from error
        raise


def _beside(file: Path) -> list[Path]:
    """Files beside a database, but for SQLite's own where its header forbids to write."""
    own = [file.with_name(file.name + end) for end in ("-wal", "-shm")]
    return sorted(
        one
        for one in file.parent.iterdir()
        if one not in own or (one == own[0] and one.stat().st_size)
    )


def _placed(path: Path, scratch: Path) -> tuple[Path, Path]:
    """Paths of the pair file and of its review's database, the damaged one put in its place."""
    (scratch / "faces").mkdir(parents=True, exist_ok=True)
    pairs, store = scratch / "set.csv", scratch / "set.review.sqlite"
    # Of an earlier call, if the folder is used again.
    for old in (*scratch.glob("*.sqlite*"), *scratch.glob("judged*"), *scratch.glob("tasks*")):
        old.unlink()
    PAIRS.write(pairs)
    shutil.copyfile(path, store)
    return pairs, store


def _judge(path: Path, scratch: Path) -> None:
    _, place = _placed(path, scratch)
    with _refused_unchanged(place), Store.begin(place, PAIRS) as store:
        store.mark({7: ("crop", "cut")})
        review = Review(store, Assignment(store, suspects_first=True), scratch / "faces", "set.csv")
        _click_through(Desk(review))


def _click_through(desk: Desk) -> None:
    """Ask for everything that a page asks for, as `pairsets.review.web.app` passes it on."""
    store, rei = desk.store, desk.store.annotator("Rei")
    same = Verdict.of("same")
    for click in (
        lambda: desk.work(desk.person("Rei"), 6),
        lambda: desk.history.judged(rei, HistoryQuery(show="suspects")),
        lambda: desk.history.judged(rei, HistoryQuery(who="Bo")),
        lambda: desk.history.disagreements(rei, DisagreementsQuery(show="all", unjudged=True)),
        desk.agreement,
        lambda: store.judge(rei, 100, same, key="click-judge", seconds=1.0),
        lambda: store.change(rei, 100, Verdict.of("different"), key="click-change"),
        lambda: desk.decide(rei, Decision(key="click-decide", pair=0, verdict="same")),
        lambda: store.skip(rei, 101, key="click-skip"),
        lambda: store.be_unsure(rei, 102, key="click-unsure"),
        lambda: desk.undo(rei, Undo(key="click-undo")),
        lambda: desk.work(rei, 6),
    ):
        try:
            click()
        except (ApiError, ReviewError):
            continue  # the page is told


def _export(path: Path, scratch: Path) -> None:
    pairs, place = _placed(path, scratch)
    with _refused_unchanged(place):
        export_review(pairs, scratch / "judged.csv", overwrite=False)


def _export_tasks(path: Path, scratch: Path) -> None:
    pairs, place = _placed(path, scratch)
    with _refused_unchanged(place):
        export_tasks(pairs, scratch / "tasks.json", overwrite=False)


def _import_from(path: Path, scratch: Path) -> None:
    pairs, place = _placed(path, scratch)
    source = scratch / "theirs.sqlite"
    place.replace(source)
    before = source.read_bytes()
    with _refused_unchanged(source):
        import_review(pairs, source)
    if source.read_bytes() != before:
        raise AssertionError("a database that is only read was changed")


def _import_into(path: Path, scratch: Path) -> None:
    pairs, place = _placed(path, scratch)
    judged = scratch / "Kei.csv"
    PAIRS.take([0, 1, 2]).write(judged)
    judged.write_text(judged.read_text().replace(",-1,0", ",1,0"))
    with _refused_unchanged(place):
        import_review(pairs, judged, store=place)


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Damaged file: a few bytes or bits, a piece, a page or the end of it changed."""
    data = bytearray(content)
    size = int.from_bytes(content[16:18], "big") or 4096
    size = 65536 if size == 1 else size
    kind = dice.randrange(8)
    if kind <= 1:
        for _ in range(dice.choice((1, 5, 200))):
            data[dice.randrange(len(data))] = dice.randrange(256)
    elif kind == 2:
        # Where something stands: most of a page is empty.
        full = [at for at, byte in enumerate(data) if byte]
        for at in dice.sample(full, dice.choice((1, 3, 20))):
            data[at] ^= 1 << dice.randrange(8)
    elif kind == 3:
        del data[dice.randrange(len(data)) :]
    elif kind == 4 and len(data) >= 2 * size:
        one, other = (dice.randrange(len(data) // size) * size for _ in range(2))
        data[one : one + size], data[other : other + size] = (
            data[other : other + size],
            data[one : one + size],
        )
    elif kind == 5:
        at = dice.randrange(len(data))
        data[at : at + dice.randrange(1, 600)] = bytes(dice.randrange(1, 600))
    elif kind == 6:
        # The header, and the schema right behind it.
        for _ in range(dice.choice((1, 4))):
            data[dice.randrange(min(len(data), 100))] = dice.randrange(256)
    else:
        at = dice.randrange(len(data))
        data[at:at] = dice.randbytes(dice.randrange(1, 40))
    return bytes(data)


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)


def rebuilt(path: Path, change: Callable[[str], str], *statements: str) -> None:
    """Make a database anew with other tables; with `statements` run before they look like ours."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL")
        schema = dict(tables.fetchall())
        lines = list(connection.iterdump())
        numbers = [
            connection.execute(f"PRAGMA {what}").fetchone()[0]
            for what in ("application_id", "user_version")
        ]
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for line in lines:
            connection.execute(change(line) if line.startswith("CREATE TABLE") else line)
        connection.execute(f"PRAGMA application_id = {numbers[0]}")
        connection.execute(f"PRAGMA user_version = {numbers[1]}")
        if statements:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement)
            connection.execute("PRAGMA writable_schema = ON")
            for name, sql in schema.items():
                connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def _loose(statement: str) -> Callable[[Path], None]:
    """Way to give a database values that tables forbid, in tables that look as if they did."""
    return lambda path: rebuilt(
        path,
        lambda line: (
            line.replace(" STRICT, WITHOUT", " WITHOUT")
            .replace(" STRICT", "")
            .replace(" NOT NULL", "")
        ),
        statement,
    )


def _sql(*statements: str) -> Callable[[Path], None]:
    return lambda path: _run(path, *statements)


_NO_TEXT = "CAST(x'ff80' AS TEXT)"
# What a review never leaves, of which every opening of the database has to say so.
DAMAGES: dict[str, Callable[[Path], None]] = {
    "no STRICT": lambda path: rebuilt(path, lambda line: line.replace(" STRICT", "")),
    "a blob for a name": _loose("UPDATE annotators SET name = x'00ff' WHERE id = 1"),
    "a path of NULL": _loose("UPDATE pairs SET path_a = NULL WHERE id = 5"),
    "a time of NULL": _loose("UPDATE verdicts SET at = NULL WHERE pair = 5"),
    "a word for a number": _loose("UPDATE verdicts SET prediction = 'same' WHERE pair = 5"),
    "a blob for a time": _loose("UPDATE events SET at = CAST(at AS BLOB) WHERE id = 5"),
    "a kind that there is not": _loose("UPDATE events SET kind = 'guess' WHERE id = 5"),
    "a column more": _sql("ALTER TABLE verdicts ADD COLUMN more TEXT"),
    "a column less": _sql("ALTER TABLE suspects DROP COLUMN kinds"),
    "a column of another name": _sql("ALTER TABLE pairs RENAME COLUMN label TO labels"),
    "a table less": _sql("DROP TABLE decisions"),
    "a table of another name": _sql("ALTER TABLE skips RENAME TO skipped"),
    "an index less": _sql("DROP INDEX verdicts_in_order"),
    "a view for a table": _sql(
        "DROP TABLE suspects",
        "CREATE VIEW suspects (pair, kinds, reason) AS WITH RECURSIVE on_and_on (n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM on_and_on) SELECT n, 'crop', '' FROM on_and_on",
    ),
    "a view": _sql("CREATE VIEW of_mine AS SELECT randomblob(1000000000)"),
    "a trigger": _sql(
        "CREATE TRIGGER of_mine AFTER INSERT ON events BEGIN DELETE FROM verdicts; END"
    ),
    "an index of what is worked out": _sql("CREATE INDEX of_mine ON pairs (abs(label))"),
    "a table with a check": _sql("CREATE TABLE of_mine (a CHECK (length(a) < 9))"),
    "a table that is a program": _sql("CREATE VIRTUAL TABLE of_mine USING fts5 (a)"),
    "a name that is no text": _sql(f"UPDATE annotators SET name = {_NO_TEXT} WHERE id = 1"),
    "a name of spaces": _sql("UPDATE annotators SET name = '  ' WHERE id = 1"),
    "a person of a large number": _sql("INSERT INTO annotators VALUES (9e15, 'Zoë')"),
    "a path that is no text": _sql(f"UPDATE pairs SET path_b = {_NO_TEXT} WHERE id = 7"),
    "a path of another folder": _sql("UPDATE pairs SET path_b = '../../x' WHERE id = 7"),
    "another label": _sql("UPDATE pairs SET label = 1 - label WHERE id = 7"),
    "a label of 2": _sql("UPDATE pairs SET label = 2 WHERE id = 7"),
    "a prediction of 300": _sql("UPDATE pairs SET human_prediction = 300 WHERE id = 7"),
    "a pair less": _sql("DELETE FROM pairs WHERE id = 110"),
    "a pair far away": _sql("UPDATE pairs SET id = 9223372036854775807 WHERE id = 110"),
    "a verdict on no pair": _sql("UPDATE verdicts SET pair = 9223372036854775807 WHERE pair = 5"),
    "a verdict of nobody": _sql("UPDATE verdicts SET annotator = 77 WHERE annotator = 1"),
    "a verdict of no event": _sql("UPDATE verdicts SET event = 1000000 WHERE pair = 5"),
    "a verdict of another event": _sql("UPDATE verdicts SET event = 2 WHERE pair = 5"),
    "a verdict that says nothing": _sql("UPDATE verdicts SET prediction = -1 WHERE pair = 5"),
    "a verdict that is half": _sql("UPDATE verdicts SET prediction = 7 WHERE pair = 5"),
    "invalid twice": _sql("UPDATE verdicts SET invalid = 2 WHERE pair = 5"),
    "a reason that is none": _sql("UPDATE verdicts SET reason = 'ugly' WHERE pair = 5"),
    "a reason that is no text": _sql(f"UPDATE verdicts SET reason = {_NO_TEXT} WHERE pair = 5"),
    "a time that is none": _sql("UPDATE verdicts SET at = '2026-02-30T' || substr(at, 12)"),
    "a time that is no text": _sql(f"UPDATE verdicts SET at = {_NO_TEXT} WHERE pair = 5"),
    "a time with an end of its own": _sql("UPDATE verdicts SET at = at || char(0) || 'x'"),
    "seconds without end": _sql("UPDATE verdicts SET seconds = 9e999 WHERE pair = 5"),
    "less than no seconds": _sql("UPDATE verdicts SET seconds = -1 WHERE pair = 5"),
    "an event without its verdict": _sql("UPDATE events SET prediction = NULL WHERE id = 5"),
    "an event of no pair": _sql("UPDATE events SET pair = NULL WHERE id = 5"),
    "a decision on no pair": _sql("UPDATE decisions SET pair = 5000"),
    "a doubt that is no text": _sql(f"UPDATE suspects SET kinds = {_NO_TEXT}"),
    "a doubt of no pair": _sql("UPDATE suspects SET pair = 5000 WHERE pair = 5"),
    "numbers used up": _sql("UPDATE sqlite_sequence SET seq = 9223372036854775807"),
    "a word for the last number": _sql("UPDATE sqlite_sequence SET seq = x'ff'"),
    "nothing of what it is about": _sql("DELETE FROM about"),
    "a seed that is none": _sql("UPDATE about SET value = 'x' WHERE key = 'seed'"),
    "a seed below nought": _sql("UPDATE about SET value = '-1' WHERE key = 'seed'"),
    "a seed that is no text": _sql(f"UPDATE about SET value = {_NO_TEXT} WHERE key = 'seed'"),
    "no share": _sql("UPDATE about SET value = 'nan' WHERE key = 'overlap'"),
    "other pairs": _sql("UPDATE about SET value = '0' WHERE key = 'digest'"),
    "another version": _sql("PRAGMA user_version = 9"),
    "another kind": _sql("PRAGMA application_id = 9"),
}

# What other programs leave without harm.
HARMLESS: dict[str, Callable[[Path], None]] = {
    "made small": _sql("VACUUM"),
    "counted": _sql("ANALYZE"),
    "another journal": _sql("PRAGMA journal_mode = DELETE"),
    "larger pages": _sql("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 16384", "VACUUM"),
    "made anew": lambda path: rebuilt(path, lambda line: line),
    "a table of one's own": _sql("CREATE TABLE of_mine (pair INTEGER, note TEXT)"),
    "what `.recover` could not place": _sql(
        "CREATE TABLE lost_and_found(rootpgno INTEGER, pgno INTEGER, nfield INTEGER, id INTEGER,"
        " c0, c1)"
    ),
}
