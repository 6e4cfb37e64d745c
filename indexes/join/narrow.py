"""The narrow bound: an inner product of a few coordinates that is never below the score.

Real embeddings have fast-decaying spectra, a few directions hold most of the energy. With V an
orthonormal basis of the leading ones, p = V^T x and r = |x - V p|,

    x . y  =  p_x . p_y + (x - V p_x) . (y - V p_y)  <=  p_x . p_y + r_x r_y

by Cauchy-Schwarz: an inner product of the vectors (p, r). Any basis gives a valid bound; the
leading directions give a tight one.

In 8 bits one scale serves all coordinates of a row, so they should be of one size: the basis is
turned within its span, which mixes them, and r, larger than they are, is split into four of r / 2.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from indexes.base import Rows, Scores, Vectors
from indexes.join.bounds import norms32
from indexes.join.filters import NOISE, Map, Norms, Rounded, blank, chunks
from indexes.join.kernels import INT8, Kernel
from indexes.join.quantisation import Quantised, quantise
from indexes.memory import Room, gather

# Coordinates that are summed in one go: the fewer, the smaller the sum's error.
_PART = 256
_GROWN = 1 + 2.0**-20  # of the float32 norms' own rounding, beside `norms32`


def narrow(
    vectors: Vectors,
    order: Rows,
    lengths: Scores,
    basis: Vectors,
    kernel: Kernel,
    each: Map,
    room: Room | None = None,
) -> Rounded | Quantised:
    """Narrow bound: (p, r) of each vector for a float32 `basis [D, d]`, rounded for the kernel.

    With V the basis as it is, V^T V = 1 + E, and P the projection on its span,

        P x . P y = p_x^T (1 + E)^-1 p_y,   |x - P x|^2 = |x|^2 - p_x^T (1 + E)^-1 p_x,

    so that what |E| and the float32 product V^T x take from exactness is known, and joins the
    rounding's error. r is rounded up, or its rounding joins the error, too.
    """
    count, depth = len(order), vectors.shape[1]
    copies = rests(kernel)
    width = basis.shape[1] + copies
    values = blank((count, width), kernel.factors, room)
    scales = np.empty(count)
    norms: Norms = (lengths[order], np.empty(count), np.empty(count), np.empty(count))
    _, before, kept, errors = norms
    project = _Projection(_mixed(basis) if kernel is INT8 else basis)

    def fill(rows: slice) -> None:
        size = lengths[order[rows]]
        inside, rest, most, lost = project(gather(vectors, order[rows]), size)
        if kernel is INT8:
            before[rows] = np.hypot(most, rest) * _GROWN
            part = torch.from_numpy(rest / copies**0.5).to(torch.float32)
            both = torch.cat([inside, part[:, None].expand(-1, copies)], dim=1)
            values[rows], scales[rows], off = quantise(both, before[rows])
            errors[rows] = off + lost
            kept[rows] = (before[rows] + errors[rows]) * _GROWN
            return
        low = inside.to(kernel.factors)
        values[rows, :-1] = low
        values[rows, -1] = _up(torch.from_numpy(rest), kernel.factors)
        before[rows] = most
        errors[rows] = norms32(inside.sub_(low).numpy()) + lost
        kept[rows] = np.hypot(most + errors[rows], rest * (1 + 2.0**-7)) * _GROWN

    # Its products are the quicker for being larger.
    each(fill, chunks(count, max(1, depth // 4)))
    if kernel is INT8:
        return Quantised(values, scales, norms, depth * NOISE)
    return Rounded(values, norms, depth * NOISE, kernel)


def rests(kernel: Kernel) -> int:
    """Number of coordinates that hold what the basis leaves over, their squares adding up to it."""
    return 4 if kernel is INT8 else 1


class _Projection:
    """Products of vectors with a nearly orthonormal `basis [D, d]`, and the norms left over."""

    def __init__(self, basis: Vectors) -> None:
        depth, self.width = basis.shape
        whole = basis.astype(np.float64)
        self.skew = float(np.linalg.norm(whole.T @ whole - np.eye(self.width))) + 2.0**-40
        # Summed by parts: Higham's gamma of a part and of the parts' number, a coordinate of p.
        self.parts = [slice(start, start + _PART) for start in range(0, depth, _PART)]
        terms = (min(_PART, depth) + len(self.parts)) * 2.0**-24
        self.off = terms / (1 - terms) * float(np.linalg.norm(np.linalg.norm(whole, axis=0)))
        self.basis = torch.from_numpy(np.ascontiguousarray(basis, np.float32))
        self.tiny = 2 * float(np.sqrt(depth * 2.0**-125))  # `norms32` adds as much

    def __call__(self, vectors: Vectors, size: Scores) -> tuple[Tensor, Scores, Scores, Scores]:
        """The coordinates p `[R, d]` and r `[R]`, bounds of |p|, and of what p is off by.

        `size [R]` bounds the norms of the vectors.
        """
        exact = torch.from_numpy(vectors)
        inside = exact[:, self.parts[0]] @ self.basis[self.parts[0]]
        for part in self.parts[1:]:
            inside += exact[:, part] @ self.basis[part]
        lost = self.off * size + self.tiny
        length = norms32(inside.numpy())
        # `norms32` gives upper bounds; this is a lower one.
        least = length * (1 - 2 * (self.width + 1) * 2.0**-23) - lost - self.tiny
        rest = size * size * (1 + 2.0**-50) - np.maximum(least, 0) ** 2 / (1 + self.skew)
        most = (length + lost) * (1 + 2 * self.skew)
        return inside, np.sqrt(np.maximum(rest, 0)) * _GROWN, most, lost + 2 * self.skew * most


def _mixed(basis: Vectors) -> Vectors:
    """Basis of the same span whose directions share it evenly."""
    width = basis.shape[1]
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))
    return (basis @ turn.astype(np.float32)).astype(np.float32)


def leading(sample: Vectors, width: int) -> Vectors:
    """A nearly orthonormal basis `[D, width]`, nearly of the sample's leading directions.

    By subspace iteration on the second moments. How near does not matter to the bound's validity,
    only to its use.
    """
    largest = max(float(np.abs(sample).max(initial=0)), float(np.finfo(np.float32).tiny))
    scaled = torch.from_numpy(sample / np.float32(largest)).to(torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    shape = sample.shape[1], width
    basis = torch.randn(shape, generator=generator, dtype=torch.float32)
    for _ in range(3):
        basis = scaled.T @ (scaled @ basis.to(torch.bfloat16))
        basis, _ = torch.linalg.qr(basis.to(torch.float32))
    return np.asarray(basis.numpy(), np.float32)


def _up(values: Tensor, dtype: torch.dtype) -> Tensor:
    """`values >= 0` in `dtype`, none of them smaller than before."""
    low = values.to(dtype)
    above = torch.nextafter(low, torch.full_like(low, torch.inf))
    return torch.where(low.to(torch.float64) < values, above, low)
