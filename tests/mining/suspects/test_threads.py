"""Work in threads: order, and what is left undone after an error."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from mining.suspects.threads import in_threads


def test_results_come_in_order() -> None:
    items: list[int] = []
    results: list[int] = []

    def take(part: Sequence[int], found: list[int]) -> None:
        assert len(part) <= 3
        items.extend(part)
        results.extend(found)

    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    in_threads(work, range(20), take, threads=4, chunk=3)
    assert items == list(range(20))
    assert results == [item * item for item in range(20)]


@pytest.mark.parametrize("where", ["work", "take"])
def test_after_an_error_nothing_new_is_begun(where: str) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.002)
        if where == "work" and item == 3:
            raise ValueError("work")
        return item

    def take(part: Sequence[int], found: list[int]) -> None:
        if where == "take" and 3 in part:
            raise ValueError("take")

    with pytest.raises(ValueError, match=where):
        in_threads(work, range(2000), take, threads=2, chunk=1)
    assert len(begun) < 500
