"""Entries of all pictures of a folder, and how the index of them is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mining.overlap.candidates import Entry, Signs, entry_of, levels_of
from mining.suspects.pictures.comparison import Comparisons
from mining.suspects.pictures.features import Picture
from pairsets.progress import Step

# Pictures by which the index is laid out.
_FIRST = 1024


def entries_of(
    comparisons: Comparisons, paths: Sequence[str], progress: Step
) -> tuple[dict[int, Entry], Signs]:
    """Entry of each picture that can be read, by its place among the paths, and the levels.

    The pictures are kept in `comparisons`, as long as there is room.
    """
    first: dict[int, Picture] = {}
    for row, (path, made) in enumerate(comparisons.read(paths[:_FIRST], _itself)):
        if made is not None:
            comparisons.keep(path, made[0])
            first[row] = made[1]
        progress(row + 1, len(paths))
    levels = levels_of(first.values())
    entries = {row: entry_of(picture, levels) for row, picture in first.items()}
    others = comparisons.read(paths[_FIRST:], partial(entry_of, levels=levels))
    for row, (path, entered) in enumerate(others, _FIRST):
        if entered is not None:
            comparisons.keep(path, entered[0])
            entries[row] = entered[1]
        progress(row + 1, len(paths))
    return entries, levels


def _itself(picture: Picture) -> Picture:
    return picture
