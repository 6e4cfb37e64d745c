"""Files that hold many pictures, of this machine or beyond it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from pairsets.errors import FacesError
from pairsets.paths import is_image
from pairsets.storage.remote_files import Facts, RemoteFolder
from pairsets.storage.user_cache import cache_folder

TAR, PARQUET = ".tar", ".parquet"
# Which cannot be read at any place.
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
# A folder with more folders is one of pictures, or lies high above them.
FOLDERS = 1000


@dataclass(frozen=True)
class ShardFile:
    """One file of a set of shards.

    Attributes:
        home: folder that the set lies in.
        path: of this one within it.
        size, mtime_ns, tag: as it was listed; `tag` is the change time here, and the digest of the
            ETag elsewhere.
    """

    home: Path | RemoteFolder
    path: str
    size: int
    mtime_ns: int
    tag: int

    @property
    def name(self) -> str:
        """The file, for messages."""
        home = self.home.name if isinstance(self.home, RemoteFolder) else str(self.home)
        return f"{home}/{self.path}" if self.path else home

    def read(self, start: int, size: int) -> bytes:
        """So many bytes from a place on.

        Raises:
            FacesError: the file changed since it was listed, or cannot be read.
        """
        if isinstance(self.home, RemoteFolder):
            return self.home.read(self.path, start=start, end=start + size, size=size)
        with self.opened() as stream:
            stream.seek(start)
            return stream.read(size)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file, open for reading at any place.

        Raises:
            FacesError: it changed since it was listed, or cannot be read.
        """
        if isinstance(self.home, RemoteFolder):
            with self.home.opened(self.path) as stream:
                yield stream
            return
        try:
            stream = (self.home / self.path).open("rb")
        except OSError as error:
            raise FacesError(f"{self.name}: cannot be read: {error.strerror}") from None
        with stream:
            if _listed(self.home, self.path) != self:
                raise FacesError(f"{self.name}: changed since it was listed; start again")
            yield stream

    @property
    def key(self) -> str:
        """Digest of the file as it was listed: another one when it changed."""
        text = f"{self.name}\n{self.size}\n{self.mtime_ns}\n{self.tag}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def shards_here(root: Path) -> list[ShardFile]:
    """The shards that a path of this machine is or holds, sorted by path; none where it is else.

    Raises:
        FacesError: shards that are packed, of both kinds, or links.
    """
    if root.is_file():
        _refuse_packed(str(root), [root.name])
        if root.suffix.lower() not in (TAR, PARQUET):
            return []
        return [_listed(root.parent.absolute(), root.name)]
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*")}
    _refuse_packed(str(root), files)
    found = _of_one_kind(str(root), files)
    for path in found:
        if files[path].is_symlink():
            raise FacesError(f"{files[path]}: a link; links are refused. Copy the file")
    return [_listed(root.absolute(), path) for path in found if files[path].is_file()]


def are_shards(root: Path) -> bool:
    """Whether a path is a folder of shards alone: without a picture, a link, or many folders.

    It ends at the first of these, and raises nothing.
    """
    folders, found = [str(root)], False
    try:
        for folder in folders:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        return False
                    if entry.is_dir():
                        folders.append(entry.path)
                        if len(folders) > FOLDERS:
                            return False
                    elif is_image(entry.name) and not entry.name.startswith("._"):
                        return False
                    found |= entry.name.lower().endswith((TAR, PARQUET))
    except OSError:
        return False
    return found


def shards_there(folder: RemoteFolder, files: Mapping[str, Facts]) -> list[ShardFile]:
    """The shards of a listing, sorted by path; none where there are none.

    Raises:
        FacesError: shards that are packed, or of both kinds.
    """
    if [*files] == [""]:
        _refuse_packed(folder.name, [folder.name])
        if not folder.name.lower().endswith((TAR, PARQUET)):
            return []
        return [ShardFile(folder.parent, folder.base, *files[""])]
    _refuse_packed(folder.name, files)
    return [ShardFile(folder, path, *files[path]) for path in _of_one_kind(folder.name, files)]


def laid_in(shards: tuple[ShardFile, ...]) -> Path:
    """Folder for pictures of these shards alone, as they were listed."""
    return cache_folder() / "pictures" / _key_of(shards)


@lru_cache(maxsize=32)
def _key_of(shards: tuple[ShardFile, ...]) -> str:
    keys = "".join(shard.key for shard in shards)
    return hashlib.sha256(keys.encode()).hexdigest()[:16]


def _listed(home: Path, path: str) -> ShardFile:
    status = (home / path).stat()
    return ShardFile(home, path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _of_one_kind(name: str, files: Mapping[str, object]) -> list[str]:
    tars = sorted(path for path in files if path.lower().endswith(TAR))
    tables = sorted(path for path in files if path.lower().endswith(PARQUET))
    if tars and tables:
        raise FacesError(
            f"{name}: {len(tars):,} {TAR} files and {len(tables):,} {PARQUET} files; which are the "
            "faces? Name a folder, or a file, of one kind"
        )
    return tars or tables


def _refuse_packed(name: str, paths: Mapping[str, object] | list[str]) -> None:
    packed = next((path for path in paths if path.lower().endswith(PACKED)), None)
    if packed is not None:
        raise FacesError(
            f"{name}: {packed} is packed, so that no picture in it can be read by itself; unpack "
            f"it to a {TAR} (gunzip), or into a folder"
        )
