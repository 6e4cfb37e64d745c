"""Faces as they are read, in columns; and the table that comes of them."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.paths import is_text
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.face_boxes import FaceBoxes, objects, why_no_id
from pairsets.sources.face_boxes.json_fields import Found

# Share of boxes with right before left from which they are taken for another kind.
_CONFUSED = 0.1
# How far, in sides of the picture, a box that is a share of them may reach beyond it.
_BEYOND = 1.0
_CLASSES = 20
_NOBODY, _SEVERAL = -1, -2
NO_NUMBERS = "box that is no finite numbers"
NO_AREA = "box without area"
CONFUSED = "box whose right is before its left, or bottom above top"
AGAIN = "box of a picture that is listed again"
FAR = "box far outside its picture"
NO_PATH = "picture whose path cannot be used"
NO_NAME = "character's name that is empty or no text"


class Table:
    """Pictures and their faces, taken in any order and brought together by picture.

    A picture that comes again adds its faces; a box that it has already counts once.
    """

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self.named = False  # whether the layout says whose faces they are
        self.apart = False  # whether it says it of each box, rather than of a picture
        self.relative: bool | None = None  # whether boxes are shares, where the layout says it
        self._rows: dict[PictureId, int] = {}
        self._unusable: dict[PictureId, str] = {}  # and why
        self._sizes = array("i")
        self._owners = array("i")
        self._names: dict[str, int] = {}
        self._pictures = array("q")
        self._codes = array("i")  # of the name of each face
        self._numbers = array("d")  # five a face: the box and the score
        self._confused = self._boxes = 0

    def picture(self, key: PictureId, size: tuple[int, int] = (0, 0)) -> int | None:
        """The row of a picture, a new one for a new picture; None if its path cannot be used."""
        row = self._rows.get(key)
        if row is None:
            if why := why_no_id(key):
                # Once, though each of its boxes may name it.
                self.skipped[NO_PATH] += key not in self._unusable
                self._unusable.setdefault(key, why)
                return None
            row = self._rows[key] = len(self._rows)
            self._sizes.extend(size)
            self._owners.append(_NOBODY)
        elif size[0] and not self._sizes[2 * row]:
            self._sizes[2 * row], self._sizes[2 * row + 1] = size
        return row

    def add(self, row: int | None, faces: Iterable[Found]) -> None:
        """Add the faces of a picture."""
        for (left, top, right, bottom), score, other, name in faces:
            if other is not None:
                self._skip_class(other)
                continue
            self._boxes += 1
            if not math.isfinite(left + top + right + bottom):
                self.skipped[NO_NUMBERS] += 1
            elif right < left or bottom < top:
                self._confused += 1
                self.skipped[CONFUSED] += 1
            elif right == left or bottom == top:
                self.skipped[NO_AREA] += 1
            elif row is not None:
                self._pictures.append(row)
                self._codes.append(_NOBODY if name is None else self._code(name))
                if name is not None:
                    self.named = self.apart = True
                    self.name(row, name)
                self._numbers.extend((left, top, right, bottom, score))

    def add_many(
        self, keys: Sequence[PictureId], counts: Sequence[int], faces: NDArray[np.float64]
    ) -> bool:
        """Add pictures with their faces, if none was there before and all boxes can be used.

        Args:
            keys: of the pictures, of paths that can be used.
            counts: how many faces each has.
            faces: `[F, 5]`, left, top, right, bottom and score.

        Returns:
            Whether they were added; else nothing was.
        """
        first = len(self._rows)
        if not np.isfinite(faces).all() or not (faces[:, :2] < faces[:, 2:4]).all():
            return False
        if len({*keys}) < len(keys) or not self._rows.keys().isdisjoint(keys):
            return False
        rows = np.arange(first, first + len(keys))
        self._rows.update(zip(keys, rows.tolist(), strict=True))
        self._sizes.extend([0] * (2 * len(keys)))
        self._owners.extend([_NOBODY] * len(keys))
        self._boxes += len(faces)
        self._pictures.extend(np.repeat(rows, counts).tolist())
        self._codes.extend([_NOBODY] * len(faces))
        self._numbers.frombytes(faces.tobytes())
        return True

    def name(self, row: int | None, character: str) -> None:
        """Say whose face a picture shows; of two names none counts."""
        if row is None:
            return
        code = self._code(character)
        if code == _NOBODY:
            self.skipped[NO_NAME] += 1
            return
        before = self._owners[row]
        self._owners[row] = code if before in (_NOBODY, code) else _SEVERAL

    def _code(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names)) if is_text(name) else _NOBODY

    def made(self) -> FaceBoxes:
        """Table of all faces that were taken, as `FaceBoxes`.

        Raises:
            SourceError: no picture, or boxes of another kind.
        """
        if not self._rows:
            left = ", ".join(f"{why}: {count}" for why, count in self.skipped.items() if count)
            first = next(iter(self._unusable.items()), None)
            told = "" if first is None else f"; the first, {first[0]!r}, {first[1]}"
            hint = told and ". Expected paths below the folder of the pictures"
            raise SourceError(
                f"no picture that can be used in it ({left or 'nor any other'}{told}){hint}"
            )
        if self._confused > _CONFUSED * self._boxes:
            raise SourceError(
                f"in {self._confused} of {self._boxes} boxes the third number is below the "
                "first, or the fourth below the second; expected left, top, right, bottom: are "
                "they x, y, width, height? Those are read as COCO's JSON has them"
            )
        faces = np.array(self._numbers, np.float64).reshape(-1, 5)
        pictures = np.array(self._pictures, np.int64)
        codes = np.array(self._codes, np.int32)
        relative = _are_shares(faces[:, :4]) if self.relative is None else self.relative
        kept = np.ones(len(faces), bool)
        if relative:
            kept = _near(faces[:, :4])
            self.skipped[FAR] += int((~kept).sum())
        again, codes = _listed_again(pictures, faces[:, :4], codes)
        again &= kept
        self.skipped[AGAIN] += int(again.sum())
        kept &= ~again
        faces, pictures, codes = faces[kept], pictures[kept], codes[kept]
        order = np.argsort(pictures, kind="stable")
        counts = np.bincount(pictures, minlength=len(self._rows))
        names = dict(enumerate(self._names))
        return FaceBoxes(
            ids=objects(self._rows),
            starts=np.concatenate([[0], np.cumsum(counts)]),
            boxes=faces[order, :4],
            scores=faces[order, 4],
            relative=relative,
            characters=objects(map(names.get, self._owners)) if self.named else None,
            names=objects(map(names.get, codes[order].tolist())) if self.apart else None,
            sizes=np.array(self._sizes, np.int32).reshape(-1, 2),
            skipped={why: count for why, count in sorted(self.skipped.items()) if count},
        )

    def _skip_class(self, name: str) -> None:
        """Count a box of something else; a file may have any number of classes."""
        reason = f"box of the class {name[:40]!r}, no face"
        if reason not in self.skipped and len(self.skipped) >= _CLASSES:
            reason = "box of another class, no face"
        self.skipped[reason] += 1


def _are_shares(boxes: NDArray[np.float64]) -> bool:
    """Whether the boxes of a whole file are shares of the picture's sides, and no pixels.

    They are if most lie within -1 and 2 and not all are whole numbers: in pixels, most faces of a
    file would be two across. Some may lie elsewhere, as a detector's boxes do.
    """
    if not len(boxes) or (boxes == np.rint(boxes)).all():
        return False
    return bool(2 * _near(boxes).sum() > len(boxes))


def _near(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`[F]`: true for a box of shares that is in its picture, or beside it."""
    return np.asarray(((boxes >= -_BEYOND) & (boxes <= 1 + _BEYOND)).all(axis=1))


def _listed_again(
    pictures: NDArray[np.int64], boxes: NDArray[np.float64], codes: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """`[F]`: true for a box that the same picture has further up; and whose each box is.

    A box that is listed again under another name is nobody's.
    """
    order = np.lexsort((*boxes.T, pictures))  # stable: of equal ones the first comes first
    same = (np.diff(pictures[order]) == 0) & (np.diff(boxes[order], axis=0) == 0).all(axis=1)
    again = np.zeros(len(boxes), bool)
    again[order[1:][same]] = True
    if not same.any():
        return again, codes
    firsts = np.flatnonzero(np.concatenate([[True], ~same]))
    sorted_ = codes[order]
    most = np.maximum.reduceat(sorted_, firsts)
    least = np.minimum.reduceat(np.where(sorted_ < 0, np.iinfo(np.int32).max, sorted_), firsts)
    whose = np.where(most < 0, _NOBODY, np.where(most == least, most, _SEVERAL))
    told = codes.copy()
    told[order[firsts]] = whose
    return again, told
