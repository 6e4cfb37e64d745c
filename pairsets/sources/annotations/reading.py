"""From a file of any layout to `Annotations`: told by its content, whatever its name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from pairsets.errors import SourceError
from pairsets.sources.annotations import coco, faces_tsv, keyed, records
from pairsets.sources.annotations.annotations import Annotations
from pairsets.sources.annotations.fields import FACES
from pairsets.sources.annotations.json_stream import JsonStream
from pairsets.sources.annotations.opening import Progress, blocks, errors_of, lines, texts
from pairsets.sources.annotations.table import Table

EXPECTED = (
    'JSON of boxes by picture ({"1123": [{"bbox": [left, top, right, bottom]}]}), JSON lines of '
    "such records, COCO's JSON, or Danbooru2018's faces.tsv"
)
_JSON: dict[str, Callable[[JsonStream], Table]] = {
    "records": records.read,
    "coco": coco.read,
    "pictures": keyed.read_pictures,
    "characters": keyed.read_characters,
}


def read_annotations(
    path: Path, *, tag_ids: Path | None = None, progress: Progress | None = None
) -> Annotations:
    """Read the faces that somebody found in pictures.

    The file is plain, gzip, xz or zstd, and of any layout of this package's modules. It is read as
    a stream: what is held are numbers, and one entry at a time. A picture that comes again adds
    its faces; a box that it has already counts once. Boxes that cannot be any, and classes that
    are no faces, are left out and counted. All boxes of a file are shares of the picture's sides
    if most lie within -1 and 2 and not all are whole numbers; else they are pixels.

    Args:
        path: of the file.
        tag_ids: names of the tags of a `faces.tsv`.
        progress: called with the bytes that were read, and the size of the file.

    Raises:
        SourceError: no such file, or none of these layouts; the message names the line and the
            entry, what was expected and what came.
    """
    path = Path(path)
    names = None
    if tag_ids is not None:
        with errors_of(tag_ids):
            names = faces_tsv.read_tag_ids(lines(texts(blocks(tag_ids))))
    with errors_of(path):
        source = texts(blocks(path, progress))
        head = next((text for text in source if text.strip()), "")
        begin = head.lstrip()[:1]
        if not begin:
            raise SourceError(f"empty; expected {EXPECTED}")
        whole = chain([head], source)
        if begin in "{[":
            if names is not None:
                raise SourceError(f"JSON; the names in {tag_ids} are those of tags in faces.tsv")
            return _JSON[_layout(head)](JsonStream(whole)).made()
        if faces_tsv.looks_like(head):
            return faces_tsv.read(lines(whole), names).made()
        raise SourceError(f"begins with {head.strip()[:40]!r}; expected {EXPECTED}")


def _layout(head: str) -> str:
    """Which of `_JSON` a file is, by its first block."""
    stream = JsonStream(iter([head]))
    if stream.peek() == "[":
        return "records"
    entries: dict[str, Any] = {}
    whole = False
    # It may end anywhere; what is wrong with it will be told by who reads it.
    with suppress(SourceError):
        for key in stream.members():
            if stream.peek() == "[":
                entries[key] = []
                for element in stream.elements():
                    entries[key].append(element)
            else:
                entries[key] = stream.value()
        whole = True
    if whole and records.is_record(entries):
        return "records"
    if any(isinstance(entries.get(key), list) for key in coco.KEYS):
        return "coco"
    wrapper = next((key for key in entries if key in FACES), None)
    if wrapper is not None:
        raise SourceError(
            f"an object with {wrapper!r}, which is no picture; expected {EXPECTED}: perhaps what "
            f"stands under {wrapper!r} alone"
        )
    return "characters" if keyed.are_characters(entries) else "pictures"
