"""Checks of what a crash, a second process, or a full disk leave, one command at a time.

A `Case` is a command, the files it begins with, and who reads what it writes. Every check runs it
in a folder of its own, as children of this process (see `disk_changes`), and compares whole trees:
the names and bytes of all that lies there, hidden files too.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.disk_changes import FULL, KILL, LAST, STOP, TELL, TORN, Change, Child, Ended, Hook

# What needs room on the disk.
GROWS = ("create", "write", "mkdir", "link", "rename")
Tree = dict[str, str]
Other = Mapping[str, Callable[..., None]]
# What a database says of time is not the command's.
_TIMES = re.compile(r"'?\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?'?|\b1\d{9}(\.\d+)?\b")


@dataclass(frozen=True)
class Case:
    """A command that writes.

    Attributes:
        name: of the case, as `mine --overwrite`.
        command: its arguments, relative to the folder it runs in.
        before: commands that run first, undisturbed: they make what it reads or replaces.
        readers: commands that read what it writes, and write nothing themselves.
    """

    name: str
    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    readers: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Failure:
    """Failure of a check: in which case, after which disturbance, of which kind."""

    case: str
    disturbed: str
    kind: str
    wrong: str


@dataclass
class Found:
    """Findings of a check: what it counted, and what was wrong."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def add(self, other: Found) -> None:
        for what, number in other.counts.items():
            self.count(what, number)
        self.failures += other.failures


class Place:
    """A folder to run cases in: the inputs they share, and a copy to put back."""

    def __init__(self, inputs: Path, root: Path, hook: Hook, others: Other) -> None:
        self.hook, self.others = hook, others
        self._inputs, self.folder, self._scratch = inputs, root / "w", root / "scratch"
        self._kept, self._left = root / "kept", root / "left"
        sides = [self._scratch / side for side in ("a", "b")]
        for folder in (self.folder, self._kept, self._left, *sides):
            folder.mkdir(parents=True, exist_ok=True)

    def begin(self, case: Case) -> Tree:
        """Make what the case begins with, keep a copy, and return the tree that is then there."""
        fill(self.folder, self._inputs)
        for command in case.before:
            ended = self.run(command)
            if ended.code not in (0, 3):
                raise RuntimeError(f"{case.name}: {command} ended with {ended}")
        fill(self._kept, self.folder)
        return tree(self.folder)

    def reset(self) -> None:
        """Put back what the case began with."""
        fill(self.folder, self._kept)

    def keep_left(self) -> None:
        """Keep a copy of what is there now."""
        fill(self._left, self.folder)

    def put_back_left(self) -> None:
        """Put back what `keep_left` kept."""
        fill(self.folder, self._left)

    def start(
        self, command: Sequence[str], act: int = TELL, at: int = 0, *, side: str = "a"
    ) -> Child:
        return Child(
            command,
            self.folder,
            self._scratch / side,
            hook=self.hook if act != TELL or at < 0 else None,
            act=act,
            at=max(at, 0),
            others=self.others,
        )

    def run(self, command: Sequence[str], act: int = TELL, at: int = 0) -> Ended:
        return self.start(command, act, at).ended()

    def traced(self, command: Sequence[str]) -> tuple[Ended, list[Change]]:
        child = self.start(command, TELL, -1)
        return child.ended(), child.changes()


def fill(folder: Path, source: Path) -> None:
    """Make `folder` what `source` is; files that are the same by size and time are left alone."""
    here, there = _walked(folder), _walked(source)
    for name in sorted(here.keys() - there.keys(), reverse=True):
        if name.endswith("/"):
            (folder / name).rmdir()
        else:
            (folder / name).unlink()
    for name in sorted(there):
        if name.endswith("/"):
            (folder / name).mkdir(exist_ok=True)
        elif name not in here or here[name][1:] != there[name][1:]:
            (folder / name).unlink(missing_ok=True)
            shutil.copy2(source / name, folder / name)


def _walked(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Names below a folder, a folder's with a slash; inode, size and time of each file."""
    found: dict[str, tuple[int, int, int]] = {}
    left = [""]
    while left:
        above = left.pop()
        with os.scandir(folder / above) as entries:
            for entry in entries:
                name = f"{above}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    found[f"{name}/"] = (0, 0, 0)
                    left.append(f"{name}/")
                else:
                    state = entry.stat(follow_symlinks=False)
                    found[name] = (state.st_ino, state.st_size, state.st_mtime_ns)
    return found


# Of the inputs, which hardly ever change, by path, inode, size and time.
_digests: dict[tuple[object, ...], str] = {}


def tree(folder: Path) -> Tree:
    """Names of all entries below `folder`, with a digest of what is in each."""
    found, walked = {}, _walked(folder)
    for name, state in sorted(walked.items()):
        if name.endswith("/"):
            found[name] = ""
        elif name.endswith((".sqlite-wal", ".sqlite-shm")) and name[:-4] in walked:
            continue  # read with the database that SQLite leaves them beside, on a full disk too
        elif name.endswith(".sqlite"):
            found[name] = _said_by(folder / name)
        elif name.startswith("in/"):
            key = (folder, name, *state)
            if key not in _digests:
                _digests[key] = _digest(folder / name)
            found[name] = _digests[key]
        else:
            found[name] = _digest(folder / name)
    return found


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _said_by(database: Path) -> str:
    """Content of a database without its times; SQLite's pages need not be the same."""
    try:
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            said = "\n".join(connection.iterdump())
        finally:
            connection.close()
    except sqlite3.Error as error:
        return f"{type(error).__name__}: {error}"
    return hashlib.sha256(_TIMES.sub("TIME", said).encode()).hexdigest()[:16]


def differences(found: Tree, expected: Tree) -> str:
    """Differences of two trees, in one line; empty where there are none."""
    told = [f"+{name}" for name in sorted(found.keys() - expected.keys())]
    told += [f"-{name}" for name in sorted(expected.keys() - found.keys())]
    told += [
        f"~{name}"
        for name in sorted(found.keys() & expected.keys())
        if found[name] != expected[name]
    ]
    return " ".join(told[:8]) + (f" and {len(told) - 8} more" if len(told) > 8 else "")


@dataclass
class Undisturbed:
    """Outcome of a case when nothing happens."""

    began: Tree
    result: Tree
    ended: Ended
    changes: list[Change]
    read_before: list[Ended]
    read_after: list[Ended]


def undisturbed(place: Place, case: Case) -> Undisturbed:
    """Run a case twice with nothing happening.

    Raises:
        RuntimeError: it fails, or does not give the same bytes twice.
    """
    began = place.begin(case)
    read_before = [place.run(reader) for reader in case.readers]
    ended, changes = place.traced(case.command)
    if ended.code not in (0, 3):
        raise RuntimeError(f"{case.name}: ended with {ended}")
    result = tree(place.folder)
    read_after = [place.run(reader) for reader in case.readers]
    for reader, one in zip(case.readers, read_after, strict=True):
        if one.code:
            raise RuntimeError(f"{case.name}: {reader} ended with {one}")
    place.reset()
    again = place.run(case.command)
    if difference := differences(tree(place.folder), result):
        raise RuntimeError(f"{case.name}: a second run gives other bytes: {difference} {again}")
    return Undisturbed(began, result, ended, changes, read_before, read_after)


def kill_points(changes: Sequence[Change], *, writes: bool = True) -> list[tuple[int, int]]:
    """Points (what to do, at which change) of a kill before each change, and after the last.

    Of writes in a row to one file the first and the last are taken, and torn as well.
    """
    points = []
    for at, change in enumerate(changes):
        if change.what == "write":
            same = [
                0 <= other < len(changes)
                and (changes[other].what, changes[other].path) == ("write", change.path)
                for other in (at - 1, at + 1)
            ]
            if not writes or all(same):
                continue
            points.append((TORN, change.number))
        points.append((KILL, change.number))
    if changes:
        points.append((LAST, changes[-1].number))
    return points


def full_points(changes: Sequence[Change]) -> list[int]:
    """Numbers of changes a full disk refuses; of writes in a row to one file first and last."""
    return [at for act, at in kill_points(changes) if act == KILL and changes[at - 1].what in GROWS]


# What names of temporary files have of chance, and of the process.
_CHANCE = re.compile(r"\.[a-z0-9_]{8}\.tmp|\.\d+\.tmp")
_HIDDEN = re.compile(r"[+](\S*/)?\.\S+|[+]\S*\.tmp/\S*|and \d+ more")


def _failure(case: str, disturbed: str, wrong: Sequence[tuple[str, str]]) -> Failure:
    """Failure that stands for all that was wrong; the first says its kind."""
    text = "; ".join(text for _, text in wrong)
    return Failure(case, _CHANCE.sub(".*.tmp", disturbed), wrong[0][0], _CHANCE.sub(".*.tmp", text))


def _last(ended: Ended) -> str:
    return (ended.err.strip().splitlines() or [" ".join(ended.out.split())])[-1][:300]


def _kind(difference: str) -> str:
    """Kind of a difference between trees."""
    return "other bytes" if _HIDDEN.sub("", difference).strip() else "litter"


def after_kill(place: Place, case: Case, plain: Undisturbed, name: str) -> list[Failure]:
    """Check what readers say of what a kill left, and that the same command then ends well.

    It is run on what the kill left, and, where readers changed that, on what they left too.
    """
    wrong: list[tuple[str, str]] = []
    left = tree(place.folder)
    changed = False
    if case.readers and left not in (plain.began, plain.result):
        place.keep_left()
        wrong += _read(place, case, plain)
        changed = tree(place.folder) != left
    wrong += _run_again(place, case, plain)
    if changed:
        place.put_back_left()
        wrong += _run_again(place, case, plain)
    if wrong:
        left_new = differences(left, plain.began) or "nothing new"
        wrong.append(("", f"the disturbance left: {left_new}"))
    return [_failure(case.name, name, wrong)] if wrong else []


def _read(place: Place, case: Case, plain: Undisturbed) -> list[tuple[str, str]]:
    wrong = []
    for reader, old, new in zip(case.readers, plain.read_before, plain.read_after, strict=True):
        ended = place.run(reader)
        if ended not in (old, new) and not ended.clear:
            kind = "traceback" if "Traceback" in ended.err else "mixed"
            wrong.append((kind, f"{' '.join(reader)} ({ended.code}): {_last(ended)}"))
    return wrong


def _run_again(place: Place, case: Case, plain: Undisturbed) -> list[tuple[str, str]]:
    ended = place.run(case.command)
    if ended.code != plain.ended.code and not (ended.clear and "exists" in ended.err):
        kind = "traceback" if "Traceback" in ended.err else "refused"
        return [(kind, f"the same command then ended with {ended.code}: {_last(ended)}")]
    difference = differences(tree(place.folder), plain.result)
    if not difference:
        return []
    refused = f" (refused: {_last(ended)})" if ended.code != plain.ended.code else ""
    kind = "refused" if refused else _kind(difference)
    return [(kind, f"the same command then left{refused}: {difference}")]


_NAMES = {KILL: "killed before", TORN: "killed half-way in", LAST: "killed after", STOP: "stopped"}


def _state(folder: Path, pid: int) -> dict[str, str]:
    """State that a process left, without its number, chance, and when it began."""
    found = {}
    for name, digest in tree(folder).items():
        plain = _CHANCE.sub(".tmp", name).replace(str(pid), "PID")
        if Path(name).name.startswith(".") and not name.endswith("/"):
            text = (folder / name).read_bytes().replace(str(pid).encode(), b"PID")
            text = b"" if name.endswith(".lock") else text
            digest = hashlib.sha256(_TIMES.sub("", text.decode("latin-1")).encode()).hexdigest()
        found[plain] = digest
    return found


def kills(
    place: Place,
    case: Case,
    plain: Undisturbed,
    points: Iterable[tuple[int, int]],
    *,
    alike: bool = True,
) -> Found:
    """Kill the command at each point, read what is left, and run it again.

    Without `alike`, what is left is looked at once, however many kills leave it.
    """
    found, seen = Found(), list[dict[str, str]]()
    for act, at in points:
        place.reset()
        child = place.start(case.command, act, at)
        found.count("kills" if child.ended().code == -9 else "ended before its kill")
        name = f"{_NAMES[act]} {plain.changes[at - 1]}"
        if not alike:
            left = _state(place.folder, child.pid)
            if left in seen:
                found.count("left what another had left")
                continue
            seen.append(left)
        found.failures += after_kill(place, case, plain, name)
    return found


def random_kills(
    place: Place, case: Case, plain: Undisturbed, count: int, seed: str, *, most: int = 3
) -> Found:
    """Kill at random times, up to `most` times one after the other, then let it end."""
    dice, found = random.Random(seed), Found()
    place.reset()
    begun = time.perf_counter()
    place.run(case.command)
    seconds = time.perf_counter() - begun
    while found.counts.get("kills", 0) + found.counts.get("ended before its kill", 0) < count:
        place.reset()
        times = []
        for _ in range(dice.randint(1, most)):
            delay = dice.uniform(0, seconds)
            child = place.start(case.command)
            time.sleep(delay)
            child.kill()
            ended = child.ended()
            times.append(f"{delay:.3f}")
            found.count("kills" if ended.code == -9 else "ended before its kill")
            if ended.code >= 0:
                break
        found.failures += after_kill(place, case, plain, f"killed after {', '.join(times)} s")
    return found


def full_disk(place: Place, case: Case, plain: Undisturbed, points: Iterable[int]) -> Found:
    """Let the disk be full from a change on, then run the command again with room."""
    found = Found()
    for at in points:
        place.reset()
        ended = place.run(case.command, FULL, at)
        name = f"disk full from {plain.changes[at - 1]}"
        found.count("full disks")
        wrong: list[tuple[str, str]] = []
        left = tree(place.folder)
        if ended.code == plain.ended.code and not differences(left, plain.result):
            found.count("went round it")
            continue
        if ended.code == plain.ended.code:
            difference = differences(left, plain.result)
            wrong.append((_kind(difference), f"ended with {ended.code} and left: {difference}"))
        elif not ended.clear:
            kind = "traceback" if "Traceback" in ended.err else "no clear error"
            wrong.append((kind, f"ended with {ended.code}: {_last(ended)}"))
        halves = [
            name
            for name, digest in left.items()
            if name in plain.result and digest not in (plain.result[name], plain.began.get(name))
        ]
        if halves and not _kept_open(halves):
            wrong.append(("half-written", " ".join(halves[:6])))
        if lost := [name for name in plain.began if name not in left and name in plain.result]:
            wrong.append(("old ones gone", " ".join(lost[:6])))
        if hidden := [
            one for one in left.keys() - plain.began.keys() if re.search(r"\.tmp/?$", one)
        ]:
            wrong.append(("litter", " ".join(sorted(hidden)[:6])))
        if wrong:
            found.failures.append(_failure(case.name, name, wrong))
        found.failures += after_kill(place, case, plain, name)
    return found


def _kept_open(names: Iterable[str]) -> bool:
    """Whether all of them are kept to go on from: a half of these is no result."""
    return all("partial" in name for name in names)


@dataclass(frozen=True)
class Pairing:
    """Pairing of two commands in one folder; the same files to begin with."""

    name: str
    one: tuple[str, ...]
    other: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()


@dataclass
class Orders:
    """Trees that two commands leave, one after the other, in each order; and each alone."""

    trees: dict[str, Tree]
    ends: dict[str, tuple[Ended, ...]]
    changes: list[Change]


def in_order(place: Place, pairing: Pairing) -> Orders:
    """Run the commands of a pairing one after the other, in both orders."""
    place.begin(Case(pairing.name, pairing.one, pairing.before))
    trees: dict[str, Tree] = {}
    ends: dict[str, tuple[Ended, ...]] = {}
    changes: list[Change] = []
    for name, first, second in (
        ("one, other", pairing.one, pairing.other),
        ("other, one", pairing.other, pairing.one),
    ):
        place.reset()
        begun, made = place.traced(first)
        changes = changes or made
        trees[name.partition(",")[0]] = tree(place.folder)
        ends[name.partition(",")[0]] = (begun,)
        ends[name] = (begun, place.run(second))
        trees[name] = tree(place.folder)
    return Orders(trees, ends, changes)


def _outcome(
    orders: Orders, pids: tuple[int, int], ends: tuple[Ended, Ended], found: Tree, note: Found
) -> list[tuple[str, str]]:
    """Faults in how two commands at once ended; none where all is well."""
    well = [end.code in (0, 3) for end in ends]
    wrong: list[tuple[str, str]] = []
    expected = {one.err for both in orders.ends.values() for one in both}
    for end, done, other in zip(ends, well, reversed(pids), strict=True):
        if done:
            continue
        if not end.clear:
            kind = "traceback" if "Traceback" in end.err else "no clear error"
            wrong.append((kind, f"ended with {end.code}: {_last(end)}"))
        elif end.err in expected:
            note.count("refused as one after the other")
        elif not re.search(rf"\b{other}\b", end.err):
            wrong.append(("process not named", f"not process {other}: {_last(end)}"))
        else:
            note.count("refused with the other's process id")
    if all(well):
        fits = [name for name in ("one, other", "other, one") if all_well(orders, name)]
        note.count("both ended well")
        # Neither saw the other's files before it began: one replaced those of the other.
        fits = fits or ["one", "other"]
    elif any(well):
        fits = ["one" if well[0] else "other", "one, other", "other, one"]
    else:
        if not any(one.code in (0, 3) for both in orders.ends.values() for one in both):
            return wrong
        wrong.append(("both refused", " | ".join(_last(end) for end in ends)))
        fits = list(orders.trees)
    told = {name: differences(found, orders.trees[name]) for name in fits}
    if all(told.values()):
        name, least = min(told.items(), key=lambda item: len(item[1]))
        states = "both ended well" if all(well) else "one ended well" if any(well) else "none did"
        kind = "litter" if _kind(least) == "litter" else "mixed"
        wrong.append((kind, f"{states}; against `{name}`: {least}"))
    return wrong


def all_well(orders: Orders, name: str) -> bool:
    """Whether, in that order, both commands end well."""
    return all(end.code in (0, 3) for end in orders.ends[name])


def together(place: Place, pairing: Pairing, *, points: int, delays: int, seed: str) -> Found:
    """Run two commands at once: one waits at a change while the other runs; and at random."""
    found, orders = Found(), in_order(place, pairing)
    for at in pauses(orders.changes, points):
        place.reset()
        one = place.start(pairing.one, STOP, at, side="a")
        if one.stopped():
            other = place.start(pairing.other, side="b")
            # One that waited for the first would wait for ever: it is let go on after a while.
            waited = _waits(other)
            one.go_on()
            found.count("waited" if waited else "paused")
            ends = one.ended(), other.ended()
            pids = one.pid, other.pid
        else:
            found.count("ended before its pause")
            ends, pids = (one.ended(), one.ended()), (one.pid, one.pid)
            continue
        wrong = _outcome(orders, pids, ends, tree(place.folder), found)
        if wrong:
            name = f"first waits before {orders.changes[at - 1]}"
            found.failures.append(_failure(pairing.name, name, wrong))
    dice = random.Random(seed)
    for _ in range(delays):
        place.reset()
        delay = dice.choice((0.0, dice.uniform(0, 0.3)))
        one = place.start(pairing.one, side="a")
        time.sleep(delay)
        other = place.start(pairing.other, side="b")
        ends = one.ended(), other.ended()
        found.count("at once")
        wrong = _outcome(orders, (one.pid, other.pid), ends, tree(place.folder), found)
        if wrong:
            name = f"the other {delay:.3f} s later"
            found.failures.append(_failure(pairing.name, name, wrong))
    return found


def pauses(changes: Sequence[Change], count: int) -> list[int]:
    """Changes to wait before: up to half of them renames, the rest evenly over all."""
    renames = [change.number for change in changes if change.what == "rename"]
    numbers = [change.number for change in changes]
    chosen = _evenly(renames, count // 2)
    return sorted({*chosen, *_evenly(numbers, count - len(chosen))})


def _evenly(numbers: Sequence[int], count: int) -> list[int]:
    if len(numbers) <= count:
        return list(numbers)
    # The last ones too: there are those that put files in their places.
    return [numbers[-1 - at * len(numbers) // count] for at in range(count)]


def _waits(child: Child, limit: float = 15) -> bool:
    """Whether a command does not end; how long that is counts only where it waits for another."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if child.over():
            return False
        time.sleep(0.01)
    return True
