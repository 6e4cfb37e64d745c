"""Locks: what one process holds alone, and who holds it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# In a folder that a process fills; beside a file that it writes, `.NAME.lock`.
LOCK = ".lock"

# How long a lock is waited for whose owner is dead: its children may outlive it by a moment.
_ORPHANS = 10.0
_PAUSE = 0.05
# Of what a lock file says of its owner; one of ours has some 100 bytes.
_MOST = 4096
# Without it Windows changes the ends of lines.
BINARY = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock, as the lock file says.

    Attributes:
        pid: its process id; 0 where the file does not say.
        started: when it took the lock, in its local time.
    """

    pid: int = 0
    started: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        return f"process {self.pid}" + (f", at work since {self.started}" if self.started else "")

    @property
    def is_alive(self) -> bool:
        """Whether such a process runs; of one that is not known, it is believed."""
        if not self.pid:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def lock(handle: int, *, wait: bool = False) -> bool:
    """Take an open file for this process alone until it is closed; whether no other has it.

    With `wait` until no other has it. Windows has no flock: there two runs on one file are not kept
    apart.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@contextmanager
def held(file: Path, busy: Callable[[Owner], Exception]) -> Iterator[None]:
    """Hold the lock file `file`, which is made and removed again, alone.

    A lock whose process was killed is free; its file, which stays behind, is taken over.

    Args:
        file: in a folder that is made where there is none.
        busy: makes the error to raise where another process holds it.

    Raises:
        OSError: the lock file cannot be made; it names the folder.
    """
    made = [folder for folder in file.parents if not folder.exists()]
    try:
        handle = _taken(file, busy)
        try:
            owner = {"pid": os.getpid(), "started": _now()}
            write(handle, json.dumps(owner).encode())
        except BaseException:
            _released(file, handle)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file.parent)) from error
    try:
        yield
    finally:
        _released(file, handle)
        # Folders that were made for the lock alone: the work came to nothing.
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def exclusive(folder: Path, busy: Callable[[Owner], Exception]) -> Iterator[None]:
    """Hold `folder`, which is made, alone: `held` with the lock file `.lock` in it."""
    with held(folder / LOCK, busy):
        yield


def remove(file: Path, opened: ExitStack) -> None:
    """Remove a file that is open and held: nobody else can have taken it.

    Windows has no locks to hold, and removes no file that is open: there `opened` is closed first.
    """
    if os.name == "nt":
        opened.close()
    file.unlink(missing_ok=True)


def clear(file: Path) -> None:
    """Remove a lock file that a killed process left, if nobody holds it."""
    try:
        handle = os.open(file, os.O_RDWR)
    except OSError:
        return
    if lock(handle):
        _released(file, handle)
    else:
        os.close(handle)


def is_free(file: Path) -> bool:
    """Whether a file or folder is there and no process holds it by `lock`."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        return lock(handle)
    finally:
        os.close(handle)


def read(handle: int, most: int | None = None) -> bytes:
    """The bytes of an open file, or the first `most` of them."""
    with os.fdopen(os.dup(handle), "rb", buffering=0) as stream:
        stream.seek(0)
        return (stream.readall() if most is None else stream.read(most)) or b""


def write(handle: int, data: bytes) -> None:
    """Let an open file hold `data` and nothing else."""
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    while data:
        data = data[os.write(handle, data) :]


def same(handle: int, file: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        there, ours = file.stat(), os.fstat(handle)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _taken(file: Path, busy: Callable[[Owner], Exception]) -> int:
    """The lock file, open and held."""
    until = time.monotonic() + _ORPHANS
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | BINARY, 0o666)
        except FileNotFoundError:
            if file.parent.is_dir() or time.monotonic() > until:
                raise
            continue  # the last owner has just removed the folder that it had made for it
        if lock(handle):
            if same(handle, file):
                return handle
            os.close(handle)  # its last owner has just removed it
            continue
        owner = _owner(handle)
        os.close(handle)
        if owner.is_alive or time.monotonic() > until:
            raise busy(owner)
        time.sleep(_PAUSE)


def _released(file: Path, handle: int) -> None:
    with ExitStack() as opened:
        opened.callback(os.close, handle)
        with suppress(OSError):
            if same(handle, file):
                remove(file, opened)


def _owner(handle: int) -> Owner:
    try:
        content = json.loads(read(handle, _MOST))
        pid, started = content["pid"], content["started"]
        if isinstance(pid, int) and pid > 0 and isinstance(started, str):
            return Owner(pid, started[:40] if started.isprintable() else "")
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return Owner()


def _now() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
