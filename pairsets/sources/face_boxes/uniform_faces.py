"""Faces of many pictures at once, where all of them are written in one plain way.

A detector writes millions of faces alike. They are read together, by msgspec; as soon as one is
written otherwise, or is worth a word, nothing is taken, and each is read by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Protocol

import msgspec
import numpy as np

from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.face_boxes import why_no_id
from pairsets.sources.face_boxes.json_fields import picture_id
from pairsets.sources.face_boxes.labels import names_a_face

Box = tuple[float, float, float, float]
_DIGITS = 18


class _Face(Protocol):
    @property
    def box(self) -> Box: ...
    @property
    def score(self) -> float: ...
    @property
    def kind(self) -> str: ...


class _Boxed(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    box: Box = msgspec.field(name="bbox")
    score: float
    kind = "face"


class _Detected(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    box: Box = msgspec.field(name="coordinates")
    kind: str = msgspec.field(name="class")
    score: float


# Decoders, and how many quotation marks a face has: more of them, and something is there twice, or
# escaped.
_LAYOUTS: list[tuple[Callable[[str], Mapping[str, Sequence[_Face]]], int]] = [
    (msgspec.json.Decoder(dict[str, list[_Boxed]]).decode, 4),
    (msgspec.json.Decoder(dict[str, list[_Detected]]).decode, 8),
]


def take_members(table: Table, members: str) -> bool:
    """Take the faces of many pictures, which are members of one object; false if none was taken."""
    for decode, marks in _LAYOUTS:
        try:
            found = decode(f"{{{members}}}")
        except msgspec.MsgspecError:
            continue
        lists = list(found.values())
        counts = list(map(len, lists))
        if members.count('"') != 2 * len(found) + marks * sum(counts):
            return False
        ids = _ids(list(found))
        faces = list(chain.from_iterable(lists))
        if ids is None or not all(map(names_a_face, {face.kind for face in faces})):
            return False
        numbers = np.empty((len(faces), 5))
        sides = chain.from_iterable([face.box for face in faces])
        numbers[:, :4] = np.fromiter(sides, np.float64, 4 * len(faces)).reshape(-1, 4)
        numbers[:, 4] = [face.score for face in faces]
        return table.add_many(ids, counts, numbers)
    return False


def _ids(keys: list[str]) -> list[PictureId] | None:
    """The ids of pictures by their paths; None where one cannot be used."""
    digits = "".join(keys)
    if all(keys) and digits.isascii() and digits.isdigit() and max(map(len, keys)) <= _DIGITS:
        numbers: list[PictureId] = list(map(int, keys))
        if sum(map(len, map(str, numbers))) == len(digits):  # none has leading zeros
            return numbers
    ids = [picture_id(key) for key in keys]
    return None if any(map(why_no_id, ids)) else ids
