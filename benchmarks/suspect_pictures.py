"""How many planted copies and bad crops are found, and what is flagged where nothing is planted.

    python -m benchmarks.suspect_pictures [--faces 20] [--decoys 3000]

Drawn faces are those of `make demo`; real ones stand in `LOOKALIKES_DATA`, and are left out where
it is not set. Characters are split in halves by a digest of their names: thresholds were set on the
first half, all that is reported is of the second. (The method itself was chosen by looking at
faces of both.)

- **copies**: pairs made of one face by each kind and strength of change: `crop` cuts two windows
  out of it (the second larger by a factor, and shifted by a share of the first), both then squeezed
  to a square; `combined` does so and mirrors, re-colours, compresses and shrinks at random.
- **decoys**: the pairs of different characters that a model finds most alike. A flag on one is a
  false alarm, unless a person says that it is the same picture.
- **natural**: pairs of one character, among which are some copies that nobody planted.
- **crops**: faces spoilt in each of several ways, and the clean ones.

Beside it: a perceptual hash at its usual threshold (10 of 64 bits; as it is, and mirrored too), and
correlation of grey pictures of one size at 0.9.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks.machine import keep
from mining.embeddings.producer import embed
from mining.embeddings.store import Embeddings
from mining.models import load_model
from mining.suspects.crops import BadCrops
from mining.suspects.duplicates import DuplicatePictures
from mining.suspects.pictures.features import inner_box
from pairsets.faces import Faces, identity_of
from pairsets.files.suspects import Doubt
from pairsets.images import decode, read
from pairsets.pairset import PairSet
from pairsets.storage.artefacts import installed

DEMO = Path(__file__).parent.parent / "demo" / "sample"
HASH_BITS, NCC = 10, 0.9
SIDE = 224
Picture = Image.Image
Pair = tuple[Picture, Picture]
Generator = np.random.Generator
BICUBIC, BOX = Image.Resampling.BICUBIC, Image.Resampling.BOX


def jpeg(image: Picture, quality: float) -> Picture:
    """Compressed and decoded again."""
    file = BytesIO()
    image.save(file, "JPEG", quality=int(quality))
    return decode(file.getvalue())


def hue(image: Picture, degrees: float) -> Picture:
    """All hues turned."""
    turn, saturation, value = image.convert("HSV").split()
    turn = turn.point(lambda level: (level + round(degrees * 256 / 360)) % 256)
    return Image.merge("HSV", (turn, saturation, value)).convert("RGB")


def padded(image: Picture, share: float) -> Picture:
    """On a larger plain square; its colour hangs on the size alone."""
    rim = int(share * image.width)
    canvas = Image.new(
        "RGB", (image.width + 2 * rim, image.height + 2 * rim), (200, int(255 * share), 90)
    )
    canvas.paste(image, (rim, rim))
    return canvas


def resized(image: Picture, width: float, height: float) -> Picture:
    """By two factors."""
    size = (max(1, round(image.width * width)), max(1, round(image.height * height)))
    return image.resize(size, Image.Resampling.LANCZOS)


def turned(image: Picture, degrees: float) -> Picture:
    """Turned in its frame; the corners are black where it is to the left, else white."""
    colour = (0, 0, 0) if degrees > 0 else (255, 255, 255)
    return image.rotate(degrees, BICUBIC, fillcolor=colour)


def turned_and_cut(image: Picture, degrees: float) -> Picture:
    """The largest square of a turned picture without corners that turning leaves."""
    angle = math.radians(abs(degrees))
    share = 1 / (math.cos(angle) + math.sin(angle))
    image = image.crop(inner_box(image))
    width, height = (round(side * (1 - share) / 2) for side in image.size)
    box = (width, height, image.width - width, image.height - height)
    return image.rotate(degrees, BICUBIC).crop(box)


CHANGES: dict[str, tuple[Callable[[Picture, float], Picture], tuple[float, ...]]] = {
    "jpeg": (jpeg, (60, 30, 10)),
    "resize": (lambda image, by: resized(image, by, by), (0.75, 0.5, 0.3, 0.2)),
    "squeeze": (lambda image, by: resized(image, 1, by), (0.7, 1.4)),
    "mirror": (lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (1,)),
    "brightness": (
        lambda image, by: ImageEnhance.Brightness(image).enhance(by),
        (0.5, 0.6, 1.4, 1.6, 1.8),
    ),
    "contrast": (lambda image, by: ImageEnhance.Contrast(image).enhance(by), (0.5, 1.5)),
    "gamma": (
        lambda image, by: image.point(lambda level: round(255 * (level / 255) ** by)),
        (0.5, 2),
    ),
    "hue": (hue, (20, 60, 120, 180)),
    "saturation": (lambda image, by: ImageEnhance.Color(image).enhance(by), (0.4, 1.8)),
    "grey": (lambda image, _: image.convert("L").convert("RGB"), (1,)),
    "pad": (padded, (0.1, 0.3)),
    "turn": (turned, (3, -5, 8, -10)),
    "turn-and-cut": (turned_and_cut, (-3, 6, 10)),
    "turn-and-mirror": (
        lambda image, by: turned(image, by).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        (5, -9),
    ),
}


def windows(image: Picture, larger: float, shift: float, generator: Generator) -> Pair:
    """Two windows of one image, squeezed to squares."""
    image = image.crop(inner_box(image))
    whole = np.array(image.size)
    first = whole * min(0.75, 0.98 / larger)
    second = first * larger
    angle = generator.uniform(0, 2 * np.pi)
    centre = whole / 2 + shift * first * np.array([np.cos(angle), np.sin(angle)])
    corners = np.array([(whole - first) / 2, centre - second / 2])
    # Both move back into the image together, as far as they can.
    corners -= np.minimum(corners.min(axis=0), 0)
    ends = corners + np.array([first, second])
    corners -= np.maximum(ends.max(axis=0) - whole, 0)
    ends = np.minimum(corners + np.array([first, second]), whole)
    boxes = np.concatenate([np.maximum(corners, 0), ends], axis=1).astype(int)
    a, b = (image.crop(tuple(box)).resize((SIDE, SIDE), BICUBIC) for box in boxes.tolist())
    return a, b


def combined(image: Picture, generator: Generator) -> Pair:
    """Cut differently, mirrored or not, re-coloured, compressed, perhaps shrunk."""
    a, b = windows(image, generator.uniform(0.6, 1.6), generator.uniform(0, 0.3), generator)
    if generator.random() < 0.5:
        b = b.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    ranges = {
        "brightness": (0.6, 1.4),
        "contrast": (0.6, 1.5),
        "gamma": (0.6, 1.7),
        "hue": (-60, 60),
        "saturation": (0.4, 1.8),
        "grey": (1, 1),
    }
    name = list(ranges)[generator.integers(len(ranges))]
    b = jpeg(CHANGES[name][0](b, generator.uniform(*ranges[name])), generator.integers(40, 95))
    if generator.random() < 0.3:
        by = generator.uniform(0.4, 1)
        b = resized(b, by, by)
    return a, b


def copies(image: Picture, generator: Generator) -> Iterator[tuple[str, Pair]]:
    """Every change of one face."""
    for name, (change, strengths) in CHANGES.items():
        for strength in strengths:
            yield f"{name} {strength:g}", (image, change(image, strength))
    for larger in (0.6, 0.8, 1.0, 1.25, 1.6):
        for shift in (0.0, 0.15, 0.3):
            label = f"crop {larger:g}, shifted {shift:g}"
            yield label, windows(image, larger, shift, generator)
    for _ in range(6):
        yield "combined", combined(image, generator)


def spoilt(image: Picture, generator: Generator) -> Iterator[tuple[str, Picture]]:
    """Every way of spoiling a face."""
    colour = tuple(int(level) for level in generator.integers(0, 256, 3))
    yield "blank", Image.new("RGB", (SIDE, SIDE), colour)
    noise = generator.normal(0, 4, (SIDE, SIDE, 3)) + colour
    yield "blank, with noise", Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    inside = image.crop(inner_box(image))
    for pixels in (12, 16):
        small = inside.resize((pixels, pixels), BOX)
        for filter_name in ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS"):
            blown = small.resize((SIDE, SIDE), Image.Resampling[filter_name])
            yield f"from {pixels} pixels, {filter_name.lower()}", blown
            yield f"from {pixels} pixels, {filter_name.lower()}, jpeg", jpeg(blown, 75)
    yield "24 pixels", inside.resize((24, 24), BOX)
    grey = Image.new("RGB", (SIDE, SIDE), (128, 128, 128))
    grey.paste(inside.resize((80, 80), BICUBIC), (70, 70))
    yield "a face on an eighth of a grey square", grey
    height = image.height
    edge = image.crop((0, 0, max(1, image.width // 20), height))
    yield "edge of a twentieth", edge
    yield "edge of a twentieth, squeezed", edge.resize((SIDE, SIDE), BICUBIC)


def half(identity: str) -> int:
    """0 to tune on, 1 to report."""
    return hashlib.sha256(identity.encode()).digest()[0] % 2


def open_face(root: Path, path: str) -> Picture:
    """A face, decoded."""
    return decode(read(root / path))


def decoys(embeddings: Embeddings, count: int, part: int) -> PairSet:
    """The pairs of different characters of one half that are most alike."""
    rows = np.array([half(name) == part for name in embeddings.faces.identities])
    names, paths = embeddings.faces.identities[rows], embeddings.faces.paths[rows]
    vectors = np.asarray(embeddings.vectors)[rows]
    scores = np.triu(vectors @ vectors.T + 2, 1)
    scores[names[:, None] == names] = 0
    best = np.argsort(-scores.ravel(), kind="stable")[:count]
    return PairSet.of(paths[best // len(paths)], paths[best % len(paths)], 0)


def natural(faces: Faces, part: int) -> PairSet:
    """All pairs of one character of one half."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in faces.paths:
        if half(identity_of(path)) == part:
            groups[identity_of(path)].append(path)
    both = [(a, b) for group in groups.values() for i, b in enumerate(group) for a in group[:i]]
    return PairSet.of([a for a, _ in both], [b for _, b in both], 1)


def baselines(root: Path, pairs: PairSet) -> dict[str, Any]:
    """Flags `[N]` of each baseline, and milliseconds a pair."""
    seen: dict[str, tuple[Any, Any, NDArray[np.float64]]] = {}
    start = time.perf_counter()
    for path in pairs.paths:
        image = open_face(root, path)
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        grey = np.asarray(image.convert("L").resize((64, 64), BOX), np.float64)
        grey = (grey - grey.mean()) / (grey.std() + 1e-9)
        seen[path] = imagehash.phash(image), imagehash.phash(mirrored), grey
    both = [(seen[a], seen[b]) for a, b in zip(pairs.path_a, pairs.path_b, strict=True)]
    plain = np.array([a[0] - b[0] <= HASH_BITS for a, b in both])
    either = plain | np.array([a[1] - b[0] <= HASH_BITS for a, b in both])
    ncc = np.array([float((a[2] * b[2]).mean()) >= NCC for a, b in both])
    milliseconds = (time.perf_counter() - start) / max(1, len(pairs)) * 1e3
    flags = {"perceptual hash": plain, "hash, or mirrored": either, "correlation": ncc}
    return {"flags": flags, "ms": milliseconds}


def shares(flags: NDArray[np.bool_], kinds: list[str]) -> dict[str, float]:
    """Share flagged of each kind, in the order of their first one."""
    named = np.array(kinds)
    return {kind: round(float(flags[named == kind].mean()), 4) for kind in dict.fromkeys(kinds)}


def duplicates(root: Path, embeddings: Embeddings, options: Any) -> dict[str, Any]:
    """Planted copies, decoys and natural pairs."""
    faces = embeddings.faces
    chosen = sample(faces, options.faces, options.half)
    kinds: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        planted = Path(folder)
        for side in "ab":
            (planted / side).mkdir()
        for number, path in enumerate(chosen):
            generator = np.random.default_rng([options.half, number])
            for kind, both in copies(open_face(root, path), generator):
                for side, image in zip("ab", both, strict=True):
                    image.save(planted / side / f"{len(kinds)}.png", compress_level=1)
                kinds.append(kind)
        names = [f"{number}.png" for number in range(len(kinds))]
        pairs = PairSet.of([f"a/{name}" for name in names], [f"b/{name}" for name in names], 1)
        found = DuplicatePictures(planted)(pairs)
        others = baselines(planted, pairs)["flags"]
    hard = decoys(embeddings, options.decoys, options.half)
    check = DuplicatePictures(root)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        alarms = check(hard)
        seconds.append(time.perf_counter() - start)
    beside = baselines(root, hard)
    same = natural(faces, options.half)
    named = check(same)
    sides = {"ours": found.flagged, **others}
    alarmed = {"ours": alarms.flagged, **beside["flags"]}
    general = [kind.split()[0] for kind in kinds]
    return {
        "planted": len(kinds),
        "decoys": len(hard),
        "sides": {
            name: {
                "recall": round(float(flags.mean()), 4),
                "decoys_flagged": int(alarmed[name].sum()),
                "precision": round(
                    float(flags.sum() / max(1, flags.sum() + alarmed[name].sum())), 4
                ),
                "recall_by_kind": shares(flags, general),
            }
            for name, flags in sides.items()
        },
        "recall_by_strength": shares(found.flagged, kinds),
        "recall_and_decoys_by_threshold": {
            f"{at:.1f}": [
                round(float((found.score >= at).mean()), 4),
                int((alarms.score >= at).sum()),
            ]
            for at in np.arange(0.2, 0.95, 0.1)
        },
        "natural": {
            "pairs": len(same),
            "flagged": named.count,
            "paths": flagged_paths(same, named),
        },
        "decoys_flagged": flagged_paths(hard, alarms),
        "ms_a_pair": {
            "first_time": round(seconds[0] / len(hard) * 1e3, 2),
            "again": round(seconds[1] / len(hard) * 1e3, 2),
            "baselines": round(beside["ms"], 2),
        },
    }


def flagged_paths(pairs: PairSet, doubt: Doubt) -> list[list[Any]]:
    """Score and paths of what is flagged, for a person to look at; the surest first."""
    rows = sorted(np.flatnonzero(doubt.flagged).tolist(), key=lambda row: -doubt.score[row])
    return [[round(float(doubt.score[row]), 2), *pairs.keys[row]] for row in rows]


def crops(root: Path, faces: Faces, options: Any) -> dict[str, Any]:
    """Spoilt faces, and all clean ones."""
    clean = [path for path in faces.paths if half(identity_of(path)) == options.half]
    clean = clean[: len(clean) // 2 * 2]
    check = BadCrops(root)
    start = time.perf_counter()
    alarms = check(PairSet.of(clean[::2], clean[1::2], 0))
    seconds = time.perf_counter() - start
    kinds: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        planted = Path(folder)
        for side in "ab":
            (planted / side).mkdir()
        for number, path in enumerate(sample(faces, options.faces, options.half)):
            image = open_face(root, path)
            for kind, bad in spoilt(image, np.random.default_rng([options.half, number])):
                image.save(planted / "a" / f"{len(kinds)}.png", compress_level=1)
                bad.save(planted / "b" / f"{len(kinds)}.png", compress_level=1)
                kinds.append(kind)
        names = [f"{number}.png" for number in range(len(kinds))]
        pairs = PairSet.of([f"a/{name}" for name in names], [f"b/{name}" for name in names], 0)
        found = BadCrops(planted)(pairs)
    return {
        "planted": len(kinds),
        "recall": round(float(found.flagged.mean()), 4),
        "recall_by_kind": shares(found.flagged, kinds),
        "clean_faces": len(clean),
        "clean_pairs_flagged": alarms.count,
        "largest_clean_score": round(float(np.nanmax(alarms.score)), 3),
        "ms_a_face": round(seconds / len(clean) * 1e3, 2),
    }


def sample(faces: Faces, count: int, part: int) -> list[str]:
    """Faces of one half, evenly spread."""
    paths = [path for path in faces.paths if half(identity_of(path)) == part]
    return paths[:: max(1, len(paths) // count)][:count]


def main() -> None:
    """Measure drawn and real faces."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=20, help="that are copied and spoilt")
    parser.add_argument("--decoys", type=int, default=3000)
    parser.add_argument("--half", type=int, default=1, help="0 to tune on; then nothing is kept")
    parser.add_argument("--embeddings", nargs=2, type=Path, help="made before, drawn and real")
    options = parser.parse_args()
    folders = {"drawn": DEMO / "faces"}
    if "LOOKALIKES_DATA" in os.environ:
        folders["real"] = Path(os.environ["LOOKALIKES_DATA"]) / "faces"
    result: dict[str, Any] = {"left_out": "" if "real" in folders else "real: no LOOKALIKES_DATA"}
    for number, (name, root) in enumerate(folders.items()):
        if not root.is_dir():
            raise SystemExit(f"{root}: no such folder; the drawn faces are made by: make demo")
        if options.embeddings:
            embeddings = Embeddings.load(options.embeddings[number], root)
            embedded = None
        else:
            embedded = tempfile.TemporaryDirectory()
            model = load_model(f"timm:tf_efficientnet_lite0@{DEMO / 'tf_efficientnet_lite0'}")
            embeddings = embed(Faces.scan(root), model, embedded.name)
        result[name] = {
            "duplicates": duplicates(root, embeddings, options),
            "crops": crops(root, embeddings.faces, options),
        }
        if embedded is not None:
            embedded.cleanup()
    content = {
        "faces": options.faces,
        "libraries": installed("opencv-python-headless", "imagehash"),
        **result,
    }
    if options.half == 1:
        keep("suspect_pictures", content)
    else:
        print(content)


if __name__ == "__main__":
    main()
