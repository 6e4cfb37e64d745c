"""Features kept of a face's picture, so that two can be laid over each other quickly.

Padding is cut off first: what two pictures have in common must lie within them. What is left is
brought to one size, and the spots that stand out in it are described (`spots`).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import SuspectError
from mining.suspects.pictures.spots import described

# Pixels on the longer side of what is compared.
SIDE = 128
SPOTS = 128
# Levels by which a pixel of padding may differ from its line: JPEG leaves some.
PADDING_LEVELS = 12
# Of a side, what is left of a picture that is nothing but padding.
LEAST_LEFT = 0.15
# Lines that are looked at first for the end of the padding.
_FEW_LINES = 4

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[int, int, int, int]


def needed(what: str, *modules: str) -> None:
    """Import modules of the extra `suspects`.

    Raises:
        SuspectError: one of them is not installed.
    """
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise SuspectError(
                f"{what}: needs {module} ({error}): pip install 'lookalikes[suspects]'"
            ) from None


@dataclass(frozen=True, eq=False)
class Picture:
    """Features by which the picture of a face is found again.

    Attributes:
        size: width and height of the image.
        kept: left, top, right and bottom of what is no padding, in pixels of the image.
        shape: height and width of what is compared, `SIDE` the longer one.
        spots: `[K, 2]` float32, x and y of what stands out, in pixels of what is compared.
        scales: `[K]` float32, how large each is.
        words: `[K, 128]` uint8, what each looks like; see `spots.described`.
        hashes: the perceptual hash (64 bits) as it is, and mirrored.
        digest: of the size and of all pixels of the image: equal, and the images are.
    """

    size: tuple[int, int]
    kept: Box
    shape: tuple[int, int]
    spots: Floats
    scales: Floats
    words: Bytes
    hashes: tuple[int, int]
    digest: bytes

    @property
    def share(self) -> float:
        """Pixels compared for one of the image: above 1, it was blown up."""
        left, top, right, bottom = self.kept
        return max(self.shape) / max(right - left, bottom - top)

    @property
    def is_padded(self) -> bool:
        """Whether a good part of the image is padding."""
        left, top, right, bottom = self.kept
        return (right - left) * (bottom - top) < 0.9 * self.size[0] * self.size[1]


def picture_of(image: Image.Image) -> tuple[Picture, Bytes]:
    """A picture of an RGB image, and its pixels that are compared, `[h, w, 3]`."""
    import cv2

    whole = np.asarray(image)
    kept = _inner_box(whole)
    sides = kept[2] - kept[0], kept[3] - kept[1]
    scale = SIDE / max(sides)
    width, height = (max(8, round(side * scale)) for side in sides)
    shape = height, width
    pixels = pixels_of(whole, kept, shape)
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    spots, scales, words = described(grey)
    digest = sha256(b"%d x %d" % image.size)
    digest.update(np.ascontiguousarray(whole).data)
    return (
        Picture(image.size, kept, shape, spots, scales, words, _hashes(grey), digest.digest()[:16]),
        pixels,
    )


def pixels_of(whole: Bytes, kept: Box, shape: tuple[int, int]) -> Bytes:
    """Pixels of an image that are compared: all but the padding, at one size."""
    import cv2

    left, top, right, bottom = kept
    inside = whole[top:bottom, left:right]
    size = shape[1], shape[0]
    # To make a picture smaller pixels are averaged, to blow it up they are bent between.
    way = cv2.INTER_AREA if max(inside.shape[:2]) > SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inside, size, interpolation=way))


def inner_box(image: Image.Image) -> Box:
    """Left, top, right and bottom of an RGB image without lines of one colour at its edges."""
    return _inner_box(np.asarray(image))


def _inner_box(whole: Bytes) -> Box:
    # A large picture need not be looked at pixel by pixel.
    step = max(1, max(whole.shape[:2]) // 512)
    pixels = whole[::step, ::step]
    height, width = pixels.shape[:2]
    top, bottom = inner_lines(pixels)
    left, right = inner_lines(pixels[top:bottom].transpose(1, 0, 2))
    if (left, right) != (0, width):
        # Rows again: what stood at their ends may have been padding.
        first, last = inner_lines(pixels[top:bottom, left:right])
        top, bottom = top + first, top + last
    return (
        left * step,
        top * step,
        whole.shape[1] if right == width else right * step,
        whole.shape[0] if bottom == height else bottom * step,
    )


def inner_lines(lines: Bytes) -> tuple[int, int]:
    """The first line that is not of one colour, and one past the last; `lines` is `[n, m, 3]`."""
    # A hundred pixels tell whether a line is even, and few stray ones make no picture.
    lines = lines[:, :: max(1, lines.shape[1] // 100)]
    rank = min(max(1, round(0.03 * lines.shape[1])), lines.shape[1] // 2)
    high = lines.shape[1] - 1 - rank

    def first_uneven(lines: Bytes) -> int | None:
        """The first of some lines that is not of one colour; most pictures begin with one."""
        start, some = 0, _FEW_LINES
        while start < len(lines):
            # Pixels of a colour beside each other, of 16 bits: so they are sorted most quickly.
            colours = np.ascontiguousarray(lines[start : start + some].transpose(0, 2, 1))
            ordered = np.sort(colours.astype(np.int16), axis=2)
            spread = ordered[..., high] - ordered[..., rank]
            uneven = np.flatnonzero(spread.max(axis=1) > 2 * PADDING_LEVELS)
            if len(uneven):
                return start + int(uneven[0])
            start, some = start + some, 2 * some
        return None

    least = max(1, int(len(lines) * LEAST_LEFT))
    first = first_uneven(lines)
    if first is None:
        middle = (len(lines) - least) // 2
        return middle, middle + least
    last = len(lines) - (first_uneven(lines[::-1]) or 0)
    if last - first < least:
        first = max(0, min(first, len(lines) - least))
        last = first + least
    return first, last


def _hashes(grey: Bytes) -> tuple[int, int]:
    """The perceptual hash of a grey picture and of its mirror image, as numbers.

    Of the cosines of a picture of 32 x 32, which of the lowest 8 x 8 are above their median.
    """
    import cv2

    small = np.asarray(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA), np.float32)
    lowest = np.asarray(cv2.dct(small))[:8, :8]
    # Mirrored, every second cosine across changes its sign.
    both = lowest, lowest * np.tile([1, -1], 4).astype(np.float32)
    first, second = (
        int.from_bytes(np.packbits(one > _median(one)).tobytes(), "big") for one in both
    )
    return first, second


def _median(values: NDArray[Any]) -> np.float32:
    """Median of 64 values: numpy's own does much else."""
    middle = np.sort(values, axis=None)[31:33]
    return np.float32(middle.mean())


def mirrored_words(words: Bytes) -> Bytes:
    """Descriptors of the same spots in the mirror image.

    A descriptor is 4 rows by 4 columns of 8 directions: columns change places, directions turn.
    """
    cells = words.reshape(-1, 4, 4, 8)
    return np.ascontiguousarray(cells[:, :, ::-1][..., (4 - np.arange(8)) % 8]).reshape(-1, 128)
