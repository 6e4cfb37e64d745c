"""Tables of boxes as tests write them down: by picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pairsets.sources.face_boxes import FaceBoxes
from pairsets.sources.face_boxes.face_boxes import objects


def face_boxes(
    faces: Mapping[Any, Sequence[tuple[ArrayLike, float]]],
    *,
    characters: Mapping[Any, str] | None = None,
    sizes: Mapping[Any, tuple[int, int]] | None = None,
    **others: Any,
) -> FaceBoxes:
    """The table of `(box, score)` by picture, an int or a str."""
    rows = [face for found in faces.values() for face in found]
    known = sizes or {}
    return FaceBoxes(
        ids=objects(faces),
        starts=np.cumsum([0, *map(len, faces.values())], dtype=np.int64),
        boxes=np.array([box for box, _ in rows], np.float64).reshape(-1, 4),
        scores=np.array([score for _, score in rows], np.float64),
        characters=None if characters is None else objects(map(characters.get, faces)),
        sizes=np.array([known.get(key, (0, 0)) for key in faces], np.int32).reshape(-1, 2),
        **others,
    )
