"""Work in threads: order, and what is left undone after an error."""

from __future__ import annotations

import time

import pytest

from mining.parallel import in_chunks


def test_results_come_in_order() -> None:
    items: list[int] = []
    results: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    for part, found in in_chunks(work, range(20), 4, chunk=3):
        assert len(part) <= 3
        items.extend(part)
        results.extend(found)
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

    def take_all() -> None:
        for part, _ in in_chunks(work, range(2000), 2, chunk=1):
            if where == "take" and 3 in part:
                raise ValueError("take")

    with pytest.raises(ValueError, match=where):
        take_all()
    assert len(begun) < 500
