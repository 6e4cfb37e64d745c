"""Random pairs: positives and negatives drawn uniformly, without repeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import PairSetError
from pairsets.faces import Faces
from pairsets.pairset import PairSet

DEFAULT_COUNT = 1000
_WHY_NONE = {
    "positive": "no identity has two faces",
    "negative": "there are not two identities with faces",
}
_WHY_NONE_BETWEEN = {
    "positive": "no identity is in both sets",
    "negative": "there are not two identities with faces, or one set has none",
}
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class PairSpace:
    """All pairs i < j of some faces, numbered, so that they can be drawn without listing them.

    Faces of one identity stand together: `starts[g]` is where identity g's run begins.
    """

    rows: Rows
    starts: Rows

    @classmethod
    def of(cls, faces: Faces, ignore: Iterable[str] = ()) -> PairSpace:
        """The pairs of `faces` whose base names are not in `ignore`."""
        return cls.of_groups(faces.groups, np.flatnonzero(faces.without(ignore)))

    @classmethod
    def of_groups(cls, groups: Rows, kept: Rows | None = None) -> PairSpace:
        """The pairs of the rows `kept`, or of all, whose identities `groups [N]` numbers."""
        kept = np.arange(groups.size) if kept is None else kept
        rows = kept[np.argsort(groups[kept], kind="stable")]
        starts = np.flatnonzero(np.r_[True, np.diff(groups[rows]) != 0]) if rows.size else rows
        return cls(rows, np.r_[starts, rows.size].astype(np.int64))

    @property
    def count_positives(self) -> int:
        """Number of same-identity pairs."""
        sizes = np.diff(self.starts)
        return int((sizes * (sizes - 1) // 2).sum())

    @property
    def count_negatives(self) -> int:
        """Number of pairs of different identities."""
        total = self.rows.size
        return total * (total - 1) // 2 - self.count_positives

    def _ends(self) -> Rows:
        """End of the run of each face's own identity."""
        return np.repeat(self.starts[1:], np.diff(self.starts))

    def positives(self, numbers: Rows) -> tuple[Rows, Rows]:
        """Face rows `(i, j)` of the same-identity pairs with these numbers."""
        place = np.arange(self.rows.size)
        return self._unrank(numbers, first_partner=place + 1, partners=self._ends() - place - 1)

    def negatives(self, numbers: Rows) -> tuple[Rows, Rows]:
        """Face rows `(i, j)` of the different-identity pairs with these numbers."""
        ends = self._ends()
        return self._unrank(numbers, first_partner=ends, partners=self.rows.size - ends)

    def negative_numbers(self, i: Rows, j: Rows) -> Rows:
        """Numbers of different-identity pairs of these face rows, either way round, `[M]`.

        >>> space = PairSpace.of_groups(np.array([1, 0, 1, 0]))
        >>> space.negative_numbers(*space.negatives(np.arange(4))).tolist()
        [0, 1, 2, 3]
        """
        place = np.empty(int(self.rows.max(initial=-1)) + 1, np.int64)
        place[self.rows] = np.arange(self.rows.size)
        first, second = np.minimum(place[i], place[j]), np.maximum(place[i], place[j])
        ends = self._ends()
        before = np.r_[0, np.cumsum(self.rows.size - ends)]
        return np.asarray(before[first] + second - ends[first], np.int64)

    def _unrank(self, numbers: Rows, first_partner: Rows, partners: Rows) -> tuple[Rows, Rows]:
        before = np.r_[0, np.cumsum(partners)]
        i = np.searchsorted(before, numbers, side="right") - 1
        j = first_partner[i] + numbers - before[i]
        return self.rows[i], self.rows[j]


@dataclass(frozen=True)
class SpaceBetween:
    """All pairs of a face of one set and a face of another, numbered as by `PairSpace`.

    Attributes:
        left: `[A]` rows of the first set, those of one identity together.
        right: `[B]` rows of the second set, likewise.
        starts, ends: `[A]` where among `right` the identity of each of `left` begins and ends.
    """

    left: Rows
    right: Rows
    starts: Rows
    ends: Rows

    @classmethod
    def of(cls, faces: Faces, ignore: Iterable[str] = ()) -> SpaceBetween:
        """The pairs between the two sets of `faces` whose base names are not in `ignore`."""
        groups, split = faces.groups, faces.split or 0
        kept = np.flatnonzero(faces.without(ignore))
        kept = kept[np.argsort(groups[kept], kind="stable")]
        left, right = kept[kept < split], kept[kept >= split]
        starts, ends = (
            np.searchsorted(groups[right], groups[left], side=side) for side in ("left", "right")
        )
        return cls(left, right, starts, ends)

    @property
    def count_positives(self) -> int:
        """Number of same-identity pairs."""
        return int((self.ends - self.starts).sum())

    @property
    def count_negatives(self) -> int:
        """Number of pairs of different identities."""
        return self.left.size * self.right.size - self.count_positives

    def positives(self, numbers: Rows) -> tuple[Rows, Rows]:
        """Face rows `(i, j)` of the same-identity pairs with these numbers."""
        at, place = self._unrank(numbers, self.ends - self.starts)
        return self.left[at], self.right[self.starts[at] + place]

    def negatives(self, numbers: Rows) -> tuple[Rows, Rows]:
        """Face rows `(i, j)` of the different-identity pairs with these numbers."""
        own = self.ends - self.starts
        at, place = self._unrank(numbers, self.right.size - own)
        return self.left[at], self.right[place + np.where(place < self.starts[at], 0, own[at])]

    def _unrank(self, numbers: Rows, partners: Rows) -> tuple[Rows, Rows]:
        """Place in `left` of each number, and the place among its partners."""
        before = np.r_[0, np.cumsum(partners)]
        at = np.searchsorted(before, numbers, side="right") - 1
        return at, numbers - before[at]


def pair_space(faces: Faces, ignore: Iterable[str] = ()) -> PairSpace | SpaceBetween:
    """The pairs of `faces`: all, or of two sets those between them."""
    return (PairSpace if faces.split is None else SpaceBetween).of(faces, ignore)


def random_pairs(
    faces: Faces,
    *,
    positives: int | None = None,
    negatives: int | None = None,
    seed: int = 0,
    ignore: Iterable[str] = (),
) -> PairSet:
    """Draw a random pair set, shuffled, nothing judged.

    Negatives are uniform over all pairs of different identities, positives over all pairs of one
    identity; none is drawn twice. The same faces, numbers and seed give the same pairs.

    Args:
        faces: where to draw from.
        positives: how many; by default 1,000, or all if there are fewer.
        negatives: likewise.
        seed: of the draw and the shuffle.
        ignore: base names of images never to draw.

    Raises:
        PairSetError: more pairs are asked for than exist, or there are none of a kind that was
            not declined with 0.
    """
    space = pair_space(faces, ignore)
    generator = np.random.default_rng(seed)
    count_positives = _count(faces, "positive", positives, space.count_positives)
    count_negatives = _count(faces, "negative", negatives, space.count_negatives)
    same = space.positives(_draw(generator, space.count_positives, count_positives))
    different = space.negatives(_draw(generator, space.count_negatives, count_negatives))
    i, j = np.r_[same[0], different[0]], np.r_[same[1], different[1]]
    label = np.r_[np.ones(count_positives, np.int8), np.zeros(count_negatives, np.int8)]
    order = generator.permutation(i.size)
    i, j = np.minimum(i, j)[order], np.maximum(i, j)[order]
    return PairSet.of(faces.paths[i], faces.paths[j], label[order], identities=faces.named)


def _count(faces: Faces, kind: str, wanted: int | None, available: int) -> int:
    why = _WHY_NONE if faces.split is None else _WHY_NONE_BETWEEN
    if wanted is not None and wanted < 0:
        raise PairSetError(f"{wanted} {kind} pairs asked for; expected 0 or more")
    if wanted is not None and wanted > available:
        raise PairSetError(
            f"{faces.root}: {wanted} {kind} pairs asked for, but only {available} exist"
        )
    if wanted is None and not available:
        raise PairSetError(
            f"{faces.root}: no {kind} pair exists: {why[kind]} (after the ignore list); "
            f"to go without, ask for 0 {kind}s"
        )
    return min(DEFAULT_COUNT, available) if wanted is None else wanted


def _draw(generator: np.random.Generator, available: int, wanted: int) -> Rows:
    if not wanted:
        return np.empty(0, np.int64)
    return generator.choice(available, wanted, replace=False).astype(np.int64)


def sample_rows(available: int, count: int, seed: int = 0) -> Rows:
    """`count` of the rows below `available`, or all if there are fewer, drawn by `seed`."""
    return np.sort(np.random.default_rng(seed).permutation(available)[:count])
