"""Vectors in a file that is mapped into memory, and whether it is still the file that was opened.

To read a mapped file behind its end kills a process (SIGBUS) before Python could say why, and what
is written into it meanwhile changes the answer. Neither can be caught where it happens, so the open
file is looked at again and again while it is read: another size or time of change is an error. What
happens between two looks cannot be told apart from a good file; the last look is after the work.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from indexes.memory import remember
from mining.embeddings.journal import Vectors
from mining.errors import EmbeddingError
from pairsets.progress import Step, unheard

# Bytes that are digested at a time: between them Python asks who is to go on, and that takes long
# where another thread never waits.
_PART = 1 << 25


class VectorFile:
    """The `vectors.npy` of a folder of embeddings, open as long as anybody has it.

    Attributes:
        path: of the file, for errors.
        vectors: `[N, D]`, read-only, memory-mapped.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is no array, or shorter than its head says.
        """
        self.path = path
        # Held beside the map: a file that is put in its place is another one, and harms nobody.
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, self._file)
        self._state = self._look()
        try:
            # Not `np.load`, which also opens archives.
            self.vectors: Vectors = np.lib.format.open_memmap(path, mode="r")
        except OSError:
            raise
        # Its head is a text of Python, of which NumPy raises errors of many kinds.
        except Exception as error:
            raise ValueError(f"{path.name}: {error}") from None
        if not os.path.samestat(os.fstat(self._file), path.stat()):
            raise ValueError(f"{path.name}: another file took its place while it was opened")
        remember(self.vectors)

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hex; a thread that takes it lets others work."""
        part = memoryview(bytearray(min(_PART, self._state[0] + 1)))
        found = hashlib.sha256()
        with open(self._file, "rb", buffering=0, closefd=False) as stream:
            stream.seek(0)
            while size := stream.readinto(part):
                found.update(part[:size])
        return found.hexdigest()

    def refuse_changed(self) -> None:
        """Look at the file once more.

        Raises:
            EmbeddingError: it is no longer as it was when it was opened.
        """
        size, _ = self._state
        now, _ = found = self._look()
        if found == self._state:
            return
        what = f"{now:,} bytes, where it had {size:,}" if now != size else "written to"
        raise EmbeddingError(
            f"{self.path}: changed while it was read ({what}); is another program copying into "
            "this folder, or embedding with other tools? Wait until it is done, then give the "
            "command once more; if the embeddings are damaged then, make them again with: "
            "lookalikes embed"
        )

    @contextmanager
    def watched(
        self, progress: Step | None = None, checkpoint: Path | None = None
    ) -> Iterator[Step]:
        """A block that reads the vectors; the file is looked at as it goes on, and at its end.

        Args:
            progress: what the block's own is to tell; each time it does, the file is looked at.
            checkpoint: file that the block keeps what it has found in. It is removed where the
                vectors changed, which some of that may be of.

        Raises:
            EmbeddingError: see `refuse_changed`.
        """
        tell = progress or unheard

        def step(done: int, total: int) -> None:
            self.refuse_changed()
            tell(done, total)

        try:
            yield step
        finally:
            if checkpoint is not None and self._look() != self._state:
                checkpoint.unlink(missing_ok=True)
            self.refuse_changed()

    def _look(self) -> tuple[int, int]:
        status = os.fstat(self._file)
        return status.st_size, status.st_mtime_ns
