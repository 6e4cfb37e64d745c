"""Ways to multiply a tile, and the one that this processor is fastest at.

A kernel is one function: the rows of both sides in, the tile of their products out. Each comes with
the type of its factors and of its products, and with a check that it is sound here; which of them
runs is settled by the clock, and changes no answer. A library with kernels of its own, for
processors that torch serves badly, would stand here as one more `Kernel`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from indexes.base import IndexesError
from indexes.join.options import Precision
from indexes.join.workers import Meanwhile

# Rows that a kernel is timed on, and by how much a less exact one has to be quicker to be used.
_SIDE, _GAIN = 512, 0.8
# Products of int8 matrices in int32, for which torch has no public name; None without it.
int8_products: Callable[..., Tensor] | None = getattr(torch, "_int_mm", None)
# Sums of so many products of 127 and 127 fit into an int32.
WIDEST = (2**31 - 1) // 127**2


@dataclass(frozen=True)
class Kernel:
    """One way to multiply a tile.

    Attributes:
        name: what it is called to the user.
        factors: type of the rows.
        products: type of the tile.
        multiply: fills `out [R, C]` with the products of `left [R, W]` and `right [C, W]`.
        slack: about what rounding to `factors` takes from the score of two vectors of norm 1.
    """

    name: str
    factors: torch.dtype
    products: torch.dtype
    multiply: Callable[[Tensor, Tensor, Tensor], object]
    slack: float = 0.0


def _by_torch(left: Tensor, right: Tensor, out: Tensor) -> None:
    torch.mm(left, right.T, out=out)


def _by_numpy(left: Tensor, right: Tensor, out: Tensor) -> None:
    np.matmul(left.numpy(), right.numpy().T, out=out.numpy())


def _by_int8(left: Tensor, right: Tensor, out: Tensor) -> None:
    assert int8_products is not None  # or `int8_fault` says so
    int8_products(left, right.T, out=out)


INT8 = Kernel("int8", torch.int8, torch.int32, _by_int8, slack=0.02)
BF16 = Kernel("bfloat16", torch.bfloat16, torch.bfloat16, _by_torch, slack=2.0**-8)
FP32 = Kernel("float32", torch.float32, torch.float32, _by_torch)
# The BLAS of NumPy, on some processors twice as fast as that of torch.
FP32_NUMPY = Kernel("float32 by NumPy", torch.float32, torch.float32, _by_numpy)


@dataclass(frozen=True)
class Choice:
    """Kernels of a search.

    Attributes:
        first: what most of the work is done by.
        second: for whole vectors of tiles that a narrow bound does not thin out.
        reason: why, in a few words.
    """

    first: Kernel
    second: Kernel
    reason: str

    @property
    def told(self) -> tuple[str, str]:
        """The kernel's name and the reason."""
        return self.first.name, self.reason


def choose(precision: Precision, width: int) -> Choice:
    """Kernels for vectors of `width`, by request or by the clock of this very thread.

    Raises:
        IndexesError: what is asked for is not sound here.
    """
    if precision == "bf16":
        if bf16_fault():
            raise IndexesError(f"cpu: {bf16_fault()} there; use another device or precision")
        return Choice(BF16, BF16, "as asked")
    if precision == "int8":
        fault = int8_fault(width)
        if fault:
            raise IndexesError(f"precision of int8: {fault}; use another precision, or auto")
        return Choice(INT8, _whole(width), "as asked")
    if precision == "fp32":
        return Choice(quicker32(width), quicker32(width), "as asked, the quicker of two BLAS")
    return _fastest(width)


def _fastest(width: int) -> Choice:
    rates = {kernel: rate(kernel, width) for kernel in (FP32, BF16)}
    told = []
    whole = _whole(width)
    fault = int8_fault(width)
    if fault:
        told.append(f"int8 is out: {fault}")
    else:
        rates[INT8] = rate(INT8, width)
    least = max(rates[FP32], rates[BF16] if whole is BF16 else 0.0)
    first = INT8 if INT8 in rates and least < _GAIN * rates[INT8] else whole
    if whole is not BF16 and rates[FP32] < _GAIN * rates[BF16]:
        told.append(f"bfloat16 is out: {bf16_fault()}")
    if first.factors == torch.float32:
        first = whole = quicker32(width)
    measured = ", ".join(f"{kernel.name} {value:.0f}" for kernel, value in rates.items())
    return Choice(first, whole, "; ".join([f"measured here in Gop/s: {measured}", *told]))


def _whole(width: int) -> Kernel:
    """Kernel of whole vectors that are rounded tile by tile."""
    if rate(FP32, width) < _GAIN * rate(BF16, width) and not bf16_fault():
        return BF16
    return quicker32(width)


def quicker32(width: int) -> Kernel:
    """The quicker float32 product, of torch or of NumPy."""
    with _one_thread():
        return FP32_NUMPY if rate(FP32, width) < _GAIN * rate(FP32_NUMPY, width) else FP32


@lru_cache(maxsize=256)
def rate(kernel: Kernel, width: int) -> float:
    """Billions of multiplications and additions in a second, of the shortest of a few runs."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(-9, 10, (_SIDE, max(2, width)), generator=generator, dtype=torch.int8)
    rows = rows.to(kernel.factors)
    out = torch.empty((_SIDE, _SIDE), dtype=kernel.products)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        kernel.multiply(rows, rows, out)
        times.append(time.perf_counter() - start)
    return 2e-9 * _SIDE**2 * width / max(min(times), 1e-9)


def sums_in_float32(
    device: str, multiply: Callable[[Tensor, Tensor], Tensor] | None = None
) -> bool:
    """Whether sums of bfloat16 products are kept in float32, by torch or by `multiply`.

    512, 8,190 times 2^-13, then -512: whatever is rounded to bfloat16 on the way loses the small
    ones, which make 1 together.
    """
    ones = torch.ones((64, 8192), dtype=torch.bfloat16, device=device)
    small = torch.full((8192, 64), 2.0**-13, dtype=torch.bfloat16, device=device)
    small[0], small[-1] = 512.0, -512.0
    product = (multiply or torch.mm)(ones, small).to(torch.float32)
    return bool((product - 1.0).abs().max().item() < 0.02)


@lru_cache(maxsize=1)
def bf16_fault() -> str:
    """Why products of bfloat16 numbers cannot be used on this processor; empty if they can."""
    if sums_in_float32("cpu"):
        return ""
    return "sums of bfloat16 products are not kept in float32"


def int8_fault(width: int) -> str:
    """Why products of 8-bit numbers cannot be used for vectors of `width` here; empty if they can.

    The instructions that processors without VNNI have for it add pairs of products in 16 bits, and
    cut what does not fit: the largest numbers of all signs show it, as do odd shapes and slices.
    """
    if width > WIDEST:
        return f"sums over {width:,} coordinates may not fit into 32 bits, {WIDEST:,} are the most"
    if int8_products is None:
        return "this torch has no product of 8-bit numbers"
    return "" if whole_sums(min(max(width, 16), 1024)) else "their sums overflow on this processor"


@lru_cache(maxsize=64)
def whole_sums(width: int) -> bool:
    """Whether sums of 8-bit products are those of whole numbers."""
    generator = np.random.default_rng(0)
    signs = generator.choice(np.array([-127, 127], np.int8), (261, width))
    signs[0], signs[1], signs[2::7] = 127, -127, signs[2::7] // 2
    for rows, columns, wide in ((261, 259, width), (256, 256, 2), (67, 1, width), (1, 31, 17)):
        wide = min(wide, width)
        # The left side is a view whose rows lie apart.
        left, right = signs[:rows, :wide], signs[::-1][:columns, :wide]
        out = torch.empty((rows, columns), dtype=torch.int32)
        try:
            INT8.multiply(torch.from_numpy(left), torch.from_numpy(right.copy()), out)
        except RuntimeError:
            return False
        # Products of float64 are exact here.
        if not np.array_equal(out.numpy(), left.astype(np.float64) @ right.T.astype(np.float64)):
            return False
    return True


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


# Inside it, NumPy's products take one thread each, as those of torch do in a pool.
_one_thread = Meanwhile(_one_blas_thread)


@contextmanager
def one_blas_thread(kernels: Choice) -> Iterator[None]:
    """Let NumPy multiply in one thread, if a kernel of the search is NumPy's."""
    with _one_thread() if FP32_NUMPY in (kernels.first, kernels.second) else nullcontext():
        yield
