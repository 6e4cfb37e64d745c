"""Arguments of a command that are URLs: its inputs are fetched, its output is pushed when it ends.

A command reads and writes paths of this machine. What it is given by URL lies, while it is at work,
in the user's cache: a folder of faces stays where it is and is read face by face, anything else is
fetched whole. What goes to a URL is written into a folder of the cache, where a killed command
finds its work again, and pushed when the command has ended well: manifests last, so that nothing
half-pushed passes for whole. A command that fails leaves the target as it was.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pairsets.errors import OutputError, RemoteError
from pairsets.storage.artefacts import write_json
from pairsets.storage.json_files import read_object
from pairsets.storage.mirrors import mirror_of
from pairsets.storage.publication import claimed
from pairsets.storage.remote_files import (
    Facts,
    MissingError,
    RemoteFolder,
    is_remote,
    remote_url,
    shown,
)

MANIFEST = "manifest.json"
# By which a folder of vectors is known, whole or not.
_VECTORS = "vectors.npy"
# Stands in a run that is not finished, as `mining.commands.run_folder` has it.
_UNFINISHED = "UNFINISHED"
_REPORT = "report.html"
# Addresses of servers, which are no files.
_SERVERS = ("http:", "https:", "ray:")
# Files of a folder that is fetched whole: what has more is no input but faces.
_MOST = 10_000
_TEXT = re.compile(r"(?P<name>[^=:/]*=)?(?P<url>.+)", re.DOTALL)
# Arguments of this machine, by option.
_REFUSED = {
    "cache": "--cache",
    "figure": "--figure",
    "study": "--study",
    "out_plots": "--out-plots",
}
# Schemes of one place.
_SAME = {"gcs": "gs", "s3a": "s3"}
# What is written as a file alone, with none beside it.
_PICTURES = (".png", ".svg")


@dataclass(frozen=True)
class Roles:
    """Names of a command's arguments by what becomes of their URLs.

    Attributes:
        outputs: what is written.
        faces: folders of faces, which are read face by face.
        refused: what has to be of this machine, each with the option that gives it.
    """

    outputs: Sequence[str] = ("out",)
    faces: Sequence[str] = ("faces",)
    refused: Mapping[str, str] = field(default_factory=lambda: _REFUSED)


def any_remote(options: Mapping[str, object]) -> bool:
    """Whether one of a command's arguments is a URL."""
    return any(map(_is_url, _values(options)))


@contextmanager
def staged(options: Mapping[str, Any], roles: Roles | None = None) -> Iterator[dict[str, Any]]:
    """A command's arguments with paths of this machine for URLs; outputs are pushed at the end.

    Args:
        options: the arguments by name: paths, texts, lists of them, or anything else.
        roles: which are which.

    Raises:
        RemoteError: a place cannot be reached, read or written; nothing is changed there then, but
            where a push was cut off.
        OutputError: an output is or lies in an input, or an argument has to be of this machine.
    """
    roles = roles or Roles()
    for name, option in roles.refused.items():
        url = _url(options.get(name))
        if url is not None:
            raise OutputError(f"{shown(url)}: {option} is a place of this machine; give a path")
    _refuse_in_faces(options, roles)
    _refuse_inputs(options, roles)
    local = dict(options)
    with ExitStack() as stack:
        outputs: list[_Output] = []
        for name in roles.outputs:
            url = _url(options.get(name))
            if url is not None:
                output = _Output.begin(url, stack, overwrite=bool(options.get("overwrite")))
                outputs.append(output)
                local[name] = output.place
        for name, value in options.items():
            if name not in roles.outputs:
                local[name] = _here(value, lazily=name in roles.faces)
        yield local
        for output in outputs:
            output.push()


def fetched(url: str) -> Path:
    """A file with all that is called after it, or a folder, copied to this machine.

    What was fetched before and is listed as it was is not fetched again.

    Raises:
        RemoteError: it cannot be fetched, or a folder is not whole.
    """
    remote, place = RemoteFolder(url), mirror_of(url, "input")
    files = remote.find()
    if [*files] == [""]:
        home, files = remote.parent, _called_alike(remote)
        _renew(home, files, place.parent)
        return place
    if _VECTORS in files and MANIFEST not in files:
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
    before = _read_facts(note)
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


@dataclass
class _Output:
    """A place that is written to, and what is known of it.

    Attributes:
        remote: the target, a folder or a file.
        place: where it is written meanwhile.
        whole: whether all of it has to be pushed, since an earlier push was cut off.
    """

    remote: RemoteFolder
    place: Path
    whole: bool

    @classmethod
    def begin(cls, url: str, stack: ExitStack, *, overwrite: bool) -> _Output:
        """Bring here what is there already, as far as the command has to know it."""
        remote, place = RemoteFolder(url), mirror_of(url, "output")
        stack.enter_context(claimed(place.parent, folder=True))
        place.parent.mkdir(parents=True, exist_ok=True)
        output = cls(remote, place, False)
        there, known = output._listed(), _read_facts(output._note)
        if output._cut.exists():
            # Half of what is there is ours: it is made whole, and what was made is made anew.
            output.whole = True
            output._reopen()
        elif there != known or not output._note.exists():
            output._renew(there, overwrite=overwrite)
        return output

    @property
    def _note(self) -> Path:
        return self.place.parent / ".listed.json"

    @property
    def _cut(self) -> Path:
        return self.place.parent / ".pushing"

    def _listed(self) -> dict[str, Facts]:
        """Files at the target: below a folder, or those called alike."""
        try:
            found = self.remote.find()
        except MissingError:
            return self._beside()
        return self._beside() if [*found] == [""] else found

    def _is_folder(self) -> bool:
        """Whether the target is a folder that is there, and no file or beginning of files."""
        try:
            return [*self.remote.find()] != [""]
        except MissingError:
            return False

    def _beside(self) -> dict[str, Facts]:
        try:
            return _called_alike(self.remote)
        except MissingError:
            return {}

    def _renew(self, there: Mapping[str, Facts], *, overwrite: bool) -> None:
        """Begin anew, with what is at the target now."""
        home = self.place.parent
        for old in home.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        stand_ins: list[str] = []
        if there:
            is_file = not self._is_folder()
            into = home if is_file else self.place
            source = self.remote.parent if is_file else self.remote
            if is_file and not PurePosixPath(self.remote.base).suffix:
                # That they are there is all that is asked of those beside a folder to come.
                stand_ins = [*there]
                for name in stand_ins:
                    (home / name).touch()
            elif is_file or overwrite or _VECTORS in there:
                source.fetch(there, into)
            else:
                # To be refused by the command, which needs no more for that.
                stand_ins, there = [next(iter(there))], {}
                (into / stand_ins[0]).parent.mkdir(parents=True)
                (into / stand_ins[0]).touch()
        self._write_note(there, stand_ins)

    def _write_note(self, there: Mapping[str, Facts], stand_ins: Sequence[str] = ()) -> None:
        """Note what is at the target, and which files here are the same, or stand for them."""
        files = {path: [*facts] for path, facts in there.items()}
        here = {path: [*status] for path, status in self._snapshot().items()}
        kind = "folder" if self.place.is_dir() else "file"
        held = {"files": files, kind: here, "stand_ins": dict.fromkeys(stand_ins, 0)}
        write_json(self._note, held)

    def _read_before(self) -> tuple[dict[str, tuple[int, int]], set[str]]:
        """Size and time of each file here when it was last what the target has; and stand-ins."""
        kind = "folder" if self.place.is_dir() else "file"
        try:
            note = read_object(self._note, "what was pushed", most=None)
            # What lay beside a folder that came since is none of its files.
            here = note.inner(kind).content if kind in note.content else {}
            before = {str(path): (int(size), int(time)) for path, (size, time) in here.items()}
            return before, {*note.inner("stand_ins").content}
        except (OSError, ValueError, TypeError):
            return {}, set()

    def _reopen(self) -> None:
        """Let the command work again where it had ended, and was not pushed whole."""
        if self.place.is_dir():
            if not (self.place / _VECTORS).exists():
                (self.place / _UNFINISHED).write_text("What was made was not pushed whole.\n")
            return
        before, _ = self._read_before()
        for name, status in self._snapshot().items():
            # What was only fetched is somebody's, and stays.
            if status != before.get(name):
                (self.place.parent / name).unlink()

    def _snapshot(self) -> dict[str, tuple[int, int]]:
        """Size and time of each file that is a result."""
        home = self.place if self.place.is_dir() else self.place.parent
        found = {}
        for file in home.rglob("*"):
            name = file.relative_to(home).as_posix()
            if not file.is_file() or any(part.startswith(".") for part in name.split("/")):
                continue
            status = file.stat()
            found[name] = status.st_size, status.st_mtime_ns
        return found

    def push(self) -> None:
        """Copy what was written to the target, and remove there what was removed here."""
        is_folder = self.place.is_dir()
        home = self.place if is_folder else self.place.parent
        target = self.remote if is_folder else self.remote.parent
        now = self._snapshot()
        before, stand_ins = self._read_before()
        gone = [name for name in before if name not in now]
        changed = [
            name
            for name in now
            if (self.whole and is_folder and name not in stand_ins) or now[name] != before.get(name)
        ]
        if changed or gone:
            self._cut.touch()
            there = {name for name in now if name not in stand_ins or name in changed}
            # Beside a file lie those of others, which are left as they are.
            last = [one for one in _endings(there) if is_folder or _of_set(one, changed)]
            target.push(home, changed, last)
            target.remove(gone)
            self._cut.unlink()
        if is_folder:
            self._write_note(self._listed())
        else:
            shutil.rmtree(home)


def _endings(names: Collection[str]) -> list[str]:
    """Files that say that others are whole, in the order in which they are pushed.

    Each table that a manifest tells of comes when all else is there, then the manifests, and the
    report of a run at the very end.
    """
    paired = [name for name in names if name.endswith(".json") and f"{name[:-5]}.csv" in names]
    others = [name for name in names if name.rpartition("/")[2] == MANIFEST and name not in paired]
    tables = [f"{name[:-5]}.csv" for name in paired]
    return [*sorted(tables), *sorted([*paired, *others]), *([_REPORT] if _REPORT in names else [])]


def _of_set(ending: str, changed: Collection[str]) -> bool:
    """Whether a table, its manifest, or a file that is called after both changed."""
    stem = ending.rpartition(".")[0]
    return any(name.startswith(f"{stem}.") for name in changed)


def _called_alike(remote: RemoteFolder) -> dict[str, Facts]:
    """The files beside one that are called after it, and itself."""
    stem = remote.base.rpartition(".")[0] or remote.base
    found = remote.parent.find(deep=False)
    return {
        name: facts
        for name, facts in found.items()
        if name == remote.base or name.startswith(f"{stem}.")
    }


def _read_facts(note: Path) -> dict[str, Facts]:
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


def _values(options: Mapping[str, object]) -> Iterator[object]:
    for value in options.values():
        yield from value if isinstance(value, list | tuple) else [value]


def _is_url(value: object) -> bool:
    if isinstance(value, Path):
        return is_remote(value)
    # Else `onnx:/models/x.onnx`, the name of a model, would be one.
    if not isinstance(value, str) or "://" not in value:
        return False
    text = _parted(value)[1]
    return is_remote(text) and not text.lower().startswith(_SERVERS)


def _url(value: object) -> str | None:
    return remote_url(value) if isinstance(value, Path | str) and _is_url(value) else None


def _parted(text: str) -> tuple[str, str]:
    """Name before a file in `NAME=FILE`, with the sign, and the file."""
    match = _TEXT.fullmatch(text)
    return (match["name"] or "", match["url"]) if match else ("", text)


def _here(value: Any, *, lazily: bool) -> Any:
    """A path of this machine for a URL; anything else as it is."""
    if isinstance(value, list):
        return [_here(one, lazily=lazily) for one in value]
    if not _is_url(value):
        return value
    front, text = _parted(value) if isinstance(value, str) else ("", value)
    url = remote_url(text)
    assert url is not None
    if lazily:
        place = mirror_of(url)
        place.mkdir(parents=True, exist_ok=True)
    else:
        place = fetched(url)
    return f"{front}{place}" if isinstance(value, str) else place


def _refuse_in_faces(options: Mapping[str, Any], roles: Roles) -> None:
    """Raise OutputError where an output's URL lies in that of the faces."""
    for name in roles.outputs:
        out = _url(options.get(name))
        for other in roles.faces:
            for faces in _urls(options.get(other)):
                if out and f"{_plain(out)}/".startswith(f"{_plain(faces)}/"):
                    raise OutputError(
                        f"{shown(out)}: inside the faces folder {shown(faces)}, where its pictures "
                        "would become faces; choose another --out"
                    )


def _refuse_inputs(options: Mapping[str, Any], roles: Roles) -> None:
    """Raise OutputError where an output is an input, lies in one, or is called as one is."""
    others = [name for name in options if name not in roles.outputs]
    inputs = [url for name in others for url in _urls(options[name])]
    for out in filter(None, (_url(options.get(name)) for name in roles.outputs)):
        plain = _plain(out)
        above, _, base = plain.rpartition("/")
        stem, dot, ending = base.rpartition(".")
        alike = f"{above}/{stem or base}."
        for url in inputs:
            found = _plain(url)
            if f"{plain}/".startswith(f"{found}/") or (
                # Tables come with files beside them.
                found.startswith(alike)
                and "/" not in found[len(alike) :]
                and f"{dot}{ending}".lower() not in _PICTURES
            ):
                raise OutputError(
                    f"{shown(out)}: {shown(url)} is read by this command, and an input is never "
                    "replaced; choose another --out"
                )


def _urls(value: object) -> list[str]:
    """The URLs that an argument is or holds, also those behind a name."""
    values = value if isinstance(value, list | tuple) else [value]
    found = [_parted(one)[1] if isinstance(one, str) else one for one in values if _is_url(one)]
    return [url for one in found if isinstance(one, Path | str) and (url := remote_url(one))]


def _plain(url: str) -> str:
    """A URL in the one spelling of all of its place, to be compared.

    >>> _plain("s3a://bucket//x/"), _plain("gcs://bucket/x")
    ('s3://bucket/x', 'gs://bucket/x')
    """
    scheme, _, rest = shown(url).partition("://")
    return f"{_SAME.get(scheme, scheme)}://{re.sub('/+', '/', rest).strip('/')}"
