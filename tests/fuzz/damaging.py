"""Give readers damaged files, and judge what they make of them.

    python tests/fuzz/damaging.py --inputs 2000 --seed 0

Allowed is that a file is read, or refused by an error of ours that names it. Each input hangs on
the seed, the reader and its number alone. Each reader has a process of its own: one that dies, or
takes more than a minute for an input, is told with the number, and the next input is tried.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.append(str(Path(__file__).parents[1]))
    # As a program this folder comes first, whose module names are others' too.
    sys.path[:] = [place for place in sys.path if place != str(Path(__file__).parent)]

from fuzz import mutators
from fuzz.readers import Reader, own_errors, readers

# Seconds for one input, above which a reader is said to hang.
PATIENCE = 60
_CASE = "damaged case"


@dataclass
class Outcome:
    """What a reader made of its inputs.

    Attributes:
        inputs: how many there were.
        read: those that were read all the same.
        refused: those refused by an error of ours that names the file.
        unexpected: others: number, and what came.
        canaries: what was touched outside of the folder that is read.
        seconds: of a processor that all of them took.
    """

    inputs: int = 0
    read: int = 0
    refused: int = 0
    unexpected: list[tuple[int, str]] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Pickles made within touch a file in `folder`, and relative names lie in it."""
    before, here = mutators.CANARY, Path.cwd()
    mutators.CANARY = folder / "canary"
    os.chdir(folder / "here")
    try:
        yield
    finally:
        mutators.CANARY = before
        os.chdir(here)


def damage(
    reader: Reader,
    inputs: int,
    seed: int,
    scratch: Path,
    *,
    first: int = 0,
    told: Path | None = None,
) -> Outcome:
    """Damage the reader's files in `inputs` ways, and read them each time.

    Args:
        reader: of `readers`.
        inputs: how many.
        seed: of all ways.
        scratch: an empty folder.
        first: number of the first input.
        told: a file that says which input is being read; then one that takes longer than
            `PATIENCE` ends the process.
    """
    began = time.process_time()
    sample, case = scratch / "sample", scratch / _CASE
    for folder in (sample, scratch / "here"):
        folder.mkdir()
    outcome = Outcome()
    with _inside(scratch), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader.make(sample)
        files = reader.files or tuple(
            sorted(
                path.relative_to(sample).as_posix() for path in sample.rglob("*") if path.is_file()
            )
        )
        shutil.copytree(sample, case)
        with suppress(*() if reader.whole else own_errors()):
            reader.read(case)
        known = _names(scratch)
        for number in range(first, first + inputs):
            dice = Random(f"{seed} {reader.name} {number}")
            file = files[number % len(files)]
            if reader.writes:
                shutil.rmtree(case)
                shutil.copytree(sample, case)
            data = mutators.mutated((sample / file).read_bytes(), reader.mutators_of(file), dice)
            (case / file).write_bytes(data)
            if told is not None:
                told.write_text(str(number))
                faulthandler.dump_traceback_later(PATIENCE, exit=True)
            outcome.inputs += 1
            said = _judged(reader, case, Path(file).name)
            if told is not None:
                faulthandler.cancel_dump_traceback_later()
            if said is None:
                outcome.read += 1
            elif not said:
                outcome.refused += 1
            else:
                outcome.unexpected.append((number, said))
            strays = _names(scratch) - known
            if strays or _names(scratch / "here"):
                outcome.canaries.append(f"{number}: {sorted(strays or _names(scratch / 'here'))}")
                known |= strays
            if not reader.writes:
                shutil.copyfile(sample / file, case / file)
    outcome.seconds = time.process_time() - began
    return outcome


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _judged(reader: Reader, case: Path, name: str) -> str | None:
    """None where files are read, empty where they are refused as they should; else what came."""
    try:
        reader.read(case)
    except own_errors() as error:
        text = str(error)
        if name in text or _CASE in text:
            return ""
        return f"names no file: {type(error).__name__}: {text[:200]}"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)
        ours = [
            one for one in place if "/tests/" not in one.filename and "/lib/" not in one.filename
        ]
        at = ours[-1] if ours else place[-1]
        where = f"{Path(at.filename).name}:{at.lineno}"
        return f"{type(error).__name__} at {where}: {str(error)[:200]}"
    return None


def fuzz(
    inputs_per_reader: int,
    seed: int,
    *,
    only: Sequence[str] = (),
    workers: int | None = None,
    cases: bool = True,
    told: Callable[[str, Outcome], None] = lambda name, outcome: None,
) -> dict[str, object]:
    """Damage the files of all readers, each in a process of its own, a fork of this one.

    Args:
        inputs_per_reader: how many inputs each has.
        seed: of all of them.
        only: names of readers; all unless some are named.
        workers: readers at a time, by default one a core.
        cases: with files of other people, where this machine has them.
        told: called with what came of each reader.

    Returns:
        `inputs`, `read`, `refused`, `unexpected` and `canaries` of all together, the same by
        reader under `readers`, and the `seed`.
    """
    _load()
    known = readers(cases)
    waiting = [name for name in known if not only or name in only]
    names, found = list(waiting), {name: Outcome() for name in waiting}
    begun: dict[int, tuple[BaseProcess, str, int, Path]] = {}

    def begin(name: str, first: int) -> None:
        home = Path(tempfile.mkdtemp())
        work = known[name], inputs_per_reader - first, seed, first, home
        process = multiprocessing.get_context("fork").Process(target=_child, args=work)
        process.start()
        begun[process.sentinel] = (process, name, first, home)

    try:
        while waiting or begun:
            while waiting and len(begun) < (workers or os.cpu_count() or 1):
                begin(waiting.pop(0), 0)
            for sentinel in wait([*begun]):
                process, name, first, home = begun.pop(sentinel)  # type: ignore[call-overload]
                process.join()
                died = _add(found[name], home, first, process.exitcode)
                shutil.rmtree(home, ignore_errors=True)
                if died is None or died + 1 >= inputs_per_reader:
                    told(name, found[name])
                else:
                    begin(name, died + 1)
    finally:
        for process, *_ in begun.values():
            process.kill()
    total = {
        "inputs": sum(one.inputs for one in found.values()),
        "read": sum(one.read for one in found.values()),
        "refused": sum(one.refused for one in found.values()),
        "unexpected": sum(len(one.unexpected) for one in found.values()),
        "canaries": sum(len(one.canaries) for one in found.values()),
    }
    return {"seed": seed, **total, "readers": {name: asdict(found[name]) for name in names}}


def _add(whole: Outcome, home: Path, first: int, status: int | None) -> int | None:
    """Add what a process tells; the number of the input that it died of, if it did."""
    result, told, said = (home / name for name in ("result", "told", "said"))
    died = None
    if result.exists():
        part = Outcome(**json.loads(result.read_text()))
    else:
        # Before the first input, its samples could not be made: no other will do better.
        died = int(told.read_text() or first) if told.exists() else sys.maxsize
        text = said.read_text(errors="replace") if said.exists() else ""
        last = text.strip().splitlines()[-1:] or ["nothing said"]
        why = "hangs" if "Timeout" in text else f"died ({status})"
        part = Outcome(
            inputs=died - first + 1 if told.exists() else 0,
            unexpected=[(died, f"{why}: {last[0][:300]}")],
        )
    for key in ("inputs", "read", "refused", "seconds"):
        setattr(whole, key, getattr(whole, key) + getattr(part, key))
    whole.unexpected += part.unexpected
    whole.canaries += part.canaries
    return died


def _load() -> None:
    """Import what readers do, once; nothing of it may have begun a thread when this forks."""
    for name in ("mining.cli.user_errors", "mining.models", "datasets", "onnx", "onnxruntime"):
        importlib.import_module(name)
    for name in ("mining.embeddings.store", "indexes.store", "pyarrow.parquet", "zstandard"):
        importlib.import_module(name)
    from mining.models.torchvision_ops import import_timm

    import_timm()
    own_errors()


def _child(reader: Reader, inputs: int, seed: int, first: int, home: Path) -> None:
    with (home / "said").open("w") as said:
        for stream in (1, 2):
            os.dup2(said.fileno(), stream)
        (home / "scratch").mkdir()
        outcome = damage(reader, inputs, seed, home / "scratch", first=first, told=home / "told")
    (home / "result").write_text(json.dumps(asdict(outcome)))


def _main() -> int:
    parser = argparse.ArgumentParser(description="Damage the files of every reader.")
    parser.add_argument("--inputs", type=int, default=2000, help="of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], help="name of a reader")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path, help="where the counts go")
    given = parser.parse_args()
    kinds: Counter[str] = Counter()

    def told(name: str, one: Outcome) -> None:
        print(f"{name}: {one.inputs:,} inputs, {one.read:,} read, {one.seconds:.0f} s", flush=True)
        for number, what in one.unexpected:
            kinds[what] += 1
            if kinds[what] <= 3:
                print(f"    {number}: {what}", flush=True)
        for what in one.canaries[:3]:
            print(f"    touched: {what}", flush=True)

    found = fuzz(given.inputs, given.seed, only=given.only, workers=given.workers, told=told)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    del found["readers"]
    print(json.dumps(found))
    return int(bool(found["unexpected"] or found["canaries"]))


if __name__ == "__main__":
    sys.exit(_main())
