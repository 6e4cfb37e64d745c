"""Files that are whole or not there: atomic writing, digests, manifests."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from pairsets.errors import OutputError
from pairsets.storage import locks
from pairsets.storage.json_files import json_text
from pairsets.storage.publication import settle, sweep, temporary_name


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


def refuse_inside(out: Path, faces: Path, *, option: str = "--out") -> None:
    """Raise OutputError where `out` lies in the faces folder."""
    if out.resolve().is_relative_to(faces.resolve()):
        raise OutputError(
            f"{out}: inside the faces folder {faces}, where its pictures would become faces; "
            f"choose another {option}"
        )


def refuse_unwritable(names: Iterable[str]) -> None:
    """Raise OutputError for a name, as of a file, that no table can hold."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise OutputError(
                f"{name!r}: a name that is not UTF-8, which no table can show; rename the file, or "
                "give another name"
            ) from None
