"""Preprocessing that brings an image to a network's input: resize, crop, normalise."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import ModelError
from pairsets.storage.json_files import is_number, short

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
Crop = Literal["rounded", "floored"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Past this aspect ratio the ends are cut off before resizing: no crop would reach them, and a
# strip one pixel high would otherwise grow to gigabytes.
_LONGEST_ASPECT = 16


@dataclass(frozen=True)
class Preprocessing:
    """Resize, centre crop and normalise, as torchvision does it to a PIL image.

    Attributes:
        size: height and width in pixels of what the network sees.
        resize: an integer is the length the shorter side is brought to, keeping the aspect
            ratio; height and width stretch the image to just that.
        interpolation: Pillow's resampling filter; it always antialiases.
        mean: per channel, R G B, of values in [0, 1].
        std: per channel, likewise.
        crop: where a crop begins whose margin is an odd number of pixels: at half of it rounded to
            even, as torchvision does it, or floored, as transformers does.

    >>> plan = Preprocessing(size=(4, 4), resize=(4, 4))
    >>> plan.apply(Image.new("RGB", (9, 5), (10, 20, 30))).shape
    (4, 4, 3)
    """

    size: tuple[int, int]
    resize: int | tuple[int, int]
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    crop: Crop = "rounded"

    def __post_init__(self) -> None:
        resize = (self.resize,) if isinstance(self.resize, int) else self.resize
        for what, lengths, counts in (("size", self.size, (2,)), ("resize", resize, (1, 2))):
            sound = all(type(n) is int and 0 < n <= 4096 for n in lengths)
            if len(lengths) not in counts or not sound:
                raise ModelError(
                    f"preprocessing: {what} is {short(lengths)}, not pixels from 1 to 4096"
                )
        if self.interpolation not in get_args(Interpolation):
            known = ", ".join(get_args(Interpolation))
            raise ModelError(
                f"preprocessing: interpolation {short(self.interpolation)} is none of {known}"
            )
        if self.crop not in get_args(Crop):
            known = ", ".join(get_args(Crop))
            raise ModelError(f"preprocessing: crop {short(self.crop)} is none of {known}")
        for what, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(is_number(v) and math.isfinite(v) for v in values):
                raise ModelError(
                    f"preprocessing: {what} is {short(values)}, not three finite numbers"
                )
        # What float32 takes for nought divides by it.
        if not all(0 < float(np.float32(v)) < math.inf for v in self.std):
            raise ModelError(f"preprocessing: std is {self.std}, not above 0")

    def apply(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB image as uint8 `[H, W, 3]`, resized and cropped, not yet normalised.

        Bytes rather than floats: a fourth of the memory between the decoding threads and the
        network.
        """
        height, width = self._resized(*image.size)
        if not isinstance(self.resize, tuple):
            image = _trimmed(image)
        resized = image.resize((width, height), Image.Resampling[self.interpolation.upper()])
        top = _offset(height, self.size[0], self.crop)
        left = _offset(width, self.size[1], self.crop)
        box = (left, top, left + self.size[1], top + self.size[0])
        return np.asarray(resized if (height, width) == self.size else resized.crop(box))

    def normalise(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Stacked images `[B, H, W, 3]` as the float32 `[B, 3, H, W]` a network takes."""
        scaled = batch.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        scaled /= np.float32(255)
        scaled -= np.asarray(self.mean, np.float32).reshape(3, 1, 1)
        scaled /= np.asarray(self.std, np.float32).reshape(3, 1, 1)
        return scaled

    def facts(self) -> dict[str, object]:
        """The settings as JSON-able values; the crop where it is not torchvision's."""
        return {key: value for key, value in asdict(self).items() if value != "rounded"}

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Height and width after the resize, rounded as torchvision rounds."""
        if isinstance(self.resize, tuple):
            return self.resize
        shorter = min(width, height)
        longer = min(max(width, height), _LONGEST_ASPECT * shorter)
        other = int(self.resize * longer / shorter)
        return (self.resize, other) if height <= width else (other, self.resize)


def _trimmed(image: Image.Image) -> Image.Image:
    """The middle of an image whose aspect ratio is beyond any sense; otherwise the image."""
    width, height = image.size
    limit = _LONGEST_ASPECT * min(width, height)
    if max(width, height) <= limit:
        return image
    w, h = min(width, limit), min(height, limit)
    left, top = (width - w) // 2, (height - h) // 2
    return image.crop((left, top, left + w, top + h))


def _offset(length: int, crop: int, manner: Crop) -> int:
    """Start of a centred crop; negative where the crop is longer and black is added."""
    if crop > length:
        return -((crop - length) // 2)
    return round((length - crop) / 2) if manner == "rounded" else (length - crop) // 2
