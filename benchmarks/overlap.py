"""How many planted copies `lookalikes check-overlap` finds, and what else it takes for one.

    python -m benchmarks.overlap [--characters 120]

A third of the drawn characters is the test set. One changed copy of each of its pictures is put
among those of the others, in folders of new names: in each of several ways, by turns. *Named* are
copies that the votes bring before the judge, *found* those that he takes for one; *extra* are
findings that nobody planted. Where `LOOKALIKES_DATA` is set, the same with the real faces in it,
which have near-duplicates that nobody planted, too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageEnhance

from benchmarks.machine import keep
from mining.commands.check_overlap import find_overlap
from mining.overlap.copies import Matching
from pairsets.faces import Faces
from pairsets.images import decode, read
from pairsets.sources.drawn.sample import draw_faces

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


def measured(faces: Path) -> dict[str, object]:
    """What is found of the copies of one folder of faces."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        truth = planted(faces, root)
        train, test = Faces.scan(root / "train"), Faces.scan(root / "test")
        matching = Matching.of(test, train.root)
        named = sum(_is_named(matching, *ends) for ends in truth)
        start = time.perf_counter()
        found = find_overlap(train.root, test.root)
        seconds = time.perf_counter() - start
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
        "milliseconds a picture of training": round(1000 * seconds / len(train), 1),
    }


def _is_named(matching: Matching, train: str, test: str) -> bool:
    rows = matching._likely(train)
    return not isinstance(rows, str) and test in matching.kept.paths[rows].tolist()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=120)
    options = parser.parse_args(arguments)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw_faces(Path(folder) / "drawn", characters=options.characters, seed=0)
        results["drawn"] = measured(drawn.faces)
    real = os.environ.get("LOOKALIKES_DATA")
    if real:
        results["real"] = measured(Path(real) / "faces")
    for name, found in results.items():
        print(name, found)
    keep("overlap", results)


if __name__ == "__main__":
    main()
