"""File of a study: made by one process alone, refused where it is something else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mining.errors import TrainingError
from pairsets.storage import locks
from pairsets.storage.settings import difference

if TYPE_CHECKING:
    from optuna import Study

NAME = "lookalikes"
# What a SQLite file begins with.
_MAGIC = b"SQLite format 3\0"
# Seconds that a process waits for another to write.
_PATIENCE = 60
# Trials before any is stopped early, and epochs of each.
_UNSTOPPED_TRIALS, _UNSTOPPED_EPOCHS = 5, 2


def import_optuna() -> ModuleType:
    """Optuna, which then says nothing of its own.

    Raises:
        TrainingError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise TrainingError("a search needs Optuna: pip install 'lookalikes[train]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_study(
    file: Path, settings: Mapping[str, Any], direction: str, optuna: ModuleType
) -> Study:
    """The study in a file; made, with its settings, where there is none.

    Raises:
        TrainingError: the file is no study, damaged, or of other settings; it says which differ.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": _PATIENCE}}
        )
        study: Study = optuna.create_study(
            study_name=NAME,
            storage=storage,
            direction=direction,
            pruner=optuna.pruners.MedianPruner(_UNSTOPPED_TRIALS, _UNSTOPPED_EPOCHS + 1),
            load_if_exists=True,
        )
        before = study.user_attrs.get("settings")
    except (SQLAlchemyError, RuntimeError, optuna.exceptions.OptunaError) as error:
        said = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{file}: cannot be used as a study of Optuna's ({said}); is it damaged, or of "
            "another version? Choose another --study"
        ) from None
    if before is None and not study.trials:
        study.set_user_attr("settings", settings)
    elif before != settings:
        raise TrainingError(
            f"{file}: a study of something else ({difference(before or {}, settings)}); give it "
            "what it was begun with, or choose another --study"
        )
    return study


def refuse_file(file: Path) -> None:
    """Refuse what is there and is no study, before Optuna makes tables in it.

    Raises:
        TrainingError: a folder, or a file of another kind.
    """
    if "?" in str(file):
        raise TrainingError(f"{file}: SQLite takes no name with a ?; choose another --study")
    if file.is_dir():
        raise TrainingError(f"{file}: a folder; expected the name of a file, as tune.sqlite")
    if not file.exists() or not file.stat().st_size:
        return
    with file.open("rb") as stream:
        begin = stream.read(len(_MAGIC))
    if begin != _MAGIC:
        raise TrainingError(
            f"{file}: no SQLite file, so no study of Optuna's; choose another --study"
        )
    with suppress(sqlite3.DatabaseError):
        opened = sqlite3.connect(file, timeout=_PATIENCE)
        try:
            # A file without tables is one that a process was killed in making.
            empty = not opened.execute("PRAGMA schema_version").fetchone()[0]
            if empty or opened.execute("PRAGMA table_info(studies)").fetchall():
                return
        finally:
            opened.close()
        raise TrainingError(
            f"{file}: a database of something else, without a study of Optuna's; choose another "
            "--study"
        )


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Hold a study, once no other process does: to begin a trial takes a moment."""
    while True:
        place.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(place / locks.LOCK, os.O_RDWR | os.O_CREAT | locks.BINARY, 0o666)
        except FileNotFoundError:
            continue  # the folder was tidied away in between
        locks.lock(handle, wait=True)
        if locks.same(handle, place / locks.LOCK):
            break
        os.close(handle)
    try:
        yield
    finally:
        os.close(handle)


def tidy(place: Path) -> None:
    """Remove the folder of the trials, unless one is there or is to be gone on with."""
    with alone(place):
        if [one.name for one in place.iterdir()] == [locks.LOCK]:
            with suppress(OSError):
                (place / locks.LOCK).unlink()
                place.rmdir()
