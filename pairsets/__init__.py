"""Faces and pairs as data: files, sampling, evaluation, pictures. No model, no index.

Names are imported when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairsets.errors import FacesError, PairSetError, PairsetsError, ScoresError
    from pairsets.evaluation.census import Census, CensusComparison, compare_census
    from pairsets.evaluation.comparison import Comparison, compare
    from pairsets.evaluation.evaluator import evaluate
    from pairsets.evaluation.hubness import Hubness
    from pairsets.evaluation.human import HumanRates, human_rates
    from pairsets.evaluation.identification import Identification, IdentificationTargets
    from pairsets.evaluation.identification_differences import IdentificationComparison
    from pairsets.evaluation.interval_options import IntervalOptions
    from pairsets.evaluation.intervals import Interval, Rate
    from pairsets.evaluation.result import Evaluation
    from pairsets.evaluation.threshold import Threshold
    from pairsets.faces import Faces
    from pairsets.files.exclusions import Exclusions
    from pairsets.identities.lists import ByList
    from pairsets.identities.patterns import ByPattern
    from pairsets.identities.rules import ByLevel
    from pairsets.pairset import PairSet
    from pairsets.paths import read_ignore_list
    from pairsets.random_set import random_pairs
    from pairsets.tables.leaderboard import Leaderboard

_HOMES = {
    "ByLevel": "pairsets.identities.rules",
    "ByList": "pairsets.identities.lists",
    "ByPattern": "pairsets.identities.patterns",
    "Census": "pairsets.evaluation.census",
    "CensusComparison": "pairsets.evaluation.census",
    "Comparison": "pairsets.evaluation.comparison",
    "Evaluation": "pairsets.evaluation.result",
    "Exclusions": "pairsets.files.exclusions",
    "Faces": "pairsets.faces",
    "FacesError": "pairsets.errors",
    "Hubness": "pairsets.evaluation.hubness",
    "HumanRates": "pairsets.evaluation.human",
    "Identification": "pairsets.evaluation.identification",
    "IdentificationComparison": "pairsets.evaluation.identification_differences",
    "IdentificationTargets": "pairsets.evaluation.identification",
    "Interval": "pairsets.evaluation.intervals",
    "IntervalOptions": "pairsets.evaluation.interval_options",
    "Leaderboard": "pairsets.tables.leaderboard",
    "PairSet": "pairsets.pairset",
    "PairSetError": "pairsets.errors",
    "PairsetsError": "pairsets.errors",
    "Rate": "pairsets.evaluation.intervals",
    "ScoresError": "pairsets.errors",
    "Threshold": "pairsets.evaluation.threshold",
    "compare": "pairsets.evaluation.comparison",
    "compare_census": "pairsets.evaluation.census",
    "evaluate": "pairsets.evaluation.evaluator",
    "human_rates": "pairsets.evaluation.human",
    "random_pairs": "pairsets.random_set",
    "read_ignore_list": "pairsets.paths",
}

__all__ = [
    "ByLevel",
    "ByList",
    "ByPattern",
    "Census",
    "CensusComparison",
    "Comparison",
    "Evaluation",
    "Exclusions",
    "Faces",
    "FacesError",
    "Hubness",
    "HumanRates",
    "Identification",
    "IdentificationComparison",
    "IdentificationTargets",
    "Interval",
    "IntervalOptions",
    "Leaderboard",
    "PairSet",
    "PairSetError",
    "PairsetsError",
    "Rate",
    "ScoresError",
    "Threshold",
    "compare",
    "compare_census",
    "evaluate",
    "human_rates",
    "random_pairs",
    "read_ignore_list",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
