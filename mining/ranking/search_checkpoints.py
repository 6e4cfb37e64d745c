"""Files in which long searches keep what they have found, one for each search of a command."""

from __future__ import annotations

from glob import escape
from pathlib import Path


class Checkpoints:
    """Names of checkpoints that tell the searches of one command apart, in their order.

    The same command makes the same searches, so each finds its own file again and no other's:
    `a.partial.npz`, `a.partial-2.npz` and so on.

    Args:
        path: of the first; None for no checkpoints.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._searches = path, 0

    def next(self) -> Path | None:
        """The file of the next search."""
        self._searches += 1
        if self._path is None or self._searches == 1:
            return self._path
        return self._path.with_stem(f"{self._path.stem}-{self._searches}")

    def clear(self) -> None:
        """Remove what is left of this command and of interrupted ones in its place."""
        if self._path is None:
            return
        name = f"{escape(self._path.stem)}-[0-9]*{escape(self._path.suffix)}"
        for left in [self._path, *self._path.parent.glob(name)]:
            # A disk that is read-only refuses to remove even what is not there.
            if left.exists():
                left.unlink(missing_ok=True)
