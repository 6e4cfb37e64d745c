"""Pascal VOC's XML, a file a picture: each object has a name and a box.

    <annotation><filename>12.jpg</filename><size><width>640</width><height>480</height></size>
      <object><name>asuka</name><bndbox><xmin>213</xmin><ymin>15</ymin>...

A name such as face is nobody's, one such as body is no face; any other is a character. Pixels are
counted from 1 on, and the last one is within the box, as VOC defines it: 1 to 640 is the whole
width.
"""

from __future__ import annotations

from collections.abc import Mapping

from pairsets.errors import SourceError
from pairsets.sources.face_boxes.json_fields import labelled, numbers, picture_id, size_of
from pairsets.sources.face_boxes.xml import Reader

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_OBJECT = ("annotation", "object")


class Voc(Reader):
    """Reader of Pascal VOC's pictures, of any number of files."""

    _fields: dict[str, str]
    _sides: dict[str, str]
    _objects: list[tuple[str, list[str | None]]]
    _name: str | None

    def begin(self, path: tuple[str, ...], attributes: Mapping[str, str]) -> None:
        """Begin a picture, or an object."""
        if len(path) == 1:
            self._fields, self._objects = {}, []
        elif path == _OBJECT:
            self._name, self._sides = None, {}

    def end(self, path: tuple[str, ...], text: str) -> None:
        """Take a field; at the end of a picture, all of it."""
        if path == ("annotation", "filename"):
            self._fields["filename"] = text
        elif path[:-1] == ("annotation", "size"):
            self._fields[path[-1]] = text
        elif path == (*_OBJECT, "name"):
            self._name = text
        elif path[:-1] == (*_OBJECT, "bndbox"):
            self._sides[path[-1]] = text
        elif path == _OBJECT:
            if self._name is None:
                raise SourceError("an <object> without <name>")
            self._objects.append((self._name, [self._sides.get(side) for side in _SIDES]))
        elif path == ("annotation",):
            self._finish()

    def _finish(self) -> None:
        file = self._fields.get("filename", "").replace("\\", "/").rpartition("/")[2]
        if not file:
            raise SourceError("no <filename>: whose boxes are they?")
        key = picture_id(f"{self.folder}/{file}" if self.folder else file)
        self._table.relative = False
        row = self._table.picture(key, size_of(self._fields))
        for name, sides in self._objects:
            left, top, right, bottom = numbers(sides, "bndbox")
            face = labelled((left - 1, top - 1, right, bottom), name)
            self._table.add(row, [face])
