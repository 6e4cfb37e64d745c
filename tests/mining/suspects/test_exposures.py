"""Light that one picture lost, and the corners of one that was turned."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from mining.suspects.pictures.exposures import exposure_between
from mining.suspects.pictures.turned_frames import content
from tests.mining.suspects.test_duplicates import scene

SEEN = np.ones((128, 128), np.bool_)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((128, 128)))


@pytest.mark.parametrize("gain", [1.3, 1.6, 1.9])
def test_the_gain_is_the_one_planted(gain: float) -> None:
    plain = pixels(scene(1))
    bright = np.asarray(ImageEnhance.Brightness(Image.fromarray(plain)).enhance(gain))
    found = exposure_between(plain, bright, SEEN)
    assert found is not None
    assert not found.of_second
    assert found.gain == pytest.approx(gain, rel=0.02)
    assert np.abs(found.of(plain).astype(int) - bright).mean() < 2
    turned = exposure_between(bright, plain, SEEN)
    assert turned is not None
    assert turned.of_second
    assert (turned.gain, turned.shift) == (found.gain, found.shift)


def test_no_gain_without_lost_light_or_between_strangers() -> None:
    plain = pixels(scene(1))
    assert exposure_between(plain, plain // 2, SEEN) is None
    assert exposure_between(plain, plain, SEEN) is None
    white = np.full_like(plain, 255)
    assert exposure_between(plain, white, SEEN) is None
    stranger = np.asarray(ImageEnhance.Brightness(Image.fromarray(pixels(scene(2)))).enhance(1.8))
    assert exposure_between(plain, stranger, SEEN) is None


def test_what_was_dark_still_disagrees_with_white() -> None:
    """A dark spot of the one that is white in the other is not explained by the light."""
    plain = pixels(scene(1)).copy()
    plain[50:60, 50:60] = 40
    bright = np.asarray(ImageEnhance.Brightness(Image.fromarray(plain)).enhance(1.5)).copy()
    bright[50:60, 50:60] = 255
    found = exposure_between(plain, bright, SEEN)
    assert found is not None
    assert found.of(plain)[50:60, 50:60].max() < 80


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255)])
@pytest.mark.parametrize("degrees", [4, -9])
def test_corners_of_a_turned_picture_are_no_content(
    colour: tuple[int, int, int], degrees: float
) -> None:
    turned = np.asarray(scene(3, 128).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=colour))
    inside = np.asarray(Image.new("L", (128, 128), 255).rotate(degrees)) > 0
    # Pillow turns against the clock, and y points down.
    found = content(turned, -np.radians(degrees))
    assert not found[~inside].any()
    assert found.mean() == pytest.approx(inside.mean(), abs=0.05)


def test_other_corners_are_content() -> None:
    plain = np.asarray(scene(3, 128))
    assert content(plain, 0.0).all()
    striped = plain.copy()
    striped[:, ::2] = 0
    striped[:, 1::2] = 255
    assert content(striped, 0.1).all()
    assert content(np.asarray(scene(3, 128).rotate(9)), 0.0).all()
