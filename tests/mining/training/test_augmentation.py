"""The augmentations against Pillow, NumPy and torchvision, and how often each is drawn."""

from __future__ import annotations

import inspect
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from mining.models.torchvision_ops import import_torchvision
from mining.training.augmentation import (
    CUTOUT,
    MEAN,
    OPERATIONS,
    affine_matrix,
    apply,
    augment,
)
from mining.training.configuration import AugmentationSettings

SIDE = 224


def picture(side: int = SIDE, seed: int = 0) -> Image.Image:
    """Noise over a gradient, so that no operation leaves it as it is."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(20, 200, side)[:, None, None] * np.array([1.0, 0.8, 0.5])
    return Image.fromarray((ramp + rng.integers(0, 50, (side, side, 3))).astype(np.uint8))


class Drawn:
    """A generator that gives what it is told; anything else that it is asked is an error."""

    def __init__(self, *, sign: float = 0.0, at: tuple[float, ...] = ()) -> None:
        self.sign = sign
        self.at = [*at]

    def random(self) -> float:
        return self.sign

    def uniform(self, low: float, high: float) -> float:
        assert (low, high) == (0, SIDE)
        return self.at.pop(0)


def shifted(pixels: np.ndarray, by: int, axis: int) -> np.ndarray:
    """Each pixel from `by` further on, black where there is none."""
    moved = np.zeros_like(pixels)
    for to in range(pixels.shape[axis]):
        if 0 <= to + by < pixels.shape[axis]:
            target = (slice(None),) * axis + (to,)
            moved[target] = pixels[(slice(None),) * axis + (to + by,)]
    return moved


def sheared(pixels: np.ndarray, by: float, axis: int) -> np.ndarray:
    """Rows (axis 1) or columns shifted by their own place times `by`, to the nearest pixel."""
    lines = pixels if axis == 1 else pixels.swapaxes(0, 1)
    moved = np.zeros_like(lines)
    for line, row in enumerate(lines):
        source = np.floor(np.arange(len(row)) + 0.5 + by * (line + 0.5)).astype(int)
        inside = (source >= 0) & (source < len(row))
        moved[line, inside] = row[source[inside]]
    return moved if axis == 1 else moved.swapaxes(0, 1)


def solarized(pixels: np.ndarray, threshold: float) -> np.ndarray:
    return np.where(pixels < threshold, pixels, 255 - pixels.astype(int)).astype(np.uint8)


def expected(name: str, image: Image.Image, magnitude: int, sign: int) -> np.ndarray:
    """The operation as its publication states it, without any code of ours."""
    share, pixels = magnitude / 30, np.array(image)
    factor = 0.1 + share * 1.8
    if name == "SolarizeAdd":
        return solarized(np.clip(pixels + share * 110, 0, 255).astype(np.uint8), 128)
    if name == "Posterize":
        return pixels & (256 - 2 ** (8 - int(share * 4)))
    naive = {
        "Invert": lambda: 255 - pixels,
        "Solarize": lambda: solarized(pixels, share * 256),
        "AutoContrast": lambda: ImageOps.autocontrast(image),
        "Equalize": lambda: ImageOps.equalize(image),
        "Rotate": lambda: image.rotate(sign * share * 30),
        "Color": lambda: ImageEnhance.Color(image).enhance(factor),
        "Contrast": lambda: ImageEnhance.Contrast(image).enhance(factor),
        "Brightness": lambda: np.clip(pixels * factor, 0, 255),
        "Sharpness": lambda: ImageEnhance.Sharpness(image).enhance(factor),
        "ShearX": lambda: sheared(pixels, sign * share * 0.3, 1),
        "ShearY": lambda: sheared(pixels, sign * share * 0.3, 0),
        "TranslateX": lambda: shifted(pixels, sign * round(share * 100), 1),
        "TranslateY": lambda: shifted(pixels, sign * round(share * 100), 0),
    }
    return np.array(naive[name]()).astype(np.uint8)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("magnitude", [26, 9])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "CutoutAbs"])
def test_an_operation_is_the_published_one(name: str, magnitude: int, sign: int) -> None:
    image = picture()
    found = np.array(apply(name, image, magnitude, Drawn(sign=0.4 if sign > 0 else 0.6)))
    wanted = expected(name, image, magnitude, sign)
    if name == "Brightness":  # Pillow computes with floats of 32 bits
        np.testing.assert_allclose(found.astype(int), wanted.astype(int), atol=1)
    else:
        np.testing.assert_array_equal(found, wanted)
    assert (found != np.array(image)).any()


@pytest.mark.parametrize(
    ("at", "box"),
    [
        ((100.0, 50.0), (82, 32, 117, 67)),  # 100 - 17.33 and 35 pixels from there on
        ((0.5, 3.0), (0, 0, 35, 35)),  # pushed inside
        ((223.9, 210.0), (206, 192, 224, 224)),  # cut off
    ],
)
def test_a_cutout_lies_around_its_point(
    at: tuple[float, float], box: tuple[int, int, int, int]
) -> None:
    wanted = np.array(picture())
    left, top, right, bottom = box
    wanted[top:bottom, left:right] = (125, 123, 114)
    found = np.array(apply("CutoutAbs", picture(), 26, Drawn(at=at)))
    np.testing.assert_array_equal(found, wanted)


def test_a_cutout_at_another_magnitude() -> None:
    image = picture()
    ImageDraw.Draw(image).rectangle((54, 104, 66, 116), CUTOUT)  # 60 - 6, 110 - 6, 12 and one
    found = apply("CutoutAbs", picture(), 9, Drawn(at=(60.0, 110.0)))
    np.testing.assert_array_equal(np.array(found), np.array(image))


def test_strengths_at_26_are_those_that_are_told() -> None:
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8), 3 * 256).reshape(256, 256, 3))
    rng = np.random.default_rng(0)
    solarized_ramp = np.array(apply("Solarize", ramp, 26, rng))[:, 0, 0]
    assert np.flatnonzero(solarized_ramp != np.arange(256)).min() == 222
    assert len(np.unique(np.array(apply("Posterize", ramp, 26, rng)))) == 2**3
    assert np.array(apply("SolarizeAdd", ramp, 26, rng))[:34, 0, 0].tolist() == [
        *range(95, 128), 127,
    ]  # fmt: skip
    assert [OPERATIONS["Color"][at] for at in (0, 1)] == [0.1, 1.9]


def test_a_smaller_picture_is_shifted_by_less_and_a_larger_one_is_not_by_more() -> None:
    for side, shift in ((64, 25), (112, 43), (224, 87), (256, 87)):
        white = Image.new("RGB", (side, side), "white")
        found = np.array(apply("TranslateX", white, 26, Drawn(sign=0.0)))
        assert (found[0, :, 0] == 0).sum() == shift
        assert (found[0, -shift:] == 0).all()


def test_all_sixteen_are_drawn_alike_and_with_both_signs() -> None:
    """Chi-square with 15 degrees of freedom: 37.7 is passed once in a thousand."""
    image = picture(16)
    rng = np.random.default_rng(1)
    settings = AugmentationSettings(operations=1, magnitude=26)
    looks: dict[bytes, int] = {}
    rounds = 4000
    for _ in range(rounds):
        look = augment(image, settings, rng).tobytes()
        looks[look] = looks.get(look, 0) + 1
    told: dict[str, list[int]] = {}
    for name in OPERATIONS:
        if name == "CutoutAbs":
            continue
        both = [np.array(apply(name, image, 26, Drawn(sign=one))).tobytes() for one in (0.4, 0.6)]
        told[name] = [looks.pop(look) for look in dict.fromkeys(both)]
    counts = [*map(sum, told.values()), sum(looks.values())]  # what is left are squares
    assert sum(counts) == rounds
    assert sum((count - rounds / 16) ** 2 / (rounds / 16) for count in counts) < 37.7
    signed = {name for name, both in told.items() if len(both) == 2}
    assert signed == {"Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY"}
    for one, other in (told[name] for name in signed):
        assert (one - other) ** 2 / (one + other) < 10.8


def test_a_second_operation_changes_what_the_first_left() -> None:
    """With replacement: two inversions, one in 256 pairs, are the picture itself."""
    image = picture(16)
    rng = np.random.default_rng(2)
    settings = AugmentationSettings(operations=2, magnitude=26)
    same = sum((augment(image, settings, rng) == np.array(image)).all().item() for _ in range(3000))
    assert 2 <= same <= 30  # 11.7 are expected


def test_no_operation_draws_nothing() -> None:
    image = picture(16)
    for settings in (
        AugmentationSettings(operations=0),
        AugmentationSettings(name="none"),
        AugmentationSettings(name="affine", flip=False),
    ):
        rng = np.random.default_rng(0)
        found = augment(image, settings, rng)
        np.testing.assert_array_equal(found, np.array(image))
        found[:] = 0
        if settings.name != "affine":
            assert rng.random() == np.random.default_rng(0).random()
    assert np.array(image).any()


def test_at_magnitude_0() -> None:
    """The weakest is not always none: all is solarized and nothing left of the bits."""
    image, pixels = picture(), np.array(picture())
    rng = np.random.default_rng(3)
    for name in ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY"):
        np.testing.assert_array_equal(np.array(apply(name, image, 0, rng)), pixels)
    np.testing.assert_array_equal(np.array(apply("Solarize", image, 0, rng)), 255 - pixels)
    assert not np.array(apply("Posterize", image, 0, rng)).any()
    cut = np.array(apply("CutoutAbs", image, 0, Drawn(at=(5.5, 7.5))))
    assert np.argwhere((cut != pixels).any(-1)).tolist() == [[7, 5]]


SETTINGS = [
    AugmentationSettings(operations=3, magnitude=26),
    AugmentationSettings(
        name="affine", flip=True, erase=True, rotation=40, shift=0.2, scale=1.3
    ),
    AugmentationSettings(name="none"),
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: one.name)
def test_seeds_decide_alone_in_many_threads_too(settings: AugmentationSettings) -> None:
    image = picture(48)
    before = image.tobytes()

    def of(seed: int) -> bytes:
        found = augment(image, settings, np.random.default_rng(seed))
        assert (found.shape, found.dtype) == ((48, 48, 3), np.uint8)
        return found.tobytes()

    alone = [of(seed) for seed in range(60)]
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(of, range(60))] == alone
    assert image.tobytes() == before
    assert len({*alone}) == (1 if settings.name == "none" else 60)


@pytest.mark.parametrize("image", [picture().convert("L"), Image.new("RGB", (8, 9))])
def test_another_picture_is_refused(image: Image.Image) -> None:
    with pytest.raises(ValueError, match="expected a square RGB"):
        augment(image, AugmentationSettings(), np.random.default_rng(0))


# --- affine


@pytest.mark.parametrize(
    ("turn", "shift", "scale"),
    [(0, (0, 0), 1.0), (33.0, (0, 0), 1.0), (-12.5, (9, -4), 1.2), (170.0, (-3, 20), 0.8)],
)
def test_a_matrix_is_that_of_torchvision(turn: float, shift: tuple[int, int], scale: float) -> None:
    functional = import_torchvision().transforms.functional
    image = picture(96)
    wanted = functional.affine(image, angle=turn, translate=[*shift], scale=scale, shear=[0.0, 0.0])
    matrix = affine_matrix(image.size, math.radians(turn), shift, scale)
    found = image.transform(image.size, Image.Transform.AFFINE, matrix)
    same = (np.array(found) == np.array(wanted)).all(-1).mean()
    assert same > 0.999  # ties of the nearest pixel may fall to either side


def test_half_are_mirrored() -> None:
    image, rng = picture(16), np.random.default_rng(4)
    settings = AugmentationSettings(name="affine", flip=True)
    mirrored = np.array(ImageOps.mirror(image))
    found = [augment(image, settings, rng) for _ in range(1000)]
    times = sum((one == mirrored).all().item() for one in found)
    assert times + sum((one == np.array(image)).all().item() for one in found) == 1000
    assert (times - 500) ** 2 / 250 < 10.8


def test_moves_stay_within_their_limits() -> None:
    white, rng = Image.new("RGB", (100, 100), "white"), np.random.default_rng(5)
    settings = AugmentationSettings(name="affine", flip=False, shift=0.2)
    shifts = [int((augment(white, settings, rng)[50, :, 0] == 0).sum()) for _ in range(400)]
    assert max(shifts) == 20
    assert min(shifts) == 0
    assert len({*shifts}) == 21
    settings = AugmentationSettings(name="affine", flip=False, scale=1.25)
    sides = [(augment(white, settings, rng)[50, :, 0] == 255).sum() for _ in range(400)]
    assert 80 <= min(sides) <= 82
    assert np.mean([side < 100 for side in sides]) == pytest.approx(0.2 / 0.45, abs=0.1)


def test_half_have_a_rectangle_of_the_mean_colour() -> None:
    """Shares of the area and ratios within those that torchvision's defaults name."""
    defaults = inspect.signature(import_torchvision().transforms.RandomErasing).parameters
    limits = {name: defaults[name].default for name in ("p", "scale", "ratio", "value")}
    assert limits == {"p": 0.5, "scale": (0.02, 0.33), "ratio": (0.3, 3.3), "value": 0}
    mean = np.array([0.485, 0.456, 0.406]) * 255
    np.testing.assert_allclose(MEAN, mean, atol=0.5)
    black, rng = Image.new("RGB", (SIDE, SIDE)), np.random.default_rng(6)
    settings = AugmentationSettings(name="affine", flip=False, erase=True)
    erased, shares, ratios = 0, [], []
    for _ in range(600):
        found = augment(black, settings, rng)
        rows, columns = np.nonzero(found.any(-1))
        if not len(rows):
            continue
        erased += 1
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert (found[found.any(-1)] == MEAN).all()
        assert len(rows) == height * width
        shares.append(len(rows) / SIDE**2)
        ratios.append(height / width)
    assert (erased - 300) ** 2 / 150 < 10.8
    assert 0.019 < min(shares) < 0.05
    assert 0.28 < max(shares) < 0.335
    assert 0.29 < min(ratios) < 0.4
    assert 2.7 < max(ratios) < 3.45
