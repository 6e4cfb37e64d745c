"""Faces and pairs as data: files, sampling, evaluation, pictures. No model, no index."""

from pathlib import Path

from pairsets.errors import FacesError, PairSetError, PairsetsError, ScoresError
from pairsets.evaluation.comparison import Comparison, compare
from pairsets.evaluation.evaluator import evaluate
from pairsets.evaluation.hubness import Hubness
from pairsets.evaluation.human import HumanRates, human_rates
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.intervals import Interval, Rate
from pairsets.evaluation.result import Evaluation
from pairsets.faces import Faces
from pairsets.files.exclusions import Exclusions
from pairsets.identities.lists import ByList
from pairsets.identities.patterns import ByPattern
from pairsets.identities.rules import ByLevel
from pairsets.pairset import ADVICE, PairSet
from pairsets.paths import read_ignore_list
from pairsets.random_pairs import random_pairs
from pairsets.tables.leaderboard import Leaderboard


def _advice(path: Path) -> str:
    """What to do with a file of another project's form: many modules know that, imported late."""
    from pairsets.sources.formats.advice import advice

    return advice(path)


ADVICE.append(_advice)

__all__ = [
    "ByLevel",
    "ByList",
    "ByPattern",
    "Comparison",
    "Evaluation",
    "Exclusions",
    "Faces",
    "FacesError",
    "Hubness",
    "HumanRates",
    "Interval",
    "IntervalOptions",
    "Leaderboard",
    "PairSet",
    "PairSetError",
    "PairsetsError",
    "Rate",
    "ScoresError",
    "compare",
    "evaluate",
    "human_rates",
    "random_pairs",
    "read_ignore_list",
]
