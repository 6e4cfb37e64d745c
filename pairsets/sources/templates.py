"""Templates: several pictures of one person that are compared as one, as IJB-B and IJB-C have them.

A template is made of media, which are still pictures or videos; the pictures of a medium count as
one. `ijbc_face_tid_mid.txt` lists `image template media`, a line a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.paths import strings, why_unsafe
from pairsets.progress import Step
from pairsets.sources.text.text_lines import text_lines

_EXPECTED = "expected IMAGE TEMPLATE MEDIA, as in 1.jpg 1 69544"
# Pictures whose vectors are summed at a time.
BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class Templates:
    """Table of pictures by template, and within it by medium.

    Attributes:
        images: `[N]` str, paths of pictures; one may be in several templates.
        templates: `[N]` int64, numbers from 0 on.
        media: `[N]` int64, numbers from 0 on; one number may be used in several templates, as
            another medium in each.

    Raises:
        SourceError: another length, no rows, a negative number, a path that leaves its folder, or
            a picture that is twice in a template.
    """

    images: NDArray[np.object_]
    templates: NDArray[np.int64]
    media: NDArray[np.int64]

    def __post_init__(self) -> None:
        images = strings(self.images)
        numbers = {name: _numbers(name, getattr(self, name)) for name in ("templates", "media")}
        problem = _first_problem(images, **numbers)
        if problem:
            raise SourceError(f"row {problem[0] + 1}: {problem[1]}")
        for name, array in (("images", images), *numbers.items()):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def read(cls, path: str | Path, *, progress: Step | None = None) -> Templates:
        """Read `image template media`, separated by spaces, without a header.

        Raises:
            SourceError: the file is missing, empty, or a line is of another form; the message
                gives the file and the line.
        """
        path = Path(path)
        lines: list[int] = []
        rows: list[tuple[str, int, int]] = []
        for line, text in text_lines(path, progress, what="file of templates"):
            # From the right: a name may have spaces.
            cells = text.rsplit(maxsplit=2)
            if len(cells) != 3 or not (_is_number(cells[1]) and _is_number(cells[2])):
                raise SourceError(f"{path}, line {line}: {text[:80]!r}; {_EXPECTED}{_hint(text)}")
            lines.append(line)
            rows.append((cells[0], int(cells[1]), int(cells[2])))
        if not rows:
            raise SourceError(f"{path}: empty; {_EXPECTED}")
        images, *numbers = zip(*rows, strict=True)
        templates, media = (np.array(column, np.int64) for column in numbers)
        problem = _first_problem(strings(images), templates, media)
        if problem:
            raise SourceError(f"{path}, line {lines[problem[0]]}: {problem[1]}")
        return cls(strings(images), templates, media)

    def __len__(self) -> int:
        """Number of pictures that are listed, each as often as it is in a template."""
        return len(self.images)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The distinct templates, rising."""
        return np.unique(self.templates)


def rows_by_path(wanted: Iterable[str], paths: Iterable[str]) -> NDArray[np.int64]:
    """Rows among `paths` of each of `wanted`; -1 for none.

    A path that is not there as it is is looked for below other folders: `1.jpg` is
    `loose_crop/1.jpg` if no other path ends so.

    Raises:
        SourceError: several paths end so.

    >>> rows_by_path(["1.jpg", "img/2.jpg", "3.jpg"], ["all/1.jpg", "img/2.jpg"]).tolist()
    [0, 1, -1]
    """
    rows: dict[str, int] = {path: row for row, path in enumerate(paths)}
    names = list(rows)
    ends: dict[str, int] = {}
    for row, path in enumerate(names):
        end = path
        while "/" in end:
            end = end.partition("/")[2]
            ends[end] = row if end not in ends else -2 - ends[end] if ends[end] >= 0 else ends[end]
    found = []
    for path in wanted:
        row = rows[path] if path in rows else ends.get(path, -1)
        if row < -1:
            raise SourceError(
                f"{path!r} could be {names[-2 - row]!r} or another picture of that name; expected "
                "names that tell them apart, such as with their folders"
            )
        found.append(row)
    return np.array(found, np.int64)


def pooled(
    vectors: NDArray[np.float32],
    rows: ArrayLike,
    templates: ArrayLike,
    media: ArrayLike,
    *,
    block: int = BLOCK,
    progress: Step | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One vector a template: the mean over its media of the mean over each one's pictures.

    That is the protocol of IJB-B and IJB-C: the frames of a video count as one picture. The order
    of the rows changes nothing. Memory is that of the result and of a few thousand vectors.

    Args:
        vectors: `[M, D]`, of pictures.
        rows: `[N]`, of the vector of each picture of a template.
        templates: `[N]`.
        media: `[N]`, within their template.
        block: pictures whose vectors are summed at a time.
        progress: called with pictures done and in all.

    Returns:
        The templates `[T]`, rising, and their vectors `[T, D]`, of whatever length they come out.

    >>> frames = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 4.0]], np.float32)
    >>> pooled(frames, [0, 1, 2], [7, 7, 7], [1, 1, 2])[1].tolist()
    [[1.0, 2.0]]
    """
    picture, template, medium = (np.asarray(one, np.int64) for one in (rows, templates, media))
    order = np.lexsort((picture, medium, template))
    picture, template, medium = picture[order], template[order], medium[order]
    begins = np.flatnonzero(np.r_[True, template[1:] != template[:-1]][: template.size])
    new = (template[1:] != template[:-1]) | (medium[1:] != medium[:-1])
    media_begin = np.flatnonzero(np.r_[True, new][: template.size])
    found = np.empty((begins.size, vectors.shape[1]))
    ends = np.r_[begins[1:], template.size]
    first = 0
    while first < begins.size:
        # As many whole templates as fit, and at least one.
        last = max(int(np.searchsorted(ends, begins[first] + block, side="right")), first + 1)
        low, high = int(begins[first]), int(ends[last - 1])
        starts = media_begin[slice(*np.searchsorted(media_begin, (low, high)))]
        means = np.add.reduceat(vectors[picture[low:high]].astype(np.float64), starts - low)
        means /= np.diff(np.r_[starts, high])[:, None]
        parts = np.searchsorted(starts, begins[first:last])
        sums = np.add.reduceat(means, parts)
        found[first:last] = sums / np.diff(np.r_[parts, starts.size])[:, None]
        first = last
        if progress:
            progress(high, template.size)
    return template[begins], found


def _numbers(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise SourceError(f"{name}: {array.dtype} {array.shape}; expected whole numbers in one row")
    return array.astype(np.int64)


def _first_problem(
    images: NDArray[np.object_], templates: NDArray[np.int64], media: NDArray[np.int64]
) -> tuple[int, str] | None:
    """Row and description of the first picture that breaks a rule, of the first kind met."""
    if not len(images) or not len(images) == len(templates) == len(media):
        return 0, f"{len(images)} pictures, {len(templates)} templates, {len(media)} media"
    for column in (templates, media):
        if column.min() < 0:
            row = int(np.argmax(column < 0))
            return row, f"the number {column[row]}; expected 0 or more"
    codes, distinct = pd.factorize(images)
    for code, path in enumerate(distinct):
        unsafe = why_unsafe(path) if isinstance(path, str) else "is not text"
        if unsafe:
            return int(np.argmax(codes == code)), f"the path {path!r} {unsafe}"
    again = np.flatnonzero(pd.DataFrame({"image": codes, "template": templates}).duplicated())
    if again.size:
        row = int(again[0])
        return row, f"{images[row]!r} is in template {templates[row]} already"
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _hint(text: str) -> str:
    if "," in text:
        return "; is it a CSV of NIST's? It lists other columns"
    return "; is it the file of template pairs?" if text.split()[-1:] in (["0"], ["1"]) else ""


def template_path(subject: int, template: int) -> str:
    """Path of a template among faces: in the folder of its subject.

    >>> template_path(123, 12065)
    'subject_000123/12065'
    """
    return f"subject_{subject:06d}/{template}"


def numbered(paths: Iterable[str]) -> dict[int, str]:
    """Templates by number, of paths that end in it.

    Raises:
        SourceError: a path that does not, or a number of two subjects.
    """
    found: dict[int, str] = {}
    for path in paths:
        name = path.rpartition("/")[2]
        if not _is_number(name) or str(int(name)) != name:
            raise SourceError(f"{path!r} is no template; expected its number, as in subject/12065")
        if found.setdefault(int(name), path) != path:
            raise SourceError(f"template {name} is both {found[int(name)]!r} and {path!r}")
    return found
