"""Pictures in Parquet shards, as Hugging Face data sets are published.

A picture is called by the path in its cell where all have one and no two are equal, else by its
file and row. Of a file the picture can be read only with all others of its group of rows, so groups
are held for a while, and pictures are best read in the order of the files.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pairsets import images
from pairsets.arrays import Rows
from pairsets.errors import FacesError, PairsetsError
from pairsets.identities.fields import FOLDER, ByField
from pairsets.identities.folders import by_folder
from pairsets.identities.rules import Naming, Rule
from pairsets.paths import is_image, is_text, why_unsafe
from pairsets.picture_sources.base import (
    FactRows,
    FileFacts,
    Opened,
    checked,
    laid,
    row_of,
    rows_of_facts,
)
from pairsets.picture_sources.image_table import Column, choose, identity_name, picture_of
from pairsets.picture_sources.parquet_schema import arrow, read_columns
from pairsets.picture_sources.shard_files import PARQUET, ShardFile, laid_in
from pairsets.text_column import TextColumn

# Groups of rows that are held.
_HELD = 4
_ENTRIES = 4096


@dataclass(frozen=True, eq=False)
class ParquetPictures:
    """Pictures of Parquet shards.

    Attributes:
        title: where the shards lie, for messages.
        shards: the files.
        column: of the pictures.
        paths: of the pictures.
        places: `[N, 3]`, number of the shard, group of rows, row within it.
    """

    title: str
    shards: tuple[ShardFile, ...]
    column: str
    paths: TextColumn
    places: Rows

    @property
    def name(self) -> str:
        """Place of the pictures, for messages."""
        return self.title

    def read(self, path: str) -> tuple[bytes, FileFacts]:
        """The bytes of a picture, and its facts; see `PictureSource`."""
        row = row_of(self.paths, path)
        number, group, at = self.places[row].tolist()
        try:
            cell = _GROUPS.group(self.shards[number], group, self.column)[at].as_py()
        except IndexError:
            raise images.ImageError("no such row", path) from None
        data = picture_of(cell, Path())
        if not isinstance(data, bytes):
            raise images.ImageError("no bytes of a picture in its row", path)
        return checked(data, path), self._facts_in(row)

    def facts(self, paths: Sequence[str]) -> FactRows:
        """`[N, 4]`: -1, time and tag of the shard, place in it; see `PictureSource`."""
        of_shards = np.array([[one.mtime_ns, one.tag] for one in self.shards], np.int64)
        number, group, at = self.places.T
        known = np.stack(
            [np.full(len(number), -1), *of_shards[number].T, (group << 32) + at], axis=1
        )
        return rows_of_facts(known, self.paths.find(paths))

    def take(self, paths: TextColumn) -> ParquetPictures:
        """Source of these pictures alone."""
        places = self.places[self.paths.find(paths)]
        return ParquetPictures(self.title, self.shards, self.column, paths, places)

    def in_order(self, paths: TextColumn) -> TextColumn:
        """The paths in the order of the files, so that each group of rows is read once."""
        number, group, at = self.places[self.paths.find(paths)].T
        return paths.take(np.lexsort((at, group, number)))

    def locate(self, path: str) -> Path:
        """A file of this machine with the picture; see `PictureSource`."""
        facts = self._facts_in(row_of(self.paths, path))
        return laid(laid_in(self.shards) / path, facts, lambda: self.read(path)[0])

    def _facts_in(self, row: int) -> FileFacts:
        number, group, at = self.places[row].tolist()
        return -1, self.shards[number].mtime_ns, self.shards[number].tag, (group << 32) + at


class _Groups:
    """Groups of rows that were read last, each read by one thread while others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, int, str], threading.Lock] = {}
        self._held: OrderedDict[tuple[str, int, str], Any] = OrderedDict()

    def group(self, shard: ShardFile, number: int, column: str) -> Any:
        """The cells of a column in a group of rows.

        Raises:
            FacesError, RemoteError: the file cannot be read.
        """
        key = shard.key, number, column
        with self._lock:
            turn = self._locks.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    return self._held[key]
            with _parquet(shard) as file:
                cells = file.read_row_group(number, columns=[column]).column(column)
            with self._lock:
                self._held[key] = cells
                while len(self._held) > _HELD:
                    self._locks.pop(self._held.popitem(last=False)[0], None)
            return cells


_GROUPS = _Groups()


def open_tables(title: str, shards: Sequence[ShardFile], field: str | None) -> Opened:
    """The pictures of Parquet shards.

    Args:
        title: where they lie, for messages.
        shards: the files, one or more, of equal columns.
        field: column that says who they show, where it was named.

    Raises:
        FacesError: a damaged shard, no picture, or columns that differ.
        SourceError: pyarrow is not installed, or it is open which columns are meant.
        RemoteError: a shard cannot be read.
    """
    with shards[0].opened() as stream:
        columns = read_columns(stream, shards[0].name)
    pictures = [name for name, one in columns.items() if one.kind == "image"]
    if field in (None, FOLDER) and len(pictures) == 1:
        told = [name for name, one in columns.items() if one.kind == "class"]
        # Without a column that can be meant, the names may say it.
        image, who = pictures[0], None
        if field is None and (told or len(columns) > 1):
            who = choose(columns, title).identity
    else:
        chosen = choose(columns, title, identity=field)
        image, who = chosen.image, chosen.identity
    named: list[str | None] = []
    who_shown: list[str | None] = []
    places: list[tuple[int, int, int]] = []
    for number, shard in enumerate(shards):
        for group, at, path, value in _entries(shard, image, who, columns):
            places.append((number, group, at))
            named.append(path)
            who_shown.append(None if who is None else identity_name(value, columns[who]))
    if not places:
        raise FacesError(f"{title}: no rows in {len(shards):,} Parquet files")
    paths = _paths(named, places, shards)
    order = sorted(range(len(paths)), key=paths.__getitem__)
    column = TextColumn.of(paths[row] for row in order)
    source = ParquetPictures(title, tuple(shards), image, column, np.array(places, np.int64)[order])
    names = [who_shown[row] for row in order]

    def name(rule: Rule | None) -> Naming:
        if rule is not None and not isinstance(rule, ByField):
            return rule.name(column)
        if who is None:
            return by_folder(title, column)
        untold = names.count(None)
        if untold == len(names):
            raise FacesError(f"{title}: the column {who!r} says of no picture who it shows")
        return Naming(names, {f"without an identity in {who}": untold} if untold else {})

    return Opened(source, column, name)


def _entries(
    shard: ShardFile, image: str, who: str | None, columns: dict[str, Column]
) -> Iterator[tuple[int, int, str | None, object]]:
    """Group, row within it, the path in the cell and the value of `who`, row by row."""
    with shard.opened() as stream:
        found = read_columns(stream, shard.name)
    for name in (image, *([who] if who else [])):
        if found.get(name) != columns[name]:
            raise FacesError(
                f"{shard.name}: no column {name!r} of the kind and the classes that the first "
                "file has; name one file, or a folder of files that are alike"
            )
    with _parquet(shard) as file:
        leaves = {file.schema.column(at).path for at in range(len(file.schema))}
        told = f"{image}.path"
        wanted = [*([told] if told in leaves else []), *([who] if who else [])]
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if not wanted:
                yield from ((group, at, None, None) for at in range(count))
                continue
            at = 0
            for rows in file.iter_batches(_ENTRIES, row_groups=[group], columns=wanted):
                for row in rows.to_pylist():
                    cell = row.get(image)
                    path = cell.get("path") if isinstance(cell, dict) else None
                    yield group, at, path, row[who] if who else None
                    at += 1


@contextmanager
def _parquet(shard: ShardFile) -> Iterator[Any]:
    """A shard, open; FacesError for one that is damaged."""
    parquet = arrow().parquet
    try:
        with shard.opened() as stream, parquet.ParquetFile(stream) as file:
            yield file
    except PairsetsError:
        raise
    # Texts that are not UTF-8, pages that cannot be unpacked, ...
    except Exception as error:
        raise FacesError(f"{shard.name}: damaged or no Parquet file: {error}") from None


def _paths(
    named: Sequence[str | None], places: Sequence[tuple[int, int, int]], shards: Sequence[ShardFile]
) -> list[str]:
    """A path for each picture, no two equal: those that the cells have, else by file and row."""
    told = [path for path in named if path is not None and _is_plain(path)]
    if len(told) == len(named) == len({*told}):
        return told
    found, row, before = [], 0, -1
    for number, _, _ in places:
        row = row + 1 if number == before else 0
        before = number
        stem = shards[number].path[: -len(PARQUET)]
        found.append(f"{stem}/{row:08d}.jpg")
    return found


def _is_plain(path: str) -> bool:
    return is_text(path) and is_image(path) and why_unsafe(path) is None
