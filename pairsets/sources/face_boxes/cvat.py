"""CVAT's XML "for images": each box has a label, and perhaps an attribute that says whose it is.

    <annotations><image id="0" name="asuka/12.jpg" width="640" height="480">
      <box label="face" xtl="213" ytl="15" xbr="327" ybr="151">
        <attribute name="character">asuka</attribute></box></image></annotations>

A label such as face names nobody, one such as body is no face; any other is a character. Of a
labelled face the attribute called character, identity or name says who it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from pairsets.errors import SourceError
from pairsets.sources.face_boxes.json_fields import Found, labelled, numbers, picture_id, size_of
from pairsets.sources.face_boxes.labels import names_nobody
from pairsets.sources.face_boxes.xml import Reader, attribute

_SIDES = ("xtl", "ytl", "xbr", "ybr")
_IMAGE = ("annotations", "image")
_SHAPES = frozenset({"polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton"})
_WHO = ("character", "identity", "name")


class Cvat(Reader):
    """Reader of CVAT's images, of any number of files."""

    _row: int | None
    _face: Found
    _who: str
    _said: dict[str, str]

    def begin(self, path: tuple[str, ...], attributes: Mapping[str, str]) -> None:
        """Begin an image, a box or what is said of it."""
        if path == ("annotations", "track"):
            raise SourceError('CVAT\'s XML of a film; export it as "CVAT for images"')
        if path == _IMAGE:
            self._table.relative = False
            size = size_of(attributes)
            self._row = self._table.picture(
                picture_id(attribute(attributes, "name", "image")), size
            )
        elif path == (*_IMAGE, "box"):
            box = numbers([attribute(attributes, side, "box") for side in _SIDES])
            self._face = labelled(box, attribute(attributes, "label", "box"))
            self._said = {}
        elif path == (*_IMAGE, "box", "attribute"):
            self._who = attributes.get("name", "").strip().lower()
        elif path[:-1] == _IMAGE and path[-1] in _SHAPES:
            self._table.skipped[f"{path[-1]}, no box"] += 1

    def end(self, path: tuple[str, ...], text: str) -> None:
        """Take what is said of a box, and the box."""
        if path == (*_IMAGE, "box", "attribute"):
            self._said[self._who] = text
        elif path == (*_IMAGE, "box"):
            face = self._face
            if face.name is None and face.other is None:
                name = next((self._said[who] for who in _WHO if who in self._said), "")
                if not names_nobody(name):
                    face = face._replace(name=name)
            self._table.add(self._row, [face])
