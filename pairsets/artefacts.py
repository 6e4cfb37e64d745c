"""Files that are whole or not there: atomic writing, digests, manifests."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, islice
from pathlib import Path
from typing import IO, TextIO

from pairsets import locks
from pairsets.digests import sha256 as sha256
from pairsets.errors import OutputError, PairSetError
from pairsets.json_files import json_text
from pairsets.publication import settle, sweep, temporary_name

# Of a CSV, written at a time.
_ROWS = 1 << 14


@contextmanager
def reading(path: Path, what: str, *, kind: str | None = None, hint: str = "") -> Iterator[TextIO]:
    """Open a CSV file as text, with or without a byte-order mark.

    Args:
        path: of the file.
        what: it is, as `file of aliases`, for errors.
        kind: shorter than `what`, where a file turns out not to be one.
        hint: what to do where there is none.

    Raises:
        PairSetError: no such file, a folder, or not UTF-8, which the block meets while it reads.
    """
    settle(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except FileNotFoundError:
        raise PairSetError(f"{path}: no such {what}{hint}") from None
    except IsADirectoryError:
        raise PairSetError(f"{path}: a folder; expected a {what}") from None
    except UnicodeDecodeError as error:
        raise PairSetError(
            f"{path}: not UTF-8 text at byte {error.start}; is it a {kind or what}?"
        ) from None


def table_rows(
    path: Path, stream: Iterable[str], columns: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row of a CSV with exactly these columns; empty lines are passed over.

    Args:
        path: of the file, for errors.
        stream: its text, as `reading` opens it.
        columns: the header.

    Raises:
        PairSetError: another header, a row of another length, or not CSV.
    """
    reader = csv.reader(stream, strict=True)
    expected = ",".join(columns)
    try:
        header = next(reader, None)
        if not header:
            raise PairSetError(f"{path}: empty; expected the header {expected}")
        if [cell.strip() for cell in header] != list(columns):
            raise PairSetError(
                f"{path}, line 1: expected the header {expected}, got {','.join(header)[:80]}; "
                "is the header line missing?"
            )
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise PairSetError(
                    f"{path}, line {reader.line_num}: {len(cells)} "
                    f"{'value' if len(cells) == 1 else 'values'}, expected {expected}"
                    + ("; is a comma in one not quoted?" if len(cells) > len(columns) else "")
                )
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise PairSetError(f"{path}, line {reader.line_num}: not CSV ({error})") from None


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` if the block succeeds.

    A reader sees the old file or the whole new one. On any error, a full disk included, the
    temporary file is removed and the old one stays; an `OSError` then names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep([path])
    temporary = temporary_name(path)
    try:
        with _held(temporary) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if os.name != "nt":  # where no open file is moved
                temporary.replace(path)
        if os.name == "nt":
            temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _held(path: Path) -> IO[bytes]:
    """A new file, open and held: no other process takes it for what a killed one left."""
    while True:
        stream = path.open("wb")
        locks.lock(stream.fileno())
        if locks.same(stream.fileno(), path):
            return stream
        stream.close()


def refuse_existing(
    files: Iterable[Path], *, overwrite: bool, inputs: Iterable[Path | None] = ()
) -> None:
    """Raise OutputError unless all `files` may be written: told before the work, not after it.

    An input is never replaced, not even to overwrite.
    """
    kept = {path.resolve() for path in inputs if path is not None}
    files = [*files]
    settle(*files)
    for path in files:
        if path.resolve() in kept:
            raise OutputError(f"{path}: is read by this command; choose another --out")
        if path.is_dir():
            raise OutputError(f"{path}: a folder; expected the name of a file to write")
        if path.exists() and not overwrite:
            raise OutputError(
                f"{path}: exists; choose another --out, or replace it with --overwrite"
            )
        refuse_below_file(path)


def refuse_below_file(path: Path) -> None:
    """Raise OutputError where a folder that `path` should lie in is a file."""
    above = next((folder for folder in path.parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise OutputError(f"{path}: {above} is a file, not a folder; choose another --out")


def with_ending(out: Path, ending: str, what: str) -> Path:
    """`out`, if its name ends so.

    Raises:
        OutputError: another ending; `what` says why it matters.
    """
    if out.suffix != ending or not out.stem:
        raise OutputError(f"{out}: expected a name that ends in {ending}; {what}")
    return out


def write_text(path: Path, text: str) -> Path:
    """Write `text` as UTF-8 with `\\n` line ends, atomically; returns `path`."""
    with atomic_write(path) as stream:
        stream.write(text.encode())
    return path


def write_json(path: Path, content: Mapping[str, object]) -> Path:
    """Write `content` as indented JSON in its own key order, atomically; returns `path`."""
    return write_text(path, json_text(content))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV with a header, `\\n` line ends and minimal quoting, atomically."""
    left = chain([header], rows)
    with atomic_write(path) as stream:
        while batch := list(islice(left, _ROWS)):
            stream.write(_csv_text(batch).encode())
    return path


def _csv_text(rows: Sequence[Sequence[object]], end: str = "\n") -> str:
    """Rows as CSV; what holds a carriage return is quoted, as readers take it for a row's end."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    found = text.getvalue()
    if end == "\n" and "\r" in found:
        # The writer quotes it only where it is of the rows' ends: rare, and so one by one.
        return "".join(_csv_text([row], "\r\n").removesuffix("\r\n") + end for row in rows)
    return found


def installed(*distributions: str) -> dict[str, str]:
    """Versions of those of `distributions` that are installed, without build tags (`+cpu`).

    The tag tells builds for different devices apart, and provenance does not.

    >>> list(installed("numpy", "no-such-package"))
    ['numpy']
    """
    found = {}
    for name in distributions:
        with suppress(PackageNotFoundError):
            found[name] = version(name).partition("+")[0]
    return found


def versions(*distributions: str) -> dict[str, str]:
    """The version of Python, and what `installed` finds."""
    return {"python": platform.python_version(), **installed(*distributions)}
