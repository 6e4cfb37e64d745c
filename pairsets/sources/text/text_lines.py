"""Text files of other projects: their lines, streamed, and what they turn out to be instead."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pairsets.errors import SourceError
from pairsets.storage import csv_tables
from pairsets.storage.artefacts import atomic_write

HEAD = 65536
# What errors suggest where a format cannot hold something.
HOLDS_ANY = "csv, jsonl and parquet can"
_LONGEST = 1 << 20
_STEP = 1 << 16
_MARK = b"\xef\xbb\xbf"
# Protocols 2 to 5 begin so; 0 and 1 have no mark, but lists, tuples and dicts begin so in them.
_PICKLE = re.compile(rb"\x80[\x02-\x05]|\(+[ldt]p?\d*\n|\(*[\]})]q[\x00-\xff]")
_CONVERT = """\
this is a Python pickle, as InsightFace's .bin test sets are. To load a pickle is to run whatever
program its maker put into it, so it is never opened here. If you trust whoever made it, run this
yourself where nothing can be harmed, then read pairs.jsonl with faces/ as the faces folder:

    import json, pathlib, pickle
    bins, same = pickle.loads(pathlib.Path({name!r}).read_bytes(), encoding="bytes")
    with open("pairs.jsonl", "w") as out:
        for row, label in enumerate(same):
            one = f"{{row:06d}}"
            a, b = f"{{one}}/a.jpg", f"{{one}}/b.jpg" if label else f"{{one}}-other/b.jpg"
            for face, picture in zip((a, b), bins[2 * row : 2 * row + 2]):
                file = pathlib.Path("faces") / face
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(bytes(picture))
            print(json.dumps({{"pathA": a, "pathB": b, "label": int(label)}}), file=out)

(The file does not say who is who: each pair is taken to be of people of its own.)"""


@contextmanager
def opened(path: Path, what: str = "file of pairs") -> Iterator[IO[bytes]]:
    """Open a file to read its bytes.

    Raises:
        SourceError: no such file, a folder, or a pipe, which cannot be read twice.
    """
    if path.is_fifo():
        raise SourceError(f"{path}: a pipe; expected a {what}, which is read more than once")
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise SourceError(f"{path}: no such {what}") from None
    except IsADirectoryError:
        raise SourceError(f"{path}: a folder; expected a {what}") from None
    with stream:
        yield stream


def read_head(path: Path, what: str = "file of pairs") -> bytes:
    """The first 64 KiB of a file.

    Raises:
        SourceError: no such file, a folder, or a pickle.
    """
    with opened(path, what) as stream:
        head = stream.read(HEAD)
    refuse_pickle(path, head)
    return head


def refuse_pickle(path: Path, head: bytes) -> None:
    """Raise SourceError for a file that begins as a pickle does."""
    if _PICKLE.match(head):
        raise SourceError(f"{path}: {_CONVERT.format(name=path.name)}")


def text_lines(
    path: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    what: str = "file of pairs",
) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank; the file is not held in memory.

    A byte-order mark, CRLF and blank lines are understood; other white space stays.

    Raises:
        SourceError: no such file, a folder, a pickle, not UTF-8, or no lines of text.
    """
    read_head(path, what)
    with opened(path, what) as stream:
        size = path.stat().st_size
        number = done = 0
        while raw := stream.readline(_LONGEST):
            number += 1
            if len(raw) == _LONGEST:
                raise SourceError(f"{path}, line {number}: longer than 1 MiB; is it a {what}?")
            done += len(raw)
            if number == 1:
                raw = raw.removeprefix(_MARK)
            try:
                line = raw.rstrip(b"\r\n").decode()
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"{path}, line {number}: not UTF-8 text at byte {error.start + 1} of the line; "
                    f"is it a {what}, and saved as UTF-8?"
                ) from None
            if line and not line.isspace():
                yield number, line
            if progress and number % _STEP == 0:
                progress(done, size)
        if progress:
            progress(size, size)


def json_objects(
    path: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    expected: str = "an object",
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of each line of JSON, as a stream.

    Raises:
        SourceError: as `text_lines`, or a line that is no JSON, or no object.
    """
    for number, line in text_lines(path, progress):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path}, line {number}: not JSON ({error})") from None
        except RecursionError:
            raise SourceError(f"{path}, line {number}: nested too deeply") from None
        if not isinstance(record, dict):
            raise SourceError(f"{path}, line {number}: {line[:60]!r}; expected {expected}")
        yield number, record


def csv_rows(
    path: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    what: str = "file of pairs",
    mark: str = ",",
) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row of a CSV file, the header too, as a stream.

    A byte-order mark, CRLF, quoted line ends and blank lines are understood. `mark` stands between
    cells.

    Raises:
        SourceError: no such file, a folder, a pickle, not UTF-8, or not CSV.
    """
    read_head(path, what)
    with opened(path, what) as stream:
        size = path.stat().st_size
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        line = 0
        try:
            rows = csv_tables.csv_rows(path, text, error=SourceError, mark=mark)
            for count, (line, cells) in enumerate(rows, 1):
                if cells:
                    yield line, cells
                if progress and count % _STEP == 0:
                    progress(stream.tell(), size)
        except UnicodeDecodeError:
            raise SourceError(
                f"{path}, after line {line}: not UTF-8 text; is it a {what}, and saved as UTF-8?"
            ) from None
        if progress:
            progress(size, size)


def head_lines(head: bytes) -> list[str]:
    """The whole lines of a file's beginning that are not blank; none if it is not UTF-8 text.

    >>> head_lines(b"\\xef\\xbb\\xbf10\\t300\\r\\n\\r\\nA\\t1\\t2\\n")
    ['10\\t300', 'A\\t1\\t2']
    """
    if len(head) >= HEAD:
        head = head[: head.rfind(b"\n") + 1]
    if b"\0" in head:
        return []
    try:
        text = head.removeprefix(_MARK).decode()
    except UnicodeDecodeError:
        return []
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return [line for line in lines if line and not line.isspace()]


def write_lines(path: Path, lines: Iterable[str], name: str) -> None:
    """Write lines of text as UTF-8, atomically.

    Raises:
        SourceError: a line that would not come back: it holds the end of a line, or begins the
            file with a byte-order mark; `name` is that of the format.
    """
    with atomic_write(path) as stream:
        for number, line in enumerate(lines):
            if "\n" in line or "\r" in line or (not number and line.startswith("\ufeff")):
                raise SourceError(
                    f"{name} cannot hold {line!r}, with a line end or a byte-order mark in a name; "
                    f"{HOLDS_ANY}"
                )
            stream.write(line.encode() + b"\n")
