"""Threads that share a list: all of it is done, and an error stops every one of them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from indexes import join
from indexes.join import engine, workers


@pytest.fixture
def torch_threads():
    """Three of them; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


@pytest.fixture(params=[1, 2, 4])
def pool(request, torch_threads):
    with workers.pool_of(request.param) as pool:
        yield pool


def plain_worker(work):
    return lambda: work


def test_every_item_is_done_once_and_reported(pool):
    done, reported = [], []
    pool.share(range(50), plain_worker(lambda item: done.append(item) or item), reported.append)
    assert sorted(done) == list(range(50))
    assert sorted(reported) == list(range(50))


def test_items_are_taken_in_order(pool):
    taken = []

    def items():
        for item in range(30):
            taken.append(item)
            yield item

    began = []
    pool.share(items(), plain_worker(lambda item: began.append(item) or 1), workers=1)
    assert began == taken == list(range(30))


def test_no_items(pool):
    reported = []
    pool.share([], plain_worker(lambda item: 1), reported.append)
    assert reported == []


def test_each_slice_is_worked_on_once(pool):
    counts = np.zeros(100, int)

    def add(rows):
        counts[rows] += 1

    pool.each(add, [slice(start, start + 7) for start in range(0, 100, 7)])
    assert (counts == 1).all()


def test_reports_come_to_the_calling_thread(pool):
    """And the work is done in others, of which each makes its own worker, once."""
    reporters, makers, doers = set(), [], set()

    def worker():
        makers.append(threading.get_ident())
        return lambda item: doers.add(threading.get_ident()) or time.sleep(0.001) or 1

    pool.share(range(40), worker, lambda amount: reporters.add(threading.get_ident()))
    assert reporters == {threading.get_ident()}
    assert len(makers) == pool.size
    assert doers <= set(makers)
    assert threading.get_ident() not in doers


def test_torch_computes_alone_in_each_thread(pool):
    counts = set()
    pool.share(range(20), plain_worker(lambda item: counts.add(torch.get_num_threads()) or 1))
    assert counts == {1}


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt, SystemExit])
def test_an_error_in_a_worker_stops_the_others(pool, error):
    done = []

    def work(item):
        if item == 3:
            raise error("in item 3")
        time.sleep(0.002)
        done.append(item)
        return 1

    with pytest.raises(error, match="in item 3"):
        pool.share(range(50_000), plain_worker(work))
    # Those in hand are finished, and none is begun after it.
    count = len(done)
    assert count < 49_000
    time.sleep(0.02)
    assert len(done) == count


def test_an_error_in_making_a_worker(pool):
    def worker():
        raise MemoryError("no buffers")

    with pytest.raises(MemoryError, match="no buffers"):
        pool.share(range(500), worker)


def test_an_error_in_the_items(pool):
    def items():
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        pool.share(items(), plain_worker(lambda item: 1))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_report_stops_the_workers(pool, error):
    done = []

    def work(item):
        time.sleep(0.002)
        done.append(item)
        return item

    def report(item):
        raise error("stop")

    with pytest.raises(error, match="stop"):
        pool.share(range(50_000), plain_worker(work), report)
    count = len(done)
    assert count < 49_000
    time.sleep(0.02)
    assert len(done) == count


def test_the_pool_can_be_used_again_after_an_error(pool):
    with pytest.raises(ZeroDivisionError):
        pool.share([0], plain_worker(lambda item: 1 // item))
    done = []
    pool.share([1, 2], plain_worker(lambda item: done.append(item) or 1))
    assert sorted(done) == [1, 2]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_torch_has_its_threads_back(size, torch_threads):
    alive = threading.active_count()
    with workers.pool_of(size) as pool:
        pool.each(lambda rows: None, [slice(0, 1)] * 20)
    assert torch.get_num_threads() == torch_threads
    with pytest.raises(ZeroDivisionError), workers.pool_of(size) as pool:
        pool.each(lambda rows: 1 // 0, [slice(0, 1)] * 20)
    assert torch.get_num_threads() == torch_threads
    assert threading.active_count() == alive


def test_an_error_in_a_tile_ends_the_search(way, torch_threads, monkeypatch):
    """A limit is a threshold: without one, the first block would be the one that breaks."""
    tiles = []

    def broken(self, tile, *rest):
        tiles.append(tile)
        raise MemoryError("no room for a tile")

    monkeypatch.setattr(engine.Engine, "search", broken)
    monkeypatch.setattr(engine.Plain, "search", broken)
    vectors, alive = np.eye(90, dtype=np.float32), threading.active_count()
    with pytest.raises(MemoryError, match="no room for a tile"):
        join.top_pairs(vectors, np.arange(90), 5, min_score=-1, how=way(tile=8, threads=2))
    assert len(tiles) <= 2
    assert torch.get_num_threads() == torch_threads
    assert threading.active_count() == alive


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_in_the_progress_ends_the_search(way, error, torch_threads):
    def progress(done, total):
        assert threading.current_thread() is threading.main_thread()
        if done:
            raise error("enough")

    vectors, alive = np.eye(90, dtype=np.float32), threading.active_count()
    with pytest.raises(error, match="enough"):
        join.top_pairs(vectors, np.arange(90), 5, how=way(tile=8, threads=2), progress=progress)
    assert torch.get_num_threads() == torch_threads
    assert threading.active_count() == alive
