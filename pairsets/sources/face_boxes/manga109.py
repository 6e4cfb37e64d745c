"""Manga109's XML, a file a book: each face of a page says by an id whose it is.

    <book title="ARMS">
      <characters><character id="00000003" name="Ada"/></characters>
      <pages><page index="2" width="1654" height="1170">
        <face id="00000004" xmin="880" ymin="240" xmax="940" ymax="400" character="00000003"/>

A page is the picture `ARMS/002.jpg`, as `images/` of the data set has it. Ids are those of a book
alone, and so are names: the character is `ARMS/Ada`, and `ARMS/Ada (00000003)` where several ids of
a book have one name, for they may be several people. One that the book does not name is called by
its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pairsets.errors import SourceError
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import Found, numbers
from pairsets.sources.face_boxes.labels import names_nobody
from pairsets.sources.face_boxes.xml import Reader, attribute

_PAGE = ("book", "pages", "page")
_CHARACTER = ("book", "characters", "character")
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class Manga109(Reader):
    """Reader of Manga109's books, of any number of files."""

    def __init__(self, table: Table) -> None:
        """Make a reader that fills `table`."""
        super().__init__(table)
        self._books: set[str] = set()
        self._title = ""
        self._names: dict[str, str] = {}
        self._page: int | None = None
        # Of the book, until its names are all known.
        self._faces: list[tuple[int | None, Found, str | None]] = []

    def begin(self, path: tuple[str, ...], attributes: Mapping[str, str]) -> None:
        """Take a book's title, a character, a page or a box."""
        if path == ("book",):
            self._begin_book(attribute(attributes, "title", "book"))
        elif path == _CHARACTER:
            key = attribute(attributes, "id", "character")
            name = attributes.get("name", "").strip()
            if self._names.setdefault(key, name) != name:
                raise SourceError(f"character {key} is {self._names[key]!r} already, now {name!r}")
        elif path == _PAGE:
            self._page = self._begin_page(attributes)
        elif path[:-1] == _PAGE:
            self._box(path[-1], attributes)

    def end(self, path: tuple[str, ...], text: str) -> None:
        """Give the faces of a book to the table, under their names."""
        if path != ("book",):
            return
        times = Counter(self._names.values())
        whose: dict[str, str | None] = {}
        for key, name in self._names.items():
            told = name if times[name] == 1 else f"{name} ({key})"
            nobody = bool(name) and names_nobody(name)
            whose[key] = None if nobody else f"{self._title}/{told if name else key}"
        for row, face, code in self._faces:
            who = whose.get(code, f"{self._title}/{code}") if code else None
            self._table.add(row, [face._replace(name=who)])
        self._faces, self._names = [], {}

    def _begin_book(self, title: str) -> None:
        self._title = title.strip()
        if not self._title or "/" in self._title:
            raise SourceError(f"a book called {title[:60]!r}; expected the name of a folder")
        if self._title in self._books:
            raise SourceError(f"the book {self._title!r} was in another file already")
        self._books.add(self._title)
        self._table.named = self._table.apart = True
        self._table.relative = False

    def _begin_page(self, attributes: Mapping[str, str]) -> int | None:
        index, width, height = (
            _whole(attribute(attributes, name, "page"), name)
            for name in ("index", "width", "height")
        )
        return self._table.picture(f"{self._title}/{index:03d}.jpg", (width, height))

    def _box(self, kind: str, attributes: Mapping[str, str]) -> None:
        if kind != "face":
            if "xmin" in attributes:
                self._table.add(None, [Found((0, 0, 1, 1), other=kind)])
            return
        box = numbers([attribute(attributes, side, "face") for side in _SIDES], "face")
        self._faces.append((self._page, Found(box), attributes.get("character", "").strip()))


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise SourceError(f"page with {name} {text[:40]!r}; expected a whole number")
    return int(text)
