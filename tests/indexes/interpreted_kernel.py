"""The fused kernel against NumPy; `test_fused_kernel.py` runs this under Triton's interpreter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import oracle
from support.oracle import as_bytes, listed

from indexes import IndexesError, join
from indexes.join import bounds, cuda, device_rows, fused_kernel
from indexes.join.device_rows import DeviceRows, Residence
from indexes.join.fused_kernel import Blocks, HitBuffer, tile_hits
from indexes.join.stack import Stacked
from indexes.join.tiles import Tile

GENERATOR = np.random.default_rng(0)
WIDTHS = [1, 2, 7, 15, 16, 31, 33, 50, 64, 70, 513]


def rows16(count, width, generator=GENERATOR):
    return torch.from_numpy(generator.standard_normal((count, width))).to(torch.bfloat16)


def found_by(left, right, bars, codes=None, diagonal=False, room=10**6, blocks=None):
    bars = np.broadcast_to(np.asarray(bars), (len(left),))
    kind = torch.int32 if left.dtype == torch.int8 else torch.float32
    if codes is None:
        codes = np.arange(len(left) + len(right))
    return tile_hits(
        left,
        right,
        torch.from_numpy(bars.copy()).to(kind),
        torch.from_numpy(np.array(codes, np.int32)),
        diagonal=diagonal,
        room=room,
        buffer=HitBuffer("cpu"),
        blocks=blocks,
    )


def check(left, right, bars, codes=None, diagonal=False, blocks=None):
    """Every product above its bar by more than rounding is a hit, none that is as far below."""
    hits = found_by(left, right, bars, codes, diagonal, blocks=blocks)
    exact = left.double().numpy() @ right.double().numpy().T
    sizes = np.linalg.norm(left.double().numpy(), axis=1)
    others = np.linalg.norm(right.double().numpy(), axis=1)
    slack = left.shape[1] * 2.0**-22 * np.outer(sizes, others)
    if left.dtype == torch.int8:
        slack[:] = 0
    admitted = np.ones(exact.shape, bool)
    if codes is not None:
        own, other = np.split(np.asarray(codes), [len(left)])
        admitted &= own[:, None] != other
    if diagonal:
        admitted &= np.triu(admitted, 1)
    bars = np.broadcast_to(np.asarray(bars, float), (len(left),))[:, None]
    p, q, products = (part.numpy() for part in hits)
    assert (np.diff(p * len(right) + q) > 0).all()  # each once, row by row
    table = np.zeros(exact.shape, bool)
    table[p, q] = True
    assert not (table & ~(admitted & (exact >= bars - slack))).any()
    assert not (admitted & (exact >= bars + slack) & ~table).any()
    assert (np.abs(products - exact[p, q]) <= slack[p, q]).all()
    return len(p)


def test_it_is_the_interpreter_that_runs_and_it_is_sound():
    assert fused_kernel.INTERPRETS
    assert fused_kernel.fault("cpu") == cuda.fused_fault("cpu") == ""
    assert cuda.refuse_inexact("cpu") == "fused kernel"
    assert cuda.side(["cpu"]) == cuda.FUSED_SIDE


@pytest.mark.parametrize("width", WIDTHS)
def test_widths_and_ragged_edges(width):
    left, right = rows16(37, width), rows16(70, width)
    assert check(left, right, 0.3 * width**0.5) > 0
    assert check(left, left, -0.1, diagonal=True, codes=[*np.arange(37) // 3] * 2) > 0


@pytest.mark.parametrize(("height", "across"), [(1, 1), (1, 129), (64, 64), (65, 128), (95, 3)])
def test_shapes(height, across):
    check(rows16(height, 20), rows16(across, 20), 1.0)


@pytest.mark.parametrize("blocks", [Blocks((16, 16, 16), 1, 1), Blocks((64, 32, 64), 1, 1)])
def test_ways_to_cut_a_tile(blocks):
    """With more blocks than are worked off as one band; below the diagonal none is."""
    left = rows16(150, 16)
    codes = [*np.arange(150) // 7] * 2
    assert check(left, left, 4.0, codes, diagonal=True, blocks=blocks) > 100


@pytest.mark.parametrize("bar", [-np.inf, -5.0, -0.0, 0.0, 3.0, np.inf])
def test_bars_of_all_signs(bar):
    """Edges are filled with products, or zeros, that may reach a low bar: none is a hit."""
    left, right = rows16(35, 9), rows16(67, 9)
    count = check(left, right, bar)
    assert bar != -np.inf or count == 35 * 67
    assert bar != np.inf or count == 0


def test_ties_on_the_bar_are_hits():
    """Products that are whole numbers: what is at the bar is a hit, what is one below is not."""
    whole = torch.from_numpy(GENERATOR.integers(-3, 4, (60, 33))).to(torch.bfloat16)
    exact = (whole.double() @ whole.double().T).numpy()
    bar = np.quantile(exact, 0.9, method="nearest")
    hits = found_by(whole, whole, bar, diagonal=True)
    assert len(hits.rows) == (np.triu(exact >= bar, 1)).sum()
    assert (exact == bar).sum() > 5


def test_equal_rows_and_each_row_its_own_bar():
    left = rows16(5, 40).repeat(9, 1)
    bars = np.linspace(-3, 60, 45, dtype=np.float32)
    assert check(left, left, bars, diagonal=True) > 0


def test_one_group_has_no_hits():
    left = rows16(40, 8)
    assert len(found_by(left, left, -np.inf, np.zeros(80), diagonal=True).rows) == 0


@pytest.mark.parametrize("width", [1, 16, 33, 200])
def test_whole_numbers_are_summed_exactly(width):
    left = torch.from_numpy(GENERATOR.choice([-127, 127, 5], (50, width)).astype(np.int8))
    bars = GENERATOR.integers(-9000, 9000, 50)
    codes = [*np.arange(50) // 4] * 2
    assert check(left, left, bars, codes, diagonal=True) > 0


def test_hits_beyond_the_room_are_counted_and_not_listed():
    left = rows16(64, 8)
    count = len(found_by(left, left, 1.0).rows)
    assert found_by(left, left, 1.0, room=count) is not None
    assert found_by(left, left, 1.0, room=count - 1) is None
    buffer = HitBuffer("cpu")
    codes = torch.arange(128, dtype=torch.int32)
    for bar, room in ((-torch.inf, 7), (1.0, count), (-torch.inf, 0), (1.0, count)):
        bars = torch.full((64,), bar)
        hits = tile_hits(left, left, bars, codes, diagonal=False, room=room, buffer=buffer)
        # A tile that did not fit leaves nothing behind.
        assert (hits is None) == (room != count)
        assert hits is None or len(hits.rows) == count


def test_a_kernel_that_sums_in_fewer_places_is_not_used(monkeypatch):
    fused_kernel.fault.cache_clear()
    exact = fused_kernel.dense
    monkeypatch.setattr(
        fused_kernel, "dense", lambda a, b: exact(a, b).to(torch.bfloat16).float() * 0.97
    )
    try:
        assert "not kept in float32" in fused_kernel.fault("cpu")
        fused_kernel.fault.cache_clear()
        monkeypatch.setattr(fused_kernel, "dense", None)
        monkeypatch.setattr(fused_kernel, "sums_in_float32", lambda device, by: by(0, 0))
        assert fused_kernel.fault("cpu").startswith("it does not run there: TypeError: ")
    finally:
        fused_kernel.fault.cache_clear()


def world(count=120, width=24, kind="clustered"):
    generator = np.random.default_rng(1)
    codes = np.sort(generator.integers(0, 40, count))
    if kind == "ties":
        vectors = generator.integers(-1, 2, (count, width))
    elif kind == "negative":
        vectors = generator.uniform(0.1, 1.0, (count, width)) * np.where(codes % 2, 1, -1)[:, None]
        codes = codes % 2
    else:
        vectors = generator.standard_normal((40, width))[codes]
        vectors = vectors + 0.3 * generator.standard_normal((count, width))
    return vectors.astype(np.float32), codes.astype(np.int64)


@pytest.fixture(params=[("cpu",), ("cpu", "cpu:0")], ids=["one device", "two devices"])
def devices(request, monkeypatch):
    monkeypatch.setattr(join.SearchOptions, "devices_for", lambda *_: request.param)
    return request.param


@pytest.mark.parametrize("kind", ["clustered", "ties", "negative"])
def test_a_search_finds_what_the_double_loop_finds(kind, devices):
    vectors, codes = world(kind=kind)
    truth = oracle.top_pairs(vectors, codes, 300)
    for n, tile in ((300, 100), (7, None)):
        how = join.SearchOptions(precision="bf16", tile=tile)
        assert listed(join.top_pairs(vectors, codes, n, how=how)) == truth[:n]
    how = join.SearchOptions(precision="bf16", tile=64)
    limit = truth[150][2]
    expected = oracle.top_pairs(vectors, codes, 5000, min_score=limit)
    assert listed(join.top_pairs(vectors, codes, 5000, min_score=limit, how=how)) == expected


def test_two_sets(devices):
    vectors, codes = world()
    how = join.SearchOptions(precision="bf16", tile=50)
    sets = Stacked(vectors[::2], vectors[1::2])
    groups = np.concatenate([codes[::2], codes[1::2]])
    reference = join.top_pairs(sets, groups, 200, how=join.SearchOptions(device="cpu"))
    assert as_bytes(join.top_pairs(sets, groups, 200, how=how)) == as_bytes(reference)


def test_rows_that_do_not_fit_come_in_blocks(devices, monkeypatch):
    vectors, codes = world()
    reference = as_bytes(join.top_pairs(vectors, codes, 200))
    caches, original = [], device_rows.BlockCache.__init__

    def noted(self, *given):
        original(self, *given)
        caches.append(self)

    monkeypatch.setattr(device_rows.BlockCache, "__init__", noted)
    scratch = cuda.ROOM * 64
    free = 120 * 4 + device_rows.THREADS * (scratch + 2 * 20 * 2 * 24) + 2**30
    monkeypatch.setattr(device_rows, "free_bytes", lambda device: free)
    how = join.SearchOptions(precision="bf16", tile=20)
    assert as_bytes(join.top_pairs(vectors, codes, 200, how=how)) == reference
    assert caches
    assert all(cache.slots.shape == (2, 20, 24) for cache in caches)
    assert sum(cache.copied for cache in caches) > 5
    monkeypatch.setattr(device_rows, "free_bytes", lambda device: free - 1)
    with pytest.raises(IndexesError, match="of its memory are free, and a search of 120"):
        join.top_pairs(vectors, codes, 200, how=how)


def test_tiles_with_too_many_hits_are_halved(devices, monkeypatch):
    vectors, codes = world()
    reference = as_bytes(join.top_pairs(vectors, codes, 2000))
    rooms, original = [], fused_kernel.tile_hits

    def noted(left, *rest, **named):
        hits = original(left, *rest, **named)
        rooms.append((len(left), hits is not None))
        return hits

    monkeypatch.setattr(fused_kernel, "tile_hits", noted)
    monkeypatch.setattr(cuda, "ROOM", 700)
    monkeypatch.setattr(cuda.DeviceScanner, "whole", 40)
    how = join.SearchOptions(precision="bf16", tile=70)
    assert as_bytes(join.top_pairs(vectors, codes, 2000, how=how)) == reference
    assert {(rows > 40, listed) for rows, listed in rooms} == {(True, False), (False, True)}


def halfway(width):
    """Coordinates halfway between two bfloat16 numbers: all errors point the same way."""
    rows = np.full((4, width), 1 + 2.0**-8, np.float32)
    return rows * 2.0 ** np.arange(4)[:, None].astype(np.float32)


def cancelling(width):
    generator = np.random.default_rng(3)
    rows = generator.choice([1 + 2.0**-8, 2.0**-13, 2.0**-7], (4, width))
    rows[:, : width // 2] = 1.0
    rows[::2, width // 3 : width // 2] *= -1
    return rows.astype(np.float32)


def losing_small_terms(width):
    rows = np.full((4, width), 2.0**-12, np.float32)
    rows[:, 0] = 1
    return rows


@pytest.mark.parametrize("attack", [halfway, cancelling, losing_small_terms])
@pytest.mark.parametrize("width", [1, 7, 64, 513])
def test_errors_that_all_point_one_way_lose_no_pair(attack, width):
    """Each pair is looked for with its own score as the threshold."""
    vectors = attack(width)
    order = np.arange(len(vectors))
    bound = device_rows.rows_on(
        vectors,
        order,
        bounds.norms(vectors),
        order,
        ["cpu"],
        Residence(True, 64),
        lambda work, slices: [work(rows) for rows in slices],
    )
    assert isinstance(bound, DeviceRows)
    scanner = cuda.DeviceScanner(16, "cpu")
    tile = Tile(slice(0, 4), slice(0, 4))
    for p, q in zip(*np.triu_indices(4, 1), strict=True):
        threshold = float(join.pair_scores(vectors, vectors, np.array([p]), np.array([q]))[0])
        hits = scanner.hits(bound, tile, threshold, 1.0)
        assert (int(p), int(q)) in list(zip(*(part.tolist() for part in hits), strict=True))
        most = scanner.most_at(bound, tile, np.array([p]), np.array([q]))
        assert most + bound.margins(np.array([p]), np.array([q])) >= threshold
