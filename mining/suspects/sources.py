"""Pairs of two faces that were cut from one picture: two people, or one person twice.

What tells it, the surest first: the table that `crop` leaves beside the faces; one name of both
files up to the number of a crop, with pixels that both show; the number of a post, or a digest,
that both files are called after.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from mining.suspects.pictures.comparison import PictureCheck
from mining.suspects.pictures.judge import SURE, Comparison
from pairsets.errors import PairSetError
from pairsets.files.cannot_links import CannotLinks
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairKey, PairSet
from pairsets.progress import Step, unheard
from pairsets.sources.picture_names import picture_name

# The table of `crop`, below the folder of faces.
TABLE = "crops.csv"
# Score by names alone, which is also that from which a pair is flagged.
BY_NAME = 0.5


class SourcePictures(PictureCheck):
    """Flags pairs whose faces were cut from one picture, and says what tells it.

    See `PictureCheck` for what it is made of.
    """

    kind = "source"

    @cached_property
    def _pictures(self) -> dict[str, int]:
        return _recorded(self._root / TABLE)

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Score of each pair: 1 by the table, 0.5 by names alone, and by pixels what these say.

        0 where nothing tells it: pixels alone do not.
        """
        keys = pairs.keys
        score, reasons = np.zeros(len(keys)), [""] * len(keys)
        named = [row for row, key in enumerate(keys) if self._one_name(key)]
        found = self.comparisons.of([keys[row] for row in named], progress)
        for row, one in zip(named, found, strict=True):
            score[row], reasons[row] = self._said(keys[row], one)
        return Doubt(self.kind, score, score >= BY_NAME, tuple(reasons))

    def telling_name(self, path: str) -> str | None:
        """Name of the picture of a face that no other picture has; None where nothing tells it."""
        number = self._pictures.get(path)
        if number is not None:
            return f"{TABLE} {number}"
        name = picture_name(path)
        return name.name if name.tells else None

    def _one_name(self, key: PairKey) -> bool:
        names = [picture_name(path).name for path in key]
        return names[0] == names[1] or self._recorded_as_one(key)

    def _recorded_as_one(self, key: PairKey) -> bool:
        first, second = (self._pictures.get(path) for path in key)
        return first is not None and first == second

    def _said(self, key: PairKey, one: Comparison) -> tuple[float, str]:
        """Score of a pair that has one name, and the reason where it is flagged."""
        name = picture_name(key[0])
        seen = one.common if one.common >= SURE else 0.0
        also = f", and {one.shared:.0%} of one is seen in the other" if seen else ""
        if self._recorded_as_one(key):
            return 1.0, f"cut from one picture, by {TABLE}{also}"
        if seen:
            return seen, f"both files are called {name.name}{also}"
        if name.tells:
            return BY_NAME, f"both files are called {name.name}, by their names alone"
        return 0.0, ""


def _recorded(table: Path) -> dict[str, int]:
    """Number of the picture of each face that shares one with others; a table may be absent."""
    if not table.is_file():
        return {}
    try:
        pictures = CannotLinks.read([table]).pictures
    except PairSetError:  # somebody's own table, or one of pictures of one face each
        return {}
    return {path: number for number, paths in enumerate(pictures) for path in paths}
