"""Files that take their places together: all of them or none, whenever the process is killed.

They are written into hidden folders beside their places. A journal, `.publishing.json`, then says
what is about to be moved; what is replaced is kept until all is in place, and the journal is
removed last: that is the moment at which the new files count. Where a killed process left a journal
behind, whoever next reads or writes in the folder undoes what it names: the old files are there
again, and the same command runs as it did before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from errno import EISDIR
from functools import wraps
from inspect import signature
from pathlib import Path, PurePosixPath
from typing import Any, ParamSpec, TypeGuard, TypeVar

from pairsets.errors import OutputError
from pairsets.storage import locks
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import json_text

_P = ParamSpec("_P")
_R = TypeVar("_R")

JOURNAL = ".publishing.json"
# Of what is replaced, in the folder of what is to come.
_OLD = "replaced"
# Of a journal that is written whole.
_END = b"\n"
# A journal in a folder above that of a file concerns it too, so far up.
_ABOVE = 3


@contextmanager
def written_together(
    files: Sequence[Path],
    *,
    manifest: Path | None = None,
    stale: Iterable[Path] = (),
    spent: Iterable[Path] = (),
    overwrite: bool = True,
) -> Iterator[Path]:
    """A temporary folder for `files`, which take their places when the block has written them all.

    A file that the block does not write is left as it is. On an error the old ones stay, all of
    them; an `OSError` names the file it was about.

    Args:
        files: each of another name. They may lie in several folders; those of one below another,
            or of a folder above them all that can be written into, are all there or none.
        manifest: the one of them that is to hold the digests of the others, as `files`.
        stale: files of an earlier result, which go when these come.
        spent: files and folders of work under way that are not needed once these are in place.
        overwrite: whether files may be replaced; else one that has come meanwhile is an error.

    Raises:
        OutputError: a file is there by now that was not there when the work began.
    """
    names = [file.name for file in files]
    if len({*names}) < len(names):
        raise ValueError(f"files of one name: {', '.join(map(str, files))}")
    parent, stale = files[0].parent, [*stale]
    if _is_staging(parent):
        # Part of what is published already: they take their places with all of that.
        yield parent
        return
    parent.mkdir(parents=True, exist_ok=True)
    sweep([*files, *stale])
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(staging(files[0]))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(files[0])) from error
        try:
            yield folder
            # What readers go by comes last.
            written = sorted(
                (file for file in files if (folder / file.name).exists()),
                key=lambda file: file == manifest,
            )
            if manifest is not None:
                _add_digests(folder, manifest, written)
            _publish(folder, written, stale, [*spent], overwrite=overwrite)
        except OSError as error:
            if error.errno is None and str(folder) in str(error):  # a library's, in words
                raise OSError(str(error).replace(str(folder), str(parent))) from error
            file = Path(str(error.filename))
            if error.errno is None or file.parent != folder:
                raise
            raise OSError(error.errno, error.strerror, str(parent / file.name)) from error


def alone(
    name: str = "out",
    *,
    folder: bool = False,
    otherwise: tuple[str, Callable[[Path], Path]] | None = None,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let a command be the only one that writes what its argument of this name says.

    That is a file and what is called after it, or a folder. Another command that is asked to write
    there meanwhile raises OutputError, with the process that is at work. Where the argument is not
    given, `otherwise` says which other one the place follows from, and how. Without any, or where
    nothing can lie there, the command is called as it is.
    """

    def decorate(command: Callable[_P, _R]) -> Callable[_P, _R]:
        parameters = signature(command)

        @wraps(command)
        def only(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            given = parameters.bind(*args, **kwargs).arguments
            out = given.get(name)
            if out is None and otherwise is not None:
                other, place = otherwise
                out = None if given.get(other) is None else place(Path(given[other]))
            if out is None:
                return command(*args, **kwargs)
            with claimed(Path(out), folder=folder):
                return command(*args, **kwargs)

        return only

    return decorate


@contextmanager
def claimed(out: Path, *, folder: bool = False) -> Iterator[None]:
    """Hold a file and what is called after it, or a folder, for this process alone.

    Raises:
        OutputError: another process has it.
    """

    def busy(owner: locks.Owner) -> OutputError:
        return OutputError(
            f"{out}: {owner}, writes there; wait until it is done, or choose another --out"
        )

    try:
        place = out.resolve()
    except (OSError, RuntimeError):  # a ring of links
        yield
        return
    above = next((one for one in place.parents if one.exists()), None)
    impossible = above is None or not above.is_dir() or (folder and place.is_file())
    if impossible or not place.name:
        yield  # to be refused by who knows why
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.held(_claim(place, folder=folder), busy))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(out)) from error
        yield


def disclaim(out: Path) -> None:
    """Remove the lock file that a killed process left of its claim to the file `out`."""
    locks.clear(_claim(out.absolute(), folder=False))


def _claim(place: Path, *, folder: bool) -> Path:
    """The lock file of a claim to a file and what is called after it, or to a folder."""
    return place.with_name(f".{place.name if folder else place.stem}.lock")


def settle(*files: Path) -> None:
    """Undo what a killed process had half put in place where `files` lie.

    While another process is at it, it is waited for: that takes a moment.

    Raises:
        OutputError: it cannot be undone, as on a disk that is read-only, or is another user's.
    """
    homes = {file.parent for file in files}
    if len(homes) > 1:
        homes.add(_common(homes))
    above = {folder for home in homes for folder in [*home.absolute().parents][: _ABOVE - 1]}
    for folder in sorted(homes | above):
        journal = folder / JOURNAL
        if journal.is_file() and (_is_own(journal) or folder in homes):
            with _journal(folder, make=False):
                pass


def sweep(files: Iterable[Path]) -> None:
    """Remove what killed processes left of the temporary files and folders of `files`."""
    folders: dict[Path, set[str]] = {}
    for file in files:
        folders.setdefault(file.parent, set()).add(file.name)
    settle(*(folder / JOURNAL for folder in folders))
    for folder, names in folders.items():
        try:
            with os.scandir(folder) as entries:
                found = [entry.name for entry in entries if entry.name.endswith(".tmp")]
        except OSError:
            continue
        for name in found:
            match = _TEMPORARY.fullmatch(name)
            if match and match["name"] in names and locks.is_free(folder / name):
                _remove(folder / name)


# As `temporary_name` makes them.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.tmp", re.DOTALL)


def temporary_name(file: Path) -> Path:
    """A name beside `file` for what is to become it."""
    return file.with_name(f".{file.name}.{os.getpid()}.tmp")


def _is_staging(folder: Path) -> bool:
    """Whether a folder is one that this process stages files in."""
    match = _TEMPORARY.fullmatch(folder.name)
    return match is not None and int(match["pid"]) == os.getpid()


@contextmanager
def staging(file: Path) -> Iterator[Path]:
    """A temporary folder beside `file`, held so that no other process takes it for litter."""
    folder, handle = temporary_name(file), None
    try:
        while True:
            _remove(folder)  # of an earlier process with this number
            folder.mkdir()
            if os.name == "nt":  # where a folder cannot be opened
                break
            handle = os.open(folder, os.O_RDONLY)
            locks.lock(handle)
            if locks.same(handle, folder):
                break
            os.close(handle)
        yield folder
    finally:
        _remove(folder)
        if handle is not None:
            os.close(handle)


def _add_digests(folder: Path, manifest: Path, files: Sequence[Path]) -> None:
    """Let the manifest say what lies beside it."""
    place = folder / manifest.name
    content = json.loads(place.read_text("utf-8"))
    beside = [file.name for file in files if file.parent == manifest.parent and file != manifest]
    content["files"] = {name: sha256(folder / name) for name in beside}
    place.write_text(json_text(content), "utf-8", newline="\n")


def _publish(
    staged: Path,
    files: Sequence[Path],
    stale: Sequence[Path],
    spent: Sequence[Path],
    *,
    overwrite: bool,
) -> None:
    """Put what was staged in place: with one journal where one folder lies above them all."""
    stale = [file for file in stale if file.exists()]
    if not files and not stale:
        return
    for group in _groups([*files, *stale]):
        moved = [file for file in files if file in group]
        gone = [file for file in stale if file in group]
        root = _common([file.parent for file in group])
        with ExitStack() as stack:
            stages = {staged.parent: staged}
            for file in group:
                if file.parent not in stages:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    stages[file.parent] = stack.enter_context(staging(file))
            for file in moved:
                place = stages[file.parent] / file.name
                if place.parent != staged:
                    shutil.copyfile(staged / file.name, place)
                sync(place)
            journal = stack.enter_context(_journal(root))
            assert journal is not None
            if not overwrite:
                for file in moved:
                    _refuse_new(file)
            replaced = journal.begin(stages, moved, gone)
            journal.move()
            for path in spent:
                _remove(path)
            if not replaced:
                # Nothing is left to be removed when the new files count.
                for place in stages.values():
                    _remove(place)


def _refuse_new(file: Path) -> None:
    if file.exists():
        raise OutputError(
            f"{file}: another process has written it meanwhile; choose another --out, or replace "
            "it with --overwrite"
        )


def _groups(files: Sequence[Path]) -> list[list[Path]]:
    """All `files`; folder by folder, where none can be written into that lies above them all."""
    root = _common([file.parent for file in files])
    if all(file.parent == root for file in files) or os.access(root, os.W_OK):
        return [[*files]]
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    # The first is what was asked for: others are there when it is.
    return [*folders.values()][::-1]


def _common(folders: Iterable[Path]) -> Path:
    found = [*dict.fromkeys(folders)]
    if len(found) == 1:
        return found[0]
    return Path(os.path.commonpath([folder.absolute() for folder in found]))


class _Journal:
    """Journal of what is being put in place below `root`, in a file held open and locked."""

    def __init__(self, root: Path, handle: int) -> None:
        self._root, self._handle = root, handle
        self._moves: list[dict[str, object]] = []

    def begin(
        self, stages: Mapping[Path, Path], files: Sequence[Path], stale: Sequence[Path]
    ) -> bool:
        """Write down what is about to happen; whether something is replaced."""
        replaced = False
        for folder in dict.fromkeys(file.parent for file in (*files, *stale)):
            stage = stages[folder]
            new = [file.name for file in files if file.parent == folder]
            gone = [file.name for file in stale if file.parent == folder]
            old = [name for name in (*new, *gone) if (folder / name).exists()]
            for name in old:
                if (folder / name).is_dir():
                    raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(folder / name))
            if old:
                replaced = True
                (stage / _OLD).mkdir(exist_ok=True)
            below = Path(os.path.relpath(folder.absolute(), self._root.absolute())).as_posix()
            self._moves.append(
                {"folder": below, "staged": stage.name, "new": new, "old": old, "stale": gone}
            )
        data = json.dumps({"moves": self._moves}).encode() + _END
        try:
            locks.write(self._handle, data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._root / JOURNAL)) from error
        os.fsync(self._handle)
        sync(self._root)
        return replaced

    def move(self) -> None:
        """Put everything in place."""
        for folder, stage, new, old, stale in _read_moves(self._root, {"moves": self._moves}):
            for name in old:
                _keep(folder / name, stage / _OLD / name)
            for name in new:
                (stage / name).replace(folder / name)
            for name in stale:
                (folder / name).unlink(missing_ok=True)
            sync(folder)

    def undo(self) -> None:
        """Put back what was there before, as far as a killed process got."""
        data = locks.read(self._handle)
        if not data.endswith(_END):
            # Cut off while it was written: nothing was moved yet.
            return
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            raise _stranger(self._root) from None
        for folder, stage, new, old, _ in _read_moves(self._root, content):
            for name in old:
                if (stage / _OLD / name).exists():
                    (stage / _OLD / name).replace(folder / name)
            for name in new:
                if name not in old and not (stage / name).exists():
                    (folder / name).unlink(missing_ok=True)
            sync(folder)
            _remove(stage)


@contextmanager
def _journal(root: Path, *, make: bool = True) -> Iterator[_Journal | None]:
    """The journal in `root`, alone; what a killed process left in it is undone first.

    It is removed when the block ends; if with an error, what it says is undone. Without `make`
    there may be none.
    """
    file = root / JOURNAL
    handle = _opened(file, make=make)
    if handle is None:
        yield None
        return
    with ExitStack() as opened:
        opened.callback(os.close, handle)
        journal = _Journal(root, handle)
        journal.undo()
        try:
            if make:
                os.ftruncate(handle, 0)
                yield journal
            else:
                yield None
        except BaseException:
            journal.undo()
            locks.remove(file, opened)
            raise
        locks.remove(file, opened)
        sync(root)


def _opened(file: Path, *, make: bool) -> int | None:
    """The journal, open and locked; None where there is none and none is to be made."""
    flags = os.O_RDWR | locks.BINARY | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if make else 0)
    while True:
        try:
            handle = os.open(file, flags, 0o666)
        except FileNotFoundError:
            if make:
                raise
            return None
        except OSError as error:
            if make:
                raise
            raise OutputError(
                f"{file.parent}: an interrupted command left its files half in place, and they "
                f"cannot be put right here ({error.strerror}); run that command again where you "
                "may write"
            ) from None
        locks.lock(handle, wait=True)
        if locks.same(handle, file) or os.name == "nt":
            break
        os.close(handle)
    if not _is_own(file):
        os.close(handle)
        raise OutputError(
            f"{file}: an interrupted command of another user left its files half in place; let "
            "that user run it again"
        )
    return handle


def _is_own(file: Path) -> bool:
    """Whether a file is this user's: only then is done what it says."""
    try:
        return os.name == "nt" or file.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False


_Move = tuple[Path, Path, list[str], list[str], list[str]]


def _read_moves(root: Path, content: object) -> Iterator[_Move]:
    """Folder, staging folder, and names of what is new, replaced and stale; all below `root`.

    Raises:
        OutputError: a journal that names anything else: it is none of ours.
    """
    moves = content.get("moves") if isinstance(content, dict) else None
    for move in moves if isinstance(moves, list) else [None]:
        if not _is_move(move):
            raise _stranger(root)
        parts = PurePosixPath(move["folder"]).parts
        folder = root.joinpath(*parts)
        stage = folder / move["staged"]
        inside = folder.resolve().is_relative_to(root.resolve()) and not stage.is_symlink()
        if not inside or not all(map(_is_plain, parts)):
            raise _stranger(root)
        yield folder, stage, move["new"], move["old"], move["stale"]


def _is_move(move: object) -> TypeGuard[dict[str, Any]]:
    if not isinstance(move, dict) or not isinstance(move.get("folder"), str):
        return False
    lists = [move.get(key) for key in ("new", "old", "stale")]
    names = [name for found in lists if isinstance(found, list) for name in found]
    staged = move.get("staged")
    return (
        all(isinstance(found, list) for found in lists)
        and all(isinstance(name, str) and _is_plain(name) for name in [*names, staged])
        and _TEMPORARY.fullmatch(str(staged)) is not None
    )


def _stranger(root: Path) -> OutputError:
    return OutputError(
        f"{root / JOURNAL}: not the journal of a command that was interrupted; remove it"
    )


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not {"/", "\\", "\0"} & {*name}


def _keep(file: Path, place: Path) -> None:
    """Keep an old file at `place`: readers see it, whole, until the new one is in its place."""
    try:
        os.link(file, place)
    except OSError:  # of a disk that knows no links
        file.replace(place)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk; not every disk can tell."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
