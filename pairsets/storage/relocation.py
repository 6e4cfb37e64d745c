"""Files moved away from a folder, listed before the first one moves, and moved back again.

The list, `undo.csv`, lies in the folder that they go to. It is on the disk before anything moves,
so that, interrupted at any moment, every file is at its old place or at its new one, and the list
says which those are. Nothing is ever deleted but a copy of what is whole at its other place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from filecmp import cmp
from pathlib import Path

from pairsets.errors import OutputError
from pairsets.path_prefixes import why_unsafe
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_below_file, refuse_inside
from pairsets.storage.csv_tables import table_rows, write_csv
from pairsets.storage.publication import sync

UNDO = "undo.csv"
COLUMNS = ("path", "folder")
# What is added to the name of a file that is copied where it cannot be moved.
_PART = ".moving"


def refuse_move(paths: Sequence[str], root: Path, to: Path) -> None:
    """Raise OutputError unless these files can be moved to below `to`: before any work.

    Args:
        paths: relative to `root`; may be empty, where they are not known yet.
        root: the folder that they lie in.
        to: the folder that they are to lie in.
    """
    refuse_inside(to, root, option="--move-to")
    if root.resolve().is_relative_to(to.resolve()):
        raise OutputError(f"{to}: {root} lies in it; choose another --move-to")
    if to.exists() and not to.is_dir():
        raise OutputError(f"{to}: a file; expected a folder to move faces to")
    refuse_below_file(to / UNDO)
    if (to / UNDO).exists():
        raise OutputError(
            f"{to / UNDO}: faces were moved there before; move them back (lookalikes audit --undo "
            f"{to / UNDO}), or choose another --move-to"
        )
    gone = [path for path in paths if not (root / path).is_file()]
    if gone:
        raise OutputError(f"{root / gone[0]}: no such file any more; look at the folder again")
    for path in paths:
        refuse_below_file(to / path)
    there = [path for path in paths if os.path.lexists(to / path)]
    if there:
        more = f", and {len(there) - 1:,} others" if len(there) > 1 else ""
        raise OutputError(f"{to / there[0]}: exists{more}; choose another --move-to")


def move_away(paths: Sequence[str], root: Path, to: Path, progress: Progress = silent) -> Path:
    """Move files to below another folder, with their relative paths; returns the list of them.

    Args:
        paths: relative to `root`.
        root: the folder that they lie in.
        to: the folder that they are to lie in, outside of `root`.
        progress: shows how far it is.

    Raises:
        OutputError: a file would be replaced, or a folder lies in the other; nothing has moved.
        OSError: a file cannot be moved; those before it have, and the list names all.
    """
    refuse_move(paths, root, to)
    home = str(root.resolve())
    undo = write_csv(to / UNDO, COLUMNS, ((path, home) for path in paths))
    sync(to)
    with progress("Moving faces") as step:
        for done, path in enumerate(paths, 1):
            _move(root / path, to / path)
            step(done, len(paths))
    return undo


def move_back(undo: Path, progress: Progress = silent) -> tuple[list[str], list[str]]:
    """Move files back to where a list says that they were; the list goes when all are back.

    Args:
        undo: the list, as `move_away` wrote it, in the folder that they were moved to.
        progress: shows how far it is.

    Returns:
        the paths that were moved back, and those that were back already.

    Raises:
        PairSetError: no such list, or something else.
        OutputError: a file is at neither place, or another one is at its old place; nothing has
            moved.
    """
    rows = [_checked(undo, line, *cells) for line, cells in table_rows(undo, "list", COLUMNS)]
    for folder in dict.fromkeys(folder for _, folder in rows):
        if not folder.is_dir():
            raise OutputError(
                f"{folder}: no such folder, and the faces of {undo} came from there; is its disk "
                "mounted, was it renamed? Put it back, then undo again"
            )
    todo: list[tuple[str, Path]] = []
    back: list[str] = []
    for path, folder in rows:
        here, there = undo.parent / path, folder / path
        if not here.is_file():
            if not there.is_file():
                raise OutputError(
                    f"{undo}: {path} is neither in {undo.parent} nor in {folder}; put it back into "
                    "one of them, or take its line out of the list"
                )
            back.append(path)
        elif os.path.lexists(there) and not _is_same(here, there):
            raise OutputError(
                f"{there}: another file is there by now; rename one of the two, then undo again"
            )
        else:
            todo.append((path, folder))
    with progress("Moving faces back") as step:
        for done, (path, folder) in enumerate(todo, 1):
            _move(undo.parent / path, folder / path)
            step(done, len(todo))
    for path, _ in rows:
        _remove_empty((undo.parent / path).parent, undo.parent)
    undo.unlink()
    with suppress(OSError):  # other things lie there
        undo.parent.rmdir()
    return [path for path, _ in todo], back


def _checked(undo: Path, line: int, path: str, folder: str) -> tuple[str, Path]:
    """Path and folder of a row of the list."""
    unsafe = why_unsafe(path)
    if unsafe or not Path(folder).is_absolute():
        why = f"{path!r} {unsafe}" if unsafe else f"{folder!r} is no whole path"
        raise OutputError(f"{undo}, line {line}: {why}; expected a list that --move-to wrote")
    return path, Path(folder)


def _move(source: Path, target: Path) -> None:
    """Move a file to where none is, or to where its copy is; never over another one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        if not _is_same(source, target):
            raise OutputError(f"{target}: exists, and is another file than {source}")
    else:
        try:
            os.link(source, target)
        except FileExistsError:
            raise OutputError(f"{target}: exists by now; it was not replaced") from None
        except OSError:  # another disk, or one that knows no links
            part = target.with_name(target.name + _PART)
            shutil.copy2(source, part)
            sync(part)
            if os.path.lexists(target):
                part.unlink()
                raise OutputError(f"{target}: exists by now; it was not replaced") from None
            part.replace(target)
    sync(target.parent)
    source.unlink()


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, or files with the same bytes."""
    if other.is_symlink() or not other.is_file():
        return False
    return one.samefile(other) or cmp(one, other, shallow=False)


def _remove_empty(folder: Path, above: Path) -> None:
    """Remove a folder and those it lies in, up to another one, as long as nothing is in them."""
    while folder != above and folder.is_relative_to(above):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
