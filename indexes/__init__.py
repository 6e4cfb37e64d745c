"""Vectors -> neighbours and best pairs. Knows arrays and ids, nothing of faces or models."""

from indexes.approximate import ApproximateIndex
from indexes.base import BottomPairs, Index, IndexesError, Neighbours, PairsBetween, TopPairs
from indexes.flat import FlatIndex
from indexes.join import pair_scores
from indexes.join.all_pairs import AllPairs
from indexes.labelled_vectors import LabelledPairs, top_pairs
from indexes.two_sets import TwoSets

__all__ = [
    "AllPairs",
    "ApproximateIndex",
    "BottomPairs",
    "FlatIndex",
    "Index",
    "IndexesError",
    "LabelledPairs",
    "Neighbours",
    "PairsBetween",
    "TopPairs",
    "TwoSets",
    "pair_scores",
    "top_pairs",
]
