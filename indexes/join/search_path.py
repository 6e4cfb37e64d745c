"""Path of the exact search on this machine: which kernels it takes, on which device, and why."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from indexes.join.engine import own_settings
from indexes.join.kernels import BF16, INT8, Kernel
from indexes.join.options import Precision, SearchOptions, device_names
from indexes.join.search import kernels_for
from indexes.join.workers import pool_of


@dataclass(frozen=True)
class SearchPath:
    """Path of a search on one device.

    Attributes:
        device: `cpu`, or `cuda:0` and so on.
        first: name of the kernel that does most of the work.
        whole: that of whole vectors, where a narrow bound does not thin a tile out.
        reason: why, in a few words.
        precision: that asks a search for the first kernel.
    """

    device: str
    first: str
    whole: str
    reason: str
    precision: Precision


def search_paths(width: int) -> list[SearchPath]:
    """Paths of a search of vectors of `width`, on the processor and on each CUDA device.

    The choice is that of a search itself, by the clock of this machine as it is now. How a narrow
    bound joins it is measured on the vectors, and not told here.

    Raises:
        IndexesError: a device on which no search is sound.
    """
    names = ["cpu"]
    if torch.cuda.is_available():
        names += device_names("cuda:all", torch.cuda.device_count())
    found = []
    for name in names:
        with own_settings(), pool_of(torch.get_num_threads()) as pool:
            devices = () if name == "cpu" else (name,)
            chosen = kernels_for(width, SearchOptions(device=name), devices, pool)
        precision = _precision(chosen.first) if name == "cpu" else "auto"
        told = chosen.first.name, chosen.second.name, chosen.reason
        found.append(SearchPath(name, *told, precision))
    return found


def _precision(kernel: Kernel) -> Precision:
    return "int8" if kernel is INT8 else "bf16" if kernel is BF16 else "fp32"
