"""The pictures of a folder however deep, in one order, never all at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pairsets.paths import is_image, is_text
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.json_fields import picture_id
from pairsets.sources.folders.picture_paths import NotFoundError, PicturePaths

NO_PICTURE = "not an image by its name"
LINK = "link, not followed"
NO_TEXT = "name that is not UTF-8"
SAME_POST = "another file of the same post"


def pictures_below(root: Path, skipped: Counter[str], prefix: str = "") -> Iterator[str]:
    """Paths of the pictures below `root`, by code point; what is left out is counted in `skipped`.

    They are relative to `root`, with `prefix` before them.
    """
    with os.scandir(root) as found:
        # A folder's place is that of the paths in it, which go on with a slash.
        entries = sorted(found, key=lambda one: one.name + "/" * one.is_dir(follow_symlinks=False))
    for entry in entries:
        path = prefix + entry.name
        if entry.is_symlink():
            skipped[LINK] += 1
        elif entry.is_dir():
            yield from pictures_below(Path(entry.path), skipped, path + "/")
        elif not is_image(entry.name):
            skipped[NO_PICTURE] += 1
        elif not is_text(path):
            skipped[NO_TEXT] += 1
        else:
            yield path


def ids_below(pictures: PicturePaths, skipped: Counter[str]) -> Iterator[tuple[str, PictureId]]:
    """Paths as `pictures_below`, and the id of each.

    Of several files of a post, that one counts which is cropped: the one that `PicturePaths` finds.
    """
    elsewhere: set[PictureId] = set()
    for path in pictures_below(pictures.root, skipped):
        key = picture_id(path)
        if isinstance(key, int):
            try:
                first = pictures.find(key) == pictures.root / path
            except NotFoundError:  # deeper down, such as original/0123/1123.jpg
                first = key not in elsewhere
                elsewhere.add(key)
            if not first:
                skipped[SAME_POST] += 1
                continue
        yield path, key
