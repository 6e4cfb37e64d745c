"""The made-up characters of a drawn sample, look-alikes among them. Draws nothing."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pairsets.errors import SampleError
from pairsets.sources.drawn.styles import DrawnStyle, Trait

# As in Danbooru's tags: brackets, other scripts, spaces, apostrophes, a leading dot.
_ODD = (
    ".hoshi", "鈴音", "d'arcy_lenoir", "mii_&_momo", "zoë_(harbour town)", "лада_(winter)",
    "o'hara_keiko", "éloïse", "lady blanche", "花子_(summer festival)", "no.7_(clockwork)",
    "ash+ember", "mr._quill", "sakura-hime", "the_baker's_girl", "nana!", "μ_(observatory)",
    "100%_lena", "renée_&_roux", "[nameless]",
)  # fmt: skip
_GIVEN = (
    "aiko", "akemi", "anya", "ayame", "beatrix", "chiyo", "clara", "daichi", "elin", "emi",
    "fumiko", "genta", "hanae", "haru", "hikaru", "ines", "ione", "jun", "kaede", "kei", "kira",
    "leif", "lotta", "maeve", "mai", "marin", "mio", "nadia", "nao", "niko", "noa", "odile",
    "petra", "quinn", "rei", "ren", "rin", "rosa", "saki", "sen", "shiori", "sora", "tamsin",
    "tomo", "umi", "vera", "wren", "yori", "yuki", "zara",
)  # fmt: skip
_AFTER = (
    "_(seaside)", "_(clockwork)", "_(night market)", "_(third_moon)", "_(orchard)", "_(paper)",
    "_(old_harbour)", "_(skyline)", "_amano", "_brandt", "_castellan", "_dusk", "_fairweather",
    "_hoshikawa", "_ito", "_kurose", "_lindqvist", "_minase", "_nightingale", "_okabe",
    "_shiraishi", "_tachibana", "_valmont", "_yukimura",
)  # fmt: skip
_ODD_EVERY = 12
MOST_CHARACTERS = len(_GIVEN) * len(_AFTER)
"""The largest cast there are names for."""


@dataclass(frozen=True)
class Character:
    """Made-up character: its name and traits.

    Attributes:
        name: its folder's name.
        traits: what it keeps in every picture, by the trait's word.
        told_by: the one trait that tells it from its look-alikes, if it has some.
    """

    name: str
    traits: Mapping[str, str]
    told_by: str | None = None


@dataclass(frozen=True)
class LookAlikes:
    """Characters planted to be confused: each two differ in one trait, and it is the same one."""

    names: tuple[str, ...]
    difference: str


def make_cast(
    style: DrawnStyle, characters: int, share: float, seed: int
) -> tuple[list[Character], list[LookAlikes]]:
    """Make up characters, a `share` of them in groups of two or three look-alikes.

    Two characters that are not look-alikes of one group differ in two traits or more, so the
    groups name every pair that differs in one.

    Raises:
        SampleError: fewer than two characters, more than there are names for, or a share that is
            not between 0 and 1.
    """
    if not 2 <= characters <= MOST_CHARACTERS:
        raise SampleError(f"{characters} characters; a sample can have from 2 to {MOST_CHARACTERS}")
    if not 0 <= share <= 1:
        raise SampleError(f"a share of {share} look-alikes; expected a number from 0 to 1")
    rng = random.Random(f"cast/{style.name}/{seed}")
    planted = round(characters * share)
    apart = [trait for trait in style.constant if trait.tells_apart]
    taken: set[tuple[str, ...]] = set()
    drafts: list[tuple[dict[str, str], int | None]] = []
    differences: list[str] = []
    while planted - len(drafts) >= 2:
        size = min(rng.choice((2, 2, 2, 3)), planted - len(drafts))
        telling = apart[len(differences) % len(apart)]
        alike = _look_alikes(style, telling, size, rng)
        if _take(alike, taken):
            drafts += [(traits, len(differences)) for traits in alike]
            differences.append(telling.word)
    while len(drafts) < characters:
        traits = {trait.word: rng.choice(trait.choices) for trait in style.constant}
        if _take([traits], taken):
            drafts.append((traits, None))
    rng.shuffle(drafts)
    cast = []
    members: list[list[str]] = [[] for _ in differences]
    for name, (traits, group) in zip(_names(rng), drafts, strict=False):
        if group is not None:
            members[group].append(name)
        cast.append(Character(name, traits, None if group is None else differences[group]))
    groups = [LookAlikes(tuple(n), d) for n, d in zip(members, differences, strict=True)]
    return cast, groups


def file_system_key(name: str) -> str:
    """Key that two names share when some file system takes them for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _look_alikes(
    style: DrawnStyle, telling: Trait, size: int, rng: random.Random
) -> list[dict[str, str]]:
    """The traits of `size` characters, or fewer, that differ in the trait `telling` alone."""
    traits = {trait.word: rng.choice(trait.choices) for trait in style.constant}
    others = telling.others(traits[telling.word])
    if telling.by_shade:
        others = others[:1]
    else:
        rng.shuffle(others)
    return [traits, *({**traits, telling.word: choice} for choice in others[: size - 1])]


def _take(group: list[dict[str, str]], taken: set[tuple[str, ...]]) -> bool:
    """Whether no one of `group` is within one trait of anyone in `taken`; if so, adds them."""
    near = {
        (*(w + "=" + c for w, c in traits.items() if w != left_out), left_out)
        for traits in group
        for left_out in traits
    }
    if near & taken:
        return False
    taken |= near
    return True


def _names(rng: random.Random) -> Iterator[str]:
    """Names, none twice; while they last, every twelfth is an odd one."""
    plain = [given + after for given in _GIVEN for after in _AFTER]
    odd = list(_ODD)
    rng.shuffle(plain)
    rng.shuffle(odd)
    for number, name in enumerate(plain):
        if odd and number % _ODD_EVERY == 0:
            yield odd.pop()
        yield name
