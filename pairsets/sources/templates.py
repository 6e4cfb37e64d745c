"""Templates: several pictures of one person that are compared as one, as IJB-B and IJB-C have them.

A template is made of media, which are still pictures or videos; the pictures of a medium count as
one. `ijbc_face_tid_mid.txt` lists `image template media`, a line a picture; NIST's own CSV names
the subject of each template too (`pairsets.sources.nist_templates`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.paths import strings, why_unsafe
from pairsets.progress import Step
from pairsets.sources.nist_templates import ListedTemplates, begins_so, read_listed
from pairsets.sources.text.text_lines import read_head, text_lines

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
        subjects: `[N]` int64, numbers from 0 on, of the templates; None where the files name none.

    Raises:
        SourceError: another length, no rows, a negative number, a path that leaves its folder, a
            picture that is twice in a template, or a template of two subjects.
    """

    images: NDArray[np.object_]
    templates: NDArray[np.int64]
    media: NDArray[np.int64]
    subjects: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        images = strings(self.images)
        told = ("templates", "media", *([] if self.subjects is None else ["subjects"]))
        numbers = {name: _numbers(name, getattr(self, name)) for name in told}
        problem = _first_problem(images, **numbers)
        if problem:
            raise SourceError(f"row {problem[0] + 1}: {problem[1]}")
        for name, array in (("images", images), *numbers.items()):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def read(cls, path: str | Path, *, progress: Step | None = None) -> Templates:
        """Read `image template media`, separated by spaces, without a header; or a CSV of NIST's.

        Raises:
            SourceError: the file is missing, empty, or a line is of another form; the message
                gives the file and the line.
        """
        path = Path(path)
        nist = begins_so(read_head(path, "file of templates"))
        listed = read_listed(path, progress) if nist else _read_plain(path, progress)
        problem = _first_problem(*listed[1:])
        if problem:
            raise SourceError(f"{path}, line {listed.lines[problem[0]]}: {problem[1]}")
        return cls(*listed[1:])

    @classmethod
    def read_all(cls, paths: Sequence[str | Path], *, progress: Step | None = None) -> Templates:
        """Read several files as one: what stands in two of them counts once.

        Raises:
            SourceError: as `read`; files with subjects and without, or a template that two files
                list otherwise.
        """
        found = [cls.read(path, progress=progress) for path in paths]
        if len(found) == 1:
            return found[0]
        named = {one.subjects is not None for one in found}
        told = ", ".join(map(str, paths))
        if len(named) != 1:
            raise SourceError(f"{told}: some name the subjects of templates, and others do not")
        columns = ["images", "templates", "media", *(["subjects"] if named == {True} else [])]
        table = pd.concat(
            [pd.DataFrame({name: getattr(one, name) for name in columns}) for one in found]
        ).drop_duplicates()
        try:
            return cls(*(table[name].to_numpy() for name in columns))
        except SourceError as error:
            raise SourceError(
                f"{told}, together: {str(error).partition(': ')[2]}; do they list one template "
                "otherwise?"
            ) from None

    def __len__(self) -> int:
        """Number of pictures that are listed, each as often as it is in a template."""
        return len(self.images)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The distinct templates, rising."""
        return np.unique(self.templates)

    @property
    def owners(self) -> dict[int, int] | None:
        """Subject by template; None where the files name none."""
        if self.subjects is None:
            return None
        return dict(zip(self.templates.tolist(), self.subjects.tolist(), strict=True))

    def refuse_shared(self) -> None:
        """Raise SourceError where one picture is in templates of two subjects."""
        if self.subjects is None:
            return
        codes, distinct = pd.factorize(self.images)
        first: Mapping[int, int] = dict(
            zip(codes[::-1].tolist(), self.subjects[::-1].tolist(), strict=True)
        )
        for code, subject in zip(codes.tolist(), self.subjects.tolist(), strict=True):
            if first[code] != subject:
                raise SourceError(
                    f"{distinct[code]!r} is in templates of the subjects {first[code]} and "
                    f"{subject}, whose faces one vector cannot tell apart; cut the faces out, and "
                    "list those (IMAGE TEMPLATE MEDIA a line)"
                )


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


def _read_plain(path: Path, progress: Step | None) -> ListedTemplates:
    """The rows of a file of `image template media`."""
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
    return ListedTemplates(lines, strings(images), templates, media)


def _first_problem(
    images: NDArray[np.object_],
    templates: NDArray[np.int64],
    media: NDArray[np.int64],
    subjects: NDArray[np.int64] | None = None,
) -> tuple[int, str] | None:
    """Row and description of the first picture that breaks a rule, of the first kind met."""
    if not len(images) or not len(images) == len(templates) == len(media):
        return 0, f"{len(images)} pictures, {len(templates)} templates, {len(media)} media"
    if subjects is not None and len(subjects) != len(images):
        return 0, f"{len(images)} pictures, {len(subjects)} subjects"
    for column in (templates, media, *([] if subjects is None else [subjects])):
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
    if subjects is not None:
        _, first, codes = np.unique(templates, return_index=True, return_inverse=True)
        other = np.flatnonzero(subjects != subjects[first[codes]])
        if other.size:
            row = int(other[0])
            owner = subjects[first[codes[row]]]
            return row, f"template {templates[row]} is of subject {subjects[row]} and of {owner}"
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _hint(text: str) -> str:
    if "," in text:
        return "; is it a CSV of NIST's? Its first line names TEMPLATE_ID, SUBJECT_ID, FILENAME"
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
