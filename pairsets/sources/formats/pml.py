"""pytorch-metric-learning's index tuples, in an archive of numpy arrays (`.npz`).

Its miners and losses speak in indices of pictures: pairs are `a1, p, a2, n` (a1 and p are one
identity, a2 and n are two), triplets `a, p, n`. Beside these arrays the archive has `paths`, which
says what picture each index is; where it has not, a CSV with a column `path` does, such as the
`images.csv` of embeddings or the `faces.csv` of a run.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.text.text_lines import csv_rows, read_head
from pairsets.storage.artefacts import atomic_write

NAME = "pml"
SUMMARY = "an .npz archive of index arrays a1, p, a2, n (or a, p, n) and the array paths"
KEEPS = frozenset({"label"})
_PAIRS, _TRIPLETS = ("a1", "p", "a2", "n"), ("a", "p", "n")
_EXPECTED = "expected arrays a1, p, a2, n, or a, p, n, and paths"
_ZIP = b"PK\x03\x04"
_ENDING = ".npy"
# More than 1,032 bytes from one no zip archive of numpy's unpacks.
_MOST = 1100

# What NumPy raises of an array's head, which is a text of Python.
_NO_ARRAY = (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, tokenize.TokenError)
# What an archive gives that is cut short or has a wrong byte.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError),
    *(NotImplementedError, OSError, RuntimeError, ValueError),
)


def looks_like(path: Path, head: bytes) -> bool:
    """Whether it is an archive with the arrays of pairs or of triplets."""
    if not head.startswith(_ZIP):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return _kind(_arrays(archive)) is not None
    except _DAMAGE:
        return False


def read(path: Path, *, progress: Step | None = None, images: str | Path | None = None) -> Pairs:
    """Read index tuples: (a1, p) or (a, p) have label 1, (a2, n) or (a, n) have 0.

    Nothing in the archive can run: arrays of objects, which are pickles, are refused, and no array
    is read before its size is found to be that of the others, and of its part of the archive.

    Args:
        path, progress: as in `Format`.
        images: a CSV with a column `path`, whose rows the indices count from 0; instead of the
            archive's own paths.

    Raises:
        SourceError: no such archive or array, another kind, or an index that is no picture's.
    """
    if not read_head(path).startswith(_ZIP):
        raise SourceError(f"{path}: no .npz archive; {_EXPECTED}")
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            names = _arrays(archive)
            kind = _kind(names)
            if kind is None:
                raise SourceError(f"{path}: arrays {', '.join(names)[:90] or 'none'}; {_EXPECTED}")
            if images is None and "paths" not in names:
                raise SourceError(
                    f"{path}: no array paths; say what picture each index is with the option "
                    "images: a CSV with a column path"
                )
            wanted = [*kind, *(["paths"] if images is None else [])]
            _refuse_sizes(path, archive, kind)
            found = {}
            for done, name in enumerate(wanted, 1):
                found[name] = _array(path, archive, name)
                if progress:
                    progress(done, len(wanted))
    except SourceError:
        raise
    except _DAMAGE as error:
        raise SourceError(f"{path}: a damaged archive ({error}); is it cut short?") from None
    faces = _listed(Path(images)) if images is not None else found.pop("paths").tolist()
    return _gathered(path, {name: found[name] for name in kind}, faces)


def write(content: Pairs, path: Path, *, images: str | Path | None = None) -> Pairs:
    """Write `a1, p, a2, n` and `paths`; without compression, so that the same pairs give one file.

    Args:
        content, path: as in `Format`.
        images: a CSV with a column `path`, whose rows the indices shall count from 0, as those of
            the data set that is trained on; otherwise they count the faces of the pairs, sorted.

    Raises:
        SourceError: a face that `images` does not list.
    """
    held = held_by(NAME, KEEPS, content)
    pairs = held.pairs
    faces = _listed(Path(images)) if images is not None else pairs.paths
    places = {face: at for at, face in enumerate(faces)}
    missing = next((face for face in pairs.paths if face not in places), None)
    if missing is not None:
        raise SourceError(f"{NAME} cannot hold {missing!r}: {images} does not list it")
    arrays: dict[str, NDArray[Any]] = {}
    for label, names in ((1, _PAIRS[:2]), (0, _PAIRS[2:])):
        for name, side in zip(names, (pairs.path_a, pairs.path_b), strict=True):
            chosen = side[pairs.label == label]
            arrays[name] = np.array([places[face] for face in chosen], np.int64)
    arrays["paths"] = np.array(faces, np.str_)
    with atomic_write(path) as stream:
        # It gives all parts one date.
        np.savez(stream, allow_pickle=False, **arrays)
    order = np.argsort(1 - pairs.label, kind="stable")
    return replace(held, pairs=pairs.take(order))


def _kind(names: Sequence[str]) -> tuple[str, ...] | None:
    return next((kind for kind in (_PAIRS, _TRIPLETS) if {*kind} <= {*names}), None)


def _arrays(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays in an archive."""
    return [name.removesuffix(_ENDING) for name in archive.namelist() if name.endswith(_ENDING)]


def _header(part: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and kind of an array, of which nothing else is read."""
    version = np.lib.format.read_magic(part)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"version {version}")
    shape, _, kind = read_header(part)
    return shape, kind


def _refuse_sizes(path: Path, archive: zipfile.ZipFile, kind: Sequence[str]) -> None:
    """Raise SourceError unless those arrays that belong together are of one length."""
    shapes = {}
    for name in archive.namelist():
        label = name.removesuffix(_ENDING)
        if label not in (*kind, "paths"):
            continue
        with archive.open(name) as part:
            try:
                shape, dtype = _header(part)
            except _NO_ARRAY as error:
                raise SourceError(f"{path}: {label} is no numpy array ({error})") from None
            info = archive.getinfo(name)
            size = part.tell() + dtype.itemsize * int(np.prod(shape, dtype=object))
        wanted, text = ("U", "text") if label == "paths" else ("iu", "whole numbers")
        if dtype.kind not in wanted or len(shape) != 1:
            hint = "; objects are a pickle, which is never loaded" if dtype.hasobject else ""
            raise SourceError(
                f"{path}: {label} is {dtype} of shape {shape}, expected {text} in one row{hint}"
            )
        if size != info.file_size or size > _MOST * max(info.compress_size, 1):
            raise SourceError(
                f"{path}: {label} has {info.file_size} bytes, packed in {info.compress_size}, "
                f"where its header has {size}; is the archive damaged?"
            )
        shapes[label] = shape[0]
    groups = (_PAIRS[:2], _PAIRS[2:]) if len(kind) == len(_PAIRS) else (_TRIPLETS,)
    for group in groups:
        lengths = [shapes[name] for name in group]
        if len(set(lengths)) != 1:
            raise SourceError(
                f"{path}: {', '.join(group)} have {', '.join(map(str, lengths))} indices; expected "
                "as many in each"
            )


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name + _ENDING) as part:
        try:
            found: NDArray[Any] = np.lib.format.read_array(part, allow_pickle=False)
        except _NO_ARRAY as error:
            raise SourceError(f"{path}: {name} is damaged ({error})") from None
    return found


def _gathered(path: Path, found: dict[str, NDArray[Any]], faces: Sequence[str]) -> Pairs:
    for name, indices in found.items():
        outside = np.flatnonzero((indices < 0) | (indices >= len(faces)))
        if outside.size:
            at = int(outside[0])
            raise SourceError(
                f"{path}: {name}[{at}] is {indices[at]}; expected 0 to {len(faces) - 1}, an index "
                f"of the {len(faces)} pictures"
            )
    a, p, b, n = [*found.values()] if len(found) == len(_PAIRS) else (
        found["a"], found["p"], found["a"], found["n"]
    )  # fmt: skip
    names = np.array(faces, object)
    label = np.repeat([1, 0], [p.size, n.size])
    first, second = np.concatenate([a, b]).astype(int), np.concatenate([p, n]).astype(int)
    notes: list[str] = []
    kept = np.ones(label.size, bool)
    if len(found) == len(_TRIPLETS):
        # A pair stands in several triplets: the first counts.
        kept = ~pd.DataFrame({"a": first, "b": second, "label": label}).duplicated().to_numpy()
        if not kept.all():
            notes.append(f"{int((~kept).sum())} times a pair stands in a further triplet")
    return gather(
        path,
        names[first[kept]],
        names[second[kept]],
        label[kept],
        lines=np.concatenate([np.arange(p.size), np.arange(n.size)])[kept],
        unit="index",
        notes=notes,
    )


def _listed(images: Path) -> list[str]:
    """Paths in the column `path` of a CSV."""
    rows = csv_rows(images, what="CSV of images")
    _, header = next(rows, (1, []))
    if "path" not in header:
        raise SourceError(f"{images}, line 1: no column path; it has {','.join(header)[:80]}")
    at = header.index("path")
    found: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            raise SourceError(f"{images}, line {line}: {len(cells)} values, expected {len(header)}")
        if found.setdefault(cells[at], line) != line:
            raise SourceError(f"{images}, line {line}: {cells[at]!r} is listed twice")
    return list(found)
