"""Records that name their picture, in an array or one after the other (JSON lines).

    {"id": 1123, "size": [512, 384], "faces": [{"bbox": [213, 15, 327, 151], "score": 0.93}]}
    {"file_name": "asuka/12.jpg", "bbox": [213, 15, 327, 151]}

A record is of a picture with all its faces, or of one face. A face's `character` or `identity` says
whose it is, a picture's that of its one face. One with `image_id` and `category_id`
is a result in COCO's form, whose box is left, top, width, height. This is what `lookalikes detect`
writes, too; a picture that it could not read has an `error`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import (
    FACES,
    PICTURE,
    Found,
    faces_of,
    key_of,
    name_of,
    number,
    numbers,
    size_of,
    spanned,
)
from pairsets.sources.text.json_stream import JsonStream

UNREAD = "picture that could not be read when faces were detected"


def is_record(value: object) -> bool:
    """Whether a value of JSON is a record: an object that names its picture."""
    return isinstance(value, dict) and any(
        isinstance(value.get(name), int | float | str) for name in PICTURE
    )


def record_of(
    key: PictureId, size: tuple[int, int], boxes: NDArray[np.float64], scores: NDArray[np.float64]
) -> dict[str, Any]:
    """The record of a picture: boxes to a tenth of a pixel, and scores to four places.

    Args:
        key: the number of the post, or the path.
        size: width and height of the picture.
        boxes: `[K, 4]`: left, top, right, bottom; those without area once rounded are left out.
        scores: `[K]`.
    """
    rounded = np.round(boxes, 1)
    faces = [
        {"bbox": [_short(side) for side in box], "score": round(score, 4)}
        for box, score in zip(rounded.tolist(), scores.tolist(), strict=True)
        if box[0] < box[2] and box[1] < box[3]
    ]
    return {"id": key, "size": list(size), "faces": faces}


def _short(side: float) -> float | int:
    """Number written shortly: a whole one as such, and no zero below 0."""
    return int(side) if side.is_integer() else side


def read(stream: JsonStream) -> Table:
    """Read faces from records of pictures.

    Raises:
        SourceError: not of this form; says in which line, and which record it is.
    """
    table = Table()
    for count, record in enumerate(_values(stream), 1):
        try:
            _take(table, record)
        except SourceError as error:
            raise SourceError(f"line {stream.line}, record {count}: {error}") from None
    return table


def _values(stream: JsonStream) -> Iterator[Any]:
    if stream.peek() == "[":
        yield from stream.elements()
        stream.end()
        return
    while stream.peek():
        yield stream.value()


def _take(table: Table, record: object) -> None:
    key = key_of(record) if isinstance(record, dict) else None
    if not isinstance(record, dict) or key is None:
        raise SourceError(
            f"{record!r:.80}; expected an object that names its picture as {', '.join(PICTURE)}"
        )
    if "error" in record:
        table.skipped[UNREAD] += 1
    elif {"image_id", "category_id", "bbox"} <= record.keys():
        score = number(record.get("score", "nan"))
        table.add(table.picture(key), [Found(spanned(*numbers(record["bbox"], "bbox")), score)])
    else:
        faces = list(faces_of(record))
        row = table.picture(key, size_of(record))
        table.add(row, faces)
        name = name_of(record)
        if name is not None and any(holder in record for holder in FACES):
            table.named = True
            table.name(row, name)
