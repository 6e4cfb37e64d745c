"""How long `lookalikes audit` takes for a folder of faces, in which copies are planted.

    python -m benchmarks.audit [--faces 100000] [--folder FOLDER] [--model MODEL]

One picture of eight is drawn by artists (two styles, whose parts are in many pictures, so that much
is likely and little a copy); the rest are portraits of shapes and strokes that chance puts down, of
112 to 224 pixels. Of every fiftieth picture a changed copy (`benchmarks.overlap.CHANGES`) lies
beside it. Vectors are clustered ones of 512 dimensions (`benchmarks.vectors`): embedding is another
command. The folder is made once, and kept where it is named.

Such vectors say nothing of pictures. With a model the faces are embedded instead, and what is found
is told with its vectors and without (`audit_vectors.json`).
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks import vectors
from benchmarks.machine import keep
from benchmarks.million_faces import finish_embeddings, sizes_of, write_vectors
from benchmarks.overlap import CHANGES
from mining import embed, load_model
from mining.commands.audit import audit
from mining.embeddings.store import Embeddings
from mining.parallel import in_order
from mining.suspects.evidence import Evidence
from pairsets.faces import Faces
from pairsets.progress import Step
from pairsets.sources.drawn.sample import draw_faces
from pairsets.storage.digests import sha256

SEED, DIMENSIONS = 20, 512
# Of so many pictures one is drawn by artists, of so many a copy is planted; faces of an identity.
DRAWN, COPIED, FACES = 8, 50, 25
STYLES = ("lorelei", "adventurer")
# Drawn characters of a piece of work; each has four pictures on average.
_CAST = 125
# Portraits are drawn so many times as large.
_FINE = 2

# Of `measured`, what a run costs.
COSTS = ("minutes", "milliseconds a face", "seconds of each step", "MB at the peak")

Ink = tuple[int, int, int]


def portrait(number: int) -> Image.Image:
    """A face of shapes and strokes, another one for each number."""
    draw = np.random.default_rng([SEED, number])
    side = _FINE * int(draw.integers(112, 225))
    small = draw.integers(60, 200, (4, 4, 3)).astype(np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)

    def colour(near: Ink | None = None) -> Ink:
        low, high = (0, 256) if near is None else (np.maximum(near, 70) - 70, np.add(near, 40))
        red, green, blue = np.minimum(draw.integers(low, high, 3), 255).tolist()
        return red, green, blue

    def oval(x: float, y: float, wide: float, high: float, ink: Ink) -> None:
        box = [x - wide, y - high, x + wide, y + high]
        pen.ellipse([at * side for at in box], fill=ink, outline=(20, 20, 30), width=2 * _FINE)

    hair, angles = colour(), np.linspace(0, 2 * np.pi, 14)[:-1]
    far = draw.uniform(0.3, 0.52, len(angles))
    rim = np.stack([0.5 + far * np.cos(angles), 0.48 + far * np.sin(angles)], axis=1) * side
    pen.polygon([tuple(point) for point in rim.tolist()], fill=hair)
    x, y = draw.uniform(0.42, 0.58, 2).tolist()
    wide, high = draw.uniform([0.2, 0.24], [0.3, 0.36]).tolist()
    oval(x, y, wide, high, colour())
    iris = colour()
    for way in (-1, 1):
        at, up = x + way * wide * draw.uniform(0.35, 0.6), y - high * draw.uniform(0.05, 0.35)
        for size, ink in ((0.07, (255, 255, 255)), (0.05, iris), (0.02, (10, 10, 10))):
            oval(at, up, size * draw.uniform(0.8, 1.3), size * draw.uniform(0.8, 1.3), ink)
    for _ in range(16):
        lock = draw.uniform([x - 0.4, y - 0.5], [x + 0.4, y + 0.4])
        points = (lock + draw.uniform(-0.12, 0.12, (3, 2))) * side
        thick = _FINE * int(draw.integers(2, 6))
        ink = colour(hair)
        pen.line([tuple(point) for point in points.tolist()], fill=ink, width=thick, joint="curve")
    return image.resize((side // _FINE, side // _FINE), Image.Resampling.BOX)


def _drawn(at: int, root: Path) -> None:
    style = STYLES[at % len(STYLES)]
    home = root / f"drawn {at:03}"
    sample = draw_faces(home, characters=_CAST, size=160, seed=SEED + at, style=style)
    for folder in sorted(sample.faces.iterdir()):
        folder.rename(root / f"{at:03} {folder.name}")
    shutil.rmtree(home)


def _identity(item: tuple[int, int, int], root: Path) -> None:
    """Draw `count` portraits of an identity, the first of them number `start`."""
    at, start, count = item
    folder = root / f"identity {at:05}"
    folder.mkdir()
    for number in range(start, start + count):
        portrait(number).save(folder / f"{number:07}.jpg", quality=88)


def make_faces(root: Path, count: int) -> None:
    """Make the folder of faces, and planted copies in it."""
    unfinished = root.with_name(f"{root.name} unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    pieces = range(max(1, count // DRAWN // (4 * _CAST)))
    for _ in in_order(partial(_drawn, root=unfinished), pieces, None, processes=True):
        pass
    drawn = sum(1 for _ in unfinished.rglob("*.png"))
    rest = count - drawn - count // COPIED
    sizes = sizes_of(rest, max(1, rest // FACES))
    starts = np.cumsum(sizes) - sizes
    items = zip(range(len(sizes)), starts.tolist(), sizes.tolist(), strict=True)
    for _ in in_order(partial(_identity, root=unfinished), items, None, processes=True):
        pass
    files = sorted(path for path in unfinished.rglob("*.*") if path.is_file())
    ways = list(CHANGES)
    for at in range(count // COPIED):
        file = files[at * len(files) // (count // COPIED)]
        with Image.open(file) as image:
            changed = CHANGES[ways[at % len(ways)]](image.convert("RGB"))
        changed.save(file.with_name(f"{file.stem} copy {at % len(ways)}.jpg"), quality=85)
    unfinished.rename(root)


def write_embeddings(folder: Path, faces: Faces) -> None:
    """Write a finished folder of embeddings of the faces, of clustered vectors."""
    folder.mkdir(parents=True)
    source = vectors.clustered(len(faces), DIMENSIONS, faces.groups)
    write_vectors(folder, source, DIMENSIONS)
    paths = faces.paths.tolist()
    digests = [sha256(faces.locate(path)) for path in paths]
    made_by = {"model": "clustered", "fingerprint": "clustered"}
    finish_embeddings(folder, paths, digests, made_by, DIMENSIONS)


class Stages:
    """Seconds that each step of a command takes."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def __call__(self, what: str) -> Iterator[Step]:
        """Time a step."""
        start = time.perf_counter()
        try:
            yield lambda done, total: None
        finally:
            self.seconds[what] += time.perf_counter() - start


def measured(home: Path, references: Sequence[Embeddings]) -> dict[str, object]:
    """Time and memory of one audit, and what it finds of the copies."""
    stages, out = Stages(), home / "audit"
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    made = audit(
        home / "faces",
        out=out,
        evidence=Evidence(references=tuple(references)),
        progress=stages,
    )
    seconds = time.perf_counter() - start
    assert made.audit is not None
    found = {*made.audit.pairs["duplicate"]}
    variants = {*made.audit.pairs["variant"]} - found
    copies = [path for path in Faces.scan(home / "faces").paths if " copy " in path]
    planted = {_ends(path) for path in copies}
    return {
        "faces": len(made.audit.faces),
        "minutes": round(seconds / 60, 2),
        "milliseconds a face": round(1000 * seconds / len(made.audit.faces), 2),
        "seconds of each step": {name: round(s, 1) for name, s in stages.seconds.items()},
        "MB at the peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "planted copies": len(planted),
        "found of them": len(found & planted),
        "told as variants": len(variants & planted),
        "found by change": _by_change(found, copies),
        "other duplicates": len(found - planted),
    }


def _by_change(found: set[tuple[str, str]], copies: Sequence[str]) -> dict[str, list[int]]:
    """Copies that were found, and all, of each change."""
    ways = list(CHANGES)
    counts: dict[str, list[int]] = {how: [0, 0] for how in ways}
    for path in copies:
        both = counts[ways[int(path.rpartition(" copy ")[2].partition(".")[0])]]
        both[0] += _ends(path) in found
        both[1] += 1
    return counts


def _ends(path: str) -> tuple[str, str]:
    """Paths of a copy and of its original, sorted."""
    original = path.partition(" copy ")[0]
    suffix = ".jpg" if "/0" in path and path.startswith("identity") else ".png"
    one, other = sorted([path, original + suffix])
    return one, other


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--model", help="embeds the faces, such as timm:NAME@FOLDER")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        home = options.folder or Path(scratch)
        if not (home / "faces").is_dir():
            make_faces(home / "faces", options.faces)
        if options.model:
            faces = Faces.scan(home / "faces")
            vectors_of_model = embed(faces, load_model(options.model), home / "model embeddings")
            sides: dict[str, Sequence[Embeddings]] = {
                "without vectors": (),
                "with vectors": (vectors_of_model,),
            }
            results: dict[str, object] = {"model": options.model.partition("@")[0]}
            for side, references in sides.items():
                # One process, and files that were read before: times and memory say nothing.
                found = measured(home, references)
                results[side] = {name: found[name] for name in found if name not in COSTS}
                print(side, results[side], flush=True)
            keep("audit_vectors", results)
            return
        if not (home / "embeddings").is_dir():
            write_embeddings(home / "embeddings", Faces.scan(home / "faces"))
        result = measured(home, [Embeddings.load(home / "embeddings")])
    print(result)
    keep("audit", result)


if __name__ == "__main__":
    main()
