"""Faces and pairs as data: files, sampling, evaluation, pictures. No model, no index."""

from pairsets.comparison import Comparison, compare
from pairsets.errors import FacesError, PairSetError, PairsetsError, ScoresError
from pairsets.evaluate import evaluate
from pairsets.evaluation import Evaluation
from pairsets.exclusions import Exclusions
from pairsets.faces import Faces, read_ignore_list
from pairsets.hubness import Hubness
from pairsets.human import HumanRates, human_rates
from pairsets.identities import ByLevel
from pairsets.identity_lists import ByList
from pairsets.identity_patterns import ByPattern
from pairsets.intervals import Interval, Rate
from pairsets.leaderboard import Leaderboard
from pairsets.pairset import PairSet
from pairsets.sampling import random_pairs

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
