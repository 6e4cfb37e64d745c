"""What decides how a search goes: what is asked for, what pays, the program around it."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from support.oracle import as_bytes

from indexes import IndexesError, join
from indexes.join import cuda, kernels, options, scan, search, tiles
from indexes.join.kernels import BF16, FP32, FP32_NUMPY, INT8

# Rates that a clock may tell, and the kernels that are then to be used.
RATES = {
    "int8": ({INT8: 900, BF16: 450, FP32: 200, FP32_NUMPY: 100}, INT8, BF16),
    "hardly quicker int8": ({INT8: 500, BF16: 450, FP32: 200, FP32_NUMPY: 100}, BF16, BF16),
    "int8, slow bfloat16": ({INT8: 900, BF16: 210, FP32: 200, FP32_NUMPY: 100}, INT8, FP32),
    "float32 of NumPy": ({INT8: 90, BF16: 45, FP32: 100, FP32_NUMPY: 200}, FP32_NUMPY, FP32_NUMPY),
    "float32 of torch": ({INT8: 90, BF16: 45, FP32: 100, FP32_NUMPY: 110}, FP32, FP32),
}


@pytest.mark.parametrize("name", RATES)
def test_the_kernels_are_chosen_by_measurement(name, monkeypatch):
    rates, first, second = RATES[name]
    monkeypatch.setattr(options, "SMALL", (0, 0))
    monkeypatch.setattr(kernels, "rate", lambda kernel, width: float(rates[kernel]))
    monkeypatch.setattr(kernels, "bf16_fault", lambda: "")
    choice = kernels.choose("auto", 40)
    assert (choice.first, choice.second) == (first, second)
    assert all(f"{kernel.name} {rates[kernel]}" in choice.reason for kernel in (FP32, BF16, INT8))
    used = set()
    original = scan.Scanner.multiply

    def noted(self, bound, tile):
        used.add(bound.kernel)
        return original(self, bound, tile)

    monkeypatch.setattr(scan.Scanner, "multiply", noted)
    vectors, codes = np.eye(40, dtype=np.float32), np.arange(40)
    assert len(join.top_pairs(vectors, codes, 7)) == 7
    assert used == {first}


def test_a_faulty_kernel_is_out_however_quick(monkeypatch):
    monkeypatch.setattr(kernels, "rate", lambda kernel, width: float(8 // kernel.factors.itemsize))
    monkeypatch.setattr(kernels, "int8_fault", lambda width: "it overflows")
    monkeypatch.setattr(kernels, "bf16_fault", lambda: "")
    choice = kernels.choose("auto", 40)
    assert choice.first is choice.second is BF16
    assert "int8 is out: it overflows" in choice.reason
    monkeypatch.setattr(kernels, "bf16_fault", lambda: "it is summed in bfloat16")
    choice = kernels.choose("auto", 40)
    assert choice.first.factors == choice.second.factors == torch.float32
    assert "bfloat16 is out: it is summed in bfloat16" in choice.reason


def saturating(left, right, out):
    """Pairs of products are added in 16 bits, one factor as an unsigned number."""
    a, b = left.to(torch.int64) + 128, right.to(torch.int64)
    total = torch.zeros((len(a), b.shape[1]), dtype=torch.int64)
    for start in range(0, len(b), 2):
        part = a[:, start : start + 2] @ b[start : start + 2]
        total += part.clamp(-(2**15), 2**15 - 1)
    return out.copy_(total - 128 * b.sum(dim=0))


def nothing_for_one_column(left, right, out):
    """As a torch does that leaves `out` alone where there is one coordinate, or one row."""
    if 1 not in right.shape:
        out.copy_(left.to(torch.float64) @ right.to(torch.float64))
    return out


@pytest.mark.parametrize("product", [saturating, nothing_for_one_column])
def test_8_bit_sums_that_overflow_are_noticed(product, monkeypatch):
    kernels.whole_sums.cache_clear()
    monkeypatch.setattr(kernels, "int8_products", product)
    try:
        assert "overflow" in kernels.int8_fault(512)
        with pytest.raises(IndexesError, match="precision of int8: their sums overflow"):
            join.top_pairs(
                np.eye(9, dtype=np.float32), np.arange(9), 3,
                how=join.SearchOptions(precision="int8"),
            )  # fmt: skip
    finally:
        kernels.whole_sums.cache_clear()


def test_8_bit_sums_of_too_many_coordinates():
    assert 127**2 * kernels.WIDEST < 2**31 <= 127**2 * (kernels.WIDEST + 1)
    assert "may not fit into 32 bits" in kernels.int8_fault(kernels.WIDEST + 1)
    assert not kernels.int8_fault(kernels.WIDEST)


def test_a_torch_without_8_bit_products(monkeypatch):
    monkeypatch.setattr(kernels, "int8_products", None)
    assert "no product of 8-bit numbers" in kernels.int8_fault(64)
    assert kernels.choose("auto", 64).first is not INT8


@pytest.mark.parametrize(("total", "holds"), [(1.0, True), (0.0, False), (0.5, False)])
def test_sums_that_are_not_kept_in_float32_are_noticed(total, holds, monkeypatch):
    """A unit that sums in bfloat16 loses the 8,190 small terms next to the 512."""
    monkeypatch.setattr(
        torch, "mm", lambda a, b: torch.full((len(a), b.shape[1]), total, dtype=a.dtype)
    )
    assert kernels.sums_in_float32("cpu") is holds


@pytest.mark.parametrize(
    ("how", "count", "devices"),
    [
        (join.SearchOptions(), 1000, ()),
        (join.SearchOptions(), 10**5, ("cuda",)),
        (join.SearchOptions(device="cpu"), 10**5, ()),
        (join.SearchOptions(precision="fp32"), 10**5, ()),
        (join.SearchOptions(precision="int8"), 10**5, ()),
        (join.SearchOptions(device="cuda"), 1000, ("cuda",)),
        (join.SearchOptions(device="cuda:1"), 10**5, ("cuda:1",)),
        (join.SearchOptions(device="cuda:2,0,2"), 10**5, ("cuda:2", "cuda:0")),
        (join.SearchOptions(device="cuda:all"), 10**5, ("cuda:0", "cuda:1", "cuda:2")),
    ],
)
def test_devices_are_used_where_it_pays_or_is_asked_for(how, count, devices, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert how.devices_for(count, 512) == devices
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if how.device == "auto":
        assert how.devices_for(count, 512) == ()


def test_a_device_that_is_not_there(monkeypatch):
    how = join.SearchOptions(device="cuda:0,3")
    with pytest.raises(IndexesError, match="no CUDA device that torch can use"):
        how.devices_for(9, 9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(IndexesError, match="no CUDA device 3 here, torch sees 3, counted from 0"):
        how.devices_for(9, 9)


# What a program may have set for all of torch. The first three let products of float32 be made of
# fewer places: in bfloat16 on processors that are fast at it.
SETTINGS = {
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "backend": lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
    "float64": lambda: torch.set_default_dtype(torch.float64),
}


def settings_now():
    of_backend = getattr(torch.backends.mkldnn.matmul, "fp32_precision", None)
    try:
        precision = torch.get_float32_matmul_precision()
    except RuntimeError:  # which is how torch says that the backend has one of its own
        precision = None
    return of_backend, precision, torch.get_default_dtype()


@pytest.fixture
def torch_as_it_was():
    of_backend, precision, dtype = settings_now()
    yield
    if of_backend is not None:
        torch.backends.mkldnn.matmul.fp32_precision = of_backend
    torch.set_float32_matmul_precision(precision)
    torch.set_default_dtype(dtype)


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_of_the_program_around_it(way, setting, torch_as_it_was):
    """They change nothing, and are as they were afterwards."""
    if setting == "backend" and settings_now()[0] is None:
        pytest.skip("this torch has no setting for the backend alone")
    generator = np.random.default_rng(9)
    vectors = generator.standard_normal((300, 64)).astype(np.float32)
    codes = np.arange(300) // 2
    reference = as_bytes(join.top_pairs(vectors, codes, 30))
    SETTINGS[setting]()
    before = settings_now()
    assert as_bytes(join.top_pairs(vectors, codes, 30, how=way(tile=64))) == reference
    assert settings_now() == before


def test_searches_at_the_same_time(torch_as_it_was):
    """What one of them sets for all of torch, none takes back while another needs it."""
    vectors = np.random.default_rng(10).standard_normal((300, 64)).astype(np.float32)
    vectors.setflags(write=False)
    codes = np.arange(300) // 2
    reference = as_bytes(join.top_pairs(vectors, codes, 30))
    SETTINGS["medium"]()
    before, filters, threads = settings_now(), list(warnings.filters), torch.get_num_threads()

    def search(number):
        kind = "fp32" if number % 2 else "bf16"
        asked = join.SearchOptions(precision=kind, tile=8 << number % 5, threads=2)
        return as_bytes(join.top_pairs(vectors, codes, 30, how=asked))

    with ThreadPoolExecutor(3) as executor:
        assert set(executor.map(search, range(12))) == {reference}
    assert settings_now() == before
    assert warnings.filters == filters
    assert torch.get_num_threads() == threads


EXPECTED = {
    "plain": set(),
    "bf16": {("Rounded", True)},
    "fp32": {("Exact32", True)},
    "bf16, narrow": {("narrow", True)},
    "fp32, narrow": {("narrow", True)},
    "bf16, narrow in vain": {("narrow", False), ("Rounding", True)},
    "fp32, narrow in vain": {("narrow", False), ("Exact32", True)},
    "bf16, all in vain": {("narrow", False), ("Rounding", False)},
    "fp32, all in vain": {("narrow", False), ("Exact32", False)},
    "int8": {("Quantised", True)},
    "int8, narrow": {("narrow", True)},
    "int8, narrow in vain": {("narrow", False), ("Rounding", True)},
    "int8, all in vain": {("narrow", False), ("Rounding", False)},
    "int8, in a file": {("Quantised", True)},
    "int8, narrow, in a file": {("narrow", True)},
    "int8, by others": {("Quantised", True)},
    "bf16, narrow, by others": {("narrow", True)},
    "device": {("DeviceRows", True)},
    "two devices": {("DeviceRows", True)},
    "cuda": {("DeviceRows", True)},
}


def test_each_way_takes_its_filters(way, request, monkeypatch):
    """Or the tests above would say nothing of them."""
    name = request.node.callspec.params["way"]
    seen, plain = set(), []
    for scanner in (scan.Scanner, cuda.DeviceScanner):

        def noted(self, bound, *rest, original=scanner.hits):
            hits = original(self, bound, *rest)
            kind = "narrow" if bound.width < 24 else type(bound).__name__
            seen.add((kind, hits is not None))
            return hits

        monkeypatch.setattr(scanner, "hits", noted)
    search_tile = tiles.Plain.search
    monkeypatch.setattr(
        tiles.Plain, "search", lambda *given: plain.append(given) or search_tile(*given)
    )
    # No row is equal to another: such rows are not searched one by one.
    vectors = np.repeat(np.linspace(1.0, 1.01, 40, dtype=np.float32)[:, None], 24, axis=1)
    # A limit is a threshold; seeding would search a first block by numpy.
    monkeypatch.setattr(search._Search, "_seed", lambda self: None)
    how = way()
    join.top_pairs(vectors, np.arange(40), 9, min_score=1.0, how=how)
    assert seen == EXPECTED[name]
    assert (how.crew is not None) == name.endswith("others")
    assert how.crew is None or how.crew.shares
    assert bool(plain) == (name == "plain" or "all in vain" in name)


def test_warnings_of_the_caller_are_left_alone(way):
    before, threads = list(warnings.filters), threading.active_count()
    join.top_pairs(np.eye(40, dtype=np.float32), np.arange(40), 9, how=way())
    assert warnings.filters == before
    assert threading.active_count() == threads


def test_spectrum_off_never_narrows(narrow, monkeypatch):
    narrow()
    made = []
    original = search.narrow
    monkeypatch.setattr(search, "narrow", lambda *given: made.append(1) or original(*given))
    vectors, codes = np.eye(40, dtype=np.float32), np.arange(40)
    for spectrum, times in (("off", 0), ("auto", 1)):
        join.top_pairs(
            vectors, codes, 9, how=join.SearchOptions(precision="bf16", spectrum=spectrum)
        )
        assert len(made) == times


def test_partial_sums_in_bfloat16_are_noticed(monkeypatch):
    """Sums of 64 terms each in float32, joined in bfloat16: the usual way of splitting."""

    def split(a, b):
        total = torch.zeros((len(a), b.shape[1]), dtype=torch.bfloat16)
        for start in range(0, len(b), 64):
            part = a[:, start : start + 64].float() @ b[start : start + 64].float()
            total = (total.float() + part).to(torch.bfloat16)
        return total

    monkeypatch.setattr(torch, "mm", split)
    assert kernels.sums_in_float32("cpu") is False


def test_bfloat16_by_request_is_checked_too(monkeypatch):
    monkeypatch.setattr(kernels, "bf16_fault", lambda: "sums of it are not kept in float32")
    with pytest.raises(IndexesError, match="not kept in float32"):
        join.top_pairs(
            np.eye(9, dtype=np.float32), np.arange(9), 3, how=join.SearchOptions(precision="bf16")
        )


@pytest.mark.parametrize("spectrum", ["off", "auto"])
def test_the_log_says_how_it_searches_and_why(spectrum, monkeypatch, caplog):
    caplog.set_level("INFO", logger="indexes")
    vectors, codes = np.eye(24, dtype=np.float32), np.arange(24)
    join.top_pairs(vectors, codes, 9)
    assert caplog.messages == ["24 vectors by NumPy: they are few"]
    caplog.clear()
    how = join.SearchOptions(precision="int8", spectrum=spectrum)
    join.top_pairs(vectors, codes, 9, min_score=0.5, how=how)
    said = {"off": "no narrow bound", "auto": "no narrow bound: there is no threshold yet, or too"}
    assert caplog.messages[0] == "24 vectors of 24 by int8: as asked"
    assert caplog.messages[1].startswith(said[spectrum])
