"""Place of pictures: a remote folder of them, or shards, here or there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from pairsets.errors import FacesError
from pairsets.identities.fields import ByField
from pairsets.identities.folders import by_folder
from pairsets.identities.rules import Naming, Rule
from pairsets.paths import IMAGE_SUFFIXES, is_image
from pairsets.picture_sources.base import APPLE_DOUBLE, NO_IMAGE, RESOURCE, Opened
from pairsets.picture_sources.parquet_pictures import open_tables
from pairsets.picture_sources.remote_pictures import RemotePictures
from pairsets.picture_sources.shard_files import TAR, ShardFile, shards_here, shards_there
from pairsets.picture_sources.tar_pictures import open_tars
from pairsets.storage.remote_files import Facts, RemoteFolder

# What `crop` (`crops.csv`) and `arrange` (`faces.csv`) leave beside the identities' folders.
_RECORDS = {
    f"{kind}.json": (f"{kind}.json", f"{kind}.csv", "names.csv", "missing.csv")
    for kind in ("crops", "faces")
}
# All of these names.
RECORDS = frozenset(name for names in _RECORDS.values() for name in names)


def open_shards(root: Path, rule: Rule | None = None) -> Opened | None:
    """The pictures of shards of this machine; None where a path is or holds none.

    Args:
        root: a shard, or a folder.
        rule: by which identities will be told; one `ByField` decides what is read.

    Raises:
        FacesError, SourceError: see `open_tars`, `open_tables`.
    """
    return _of_shards(str(root), shards_here(root), rule)


def open_remote(folder: RemoteFolder, unfinished: str, rule: Rule | None = None) -> Opened:
    """The pictures of a remote place: those of a folder, or of the shards that are or lie there.

    Args:
        folder: the place.
        unfinished: name of a folder that lies there as long as it is being filled.
        rule: as in `open_shards`.

    Raises:
        FacesError, SourceError: as `open_shards`; or no picture at all.
        RemoteError: it cannot be listed, as for a name that is unsafe, or a shard not read.
    """
    files = folder.find()
    if any(path.split("/")[0] == unfinished for path in files):
        raise FacesError(
            f"{folder.name}: not all faces are in it yet: it holds {unfinished}/; give the command "
            "that fills it once more"
        )
    found: list[tuple[str, Facts]] = []
    skipped = Counter[str]()
    for path in sorted(files):
        if not path or not is_image(path):
            skipped[NO_IMAGE] += 1
        elif path.rpartition("/")[2].startswith("._") and _is_resource(folder, path):
            skipped[RESOURCE] += 1
        else:
            found.append((path, files[path]))
    if found:
        source = RemotePictures.of(folder, found)

        def name(rule: Rule | None) -> Naming:
            return by_folder(folder.name, source.paths) if rule is None else rule.name(source.paths)

        skipped[NO_IMAGE] -= sum(path in files for path in records_of(files))
        return Opened(source, source.paths, name, +skipped)
    opened = _of_shards(folder.name, shards_there(folder, files), rule)
    if opened is None:
        raise FacesError(
            f"{folder.name}: no images in it; expected <identity>/<image> with "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}, or .tar or .parquet shards of them"
        )
    return opened


def records_of(files: Container[str]) -> set[str]:
    """Names of the files by which `crop` and `arrange` tell what they made, if these are there."""
    return {name for made, names in _RECORDS.items() if made in files for name in names}


def _of_shards(title: str, shards: Sequence[ShardFile], rule: Rule | None) -> Opened | None:
    if not shards:
        return None
    field = rule.field if isinstance(rule, ByField) else None
    opening = open_tars if shards[0].path.lower().endswith(TAR) else open_tables
    return opening(title, shards, field)


def _is_resource(folder: RemoteFolder, path: str) -> bool:
    return folder.read(path, start=0, end=len(APPLE_DOUBLE)) == APPLE_DOUBLE
