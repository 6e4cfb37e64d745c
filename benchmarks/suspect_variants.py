"""Variants of drawings, and two cuts of one picture, planted in sets that no limit was set on.

- `variant`: drawn faces are drawn once more with one part changed (another mouth, other brows, an
  earring, ...), and both compressed. Decoys are another character in the same pose, framing and
  expression: two drawings. Two pictures of one drawn character are none, they are made of the same
  parts; so how often `variant` is right of real redraws is not told by this.
- `source`: two cuts of one picture, which share some 60 % of it, under two names as `crop` gives
  them (`12_0.png`, `12_1.png`). Decoys are files of such names that were cut from two pictures, as
  where each folder counts its own. Names that tell a picture by themselves (numbers of posts,
  digests) are believed, and say nothing of how it looks; none is planted.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from dicebear import Avatar, Style
from numpy.typing import NDArray
from resvg_py import svg_to_bytes

from benchmarks.overlap import jpeg, window
from benchmarks.suspect_pictures import Pair, Picture, open_face, shares
from benchmarks.suspect_rates import share
from benchmarks.suspect_sets import Views
from mining.suspects.duplicates import DuplicatePictures
from mining.suspects.sources import SourcePictures
from mining.suspects.variants import DrawingVariants
from pairsets.images import decode
from pairsets.pairset import PairSet
from pairsets.sources.drawn.cast import make_cast
from pairsets.sources.drawn.sample import definition_of, picture_options
from pairsets.sources.drawn.styles import STYLES

CHARACTERS, CUT, QUICK = 150, 300, 20
SEED, SIZE = 303, 224
_OTHER = "another character"
Row = dict[str, Any]


def variants(style: str, quick: bool) -> Row:
    """Recall of `variant` by the part that changed, and what `duplicate` takes for copies."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        kinds = []
        for changed, both in drawn_twice(style, QUICK if quick else CHARACTERS):
            for side, image in zip("ab", both, strict=True):
                image.save(root / f"{side}{len(kinds)}.png", compress_level=1)
            kinds.append(changed)
        names = [[f"{side}{at}.png" for at in range(len(kinds))] for side in "ab"]
        pairs = PairSet.of(*names, 1)
        said, copied = (
            check(root)(pairs).flagged for check in (DrawingVariants, DuplicatePictures)
        )
    is_planted = np.array([kind != _OTHER for kind in kinds])
    return {
        "style": style,
        "variants": int(is_planted.sum()),
        "decoys": int((~is_planted).sum()),
        "recall": _share(said[is_planted]),
        "decoys_flagged": _share(said[~is_planted]),
        "taken_for_copies": _share(copied[is_planted]),
        "recall_by_kind": shares(said, kinds),
        "taken_for_copies_by_kind": shares(copied, kinds),
    }


def drawn_twice(style: str, characters: int) -> Iterator[tuple[str, Pair]]:
    """What changed, and two compressed pictures: of each character, one a part, and a decoy."""
    drawings, drawn_as = Style(definition_of(style)), STYLES[style]

    def draw(options: dict[str, object]) -> Picture:
        svg = Avatar(drawings, {"seed": style, **options}).to_string()
        data = svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE, skip_system_fonts=True)
        return decode(bytes(data))

    cast, _ = make_cast(drawn_as, characters, 0.0, SEED)
    for number, character in enumerate(cast):
        rng = random.Random(f"variants/{style}/{number}")
        options = picture_options(drawn_as, character, rng)
        first = draw(options)
        for trait in drawn_as.varied:
            choice = rng.choice(trait.choices)
            second = draw(options | trait.options(choice))
            if np.any(np.asarray(second) != np.asarray(first)):
                yield trait.word, (jpeg(first, 90), jpeg(second, 80))
        another = cast[number - 1]
        traits = (trait.options(another.traits[trait.word]) for trait in drawn_as.constant)
        other = draw(options | dict(chain.from_iterable(one.items() for one in traits)))
        yield _OTHER, (jpeg(first, 90), jpeg(other, 80))


def sources(views: Views, quick: bool) -> Row:
    """Recall of `source` where names leave it to the pixels, and what else it takes for one."""
    generator = np.random.default_rng(SEED)
    count = min(QUICK if quick else CUT, len(views.faces) // 3)
    chosen = generator.choice(views.faces.paths, 3 * count, replace=False).tolist()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for side in "ab":
            (root / side).mkdir()
        for at in range(2 * count):
            face = open_face(views.root, chosen[at])
            # The others are cuts of two pictures.
            second = face if at < count else open_face(views.root, chosen[at + count])
            left, top = generator.uniform(0.15, 0.25, 2).tolist()
            window(face, 0, 0, 1 - left, 1 - top).save(root / "a" / f"{at}_0.png")
            jpeg(window(second, left, top, 1, 1), 85).save(root / "b" / f"{at}_1.png")
        names = [[f"{side}/{at}_{n}.png" for at in range(2 * count)] for n, side in enumerate("ab")]
        said = SourcePictures(root)(PairSet.of(*names, 0)).flagged
    return {
        "set": views.name,
        "cuts": count,
        "decoys": count,
        "recall": _share(said[:count]),
        "decoys_flagged": _share(said[count:]),
    }


def _share(flagged: NDArray[np.bool_]) -> list[float] | None:
    return share([int(flagged.sum())], [len(flagged)], len(flagged))
