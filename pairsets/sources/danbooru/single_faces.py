"""Faces of pictures that show a single one, or each face; or why they are left out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import FaceBoxes, fit_boxes, numbers_of

# Why a picture is left out, the first reason that holds.
NO_FACE, FACES, UNSIZED, OUTSIDE, SMALL, ONE = range(6)
# Beyond any picture.
_FAR = 2.0**31 - 1
# As gallery-dl names the pictures of such sites.
_OF_SITE = re.compile(
    r"(?:[a-z0-9]*booru|booruvar|e621|e926|e6ai|konachan|rule34|sakugabooru|yandere)_(\d{1,18})(?:_|\Z)"
)
UNSIZED_WHY = "the size of the picture unknown, of whose sides the box is a share"


@dataclass(frozen=True, eq=False)
class Boxed:
    """The one face of each picture.

    Attributes:
        ids: `[P]` int64 or objects, of the pictures.
        fates: `[P]` uint8: `ONE`, or why the picture is left out.
        boxes: `[P, 4]` int32: left, top, right, bottom within the picture; 0 where there is none.
        weak: faces below the least score.
        unscored: faces without a score, which no least score leaves out.
        min_size: the least side of a box, for the funnel.
    """

    ids: NDArray[Any]
    fates: NDArray[np.uint8]
    boxes: NDArray[np.int32]
    weak: int
    unscored: int
    min_size: int

    @classmethod
    def of(
        cls,
        found: FaceBoxes,
        *,
        min_score: float | None = None,
        min_size: int = 0,
        picture_size: ArrayLike = 512,
    ) -> Boxed:
        """The one face of each picture of `found`.

        Args:
            found: the boxes.
            min_score: faces below it do not count; faces without a score always do.
            min_size: pixels that the shorter side of a box within its picture needs.
            picture_size: width and height of the pictures whose size nobody says, or `[P, 2]`, of
                each. The small pictures of Danbooru are padded to a square. 0 is to say that nobody
                knows: boxes in pixels are not clipped then, and shares of such a picture no box.

        Raises:
            SourceError: a least score, where no face has one.
        """
        faces, rows = cls.each(
            found, min_score=min_score, min_size=min_size, picture_size=picture_size
        )
        owners = _pictures(found)[rows]
        counts = np.bincount(owners, minlength=len(found))
        alone = counts[owners] == 1
        fates = np.where(counts == 0, NO_FACE, FACES).astype(np.uint8)
        boxes = np.zeros((len(found), 4), np.int32)
        boxes[owners[alone]], fates[owners[alone]] = faces.boxes[alone], faces.fates[alone]
        return replace(faces, ids=found.ids, fates=fates, boxes=boxes)

    @classmethod
    def each(
        cls,
        found: FaceBoxes,
        *,
        min_score: float | None = None,
        min_size: int = 0,
        picture_size: ArrayLike = 512,
    ) -> tuple[Boxed, NDArray[np.int64]]:
        """Every face of each picture of `found`, whose own name says whose it is.

        Args and errors are those of `of`.

        Returns:
            The faces that count, each under its picture's id, which may come again; `[P]` their
            rows in `found`.
        """
        weak, unscored = np.zeros(len(found.scores), bool), 0
        if min_score is not None:
            weak, unscored = found.scores < min_score, int(np.isnan(found.scores).sum())
            if unscored == len(weak) > 0:
                raise SourceError(f"no face has a score, so none is below {min_score}")
        rows = np.flatnonzero(~weak)
        owners = _pictures(found)[rows]
        sizes = np.where(found.sizes > 0, found.sizes, picture_size)[owners].astype(np.float64)
        unknown = (sizes == 0).any(axis=1)
        if not found.relative:
            sizes[unknown] = _FAR
        scale = np.concatenate([sizes, sizes], axis=1) if found.relative else 1
        boxes, usable = fit_boxes(found.boxes[rows] * scale, sizes)
        sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        fates = np.where(usable, np.where(sides < min_size, SMALL, ONE), OUTSIDE).astype(np.uint8)
        if found.relative:
            fates[unknown] = UNSIZED
        return cls(found.ids[owners], fates, boxes, int(weak.sum()), unscored, min_size), rows

    @property
    def reasons(self) -> dict[int, str]:
        """Reasons in the funnel for pictures left out, in the order of the rule."""
        return {
            NO_FACE: "no face",
            FACES: "more than one face",
            **({UNSIZED: UNSIZED_WHY} if (self.fates == UNSIZED).any() else {}),
            OUTSIDE: "the face outside the picture",
            SMALL: f"a face of less than {self.min_size} pixels",
        }

    def by_post(self) -> tuple[Boxed, NDArray[np.int64], int]:
        """The pictures that are of a post, in its order.

        An id that is a number is that of the post; of a path the name says it:
        `asuka/4123.jpg` is of the post 4123, and `danbooru_4123_ab12.jpg`, as gallery-dl names
        it, too. The picture stays where it lies, so its id stays.

        Returns:
            Those pictures; `[P]` the numbers of their posts, rising; how many others there were.

        Raises:
            SourceError: two pictures of one post.
        """
        numbers = numbers_of(self.ids)
        if numbers is None:
            numbers = np.fromiter(map(_post, self.ids), np.int64, len(self.ids))
        order = np.argsort(numbers, kind="stable")
        order = order[np.searchsorted(numbers[order], 0) :]
        posts, ids = numbers[order], self.ids[order]
        again = np.flatnonzero(posts[1:] == posts[:-1])
        if again.size:
            one, other = ids[again[0]], ids[again[0] + 1]
            raise SourceError(
                f"pictures {one!r} and {other!r} are both of the post {posts[again[0]]}; expected "
                "one picture a post"
            )
        if not {*map(type, ids)} - {int}:
            ids = posts
        sorted_ = replace(self, ids=ids, fates=self.fates[order], boxes=self.boxes[order])
        return sorted_, posts, len(self.ids) - len(posts)

    def counts(self, rows: NDArray[np.int64]) -> Counter[int]:
        """Pictures by their fate; a row of -1 is one that nobody looked at: no face."""
        fates = np.where(rows < 0, NO_FACE, self.fates[rows] if len(self.fates) else NO_FACE)
        return Counter(dict(enumerate(np.bincount(fates, minlength=ONE + 1).tolist())))


def _pictures(found: FaceBoxes) -> NDArray[np.int64]:
    """`[F]`: the row of the picture of each face."""
    return np.repeat(np.arange(len(found)), found.counts)


def _post(picture: int | str) -> int:
    if isinstance(picture, int):
        return picture
    stem = PurePosixPath(picture).stem
    named = _OF_SITE.match(stem)
    if named is not None:
        stem = named[1]
    return int(stem) if stem.isascii() and stem.isdigit() and len(stem) < 19 else -1
