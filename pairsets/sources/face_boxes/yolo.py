"""YOLO's labels, a file a picture: `1001.txt` with `class x y width height [confidence]` a line.

The numbers are shares of the picture's sides, x and y of the box's middle. The file does not say
how large the picture is, nor which ending its name has: that needs the pictures. Names of the
classes, one a line, are those of `classes.txt` beside the labels; a class that is called face is
nobody's, one such as body is no face, any other is a character. Without it there may be one class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import Found, labelled, number, picture_id
from pairsets.sources.folders.picture_paths import PicturePaths
from pairsets.sources.text.text_stream import blocks, errors_of, lines, texts

CLASSES = ("classes.txt", "obj.names")
NO_PICTURE = "label of no picture that was found"
_EXPECTED = "class x y width height [confidence], shares of the picture's sides from 0 to 1"
# Rounding, of numbers that are written with some places.
_BEYOND = 1.001


def read(
    root: Path,
    files: Sequence[Path],
    pictures: PicturePaths | None,
    *,
    sized: bool = False,
    progress: Step | None = None,
) -> Table:
    """Read the labels in `files`, which lie below `root`.

    Args:
        root: the folder.
        files: labels, in order.
        pictures: where the pictures lie; without them each label's name is that of a post.
        sized: whether it is known how large the pictures are.
        progress: called with the files that were read, and how many there are.

    Raises:
        SourceError: a line of another form, classes without names, pictures of unknown size.
    """
    if pictures is None and not sized:
        raise SourceError(
            "YOLO's labels, shares of the sides of pictures whose size they do not say; give the "
            "folder of the pictures (--pictures), or one size for all, as that of Danbooru's small "
            "ones (--picture-size 512)"
        )
    table = Table()
    table.relative = True
    names = _names(root)
    codes: set[int] = set()
    for count, file in enumerate(files, 1):
        if progress is not None:
            progress(count, len(files))
        relative = file.relative_to(root).with_suffix("").as_posix()
        with errors_of(file):
            key = _picture(relative, pictures)
            row = None if key is None else table.picture(key)
            for line, text in lines(texts(blocks(file))):
                try:
                    code, face = _face(text)
                except SourceError as error:
                    raise SourceError(f"line {line}: {error}") from None
                codes.add(code)
                if names:
                    if code not in names:
                        raise SourceError(f"line {line}: class {code}, which has no name")
                    face = labelled(face.box, names[code], face.score)
                elif len(codes) > 1:
                    raise SourceError(
                        f"line {line}: class {code} beside {min(codes - {code})}, and nothing says "
                        f"what they are; put their names, one a line, into {root / CLASSES[0]}"
                    )
                if key is None:
                    table.skipped[NO_PICTURE] += 1
                    continue
                table.add(row, [face])
    return table


def _picture(relative: str, pictures: PicturePaths | None) -> PictureId | None:
    """The picture that a label is of; None where there is none in the folder."""
    key = picture_id(relative)
    if isinstance(key, int):
        return key
    if pictures is None:
        raise SourceError(
            "the label of a picture whose name has an ending that nobody knows; give the folder of "
            "the pictures (--pictures)"
        )
    found = pictures.named(relative)
    if len(found) > 1:
        raise SourceError(f"the label of {found[0]!r} or of {found[1]!r}? Both are there")
    return found[0] if found else None


def _face(text: str) -> tuple[int, Found]:
    cells = text.split()
    if len(cells) not in (5, 6) or not cells[0].isdigit():
        more = ""
        if len(cells) > 6:
            more = (
                "; are they outlines or landmarks? Boxes alone: cut -d' ' -f1-5, if the first five "
                "are one"
            )
        raise SourceError(f"{text[:60]!r}; expected {_EXPECTED}{more}")
    x, y, width, height, *sure = map(number, cells[1:])
    if not all(0 <= share <= _BEYOND for share in (x, y, width, height)):
        raise SourceError(f"{text[:60]!r}; expected {_EXPECTED}: are they pixels?")
    if sure and not 0 <= sure[0] <= 1:
        raise SourceError(f"confidence {cells[5]}; expected 0 to 1: is it the number of a track?")
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return int(cells[0]), Found(box, sure[0] if sure else math.nan)


def _names(root: Path) -> dict[int, str]:
    """Names of the classes, by their number, in the folder or beside it."""
    places = (folder / name for folder in (root, root.resolve().parent) for name in CLASSES)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return {}
    with errors_of(file):
        return {at - 1: text.strip() for at, text in lines(texts(blocks(file)))}
