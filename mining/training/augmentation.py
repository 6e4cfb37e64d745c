"""Augmentation of training pictures: pixels in, changed pixels out, by a generator alone.

**`randaugment`** is that of the models published with ZACI-20: the RandAugment of
github.com/ildoonet/pytorch-randaugment (after arXiv 1909.13719 and TensorFlow's code for
EfficientNet), not torchvision's. N operations are drawn, with replacement, from sixteen, and all
applied at the magnitude M of 0 to 30:

    AutoContrast, Equalize, Invert                     -            M has no effect
    Rotate                                             +-M degrees
    Posterize                                          M * 4 / 30 bits, without their fraction
    Solarize                                           from M * 256 / 30 on
    SolarizeAdd                                        M * 110 / 30 is added, then from 128 on
    Color, Contrast, Brightness, Sharpness             factor 0.1 + M * 1.8 / 30
    ShearX, ShearY                                     +-M * 0.3 / 30
    CutoutAbs                                          a square of M * 40 / 30 pixels
    TranslateX, TranslateY                             +-M * 100 / 30 pixels

At M 26 these are 26 degrees, 3 bits, values from 222 on, 95 added, factor 1.66, 0.26, squares of
35 pixels (34.67 and the one that it ends in) and shifts of 87. A sign is drawn as often as the
other. Rotations, shears and shifts take the nearest pixel, and fill with black; the square is
(125, 123, 114), lies around a point anywhere in the picture, is pushed inside at the left and the
top, and cut off at the right and the bottom.

torchvision's differs: fourteen operations with an identity, without Invert, SolarizeAdd and
CutoutAbs; its magnitudes go by 31 bins, of which Posterize and Solarize weaken what the table here
strengthens; and it enhances by 1 plus or minus an amount, where this one goes from 0.1, nearly
black or grey, to 1.9, and never back.

Pixels above are of a side of 224, which the published models were trained at, or more. The original
counts the same pixels at any side; here a smaller picture is shifted and cut by fewer in
proportion, as 87 pixels would empty one of 64.

**`affine`** is the original's other choice: torchvision's `RandomHorizontalFlip`, `RandomAffine`
and `RandomErasing` with their defaults, so that a rectangle is blotted out in half of the pictures.
There it was 0 after normalization; here, before it, the mean colour of ImageNet, the same to half a
level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from mining.training.configuration import AugmentationSettings

Pixels = NDArray[np.uint8]
_Enhancer = (
    ImageEnhance.Color | ImageEnhance.Contrast | ImageEnhance.Brightness | ImageEnhance.Sharpness
)
Operation = Callable[[Image.Image, float, np.random.Generator], Image.Image]

# The magnitude that is the strongest.
STRONGEST = 30
# Side, in pixels, that shifts and squares are stated for.
SIDE = 224
CUTOUT = (125, 123, 114)
# Mean of ImageNet's pixels, 0.485, 0.456 and 0.406 of 255, which is 0 after normalization.
MEAN = (124, 116, 104)


def augment(image: Image.Image, settings: AugmentationSettings, rng: np.random.Generator) -> Pixels:
    """Pixels of a picture, changed as the settings say.

    The same picture, settings and state of `rng` give the same pixels; threads may each augment
    with a generator of their own.

    Args:
        image: RGB, square, at the size that the network takes; it is left as it is.
        settings: which augmentation, and how strong.
        rng: all that is drawn comes from it; with `none`, and N 0, nothing does.

    Returns:
        [S, S, 3] uint8, an array of its own that may be written to.

    Raises:
        ValueError: the picture is not RGB or not square.
    """
    if image.mode != "RGB" or image.width != image.height:
        raise ValueError(f"{image.mode} of {image.width} x {image.height}; expected a square RGB")
    if settings.name == "affine":
        return _affine(image, settings, rng)
    if settings.name == "randaugment":
        names = [*OPERATIONS]
        for drawn in rng.integers(len(names), size=settings.operations):
            image = apply(names[drawn], image, settings.magnitude, rng)
    return np.array(image)


def apply(name: str, image: Image.Image, magnitude: float, rng: np.random.Generator) -> Image.Image:
    """Picture after one of the `OPERATIONS`, at a magnitude of 0 to 30; signs are drawn."""
    least, most, operation = OPERATIONS[name]
    return operation(image, magnitude / STRONGEST * (most - least) + least, rng)


def _auto_contrast(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return ImageOps.autocontrast(image)


def _equalize(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return ImageOps.equalize(image)


def _invert(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return ImageOps.invert(image)


def _rotate(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return image.rotate(_signed(amount, rng))


def _posterize(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    # Pillow's own refuses 0 bits, which leave black.
    dropped = 8 - int(amount)
    return image.point([value >> dropped << dropped for value in range(256)] * 3)


def _solarize(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return ImageOps.solarize(image, math.ceil(amount))


def _solarize_add(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    added = [min(value + int(amount), 255) for value in range(256)]
    return ImageOps.solarize(image.point(added * 3), 128)


def _enhanced(kind: type[_Enhancer]) -> Operation:
    def enhance(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
        return kind(image).enhance(amount)

    return enhance


def _shear_x(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return _moved(image, (1, _signed(amount, rng), 0, 0, 1, 0))


def _shear_y(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return _moved(image, (1, 0, 0, _signed(amount, rng), 1, 0))


def _translate_x(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return _moved(image, (1, 0, _signed(_pixels(amount, image), rng), 0, 1, 0))


def _translate_y(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    return _moved(image, (1, 0, 0, 0, 1, _signed(_pixels(amount, image), rng)))


def _cutout(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    edge = _pixels(amount, image)
    box = []
    for side in (image.width, image.height):
        start = int(max(0.0, rng.uniform(0, side) - edge / 2))
        box.append((start, int(min(side, start + edge))))
    (left, right), (top, bottom) = box
    image = image.copy()
    # Both ends belong to it.
    ImageDraw.Draw(image).rectangle((left, top, right, bottom), CUTOUT)
    return image


# Each with its amounts at the magnitudes 0 and 30.
OPERATIONS: Mapping[str, tuple[float, float, Operation]] = {
    "AutoContrast": (0, 1, _auto_contrast),
    "Equalize": (0, 1, _equalize),
    "Invert": (0, 1, _invert),
    "Rotate": (0, 30, _rotate),
    "Posterize": (0, 4, _posterize),
    "Solarize": (0, 256, _solarize),
    "SolarizeAdd": (0, 110, _solarize_add),
    "Color": (0.1, 1.9, _enhanced(ImageEnhance.Color)),
    "Contrast": (0.1, 1.9, _enhanced(ImageEnhance.Contrast)),
    "Brightness": (0.1, 1.9, _enhanced(ImageEnhance.Brightness)),
    "Sharpness": (0.1, 1.9, _enhanced(ImageEnhance.Sharpness)),
    "ShearX": (0, 0.3, _shear_x),
    "ShearY": (0, 0.3, _shear_y),
    "CutoutAbs": (0, 40, _cutout),
    "TranslateX": (0, 100, _translate_x),
    "TranslateY": (0, 100, _translate_y),
}


def _pixels(amount: float, image: Image.Image) -> float:
    """Pixels of a side of 224, in a picture that may be smaller."""
    return amount * min(1.0, image.width / SIDE)


def _signed(amount: float, rng: np.random.Generator) -> float:
    return -amount if rng.random() > 0.5 else amount


def _moved(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    """Each pixel from where the matrix says that it lay, black where that is outside."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


def _affine(image: Image.Image, settings: AugmentationSettings, rng: np.random.Generator) -> Pixels:
    """Mirrored, turned, shifted, scaled, and blotted out, in this order."""
    if settings.flip and rng.random() < 0.5:
        image = ImageOps.mirror(image)
    turn = math.radians(rng.uniform(-settings.rotation, settings.rotation))
    most = settings.shift * image.width
    x, y = (round(rng.uniform(-most, most)) for _ in range(2))
    scale = rng.uniform(1 / settings.scale, settings.scale)
    pixels = np.array(_moved(image, affine_matrix(image.size, turn, (x, y), scale)))
    if settings.erase and rng.random() < 0.5:
        top, left, height, width = _rectangle(image.width, rng)
        pixels[top : top + height, left : left + width] = MEAN
    return pixels


def affine_matrix(
    size: tuple[int, int], turn: float, shift: tuple[float, float], scale: float
) -> tuple[float, ...]:
    """The six numbers by which Pillow turns about the middle, scales, and then shifts a picture.

    Args:
        size: width and height in pixels.
        turn: in radians, clockwise as the picture is seen.
        shift: pixels to the right and down.
        scale: above 1 enlarges.
    """
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale
    across, down = size[0] / 2, size[1] / 2
    x, y = across + shift[0], down + shift[1]
    return (
        *(cosine, sine, across - cosine * x - sine * y),
        *(-sine, cosine, down + sine * x - cosine * y),
    )


def _rectangle(side: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of 2 to 33 % of the area; 0 high after ten misfits."""
    for _ in range(10):
        area = side * side * rng.uniform(0.02, 0.33)
        ratio = math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
        height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if height < side and width < side:
            top, left = rng.integers(side - height + 1), rng.integers(side - width + 1)
            return int(top), int(left), height, width
    return 0, 0, 0, 0
