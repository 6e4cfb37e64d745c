"""Trials of libraries in a process of their own, which a broken one may end.

A library that is built for another processor ends the process that imports it, without an error
that Python could show. So they are tried elsewhere, one after the other in one process, as commands
have them together; where it ends, the next process goes on behind the one that ended it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Seconds that a process has for all its trials; the slowest disk takes less.
LIMIT = 300.0
_LONGEST = 300
_CHILD = (
    "import sys; sys.path[:] = {path!r}; from mining.diagnosis.trials import answer_all; "
    "answer_all(sys.argv[1:])"
)


@dataclass(frozen=True)
class Trial:
    """Trial of one thing.

    Attributes:
        name: it is called by.
        probe: `module:function` that tells facts of it, as JSON has them, or raises.
        needs: names of trials without which this one tells nothing.
    """

    name: str
    probe: str
    needs: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """Answer of a trial.

    Attributes:
        facts: what it told.
        fault: the error that it ended with; empty without one.
        missing: the module that is not there, where that is the error.
        ended: how it ended the process, as `SIGILL`; empty where it did not.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    missing: str = ""
    ended: str = ""


def try_all(trials: Sequence[Trial], limit: float = LIMIT) -> dict[str, Answer]:
    """Answers of trials, by name; of those that need one which failed, none."""
    found: dict[str, Answer] = {}
    while left := [one for one in trials if one.name not in found]:
        failed = {name for name, one in found.items() if one.fault}
        lost = [one for one in left if failed.intersection(one.needs)]
        if lost:
            trials = [one for one in trials if one not in lost]
            continue
        found |= _try(left, limit)
    return found


def _try(trials: Sequence[Trial], limit: float) -> dict[str, Answer]:
    """Answers of those trials that one process came to, one at least."""
    asked = [json.dumps([one.name, one.probe, [*one.needs]]) for one in trials]
    command = [sys.executable, "-c", _CHILD.format(path=sys.path), *asked]
    # Nobody sees warnings of libraries here, and some count as errors where Python is told so.
    around = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=around
        )
        late = False
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            late = True
            process.kill()
            out, _ = process.communicate()
        except BaseException:
            process.kill()
            process.communicate()
            raise
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    begun, found = _read(out)
    if begun is None and not found:
        begun = trials[0].name
    if begun is not None and begun not in found:
        ended = f"no answer in {limit:g} s" if late else _ending(process.returncode)
        last = f": {lines[-1].strip()[:_LONGEST]}" if lines else ""
        found[begun] = Answer(fault=f"it ends the process ({ended}){last}", ended=ended)
    return found


def _read(out: bytes) -> tuple[str | None, dict[str, Answer]]:
    """The trial that was begun last, and the answers, of the lines that a process wrote."""
    begun, found = None, {}
    for line in out.decode("utf-8", "replace").splitlines():
        try:
            told = json.loads(line)
        except ValueError:  # the last line of a process that was ended within it
            continue
        begun = told["name"]
        if "facts" in told:
            found[begun] = Answer(told["facts"], told["fault"], told["missing"])
    return begun, found


def _ending(code: int) -> str:
    """Name of the signal that ended a process, or its status."""
    try:
        return signal.Signals(-code).name if code < 0 else f"status {code}"
    except ValueError:
        return f"signal {-code}"


def answer_all(asked: Sequence[str]) -> None:
    """Run trials and write their answers, each as a line of JSON: the whole of a process's work.

    Args:
        asked: name, probe and needs of each, as JSON.
    """
    # What libraries print goes elsewhere.
    sys.stdout.flush()
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    failed: set[str] = set()
    for text in asked:
        name, probe, needs = json.loads(text)
        if failed.intersection(needs):
            continue
        _tell(wire, name=name)
        facts: Mapping[str, Any] = {}
        fault = missing = ""
        try:
            module, _, function = probe.partition(":")
            facts = getattr(importlib.import_module(module), function)()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # panics of libraries in Rust are no `Exception`
            said = " ".join(str(error).split())
            fault = f"{type(error).__name__}: {said[:_LONGEST]}".removesuffix(": ")
            if isinstance(error, ModuleNotFoundError):
                missing = (error.name or "").partition(".")[0]
            failed.add(name)
        _tell(wire, name=name, facts=facts, fault=fault, missing=missing)
    wire.close()


def _tell(wire: Any, **told: object) -> None:
    wire.write(json.dumps(told) + "\n")
    wire.flush()
