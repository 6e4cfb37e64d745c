"""How fast metadata becomes a split, and how much memory that takes.

    python -m benchmarks.selecting [--lines 1000000] [--packed 100000] [--repeats 3] [--workers 2]

The metadata is made up (`tests/support/danbooru.py`), with lines as long as those of Danbooru2020,
about 2.6 kB, and boxes of faces for each post. Measured are

- **select**: `select_faces` in a process of its own, from its start to its end: imports, the boxes,
  the metadata, the split;
- **floor**: Python's `json.loads` of the same lines on as many cores, and nothing else;
- **memory**: resident, of all its processes together, at its highest; pages that they share are
  counted once for each;
- **packed**: the same of fewer lines, plain and in each packing.

The median of the repeats counts. The files are deleted afterwards.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import keep

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.danbooru import real_sized

PROGRAM = """
import sys
from pathlib import Path
from mining.commands.select import SplitOptions, select_faces
faces, metadata, out = map(Path, sys.argv[1:4])
split = SplitOptions(test_characters=50)
select_faces(faces, out, metadata=[metadata], split=split, workers=int(sys.argv[4]))
"""
# Seconds between two looks at the memory.
LOOK = 0.02
BOX = [100, 90, 210, 205]


def make(folder: Path, lines: int) -> tuple[Path, Path]:
    """Metadata of so many posts, and the boxes of their faces."""
    metadata, faces = folder / f"{lines}.json", folder / f"{lines}.faces.json"
    with metadata.open("w", encoding="utf-8") as text, faces.open("w") as boxes:
        found = real_sized(lines, characters=max(lines // 25, 200))
        for number, (line, one) in enumerate(found, 1):
            text.write(line + "\n")
            score = 0.5 + number % 50 / 100
            listed = [{"bbox": BOX, "score": score}] if one else []
            boxes.write(f'{", " if number > 1 else "{"}"{number}": {json.dumps(listed)}')
        boxes.write("}")
    return metadata, faces


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in listed.read_text().split():
                yield from tree(int(child))


def resident(pid: int) -> int:
    """KiB that a process and all below it hold."""
    total = 0
    for one in tree(pid):
        with suppress(OSError, ValueError):
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") // 1024


def select(metadata: Path, faces: Path, workers: int) -> tuple[float, int]:
    """Seconds that a selection takes, and KiB that it holds at its highest."""
    out = metadata.parent / "out"
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, faces, metadata, out, str(workers)],
    )
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(LOOK)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"the selection failed ({process.returncode})")
    shutil.rmtree(out)
    return seconds, peak


def load(path: Path, start: int, end: int) -> None:
    """Decode the lines that begin between two bytes."""
    with path.open("rb") as stream:
        stream.seek(max(start - 1, 0))
        if start:
            stream.readline()
        while stream.tell() < end:
            json.loads(stream.readline())


def floor(path: Path, workers: int) -> float:
    """Seconds that `json.loads` of all lines takes on so many cores."""
    size = path.stat().st_size
    cuts = [size * at // workers for at in range(workers + 1)]
    context = multiprocessing.get_context("fork")
    start = time.perf_counter()
    jobs = [context.Process(target=load, args=(path, *cuts[at : at + 2])) for at in range(workers)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        if job.exitcode:
            raise RuntimeError("json.loads failed")
    return time.perf_counter() - start


def packed(path: Path) -> Iterator[Path]:
    """The file in each packing, one at a time."""
    yield path
    data = path.read_bytes()
    packers = {".gz": lambda: gzip.compress(data, 6), ".xz": lambda: lzma.compress(data, preset=6)}
    with suppress(ImportError):
        import zstandard

        packers[".zst"] = lambda: zstandard.ZstdCompressor(level=10).compress(data)
    for ending, pack in packers.items():
        made = path.with_name(path.name + ending)
        made.write_bytes(pack())
        yield made
        made.unlink()


def measured(metadata: Path, faces: Path, lines: int, size: int, given: argparse.Namespace) -> dict:
    """The medians of a selection."""
    runs = [select(metadata, faces, given.workers) for _ in range(given.repeats)]
    seconds = statistics.median(seconds for seconds, _ in runs)
    return {
        "seconds": round(seconds, 2),
        "all_seconds": [round(one, 2) for one, _ in runs],
        "lines_per_second": round(lines / seconds),
        "megabytes_per_second": round(size / 1e6 / seconds, 1),
        "peak_mib": round(statistics.median(peak for _, peak in runs) / 1024),
    }


def main() -> None:
    """Measure, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--packed", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="selecting", help="of the result")
    given = parser.parse_args()
    result: dict[str, object] = {"workers": given.workers, "repeats": given.repeats}
    with TemporaryDirectory(prefix="selecting.") as folder:
        metadata, faces = make(Path(folder), given.lines)
        size = metadata.stat().st_size
        plain = measured(metadata, faces, given.lines, size, given)
        bare = statistics.median(floor(metadata, given.workers) for _ in range(given.repeats))
        result["plain"] = {
            "lines": given.lines,
            "bytes": size,
            **plain,
            "json_loads_seconds": round(bare, 2),
            "times_json_loads": round(plain["seconds"] / bare, 2),
        }
        metadata.unlink()
        metadata, faces = make(Path(folder), given.packed)
        size = metadata.stat().st_size
        result["packed"] = {"lines": given.packed, "bytes": size}
        for path in packed(metadata):
            kind = path.suffix.removeprefix(".")
            facts = measured(path, faces, given.packed, size, given)
            result["packed"][kind] = {"file_bytes": path.stat().st_size, **facts}
    keep(given.name, result)


if __name__ == "__main__":
    main()
