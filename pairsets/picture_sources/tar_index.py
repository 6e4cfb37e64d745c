"""Index of a tar shard: where each picture stands in it, and what is said of it beside.

It is made by one pass over the file, and kept in the user's cache. The reader takes no tar for
whole that ends without its end mark: Python's and WebDataset's end silently where one was cut.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from pairsets.arrays import Rows
from pairsets.errors import FacesError, PairsetsError
from pairsets.paths import is_image, is_text, why_unsafe
from pairsets.picture_sources.base import APPLE_DOUBLE
from pairsets.picture_sources.shard_files import ShardFile
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.json_files import parse_json
from pairsets.storage.remote_files import digest_of
from pairsets.storage.user_cache import cache_folder
from pairsets.text_column import TextColumn

# Another one where indices are made in another way.
_SCHEMA = 2
KINDS = ("cls", "txt", "json")
JSON = "json:"
# Bytes of a file that says who it is: a caption may be longer, an identity is not.
_LONGEST = 1 << 16
_BLOCK = 512
# Members after which those that Python's reader remembers are dropped.
_FORGOTTEN = 1000


@dataclass(frozen=True, eq=False)
class TarIndex:
    """The pictures of a tar shard, in the order of the file.

    Attributes:
        paths: of the pictures.
        places: `[N, 2]`, first byte and number of bytes.
        labels: what the asked field, else `cls`, says of each; empty where it says nothing.
        beside: how many pictures have a file of each of `KINDS` beside them.
        others: how many members are neither.
        resources: how many pictures by their names are macOS resource files.
    """

    paths: TextColumn
    places: Rows
    labels: TextColumn
    beside: Mapping[str, int]
    others: int
    resources: int = 0

    @classmethod
    def of(cls, shard: ShardFile, field: str | None) -> TarIndex:
        """The index that is kept of a shard, or one that is made and kept.

        Args:
            shard: the file.
            field: `txt` or `json:NAME`, whose content is kept; else that of `cls`.

        Raises:
            FacesError: a damaged or cut tar, a link, an unsafe name, one that comes twice, or a
                field that says no text.
            RemoteError: it cannot be read.
        """
        field = field if field == "txt" or (field or "").startswith(JSON) else "cls"
        name = f"{digest_of(f'{_SCHEMA} {shard.key} {field}'):016x}"
        file = cache_folder() / "indices" / f"{name}.npz"
        try:
            found = cls._parse(file.read_bytes())
        except (OSError, ValueError, KeyError, EOFError):
            found = _read(shard, field or "cls")
            with atomic_write(file) as stream:
                stream.write(found._bytes())
        return found

    def _bytes(self) -> bytes:
        beside = [self.beside.get(kind, 0) for kind in KINDS]
        arrays: dict[str, Any] = {
            "places": self.places,
            "counts": np.array([*beside, self.others, self.resources]),
        }
        for name, column in (("paths", self.paths), ("labels", self.labels)):
            texts = [*column.encoded()]
            arrays[f"{name}_data"] = np.frombuffer(b"".join(texts), np.uint8)
            arrays[f"{name}_sizes"] = np.array([*map(len, texts)], np.int64)
        held = io.BytesIO()
        np.savez(held, **arrays)
        return held.getvalue()

    @classmethod
    def _parse(cls, data: bytes) -> TarIndex:
        """The index of a kept file; ValueError for one that is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files}
        except Exception as error:  # of zip files, and what their parts hold
            raise ValueError(str(error)) from None
        columns = []
        for name in ("paths", "labels"):
            bounds = np.concatenate([[0], np.cumsum(arrays[f"{name}_sizes"])])
            columns.append(TextColumn(arrays[f"{name}_data"].tobytes(), bounds.astype(np.int64)))
        *beside, others, resources = arrays["counts"].tolist()
        return cls(
            columns[0],
            arrays["places"],
            columns[1],
            dict(zip(KINDS, beside, strict=True)),
            others,
            resources,
        )


def _read(shard: ShardFile, field: str) -> TarIndex:
    paths: list[str] = []
    places: list[tuple[int, int]] = []
    labels: dict[str, str] = {}
    beside: dict[str, set[str]] = {kind: set() for kind in KINDS}
    others = resources = 0
    wanted = field.partition(":")[0]
    with shard.opened() as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape") as archive:
                known: list[tarfile.TarInfo] = archive.members  # type: ignore[attr-defined]
                for member in archive:
                    if len(known) > _FORGOTTEN:
                        # Else a million of them are kept.
                        known.clear()
                    if member.isdir():
                        continue
                    path = _safe(shard, member)
                    key, _, kind = path.rpartition(".")
                    kind = kind.lower()
                    if _is_resource(archive, member):
                        resources += is_image(path)
                        others += not is_image(path)
                    elif is_image(path):
                        paths.append(path)
                        places.append((member.offset_data, member.size))
                    elif kind in beside:
                        beside[kind].add(key)
                        if kind == wanted:
                            labels[key] = _label(shard, archive, member, field)
                    else:
                        others += 1
                end = archive.offset
        except PairsetsError:
            raise
        # What is no header, or one of another kind, gives nearly any of them.
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            raise _damaged(shard, str(error)) from None
        _refuse_cut(shard, stream, end)
    twice = next((path for path, times in Counter(paths).items() if times > 1), None)
    if twice is not None:
        raise FacesError(f"{shard.name}: {twice!r} stands in it twice; remove one")
    keys = [path.rpartition(".")[0] for path in paths]
    return TarIndex(
        TextColumn.of(paths),
        np.array(places, np.int64).reshape(-1, 2),
        TextColumn.of(labels.get(key, "") for key in keys),
        {kind: sum(key in found for key in keys) for kind, found in beside.items()},
        others,
        resources,
    )


def _is_resource(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    """Whether a member is one that macOS leaves beside each file."""
    if not member.name.rpartition("/")[2].startswith("._"):
        return False
    stream = archive.extractfile(member)
    return stream is not None and stream.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE


def _safe(shard: ShardFile, member: tarfile.TarInfo) -> str:
    """The path of a member that is a plain file within the tar.

    Raises:
        FacesError: it is none.
    """
    path = member.name.removeprefix("./")
    if not member.isreg() or member.sparse is not None or member.size < 0:
        what = "a link" if member.issym() or member.islnk() else "no plain file"
        raise FacesError(f"{shard.name}: {path!r} is {what}: refused; pack the files themselves")
    if not is_text(path):
        raise FacesError(f"{shard.name}: the name {path!r} is not UTF-8")
    unsafe = why_unsafe(path)
    if unsafe:
        raise FacesError(f"{shard.name}: the name {path!r} {unsafe}: refused")
    return path


def _label(shard: ShardFile, archive: tarfile.TarFile, member: tarfile.TarInfo, field: str) -> str:
    """Content of a file beside a picture, empty where it says nothing.

    Raises:
        FacesError: it is no text, too long, or its JSON has no such field.
    """
    where = f"{shard.name}: {member.name}"
    if member.size > _LONGEST:
        raise FacesError(f"{where}: {member.size:,} bytes; is it who is shown?")
    stream = archive.extractfile(member)
    data = b"" if stream is None else stream.read()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FacesError(f"{where}: not UTF-8 text; expected who is shown") from None
    if not field.startswith(JSON):
        return text.strip()
    content = parse_json(text, where, "a JSON object", error=FacesError)
    name = field.removeprefix(JSON)
    if not isinstance(content, dict) or name not in content:
        known = ", ".join(map(str, content)) if isinstance(content, dict) else json.dumps(content)
        raise FacesError(f"{where}: no field {name!r}; there are {known[:200]}")
    value = content[name]
    if value is not None and not isinstance(value, str | int):
        raise FacesError(f"{where}: {name!r} is {str(value)[:60]!r}; expected a text or a number")
    return "" if value is None else str(value).strip()


def _refuse_cut(shard: ShardFile, stream: IO[bytes], end: int) -> None:
    """Raise FacesError where no end mark stands behind the last member."""
    stream.seek(end)
    if stream.read(_BLOCK) != bytes(_BLOCK):
        raise _damaged(shard, f"no end mark at byte {end:,}")


def _damaged(shard: ShardFile, why: str) -> FacesError:
    return FacesError(f"{shard.name}: cut short, damaged or no tar ({why}); fetch or make it again")
