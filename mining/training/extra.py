"""Packages of the extra `train`, imported when they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from mining.errors import TrainingError

_DISTRIBUTIONS = {"pytorch_metric_learning": "pytorch-metric-learning"}
# Submodules that the package does not import by itself.
_PARTS = {"pytorch_metric_learning": ("losses", "regularizers")}


def import_extra(module: str) -> ModuleType:
    """Import a package that training needs.

    Raises:
        TrainingError: it is not installed; says how to.
    """
    try:
        found = importlib.import_module(module)
        for part in _PARTS.get(module, ()):
            importlib.import_module(f"{module}.{part}")
    except ImportError as error:
        raise TrainingError(
            f"training needs the package {_DISTRIBUTIONS.get(module, module)}, which cannot be "
            f"imported ({error}): pip install 'lookalikes[train]'"
        ) from None
    return found
