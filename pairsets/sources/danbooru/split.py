"""Characters to train on and characters to test on, none in both: the zero-shot split."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from random import Random

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.paths import strings
from pairsets.sources.danbooru.selection import SelectedPictures
from pairsets.sources.dataset import Dataset

_QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}


def draw_test(
    counts: Mapping[str, int], *, characters: int, images: int = 2, seed: int = 0
) -> frozenset[str]:
    """Draw `characters` names at random from those with exactly `images` pictures.

    The order of `counts` does not matter, and fewer characters are a part of more.

    Args:
        counts: pictures by character.
        characters: how many to draw.
        images: pictures that a character to test on has.
        seed: of the draw.

    Raises:
        SourceError: there are fewer.
    """
    able = sorted(name for name, count in counts.items() if count == images)
    if characters > len(able):
        raise SourceError(
            f"{characters:,} test characters asked for, but {len(able):,} of {len(counts):,} "
            f"characters have exactly {images} images; ask for fewer, or for another number of "
            "images"
        )
    # Of Python's generator only `random` is promised to give the same numbers for ever.
    dice = Random(seed)
    drawn = sorted((dice.random(), name) for name in able)[:characters]
    return frozenset(name for _, name in drawn)


def dataset_of(pictures: SelectedPictures, chosen: NDArray[np.bool_]) -> Dataset:
    """The pictures of the characters marked in `chosen`, `[C]`.

    Characters are in the order of their code points, pictures in that of their ids, numbers
    before paths.
    """
    names = pictures.names
    order = sorted(np.flatnonzero(chosen).tolist(), key=names.__getitem__)
    rank = np.full(len(names), -1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    owner = rank[pictures.owner]
    rows = np.flatnonzero(owner >= 0)
    if pictures.ids.dtype == object:
        keys = [(isinstance(one, str), one) for one in pictures.ids[rows]]
        places = np.empty(len(rows), np.int64)
        places[sorted(range(len(rows)), key=keys.__getitem__)] = np.arange(len(rows))
        rows = rows[np.lexsort((places, owner[rows]))]
    else:
        rows = rows[np.lexsort((pictures.ids[rows], owner[rows]))]
    return Dataset(
        tuple(names[at] for at in order),
        owner[rows],
        strings(pictures.ids[rows].tolist()),
        pictures.boxes[rows],
    )


def two_spellings(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ only by case, Unicode form, or `/` for `__`: one folder for some systems.

    >>> two_spellings(["fate/zero", "rei", "Fate__zero"])
    [('Fate__zero', 'fate/zero')]
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        key = name.replace("/", "__").lower()
        groups[key if key.isascii() else unicodedata.normalize("NFC", key)].append(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def statistics(found: Dataset) -> dict[str, object]:
    """Numbers of characters and images, and of images a character."""
    counts = found.counts
    quantiles = {
        name: int(np.quantile(counts, share, method="inverted_cdf")) if len(counts) else None
        for name, share in _QUANTILES.items()
    }
    return {
        "characters": len(found.characters),
        "images": len(found),
        "images_per_character": quantiles,
        "histogram": {str(images): count for images, count in found.histogram.items()},
    }
