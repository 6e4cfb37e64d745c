"""From faces to an adversarial benchmark: the only package that knows a model.

Names are imported when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mining.comparing import compare_models
    from mining.embeddings import Embeddings, embed
    from mining.explaining import explain
    from mining.models import load_model
    from mining.negatives import adversarial_pairs, mine_negatives
    from mining.pipeline import build
    from mining.positives import mine_positives
    from mining.rules import Rules
    from mining.scoring import score_pairs
    from mining.together import mine_together

_HOMES = {
    "Embeddings": "mining.embeddings",
    "Rules": "mining.rules",
    "adversarial_pairs": "mining.negatives",
    "build": "mining.pipeline",
    "compare_models": "mining.comparing",
    "embed": "mining.embeddings",
    "explain": "mining.explaining",
    "load_model": "mining.models",
    "mine_negatives": "mining.negatives",
    "mine_positives": "mining.positives",
    "mine_together": "mining.together",
    "score_pairs": "mining.scoring",
}

__all__ = [
    "Embeddings",
    "Rules",
    "adversarial_pairs",
    "build",
    "compare_models",
    "embed",
    "explain",
    "load_model",
    "mine_negatives",
    "mine_positives",
    "mine_together",
    "score_pairs",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
