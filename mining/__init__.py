"""From faces to an adversarial benchmark: the only package that knows a model.

Names are imported when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mining.commands.audit import audit
    from mining.commands.build import build
    from mining.commands.compare import compare_models
    from mining.embeddings.producer import embed
    from mining.embeddings.store import Embeddings
    from mining.miners.fused_negatives import mine_together
    from mining.miners.negatives import adversarial_pairs, mine_negatives
    from mining.miners.positives import mine_positives
    from mining.models import load_model
    from mining.ranking.rules import Rules
    from mining.saliency import explain
    from mining.scores.census import take_census
    from mining.scores.identification import identify
    from mining.scores.score_pairs import score_pairs
    from mining.scores.sources import ScoreSources
    from mining.scores.threshold import choose_threshold
    from mining.training.configuration import TrainingConfig
    from mining.training.loop import train

_HOMES = {
    "Embeddings": "mining.embeddings.store",
    "Rules": "mining.ranking.rules",
    "ScoreSources": "mining.scores.sources",
    "TrainingConfig": "mining.training.configuration",
    "adversarial_pairs": "mining.miners.negatives",
    "audit": "mining.commands.audit",
    "build": "mining.commands.build",
    "choose_threshold": "mining.scores.threshold",
    "compare_models": "mining.commands.compare",
    "embed": "mining.embeddings.producer",
    "explain": "mining.saliency",
    "identify": "mining.scores.identification",
    "load_model": "mining.models",
    "mine_negatives": "mining.miners.negatives",
    "mine_positives": "mining.miners.positives",
    "mine_together": "mining.miners.fused_negatives",
    "score_pairs": "mining.scores.score_pairs",
    "take_census": "mining.scores.census",
    "train": "mining.training.loop",
}

__all__ = [
    "Embeddings",
    "Rules",
    "ScoreSources",
    "TrainingConfig",
    "adversarial_pairs",
    "audit",
    "build",
    "choose_threshold",
    "compare_models",
    "embed",
    "explain",
    "identify",
    "load_model",
    "mine_negatives",
    "mine_positives",
    "mine_together",
    "score_pairs",
    "take_census",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
