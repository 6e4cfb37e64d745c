"""All ways the join can go, and worlds made to break it.

A test that asks for `way` runs on every one of them; `way(tile=..., threads=...)` is its `How`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest
import torch
from support.crews import Others

from indexes import join, memory
from indexes.join import cuda, engine, kernels, plan, scan, search
from indexes.join.narrow import leading

Way = Callable[..., join.SearchOptions]
WAYS = (
    "plain",
    "bf16",
    "fp32",
    "bf16, narrow",
    "fp32, narrow",
    "bf16, narrow in vain",
    "fp32, narrow in vain",
    "bf16, all in vain",
    "fp32, all in vain",
    "int8",
    "int8, narrow",
    "int8, narrow in vain",
    "int8, all in vain",
    "int8, in a file",
    "int8, narrow, in a file",
    "int8, by others",
    "bf16, narrow, by others",
    "device",
    "two devices",
    "cuda",
)


# It takes longer than a search of few vectors, and says the same each time.
_sums_in_float32 = cache(cuda.sums_in_float32)
_int8_is_sound = not kernels.int8_fault(64)


def whole_products(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Stand-in for torch's product of 8-bit numbers on processors where that overflows."""
    return out.copy_(left.to(torch.float64) @ right.to(torch.float64))


@pytest.fixture(autouse=True)
def sound_int8(monkeypatch) -> None:
    """The 8-bit filter is to be tested on every processor."""
    if not _int8_is_sound:
        monkeypatch.setattr(kernels, "int8_products", whole_products)
        kernels.whole_sums.cache_clear()


@pytest.fixture(params=WAYS)
def way(request, monkeypatch) -> Way:
    """Makes the `How` of one way, and bends what decides on it.

    In vain: too much passes the narrow bound, or all filters, so that the next one is taken.
    """
    name: str = request.param
    monkeypatch.setattr(cuda, "sums_in_float32", _sums_in_float32)
    if name == "plain":
        return join.SearchOptions
    if name == "cuda":
        if not cuda.torch.cuda.is_available():
            pytest.skip("no CUDA device that torch can use")
        return partial(join.SearchOptions, device="cuda")
    if name == "two devices":
        monkeypatch.setattr(join.SearchOptions, "devices_for", lambda *_: ("cpu", "cpu:0"))
        return partial(join.SearchOptions, precision="bf16")
    if name == "device":
        monkeypatch.setattr(join.SearchOptions, "devices_for", lambda *_: ("cpu",))
        return partial(join.SearchOptions, precision="bf16")
    # Whole vectors behind a narrow bound in 8 bits are in bfloat16 everywhere.
    monkeypatch.setattr(kernels, "rate", lambda kernel, width: float(8 // kernel.factors.itemsize))
    monkeypatch.setattr(kernels, "bf16_fault", lambda: "")
    monkeypatch.setattr(scan.Scanner, "rare", 2.0)  # hits are as rare as in a search of many pairs
    precision, _, rest = name.partition(", ")
    if rest.endswith("in a file"):
        # Whatever is copied goes into a file, of which two tiles' rows are a block.
        monkeypatch.setattr(memory.Room, "fits", lambda room, size: size == 0)
    crew = Others() if rest.endswith("by others") else None
    rest = rest.removesuffix("in a file").removesuffix("by others").removesuffix(", ")
    if not rest:
        return partial(join.SearchOptions, precision=precision, spectrum="off", crew=crew)
    # What passes is looked at as it would be if it were many pairs; above, as few.
    monkeypatch.setattr(engine.Worker, "gathered", 0)
    in_vain = rest.endswith("in vain")
    narrow_first(monkeypatch, crowd=0.0 if in_vain else 1.0)
    if in_vain:
        monkeypatch.setattr(scan.Scanner, "rare", 0.0)
        monkeypatch.setattr(scan.Scanner, "sparse", 0.0)
        monkeypatch.setattr(scan.Scanner, "few", 0)
        monkeypatch.setattr(search, "CROWD", 0.0 if rest.startswith("all") else 1.0)
    return partial(join.SearchOptions, precision=precision, crew=crew)


def narrow_first(
    monkeypatch: pytest.MonkeyPatch, crowd: float = 1.0, basis: np.ndarray | None = None
) -> None:
    """Let every plan choose a narrow bound, of any basis, whatever the clock says."""
    original = plan.Plan.__init__

    def chosen(self, best, *rest, **named):
        original(self, best, *rest, **named)
        depth = max(1, best.vectors.shape[1] // 3)
        sample = memory.gather(best.vectors, self.order[:64])
        self.basis = leading(sample, depth) if basis is None else basis
        self.width, self.crowd = self.basis.shape[1] + 1, crowd

    monkeypatch.setattr(plan.Plan, "__init__", chosen)


@pytest.fixture
def narrow(monkeypatch) -> Callable[..., None]:
    """Call it to have the narrow bound used first, of the basis that is given."""
    return partial(narrow_first, monkeypatch)


def _plain_world() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.standard_normal((64, 24)), generator.integers(0, 20, 64)


def _ties():
    generator = np.random.default_rng(2)
    return generator.integers(-1, 2, (64, 9)), generator.integers(0, 20, 64)


def _duplicates():
    vectors, groups = _plain_world()
    vectors[32:] = vectors[:32]
    vectors[::9] = vectors[0]
    return vectors, groups


def _giant_group():
    vectors, groups = _plain_world()
    groups[:] = 3
    groups[[2, 30, 31, 63]] = 0, 1, 1, 2
    return vectors, groups


def _hub():
    """One row that is in all of the best pairs."""
    vectors, groups = _plain_world()
    vectors[20] = 50 * np.sign(vectors).sum(axis=0)
    vectors *= np.where(vectors @ vectors[20] < 0, -1, 1)[:, None]
    return vectors, groups


def _magnitudes():
    vectors, groups = _plain_world()
    return vectors * 10.0 ** np.random.default_rng(3).integers(-12, 9, (64, 1)), groups


def _tiny():
    vectors, groups = _plain_world()
    return vectors * 1e-25, groups


def _cone():
    """All vectors near to one: the scores hardly differ."""
    vectors, groups = _plain_world()
    return 0.01 * vectors + vectors[0], groups


def _opposed():
    """Every score is negative."""
    generator = np.random.default_rng(4)
    vectors, groups = generator.uniform(0.1, 1.0, (64, 5)), np.arange(64) % 2
    vectors[groups == 1] *= -1
    return vectors, groups


def _orthogonal():
    """Most scores are 0, of products some of which are -0.0."""
    generator = np.random.default_rng(5)
    vectors = np.eye(8)[generator.integers(0, 8, 64)] * generator.choice([-1.0, 1.0], (64, 8))
    return vectors, generator.integers(0, 40, 64)


def _one_group():
    return _plain_world()[0], np.zeros(64, int)


WORLDS = {
    maker.__name__.strip("_").replace("_", " "): maker
    for maker in (
        _plain_world,
        _ties,
        _duplicates,
        _giant_group,
        _hub,
        _magnitudes,
        _tiny,
        _cone,
        _opposed,
        _orthogonal,
        _one_group,
    )
}


@pytest.fixture(params=WORLDS)
def world(request) -> tuple[np.ndarray, np.ndarray]:
    """Read-only float32 vectors `[64, D]` and int64 codes `[64]`."""
    vectors, groups = WORLDS[request.param]()
    vectors = np.array(vectors, np.float32)
    codes = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    vectors.setflags(write=False)
    codes.setflags(write=False)
    return vectors, codes
