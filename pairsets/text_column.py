"""Column of texts, such as the paths of a million faces: one buffer, and no object a text."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Rows

# Texts that are read or made at a time.
CHUNK = 1 << 13
# A text of Python may hold half of a surrogate pair, which UTF-8 has not.
_ODD = "surrogatepass"


class TextColumn(Sequence[str]):
    """Texts in their order, read-only; it answers as an array `[N]` of str objects would.

    A million of them take their UTF-8 and 8 MB, a tenth of what as many str objects do. A number
    gives a text; a slice, a mask or an array of rows gives an array of str objects, and `==`
    compares text by text. `take` and `equals` do the same without objects.

    >>> names = TextColumn.of(["rei", "asuka", "shinji"])
    >>> names[1], names[-1], names[[2, 0]].tolist(), (names == "rei").tolist()
    ('asuka', 'shinji', ['shinji', 'rei'], [True, False, False])
    """

    def __init__(self, data: bytes, bounds: Rows) -> None:
        """Take the texts of `data`, the next one from `bounds[n]` to `bounds[n + 1]`."""
        self._data = data
        self._bounds = bounds
        self._bounds.setflags(write=False)

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextColumn:
        """Column of these texts, which may come one by one; a column is given back as it is."""
        if isinstance(texts, TextColumn):
            return texts
        data, sizes, left = bytearray(), array("q", [0]), iter(texts)
        while chunk := [text.encode("utf-8", _ODD) for text in islice(left, CHUNK)]:
            data += b"".join(chunk)
            sizes.extend(map(len, chunk))
        return cls(bytes(data), np.cumsum(np.frombuffer(sizes, np.int64)))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), CHUNK):
            bounds = self._bounds[start : start + CHUNK + 1]
            data = self._data[bounds[0] : bounds[-1]]
            places = (bounds - bounds[0]).tolist()
            ends = zip(places, islice(places, 1, None), strict=False)
            if data.isascii():
                text = data.decode("ascii")
                yield from [text[a:b] for a, b in ends]
            else:
                yield from [data[a:b].decode("utf-8", _ODD) for a, b in ends]

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> str: ...

    @overload
    def __getitem__(self, key: Any) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int | np.integer):
            if not -len(self) <= key < len(self):
                raise IndexError(f"text {key} of {len(self)}")
            row = int(key) % len(self)
            return self._data[self._bounds[row] : self._bounds[row + 1]].decode("utf-8", _ODD)
        rows = self._rows_at(key)
        found = np.empty(rows.size, object)
        found[:] = list(self.take(rows.ravel()))
        return found.reshape(rows.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = np.empty(len(self), object)
        found[:] = list(self)
        return found if dtype is None else found.astype(dtype, copy=False)

    def __eq__(self, other: object) -> Any:
        return np.asarray(self) == (np.asarray(other) if isinstance(other, TextColumn) else other)

    def __ne__(self, other: object) -> Any:
        return np.asarray(self) != (np.asarray(other) if isinstance(other, TextColumn) else other)

    # As an array has it: texts of which `==` gives many answers are no key.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"TextColumn([{shown}{', ...' if len(self) > 3 else ''}], {len(self)} texts)"

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what is kept by hash, which is another one in another process.
        return TextColumn, (self._data, np.array(self._bounds))

    def tolist(self) -> list[str]:
        """All texts, as str objects."""
        return list(self)

    def equals(self, other: TextColumn) -> bool:
        """Whether both have the same texts in the same order."""
        return self is other or (
            np.array_equal(self._bounds, other._bounds) and self._data == other._data
        )

    def take(self, rows: Any) -> TextColumn:
        """Column of the texts in these rows: an array of numbers `[M]`, or a mask `[N]`."""
        chosen = self._rows_at(rows)
        starts, ends = self._bounds[chosen], self._bounds[chosen + 1]
        data = bytearray()
        for start in range(0, len(chosen), CHUNK):
            part = slice(start, start + CHUNK)
            places = zip(starts[part].tolist(), ends[part].tolist(), strict=True)
            data += b"".join([self._data[a:b] for a, b in places])
        return TextColumn(bytes(data), np.concatenate([[0], np.cumsum(ends - starts)]))

    def encoded(self) -> Iterator[bytes]:
        """The texts in UTF-8."""
        for start in range(0, len(self), CHUNK):
            places = self._bounds[start : start + CHUNK + 1].tolist()
            data = self._data
            ends = zip(places, islice(places, 1, None), strict=False)
            yield from [data[a:b] for a, b in ends]

    def find(self, texts: Iterable[str]) -> Rows:
        """`[M]`: the row of each of `texts`, the first if it has several; -1 where it has none.

        >>> TextColumn.of(["rei", "asuka"]).find(["asuka", "kaworu"]).tolist()
        [1, -1]
        """
        wanted = TextColumn.of(texts)
        if not len(wanted) or not len(self):
            return np.full(len(wanted), -1, np.int64)
        hashes, rows = self._by_hash
        sought = wanted.hashes()
        found = np.full(len(wanted), -1, np.int64)
        place = np.searchsorted(hashes, sought)
        left = np.arange(len(wanted))
        while left.size:
            # Equal hashes stand together; nearly always there is one, and it is the text's.
            inside = place[left] < len(hashes)
            left = left[inside]
            left = left[hashes[place[left]] == sought[left]]
            candidates = rows[place[left]]
            same = np.fromiter(
                (self._piece(a) == wanted._piece(b) for a, b in _pairs(candidates, left)),
                np.bool_,
                len(left),
            )
            found[left[same]] = candidates[same]
            left = left[~same]
            place[left] += 1
        return found

    @cached_property
    def folders(self) -> tuple[Rows, list[str]]:
        """Folders of texts that are paths: each one's by number `[N]`, their names as first met.

        >>> codes, folders = TextColumn.of(["rei/1.jpg", "asuka/1.jpg", "rei/2.jpg"]).folders
        >>> codes.tolist(), folders
        ([0, 1, 0], ['rei', 'asuka'])
        """
        known: dict[str, int] = {}
        codes = (known.setdefault(path.rpartition("/")[0], len(known)) for path in self)
        return np.fromiter(codes, np.int64, len(self)), list(known)

    def changed(self, change: Callable[[bytes], bytes]) -> TextColumn:
        """Column of what `change` makes of each text in UTF-8.

        Of texts in ASCII it is called once, with all of them one after the other: there it must
        keep the place of every letter.
        """
        if self._data.isascii():
            return TextColumn(change(self._data), self._bounds)
        found = map(change, self.encoded())
        return TextColumn.of(text.decode("utf-8", _ODD) for text in found)

    def hashes(self) -> Rows:
        """`[N]`: Python's hash of each text in UTF-8, another one in each process."""
        return np.fromiter(map(hash, self.encoded()), np.int64, len(self))

    def _piece(self, row: int) -> bytes:
        return self._data[self._bounds[row] : self._bounds[row + 1]]

    def _rows_at(self, key: Any) -> Rows:
        """Rows that an index of NumPy chooses."""
        if isinstance(key, slice):
            return np.arange(*key.indices(len(self)))
        return np.asarray(np.arange(len(self))[key], np.int64)

    @cached_property
    def _by_hash(self) -> tuple[Rows, Rows]:
        """Hashes of all texts, rising, and the row of each."""
        hashes = self.hashes()
        rows = np.argsort(hashes, kind="stable")
        return hashes[rows], rows


def _pairs(first: Rows, second: Rows) -> Iterator[tuple[int, int]]:
    return zip(first.tolist(), second.tolist(), strict=True)
