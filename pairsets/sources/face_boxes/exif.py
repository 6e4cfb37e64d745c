"""Boxes found in an upright picture, as boxes of the picture that the file stores.

Some files store a picture lying, and say by EXIF how to turn it. Faces are looked for in the
upright one, but crops are cut from the stored one, as the original's were.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags

from pairsets.images import open_header

# Of EXIF's orientation: whether columns are stored as rows, and which sides are mirrored then.
_STORED = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
# By these a PNG would say it; without them none needs to be decoded to ask.
_MARKS = (b"eXIf", b"exif", b"XML:com.adobe.xmp")


def orientation(data: bytes) -> int:
    """EXIF's orientation of the picture in a file that can be decoded, 1 to 8.

    It is 1 where Pillow turns the picture itself, as it does TIFF.
    """
    try:
        header = open_header(data)
        if header.format == "TIFF" or (
            header.format == "PNG" and not any(mark in data for mark in _MARKS)
        ):
            return 1
        return int(header.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged EXIF block; the picture itself is sound
        return 1


def turned_back(
    boxes: NDArray[np.float64], size: tuple[int, int], how: int
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Boxes in an upright picture of `size` (width, height) as boxes of the stored one.

    Args:
        boxes: `[K, 4]`: left, top, right, bottom.
        size: width and height of the upright picture.
        how: EXIF's orientation.

    Returns:
        `[K, 4]`, and the size of the stored picture.
    """
    if how not in _STORED:
        return boxes, size
    swapped, mirrored, flipped = _STORED[how]
    if swapped:
        boxes, size = boxes[:, [1, 0, 3, 2]], (size[1], size[0])
    left, top, right, bottom = boxes.T
    if mirrored:
        left, right = size[0] - right, size[0] - left
    if flipped:
        top, bottom = size[1] - bottom, size[1] - top
    return np.stack([left, top, right, bottom], axis=1), size
