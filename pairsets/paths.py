"""Paths of pictures as files of text hold them: their names, and which are safe."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import FacesError
from pairsets.path_prefixes import is_text as is_text
from pairsets.path_prefixes import why_unsafe as why_unsafe

# Browsers save JPEG files as .jfif, too.
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi"}
    | {".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
)


def strings(values: Iterable[str]) -> NDArray[np.object_]:
    """A read-only array of str objects, of any length each."""
    if isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1:
        array = values.copy()
        array.setflags(write=False)
        return array
    listed = list(values)
    array = np.empty(len(listed), object)
    array[:] = listed
    array.setflags(write=False)
    return array


def is_image(path: str) -> bool:
    """Whether a path ends as an image does.

    >>> is_image("A b/1.JPG"), is_image("A/1")
    (True, False)
    """
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES


def base_name(path: str) -> str:
    """The name of an image file, without its folders: what ignore lists hold.

    >>> base_name("asuka_(eva)/12.jpg")
    '12.jpg'
    """
    return path.rpartition("/")[2]


def read_ignore_list(path: str | Path) -> frozenset[str]:
    """Base names to leave out: one a line, no header, as ZACI-20's `ignore_images.csv`.

    Raises:
        FacesError: the file is missing, not UTF-8, or a line is not one base name.
    """
    path = Path(path)
    names = set()
    for number, line in enumerate(read_lines(path, "ignore list"), 1):
        try:
            cells = next(csv.reader([line]), [])
        except csv.Error as error:
            raise FacesError(f"{path}, line {number}: not a base name ({error})") from None
        if not cells or not "".join(cells).strip():
            continue
        if len(cells) != 1 or "/" in cells[0]:
            raise FacesError(
                f"{path}, line {number}: expected one base name such as 3196587.jpg, got {line!r}"
                + (f"; did you mean {base_name(cells[0])}?" if len(cells) == 1 else "")
            )
        names.add(cells[0])
    return frozenset(names)


def read_lines(path: Path, what: str) -> list[str]:
    """Lines of a UTF-8 text file, with or without a byte-order mark, LF or CRLF."""
    try:
        # Not `splitlines`, which also splits at characters that a name may have.
        return path.read_text("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise FacesError(f"{path}: no such {what}") from None
    except IsADirectoryError:
        raise FacesError(f"{path}: a folder; expected the {what}") from None
    except UnicodeDecodeError as error:
        raise FacesError(
            f"{path}: not UTF-8 text at byte {error.start}; is it the {what}?"
        ) from None
