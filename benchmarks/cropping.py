"""Cropping beside bare Pillow: the same files decoded, cut, resized and saved on the same cores.

    python -m benchmarks.cropping [--pictures 4000] [--rounds 5]

Pictures are drawn: smooth shapes with lines and grain, 512 pixels on a side, as JPEG of some
120 kB, in the buckets of Danbooru; a box each. Bare Pillow is the original's line,
`Image.open(picture).crop(box).resize((224, 224)).save(crop)`, in a pool of threads and in one of
processes, of as many workers as there are cores: the faster one counts. It looks for nothing,
checks nothing and could not go on. Runs alternate; each begins with an empty folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.machine import keep
from mining.commands.crop import crop_faces

SIDE = 512
_CHUNK = 25


def draw(file: Path, seed: int) -> None:
    """A picture that costs as much to decode as a drawn illustration of its size."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(ground).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        points = [tuple(point) for point in rng.integers(0, SIDE, (3, 2)).tolist()]
        pen.line(points, tuple(rng.integers(0, 256, 3).tolist()), int(rng.integers(1, 5)))
    grain = rng.normal(0, 4.5, (SIDE, SIDE, 1))
    pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(file, quality=88)


def make(folder: Path, count: int) -> tuple[Path, Path]:
    """The folder of `count` pictures, and the dataset of their faces."""
    rng = np.random.default_rng(0)
    pictures, dataset = folder / "512px", folder / "test.json"
    pictures.mkdir()
    faces: dict[str, list[dict[str, object]]] = {}
    ids = rng.choice(4_500_000, count, replace=False).tolist()
    with ProcessPoolExecutor() as pool:
        files = [pictures / f"{number % 1000:04d}" / f"{number}.jpg" for number in ids]
        list(pool.map(draw, files, range(count), chunksize=_CHUNK))
    for at, number in enumerate(ids):
        left, top = rng.integers(0, 300, 2).tolist()
        width, height = rng.integers(60, 212, 2).tolist()
        face = {"id": number, "bbox": [left, top, left + width, top + height]}
        faces.setdefault(f"character_{at // 2}", []).append(face)
    dataset.write_text(json.dumps(faces))
    return pictures, dataset


def bare(job: tuple[Path, tuple[int, int, int, int], Path]) -> None:
    """The original's line."""
    picture, box, crop = job
    Image.open(picture).crop(box).resize((224, 224)).save(crop)


def bare_pool(pool: Callable[[int], Executor], pictures: Path, dataset: Path, out: Path) -> None:
    """All faces by bare Pillow, folders made before."""
    jobs = []
    for identity, faces in json.loads(dataset.read_text()).items():
        (out / identity).mkdir(parents=True)
        for face in faces:
            number = face["id"]
            picture = pictures / f"{number % 1000:04d}" / f"{number}.jpg"
            jobs.append((picture, tuple(face["bbox"]), out / identity / f"{number}.jpg"))
    with pool(os.cpu_count() or 1) as workers:
        list(workers.map(bare, jobs, chunksize=_CHUNK))


def ours(pictures: Path, dataset: Path, out: Path) -> None:
    """All faces by the crop step."""
    crop_faces(pictures, dataset, out)


SIDES: dict[str, Callable[[Path, Path, Path], None]] = {
    "lookalikes": ours,
    "bare Pillow, threads": partial(bare_pool, ThreadPoolExecutor),
    "bare Pillow, processes": partial(bare_pool, ProcessPoolExecutor),
}


def measure(count: int, rounds: int) -> dict[str, object]:
    """Pictures a second of each side, by alternating runs."""
    rates: dict[str, list[float]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory(prefix="cropping.") as temporary:
        folder = Path(temporary)
        pictures, dataset = make(folder, count)
        sizes = [file.stat().st_size for file in pictures.glob("*/*.jpg")]
        ours(pictures, dataset, folder / "out")  # files in memory, plugins loaded
        same = [_digest(folder / "out")]
        shutil.rmtree(folder / "out")
        for name, side in [*SIDES.items()] * rounds:
            start = time.perf_counter()
            side(pictures, dataset, folder / "out")
            rates[name].append(count / (time.perf_counter() - start))
            same.append(_digest(folder / "out"))
            shutil.rmtree(folder / "out")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    best = max(medians[name] for name in SIDES if name != "lookalikes")
    return {
        "pictures": count,
        "mean_kilobytes": round(statistics.mean(sizes) / 1000, 1),
        "same_bytes": len(set(same)) == 1,
        "pictures_per_second": {name: round(rate, 1) for name, rate in medians.items()},
        "runs": {name: [round(rate, 1) for rate in found] for name, found in rates.items()},
        "share_of_bare": round(medians["lookalikes"] / best, 3),
    }


def _digest(out: Path) -> int:
    """Of all crops' bytes."""
    return hash(tuple((f.name, f.read_bytes()) for f in sorted(out.glob("*/*.jpg"))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    keep("cropping", measure(arguments.pictures, arguments.rounds))
