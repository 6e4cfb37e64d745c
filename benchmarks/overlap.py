"""How many planted copies `lookalikes check-overlap` finds, and what else it takes for one.

    python -m benchmarks.overlap [--characters 120] [--runs 3] [--scratch FOLDER]

A third of the drawn characters is the test set. One changed copy of each of its pictures is put
among those of the others, in folders of new names: in each of several ways, by turns. *Named* are
copies that the votes bring before the judge, *found* those that he takes for one; *extra* are
findings that nobody planted. Where `LOOKALIKES_DATA` is set, the same with the real faces in it,
which have near-duplicates that nobody planted, too.

Seconds are medians of runs that take turns with those of an earlier commit (`BEFORE`, which had an
engine of its own for this), each in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from statistics import median

from PIL import Image, ImageEnhance

from benchmarks.machine import keep
from benchmarks.previous import install
from mining.commands.check_overlap import find_overlap
from mining.overlap.copies import Matching
from pairsets.faces import Faces
from pairsets.images import decode, read
from pairsets.sources.drawn.sample import draw_faces

BEFORE = "47eff3be47bec1c69d98f7a1ae17ed617c0653a9"
Picture = Image.Image
LANCZOS, MIRROR = Image.Resampling.LANCZOS, Image.Transpose.FLIP_LEFT_RIGHT


def jpeg(face: Picture, quality: int) -> Picture:
    """A face after it was compressed once more."""
    file = BytesIO()
    face.save(file, "JPEG", quality=quality)
    return decode(file.getvalue())


def window(face: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    """A part of a face, in shares of its sides."""
    width, height = face.size
    return face.crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    )


def padded(face: Picture) -> Picture:
    """A face on white."""
    whole = Image.new("RGB", (face.width + 80, face.height + 60), "white")
    whole.paste(face, (40, 20))
    return whole


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG of quality 40": lambda face: jpeg(face, 40),
    "half the size": lambda face: face.resize((face.width // 2, face.height // 2), LANCZOS),
    "mirrored": lambda face: face.transpose(MIRROR),
    "another box, 80 %": lambda face: window(face, 0.15, 0.1, 0.95, 0.9),
    "another box, 65 %": lambda face: window(face, 0.05, 0.2, 0.7, 0.85).resize(face.size),
    "squeezed box": lambda face: window(face, 0.1, 0.0, 0.8, 0.9).resize((224, 224)),
    "box, mirrored, JPEG": lambda face: jpeg(
        window(face, 0.1, 0.1, 0.85, 0.85).transpose(MIRROR).resize((224, 224)), 50
    ),
    "padded": padded,
    "pale": lambda face: ImageEnhance.Color(face).enhance(0.3),
    "grey": lambda face: face.convert("L").convert("RGB"),
}


def planted(faces: Path, root: Path) -> dict[tuple[str, str], str]:
    """Make both sides below `root`; the copy and its original, and how it was changed."""
    truth = {}
    folders = sorted(path for path in faces.iterdir() if path.is_dir())
    for at, folder in enumerate(folders):
        side = "test" if at % 3 == 0 else "train"
        home = root / side / folder.name
        home.mkdir(parents=True)
        for picture in sorted(folder.iterdir()):
            face = decode(read(picture))
            face.save(home / f"{picture.stem}.jpg", quality=92)
            if side == "test":
                how = list(CHANGES)[len(truth) % len(CHANGES)]
                copy = root / "train" / f"copies {at}" / f"{picture.stem}.jpg"
                copy.parent.mkdir(parents=True, exist_ok=True)
                CHANGES[how](face).save(copy, quality=85)
                train = copy.relative_to(root / "train").as_posix()
                truth[train, f"{folder.name}/{picture.stem}.jpg"] = how
    return truth


def measured(faces: Path, before: Path, runs: int) -> dict[str, object]:
    """What is found of the copies of one folder of faces, and how long that takes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        truth = planted(faces, root)
        train, test = Faces.scan(root / "train"), Faces.scan(root / "test")
        named = len(truth.keys() & _named(Matching.of(test, train.root), train))
        found = find_overlap(train.root, test.root)
        seconds = timed({"now": Path(sys.executable), "before": before}, train, test, runs)
    pairs = {(one.train, one.test) for one in found.found if one.kind in ("file", "picture")}
    ways, hits = Counter(truth.values()), Counter(truth[ends] for ends in pairs & truth.keys())
    return {
        "training": len(train),
        "test": len(test),
        "copies": len(truth),
        "named": named,
        "found": len(pairs & truth.keys()),
        "extra": len(pairs - truth.keys()),
        "by change": {how: [hits[how], count] for how, count in ways.items()},
        "milliseconds a picture of training": round(1000 * seconds["now"][0] / len(train), 1),
        "seconds, and of the processors": seconds,
        "of the seconds before": round(seconds["now"][0] / seconds["before"][0], 3),
        "of the processors' seconds before": round(seconds["now"][1] / seconds["before"][1], 3),
    }


_WORK = """
import sys, time
from pathlib import Path
from mining.commands.check_overlap import find_overlap
start = time.perf_counter()
find_overlap(Path(sys.argv[1]), Path(sys.argv[2]))
print(time.perf_counter() - start)
"""


def timed(
    sides: Mapping[str, Path], train: Faces, test: Faces, runs: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of each side, and those of all processors; sides take turns."""
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(runs):
        for side, python in sides.items():
            used = _processor_seconds()
            # Isolated: each side has packages of its own.
            command = [str(python), "-I", "-c", _WORK, str(train.root), str(test.root)]
            done = subprocess.run(command, check=True, capture_output=True)
            taken[side].append((float(done.stdout), _processor_seconds() - used))
    return {
        side: (round(median(a for a, _ in both), 2), round(median(b for _, b in both), 2))
        for side, both in taken.items()
    }


def _processor_seconds() -> float:
    """Of all processes that this one started and that have ended, with their own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _named(matching: Matching, train: Faces) -> set[tuple[str, str]]:
    """Pictures of training, and those of the test set that they may show."""
    paths, home = train.paths.tolist(), train.root.resolve().relative_to(matching.above)
    rows = matching._likely([(home / path).as_posix() for path in paths])
    kept = matching.kept.paths
    return {(path, kept[row]) for path, some in zip(paths, rows, strict=True) for row in some or ()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=120)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="where the earlier build is kept")
    options = parser.parse_args(arguments)
    before = install(options.scratch, commit=BEFORE)
    results: dict[str, object] = {"before": BEFORE}
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw_faces(Path(folder) / "drawn", characters=options.characters, seed=0)
        results["drawn"] = measured(drawn.faces, before, options.runs)
    real = os.environ.get("LOOKALIKES_DATA")
    if real:
        results["real"] = measured(Path(real) / "faces", before, options.runs)
    for name, found in results.items():
        print(name, found)
    keep("overlap", results)


if __name__ == "__main__":
    main()
