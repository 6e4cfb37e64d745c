"""Hubness of a pair set: how few images and identities stand in how many of its pairs.

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
    """Image, identity or pair of identities that stands in more pairs than any other of its kind.

    Attributes:
        names: of the image (its path) or the identity; the two identities of a pair of them.
        count: how many pairs it is in.
        share: of the pairs, 0 to 1.
    """

    names: tuple[str, ...]
    count: int
    share: float


@dataclass(frozen=True)
class Hubness:
    """Evenness with which the pairs of a set are spread over images and identities.

    Attributes:
        pairs: how many there are.
        images, identities, identity_pairs: how many distinct ones they use.
        half: the fewest images that fill half of the places (a pair has two).
        image, identity, identity_pair: the most frequent one; of several, the first by name;
            None in an empty set.
    """

    pairs: int
    images: int
    identities: int
    identity_pairs: int
    half: int
    image: Hub | None
    identity: Hub | None
    identity_pair: Hub | None

    @classmethod
    def of(
        cls,
        path_a: Iterable[str],
        path_b: Iterable[str],
        identities: Mapping[str, str] | None = None,
    ) -> Hubness:
        """Hubs among pairs, by the paths `[N]` of their two faces; identities are folders, or told.

        >>> found = Hubness.of(["rei/1", "rei/1"], ["asuka/1", "asuka/2"])
        >>> found.images, found.identities, found.image
        (3, 2, Hub(names=('rei/1',), count=2, share=1.0))
        """
        first, second = strings(path_a), strings(path_b)
        count = len(first)
        images, paths = _numbered(first, second)
        folders = strings(identified(paths, identities))
        codes, names = _numbered(folders[images[:count]], folders[images[count:]])
        a, b = codes[:count], codes[count:]
        places = np.bincount(images, minlength=len(paths))
        # A pair of one identity has it at both ends, but is one pair with it.
        with_identity = np.bincount(a, minlength=len(names))
        with_identity += np.bincount(b[a != b], minlength=len(names))
        keys, with_both = np.unique(
            np.minimum(a, b) * len(names) + np.maximum(a, b), return_counts=True
        )
        return cls(
            pairs=count,
            images=len(paths),
            identities=len(names),
            identity_pairs=len(keys),
            half=_fewest_for_half(places),
            image=_most(places, count, lambda top: (paths[top],)),
            identity=_most(with_identity, count, lambda top: (names[top],)),
            identity_pair=_most(
                with_both, count, lambda top: tuple(names[[*divmod(int(keys[top]), len(names))]])
            ),
        )

    @classmethod
    def of_negatives(cls, pairs: PairSet) -> Hubness:
        """Hubs among the valid pairs of different identities."""
        kept = pairs.negatives
        return cls.of(pairs.path_a[kept], pairs.path_b[kept], pairs.identities)

    def content(self) -> dict[str, object]:
        """Hubness as fields by name, for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Rows (name, number) as a person reads them.

        >>> Hubness.of(["rei/1"], ["asuka/1"]).rows()[-1]
        ('most pairs with one identity pair', '1 (100.0 %)')
        """
        most = {
            "image": self.image,
            "identity": self.identity,
            "identity pair": self.identity_pair,
        }
        return [
            ("images", f"{self.images:,}"),
            ("identities", f"{self.identities:,}"),
            ("identity pairs", f"{self.identity_pairs:,}"),
            ("images that fill half of the places", f"{self.half:,}"),
            *(
                (f"most pairs with one {kind}", f"{hub.count:,} ({100 * hub.share:.1f} %)")
                for kind, hub in most.items()
                if hub is not None
            ),
        ]

    def sentence(self) -> str:
        """Hubness as one line of text.

        >>> Hubness.of(["rei/1"], ["asuka/1"]).sentence()[:43]
        'images 2, identities 2, identity pairs 1, i'
        """
        return ", ".join(f"{what} {much}" for what, much in self.rows())


def hub_faces(pairs: PairSet, most: int = 12, fewest: int = 3) -> list[Hub]:
    """Faces in most valid pairs of different identities, `most` of them, each in `fewest` or more.

    Equals go by path.

    >>> pairs = PairSet.of(["a/1", "a/1", "b/1"], ["b/1", "c/1", "c/1"], 0)
    >>> hub_faces(pairs, most=1, fewest=2)
    [Hub(names=('a/1',), count=2, share=0.6666666666666666)]
    """
    kept = pairs.negatives
    codes, paths = _numbered(strings(pairs.path_a[kept]), strings(pairs.path_b[kept]))
    places = np.bincount(codes, minlength=len(paths))
    whole = int(kept.sum())
    first = np.argsort(-places, kind="stable")[:most].tolist()
    return [
        Hub((paths[at],), int(places[at]), float(places[at]) / whole)
        for at in first
        if places[at] >= fewest
    ]


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
