"""COCO's JSON: lists of images, annotations and categories, in any order.

    {"images": [{"id": 1, "file_name": "0123/1123.jpg", "width": 512, "height": 384}, ...],
     "annotations": [{"image_id": 1, "category_id": 7, "bbox": [213, 15, 114, 136]}, ...],
     "categories": [{"id": 7, "name": "asuka_(eva)"}, ...]}

Boxes are left, top, width, height. A category called face or head names nobody, one such as body,
frame or text is no face; any other is a character, whose the box is: a picture may show several.
Without `images`, the number of an image is that of its post.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from pairsets.errors import SourceError
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import (
    Found,
    as_id,
    key_of,
    labelled,
    number,
    numbers,
    size_of,
    spanned,
)
from pairsets.sources.face_boxes.labels import told_by
from pairsets.sources.text.json_stream import JsonStream

KEYS = frozenset({"images", "annotations", "categories"})
STRANGER = "box of an image that is not among `images`"
CROWD = "box of a crowd"
UNNAMED = "category of a box that is not among `categories`"


def read(stream: JsonStream) -> Table:
    """Read faces from COCO's JSON.

    Raises:
        SourceError: not of this form; says in which line, and which entry of which list.
    """
    found = _Coco()
    takes: dict[str, Callable[[dict[str, Any]], None]] = {
        "images": found.image,
        "annotations": found.annotation,
        "categories": found.category,
    }
    for key in stream.members():
        if key not in takes:
            stream.value()
            continue
        for count, entry in enumerate(stream.elements(), 1):
            try:
                if not isinstance(entry, dict):
                    raise SourceError(f"{entry!r:.60}; expected an object")
                takes[key](entry)
            except SourceError as error:
                raise SourceError(f"line {stream.line}, {key} {count}: {error}") from None
    stream.end()
    return found.table()


class _Coco:
    """The three lists; boxes in columns, for they may come before the images they are of."""

    def __init__(self) -> None:
        self._images: dict[PictureId, tuple[PictureId, tuple[int, int]]] = {}
        self._categories: dict[PictureId, str] = {}
        self._image_ids: list[PictureId] = []
        self._category_ids: list[PictureId | None] = []
        self._numbers = array("d")
        self.crowds = 0

    def image(self, entry: dict[str, Any]) -> None:
        picture = key_of(entry, ("file_name", "path", "post_id", "id"))
        if entry.get("id") is None or picture is None:
            raise SourceError(f"{entry!r:.80}; expected an image with id and file_name")
        known = self._images.setdefault(as_id(entry["id"]), (picture, size_of(entry)))
        if known[0] != picture:
            raise _twice("image", entry["id"], known[0], picture)

    def category(self, entry: dict[str, Any]) -> None:
        if entry.get("id") is None or not isinstance(entry.get("name"), str):
            raise SourceError(f"{entry!r:.80}; expected a category with id and name")
        known = self._categories.setdefault(as_id(entry["id"]), entry["name"])
        if known != entry["name"]:
            raise _twice("category", entry["id"], known, entry["name"])

    def annotation(self, entry: dict[str, Any]) -> None:
        if entry.get("image_id") is None or entry.get("bbox") is None:
            raise SourceError(f"{entry!r:.80}; expected an annotation with image_id and bbox")
        if entry.get("iscrowd") in (1, "1", True):
            self.crowds += 1
            return
        box, score = numbers(entry["bbox"], "bbox"), number(entry.get("score", "nan"))
        self._image_ids.append(as_id(entry["image_id"]))
        category = entry.get("category_id")
        self._category_ids.append(None if category is None else as_id(category))
        self._numbers.extend((*box, score))

    def table(self) -> Table:
        """Table of the faces that the three lists together tell."""
        table = Table()
        table.skipped[CROWD] += self.crowds
        table.named = table.apart = any(told_by(name)[1] for name in self._categories.values())
        self._refuse_two_of_one_name()
        for picture, size in self._images.values():
            table.picture(picture, size)
        for at, (image, category) in enumerate(
            zip(self._image_ids, self._category_ids, strict=True)
        ):
            if self._images and image not in self._images:
                table.skipped[STRANGER] += 1
                continue
            row = table.picture(self._images[image][0] if self._images else image)
            *box, score = self._numbers[5 * at : 5 * at + 5]
            label = self._categories.get(category) if category is not None else None
            where = spanned(*box)
            table.add(
                row, [Found(where, score) if label is None else labelled(where, label, score)]
            )
            if category is not None and label is None and self._categories:
                table.skipped[UNNAMED] += 1
        return table

    def _refuse_two_of_one_name(self) -> None:
        known: dict[str, PictureId] = {}
        for category in {one for one in self._category_ids if one is not None}:
            _, name = told_by(self._categories.get(category, ""))
            other = category if name is None else known.setdefault(name, category)
            if other != category:
                one, two = sorted((other, category), key=str)
                raise SourceError(
                    f"categories {one!r} and {two!r} are both called {name!r:.60}: one person, or "
                    "two? Give them one id, or names that differ"
                )


def _twice(what: str, number: object, one: PictureId, other: PictureId) -> SourceError:
    """Error of a number that stands for two, as in files that were put together."""
    return SourceError(f"{what} {number!r:.40} is {one!r:.60} already, now {other!r:.60}")
