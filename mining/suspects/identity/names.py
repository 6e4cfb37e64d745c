"""Names of two identities, read for whether the two are one identity.

Names are read as Danbooru writes them: `jeanne_d'arc_(summer)_(fate)`. What stands before the
brackets is the *stem*, the last brackets usually hold the series, earlier ones a costume, a form,
or who is meant. The series tells namesakes apart: `rin_(fate)` and `rin_(vocaloid)` are two people.
So does a name without a series: `seren` and `seren_(angry_num)`. And so does what stands before the
series, unless it is known for a costume: `professor_(x)` and `professor_(oak)_(x)`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

Words = tuple[str, ...]

# A costume or an occasion, whatever the series: the one who wears it is the same.
_COSTUMES = frozenset((
    "alternate", "anniversary", "armor", "armour", "beach", "bikini", "birthday", "bride", "bunny",
    "butler", "casual", "cheerleader", "christmas", "costume", "dress", "easter", "festival",
    "formal", "gym", "halloween", "hanbok", "hanfu", "idol", "jersey", "kimono", "maid", "miko",
    "nurse", "outfit", "pajamas", "party", "plugsuit", "pyjamas", "qipao", "race", "santa",
    "school", "spring", "suit", "summer", "swimsuit", "tuxedo", "uniform", "valentine",
    "valentines", "wedding", "winter", "year", "yukata",
))  # fmt: skip
# Words that may stand beside one of a costume; the classes are those of Fate.
_BESIDE = frozenset((
    "a", "and", "archer", "assassin", "avenger", "berserker", "caster", "day", "foreigner", "girl",
    "in", "lancer", "new", "of", "pretender", "rider", "ruler", "s", "saber", "style", "the", "ver",
    "version",
))  # fmt: skip
# A form, age or sex: often drawn, and tagged, as somebody else.
_FORMS = frozenset((
    "adult", "alter", "android", "boy", "brother", "cat", "child", "clone", "copy", "cyborg",
    "dark", "dog", "doll", "dragon", "evil", "fake", "father", "female", "future", "genderswap",
    "ghost", "girl", "human", "humanoid", "kid", "lily", "lion", "loli", "male", "man", "monster",
    "mother", "old", "older", "past", "possessed", "prototype", "robot", "shadow", "sister",
    "spirit", "teen", "teenage", "true", "vampire", "woman", "young", "younger", "zombie",
))  # fmt: skip
# What a ship or a machine is called when it was rebuilt; also given names and numbers. In one
# series, those of the second line are enough alone.
REBUILT = frozenset((
    "custom", "drei", "due", "mk2", "mkii", "ni", "nuovo", "two", "zwei",
    "kai", "kai2",
))  # fmt: skip
_SURELY_REBUILT = frozenset(("kai", "kai2"))
# Shorter stems differ from each other by a vowel, or by any letter, too easily.
_LONG, _LONGER = 7, 10
# Shorter words, or names of fewer letters, may be joined by chance: `ann_a`, `mari_anne`.
_WORD = 3


class Likeness(IntEnum):
    """Strength of the evidence that two names are one identity's, the strongest last."""

    NONE = 0
    SHARED = 1
    STEM = 2
    ORDER = 3
    COSTUME = 4
    SPELLING = 5


WHY = {
    Likeness.SHARED: "names with most words in common, or spelt nearly the same",
    Likeness.STEM: "the same name but for what stands in brackets or behind it",
    Likeness.ORDER: "the same words in another order",
    Likeness.COSTUME: "the same name and series, in another costume or rebuilt",
    Likeness.SPELLING: "the same name, spelt differently",
}
"""What is to be said of two names."""


@dataclass(frozen=True)
class Name:
    """Name taken apart into stem and brackets.

    Attributes:
        stem: its words before the first bracket.
        brackets: the words in each pair of brackets, in order.
    """

    stem: Words
    brackets: tuple[Words, ...]

    @classmethod
    def of(cls, text: str) -> Name:
        """Take a folder's name apart; case, accents, width and separators are levelled.

        >>> Name.of("Jeanne_d'Arc (Summer)_(fate)")
        Name(stem=('jeanne', 'darc'), brackets=(('summer',), ('fate',)))
        """
        stem, brackets = _split(_level(text))
        return cls(_words(stem), tuple(filter(None, map(_words, brackets))))


@lru_cache(maxsize=65536)
def _name(text: str) -> Name:
    return Name.of(text)


def likeness(a: str, b: str) -> Likeness:
    """Likeness of two names, the same in either order.

    >>> likeness("hatsune_miku", "miku_hatsune").name
    'ORDER'
    >>> likeness("rin_(fate)", "rin_(vocaloid)").name
    'STEM'
    >>> likeness("akiyama_mio", "akiyama_yukari").name
    'NONE'
    """
    one, other = _name(a), _name(b)
    if not one.stem or not other.stem:
        return Likeness.NONE
    series = one.brackets == other.brackets
    if _same_words(one.stem, other.stem):
        if len(one.brackets) == len(other.brackets) and all(
            map(_same_letters, one.brackets, other.brackets)
        ):
            return Likeness.SPELLING
        return Likeness.COSTUME if _same_but_costume(one, other) else Likeness.STEM
    if len(one.stem) > 1 and sorted(one.stem) == sorted(other.stem):
        return Likeness.ORDER if series else Likeness.STEM
    rest = _behind(one.stem, other.stem)
    if rest and {*rest} <= REBUILT:
        surely = series and one.brackets and {*rest} & _SURELY_REBUILT
        return Likeness.COSTUME if surely else Likeness.STEM
    if rest and {*rest} <= _FORMS:
        return Likeness.STEM
    if (
        _mostly_shared(one, other)
        or (series and _same_letters(one.stem, other.stem))
        or (series and _nearly_spelt(one.stem, other.stem))
    ):
        return Likeness.SHARED
    return Likeness.NONE


def _level(text: str) -> str:
    """Text in one form: compatible characters, no case, Latin letters without their marks."""
    letters: list[str] = []
    latin = False
    for letter in unicodedata.normalize("NFKD", text.casefold()):
        if unicodedata.combining(letter):
            # A mark on kana or Cyrillic makes another letter: only Latin ones are levelled.
            if not latin:
                letters.append(letter)
            continue
        latin = letter.isascii() and letter.isalpha()
        letters.append(letter)
    return unicodedata.normalize("NFC", "".join(letters)).casefold()


def _split(text: str) -> tuple[str, list[str]]:
    """Split a name into the text outside the outermost brackets and the text in each of them."""
    outside: list[str] = []
    inside: list[list[str]] = []
    depth = 0
    for letter in text:
        if letter == "(":
            depth += 1
            if depth == 1:
                inside.append([])
            else:
                inside[-1].append(" ")
        elif letter == ")" and depth:
            depth -= 1
            (inside[-1] if depth else outside).append(" ")
        else:
            (inside[-1] if depth else outside).append(letter)
    return "".join(outside), ["".join(part) for part in inside]


def _words(text: str) -> Words:
    text = re.sub(r"['’‘`´.,!?\"“”]", "", text)
    return tuple(word for word in re.split(r"[\s_/\-‐-―~〜・･=:;\[\]{}]+", text) if word)


def _same_letters(a: Words, b: Words) -> bool:
    """Whether words or their letters are the same; numbers must stand alone alike."""
    if a == b:
        return True
    letters = "".join(a)
    return letters == "".join(b) and not any(letter.isdigit() for letter in letters)


def _same_words(a: Words, b: Words) -> bool:
    """Whether `_same_letters` holds, and no word is so short that the space makes another name."""
    if a == b or not _same_letters(a, b):
        return a == b
    words = [_size(word) for word in {*a} ^ {*b}]
    return min(words, default=0) >= _WORD and _size("".join(a)) >= _LONGER


def _size(letters: str) -> float:
    """Number of Latin letters; of Chinese, Japanese and Korean ones two say as much as five."""
    return sum(2.5 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)


def _same_but_costume(one: Name, other: Name) -> bool:
    """Whether names of one stem have a series in common, and besides a costume or nothing.

    What else stands in brackets may be a colour, a number or a given name: `guard_(light)_(s)`,
    `professor_(oak)_(x)`. Those are namesakes.
    """
    common = [words for words in one.brackets if words in other.brackets]
    rest = [words for words in [*one.brackets, *other.brackets] if words not in common]
    if not all(map(_is_costume, rest)):
        return False
    # Without a series only a full name is anybody's own.
    return len(one.stem) > 1 or (bool(common) and not all(map(_is_costume, common)))


def _is_costume(words: Words) -> bool:
    return bool({*words} & _COSTUMES) and {*words} <= _COSTUMES | _BESIDE


def _behind(a: Words, b: Words) -> Words:
    """Words that the longer stem has behind the shorter one; none where it begins otherwise."""
    short, long = sorted((a, b), key=len)
    return long[len(short) :] if long[: len(short)] == short else ()


def _mostly_shared(one: Name, other: Name) -> bool:
    """Whether two words are in common, or one and the series, and one of each left over at most."""
    a, b = {*one.stem}, {*other.stem}
    common = a & b
    series = one.brackets[-1:] == other.brackets[-1:]
    if max(len(a - common), len(b - common)) > 1 or not common:
        return False
    if len(common) > 1:
        return True
    # One word in common is a family, unless it is all there is of one of the names.
    return series and min(len(a), len(b)) == 1


def _nearly_spelt(a: Words, b: Words) -> bool:
    """Whether one letter or long vowels alone are written otherwise; never a number."""
    one, other = "".join(a), "".join(b)
    shorter = min(len(one), len(other))
    if shorter < _LONG or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    if _short_vowels(one) == _short_vowels(other):
        return True
    # Of single words, sisters' names are often a letter apart.
    return shorter >= _LONGER and min(len(a), len(b)) > 1 and _one_edit(one, other)


def _short_vowels(letters: str) -> str:
    """Romanised Japanese without its long vowels: `souryuu` and `soryu` are one word."""
    return re.sub(r"(?<=o)[uo]|(?<=u)u|(?<=a)a|(?<=i)i|(?<=e)e", "", letters)


def _one_edit(a: Sequence[str], b: Sequence[str]) -> bool:
    short, long = sorted((a, b), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    same = len(short) == len(long)
    return short[at + same :] == long[at + 1 :]
