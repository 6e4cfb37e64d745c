"""Importing torchvision where its compiled operators do not fit the installed PyTorch.

A CPU build of PyTorch beside a CUDA build of torchvision is what the package indexes hand out on
many machines. torchvision's library of compiled operators then fails to load, which it lets pass,
and next its own Python code registers shapes for `torchvision::nms`, an operator that the library
would have declared: `RuntimeError: operator torchvision::nms does not exist`. The networks used
here call no such operator, so it is enough that the names exist.
"""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from types import ModuleType
from typing import Any

_SYMPTOM = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept: list[object] = []  # a declaration lasts only as long as its Library object


@functools.cache
def import_torchvision() -> ModuleType:
    """Import torchvision, mending the missing declarations if, and only if, they are its trouble.

    Raises:
        RuntimeError, ImportError: torchvision fails in any other way.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _SYMPTOM not in str(error):
            raise
    _declare_operators()
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported
    return importlib.import_module("torchvision")


def is_mended() -> bool:
    """Whether torchvision, imported, had to be mended."""
    return bool(_kept)


def import_timm() -> ModuleType:
    """Import timm, which imports torchvision by itself and so needs it mended first.

    Raises:
        RuntimeError, ImportError: as for torchvision.
    """
    import_torchvision()
    with warnings.catch_warnings():
        # Said in a notebook without ipywidgets, by a progress bar that nobody asked for here.
        warnings.filterwarnings("ignore", message="IProgress not found")
        return importlib.import_module("timm")


def _declare_operators() -> None:
    """Declare, without any code behind them, the operators that torchvision names on import."""
    import torch

    library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)
    _kept.append(library)
