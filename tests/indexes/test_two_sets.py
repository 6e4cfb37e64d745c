"""Best pairs between two sets against the double loop, by every filter and every shape."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import oracle
from support.oracle import as_bytes, listed

from indexes import FlatIndex, IndexesError, PairsBetween, TwoSets, join
from indexes.join import checkpoint, plan
from indexes.join.best import Best
from indexes.join.spaces import Rectangle, Triangle, space_of
from indexes.join.stack import Stacked
from indexes.two_sets import StackedIndex

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EVERYTHING = 5000


def best(left, right, n, groups, **options) -> list[tuple[int, int, float]]:
    return listed(TwoSets(left, right).top_pairs(n, groups, **options))


@pytest.mark.parametrize("at", [1, 9, 32, 60])
def test_equals_the_double_loop(way, world, at):
    vectors, codes = world
    left, right, groups = vectors[:at], vectors[at:], (codes[:at], codes[at:])
    truth = oracle.pairs_between(left, right, groups, EVERYTHING)
    for n, tile, threads in ((1, 64, 1), (30, 7, 3), (EVERYTHING, 20, 2)):
        found = best(left, right, n, groups, how=way(tile=tile, threads=threads))
        assert found == truth[:n]


@st.composite
def questions(draw):
    size = draw(st.integers(1, 5))
    values = draw(
        st.sampled_from([[-1.0, -0.0, 0.0, 1.0], [0.1, 0.2, 0.3], [-1e4, 3.7, 1e-3, 7e7]])
    )
    sets, groups, ceilings, active = [], [], [], []
    for _ in range(2):
        count = draw(st.integers(0, 22))
        cells = draw(
            st.lists(st.sampled_from(values), min_size=count * size, max_size=count * size)
        )
        rows = np.array(cells, np.float32).reshape(count, size)
        if draw(st.booleans()):
            rows[: draw(st.integers(0, 20))] = 1.0  # enough of them are searched as one
        rows.setflags(write=False)
        sets.append(rows)
        groups.append(draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)))
        tops = st.sampled_from([*values, np.inf])
        ceilings.append(draw(st.lists(tops, min_size=count, max_size=count)))
        active.append(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    limits = sorted(draw(st.lists(st.sampled_from(values), min_size=2, max_size=2)))
    options = {
        "min_score": limits[0],
        "max_score": limits[1],
        "ceilings": tuple(ceilings),
        "active": tuple(np.array(part, bool) for part in active),
        "exclude_groups": [[0, 1], [3, 2], [4, 4]],
    }
    if len(sets[0]) and len(sets[1]):
        pair = st.tuples(st.integers(0, len(sets[0]) - 1), st.integers(0, len(sets[1]) - 1))
        options["exclude"] = draw(st.lists(pair, max_size=9))
    kept = draw(st.lists(st.sampled_from(sorted(options)), unique=True))
    options = {name: options[name] for name in kept}
    return *sets, tuple(groups), draw(st.integers(1, 60)), draw(st.integers(1, 9)), options


@given(question=questions())
@SETTINGS
def test_any_question_equals_the_double_loop(way, question):
    left, right, groups, n, tile, options = question
    truth = oracle.pairs_between(left, right, groups, n, **options)
    found = best(left, right, n, groups, how=way(tile=tile, threads=2), **options)
    assert found == truth


@pytest.mark.parametrize("scale", [1.0, 1e25])  # 1e25: for which only float64 will do
@pytest.mark.parametrize("count", [300, 2000])
def test_equal_rows_are_searched_as_one(count, scale, monkeypatch):
    """Rows equal in both sets, each class of one set alone: against the order that ties have."""
    seen, sift = [], Best.sift
    monkeypatch.setattr(
        Best, "sift", lambda self, i, *rest: seen.append(len(i)) or sift(self, i, *rest)
    )
    kinds = np.eye(3, dtype=np.float32) * np.float32(scale)
    left, right = kinds[np.arange(count) % 3], kinds[np.arange(count + 50) % 3]
    groups = np.arange(count) // 7, np.arange(count + 50) // 5
    i, j = np.indices((count, count + 50)).reshape(2, -1)
    kept = (i % 3 == j % 3) & (groups[0][i] != groups[1][j])
    n = 4000
    found = TwoSets(left, right).top_pairs(n, groups)
    assert found.i.tolist() == i[kept][:n].tolist()
    assert found.j.tolist() == j[kept][:n].tolist()
    assert set(found.scores.tolist()) == {float(np.float32(scale)) ** 2}
    assert sum(seen) < 100


@pytest.mark.parametrize("shape", [(1, 900), (7, 600), (600, 7), (350, 400)])
def test_same_bytes_for_any_threads_and_tile(way, shape):
    generator = np.random.default_rng(7)
    left, right = (generator.standard_normal((count, 65)).astype(np.float32) for count in shape)
    small = min(shape)
    right[:small] = left[:small]
    groups = np.arange(shape[0]) % 90, np.arange(shape[1]) % 70
    scores = np.add.accumulate(left.astype(np.float64)[:, None] * right.astype(np.float64), axis=2)[
        ..., -1
    ]
    i, j = np.nonzero(groups[0][:, None] != groups[1])
    order = np.lexsort((j, i, -scores[i, j]))[:500]
    truth = list(zip(i[order].tolist(), j[order].tolist(), scores[i, j][order], strict=True))
    for tile, threads in ((17, 2), (100, 1), (1024, 3), (None, 2)):
        found = best(left, right, 500, groups, how=way(tile=tile, threads=threads))
        assert as_bytes(found) == as_bytes(truth)


@pytest.mark.parametrize("shape", [(900, 1100), (40, 20_000), (20_000, 40)])
@pytest.mark.parametrize("spread", [1.0, 0.05])
def test_as_many_rows_as_seed_and_measure(shape, spread, monkeypatch):
    """Enough for seeds of both sets and for a plan, of which nothing may be seen."""
    generator = np.random.default_rng(8)
    scale = np.r_[np.ones(40), np.full(216, spread)]
    sets = [(generator.standard_normal((count, 256)) * scale) for count in shape]
    left, right = (
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32) for rows in sets
    )
    groups = tuple(generator.integers(0, 400, count) for count in shape)
    product = left.astype(np.float64) @ right.astype(np.float64).T
    product[groups[0][:, None] == groups[1]] = -np.inf
    top = np.sort(np.partition(product.ravel(), -2000)[-2000:])[::-1]
    planned, original = [], plan.Plan.__init__

    def noted(self, *given, **named):
        original(self, *given, **named)
        planned.append(self)

    monkeypatch.setattr(plan.Plan, "__init__", noted)
    reference = None
    for options in ({"tile": 512}, {"precision": "bf16"}, {"precision": "fp32", "tile": 300}):
        how = join.SearchOptions(**options)
        found = TwoSets(left, right).top_pairs(2000, groups, how=how)
        reference = reference or as_bytes(found)
        assert as_bytes(found) == reference
        assert np.abs(found.scores - top).max() < 1e-12
        assert (groups[0][found.i] != groups[1][found.j]).all()
    assert planned
    least = [min(made.shares.values()) for made in planned]
    assert all((share < 0.01) == (spread < 1) for share in least)


def test_both_sets_may_be_files(way, tmp_path):
    """They are searched where they lie: neither is copied, and a copy is of a few rows alone."""
    generator = np.random.default_rng(9)
    arrays = [generator.standard_normal((count, 24)).astype(np.float32) for count in (40, 55)]
    mapped = []
    for number, rows in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", rows)
        mapped.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    both = StackedIndex(*mapped)
    for part, file in zip((both.vectors.left, both.vectors.right), mapped, strict=True):
        assert np.shares_memory(part, file)
    groups = np.arange(40) // 2, np.arange(55) // 3
    found = best(*mapped, 30, groups, how=way(tile=16))
    assert found == oracle.pairs_between(*arrays, groups, 30)


def test_an_index_or_an_array():
    left, right = np.eye(4, 3, dtype=np.float32), np.eye(3, dtype=np.float32)[::-1]
    groups = list("abcd"), list("xyz")
    found = TwoSets(FlatIndex(left), FlatIndex(right)).top_pairs(9, groups)
    assert isinstance(found, PairsBetween)
    assert found.exact
    assert listed(found) == oracle.pairs_between(left, right, groups, 9)
    assert best(left, right, 9, groups) == listed(found)


def test_rows_numbered_through():
    generator = np.random.default_rng(10)
    left, right = generator.standard_normal((2, 30, 5)).astype(np.float32)
    groups = np.arange(60) % 13
    both, index = StackedIndex(left, right), FlatIndex(np.concatenate([left, right]))
    assert (len(both), both.split) == (60, 30)
    found = listed(both.top_pairs(50, groups))
    every = [
        pair for pair in listed(index.top_pairs(EVERYTHING, groups)) if pair[0] < 30 <= pair[1]
    ]
    assert found == every[:50]
    assert both.best_of_group(groups).tolist() == index.best_of_group(groups).tolist()


@pytest.mark.parametrize("how", [None, join.SearchOptions(precision="bf16", tile=16)])
@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0), (1, 1), (1, 2)])
def test_hardly_any_rows(shape, how):
    left, right = (np.full((count, 4), 0.7, np.float32) for count in shape)
    groups = np.zeros(shape[0], int), np.arange(shape[1])
    reports: list[tuple[int, int]] = []
    found = best(left, right, 3, groups, how=how, progress=lambda *at: reports.append(at))
    assert found == oracle.pairs_between(left, right, groups, 3)
    assert reports[-1] == (shape[0] * shape[1], shape[0] * shape[1])


@pytest.mark.parametrize("kinds", [("i", "f"), ("u", "i")])
def test_large_numbers_of_two_kinds_name_groups_exactly(kinds):
    """As one array of numbers, both would be rounded to the same."""
    large = 2**53
    values = {"i": np.array([large + 1]), "f": np.array([float(large)]), "u": None}
    values["u"] = np.array([large], np.uint64)
    groups = values[kinds[0]], values[kinds[1]]
    if kinds == ("u", "i"):
        groups = values["u"], np.array([large + 1])
    one = np.ones((1, 2), np.float32)
    assert len(best(one, one, 1, groups)) == 1
    assert len(best(one, one, 1, (groups[0], groups[0]))) == 0


REFUSED = {
    "dimensions": ({"other": np.ones((2, 4))}, "3 dimensions in the first set and of 4 in the"),
    "no vectors": ({"other": np.ones(3)}, "vectors of the second set of shape"),
    "not finite": ({"other": [[0, np.nan, 1]] * 2}, "second set not finite .* row 0, 1"),
    "groups of one": ({"groups": [["a"] * 2, ["b"] * 3]}, "for 2 vectors of the second set"),
    "groups of the first": ({"groups": [["a"], ["b"] * 2]}, "for 2 vectors of the first set"),
    "three groups": ({"groups": [[1], [2], [3]]}, "groups of no two sets"),
    "no groups": ({"groups": None}, "groups of no two sets"),
    "kinds of groups": ({"groups": [["a"] * 2, [1, 2]]}, "groups of several kinds"),
    "n": ({"n": 0}, "n of 0"),
    "exclude of the first": ({"exclude": [[0, 1], [2, 0]]}, r"row 1 is \[2, 0\]; .* 0 to 1, and"),
    "exclude of the second": ({"exclude": [[0, 2]]}, r"row 0 is \[0, 2\]"),
    "exclude below": ({"exclude": [[0, -1]]}, r"row 0 is \[0, -1\]"),
    "exclude of text": ({"exclude": [["a", "b"]]}, "expected whole numbers"),
    "exclude ragged": ({"exclude": [[0], [0, 1]]}, "several lengths"),
    "ceilings alone": ({"ceilings": np.ones(4)}, "ceilings of ndarray; expected a pair"),
    "ceilings short": ({"ceilings": ([1.0], None)}, "for 2 vectors of the first set"),
    "ceilings nan": ({"ceilings": ([1.0, np.nan], None)}, "ceilings"),
    "active of numbers": ({"active": ([1, 0], None)}, "no truth values"),
    "active ragged": ({"active": (None, [[True], [True, False]])}, "several lengths"),
    "limits": ({"min_score": 2.0, "max_score": 1.0}, "nothing can pass"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    changed, message = REFUSED[case]
    asked = {"other": np.ones((2, 3)), "n": 1, "groups": [[1, 2], [3, 4]]} | changed
    with pytest.raises(IndexesError, match=message):
        TwoSets(np.ones((2, 3)), asked.pop("other")).top_pairs(**asked)


@pytest.mark.parametrize("which", [0, 1])
def test_one_side_alone_may_be_limited(which):
    generator = np.random.default_rng(11)
    left, right = generator.standard_normal((2, 12, 4)).astype(np.float32)
    groups = np.arange(12), np.arange(12) + 6
    for name, values, all_of_it in (
        ("active", np.arange(12) % 2 == 0, np.ones(12, bool)),
        ("ceilings", np.linspace(-2, 2, 12), np.full(12, np.inf)),
    ):
        one = [None, None]
        one[which] = values
        truth = [all_of_it, all_of_it]
        truth[which] = values
        wanted = oracle.pairs_between(left, right, groups, 99, **{name: tuple(truth)})
        assert 0 < len(wanted) < 99
        assert best(left, right, 99, groups, **{name: tuple(one)}) == wanted


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from indexes import TwoSets, join
from indexes.join import checkpoint
checkpoint.FIRST = checkpoint.PERIOD = 0.0
left, right = np.load(sys.argv[1]), np.load(sys.argv[2])
path, precision = Path(sys.argv[3]), sys.argv[4]
def die(done, total):
    if path.exists():
        os.kill(os.getpid(), signal.SIGKILL)
how = join.SearchOptions(precision=precision, spectrum="off", tile=8, threads=1)
groups = np.arange(30) // 2, np.arange(50) // 2
TwoSets(left, right).top_pairs(40, groups, how=how, progress=die, checkpoint=path)
"""


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_killed_it_goes_on(precision, tmp_path, monkeypatch):
    generator = np.random.default_rng(12)
    left, right = (generator.standard_normal((count, 16)).astype(np.float32) for count in (30, 50))
    files = [tmp_path / "left.npy", tmp_path / "right.npy"]
    for file, rows in zip(files, (left, right), strict=True):
        np.save(file, rows)
    path = tmp_path / "found.npz"
    command = [sys.executable, "-c", KILLED, *map(str, files), str(path), precision]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, timeout=1800, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with np.load(path) as file:
        done, count = np.flatnonzero(file["done"]).tolist(), file["done"].size
    assert done
    numbers, commit = [], checkpoint.Ledger.commit

    def noted(self, number, found):
        numbers.append(number)
        commit(self, number, found)

    monkeypatch.setattr(checkpoint.Ledger, "commit", noted)
    how = join.SearchOptions(precision=precision, spectrum="off", tile=8, threads=2)
    groups = np.arange(30) // 2, np.arange(50) // 2
    asked = {"how": how, "checkpoint": path}
    found = best(left, right, 40, groups, **asked)
    assert sorted([*done, *numbers]) == list(range(count))
    assert as_bytes(found) == as_bytes(oracle.pairs_between(left, right, groups, 40))
    assert not path.exists()


def test_what_another_split_left_is_not_used(tmp_path, monkeypatch):
    """The rows are the same, and their groups: only where the second set begins differs."""
    for name in ("FIRST", "PERIOD"):
        monkeypatch.setattr(checkpoint, name, 0.0)
    monkeypatch.setattr(checkpoint, "WORTH", -1.0)
    rows = np.random.default_rng(13).standard_normal((60, 8)).astype(np.float32)
    groups, path = np.arange(60) // 2, tmp_path / "found.npz"
    how = join.SearchOptions(tile=8)

    def stop(done, total):
        if path.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StackedIndex(rows[:20], rows[20:]).top_pairs(
            30, groups, how=how, progress=stop, checkpoint=path
        )
    assert path.exists()
    found = best(rows[:40], rows[40:], 30, (groups[:40], groups[40:]), how=how, checkpoint=path)
    assert found == oracle.pairs_between(rows[:40], rows[40:], (groups[:40], groups[40:]), 30)


@given(height=st.integers(0, 40), width=st.integers(0, 40), side=st.integers(1, 50))
@SETTINGS
def test_tiles_hold_each_pair_once(height, width, side):
    for space in (Rectangle(height, width), Triangle(height + width)):
        for tiles in (space.tiles(side), space.blocks(side)):
            assert [*tiles] == [tiles[at] for at in range(len(tiles))]
            assert sum(tile.pairs for tile in tiles) == space.pairs
            seen = [
                (p, q)
                for tile in tiles
                for p in range(tile.rows.start, tile.rows.stop)
                for q in range(tile.columns.start, tile.columns.stop)
                if p < q
            ]
            every = [
                (p, q)
                for p in range(height + width)
                for q in range(p + 1, height + width)
                if isinstance(space, Triangle) or p < height <= q
            ]
            assert sorted(seen) == every
            assert space.pairs == len(every) == sum(tile.pairs for tile in tiles)


@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    pairs=st.integers(1, 10**6),
    count=st.integers(1, 3000),
)
@SETTINGS
def test_what_seeds_is_of_both_sets_and_little(height, width, pairs, count):
    space = space_of(np.arange(height + width), height)
    corner = space.corner(pairs)
    if corner is not None:
        assert corner.rows.stop <= height == corner.columns.start
        assert corner.columns.stop <= height + width
        assert 4 * corner.area <= space.pairs
    near = np.random.default_rng(0).standard_normal(height + width)
    chosen, seeds = space.nearest(near, count)
    first, second = chosen[chosen < height], chosen[chosen >= height]
    assert seeds == Rectangle(len(first), len(second))
    assert len(first)
    assert len(second)
    for part, whole in ((first, near[:height]), (second - height, near[height:])):
        assert sorted(whole[part], reverse=True) == sorted(whole, reverse=True)[: len(part)]


@given(
    parts=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    rows=st.lists(st.integers(0, 100), max_size=12),
    ends=st.tuples(st.integers(0, 13), st.integers(0, 13)),
)
@SETTINGS
def test_stacked_rows_are_those_of_one_array(parts, rows, ends):
    whole = np.arange(sum(parts) * 3, dtype=np.float32).reshape(-1, 3)
    both = Stacked(whole[: parts[0]], whole[parts[0] :])
    assert (len(both), both.shape, both.split) == (len(whole), whole.shape, parts[0])
    some = slice(*sorted(ends))
    assert both[some].tolist() == whole[some].tolist()
    assert both[:, :2][some].tolist() == whole[:, :2][some].tolist()
    assert both.view(np.uint32)[some].tolist() == whole.view(np.uint32)[some].tolist()
    if len(whole):
        rows = np.array(rows, int) % len(whole)
        assert both[rows].tolist() == whole[rows].tolist()
        assert all(both[int(row)].tolist() == whole[row].tolist() for row in rows)
