"""Hubness of a pair set: how few images and characters stand in how many of its pairs.

The best-scoring pairs of a model gather around hubs, faces that are near to everything. In the
adversarial negatives of ZACI-20, 1,076 images fill 2,991 pairs, and one image is in 63 of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.arrays import Counts
from pairsets.faces import identified
from pairsets.pairset import PairSet
from pairsets.paths import strings


@dataclass(frozen=True)
class Hub:
    """Image, character or pair of characters that stands in more pairs than any other of its kind.

    Attributes:
        names: of the image (its path) or the character; the two characters of a pair of them.
        count: how many pairs it is in.
        share: of the pairs, 0 to 1.
    """

    names: tuple[str, ...]
    count: int
    share: float


@dataclass(frozen=True)
class Hubness:
    """Evenness with which the pairs of a set are spread over images and characters.

    Attributes:
        pairs: how many there are.
        images, characters, character_pairs: how many distinct ones they use.
        half: the fewest images that fill half of the places (a pair has two).
        image, character, character_pair: the most frequent one; of several, the first by name;
            None in an empty set.
    """

    pairs: int
    images: int
    characters: int
    character_pairs: int
    half: int
    image: Hub | None
    character: Hub | None
    character_pair: Hub | None

    @classmethod
    def of(
        cls,
        path_a: Iterable[str],
        path_b: Iterable[str],
        identities: Mapping[str, str] | None = None,
    ) -> Hubness:
        """Hubs among pairs, by the paths `[N]` of their two faces; characters are folders, or told.

        >>> found = Hubness.of(["rei/1", "rei/1"], ["asuka/1", "asuka/2"])
        >>> found.images, found.characters, found.image
        (3, 2, Hub(names=('rei/1',), count=2, share=1.0))
        """
        first, second = strings(path_a), strings(path_b)
        count = len(first)
        images, paths = _numbered(first, second)
        folders = strings(identified(paths, identities))
        codes, names = _numbered(folders[images[:count]], folders[images[count:]])
        a, b = codes[:count], codes[count:]
        places = np.bincount(images, minlength=len(paths))
        # A pair of one character has it at both ends, but is one pair with it.
        with_character = np.bincount(a, minlength=len(names))
        with_character += np.bincount(b[a != b], minlength=len(names))
        keys, with_both = np.unique(
            np.minimum(a, b) * len(names) + np.maximum(a, b), return_counts=True
        )
        return cls(
            pairs=count,
            images=len(paths),
            characters=len(names),
            character_pairs=len(keys),
            half=_fewest_for_half(places),
            image=_most(places, count, lambda top: (paths[top],)),
            character=_most(with_character, count, lambda top: (names[top],)),
            character_pair=_most(
                with_both, count, lambda top: tuple(names[[*divmod(int(keys[top]), len(names))]])
            ),
        )

    @classmethod
    def of_negatives(cls, pairs: PairSet) -> Hubness:
        """Hubs among the valid pairs of different characters."""
        kept = pairs.negatives
        return cls.of(pairs.path_a[kept], pairs.path_b[kept], pairs.identities)

    def content(self) -> dict[str, object]:
        """Hubness as fields by name, for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Rows (name, number) as a person reads them.

        >>> Hubness.of(["rei/1"], ["asuka/1"]).rows()[-1]
        ('most pairs with one character pair', '1 (100.0 %)')
        """
        most = {
            "image": self.image,
            "character": self.character,
            "character pair": self.character_pair,
        }
        return [
            ("images", f"{self.images:,}"),
            ("characters", f"{self.characters:,}"),
            ("character pairs", f"{self.character_pairs:,}"),
            ("images that fill half of the places", f"{self.half:,}"),
            *(
                (f"most pairs with one {kind}", f"{hub.count:,} ({100 * hub.share:.1f} %)")
                for kind, hub in most.items()
                if hub is not None
            ),
        ]

    def sentence(self) -> str:
        """Hubness as one line of text.

        >>> Hubness.of(["rei/1"], ["asuka/1"]).sentence()[:44]
        'images 2, characters 2, character pairs 1, i'
        """
        return ", ".join(f"{what} {much}" for what, much in self.rows())


def _numbered(
    first: NDArray[np.object_], second: NDArray[np.object_]
) -> tuple[Counts, NDArray[np.object_]]:
    """`[2 N]` codes of both columns, and the `[K]` names that they number, sorted."""
    codes, names = pd.factorize(np.concatenate([first, second]), sort=True)
    return codes.astype(np.int64), strings(names)


def _most(counts: Counts, pairs: int, names: Callable[[int], tuple[str, ...]]) -> Hub | None:
    if not pairs:
        return None
    top = int(np.argmax(counts))
    return Hub(names(top), int(counts[top]), float(counts[top]) / pairs)


def _fewest_for_half(places: Counts) -> int:
    filled = np.cumsum(np.sort(places)[::-1])
    return int(np.searchsorted(2 * filled, places.sum()) + 1) if places.size else 0
