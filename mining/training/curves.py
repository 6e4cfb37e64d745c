"""Curves of a training for TensorBoard."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mining.training.extra import import_extra


class Curves:
    """Curves in a folder, each a number by step."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder, which the first point makes; None keeps nothing.

        Raises:
            TrainingError: the extra `train` is not installed.
        """
        import_extra("tensorboard")
        self._folder = folder
        self._after: int | None = None
        self._writer: Any = None

    def add(self, name: str, value: float, step: int) -> None:
        """Add a point."""
        if self._folder is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # What a killed process wrote beyond where this one goes on is not shown.
            purge = None if self._after is None else self._after + 1
            self._writer = SummaryWriter(str(self._folder), purge_step=purge)
        self._writer.add_scalar(name, value, step)

    def forget_after(self, step: int) -> None:
        """Take no notice of what stands behind a step."""
        self._after = step

    def forget_all(self) -> None:
        """Remove what another training, or one that kept no checkpoint, left in the folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Write out what there is."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
