"""Rows and labels as users hold them: arrays, lists, tensors of any device, tables of pandas."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.base import IndexesError, Rows

Labels = NDArray[Any]
_WANTED = "expected a name or a whole number for each row"


def refuse_other_index(X: object, y: object, what: str = "y") -> None:  # noqa: N803
    """Raise where two tables name their rows differently: by position, labels would go astray.

    Args:
        X: the rows.
        y: the labels.
        what: name of the labels in the error.

    Raises:
        IndexesError: both are tables, of different indexes.
    """
    rows, labels = getattr(X, "index", None), getattr(y, "index", None)
    tables = hasattr(X, "to_numpy") and hasattr(y, "to_numpy")
    if not tables or rows is None or labels is None or rows.equals(labels):
        return
    raise IndexesError(
        f"X and {what} are tables of different indexes ({len(rows):,} and {len(labels):,} rows): "
        f"it cannot be told which label is whose. Give {what}.loc[X.index], or "
        f"{what}.to_numpy() if they stand in one order"
    )


def _plain(values: Any) -> Any:
    """Values of a tensor, wherever it lies, as an array; others as they are."""
    if not hasattr(values, "detach"):
        return values
    values = values.detach().cpu()
    # NumPy has no bfloat16; float32 holds each of its numbers.
    return (values.float() if "bfloat16" in str(values.dtype) else values).numpy()


def plain_vectors(X: Any) -> Any:  # noqa: N803
    """Rows of a table or a tensor as an array; others as they are.

    Raises:
        IndexesError: a table with a column of something else than numbers.
    """
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


def plain_labels(y: Any, count: int, what: str = "y") -> tuple[Labels, Rows]:
    """Labels `[N]` as given, and a code for each.

    Args:
        y: names or whole numbers.
        count: of rows.
        what: name of the labels in errors.

    Raises:
        IndexesError: labels of another length, missing, or of several kinds; the row is named.
    """
    given = _plain(y)
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise IndexesError(f"{what} of {type(y).__name__}; {_WANTED}")
    # By NumPy a list of 1 and "1" would be text, and both one label.
    values = given if hasattr(given, "dtype") else _objects(given)
    array = np.asarray(values)
    if array.shape != (count,):
        raise IndexesError(f"{what} of shape {array.shape} for {count:,} rows of X; {_WANTED}")
    if array.dtype.kind == "O":
        array = _of_one_kind(array, what)
    elif array.dtype.kind == "f" and np.isnan(array).any():
        row = int(np.flatnonzero(np.isnan(array))[0])
        raise IndexesError(f"{what}: row {row} has no label (nan); {_WANTED}: leave such rows out")
    elif array.dtype.kind not in "iuU":
        raise IndexesError(f"{what} of {array.dtype}; {_WANTED}")
    codes = np.unique(array, return_inverse=True)[1]
    return array, codes.astype(np.int64)


def _objects(values: Any) -> NDArray[np.object_]:
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def _of_one_kind(array: NDArray[np.object_], what: str) -> Labels:
    """Labels as text or as whole numbers; IndexesError names the first row that is neither."""
    first = ""
    for row, value in enumerate(array.tolist()):
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        kind = "a name" if isinstance(value, str) else "a whole number" if whole else ""
        if not kind:
            if value is None or str(value) in ("nan", "<NA>", "NaT"):
                told = f"{what}: row {row} has no label ({value}); {_WANTED}: leave such rows out"
                raise IndexesError(told)
            raise IndexesError(f"{what}: row {row} is {value!r:.60}; {_WANTED}")
        first = first or kind
        if kind != first:
            raise IndexesError(
                f"{what}: row {row}, {value!r:.60}, is {kind} where row 0 is {first}; expected "
                "labels of one kind, since 1 and '1' may be one label or two"
            )
    return array
