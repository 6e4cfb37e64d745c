"""JSON of any size, read piece by piece: what is held is one entry, never the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from pairsets.errors import SourceError

# Characters of one entry at most: a picture has some faces, not some hundred thousand.
LONGEST = 2**25
_SPACE = re.compile(r"[ \t\r\n]*")
# A key without escapes, and its colon: most are so, and need no decoder.
_KEY = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\r\n]*:[ \t\r\n]*')
# The end of a list of objects, or of one without any; how near to the end of a text one is sought.
_END = re.compile(r"[\[}][ \t\r\n]*\](?=[ \t\r\n]*,)")
_NEAR = 2**14
_decode = json.JSONDecoder().raw_decode


class JsonStream:
    """Cursor in JSON text that is read piece by piece.

    Who opens an object by `members` or an array by `elements` gets one entry at a time. Errors
    name the line.

    >>> stream = JsonStream(iter(['{"a": [1,', '2], "b"', ': 3}']))
    >>> {key: list(stream.elements()) if stream.peek() == "[" else stream.value()
    ...  for key in stream.members()}
    {'a': [1, 2], 'b': 3}
    """

    def __init__(self, texts: Iterator[str]) -> None:
        """Start at the beginning of `texts`, the file in parts of any length but 0."""
        self._texts = texts
        self._text, self._at, self._before = "", 0, 1

    @property
    def line(self) -> int:
        """Line of the cursor, from 1 on."""
        return self._before + self._text.count("\n", 0, self._at)

    def peek(self) -> str:
        """The next character besides space; empty at the end."""
        character = self._text[self._at : self._at + 1]
        if character and character not in " \t\r\n":  # as most often, and much faster
            return character
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(1):
                return ""

    def value(self) -> Any:
        """The next value, whole.

        Raises:
            SourceError: not JSON or cut off, nested too deeply, of more than `LONGEST` characters.
        """
        if not self.peek():
            raise SourceError(f"line {self.line}: the file ends before a value; is it whole?")
        while True:
            left, cut = len(self._text) - self._at, False
            try:
                found, end = _decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # An error well before the end is not of a value that goes on behind it.
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - 16
                if not cut:
                    raise self._no_json(error) from None
                trouble = self._no_json(error)
            except RecursionError:
                raise SourceError(f"line {self.line}: nested too deeply") from None
            except ValueError as error:
                raise SourceError(f"line {self.line}: {error}") from None
            # What ends where the text does may go on: 1 begins as 12 does, and as 1e-3.
            if not cut and end + 2 < len(self._text):
                self._at = end
                return found
            if left > LONGEST:
                raise SourceError(
                    f"line {self.line}: an entry of more than {LONGEST >> 20} Mi characters; "
                    "expected a picture's faces"
                )
            if not self._more(left):
                if cut:
                    raise trouble
                self._at = end
                return found

    def members(self, together: Callable[[str], bool] | None = None) -> Iterator[str]:
        """Keys of an object; the value of each is to be taken before the next key is asked for.

        Args:
            together: is given many members at once, with the commas between them, where their
                values end as lists of objects do. What it says to have taken does not come again.
        """
        self._take("{")
        offered = None
        while self.peek() != "}":
            if together is not None and offered is not self._text:
                offered = self._text
                end = self._last_end()
                if end > self._at and together(offered[self._at : end]):
                    self._at = end
                    if self._comma("}"):
                        return
                    continue
            if self.peek() != '"':
                raise self._unexpected("a key in double quotes")
            plain = _KEY.match(self._text, self._at)
            if plain is not None:
                self._at = plain.end()
                yield plain[1]
            else:  # or it goes on behind the text
                key = self.value()
                self._take(":")
                yield key
            if self._comma("}"):
                return
        self._take("}")

    def elements(self) -> Iterator[Any]:
        """Values of an array."""
        self._take("[")
        while self.peek() != "]":
            yield self.value()
            if self._comma("]"):
                return
        self._take("]")

    def end(self) -> None:
        """Raise SourceError where anything but space follows."""
        if self.peek():
            raise self._unexpected("the end of the file")

    def _last_end(self) -> int:
        """Place behind the last member in the text, it seems: who reads what is before it tells."""
        end = 0
        for end_of_list in _END.finditer(self._text, max(self._at, len(self._text) - _NEAR)):
            end = end_of_list.end()
        return end

    def _comma(self, closing: str) -> bool:
        """Pass a comma, or else what closes, and say whether it did."""
        character = self.peek()
        if character not in (",", closing):
            raise self._unexpected("','")
        self._at += 1
        if character == "," and self.peek() == closing:
            raise self._unexpected("another entry behind the comma")
        return character == closing

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._unexpected(repr(character))
        self._at += 1

    def _unexpected(self, expected: str) -> SourceError:
        if not self.peek():
            return SourceError(f"line {self.line}: the file ends before {expected}; is it whole?")
        return SourceError(
            f"line {self.line}: not JSON: {self._text[self._at : self._at + 30]!r}; expected "
            f"{expected}"
        )

    def _no_json(self, error: json.JSONDecodeError) -> SourceError:
        line = self._before + self._text.count("\n", 0, error.pos)
        if error.pos >= len(self._text) or error.msg.startswith("Unterminated"):
            return SourceError(f"line {line}: the file ends within an entry; is it whole?")
        near = self._text[max(self._at, error.pos - 10) : error.pos + 20]
        return SourceError(f"line {line}: not JSON: {error.msg} at {near!r}")

    def _more(self, least: int) -> bool:
        """Read on, `least` characters or to the end; false where there is nothing more."""
        parts, length = [], 0
        while length < least and (part := next(self._texts, None)) is not None:
            parts.append(part)
            length += len(part)
        if parts:
            self._before = self.line
            self._text = self._text[self._at :] + "".join(parts)
            self._at = 0
        return bool(parts)
