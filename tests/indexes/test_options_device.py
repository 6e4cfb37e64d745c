"""What decides how a search goes: what is asked for, what pays, the program around it."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.oracle import as_bytes

from indexes import IndexesError, join
from indexes.join import cuda, options, scan, search, tiles


@pytest.mark.parametrize("pays", [False, True])
def test_the_precision_is_chosen_by_measurement(pays, monkeypatch):
    monkeypatch.setattr(options, "SMALL", (0, 0))
    monkeypatch.setattr(search, "low_pays", lambda width, threads: pays)
    dtypes = set()
    original = scan.Scanner.__init__

    def noted(self, area, dtype):
        dtypes.add(dtype)
        original(self, area, dtype)

    monkeypatch.setattr(scan.Scanner, "__init__", noted)
    vectors, codes = np.eye(40, dtype=np.float32), np.arange(40)
    assert len(join.top_pairs(vectors, codes, 7)) == 7
    assert dtypes == {torch.bfloat16 if pays else torch.float32}


@pytest.mark.parametrize(("total", "holds"), [(1.0, True), (0.0, False), (0.5, False)])
def test_sums_that_are_not_kept_in_float32_are_noticed(total, holds, monkeypatch):
    """A unit that sums in bfloat16 loses the 8,190 small terms next to the 512."""
    monkeypatch.setattr(
        torch, "mm", lambda a, b: torch.full((len(a), b.shape[1]), total, dtype=a.dtype)
    )
    assert options.sums_in_float32("cpu") is holds


@pytest.mark.parametrize("quicker", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_low_precision_has_to_be_quicker_and_summed_in_float32(quicker, exact, monkeypatch):
    clock, seconds = [0.0], {torch.float32: 1.0, torch.bfloat16: 0.5 if quicker else 0.9}

    def product(a, b, out):
        clock[0] += seconds[a.dtype]

    monkeypatch.setattr(torch, "mm", product)
    monkeypatch.setattr(options, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(options, "sums_in_float32", lambda device: exact)
    assert options.low_pays.__wrapped__(64, 1) is (quicker and exact)


@pytest.mark.parametrize(
    ("how", "count", "device"),
    [
        (join.SearchOptions(), 1000, None),
        (join.SearchOptions(), 10**5, "cuda"),
        (join.SearchOptions(device="cpu"), 10**5, None),
        (join.SearchOptions(precision="fp32"), 10**5, None),
        (join.SearchOptions(device="cuda"), 1000, "cuda"),
        (join.SearchOptions(device="cuda:1"), 10**5, "cuda:1"),
    ],
)
def test_a_device_is_used_where_it_pays_or_is_asked_for(how, count, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert how.device_for(count, 512) == device
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if how.device == "auto":
        assert how.device_for(count, 512) is None


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
    "device": {("Rounded", True)},
    "cuda": {("Rounded", True)},
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
    join.top_pairs(vectors, np.arange(40), 9, min_score=1.0, how=way())
    assert seen == EXPECTED[name]
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
    assert options.sums_in_float32("cpu") is False


def test_bfloat16_by_request_is_checked_too(monkeypatch):
    monkeypatch.setattr(search, "sums_in_float32", lambda device: False)
    with pytest.raises(IndexesError, match="not kept in float32"):
        join.top_pairs(
            np.eye(9, dtype=np.float32), np.arange(9), 3, how=join.SearchOptions(precision="bf16")
        )
