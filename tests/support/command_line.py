"""The command line as a user meets it: what was typed -> exit code and what was printed."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import typer

from mining.cli import app, main

HANGS = 1800  # seconds after which a process will never end, however busy the machine is


def _below(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _below(below, (*path, name))


# Every command, groups and the program itself too, by its name as it is typed.
COMMANDS = {" ".join(path) or "lookalikes": c for path, c in _below(typer.main.get_command(app))}


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """Message of a failure, after checking that it is one and nothing else."""
        assert self.code == 1, (self.code, self.out, self.err)
        assert self.err.startswith("lookalikes: ")
        assert self.err.count("lookalikes: ") == 1
        assert "Traceback" not in self.err
        assert self.out == ""
        return self.err.removeprefix("lookalikes: ").removesuffix("\n")

    @property
    def usage(self) -> str:
        """Usage that a wrong call was answered with, in one line without the frame."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert "Usage: lookalikes" in self.err
        assert "Traceback" not in self.err
        assert self.out == ""
        return " ".join(self.err.replace("│", " ").split())

    @property
    def summary(self) -> str:
        """Output of a success, in one line."""
        assert self.code == 0, (self.code, self.out, self.err)
        assert self.err == ""
        return " ".join(self.out.split())


@cache
def program() -> Callable[[], object]:
    """Program that `main` runs. To make it takes longer than most commands that are refused."""
    return partial(typer.main.get_command(app), prog_name="lookalikes")


def lookalikes(*arguments: object) -> Outcome:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["lookalikes", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", argv),
        # Under `python -m pytest`, click would take pytest's package for the program's name.
        mock.patch.object(sys.modules["__main__"], "__package__", None),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(program())
        except SystemExit as stop:
            code = stop.code
        else:
            code = 0
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def lookalikes_apart(
    *arguments: object,
    before: str = "",
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> Outcome:
    """Run a command in a process of its own, after the Python lines `before`."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{before}\nfrom mining.cli import main\nmain()",
            *map(str, arguments),
        ],
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        timeout=HANGS,
        check=False,
    )
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err.replace("Usage: -c", "Usage: lookalikes"))


def what_reaches(
    monkeypatch: pytest.MonkeyPatch, step: str, command: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments that a command calls `mining.commands.STEP` with, which is not run."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def stop(*arguments: Any, **options: Any) -> None:
        calls.append((arguments, options))
        raise KeyboardInterrupt

    monkeypatch.setattr(f"mining.commands.{step}", stop)
    assert lookalikes(*command.split()).code == 130
    (call,) = calls
    return call


def contents(folder: Path) -> dict[str, bytes | None]:
    """Content of every entry below a folder: a file's bytes, None for the others."""
    return {
        str(entry.relative_to(folder)): entry.read_bytes() if entry.is_file() else None
        for entry in sorted(folder.rglob("*"))
    }
