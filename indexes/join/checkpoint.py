"""Checkpoints of a long search: the pairs found so far, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.base import IndexesError, Rows
from indexes.join.best import Best, Found
from indexes.join.tiles import Tiles

# Seconds before the first and between two savings; a shorter search is quicker done again.
FIRST, PERIOD = 60.0, 30.0
# An interrupted search that has taken longer than this is kept too.
WORTH = 5.0
_SCHEMA = 2


class Ledger:
    """Record of the tiles that are done and the pairs they held, kept in a file.

    Args:
        best: what is filled.
        rows: `[P]` those that take part.
        path: the checkpoint; None keeps nothing.

    Attributes:
        order: `[P]` the order of rows that the checkpoint's tiles are of; None without one.
        side: their side.
    """

    def __init__(self, best: Best, rows: Rows, path: Path | None) -> None:
        self.best, self.rows, self.path = best, rows, path
        self.order: Rows | None = None
        self.side = 0
        self._lock, self._began = Lock(), time.monotonic()
        self._saved = self._began + FIRST - PERIOD
        self._key, self._whole = "", True
        # Whether the file is of a search that is done.
        self._complete = False
        self._done = np.empty(0, np.bool_)
        if path is not None and not path.parent.is_dir():
            raise IndexesError(f"{path}: no folder {path.parent} to keep a checkpoint in")
        if path is not None and path.exists():
            self._load(path)

    def plan(self, order: Rows, side: int, tiles: Tiles) -> tuple[Rows, int]:
        """Numbers of the tiles of this order that are not done yet; the pairs of those that are."""
        self.order, self.side = order, side
        if self._done.size != len(tiles):
            # A file of other tiles: what it holds would be found twice.
            self.best.forget()
            self._done = np.zeros(len(tiles), np.bool_)
        done = sum(tiles[number].pairs for number in np.flatnonzero(self._done).tolist())
        return np.flatnonzero(~self._done), done

    def commit(self, number: int | Rows, found: Iterable[Found]) -> None:
        """Take the pairs that a tile held, and mark it as done; or those of several tiles."""
        parts = list(found)
        with self._lock:
            # Interrupted from here on, the tile would be kept as not done, and found twice.
            self._whole = False
            for part in parts:
                self.best.take(part)
            self._done[number] = True
            self._whole = True

    def keep(self, *, now: bool = False) -> None:
        """Save the checkpoint, if it is due; with `now`, if it is worth it."""
        clock = time.monotonic()
        if self.path is None or self.order is None or not self._whole:
            return
        if clock - self._saved < PERIOD and not (now and clock - self._began > WORTH):
            return
        self._save(self.path)
        self._saved = time.monotonic()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Save the checkpoint where the block is interrupted, if it is worth it."""
        try:
            yield
        except BaseException:
            with suppress(OSError):
                self.keep(now=True)
            raise

    def finish(self, *, keep: bool) -> None:
        """Remove the checkpoint of a search that is done, or keep what a long one has found."""
        # Where there is none, a disk that is read-only need not be written to.
        if self.path is None or not self.path.exists():
            return
        if not keep:
            self.path.unlink()
        elif not self._complete:
            self._save(self.path)

    def _save(self, path: Path) -> None:
        key = self._digest()
        with self._lock:
            found = self.best.snapshot()
            done = self._done.copy()
            threshold = self.best.threshold
        beside = path.with_name(f".{path.name}.new")
        try:
            with beside.open("wb") as file:
                kept = {
                    "key": np.array(key),
                    "order": np.asarray(self.order),
                    "side": np.array(self.side),
                    "done": done,
                    "threshold": np.array(threshold),
                    **found._asdict(),
                }
                np.savez(file, allow_pickle=False, **kept, content=np.array(_content(kept)))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def _load(self, path: Path) -> None:
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                kept = {name: file[name] for name in file.files}
            if str(kept["key"]) != self._digest():
                return  # of other vectors or another question
            if str(kept.pop("content")) != _content(kept):
                raise ValueError("its content is not what was written")
            self.order, self.side = kept["order"].astype(np.int64), int(kept["side"])
            self._done = kept["done"].astype(np.bool_)
            self.best.raise_to(float(kept["threshold"]))
            self.best.take(Found(*(kept[name] for name in Found._fields)))
            self._complete = bool(self._done.all())
        # What zip and NumPy raise of damaged files is of nearly any kind.
        except Exception as error:
            raise IndexesError(
                f"{path}: not a checkpoint that can be read ({type(error).__name__}: {error}); "
                "remove it to start again"
            ) from None

    def _digest(self) -> str:
        """Digest of the vectors and the question, which a checkpoint must be of."""
        if not self._key:
            best, rules = self.best, self.best.rules
            digest = hashlib.blake2b(digest_size=16)
            limits: list[object] = [rules.same, rules.lowest, rules.highest]
            limits += [] if rules.split is None else [rules.split]
            digest.update(repr([_SCHEMA, best.vectors.shape, best.n, best.sign, *limits]).encode())
            for array in (self.rows, rules.groups, rules.excluded, rules.apart, rules.ceilings):
                digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
                digest.update(b"/")
            for start in range(0, len(best.vectors), 4096):
                digest.update(np.ascontiguousarray(best.vectors[start : start + 4096]).data)
            self._key = digest.hexdigest()
        return self._key


def _content(kept: Mapping[str, NDArray[Any]]) -> str:
    """Digest of the arrays of a checkpoint: none of them is believed if one is not as it was."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(kept):
        array = np.ascontiguousarray(kept[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
