"""Commands as children of this process, and what happens at the N-th change they make of the disk.

A change is what a reader of the disk could tell: a rename, a removal, a folder, a link, a file
made, emptied or cut, an fsync. `Interposed` counts them with Python's own audit events, below one
folder, and at the one that was chosen kills, stops, or says that the disk is full.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

# What is done: nothing (changes are told), SIGKILL before the change, SIGSTOP before it, no space
# left from it on, SIGKILL with half of it written, SIGKILL after it.
TELL, KILL, STOP, FULL, TORN, LAST = range(6)
# Seconds after which a command will never end, however busy the machine is.
HANGS = 600
_GROWING = ("create", "mkdir", "link", "write", "fsync")


@dataclass(frozen=True)
class Change:
    """Change of the disk, number `number` of a command: `what` was done to `path` and `other`."""

    number: int
    what: str
    path: str
    other: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.what} {self.path}{f' -> {self.other}' if self.other else ''}"


class Hook(Protocol):
    """Hook that sees the changes a process makes of the disk."""

    def arm(self, root: Path, act: int, at: int, told: Path) -> None:
        """From now on count below `root`, write each into `told`, and do `act` at number `at`."""


class Interposed:
    """Hook of Python alone: it sees what Python code does to the disk, not what libraries do."""

    def arm(self, root: Path, act: int, at: int, told: Path) -> None:
        """Count from now on; see `Hook`; only once a process."""
        counter = _Counter(f"{root}", act, at, told)
        sys.addaudithook(counter.audit)
        real = os.fsync

        def fsync(file: Any) -> None:
            number = file if isinstance(file, int) else file.fileno()
            counter.change("fsync", _path_of(number))
            real(file)
            counter.after()

        os.fsync = fsync
        counter.count_writes()


class _Counter:
    def __init__(self, root: str, act: int, at: int, told: Path) -> None:
        self._root, self._act, self._at = root, act, at
        self._told = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._count, self._full, self._pending = 0, False, False

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes | os.PathLike) and flags & (os.O_CREAT | os.O_TRUNC):
                there = Path(os.fsdecode(path)).exists()
                if flags & os.O_TRUNC or not there:
                    self.change("empty" if there else "create", os.fspath(path))
        elif event in ("os.rename", "os.link", "os.symlink"):
            self.change(event[3:], arguments[0], arguments[1])
        elif event in ("os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.utime", "os.chmod"):
            named = {"os.remove": "unlink"}.get(event, event[3:])
            folder = arguments[-1] if event in ("os.remove", "os.mkdir", "os.rmdir") else -1
            self.change(named, arguments[0], folder=folder)

    def change(self, what: str, path: Any, other: Any = "", folder: int = -1) -> None:
        first, second = self._below(path, folder), self._below(other, -1)
        if first is None and second is None:
            return
        # To make what is there, or to remove what is not, changes nothing.
        if what in ("mkdir", "unlink") and (what == "mkdir") == os.path.lexists(
            f"{self._root}{first}"
        ):
            return
        self._count += 1
        line = f"{self._count}\t{what}\t{first or path}\t{second or ''}\n"
        os.write(self._told, os.fsencode(line))
        chosen = self._count == self._at
        if self._act == FULL and what in _GROWING and (chosen or self._full):
            self._full = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(path))
        if self._act in (KILL, TORN) and chosen:
            os.killpg(0, signal.SIGKILL)
        if self._act == STOP and chosen:
            os.kill(os.getpid(), signal.SIGSTOP)

    def after(self) -> None:
        if self._act == LAST and self._count >= self._at:
            os.killpg(0, signal.SIGKILL)

    def count_writes(self) -> None:
        """Let files that are opened for writing say that the disk is full."""
        if self._act != FULL:
            return
        counter, real = self, io.open

        class Counted(io.FileIO):
            def write(self, data: Any) -> int:
                counter.change("write", self.name)
                return super().write(data)

        def opened(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
            if mode in ("wb", "xb", "ab") and not more and not options:
                return io.BufferedWriter(Counted(file, mode))
            return real(file, mode, *more, **options)

        io.open = builtins.open = opened

    def _below(self, path: Any, folder: int) -> str | None:
        if isinstance(path, int):
            path = _path_of(path)
        text = os.fsdecode(path)
        if not text:
            return None
        if folder >= 0:
            text = str(Path(_path_of(folder), text))
        full = os.path.normpath(Path.cwd() / text)
        return full[len(self._root) :] if full.startswith(self._root) else None


def _path_of(file: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{file}").readlink())
    except OSError:  # where there is no such folder
        return ""


@dataclass(frozen=True)
class Ended:
    """End of a command: its exit status, -9 where it was killed, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def clear(self) -> bool:
        """Whether the command was refused with one message and nothing else."""
        return (
            self.code in (1, 2, 3)
            and (self.err.startswith("lookalikes: ") or "Usage: lookalikes" in self.err)
            and self.err.count("lookalikes: ") == 1
            and "Traceback" not in self.err
        )


@cache
def program() -> Callable[[], object]:
    """Program that `main` runs; made before a fork, it need not be made in each."""
    import typer

    from mining.cli import app

    return partial(typer.main.get_command(app), prog_name="lookalikes")


def get_ready() -> None:
    """Do once what every fork would do for itself: it is most of the time of a small command."""
    from mining.cli import main

    for command in ("random", "mine"):
        refused = ["lookalikes", command, "no such folder", "--out", "no such folder/out.csv"]
        with (
            mock.patch.object(sys, "argv", refused),
            mock.patch.object(sys.modules["__main__"], "__package__", None),
            contextlib.redirect_stderr(io.StringIO()) as said,
            contextlib.suppress(SystemExit),
        ):
            main(program())
        assert "no such folder" in said.getvalue(), said.getvalue()
    gc.collect()
    gc.freeze()  # or each fork would copy what its collector looks at


class Child:
    """Child process with a command, forked of this one with all that is imported."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        scratch: Path,
        *,
        hook: Hook | None = None,
        act: int = TELL,
        at: int = 0,
        others: Mapping[str, Callable[..., None]] | None = None,
    ) -> None:
        """Start `lookalikes ARGUMENTS` in `folder`; what it prints goes into files of `scratch`.

        `others`: functions that can be run like commands, by their names.
        """
        self._files = [scratch / name for name in ("out", "err", "changes")]
        self.pid = os.fork()
        if self.pid == 0:
            _be(arguments, folder, self._files, hook, act, at, dict(others or {}))
        with contextlib.suppress(OSError):  # the child does it too: whoever comes first
            os.setpgid(self.pid, self.pid)
        self._status: int | None = None

    def stopped(self) -> bool:
        """Wait until the command stops or ends; whether it stopped."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return True
        self._status = status
        return False

    def go_on(self) -> None:
        """Let a stopped command go on."""
        os.kill(self.pid, signal.SIGCONT)

    def over(self) -> bool:
        """Whether the command has ended."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
        return self._status is not None

    def kill(self) -> None:
        """End the command as a crash would, with its own children."""
        if self._status is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> Ended:
        """Wait for the command's end."""
        if self._status is None:
            _, self._status = os.waitpid(self.pid, 0)
        out, err = (file.read_text("utf-8", "replace") for file in self._files[:2])
        return Ended(os.waitstatus_to_exitcode(self._status), out, err)

    def changes(self) -> list[Change]:
        """Changes that the command made, once it has ended."""
        try:
            text = self._files[2].read_text("utf-8", "replace")
        except FileNotFoundError:
            return []
        rows = (line.split("\t") for line in text.splitlines())
        return [Change(int(row[0]), *row[1:]) for row in rows if len(row) == 4]


def _be(
    arguments: Sequence[str],
    folder: Path,
    files: list[Path],
    hook: Hook | None,
    act: int,
    at: int,
    others: dict[str, Callable[..., None]],
) -> None:
    code: object = 0
    try:
        # What other tests left to be collected may wait for threads, which a child has not.
        gc.freeze()
        os.setpgid(0, 0)
        signal.alarm(HANGS)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        streams = [os.open(os.devnull, os.O_RDONLY)]
        streams += [
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for file in files[:2]
        ]
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        os.chdir(folder)
        sys.argv = ["lookalikes", *arguments]
        # Or click would take the name of the package that runs for the program's.
        sys.modules["__main__"].__package__ = None
        from mining.cli import main

        if hook is not None:
            hook.arm(folder, act, at, files[2])
        if arguments[0] in others:
            main(lambda: others[arguments[0]](*arguments[1:]))
        else:
            main(program())
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            if hook is not None and act == LAST:
                os.killpg(0, signal.SIGKILL)  # by a hook that does not see where a change ends
            os._exit(code if isinstance(code, int) else 1 if code else 0)
