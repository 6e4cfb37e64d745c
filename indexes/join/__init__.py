"""The exact join of a set with itself: best and worst pairs of all, without an N x N array."""

from indexes.join.bounds import filter_dtype, margin, norms, pair_scores
from indexes.join.options import SearchOptions
from indexes.join.pairs import Progress, best_of_group, bottom_pairs, top_pairs

__all__ = [
    "Progress",
    "SearchOptions",
    "best_of_group",
    "bottom_pairs",
    "filter_dtype",
    "margin",
    "norms",
    "pair_scores",
    "top_pairs",
]
