"""The table of faces that were found in pictures, and boxes brought to whole pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.paths import is_text, why_unsafe


@dataclass(frozen=True, eq=False)
class FaceBoxes:
    """Boxes of faces by picture; a picture may have none.

    Attributes:
        ids: `[P]` objects, none twice, in the order of the file: int, the number of a post, or
            str, a path relative to the folder of the pictures.
        starts: `[P + 1]` int64: the faces of picture `p` are `starts[p]` to `starts[p + 1]`.
        boxes: `[F, 4]` float64: left, top, right, bottom in pixels of the picture, or see
            `relative`. They have an area, but may reach beyond the picture (`fit_boxes`).
        scores: `[F]` float64: how sure the detector was, nan where nobody said.
        relative: whether boxes are shares of the picture's sides, 0 to 1, and no pixels.
        characters: `[P]` objects: the one name that the annotation itself gives a picture, None
            where it gives none or several; None altogether where the layout names nobody.
        names: `[F]` objects: the name that each box has of its own, None where it has none or is
            listed under several; None altogether where a layout names pictures, or nobody.
        sizes: `[P, 2]` int32: width and height of the picture, 0 where the annotation says none;
            if it says none at all, it may be left out.
        skipped: how many entries were left out, by reason.

    Raises:
        SourceError: lengths that do not fit, a picture twice, a path that leaves its folder, a box
            without area, a score that is infinite.
    """

    ids: NDArray[np.object_]
    starts: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    relative: bool = False
    characters: NDArray[np.object_] | None = None
    names: NDArray[np.object_] | None = None
    sizes: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pictures, faces = len(self.ids), len(self.boxes)
        arrays: dict[str, NDArray[Any]] = {
            "ids": objects(self.ids),
            "starts": np.array(self.starts, np.int64),
            "boxes": np.array(self.boxes, np.float64),
            "scores": np.array(self.scores, np.float64),
            "sizes": np.array(self.sizes, np.int32)
            if len(self.sizes)
            else np.zeros((pictures, 2), np.int32),
        }
        expected: dict[str, tuple[int, ...]] = {
            "starts": (pictures + 1,),
            "boxes": (faces, 4),
            "scores": (faces,),
            "sizes": (pictures, 2),
        }
        if self.characters is not None:
            arrays["characters"] = objects(self.characters)
            expected["characters"] = (pictures,)
        if self.names is not None:
            arrays["names"] = objects(self.names)
            expected["names"] = (faces,)
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise SourceError(
                    f"{name} of shape {arrays[name].shape} for {pictures} pictures with {faces} "
                    f"faces; expected {shape}"
                )
        starts, boxes = arrays["starts"], arrays["boxes"]
        if starts[0] != 0 or starts[-1] != faces or (np.diff(starts) < 0).any():
            raise SourceError(f"starts do not rise from 0 to {faces}, the number of faces")
        if numbers_of(arrays["ids"]) is None:
            for picture in arrays["ids"]:
                wrong = why_no_id(picture)
                if wrong:
                    raise SourceError(f"picture {picture!r:.80} {wrong}")
        for name in chain(arrays.get("characters", ()), arrays.get("names", ())):
            if name is not None and (type(name) is not str or not is_text(name)):
                raise SourceError(f"character {name!r:.80}; expected a name, or None")
        if len(set(arrays["ids"])) != pictures:
            raise SourceError("a picture is listed twice")
        sound = np.isfinite(boxes).all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
        if not sound.all():
            row = int(np.flatnonzero(~sound)[0])
            picture = arrays["ids"][int(np.searchsorted(starts, row, "right")) - 1]
            raise SourceError(
                f"picture {picture!r}: box {boxes[row].tolist()}; expected left, top, right, "
                "bottom of an area"
            )
        if np.isinf(arrays["scores"]).any():
            raise SourceError("a score is infinite; expected a number, or nan for none")
        if (arrays["sizes"] < 0).any():
            raise SourceError("a picture's size is below 0; expected width and height, or 0")
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        """Number of pictures, those without a face included."""
        return len(self.ids)

    @property
    def counts(self) -> NDArray[np.int64]:
        """`[P]`: faces of each picture."""
        return np.diff(self.starts)


def fit_boxes(boxes: ArrayLike, sizes: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Boxes in whole pixels within their pictures, and which of them have an area there.

    Sides are rounded to the nearest number, halves to the even one, as Pillow's `crop` does with
    a box of fractions: the same pixels are cut out. Whole numbers within the picture stay as
    they are.

    Args:
        boxes: `[F, 4]`: left, top, right, bottom in pixels; nan and infinite ones are not usable.
        sizes: `[F, 2]` or `[2]`: width and height of each box's picture, in pixels. In a picture
            of size 0, which is to say an unknown one, no box is usable.

    Returns:
        `[F, 4]` int32, and `[F]` bool: usable. A box that is not usable is all 0.

    >>> fit_boxes([(213, 15, 327, 151), (-3.2, 5.5, 700, 80.4), (600, 0, 700, 9)], (512, 512))[0]
    array([[213,  15, 327, 151],
           [  0,   6, 512,  80],
           [  0,   0,   0,   0]], dtype=int32)
    """
    wanted = np.asarray(boxes, np.float64).reshape(-1, 4)
    limits = np.broadcast_to(np.asarray(sizes, np.float64), (len(wanted), 2))
    finite = np.asarray(np.isfinite(wanted).all(axis=1))
    whole = np.rint(np.where(finite[:, None], wanted, 0))
    fitted = np.clip(whole, 0, np.concatenate([limits, limits], axis=1)).astype(np.int32)
    usable = np.asarray((fitted[:, :2] < fitted[:, 2:]).all(axis=1))
    fitted[~usable] = 0
    return fitted, usable


def objects(values: Iterable[object]) -> NDArray[np.object_]:
    """A read-only array of objects of any kind."""
    listed = list(values)
    array = np.empty(len(listed), object)
    array[:] = listed
    array.setflags(write=False)
    return array


def numbers_of(ids: NDArray[np.object_]) -> NDArray[np.int64] | None:
    """The ids as numbers where each is that of a post, which is soon told; else None.

    >>> numbers_of(objects([7, 5])), numbers_of(objects([7, "a.png"])), numbers_of(objects([-1]))
    (array([7, 5]), None, None)
    """
    if {*map(type, ids)} - {int}:
        return None
    try:
        numbers = ids.astype(np.int64)
    except OverflowError:
        return None
    return None if (numbers < 0).any() else numbers


def why_no_id(picture: object) -> str | None:
    """Reason why something cannot be the id of a picture, or None.

    >>> why_no_id("../secret.png")
    'leaves its folder (..)'
    """
    if type(picture) is int:
        return None if 0 <= picture < 2**63 else "is no number of a post"
    if type(picture) is not str:
        return f"is of type {type(picture).__name__}; expected int or str"
    return why_unsafe(picture) or (None if is_text(picture) else "is not Unicode text")
