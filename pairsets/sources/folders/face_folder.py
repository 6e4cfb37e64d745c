"""A folder per identity that is being filled: each file is whole, and the work can go on.

While it is filled, `.unfinished/` in it holds a journal, a row a file. At the end the journal
becomes a table beside the identities' folders, and a manifest is written. A file that no row
vouches for is made again; one whose row does not fit any more is removed. Nothing is written
through a link, so nothing lies outside the folder.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Any

from pairsets.errors import OutputError
from pairsets.faces import UNFINISHED
from pairsets.paths import why_unsafe
from pairsets.sources.folders.safe_names import SafeNames, cell_of
from pairsets.storage.artefacts import refuse_below_file, write_json
from pairsets.storage.csv_tables import column_names, csv_rows, csv_text, write_csv
from pairsets.storage.former_names import present_keys
from pairsets.storage.json_files import JsonError, read_object
from pairsets.storage.locks import Owner, exclusive
from pairsets.storage.settings import difference

# Beside the folders: identities whose folder is called otherwise; what gave no file.
NAMES, MISSING = "names.csv", "missing.csv"
Row = tuple[str, ...]


@dataclass(eq=False)
class FolderJournal:
    """Journal of the files that are being written into a folder; from any thread.

    Attributes:
        noted: how many files it vouches for since it was opened.
    """

    _stream: IO[bytes]
    _columns: int
    noted: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def begin(self, paths: Iterable[str]) -> None:
        """Say which files are about to be written: after a kill they are known to be ours."""
        self._write([(path, *[""] * (self._columns - 1)) for path in paths])

    def note(self, rows: Iterable[Row]) -> None:
        """Vouch for files that are in place."""
        listed = list(rows)
        self._write(listed)
        self.noted += len(listed)

    def _write(self, rows: list[Row]) -> None:
        with self._lock:
            self._stream.write(csv_text(rows).encode())
            self._stream.flush()


@dataclass(frozen=True, eq=False)
class FaceFolder:
    """Folder `root` of a kind of work, with a folder per identity.

    Attributes:
        root: of the identities' folders.
        kind: names the table `KIND.csv` and the manifest `KIND.json`.
        columns: of the table; the first is `path`, relative to `root`.
        key: what all files hang on. Files of another key are not used again.
    """

    root: Path
    kind: str
    columns: tuple[str, ...]
    key: Mapping[str, Any]
    _parts: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)

    @staticmethod
    def reserved(kind: str) -> tuple[str, ...]:
        """Names that no identity's folder may have."""
        return (UNFINISHED, NAMES, MISSING, f"{kind}.csv", f"{kind}.json")

    @property
    def table(self) -> Path:
        """Path of the table of files, which is there when all is done."""
        return self.root / f"{self.kind}.csv"

    @property
    def manifest(self) -> Path:
        """Path of the manifest, which is there when all is done."""
        return self.root / f"{self.kind}.json"

    @property
    def missing(self) -> Path:
        """Path of the list of what gave no file, and why; there if anything did not."""
        return self.root / MISSING

    def refuse(self, *, overwrite: bool, keyed: bool = True) -> None:
        """Raise OutputError where `filled` would; nothing is written, nor removed but litter.

        Without `keyed` the key is not known yet, and not asked for.
        """
        refuse_below_file(self.root)
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise OutputError(f"{self.root}: a file; expected a folder to be made")
        with os.scandir(self.root) as entries:
            found = list(entries)
        link = next((entry.path for entry in found if entry.is_symlink()), None)
        if link is not None:
            raise OutputError(
                f"{link}: a link, through which files would be written elsewhere; remove it"
            )
        others = [entry for entry in found if entry.name != UNFINISHED]
        finished, key = _key_of(self.manifest, self.kind), _key_of(self._begun, self.kind)
        if others and finished is None and key is None:
            raise OutputError(
                f"{self.root}: exists, and holds no {self.kind} of this command; choose another "
                "--out"
            )
        if keyed and not overwrite and key is not None and key != self.key:
            raise OutputError(
                f"{self.root}: holds unfinished {self.kind} of other settings "
                f"({difference(key, self.key)}); give those again, choose another --out, or begin "
                "anew with --overwrite"
            )
        if not overwrite and finished is not None and key is None:
            self._sweep()
            raise OutputError(
                f"{self.root}: exists; choose another --out, or replace it with --overwrite "
                "(files that still fit are kept)"
            )

    @contextmanager
    def filled(self, *, overwrite: bool, fits: Callable[[Row], bool]) -> Iterator[FolderJournal]:
        """Make ready to be filled; gives the journal to keep meanwhile.

        Args:
            overwrite: whether what an earlier run finished may be replaced.
            fits: asked of each row of an earlier run with the same key; a file whose row does not
                fit, or that has another key, is removed.

        Raises:
            OutputError: the folder holds something else, something finished that may not be
                replaced, or a link; or another process is writing into it.
        """
        self.refuse(overwrite=overwrite)
        new = not self.root.exists()
        with exclusive(self._work, self._busy):
            for part in self._work.glob("*.part"):
                part.unlink()
            stale: set[str] = set()
            # What is to be removed is told first: a kill may come before it is.
            rows = itertools.chain(self._recovered(fits, stale), self._doubtful(stale))
            write_csv(self._journal, self.columns, rows)
            write_json(self._begun, {"kind": self.kind, "key": dict(self.key)})
            for path in stale:
                self.remove(path)
            for file in (self.manifest, self.table, self.root / NAMES, self.missing):
                file.unlink(missing_ok=True)
            with self._journal.open("ab") as stream:
                journal = FolderJournal(stream, len(self.columns))
                try:
                    yield journal
                except Exception:
                    # Of an error, unlike of an interruption, nothing is left but finished work.
                    if new and not journal.noted:
                        for row in list(_rows_of(self._journal, self.columns)):
                            self.remove(row[0])
                        shutil.rmtree(self._work)
                        with suppress(OSError):
                            self.root.rmdir()
                    raise

    def _busy(self, owner: Owner) -> OutputError:
        return OutputError(f"{self.root}: {owner}, writes into it; wait until it is done")

    def _sweep(self) -> None:
        """Remove what a process left that was killed while it removed the work of what is done."""
        if self._work.is_dir():
            with suppress(OSError), exclusive(self._work, self._busy):
                if _key_of(self._begun, self.kind) is None:
                    shutil.rmtree(self._work)

    def put(self, path: str, data: bytes) -> None:
        """Write a file; whole or not at all, from any thread."""
        with self._placed(path) as part, part.open("xb") as stream:
            stream.write(data)

    def link(self, path: str, source: Path) -> None:
        """Put a file in place: a hard link to `source`, or a copy where there can be none."""
        with self._placed(path) as part:
            try:
                os.link(source, part)
            except OSError:
                shutil.copyfile(source, part)

    def finish(
        self,
        rows: Iterable[Row],
        names: SafeNames,
        missing: Sequence[Row],
        manifest: Mapping[str, object],
        *,
        missing_columns: Sequence[str] = ("identity", "id", "why"),
    ) -> list[Path]:
        """Write the tables and the manifest: all is done. Returns the files beside the faces."""
        files = [write_csv(self.table, self.columns, rows)]
        if names.changed:
            files.append(names.write(self.root / NAMES))
        if missing:
            files.append(write_csv(self.missing, missing_columns, missing))
        content = {"schema": 1, "kind": self.kind, "key": dict(self.key), **manifest}
        files.append(write_json(self.manifest, content))
        shutil.rmtree(self._work)
        return files

    @property
    def _work(self) -> Path:
        return self.root / UNFINISHED

    @property
    def _journal(self) -> Path:
        return self._work / "journal.csv"

    @property
    def _begun(self) -> Path:
        return self._work / "begun.json"

    @contextmanager
    def _placed(self, path: str) -> Iterator[Path]:
        file = self.root / path
        part = self._work / f"{next(self._parts)}.part"
        try:
            yield part
            try:
                part.replace(file)
            except FileNotFoundError:
                file.parent.mkdir(exist_ok=True)
                part.replace(file)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            if error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(file)) from error

    def _recovered(self, fits: Callable[[Row], bool], stale: set[str]) -> Iterator[Row]:
        """Rows of files that an earlier run left and that still fit; the others are `stale`."""
        kept: set[str] = set()
        for table, marker in ((self.table, self.manifest), (self._journal, self._begun)):
            same = _key_of(marker, self.kind) == self.key
            for row in _rows_of(table, self.columns):
                path = row[0]
                if path in kept:
                    continue
                if same and any(row[1:]) and fits(row):
                    kept.add(path)
                    stale.discard(path)
                    yield row
                else:
                    stale.add(path)

    def _doubtful(self, paths: Iterable[str]) -> Iterator[Row]:
        """Rows of files that an earlier run began and does not vouch for."""
        for path in sorted(paths):  # asked for when all of them are known
            yield (path, *[""] * (len(self.columns) - 1))

    def remove(self, path: str) -> None:
        """Remove a file that a table names, if it lies within this folder."""
        file = self.root / path
        if why_unsafe(path) is None and path.count("/") == 1 and not file.parent.is_symlink():
            with suppress(OSError):
                file.unlink()
            with suppress(OSError):
                file.parent.rmdir()


def missing_row(identity: str, picture: int | str, why: str) -> Row:
    """Row of the list of what gave no file."""
    return (cell_of(identity), cell_of(str(picture)), cell_of(why))


def _key_of(path: Path, kind: str) -> Mapping[str, Any] | None:
    """The key in a file of this kind of work; None where there is no such file."""
    try:
        found = read_object(path, "the manifest of a folder of faces", most=None)
        return present_keys(found.inner("key").content) if found.text("kind") == kind else None
    except (OSError, JsonError):
        return None


def _rows_of(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Whole rows of a table; what stands behind a damaged one vouches for nothing."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = (tuple(cells) for _, cells in csv_rows(path, stream))
            if tuple(column_names(next(rows, ()))) != columns:
                return
            for cells in rows:
                if len(cells) != len(columns):
                    return
                yield cells
    except (OSError, ValueError):
        return
