"""Best pairs of different labels from plain arrays, lists, tensors or tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexes.base import IndexesError, Metric, Rows, TopPairs
from indexes.flat import FlatIndex
from indexes.join.options import SearchOptions
from indexes.join.pairs import Progress

if TYPE_CHECKING:
    import pandas as pd

Labels = NDArray[Any]
_WANTED = "expected a name or a whole number for each row"


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
    _refuse_other_index(X, y)
    index = FlatIndex(_vectors(X), metric)
    labels, codes = _labels(y, len(index))
    found = index.top_pairs(n, codes, how=how, progress=progress)
    return LabelledPairs(
        found.i, found.j, found.scores, label_a=labels[found.i], label_b=labels[found.j]
    )


def _refuse_other_index(X: object, y: object) -> None:  # noqa: N803
    """Raise where two tables name their rows differently: by position, labels would go astray."""
    rows, labels = getattr(X, "index", None), getattr(y, "index", None)
    tables = hasattr(X, "to_numpy") and hasattr(y, "to_numpy")
    if not tables or rows is None or labels is None or rows.equals(labels):
        return
    raise IndexesError(
        f"X and y are tables of different indexes ({len(rows):,} and {len(labels):,} rows): it "
        "cannot be told which label is whose. Give y.loc[X.index], or y.to_numpy() if they stand "
        "in one order"
    )


def _plain(values: Any) -> Any:
    """Values of a tensor, wherever it lies, as an array; others as they are."""
    if not hasattr(values, "detach"):
        return values
    values = values.detach().cpu()
    # NumPy has no bfloat16; float32 holds each of its numbers.
    return (values.float() if "bfloat16" in str(values.dtype) else values).numpy()


def _vectors(X: Any) -> Any:  # noqa: N803
    if hasattr(X, "to_numpy") and hasattr(X, "columns"):
        for name, dtype in X.dtypes.items():
            if getattr(dtype, "kind", "O") not in "fiu":
                raise IndexesError(
                    f"column {name!r:.60} of X is {dtype}; expected columns of numbers, one a "
                    "dimension: leave names and labels out of it"
                )
        # Missing numbers of tables become nan, which is refused with its row.
        return X.to_numpy(np.float64, na_value=np.nan)
    return _plain(X)


def _labels(y: Any, count: int) -> tuple[Labels, Rows]:
    """Labels `[N]` as given, and a code for each."""
    given = _plain(y)
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise IndexesError(f"y of {type(y).__name__}; {_WANTED}")
    # By NumPy a list of 1 and "1" would be text, and both one label.
    values = given if hasattr(given, "dtype") else _objects(given)
    array = np.asarray(values)
    if array.shape != (count,):
        raise IndexesError(f"y of shape {array.shape} for {count:,} rows of X; {_WANTED}")
    if array.dtype.kind == "O":
        array = _of_one_kind(array)
    elif array.dtype.kind == "f" and np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array))[0])
        raise IndexesError(f"y: row {row} has no label (nan); {_WANTED}: leave such rows out")
    elif array.dtype.kind not in "iuU":
        raise IndexesError(f"y of {array.dtype}; {_WANTED}")
    codes = np.unique(array, return_inverse=True)[1]
    return array, codes.astype(np.int64)


def _objects(values: Any) -> NDArray[np.object_]:
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def _of_one_kind(array: NDArray[np.object_]) -> Labels:
    """Labels as text or as whole numbers; IndexesError names the first row that is neither."""
    first = ""
    for row, value in enumerate(array.tolist()):
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        kind = "a name" if isinstance(value, str) else "a whole number" if whole else ""
        if not kind:
            if value is None or str(value) in ("nan", "<NA>", "NaT"):
                told = f"y: row {row} has no label ({value}); {_WANTED}: leave such rows out"
                raise IndexesError(told)
            raise IndexesError(f"y: row {row} is {value!r:.60}; {_WANTED}")
        first = first or kind
        if kind != first:
            raise IndexesError(
                f"y: row {row}, {value!r:.60}, is {kind} where row 0 is {first}; expected labels "
                "of one kind, since 1 and '1' may be one label or two"
            )
    return array
