"""Faces brought upright and to one size by five landmarks, as ArcFace's networks were trained.

The five points are moved by a similarity (turned, scaled, shifted, never mirrored) so that they
come nearest to a template in least squares: Umeyama, "Least-squares estimation of transformation
parameters between two point patterns", IEEE TPAMI 1991, equations 40 to 42. The template is that
of Deng et al., *ArcFace* (CVPR 2019), for 112 x 112 pixels, as InsightFace publishes it; other
sizes scale it. Pixels are taken between their four neighbours, bilinear, and are black outside the
picture.
"""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from pairsets.arrays import Floats
from pairsets.images import MAX_PIXELS, ImageError, decode

SIDE = 112
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
# How a file of each ending is written: without loss where the format can be.
_FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
}
_JPEG: tuple[str, dict[str, object]] = ("JPEG", {"quality": 95, "subsampling": 0})
_FORMATS |= dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi"), _JPEG)


def similarity_between(points: Floats, target: Floats) -> Floats:
    """Similarity `[2, 3]` that brings `points [K, 2]` nearest to `target [K, 2]`.

    Points are columns: `found[:, :2] @ point + found[:, 2]`.

    >>> square = np.array([[0.0, 0], [1, 0], [0, 1]])
    >>> similarity_between(square, 2 * square + 3).round(9).tolist()
    [[2.0, 0.0, 3.0], [0.0, 2.0, 3.0]]
    """
    centre, aim = points.mean(axis=0), target.mean(axis=0)
    apart, wanted = points - centre, target - aim
    left, values, right = np.linalg.svd(wanted.T @ apart / len(points))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    turn = (left * signs) @ right
    scale = (values * signs).sum() / (apart**2).sum(axis=1).mean()
    return np.column_stack([scale * turn, aim - scale * turn @ centre])


def aligned(image: Image.Image, points: Floats, size: int = SIDE) -> Image.Image:
    """The face of a picture, upright and of one size.

    Args:
        image: RGB, as it is seen upright.
        points: `[5, 2]`, in pixels, (0, 0) the middle of the upper left one.
        size: side of the result.

    Raises:
        ImageError: all points lie outside the picture.
    """
    inside = (points >= -0.5) & (points <= np.array(image.size) - 0.5)
    if not inside.all(axis=1).any():
        raise ImageError(
            f"all its landmarks lie outside it, a picture of {image.width} x {image.height}; are "
            "they of a picture of another size?"
        )
    # Of middles of pixels, which Pillow counts from their corners.
    there = similarity_between(points + 0.5, TEMPLATE * (size / SIDE) + 0.5)
    back = np.linalg.inv(np.vstack([there, [0, 0, 1]]))
    return image.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple(back[:2].ravel().tolist()),
        Image.Resampling.BILINEAR,
    )


def align_face(
    data: bytes, points: Floats, path: str, size: int = SIDE, *, max_pixels: int = MAX_PIXELS
) -> bytes:
    """A face, aligned, as a file with the ending of `path`.

    Args:
        data: the picture's whole file.
        points: as `aligned`.
        path: of the file to be made.
        size: its side in pixels.
        max_pixels: width times height above which a picture is refused undecoded.

    Raises:
        ImageError: a picture that cannot be read, or an ending that none can be written with.
    """
    ending = PurePosixPath(path).suffix.lower()
    if ending not in _FORMATS:
        raise ImageError(f"no picture is written with the ending {ending}; convert it to PNG first")
    kind, options = _FORMATS[ending]
    face = aligned(decode(data, max_pixels=max_pixels), points, size)
    file = io.BytesIO()
    face.save(file, kind, **options)
    return file.getvalue()
