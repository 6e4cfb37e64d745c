"""Gallery and probes drawn from one folder."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets.errors import SampleError
from pairsets.gallery_draw import draw_gallery

NAMES = np.repeat([f"id{at:02}" for at in range(20)], [1, 2, 3, 4] * 5)
PATHS = [f"{name}/{at:02}.png" for at, name in enumerate(NAMES)]


def drawn(**options: object) -> tuple[list[str], list[str]]:
    found = draw_gallery(NAMES, PATHS, **options)  # type: ignore[arg-type]
    return [PATHS[at] for at in found.gallery], [PATHS[at] for at in found.probes]


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("held_out", [0, 0.2, 0.5])
def test_who_is_where(size: int, held_out: float) -> None:
    found = draw_gallery(NAMES, PATHS, gallery_size=size, held_out=held_out, seed=3)
    assert sorted([*found.gallery, *found.probes]) == [*range(len(NAMES))]
    inside = {*NAMES[found.gallery]}
    assert found.held_out == 20 - len(inside) == round(20 * held_out)
    for name in inside:
        had, kept = (name == NAMES).sum(), (NAMES[found.gallery] == name).sum()
        assert kept == max(min(size, had - 1), 1)
    singles = {name for name in inside if (name == NAMES).sum() == 1}
    assert found.alone == len(singles)


def test_neither_order_nor_a_smaller_gallery_draws_others() -> None:
    once = drawn(seed=5)
    order = np.random.default_rng(0).permutation(len(NAMES))
    found = draw_gallery(NAMES[order], [PATHS[at] for at in order], seed=5)
    assert sorted(PATHS[order[at]] for at in found.gallery) == once[0]
    assert {*once[0]} < {*drawn(seed=5, gallery_size=2)[0]}
    assert drawn(seed=6) != once


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (["a", "b"], {}, "none that is in the gallery has a second face"),
        (["a", "a"], {"held_out": 0.5}, "not held out"),
        (["a", "a"], {"gallery_size": 0}, "a gallery of 0 faces"),
        (["a", "a"], {"held_out": 1.0}, "held out; expected 0 to below 1"),
        ([], {}, "no faces"),
    ],
)
def test_what_cannot_be_drawn(names: list[str], options: dict[str, object], said: str) -> None:
    with pytest.raises(SampleError, match=said):
        draw_gallery(np.array(names, object), **options)  # type: ignore[arg-type]
