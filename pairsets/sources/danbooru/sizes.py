"""Sizes of pictures whose boxes do not say them: asked, looked at, or known of Danbooru."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.images import ImageError, open_header, read
from pairsets.sources.face_boxes import FaceBoxes
from pairsets.sources.face_boxes.exif import orientation
from pairsets.sources.folders.picture_paths import NotFoundError, PicturePaths

# Sides of Danbooru's small pictures, which boxes of posts are of.
SMALL = 512
# Of faces, so many may reach so far beyond their picture: detectors do not keep to its edge.
_FEW, _BEYOND = 0.01, 1.05
NOT_FOUND = "pictures that were not found, whose size nobody says"
NO_PICTURE = "pictures that cannot be read, whose size nobody says"
TURNED = "pictures stored turned (EXIF), of whose sides a box may be either's share"
_REMEDY = (
    "give the folder of the pictures (--pictures), or one size for all (--picture-size PIXELS)"
)


class Limits(TypedDict):
    """Limits on the faces that count: the arguments of `Boxed.of` and `Boxed.each`."""

    min_score: float | None
    min_size: int
    picture_size: ArrayLike


def sizes_for(
    found: FaceBoxes,
    faces: Path,
    given: int | None,
    pictures: PicturePaths | None,
    step: Callable[[int, int], None],
) -> tuple[NDArray[np.int64], Counter[str], list[str]]:
    """Width and height of each picture, of those too whose size the boxes do not say.

    Args:
        found: the boxes.
        faces: their file, for messages.
        given: width and height, of all that are not known otherwise.
        pictures: where they lie, to look.
        step: told how many pictures were looked at, and of how many.

    Returns:
        `[P, 2]`, 0 where nobody knows; how many could not be looked at, by why; what to tell.

    Raises:
        SourceError: boxes that do not fit the small pictures of Danbooru, or are shares of the
            sides of pictures whose size nobody says.
    """
    sizes = np.array(found.sizes, np.int64)
    unknown = np.flatnonzero((sizes == 0).any(axis=1) & (found.counts > 0))
    left: Counter[str] = Counter()
    if pictures is not None:
        for count, row in enumerate(unknown.tolist(), 1):
            size = _look(pictures, found.ids[row], found.relative, left)
            if size is not None:
                sizes[row] = size
            step(count, len(unknown))
        if len(unknown) and left.total() == len(unknown):
            raise SourceError(
                f"{pictures.root}: not one of the {len(unknown):,} pictures of {faces} can be "
                f"looked at, the first {found.ids[unknown[0]]!r}; is it their folder?"
            )
        unknown = unknown[(sizes[unknown] == 0).any(axis=1)]
    if given is not None:
        sizes[unknown] = given
        return sizes, left, []
    if pictures is not None or not len(unknown):
        return sizes, left, []
    posts = unknown[[kind is int for kind in map(type, found.ids[unknown])]]
    if found.relative and not len(posts):
        raise SourceError(
            f"{faces}: boxes that are shares of the sides of pictures whose size it does not say; "
            f"{_REMEDY}"
        )
    sizes[posts] = SMALL
    if found.relative:
        note = (
            f"Boxes are shares of the pictures' sides, which nobody says: {SMALL} pixels are "
            "taken, as of Danbooru's small pictures. Of others, --pictures looks."
        )
        return sizes, left, [note]
    _refuse_larger(found, faces, posts)
    return sizes, left, []


def _look(
    pictures: PicturePaths, picture: int | str, relative: bool, left: Counter[str]
) -> tuple[int, int] | None:
    try:
        data = read(pictures.find(picture))
        size: tuple[int, int] = open_header(data).size
    except NotFoundError:
        left[NOT_FOUND] += 1
    except (ImageError, OSError, ValueError, SyntaxError):
        left[NO_PICTURE] += 1
    else:
        if not relative or orientation(data) == 1:
            return size
        left[TURNED] += 1
    return None


def _refuse_larger(found: FaceBoxes, faces: Path, posts: NDArray[np.int64]) -> None:
    """Raise SourceError where boxes of posts are not of Danbooru's small pictures."""
    of_post = np.zeros(len(found), bool)
    of_post[posts] = True
    boxes = found.boxes[np.repeat(of_post, found.counts)]
    if not len(boxes):
        return
    reach = boxes[:, 2:].max(axis=1)
    beyond = reach > _BEYOND * SMALL
    if beyond.sum() > _FEW * len(boxes):
        raise SourceError(
            f"{faces}: {int(beyond.sum()):,} of {len(boxes):,} boxes reach beyond {SMALL} pixels, "
            f"as far as {reach.max():.0f}, so they are not of Danbooru's small pictures, and it "
            f"does not say how large theirs are; {_REMEDY}"
        )
