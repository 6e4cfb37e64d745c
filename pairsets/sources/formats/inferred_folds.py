"""Folds of formats that mark none: blocks of positives and negatives in the order of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.sources.formats import Pairs

Numbers = NDArray[np.int32]


def read_folds(path: Path, label: ArrayLike, folds: int | None) -> tuple[Numbers | None, list[str]]:
    """The fold of each pair of a file, if any, and notes on how it is known.

    Args:
        path: of the file, for errors.
        label: `[N]`, in the order of the file.
        folds: this many equal parts, one after the other; without it they are inferred.

    Raises:
        SourceError: `folds` is not positive or does not divide the number of pairs.
    """
    labels = np.asarray(label)
    if folds is not None:
        if folds < 1 or labels.size % folds:
            raise SourceError(f"{path}: {labels.size} pairs do not make {folds} equal folds")
        return _parts(labels.size, folds), _one_sided(labels, folds)
    count = inferred(labels)
    if not count:
        return None, []
    half = labels.size // count // 2
    note = f"{count} folds inferred: the file has {count} times {half} positives, {half} negatives"
    return _parts(labels.size, count), [note]


def inferred(label: ArrayLike) -> int:
    """Number of blocks of n positives and n negatives, of one n > 1; 0 unless two at least.

    >>> inferred([1, 1, 0, 0, 1, 1, 0, 0]), inferred([1, 1, 0, 0]), inferred([1, 0, 1, 0])
    (2, 0, 0)
    """
    labels = np.asarray(label)
    if not labels.size or labels[0] != 1:
        return 0
    changes = np.flatnonzero(np.diff(labels)) + 1
    runs = np.diff(np.concatenate([[0], changes, [labels.size]]))
    equal = runs.size >= 4 and runs.size % 2 == 0 and runs[0] > 1 and bool((runs == runs[0]).all())
    return runs.size // 2 if equal else 0


def in_blocks(content: Pairs) -> Pairs | None:
    """The pairs fold by fold, in each the positives first; None unless all are of one size.

    Rows keep their order otherwise.
    """
    if content.folds is None:
        return None
    label, numbers = content.pairs.label, content.folds.numbers
    sizes = [np.bincount(numbers[label == wanted], minlength=2)[1:] for wanted in (0, 1)]
    largest = max(int(numbers.max()), 1)
    if any(size.size != largest or (size != sizes[0][0]).any() for size in sizes):
        return None
    order = np.lexsort((1 - label, numbers))
    return Pairs(content.pairs.take(order), Folds(numbers[order]))


def written_folds(content: Pairs, name: str) -> Pairs:
    """`content` in the order in which a format that marks no folds should list it.

    Folds of equal blocks are laid out so that they are inferred again; others are lost, and what
    will be inferred in their place, if anything, is what reading gives. `notes` says so.
    """
    blocks = in_blocks(content)
    if blocks is not None and inferred(blocks.pairs.label) == len(blocks.folds or ()):
        return Pairs(blocks.pairs, blocks.folds, content.notes, content.dropped)
    notes = list(content.notes)
    if content.folds is not None:
        notes.append(
            f"{name} does not keep the {len(content.folds)} folds: they are not at least two of n "
            "positives and n negatives each, n > 1"
        )
    count = inferred(content.pairs.label)
    folds = Folds(_parts(len(content.pairs), count)) if count else None
    if count:
        notes.append(f"{name} will be read with {count} folds, by the order of its labels")
    return Pairs(content.pairs, folds, tuple(notes), content.dropped)


def _one_sided(labels: NDArray[np.generic], folds: int) -> list[str]:
    """A note where equal parts of a file are no folds that tell anything."""
    positives = (labels.reshape(folds, -1) == 1).sum(axis=1)
    alone = int(((positives == 0) | (positives == labels.size // folds)).sum())
    if not alone:
        return []
    return [
        f"{alone} of the {folds} folds have pairs of one label alone: do the labels stand in other "
        "parts than folds?"
    ]


def _parts(count: int, folds: int) -> Numbers:
    """Numbers of folds, 1 to `folds`, each for equally many pairs."""
    return np.repeat(np.arange(1, folds + 1, dtype=np.int32), count // folds)
