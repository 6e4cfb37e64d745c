"""A table with a picture and an identity in each row, wherever it comes from.

One kind of table is one class with the methods of `ImageTable`: `parquet_images.py` reads Parquet
files, `huggingface.py` what the library `datasets` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pairsets.errors import SourceError
from pairsets.identities.rules import WHO_COLUMNS

Kind = Literal["image", "class", "text", "number", "other"]
Picture = bytes | Path | None
# What a column that says who it is is called, where its type does not tell.
_IDENTITY_COLUMNS = WHO_COLUMNS | {"labels", "identities", "characters", "id_name", "tag"}


@dataclass(frozen=True)
class Column:
    """Content of a column: its kind, and the names of its classes.

    Attributes:
        kind: `class` is numbers that stand for `names`.
        names: of the classes.
    """

    kind: Kind
    names: tuple[str, ...] = ()


class Columns(NamedTuple):
    """Columns of the picture, of the identity, and of the file's name."""

    image: str
    identity: str
    id: str | None = None


class Entry(NamedTuple):
    """A row without its picture: whose it is (None: it does not say), its file, its id."""

    identity: str | None
    path: str | None
    id: str | None


class ImageTable(Protocol):
    """A table that can be gone through more than once; it need not fit into memory."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """Columns by name, each with what it holds."""

    def entries(self, columns: Columns) -> Iterator[Entry]:
        """The rows without their pictures, in order."""

    def pictures(self, columns: Columns) -> Iterator[Picture]:
        """The picture of each row, in the same order: its bytes, its file, or None."""


def choose(
    columns: Mapping[str, Column],
    where: Path | str,
    *,
    image: str | None = None,
    identity: str | None = None,
    id: str | None = None,
) -> Columns:
    """Columns to take: those named, else the only ones that can be meant.

    A column of classes goes before one that is merely called `label`, `identity` or the like.

    Raises:
        SourceError: no such column, one of the wrong kind, none, or several; the columns are
            listed.
    """
    shown = ", ".join(f"{name} ({column.kind})" for name, column in columns.items())
    images = [name for name, column in columns.items() if column.kind == "image"]
    classes = [name for name, column in columns.items() if column.kind == "class"]
    telling = [
        name
        for name, column in columns.items()
        if column.kind in ("text", "number") and name.lower() in _IDENTITY_COLUMNS
    ]

    def pick(what: str, option: str, named: str | None, found: Sequence[str], kinds: str) -> str:
        if named is not None:
            if named not in columns:
                raise SourceError(f"{where}: no column {named!r}; there are {shown}")
            if columns[named].kind not in kinds.split():
                raise SourceError(
                    f"{where}: the column {named!r} holds no {what}; there are {shown}"
                )
            return named
        if len(found) != 1:
            count = "no column" if not found else f"{len(found)} columns"
            raise SourceError(f"{where}: {count} for the {what}; choose with {option}: {shown}")
        return found[0]

    return Columns(
        pick("image", "--image-column", image, images, "image"),
        pick(
            "identity",
            "--identity-column",
            identity,
            classes or telling,
            "class text number",
        ),
        None if id is None else pick("id", "--id-column", id, [], "text number class"),
    )


def choose_split(splits: Sequence[str], wanted: str | None, where: Path) -> list[str]:
    """The splits to take: the one named, all of them for `all`, or the only one.

    Raises:
        SourceError: no such split, or several and none named.
    """
    listed = ", ".join(splits)
    if wanted == "all":
        return list(splits)
    if wanted is not None:
        if wanted not in splits:
            raise SourceError(f"{where}: no split {wanted!r}; there are {listed}, and all")
        return [wanted]
    if len(splits) != 1:
        raise SourceError(f"{where}: several splits; choose one with --split: {listed}, or all")
    return list(splits)


def identity_name(value: object, column: Column) -> str | None:
    """The identity that a value stands for; None where it is missing, or a text of no letters.

    >>> identity_name(1, Column("class", ("rei", "asuka"))), identity_name(-1, Column("class"))
    ('asuka', None)
    """
    if value is None:
        return None
    if column.kind == "class" and isinstance(value, int):
        # -1 is how `datasets` writes that there is no label.
        text = column.names[value] if 0 <= value < len(column.names) else ""
    else:
        text = str(value)
    return text if text.strip() else None


def column_of(kind: str) -> Column:
    """Content of a column by the name of its type, as pyarrow and `datasets` have them."""
    if kind in ("binary", "large_binary"):
        return Column("image")
    if kind in ("string", "large_string"):
        return Column("text")
    return Column("number" if kind.startswith(("int", "uint")) else "other")


def entry_of(row: Mapping[str, Any], columns: Columns, identity: Column, id: Column) -> Entry:
    """A row without its picture, whose cell may hold the path of one; two of the columns' kinds."""
    image = row.get(columns.image)
    path = image.get("path") if isinstance(image, dict) else None
    return Entry(
        identity_name(row[columns.identity], identity),
        path if isinstance(path, str) else None,
        None if columns.id is None else identity_name(row[columns.id], id),
    )


def picture_of(value: object, root: Path) -> Picture:
    """The picture in a cell: bytes, or bytes and a path of which either may be missing."""
    if isinstance(value, bytes):
        return value or None
    if not isinstance(value, dict):
        return None
    data = value.get("bytes")
    return data if isinstance(data, bytes) and data else inside(value.get("path"), root)


def inside(path: object, folder: Path) -> Path | None:
    """The file that a table names, if it lies in `folder`: a table is not trusted."""
    if not isinstance(path, str) or not path or "\0" in path:
        return None
    file = folder / path
    try:
        within = file.is_file() and file.resolve().is_relative_to(folder.resolve())
    except OSError:  # a name that is too long, or a folder that may not be looked into
        return None
    return file if within else None
