"""Styles of the drawn sample: which parts make a character, and which a mere picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LICENCES = frozenset({"CC0 1.0", "CC BY 4.0"})
"""Licences of drawings that may be redistributed, as the styles spell them."""


def variants(numbers: str, prefix: str = "variant") -> tuple[str, ...]:
    """Names of variants, from their numbers.

    >>> variants("01 07")
    ('variant01', 'variant07')
    """
    return tuple(prefix + number for number in numbers.split())


@dataclass(frozen=True)
class Trait:
    """Trait of a face: one part of it, and what it may be.

    Attributes:
        word: what `lookalikes.csv` calls it.
        option: the drawing option it sets: `<part>Variant`, or `<part>Color` with hex colours.
        choices: what it may be; `""` leaves the part out. Repeat one to draw it more often.
        tells_apart: whether two look-alikes may differ in this alone.
        by_shade: whether such look-alikes are two, in neighbouring colours.
    """

    word: str
    option: str
    choices: tuple[str, ...]
    tells_apart: bool = False
    by_shade: bool = False

    @property
    def is_colour(self) -> bool:
        """Whether the choices are colours."""
        return self.option.endswith("Color")

    def options(self, choice: str) -> dict[str, object]:
        """The drawing options that show `choice`.

        >>> Trait("glasses", "glassesVariant", ("", "variant01")).options("")
        {'glassesProbability': 0}
        """
        if self.is_colour:
            return {self.option: choice}
        chance = self.option.removesuffix("Variant") + "Probability"
        return {chance: 100, self.option: choice} if choice else {chance: 0}

    def others(self, choice: str) -> list[str]:
        """Other choices of the trait, each once, for colours the nearest shade first.

        >>> Trait("hair colour", "hairColor", ("000000", "ffffff", "ffff00")).others("ffffff")
        ['ffff00', '000000']
        """
        others = [other for other in dict.fromkeys(self.choices) if other != choice]
        return sorted(others, key=lambda o: colour_gap(o, choice)) if self.is_colour else others


def colour_gap(one: str, other: str) -> float:
    """Euclidean distance of two `rrggbb` colours, 0 to 441.

    >>> colour_gap("000000", "000304")
    5.0
    """
    a, b = bytes.fromhex(one), bytes.fromhex(other)
    return float(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5)


@dataclass(frozen=True)
class DrawnStyle:
    """Style by which characters and pictures are made out of one set of drawings.

    Attributes:
        name: the style's file in `dicebear_styles`, without its ending.
        constant: traits a character keeps in every picture. Haircuts that hide an eye are left
            out: by the rest of the face nobody could tell some look-alikes.
        varied: traits that change from picture to picture.
        shut_eyes: variants of the eyes without an iris to know anyone by: closed, winking.
        scale: least and greatest magnification that makes a face fill the picture.
        lift: percent of the picture by which the face is moved up to stand in its middle.
    """

    name: str
    constant: tuple[Trait, ...]
    varied: tuple[Trait, ...]
    shut_eyes: tuple[str, ...]
    scale: tuple[float, float]
    lift: float


HAIR_COLOURS = (
    "1d1b22", "4a2c20", "7b4a2b", "a9692f", "d39b3f", "f0cf74", "f6ead0", "a8a9b5", "66687a",
    "a82f22", "dd6a2a", "ee9aa9", "d6457f", "7d3c8f", "b48fd6", "2f4a94", "5a9bd8", "8fd3d6",
    "1f7f78", "4f9a4a",
)  # fmt: skip
SKIN_COLOURS = ("fbe6d4", "f2cba6", "d9a06f", "a8683f", "6f4127")
SKIN_OFTEN = SKIN_COLOURS[:3] * 2 + SKIN_COLOURS
EYE_COLOURS = ("1b1b1f", "e0559a", "1f56b5", "1f8a3c", "8b1fa3", "c4161c", "c98a00", "0b8f96")
BACKGROUNDS = (
    "ffffff", "dfe7f2", "b6e3f4", "8ec5b0", "c9e4a6", "ffe9a8", "ffd0b0", "f4b6c2", "d1c4e9",
    "9aa7d9", "b9c0c9", "e3d3c2", "6b8299", "7d8f69", "a37f94",
)  # fmt: skip

_LORELEI = DrawnStyle(
    name="lorelei",
    constant=(
        Trait(
            "haircut",
            "hairVariant",
            variants(
                "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 26 27 "
                "29 30 31 32 33 35 36 37 38 39 42 43 44 46 48"
            ),
        ),
        Trait("hair colour", "hairColor", HAIR_COLOURS, tells_apart=True, by_shade=True),
        Trait("skin", "skinColor", SKIN_OFTEN, tells_apart=True, by_shade=True),
        Trait(
            "eyes",
            "eyesVariant",
            variants("02 05 06 07 08 12 16 17 20 21 23"),
            tells_apart=True,
        ),
        Trait("eye colour", "eyesColor", EYE_COLOURS, tells_apart=True),
        Trait("nose", "noseVariant", variants("01 02 03 04 05 06"), tells_apart=True),
        Trait("head", "headVariant", variants("01 02 04")),
        Trait("freckles", "frecklesVariant", ("",) * 8 + ("variant01",), tells_apart=True),
    ),
    varied=(
        Trait(
            "mouth",
            "mouthVariant",
            variants("01 02 03 04 05 06 07 08 09 10 11 13 14 15 16 17 18", "happy")
            + variants("01 02 03 04 05 06 07 08 09", "sad"),
        ),
        Trait("eyebrows", "eyebrowsVariant", variants("01 02 03 05 07 09 10 11 12 13")),
        Trait("glasses", "glassesVariant", ("",) * 22 + variants("01 03 04 05")),
        Trait("earrings", "earringsVariant", ("",) * 12 + variants("01 02 03")),
        Trait("flowers", "hairAccessoriesVariant", ("",) * 12 + ("flowers",)),
        # The style draws a few by chance, and they hide half a face.
        Trait("beard", "beardVariant", ("",)),
    ),
    shut_eyes=variants("01 15 18 19 22"),
    scale=(1.25, 1.6),
    lift=0.0,
)

_ADVENTURER = DrawnStyle(
    name="adventurer",
    constant=(
        Trait(
            "haircut",
            "hairVariant",
            variants(
                "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 21 22 23 24 25",
                "long",
            )
            + variants("01 02 03 04 05 07 08 09 10 11 14 15 16 17 18", "short"),
        ),
        Trait("hair colour", "hairColor", HAIR_COLOURS, tells_apart=True, by_shade=True),
        Trait("skin", "skinColor", SKIN_OFTEN, tells_apart=True, by_shade=True),
        Trait(
            "features",
            "detailsVariant",
            ("",) * 6 + ("birthmark", "blush", "freckles"),
            tells_apart=True,
        ),
        Trait("eye colour", "eyesColor", EYE_COLOURS, tells_apart=True),
    ),
    varied=(
        Trait("eyes", "eyesVariant", variants("01 02 03 04 05 10 11 12 15 16 18 23 24 25 26")),
        Trait("mouth", "mouthVariant", variants("01 02 03 04 05 07 09 10 14 22 25 26 27 29 30")),
        Trait(
            "eyebrows", "eyebrowsVariant", variants("01 02 03 04 05 06 07 08 09 10 11 12 13 14 15")
        ),
        Trait("glasses", "glassesVariant", ("",) * 22 + variants("02 03 04 05")),
        Trait("earrings", "earringsVariant", ("",) * 12 + variants("01 02 03 04 05 06")),
    ),
    shut_eyes=variants("19 20 21 22"),
    scale=(1.15, 1.45),
    lift=4.0,
)

STYLES: Mapping[str, DrawnStyle] = {style.name: style for style in (_LORELEI, _ADVENTURER)}
"""The styles a sample can be drawn in, by name."""
