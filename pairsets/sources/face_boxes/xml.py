"""XML of boxes: Manga109's books, Pascal VOC's pictures, CVAT's "for images"; told by the root.

A file is read as it streams. One that declares a document type is refused: entities could swell,
or stand for text that nobody sees, in the middle of a name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any
from xml.parsers import expat

from pairsets.errors import SourceError
from pairsets.sources.face_boxes.builder import Table

EXPECTED = "Manga109's <book>, Pascal VOC's <annotation> or CVAT's <annotations>"
# Characters of one text, and how deep elements may lie; names are short.
_LONGEST, _DEEPEST = 2**16, 64


class Reader(ABC):
    """Reader that takes the elements of one form, of any number of files.

    Attributes:
        folder: where the file that is read lies below the folder that was given: pictures may lie
            likewise.
    """

    def __init__(self, table: Table) -> None:
        """Make a reader that fills `table`."""
        self._table = table
        self.folder = ""

    @abstractmethod
    def begin(self, path: tuple[str, ...], attributes: Mapping[str, str]) -> None:
        """Take the beginning of an element; `path` names those it lies in, then itself."""

    @abstractmethod
    def end(self, path: tuple[str, ...], text: str) -> None:
        """Take the end of an element; `text` is its own, without space around it."""


def read(parts: Iterable[bytes], readers: Mapping[str, Reader]) -> None:
    """Read one file; `readers` are by the name of the root.

    Raises:
        SourceError: not XML, of another root, or with a document type; says in which line.
    """
    _Parsing(readers).run(parts)


class _Parsing:
    def __init__(self, readers: Mapping[str, Reader]) -> None:
        self._readers = readers
        self._reader: Reader | None = None
        self._path: tuple[str, ...] = ()
        self._texts: list[list[str]] = []
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse

    def run(self, parts: Iterable[bytes]) -> None:
        try:
            for part in parts:
                self._parser.Parse(part, False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise SourceError(f"line {error.lineno}: not XML: {what}; is the file whole?") from None
        except SourceError as error:
            raise SourceError(f"line {self._parser.CurrentLineNumber}: {error}") from None
        except (LookupError, ValueError) as error:  # an encoding that nobody knows
            raise SourceError(f"line 1: not XML that can be read: {error}") from None
        if self._reader is None:
            raise SourceError(f"no element in it; expected {EXPECTED}")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._path = (*self._path, name)
        if len(self._path) > _DEEPEST:
            raise SourceError(f"more than {_DEEPEST} elements within each other")
        if self._reader is None:
            if name not in self._readers:
                raise SourceError(f"XML of <{name[:40]}>; expected {EXPECTED}")
            self._reader = self._readers[name]
        self._texts.append([])
        self._reader.begin(self._path, attributes)

    def _end(self, name: str) -> None:
        text = "".join(self._texts.pop()).strip()
        if self._reader is not None:
            self._reader.end(self._path, text)
        self._path = self._path[:-1]

    def _text(self, data: str) -> None:
        if self._texts:
            texts = self._texts[-1]
            texts.append(data)
            if len(texts) > 64 and sum(map(len, texts)) > _LONGEST:
                texts[:] = ["".join(texts)[:_LONGEST]]

    def _refuse(self, *_: Any) -> None:
        raise SourceError(
            "a document type (<!DOCTYPE ...>), which may declare entities; expected XML without "
            "one: take the declaration away"
        )


def attribute(attributes: Mapping[str, str], name: str, element: str) -> str:
    """Attribute that an element needs.

    Raises:
        SourceError: it has none of that name.
    """
    found = attributes.get(name)
    if found is None:
        raise SourceError(f"<{element}> without {name!r}; it has {', '.join(attributes) or 'none'}")
    return found
