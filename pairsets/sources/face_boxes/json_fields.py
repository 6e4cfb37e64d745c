"""Fields of a face, its box and its picture in JSON: their names and the forms they may have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pairsets.errors import SourceError
from pairsets.paths import base_name
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.labels import names_a_face, names_nobody, told_by

# The name of a picture says more than a number that may be any.
PICTURE = ("post_id", "file_name", "path", "image", "image_id", "id")
BOX = ("bbox", "coordinates", "box")
FACES = ("faces", "detections", "annotations", "objects", "boxes")
_SCORE = ("score", "confidence")
# Whose face a box is of.
_WHO = ("character", "identity")
_SIDES = (("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"),
          ("xmin", "ymin", "xmax", "ymax"))  # fmt: skip
_SPANS = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_SIZES = (("image_width", "image_height"), ("width", "height"))

Box = tuple[float, float, float, float]


class Found(NamedTuple):
    """One face: its box as left, top, right, bottom, how sure, and of which class if not a face.

    `name` is whose it is, where the box itself says so.
    """

    box: Box
    score: float = math.nan
    other: str | None = None
    name: str | None = None


def picture_id(name: str) -> PictureId:
    """The id of a picture by its path: the number of a post where it is stored as one.

    That is `ID.jpg` of any suffix, or `ID` alone: in no folder, or in the one that Danbooru's
    dumps keep it in, named by the last three digits.

    >>> picture_id("512px/0123/1123.jpg"), picture_id("asuka/12.jpg")
    (1123, 'asuka/12.jpg')
    """
    if name.isdigit() and (number := _post(name)) is not None:
        return number
    if "\\" in name and "/" not in name:  # made on Windows
        name = name.replace("\\", "/")
    name = name.removeprefix("./")
    base = base_name(name)
    number = _post(base.partition(".")[0])
    if number is not None:
        folder = base_name(name.rpartition("/")[0])
        if "/" not in name or folder == f"{number % 1000:04d}":
            return number
    return name


def _post(digits: str) -> int | None:
    """Number of a post, without leading zeros, which a file's name would not have."""
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        return int(digits) if digits == "0" or digits[0] != "0" else None
    return None


def key_of(record: Mapping[str, Any], names: tuple[str, ...] = PICTURE) -> PictureId | None:
    """The picture that a record is of; None where it has none of `names`.

    Raises:
        SourceError: something else than a number or a path.
    """
    for name in names:
        value = record.get(name)
        if value is not None and not isinstance(value, dict | list):
            return as_id(value)
    return None


def as_id(value: object) -> PictureId:
    """Id of a picture, from its number or path.

    Raises:
        SourceError: neither.
    """
    if type(value) is int:
        return value
    if isinstance(value, str):
        return picture_id(value)
    if isinstance(value, float) and value.is_integer() and 0 <= value < 2**53:
        return int(value)
    raise SourceError(f"picture {value!r:.60}; expected the number of a post, or a path")


def faces_of(value: object) -> Iterator[Found]:
    """The faces of a picture: a list of them, one, or an object that holds the list.

    Raises:
        SourceError: anything else; says which face.
    """
    if isinstance(value, dict):
        name = _first(FACES, value)
        if name is not None:
            value = value[name]
    if value is None:
        return
    single = isinstance(value, dict) or (isinstance(value, list) and _is_box(value))
    listed = [value] if single else value
    if not isinstance(listed, list):
        raise SourceError(f"{value!r:.60}; expected a list of faces")
    for number, face in enumerate(listed, 1):
        try:
            yield _face(face)
        except SourceError as error:
            raise SourceError(f"face {number}: {error}") from None


def size_of(record: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the picture, as its record says; 0 where it does not."""
    sides = record.get("size")
    if not (isinstance(sides, list) and len(sides) == 2):
        # Beside a corner, width and height are those of a box.
        names = _SIZES[:1] if "x" in record or "left" in record else _SIZES
        sides = next(([record[a], record[b]] for a, b in names if {a, b} <= record.keys()), None)
    try:
        width, height = map(number, sides or (0, 0))
    except SourceError:
        return 0, 0
    sound = 0 < width < 2**31 and 0 < height < 2**31
    whole = sound and width.is_integer() and height.is_integer()
    return (int(width), int(height)) if whole else (0, 0)


def number(value: object) -> float:
    """Number of a JSON value, which may be written as text.

    Raises:
        SourceError: neither.
    """
    if type(value) is float:  # first, for there are millions
        return value
    if type(value) is int or type(value) is str:
        try:
            return float(value)
        except OverflowError:
            return math.inf
        except ValueError:
            pass
    raise SourceError(f"{value!r:.40}; expected a number")


def score_of(value: object) -> float:
    """Confidence of a face; nan where none is given, or it is not finite.

    Raises:
        SourceError: no number.
    """
    score = math.nan if value is None else number(value)
    return score if math.isfinite(score) else math.nan


def numbers(values: object, what: str = "box") -> Box:
    """Four numbers of a box.

    Raises:
        SourceError: not four, or no numbers.
    """
    if not isinstance(values, list) or len(values) != 4:
        raise SourceError(f"{what} {values!r:.60}; expected four numbers")
    try:
        left, top, right, bottom = map(number, values)
    except SourceError as error:
        raise SourceError(f"{what} {values!r:.60}: {error}") from None
    return left, top, right, bottom


def spanned(left: float, top: float, width: float, height: float) -> Box:
    """Box of sides, from its corner, width and height."""
    return left, top, left + width, top + height


def labelled(box: Box, label: str, score: float = math.nan) -> Found:
    """Face of a labelled box: any face, a thing that is none, or one of a name.

    >>> labelled((0, 0, 9, 9), "Body").other, labelled((0, 0, 9, 9), "rei").name
    ('Body', 'rei')
    >>> labelled((0, 0, 9, 9), "Unknown").name is None
    True
    """
    other, name = told_by(label)
    return Found(box, score, other, name)


def name_of(record: Mapping[str, Any]) -> str | None:
    """Whose face a record says it is; None where it does not, or nobody knows."""
    for field in _WHO:
        name = record.get(field)
        if isinstance(name, str) and not names_nobody(name):
            return name
    return None


def _first(names: tuple[str, ...], record: Mapping[str, Any]) -> str | None:
    """The first of `names` that a record has."""
    for name in names:
        if name in record:
            return name
    return None


def _is_box(values: list[Any]) -> bool:
    """Whether a list is a box, with or without a score, rather than a list of faces."""
    return len(values) in (4, 5) and not any(isinstance(item, dict | list) for item in values)


def _face(face: object) -> Found:
    if isinstance(face, list):
        if len(face) == 5:
            return Found(numbers(face[:4]), score_of(face[4]))
        return Found(numbers(face))
    if not isinstance(face, dict):
        raise SourceError(f"{face!r:.60}; expected an object with a bbox, or four numbers")
    name = _first(BOX, face)
    value = face if name is None else face[name]
    box = _by_name(value) if isinstance(value, dict) else numbers(value, name or "box")
    kind = face.get("class")
    other = kind if isinstance(kind, str) and not names_a_face(kind) else None
    key = _first(_SCORE, face)
    score = math.nan if key is None else score_of(face[key])
    label, name = face.get("label"), name_of(face)
    if other is None and name is None and isinstance(label, str) and not label.isdigit():
        return labelled(box, label, score)
    return Found(box, score, other, name)


def _by_name(box: dict[str, Any]) -> Box:
    """Box from an object whose sides have names."""
    for names in (*_SIDES, *_SPANS):
        if all(name in box for name in names):
            sides = numbers([box[name] for name in names])
            return sides if names in _SIDES else spanned(*sides)
    raise SourceError(f"{box!r:.80}; expected a bbox of left, top, right, bottom")
