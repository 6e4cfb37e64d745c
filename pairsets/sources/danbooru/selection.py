"""Pictures of one character with one face: the posts joined with the boxes, block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.faces import identity_of
from pairsets.sources.danbooru.blocks import Block
from pairsets.sources.danbooru.posts import KEPT
from pairsets.sources.danbooru.single_faces import ONE, Boxed
from pairsets.sources.face_boxes import FaceBoxes

_PAGE = 20


@dataclass(frozen=True, eq=False)
class SelectedPictures:
    """Faces of characters: of one picture each, unless their boxes are told apart by name.

    Attributes:
        ids: `[N]` int64 or objects.
        owner: `[N]` int32, row of the character in `names`.
        names: `[C]` distinct.
        boxes: `[N, 4]` int32.
    """

    ids: NDArray[Any]
    owner: NDArray[np.int32]
    names: tuple[str, ...]
    boxes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counts(self) -> NDArray[np.int64]:
        """`[C]`: pictures of each character."""
        return np.bincount(self.owner, minlength=len(self.names))


class Selection:
    """Pictures selected from the blocks so far, with the fates of all posts.

    Attributes:
        fates: posts by why they are left out, `KEPT` those of one character.
        faces: those by why their picture is left out, `ONE` the ones that stay.
        repeated: posts that had been there before; the first one counts.
        disagreeing: those of them that are judged in another way, or name another character.
        joined: posts of one character whose picture somebody looked at for faces.
    """

    def __init__(self, boxed: Boxed, posts: NDArray[np.int64]) -> None:
        """Begin empty; `boxed` and the posts of its pictures are as `Boxed.by_post` has them."""
        self.fates: Counter[int] = Counter()
        self.faces: Counter[int] = Counter()
        self.repeated = self.disagreeing = self.joined = 0
        self._boxed, self._posts = boxed, posts
        self._seen: dict[int, NDArray[np.uint32]] = {}
        self._codes: dict[str, int] = {}
        self._rows: list[NDArray[np.int64]] = []
        self._owners: list[NDArray[np.int32]] = []

    def add(self, block: Block) -> None:
        """Take the pictures of the next block that stay."""
        fresh = self._first(block.ids, block.marks)
        kept = block.marks >= KEPT
        reasons = np.minimum(block.marks, KEPT)[fresh]
        self.fates.update(dict(enumerate(np.bincount(reasons, minlength=KEPT + 1).tolist())))
        rows = self._find(block.ids[kept & fresh])
        self.faces.update(self._boxed.counts(rows))
        stays = np.flatnonzero(rows >= 0)
        self.joined += len(stays)
        stays = stays[self._boxed.fates[rows[stays]] == ONE]
        numbers = np.flatnonzero(fresh[kept])[stays]
        owners = [
            self._codes.setdefault(block.names[at], len(self._codes)) for at in numbers.tolist()
        ]
        self._rows.append(rows[stays])
        self._owners.append(np.array(owners, np.int32))

    def pictures(self) -> SelectedPictures:
        """Pictures that were selected, once all blocks are added."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        owner = np.concatenate([np.empty(0, np.int32), *self._owners])
        return SelectedPictures(
            self._boxed.ids[rows], owner, tuple(self._codes), self._boxed.boxes[rows]
        )

    def _find(self, ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """Rows of the boxes of these posts, -1 where there is none."""
        known = self._posts
        if not len(known):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[at] == ids, at, -1)

    def _first(self, ids: NDArray[np.int32], marks: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Mask of the posts that were not there before; their marks are kept."""
        _, at, back = np.unique(ids, return_index=True, return_inverse=True)
        fresh = np.zeros(len(ids), bool)
        fresh[at] = True
        before = marks[at][back]
        pages = ids >> _PAGE
        for page in np.unique(pages).tolist():
            # Where no post is, the system gives no memory for a page of zeros.
            known = self._seen.setdefault(page, np.zeros(2**_PAGE, np.uint32))
            rows = np.flatnonzero(pages == page)
            places = ids[rows] & (2**_PAGE - 1)
            earlier = known[places]
            before[rows] = np.where(earlier > 0, earlier, before[rows])
            fresh[rows] &= earlier == 0
            known[places] = before[rows]
        self.repeated += int((~fresh).sum())
        self.disagreeing += int((~fresh & (before != marks)).sum())
        return fresh


def named_pictures(found: FaceBoxes, boxed: Boxed) -> tuple[SelectedPictures, Counter[int], int]:
    """The pictures whose character the annotation names, or else the folder they lie in.

    Returns:
        The pictures that stay, those of a character by their fate, and how many are of none.
    """
    names, owners = _owners(names_of(found))
    faces = boxed.counts(np.flatnonzero(owners >= 0))
    stays = (owners >= 0) & (boxed.fates == ONE)
    pictures = SelectedPictures(found.ids[stays], owners[stays], names, boxed.boxes[stays])
    return pictures, faces, int((owners < 0).sum())


def named_boxes(
    found: FaceBoxes, boxed: Boxed, rows: NDArray[np.int64]
) -> tuple[SelectedPictures, Counter[int], int, int]:
    """The faces whose box has a name of its own, however many a picture shows.

    Args:
        found: the boxes.
        boxed, rows: as `Boxed.each` has them.

    Returns:
        The faces that stay, those of a character by their fate, how many are of no one's name, and
        how many are the same face again once their sides are whole pixels.
    """
    told = [None] * len(rows) if found.names is None else found.names[rows].tolist()
    names, owners = _owners(told)
    faces = boxed.counts(np.flatnonzero(owners >= 0))
    stays = np.flatnonzero((owners >= 0) & (boxed.fates == ONE))
    pictures = np.repeat(np.arange(len(found)), found.counts)[rows]
    keys = np.column_stack([pictures[stays], owners[stays], boxed.boxes[stays]])
    first = np.sort(np.unique(keys, axis=0, return_index=True)[1]) if len(stays) else stays
    again = len(stays) - len(first)
    stays = stays[first]
    kept = SelectedPictures(boxed.ids[stays], owners[stays], names, boxed.boxes[stays])
    return kept, faces, int((owners < 0).sum()), again


def _owners(named: Iterable[str | None]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The distinct names, and the row among them of each that is given; -1 for none."""
    codes: dict[str, int] = {}
    rows = [codes.setdefault(name, len(codes)) if name else -1 for name in named]
    return tuple(codes), np.array(rows, np.int32)


def repeated(found: SelectedPictures) -> int:
    """Number of faces of a character whom the same picture shows in another box already."""
    return len(found) - len(set(zip(found.ids.tolist(), found.owner.tolist(), strict=True)))


def names_of(found: FaceBoxes) -> list[str]:
    """The character of each picture; empty where nobody says it."""
    if found.characters is not None:
        return [name or "" for name in found.characters]
    return [identity_of(picture) if isinstance(picture, str) else "" for picture in found.ids]
