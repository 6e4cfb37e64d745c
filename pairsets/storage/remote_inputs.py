"""Files of a bucket that a command reads, copied to this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pairsets.errors import RemoteError
from pairsets.storage.artefacts import write_json
from pairsets.storage.json_files import read_object
from pairsets.storage.mirrors import mirror_of
from pairsets.storage.remote_files import Facts, RemoteFolder

MANIFEST = "manifest.json"
# By which a folder of vectors is known, whole or not.
VECTORS = "vectors.npy"
# Files of a folder that is fetched whole: what has more is no input but faces.
_MOST = 10_000


def fetched(url: str) -> Path:
    """A file with all that is called after it, or a folder, copied to this machine.

    What was fetched before and is listed as it was is not fetched again.

    Raises:
        RemoteError: it cannot be fetched, or a folder is not whole.
    """
    remote, place = RemoteFolder(url), mirror_of(url, "input")
    files = remote.find()
    if [*files] == [""]:
        home, files = remote.parent, called_alike(remote)
        _renew(home, files, place.parent)
        return place
    if VECTORS in files and MANIFEST not in files:
        raise RemoteError(
            f"{remote.name}: not a finished folder of embeddings: {MANIFEST} is missing; what "
            "wrote it was interrupted. Give that command (lookalikes embed) again"
        )
    if MANIFEST in files:
        files = {path: facts for path, facts in files.items() if "/" not in path}
    if len(files) > _MOST:
        raise RemoteError(
            f"{remote.name}: {len(files):,} files; expected a folder of embeddings, or a file"
        )
    _renew(remote, files, place)
    return place


def _renew(remote: RemoteFolder, files: Mapping[str, Facts], place: Path) -> None:
    """Fetch those files that are not here, or are listed otherwise than when they were fetched."""
    note = place.parent / f".{place.name}.fetched.json"
    if place.is_file():
        place.unlink()
    place.mkdir(parents=True, exist_ok=True)
    before = read_facts(note)
    _clear(place, files)
    changed = {
        path: facts
        for path, facts in files.items()
        if before.get(path) != facts or not _has_size(place / path, facts.size)
    }
    note.unlink(missing_ok=True)
    remote.fetch(changed, place)
    write_json(note, {"files": {path: [*facts] for path, facts in files.items()}})


def _clear(home: Path, files: Mapping[str, object]) -> None:
    """Remove what is not listed, as of a fetch that was interrupted before it was noted."""
    for old in sorted(home.rglob("*"), reverse=True):
        if old.is_dir() and not old.is_symlink():
            if not any(old.iterdir()):
                old.rmdir()
        # Others fetch into hidden files.
        elif old.relative_to(home).as_posix() not in files and not old.name.startswith("."):
            old.unlink()


def called_alike(remote: RemoteFolder) -> dict[str, Facts]:
    """The files beside one that are called after it, and itself."""
    stem = remote.base.rpartition(".")[0] or remote.base
    found = remote.parent.find(deep=False)
    return {
        name: facts
        for name, facts in found.items()
        if name == remote.base or name.startswith(f"{stem}.")
    }


def read_facts(note: Path) -> dict[str, Facts]:
    """Facts that were noted; none where the note is missing or damaged."""
    try:
        files = read_object(note, "what was fetched", most=None).inner("files").content
        return {str(path): Facts(*map(int, facts)) for path, facts in files.items()}
    except (OSError, ValueError, TypeError):
        return {}


def _has_size(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except OSError:
        return False
