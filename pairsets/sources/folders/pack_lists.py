"""Lists of a pack: the pairs by the names of its faces, in the forms of other evaluators.

- `lfw`: `pairs.txt`, as `pairsets.sources.formats.lfw` writes it;
- `insightface`: `pairs_label.txt`, `PATH TAB PATH TAB LABEL` a line, for its `build_eval_pack.py`;
  `faces.lst`, `1 TAB PATH TAB NUMBER` a face, one identity after the other, for its
  `face2rec2.py`, to which 1 says that a face is aligned; `property`, `IDENTITIES,HEIGHT,WIDTH`.

Never InsightFace's `.bin`, which is a pickle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.sources.formats import Pairs, lfw
from pairsets.sources.formats.inferred_folds import in_blocks
from pairsets.sources.text.text_lines import write_lines

Layout = Literal["lfw", "insightface"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
# How many parts of equal size InsightFace's evaluators cut a list into.
_PARTS = 10

Size = tuple[int, int]


def list_names(layout: Layout | None = None) -> tuple[str, ...]:
    """Names of the lists of a layout, or of all."""
    return tuple(_WRITERS) if layout is None else tuple(_OF[layout])


def in_list_order(content: Pairs, layout: Layout) -> Pairs:
    """The pairs in the order in which a layout lists them.

    Fold by fold, the positives of each first where all are of one size. InsightFace's evaluators
    cut any list into ten parts: without folds, both labels are spread over all of it, so that each
    part has the shares of the whole.

    >>> from pairsets import PairSet
    >>> pairs = PairSet.of(["a/1", "a/1", "b/1"], ["a/2", "b/1", "a/2"], [1, 0, 0])
    >>> in_list_order(Pairs(pairs), "insightface").pairs.label.tolist()
    [0, 1, 0]
    """
    if content.folds is not None:
        blocks = in_blocks(content)
        if blocks is not None:
            return Pairs(blocks.pairs, blocks.folds, content.notes, content.dropped)
        order = np.argsort(content.folds.numbers, kind="stable")
        parts = Folds(content.folds.numbers[order])
        return Pairs(content.pairs.take(order), parts, content.notes, content.dropped)
    if layout == "lfw":
        return content
    label = content.pairs.label
    places = np.empty(len(label))
    for one in (0, 1):
        rows = np.flatnonzero(label == one)
        places[rows] = (np.arange(rows.size) + 0.5) / max(rows.size, 1)
    order = np.lexsort((1 - label, places))
    return Pairs(content.pairs.take(order), None, content.notes, content.dropped)


def list_notes(content: Pairs, layout: Layout) -> list[str]:
    """Sentences on what the evaluators of a layout make of the pairs as they are listed."""
    if layout != "insightface":
        return []
    notes = []
    folds = content.folds
    if folds is not None:
        sizes = np.bincount(folds.numbers)[1:]
        if sizes.size != _PARTS or (sizes != sizes[0]).any():
            notes.append(
                f"InsightFace's evaluators cut a list into {_PARTS} equal parts, which the "
                f"{sizes.size} folds of these pairs are not"
            )
    against = int(content.pairs.contradicting.sum())
    if against:
        notes.append(f"{against} pairs have a label that says the opposite of the identities")
    if len(content.pairs) < _PARTS:
        notes.append(
            f"InsightFace's evaluators cut a list into {_PARTS} parts, and there are "
            f"{len(content.pairs)} pairs"
        )
    return notes


def write_lists(content: Pairs, layout: Layout, folder: Path, sizes: Mapping[str, Size]) -> None:
    """Write the lists of a layout, from pairs by the names of a pack's faces.

    Args:
        content: in the order in which they are listed.
        layout: whose lists.
        folder: the pack.
        sizes: width and height of each face.

    Raises:
        SourceError: the layout cannot hold these pairs, or faces of several sizes.
    """
    for name in list_names(layout):
        _WRITERS[name](content, folder / name, sizes)


def refuse_unlisted(content: Pairs, layout: Layout) -> None:
    """Raise SourceError for pairs that the lists of a layout cannot hold."""
    if layout != "lfw":
        return
    pairs = content.pairs
    against = np.flatnonzero(pairs.contradicting)
    if against.size:
        row = int(against[0])
        raise SourceError(
            f"{pairs.path_a[row]!r} and {pairs.path_b[row]!r} have label {pairs.label[row]}, and "
            f"show {' and '.join(map(repr, pairs.names(row)))}: pairs.txt knows the same identity "
            "by the same name alone; the layout insightface has labels of its own"
        )
    whole = content.folds or Folds(np.ones(len(pairs), np.int32))
    if in_blocks(Pairs(pairs, whole)) is None:
        positives = int(pairs.label.sum())
        raise SourceError(
            f"{positives} positives and {len(pairs) - positives} negatives"
            + (f" in {len(whole)} folds" if content.folds else "")
            + ": pairs.txt wants as many of each, in every fold, as its first line says how many. "
            "`lookalikes mine --folds K --pairs N --positives N` mines such sets; the layout "
            "insightface takes any"
        )


def one_size(sizes: Mapping[str, Size]) -> Size:
    """The width and height that all faces have.

    Raises:
        SourceError: faces of several sizes.
    """
    found: dict[Size, str] = {}
    for face, size in sizes.items():
        found.setdefault(size, face)
    if len(found) > 1:
        told = [f"{face!r} of {size[0]} x {size[1]}" for size, face in list(found.items())[:2]]
        raise SourceError(
            f"faces of {len(found)} sizes, as {' and '.join(told)}: InsightFace's evaluators take "
            "one size for all; --size 112 makes them so"
        )
    return next(iter(found))


def _pairs_txt(content: Pairs, path: Path, sizes: Mapping[str, Size]) -> None:
    lfw.write(content, path)


def _pairs_label(content: Pairs, path: Path, sizes: Mapping[str, Size]) -> None:
    pairs = content.pairs
    rows = zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)
    write_lines(path, (f"{a}\t{b}\t{label}" for a, b, label in rows), path.name)


def _faces_list(content: Pairs, path: Path, sizes: Mapping[str, Size]) -> None:
    numbers = _numbers(content)
    rows = sorted((numbers[content.pairs.identity(face)], face) for face in content.pairs.paths)
    write_lines(path, (f"1\t{face}\t{number}" for number, face in rows), path.name)


def _property(content: Pairs, path: Path, sizes: Mapping[str, Size]) -> None:
    width, height = one_size(sizes)
    write_lines(path, [f"{len(_numbers(content))},{height},{width}"], path.name)


def _numbers(content: Pairs) -> dict[str, int]:
    """Number of each identity, from 0, in the order of their names."""
    found = sorted({content.pairs.identity(face) for face in content.pairs.paths})
    return {identity: number for number, identity in enumerate(found)}


_OF: Mapping[Layout, tuple[str, ...]] = {
    "lfw": ("pairs.txt",),
    "insightface": ("pairs_label.txt", "faces.lst", "property"),
}
_WRITERS: Mapping[str, Callable[[Pairs, Path, Mapping[str, Size]], None]] = {
    "pairs.txt": _pairs_txt,
    "pairs_label.txt": _pairs_label,
    "faces.lst": _faces_list,
    "property": _property,
}
