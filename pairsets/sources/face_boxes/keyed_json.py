"""JSON of one object whose keys are pictures, or characters.

    {"1123": [{"coordinates": [213, 15, 327, 151], "class": "face", "score": 0.93}], ...}
    {"asuka_(eva)": [{"id": 1123, "bbox": [213, 15, 327, 151]}], ...}

The former is as AnimeCV's detector gives faces, the latter is ZACI-20's own form.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pairsets.errors import SourceError
from pairsets.paths import is_image
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import as_id, faces_of, key_of, picture_id, size_of
from pairsets.sources.face_boxes.uniform_faces import take_members
from pairsets.sources.text.json_stream import JsonStream


def are_characters(entries: Mapping[str, object]) -> bool:
    """Whether keys are characters: each face tells its picture, and not all keys are pictures.

    Faces of a picture may have numbers of their own: what is a number or a file is no character.
    """
    lists = [value for value in entries.values() if isinstance(value, list) and value]
    return (
        bool(lists)
        and not all(key.isdigit() or is_image(key) for key in entries)
        and all(
            isinstance(face, dict) and key_of(face) is not None
            for value in lists
            for face in value[:1]
        )
    )


def read_pictures(stream: JsonStream) -> Table:
    """Read faces by picture.

    Raises:
        SourceError: not of this form; says in which line, and of which picture.
    """
    table = Table()
    for key in stream.members(partial(take_members, table)):
        value = stream.value()
        try:
            faces = list(faces_of(value))
            size = size_of(value) if isinstance(value, dict) else (0, 0)
            table.add(table.picture(picture_id(key), size), faces)
        except SourceError as error:
            raise SourceError(f"line {stream.line}, picture {key!r:.60}: {error}") from None
    stream.end()
    return table


def read_characters(stream: JsonStream) -> Table:
    """Read faces by character.

    Raises:
        SourceError: not of this form; says in which line, and of which character.
    """
    table = Table()
    table.named = table.apart = True
    for character in stream.members():
        listed = stream.value()
        where = f"line {stream.line}, {character!r:.60}"
        if not isinstance(listed, list):
            raise SourceError(f"{where}: {listed!r:.60}; expected a list of faces")
        for count, face in enumerate(listed, 1):
            try:
                if not isinstance(face, dict) or key_of(face) is None:
                    raise SourceError(f"{face!r:.60}; expected an object with id and bbox")
                row = table.picture(as_id(key_of(face)), size_of(face))
                table.add(row, (found._replace(name=character) for found in faces_of(face)))
            except SourceError as error:
                raise SourceError(f"{where}, face {count}: {error}") from None
    stream.end()
    return table
