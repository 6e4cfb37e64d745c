"""Alignment by five points: against plain least squares, on ramps and marks, and in files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pairsets.images import ImageError
from pairsets.sources.folders.alignment import (
    TEMPLATE,
    align_face,
    aligned,
    similarity_between,
)

RNG = np.random.default_rng(4)


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def plain(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares of the four unknowns of x' = ax - by + c, y' = bx + ay + d."""
    rows, values = [], []
    for (x, y), (u, v) in zip(points, target, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


@pytest.mark.parametrize("noise", [0, 1, 20])
def test_equals_plain_least_squares(noise: float) -> None:
    for _ in range(50):
        degrees, scale = RNG.uniform(-180, 180), RNG.uniform(0.2, 9)
        points = turned(TEMPLATE, degrees, scale, (40, -7))
        points = points + noise * RNG.standard_normal(points.shape)
        np.testing.assert_allclose(
            similarity_between(points, TEMPLATE), plain(points, TEMPLATE), atol=1e-8
        )


def test_never_mirrors() -> None:
    mirrored = TEMPLATE * (-1, 1)
    found = similarity_between(mirrored, TEMPLATE)
    assert np.linalg.det(found[:, :2]) > 0


@pytest.mark.parametrize("size", [112, 224])
def test_each_pixel_is_that_of_its_place(size: int) -> None:
    """On a ramp the value is the place that it was taken from."""
    rise = np.arange(256, dtype=np.uint8)
    across = np.broadcast_to(rise, (256, 256))
    picture = Image.fromarray(np.stack([across, across.T, across], axis=2))
    points = turned(TEMPLATE, 12, 1.1, (50, 40))
    found = np.asarray(aligned(picture, points, size), np.float64)[..., :2]
    there = similarity_between(points, TEMPLATE * (size / 112))
    back = np.linalg.inv(np.vstack([there, [0, 0, 1]]))
    y, x = np.mgrid[:size, :size]
    expected = np.stack([x, y, np.ones_like(x)], axis=2) @ back[:2].T
    inside = ((expected > 1) & (expected < 254)).all(axis=2)
    assert inside.mean() > 0.9
    assert np.abs(found - expected)[inside].max() <= 1


def test_marks_come_to_lie_on_the_template() -> None:
    points = turned(TEMPLATE, -25, 3, (120, 260))
    picture = Image.new("RGB", (640, 640), "black")
    drawn = ImageDraw.Draw(picture)
    for x, y in points:
        drawn.ellipse((x - 9, y - 9, x + 9, y + 9), fill="white")
    face = np.asarray(aligned(picture, points).convert("L"), np.float64)
    for x, y in TEMPLATE:
        rows, columns = np.mgrid[: len(face), : len(face)]
        near = np.where(np.hypot(columns - x, rows - y) < 8, face, 0)
        middle = (near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()
        assert np.hypot(middle[0] - x, middle[1] - y) < 0.5


def test_what_lies_beyond_the_picture_is_black() -> None:
    picture = Image.new("RGB", (60, 112), "white")
    face = np.asarray(aligned(picture, TEMPLATE))
    assert (face[:, :58] == 255).all()
    assert (face[:, 62:] == 0).all()


def test_points_outside_the_picture_are_refused() -> None:
    with pytest.raises(ImageError, match="all its landmarks lie outside it, a picture of 20 x 20"):
        aligned(Image.new("RGB", (20, 20)), TEMPLATE + 100)


def png(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("1.png", "PNG"), ("1.PNG", "PNG"), ("1.jpg", "JPEG"), ("1.webp", "WEBP"), ("1.bmp", "BMP"),
     ("1.tif", "TIFF"), ("1.jfif", "JPEG")],
)  # fmt: skip
def test_a_file_is_what_its_ending_says(name: str, kind: str) -> None:
    noise = RNG.integers(0, 256, (150, 150, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((150, 150))
    data = align_face(png(picture), TEMPLATE, name)
    with Image.open(io.BytesIO(data)) as made:
        assert (made.format, made.size) == (kind, (112, 112))
        if kind != "JPEG":
            same = np.asarray(made.convert("RGB")) == np.asarray(aligned(picture, TEMPLATE))
            assert same.all()


def test_other_endings_are_refused() -> None:
    with pytest.raises(ImageError, match=r"no picture is written with the ending \.gif"):
        align_face(png(Image.new("RGB", (99, 99))), TEMPLATE, "a/1.gif")


def test_points_are_of_the_picture_as_it_is_seen() -> None:
    """A picture that is stored on its side, and turned upright by its EXIF."""
    noise = RNG.integers(0, 256, (20, 15, 3), dtype=np.uint8)
    upright = Image.fromarray(noise).resize((150, 200), Image.Resampling.BICUBIC)
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(stored, exif=exif)
    points = TEMPLATE + 20
    assert align_face(data, points, "1.png") == align_face(png(upright), points, "1.png")
