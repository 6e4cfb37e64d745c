"""Checkpoints of a training, and the settings that another one may not go on with."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mining.errors import TrainingError
from pairsets.storage.artefacts import atomic_write, write_json
from pairsets.storage.json_files import read_object
from pairsets.storage.settings import difference

PARTIAL, TENSORBOARD = "partial", "tensorboard"
CHECKPOINT, BEST, SETTINGS, PICTURES = (
    "checkpoint.pt",
    "best.pt",
    "settings.json",
    "pictures.sqlite",
)
_SCHEMA = 1
# A checkpoint is written no oftener than takes a twentieth of the time.
_SHARE = 20


class Checkpoints:
    """Checkpoints in a folder: the last state, and the best weights."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Take the folder, which is made.

        Args:
            folder: of the checkpoints.
            seconds: that pass between two at least; what a kill costs.
        """
        self.folder, self._seconds = folder, seconds
        self._last, self._took = time.monotonic(), 0.0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def due(self) -> bool:
        """Whether it is time for the next."""
        return time.monotonic() - self._last >= max(self._seconds, _SHARE * self._took)

    def claim(self, settings: Mapping[str, object], *, overwrite: bool = False) -> None:
        """Refuse the work of other settings; write down these where there is none.

        Args:
            settings: of the work that is to be done.
            overwrite: remove the work of other settings instead.

        Raises:
            TrainingError: the folder holds a training of other settings; says which.
        """
        path = self.folder / SETTINGS
        if (self.folder / CHECKPOINT).exists():
            told = "its settings are lost"
            if path.exists():
                before = read_object(path, "settings of a training", error=TrainingError).content
                told = difference(before, settings)
            if told and overwrite:
                (self.folder / CHECKPOINT).unlink()
                (self.folder / BEST).unlink(missing_ok=True)
            elif told:
                raise TrainingError(
                    f"{self.folder.parent}: a training of other settings was begun there ({told}). "
                    "Give the same ones to go on with it, another --out, or --overwrite to begin "
                    "anew"
                )
        write_json(path, settings)

    def write(self, state: Mapping[str, Any]) -> None:
        """Keep the state of a step."""
        started = time.monotonic()
        _write(self.folder / CHECKPOINT, state)
        self._last = time.monotonic()
        self._took = self._last - started

    def read(self, *, overwrite: bool = False) -> dict[str, Any] | None:
        """The last state; None where there is none.

        Args:
            overwrite: a damaged one is none.

        Raises:
            TrainingError: it is damaged.
        """
        try:
            return _read(self.folder / CHECKPOINT)
        except TrainingError:
            if not overwrite:
                raise
            return None

    def write_best(self, weights: Mapping[str, Any]) -> None:
        """Keep the weights that validated best."""
        _write(self.folder / BEST, weights)

    def read_best(self) -> dict[str, Any]:
        """The weights that validated best."""
        found = _read(self.folder / BEST)
        if found is None:
            raise TrainingError(
                f"{self.folder / BEST}: is missing; remove {self.folder} to begin anew"
            )
        return found


def _write(path: Path, state: Mapping[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save({"schema": _SCHEMA, **state}, buffer)
    with atomic_write(path) as stream:
        stream.write(buffer.getbuffer())


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or state.get("schema") != _SCHEMA:
            raise TrainingError(f"{path}: of another version; begin anew with --overwrite")
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError) as error:
        if isinstance(error, TrainingError):
            raise
        raise TrainingError(
            f"{path}: damaged ({type(error).__name__}); begin anew with --overwrite"
        ) from None
    return dict(state)
