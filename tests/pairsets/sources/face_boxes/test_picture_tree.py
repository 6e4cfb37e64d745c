"""The pictures of a tree: their order, their ids, and what is left out."""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest

from pairsets.sources.face_boxes.picture_tree import ids_below, pictures_below
from pairsets.sources.folders.picture_paths import PicturePaths

PATHS = ["a-1.png", "a/b.png", "a.png", "a/b/c.JPG", "a/b-c.png", "Z.png", "é/0.webp", "é0.png"]


def test_the_order_is_that_of_whole_paths(tmp_path):
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "a" / "notes.txt").touch()
    skipped: Counter[str] = Counter()
    assert list(pictures_below(tmp_path, skipped)) == sorted(PATHS)
    assert skipped == {"not an image by its name": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="only there may names be any bytes")
def test_names_that_are_no_text_are_counted(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)  # noqa: PTH102
    for name in (folder + b"/a.png", os.fsencode(tmp_path) + b"/\xfe.png"):
        with open(name, "wb"):  # noqa: PTH123
            pass
    skipped: Counter[str] = Counter()
    assert list(ids_below(PicturePaths(tmp_path), skipped)) == []
    assert skipped == {"name that is not UTF-8": 2}
