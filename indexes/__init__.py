"""Vectors -> neighbours and best pairs. Knows arrays and ids, nothing of faces or models."""

from indexes.approximate import ApproximateIndex
from indexes.base import BottomPairs, Index, IndexesError, Neighbours, TopPairs
from indexes.flat import FlatIndex
from indexes.join import pair_scores

__all__ = [
    "ApproximateIndex",
    "BottomPairs",
    "FlatIndex",
    "Index",
    "IndexesError",
    "Neighbours",
    "TopPairs",
    "pair_scores",
]
