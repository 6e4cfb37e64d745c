"""Options of a search: device, precision, threads. None of them changes the answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from indexes.base import IndexesError, at_least_one

if TYPE_CHECKING:
    from indexes.join.job import Crew

Precision = Literal["auto", "fp32", "bf16", "int8"]
Spectrum = Literal["auto", "off"]
# Multiplications below which numpy is done before torch is imported, or its threads are started;
# above which a CUDA device is worth starting.
SMALL, _LARGE = (3e10, 3e9), 1e12


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; none of them changes the answer.

    Attributes:
        device: `auto` (CUDA where there is one and the work is large), `cpu`, `cuda`, `cuda:N`.
        precision: of the filter: `auto` (by measurement), `fp32`, `bf16` or `int8`.
        spectrum: whether a narrow bound may be used: `auto` (by measurement) or `off`.
        threads: as many as torch has, if None.
        tile: rows of a tile, if not the usual number.
        keep_checkpoint: whether the checkpoint of a search of over a minute stays when it is done,
            for a work of several searches, of which those that are done are not to be done again.
        memory: bytes that the process is kept below, where the system tells what it holds; copies
            that do not fit go into a file. None is no cap.
        crew: who searches the tiles elsewhere, or None.
    """

    device: str = "auto"
    precision: Precision = "auto"
    spectrum: Spectrum = "auto"
    threads: int | None = None
    tile: int | None = None
    keep_checkpoint: bool = False
    memory: int | None = None
    crew: Crew | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for value, allowed, what in (
            (self.precision, ("auto", "fp32", "bf16", "int8"), "precision"),
            (self.spectrum, ("auto", "off"), "spectrum"),
        ):
            if value not in allowed:
                raise IndexesError(f"{what} of {value!r}; expected one of {', '.join(allowed)}")
        if self.device not in ("auto", "cpu") and self.device.partition(":")[0] != "cuda":
            raise IndexesError(f"device of {self.device!r}; expected auto, cpu, cuda or cuda:N")
        if self.device.startswith("cuda") and self.precision not in ("auto", "bf16"):
            raise IndexesError(
                f"precision of {self.precision} on a CUDA device; expected bf16 or auto"
            )
        for count, what in (
            (self.threads, "threads"),
            (self.tile, "tile"),
            (self.memory, "memory"),
        ):
            if count is not None:
                at_least_one(count, what)

    def is_plain(self, count: int, width: int) -> bool:
        """Whether `count` vectors are so few that numpy is done before torch has started."""
        asked = self.precision != "auto" or self.device.startswith("cuda")
        return count < 2 or (not asked and _work(count, width) < SMALL["torch" in sys.modules])

    def device_for(self, count: int, width: int) -> str | None:
        """CUDA device to use for `count` vectors of `width`, or None."""
        import torch

        if self.device == "cpu" or self.precision in ("fp32", "int8"):
            return None
        if self.device == "auto":
            large = _work(count, width) >= _LARGE
            return "cuda" if large and torch.cuda.is_available() else None
        if not torch.cuda.is_available():
            raise IndexesError(f"device {self.device}: no CUDA device that torch can use")
        return self.device


def _work(count: int, width: int) -> float:
    return count * count / 2 * width
