"""Faces that are no good as pictures: blank, tiny, blown up, mostly padding, slivers, no face.

A model sees little in them but what all such crops share, and so takes one for another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from mining.models.face_detector import FaceDetector
from mining.parallel import in_chunks
from mining.suspects.pictures.features import inner_box
from pairsets import images
from pairsets.arrays import Floats
from pairsets.faces import is_folder, locator
from pairsets.files.suspects import Doubt
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

# Limits below, calibrated on drawn and real faces (benchmarks/suspect_pictures.py). Where clean
# faces end: 63 % of one colour, 0.20 of detail, 50 % besides padding.
ONE_COLOUR = 0.9  # share of pixels from which an image is blank
LEAST_SIDE = 32  # pixels that the shorter side must have
DETAIL = 0.1  # of the contrast, lost at 24 pixels a side: less, and it was blown up from that many
LEAST_CONTENT = 0.2  # share of an image that must not be padding
LARGEST_ASPECT = 2.5  # longer side over the shorter one, from which a crop is a sliver
LEAST_FACE = 0.25  # confidence of the detector that a face must have
# Every fault is put on one scale on which its limit lies here.
THRESHOLD = 0.5
# Levels by which a pixel may differ from the one colour.
_LEVELS = 16
# Pixels on a side that a picture with detail has more of, and what is looked at.
_COARSE, _LOOKED_AT = 24, 224
# Squares on a side of what was blown up without smoothing.
_BLOCKS = range(6, 25)
# Faces that a thread or a process takes at a time, and from how many on it is processes.
_CHUNK, FEW = 16, 512

Score = tuple[float, str]


class BadCrops:
    """Flags pairs one of whose faces is no usable picture, and says which and why.

    A face's score is that of its worst fault; a limit lies at 0.5. A pair's score is its worse
    face's.

    Args:
        root: the folder that paths of pairs are relative to.
        detector: asked whether it is a face at all; without one that is not looked at.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores by default.
    """

    kind = "crop"

    def __init__(
        self,
        root: Path,
        *,
        detector: FaceDetector | None = None,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
    ) -> None:
        self._root, self._locate, self._detector = root, locator(root), detector
        self._max_pixels, self._threads = max_pixels, threads
        # A number and a few words a face: all of them are kept.
        self._found: dict[str, Score] = {}
        self._unread: dict[str, str] = {}

    @property
    def unread(self) -> Mapping[str, str]:
        """The faces of all pairs so far that could not be read, and why: their scores are nan."""
        return dict(sorted(self._unread.items()))

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Score of each pair: that of its worse face, nan if one cannot be read."""
        self._look(pairs.paths, progress)
        scores, reasons = [], []
        for key in pairs.keys:
            both = [(path, *self._found[path]) for path in key]
            scores.append(float(np.max([score for _, score, _ in both])))
            # A pair that cannot be read whole is not judged.
            known = not np.isnan(scores[-1])
            bad = [f"{path}: {why}" for path, score, why in both if known and score >= THRESHOLD]
            reasons.append(", ".join(bad))
        score = np.array(scores, np.float64)
        return Doubt(self.kind, score, score >= THRESHOLD, tuple(reasons))

    def of_faces(self, paths: Sequence[str], progress: Step = unheard) -> tuple[Floats, list[str]]:
        """Score and reason of each face, the reason empty where it is no bad crop.

        nan if one cannot be read.
        """
        self._look(paths, progress)
        found = [self._found[path] for path in paths]
        # nan compares false.
        said = [why if score >= THRESHOLD else "" for score, why in found]
        return np.array([score for score, _ in found], np.float64), said

    def _look(self, paths: Sequence[str], progress: Step) -> None:
        """Look at the faces that were not looked at yet."""
        new = [path for path in dict.fromkeys(paths) if path not in self._found]
        known = len(paths) - len(new)
        work = partial(_looked_at, max_pixels=self._max_pixels, detector=self._detector)
        # A detector keeps all cores busy by itself.
        apart = len(new) >= FEW and self._detector is None and is_folder(self._root)
        files = [self._locate(path) for path in new]
        done = 0
        for _, found in in_chunks(work, files, self._threads, chunk=_CHUNK, processes=apart):
            for path, one in zip(new[done : done + len(found)], found, strict=True):
                if isinstance(one, str):
                    self._unread[path] = one
                self._found[path] = (np.nan, "") if isinstance(one, str) else one
            done += len(found)
            progress(known + done, len(paths))


def _looked_at(file: Path, *, max_pixels: int, detector: FaceDetector | None) -> Score | str:
    """Score of how bad a face is, and the reason in words; or why it cannot be read."""
    try:
        image = images.decode(images.read(file), path=file, max_pixels=max_pixels)
    except images.ImageError as error:
        return error.cause
    faults = _faults(image)
    if detector is not None:
        face = detector(image)
        faults.append((_below(face, LEAST_FACE), f"no face found (confidence {face:.2f})"))
    # Of equal ones the first: what is wrong with a blank image is that it is blank.
    return max(faults, key=lambda fault: fault[0])


def _faults(image: Image.Image) -> list[Score]:
    """The score of each fault that pixels show."""
    share = of_one_colour(image)
    shorter, longer = sorted(image.size)
    aspect = longer / shorter
    left, top, right, bottom = inner_box(image)
    content = (right - left) * (bottom - top) / (image.width * image.height)
    kept = detail_of(image.crop((left, top, right, bottom)))
    return [
        (_below(1 - share, 1 - ONE_COLOUR), "nearly one colour"),
        # Below the limit, not at it.
        (_below(shorter, LEAST_SIDE - 0.5), f"tiny ({image.width} x {image.height} pixels)"),
        (_below(content, LEAST_CONTENT), f"mostly padding ({1 - content:.0%})"),
        (_below(1 / aspect, 1 / LARGEST_ASPECT), f"a sliver (1 to {aspect:.1f})"),
        (_below(kept, DETAIL), "blown up from few pixels"),
    ]


def _below(value: float, limit: float) -> float:
    """Score of a fault: 1 at nought, `THRESHOLD` at the limit, ever less above it."""
    # Rounding must not decide what lies at a limit.
    return round(limit / (limit + max(value, 0.0)), 9)


def of_one_colour(image: Image.Image) -> float:
    """The share of an RGB image's pixels that are nearly of its commonest colour."""
    small = image.resize((64, 64), Image.Resampling.BOX)
    pixels = np.asarray(small).reshape(-1, 3).astype(np.int64)
    # Coarse colours first, for which there is a commonest one in a photograph too.
    coarse = pixels // 16 @ [256, 16, 1]
    commonest = np.median(pixels[coarse == np.bincount(coarse).argmax()], axis=0)
    return float((np.abs(pixels - commonest).max(axis=1) <= _LEVELS).mean())


def detail_of(image: Image.Image) -> float:
    """Share of its contrast that an image loses as one of few pixels: the less of either side.

    Flat colours lose as much as fine shading: their edges are sharp. Only luminance counts. An
    image of one colour has none to lose: 1.
    """
    if max(image.size) > _LOOKED_AT:
        scale = _LOOKED_AT / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    grey = image.convert("F")
    values = np.asarray(grey, np.float64)
    contrast = float(values.std())
    if contrast < 1:
        return 1.0
    width, height = image.size
    smooth, sharp = Image.Resampling.LANCZOS, Image.Resampling.BOX
    lost = [
        _lost(values, grey, size, smooth, Image.Resampling.BICUBIC)
        # Of a small picture a third: nothing is blown up that shows what it is made of.
        for size in ((min(_COARSE, width // 3), height), (width, min(_COARSE, height // 3)))
        if min(size) > 1
    ]
    for axis, side in enumerate((width, height)):
        # Most pictures are clearly not made of blocks, and need not be tried with each number.
        for blocks in _BLOCKS if _in_steps(values, 1 - axis) else ():
            if 2 * blocks < side:
                size = (blocks, height) if axis == 0 else (width, blocks)
                lost.append(_lost(values, grey, size, sharp, Image.Resampling.NEAREST))
    return min(lost, default=contrast) / contrast


def _in_steps(values: Floats, axis: int) -> bool:
    """Whether nearly all that changes along an axis does so at as few lines as blocks have."""
    steps = np.sort((np.diff(values, axis=axis) ** 2).mean(axis=1 - axis))
    return bool(steps[-_BLOCKS[-1] :].sum() > 0.7 * steps.sum())


def _lost(
    values: Floats,
    grey: Image.Image,
    size: tuple[int, int],
    down: Image.Resampling,
    up: Image.Resampling,
) -> float:
    """Root of the mean square of what is lost by bringing an image to a size and back."""
    back = np.asarray(grey.resize(size, down).resize(grey.size, up), np.float64)
    return float(np.sqrt(((values - back) ** 2).mean()))
