"""Faces and pairs as data: files, sampling, evaluation, pictures. No model, no index."""

from pairsets.errors import FacesError, PairSetError, PairsetsError, ScoresError
from pairsets.evaluate import Evaluation, HumanRates, evaluate, human_rates
from pairsets.exclusions import Exclusions
from pairsets.faces import Faces, read_ignore_list
from pairsets.hubness import Hubness
from pairsets.leaderboard import Leaderboard
from pairsets.pairset import PairSet
from pairsets.sampling import random_pairs

__all__ = [
    "Evaluation",
    "Exclusions",
    "Faces",
    "FacesError",
    "Hubness",
    "HumanRates",
    "Leaderboard",
    "PairSet",
    "PairSetError",
    "PairsetsError",
    "ScoresError",
    "evaluate",
    "human_rates",
    "random_pairs",
    "read_ignore_list",
]
