"""Best pairs of different labels from plain arrays, lists, tensors or tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from indexes.base import IndexesError, Metric, TopPairs
from indexes.flat import FlatIndex
from indexes.join.options import SearchOptions
from indexes.join.pairs import Progress
from indexes.labelled_rows import Labels, plain_labels, plain_vectors, refuse_other_index

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class LabelledPairs(TopPairs):
    """Best pairs that `top_pairs` of labelled vectors found, each with its labels and score.

    Attributes:
        label_a, label_b: `[M]`, the labels of rows i and j, as they were given.

    Raises:
        IndexesError: labels of another length, or as `TopPairs`.
    """

    label_a: Labels = field(kw_only=True)
    label_b: Labels = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("label_a", "label_b"):
            view = getattr(self, name).view()
            if view.shape != self.i.shape:
                raise IndexesError(f"labels of shape {view.shape} for {len(self)} pairs")
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def to_frame(self) -> pd.DataFrame:
        """Table of the pairs in their order: `row_a`, `row_b`, `label_a`, `label_b`, `score`."""
        import pandas as pd

        rows = {"row_a": self.i, "row_b": self.j}
        labels = {"label_a": self.label_a, "label_b": self.label_b}
        return pd.DataFrame({**rows, **labels, "score": self.scores})


def top_pairs(
    X: object,  # noqa: N803
    y: object,
    n: int,
    metric: Metric = "cosine",
    *,
    how: SearchOptions | None = None,
    progress: Progress | None = None,
) -> LabelledPairs:
    """The n best pairs of rows whose labels differ, exact over all pairs.

    Args:
        X: `[N, D]` vectors: an array, a list of rows, a torch tensor, a DataFrame of numbers.
        y: `[N]` labels, in the order of the rows: names or whole numbers, in a list, an array, a
            tensor or a Series.
        n: how many; all if fewer exist.
        metric: `cosine` brings the rows to unit norm; `inner_product` takes them as they are.
        how: device, precision, threads; it changes the time, never the answer.
        progress: called with the pairs done and the pairs in all.

    Raises:
        IndexesError: vectors of another shape, not finite, or, of `cosine`, of nothing but
            noughts; labels of another length, missing, or of several kinds; two tables of
            different indexes; n below 1.

    >>> best = top_pairs([[2, 0], [8, 6], [0, 5]], ["rei", "asuka", "asuka"], 2)
    >>> best
    LabelledPairs(2 pairs, scores 0.8 to 0, exact)
    >>> best.label_a.tolist(), best.label_b.tolist(), best.scores.round(6).tolist()
    (['rei', 'rei'], ['asuka', 'asuka'], [0.8, 0.0])
    """
    refuse_other_index(X, y)
    index = FlatIndex(plain_vectors(X), metric)
    labels, codes = plain_labels(y, len(index))
    found = index.top_pairs(n, codes, how=how, progress=progress)
    return LabelledPairs(
        found.i, found.j, found.scores, label_a=labels[found.i], label_b=labels[found.j]
    )
