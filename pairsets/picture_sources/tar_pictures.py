"""Pictures in tar shards, as WebDataset has them, read by their place in the file.

A picture is called by its name in the tar. Who it shows is the folder of that name, or what a file
says that has its name but for the ending: `.cls`, `.txt`, or a field of `.json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairsets import images
from pairsets.arrays import Rows
from pairsets.errors import FacesError
from pairsets.identities.fields import FOLDER, ByField
from pairsets.identities.folders import by_folder
from pairsets.identities.rules import Naming, Rule
from pairsets.picture_sources.base import (
    NO_IMAGE,
    RESOURCE,
    FactRows,
    FileFacts,
    Opened,
    checked,
    laid,
    refuse_large,
    row_of,
    rows_of_facts,
)
from pairsets.picture_sources.shard_files import ShardFile, laid_in
from pairsets.picture_sources.tar_index import JSON, KINDS, TarIndex
from pairsets.text_column import TextColumn


@dataclass(frozen=True, eq=False)
class TarPictures:
    """Pictures of tar shards.

    Attributes:
        title: where the shards lie, for messages.
        shards: the files.
        paths: of the pictures, their names in the tars.
        places: `[N, 3]`, number of the shard, first byte, number of bytes.
    """

    title: str
    shards: tuple[ShardFile, ...]
    paths: TextColumn
    places: Rows

    @property
    def name(self) -> str:
        """Place of the pictures, for messages."""
        return self.title

    def read(self, path: str) -> tuple[bytes, FileFacts]:
        """The bytes of a picture, and its facts; see `PictureSource`."""
        row = row_of(self.paths, path)
        number, start, size = self.places[row].tolist()
        refuse_large(size, path)
        data = self.shards[number].read(start, size)
        if len(data) != size:
            raise images.ImageError("cut short", path)
        return checked(data, path), self._facts_in(row)

    def facts(self, paths: Sequence[str]) -> FactRows:
        """`[N, 4]`: size, time and tag of the shard, first byte; see `PictureSource`."""
        of_shards = np.array([[one.mtime_ns, one.tag] for one in self.shards], np.int64)
        number, start, size = self.places.T
        known = np.stack([size, *of_shards[number].T, start], axis=1)
        return rows_of_facts(known, self.paths.find(paths))

    def take(self, paths: TextColumn) -> TarPictures:
        """Source of these pictures alone."""
        return TarPictures(self.title, self.shards, paths, self.places[self.paths.find(paths)])

    def in_order(self, paths: TextColumn) -> TextColumn:
        """The paths as they are: each is read by itself."""
        return paths

    def locate(self, path: str) -> Path:
        """A file of this machine with the picture; see `PictureSource`."""
        facts = self._facts_in(row_of(self.paths, path))
        return laid(laid_in(self.shards) / path, facts, lambda: self.read(path)[0])

    def _facts_in(self, row: int) -> FileFacts:
        number, start, size = self.places[row].tolist()
        shard = self.shards[number]
        return size, shard.mtime_ns, shard.tag, start


def open_tars(title: str, shards: Sequence[ShardFile], field: str | None) -> Opened:
    """The pictures of tar shards.

    Args:
        title: where they lie, for messages.
        shards: the files, one or more.
        field: that says who they show, of `ByField`, where it was named.

    Raises:
        FacesError: a damaged shard (see `TarIndex`), no picture, one path in two shards, or no
            such field.
        RemoteError: a shard cannot be read.
    """
    if field is not None and field not in (FOLDER, "cls", "txt") and not field.startswith(JSON):
        raise FacesError(
            f"{title}: no field {field!r}; of tar shards there are folder, cls, txt and json:NAME"
        )
    indices = [TarIndex.of(shard, field) for shard in shards]
    paths = [path for index in indices for path in index.paths]
    if not paths:
        raise FacesError(f"{title}: no pictures in {len(shards):,} tar shards")
    number = np.repeat(np.arange(len(shards)), [len(index.paths) for index in indices])
    places = np.column_stack([number, np.concatenate([index.places for index in indices])])
    order = np.array(sorted(range(len(paths)), key=paths.__getitem__))
    _refuse_twice(paths, order, number, shards)
    column = TextColumn.of(paths[row] for row in order.tolist())
    beside = Counter[str]()
    for index in indices:
        beside.update(index.beside)
    labels = TextColumn.of(label for index in indices for label in index.labels).take(order)
    source = TarPictures(title, tuple(shards), column, places[order])
    others = sum(index.others for index in indices)
    resources = sum(index.resources for index in indices)
    skipped = +Counter({NO_IMAGE: others, RESOURCE: resources})

    def name(rule: Rule | None) -> Naming:
        return _named(title, column, labels, +beside, rule)

    return Opened(source, column, name, skipped)


def _refuse_twice(
    paths: Sequence[str], order: Rows, number: Rows, shards: Sequence[ShardFile]
) -> None:
    """Raise FacesError where two shards have one path."""
    before = -1
    for row in order.tolist():
        if before >= 0 and paths[row] == paths[before]:
            raise FacesError(
                f"{shards[number[before]].name} and {shards[number[row]].name}: both hold "
                f"{paths[row]!r}; remove one, or give each shard a folder of its own in the names"
            )
        before = row


def _named(
    title: str, paths: TextColumn, labels: TextColumn, beside: Counter[str], rule: Rule | None
) -> Naming:
    """Identities of the pictures.

    Raises:
        FacesError: it is open what says so.
    """
    if rule is not None and not isinstance(rule, ByField):
        return rule.name(paths)
    field = None if rule is None else rule.field
    if field is None:
        field = _only_field(title, paths, beside)
    if field == FOLDER:
        return by_folder(title, paths)
    kind = field.partition(":")[0]
    if not beside[kind]:
        raise FacesError(f"{title}: no picture has a .{kind} beside it; {_choices(beside)}")
    names = [label or None for label in labels]
    untold = names.count(None)
    if untold == len(names):
        raise FacesError(f"{title}: {field} says of no picture who it shows; {_choices(beside)}")
    return Naming(names, {f"without an identity in {field}": untold} if untold else {})


def _only_field(title: str, paths: TextColumn, beside: Counter[str]) -> str:
    """The field that alone can be meant."""
    flat = not any("/" in path for path in paths)
    if not beside:
        return FOLDER
    if flat and set(beside) == {"cls"}:
        return "cls"
    raise FacesError(f"{title}: what says who a picture shows? {_choices(beside)}")


def _choices(beside: Counter[str]) -> str:
    told = {"cls": "cls", "txt": "txt", "json": "json:NAME"}
    counted = [
        f"--identity-field {told[kind]} ({beside[kind]:,} pictures)"
        for kind in KINDS
        if beside[kind]
    ]
    return "there are " + ", ".join(
        [
            *counted,
            "--identity-field folder (that of its name)",
            "--identity-level",
            "--identities FILE",
        ]
    )
