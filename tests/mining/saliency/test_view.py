"""What part of a picture a model is given, and whether it can be masked there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mining.models.transform import Preprocessing
from mining.saliency.view import WHOLE, View


class Seen:
    """A model by what it makes of a picture; what it then computes does not matter here."""

    similarity = "cosine"
    name = "seen"

    def __init__(self, preprocess) -> None:
        self.preprocess = preprocess


def view_of(size: tuple[int, int], preprocess) -> View:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return View.of(Image.fromarray(noise), Seen(preprocess))  # type: ignore[arg-type]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "box"])
@pytest.mark.parametrize("size", [(300, 300), (640, 200), (201, 333), (96, 1500)])
def test_a_crop_is_found(size: tuple[int, int], interpolation) -> None:
    """The shorter side to 80, then the middle 64 x 64."""
    plan = Preprocessing((64, 64), 80, interpolation)
    found = view_of(size, plan.apply)
    width, height = size
    seen = 64 / 80 * min(size)
    expected = [
        (1 - seen / width) / 2,
        (1 - seen / height) / 2,
        (1 + seen / width) / 2,
        (1 + seen / height) / 2,
    ]
    assert found.is_input
    assert found.pixels.shape == (64, 64, 3)
    assert found.box == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("side", [16, 224])
def test_a_stretched_picture_is_seen_whole(side: int) -> None:
    found = view_of((120, 77), Preprocessing((side, side), (side, side)).apply)
    assert found.is_input
    assert found.box == WHOLE


@pytest.mark.parametrize(
    "preprocess",
    [
        lambda image: np.asarray(image.resize((32, 32)))[:, ::-1],
        lambda image: np.asarray(image.resize((32, 32)))[:, :, ::-1],
        lambda image: np.asarray(image.resize((32, 32))).transpose(1, 0, 2),
        lambda image: np.asarray(image.resize((32, 32))).transpose(2, 0, 1),
        lambda image: np.asarray(image.resize((32, 32)), np.float32) / 255,
        lambda image: np.asarray(image.resize((32, 32)).convert("L")),
        lambda image: np.asarray(image.resize((32, 32)).convert("HSV")),
        lambda image: np.roll(np.asarray(image.resize((32, 32))), 9, axis=0),
        lambda image: np.asarray(image.quantize(4).convert("RGB").resize((32, 32))),
    ],
    ids=["mirrored", "bgr", "turned", "chw", "floats", "grey", "hsv", "rolled", "few colours"],
)
def test_what_is_no_picture_any_more_is_masked_before(preprocess) -> None:
    found = view_of((50, 40), preprocess)
    assert not found.is_input
    assert found.box == WHOLE
    assert found.pixels.shape == (40, 50, 3)
    stacked = found.stack([found.pixels, np.zeros_like(found.pixels)])
    assert np.array_equal(stacked[0], preprocess(Image.fromarray(found.pixels)))
    assert np.array_equal(stacked[1], preprocess(Image.new("RGB", (50, 40))))


def test_a_picture_of_one_pixel_across_has_no_ramp() -> None:
    assert not view_of((1, 9), Preprocessing((32, 32), (32, 32)).apply).is_input
