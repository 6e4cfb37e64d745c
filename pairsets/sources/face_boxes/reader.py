"""From a file of any layout to `FaceBoxes`: told by its content, whatever its name."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.face_boxes import coco, faces_tsv, keyed_json, records, wider, xml, yolo
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.cvat import Cvat
from pairsets.sources.face_boxes.face_boxes import FaceBoxes
from pairsets.sources.face_boxes.json_fields import FACES
from pairsets.sources.face_boxes.manga109 import Manga109
from pairsets.sources.face_boxes.voc import Voc
from pairsets.sources.folders.picture_paths import PicturePaths
from pairsets.sources.text.json_stream import JsonStream
from pairsets.sources.text.text_stream import blocks, errors_of, lines, texts

EXPECTED = (
    'JSON of boxes by picture ({"1123": [{"bbox": [left, top, right, bottom]}]}), JSON lines of '
    "such records, COCO's JSON, Danbooru2018's faces.tsv, WIDER FACE's text, XML of Manga109, "
    "Pascal VOC or CVAT, or a folder of YOLO's labels or of XML"
)
_JSON: dict[str, Callable[[JsonStream], Table]] = {
    "records": records.read,
    "coco": coco.read,
    "pictures": keyed_json.read_pictures,
    "characters": keyed_json.read_characters,
}


def read_annotations(
    path: Path,
    *,
    tag_ids: Path | None = None,
    pictures: PicturePaths | None = None,
    sized: bool = False,
    progress: Step | None = None,
) -> FaceBoxes:
    """Read the faces that somebody found in pictures.

    The file is plain, gzip, xz or zstd, and of any layout of this package's modules; so are those
    of a folder, which holds XML or YOLO's labels. A file is read as
    a stream: what is held are numbers, and one entry at a time. A picture that comes again adds
    its faces; a box that it has already counts once. Boxes that cannot be any, and classes that
    are no faces, are left out and counted. All boxes of a file are shares of the picture's sides
    if most lie within -1 and 2 and not all are whole numbers; else they are pixels. Where a layout
    says which they are, it is as it says.

    Args:
        path: of the file, or of the folder.
        tag_ids: names of the tags of a `faces.tsv`.
        pictures: where the pictures lie, for labels that say no more than their name.
        sized: whether the size of pictures is known from elsewhere, where the boxes do not say it.
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
    if path.is_dir():
        with errors_of(path):
            if names is not None:
                raise SourceError(f"a folder; the names in {tag_ids} are those of faces.tsv")
            return _folder(path, pictures, sized, progress).made()
    with errors_of(path):
        raw = blocks(path, progress)
        first = next(raw, b"")
        if first.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
            table = Table()
            xml.read(chain([first], raw), _xml(table))
            return table.made()
        source = texts(chain([first] if first else [], raw))
        head = next((text for text in source if text.strip()), "")
        begin = head.lstrip()[:1]
        if not begin:
            raise SourceError(f"empty; expected {EXPECTED}")
        whole = chain([head], source)
        if begin in "{[":
            if names is not None:
                raise SourceError(f"JSON; the names in {tag_ids} are those of tags in faces.tsv")
            return _JSON[_layout(head)](JsonStream(whole)).made()
        if wider.looks_like(head):
            if names is not None:
                raise SourceError(f"no faces.tsv; the names in {tag_ids} are those of its tags")
            return wider.read(lines(whole)).made()
        if faces_tsv.looks_like(head):
            return faces_tsv.read(lines(whole), names).made()
        raise SourceError(f"begins with {head.strip()[:40]!r}; expected {EXPECTED}")


def files_of(folder: Path) -> tuple[list[Path], list[Path], int]:
    """XML and labels below a folder, each in order, and how many other files there are."""
    found: list[Path] = []
    for place, inner, names in os.walk(folder):
        inner.sort()
        found += [Path(place, name) for name in names if not name.startswith(".")]
    found.sort(key=lambda file: file.as_posix())
    by_ending = {
        end: [file for file in found if file.suffix.lower() == end and file.is_file()]
        for end in (".xml", ".txt")
    }
    labels = [file for file in by_ending[".txt"] if file.name not in yolo.CLASSES]
    others = len(found) - len(by_ending[".xml"]) - len(by_ending[".txt"])
    return by_ending[".xml"], labels, others


def _folder(
    folder: Path, pictures: PicturePaths | None, sized: bool, progress: Step | None
) -> Table:
    books, labels, others = files_of(folder)
    if books and labels:
        raise SourceError(
            f"a folder of {len(books)} .xml and {len(labels)} .txt; give the folder of one kind"
        )
    if labels:
        table = yolo.read(folder, labels, pictures, sized=sized, progress=progress)
    elif books:
        table = Table()
        forms = _xml(table)
        for count, file in enumerate(books, 1):
            for reader in forms.values():
                reader.folder = file.parent.relative_to(folder).as_posix().removeprefix(".")
            with errors_of(file):
                xml.read(blocks(file), forms)
            if progress is not None:
                progress(count, len(books))
    else:
        raise SourceError(
            "a folder without .xml or .txt; of JSON give one file: annotations that are kept in a "
            f"file for each picture have to be put together. Expected {EXPECTED}"
        )
    table.skipped["file in the folder that is of another kind"] += others
    return table


def _xml(table: Table) -> dict[str, xml.Reader]:
    """Readers of XML by the root of a file."""
    return {"book": Manga109(table), "annotation": Voc(table), "annotations": Cvat(table)}


def _layout(head: str) -> str:
    """Layout of a JSON file, one of `_JSON`, by its first block."""
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
    if "shapes" in entries and ("imagePath" in entries or "imageData" in entries):
        raise SourceError(
            "LabelMe's JSON of one picture; put those of all pictures together as COCO's JSON, as "
            "labelme2coco does"
        )
    wrapper = next((key for key in entries if key in FACES), None)
    if wrapper is not None:
        raise SourceError(
            f"an object with {wrapper!r}, which is no picture; expected {EXPECTED}: perhaps what "
            f"stands under {wrapper!r} alone"
        )
    return "characters" if keyed_json.are_characters(entries) else "pictures"
