"""The narrow bound: an inner product of a few coordinates that is never below the score.

Real embeddings have fast-decaying spectra, a few directions hold most of the energy. With V an
orthonormal basis of the leading ones, p = V^T x and r = |x - V p|,

    x . y  =  p_x . p_y + (x - V p_x) . (y - V p_y)  <=  p_x . p_y + r_x r_y

by Cauchy-Schwarz: an inner product of the vectors (p, r). Any basis gives a valid bound; the
leading directions give a tight one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from indexes.base import Rows, Scores, Vectors
from indexes.join.bounds import norms32
from indexes.join.filters import NOISE, Map, Rounded, chunks, gathered

# Coordinates that are summed in one go: the fewer, the smaller the sum's error.
_PART = 256


def narrow(
    vectors: Vectors, order: Rows, lengths: Scores, basis: Vectors, dtype: torch.dtype, each: Map
) -> Rounded:
    """Narrow bound: (p, r) of each vector for a float32 `basis [D, d]`, rounded to `dtype`.

    With V the basis as it is, V^T V = 1 + E, and P the projection on its span,

        P x . P y = p_x^T (1 + E)^-1 p_y,   |x - P x|^2 = |x|^2 - p_x^T (1 + E)^-1 p_x,

    so that what |E| and the float32 product V^T x take from exactness is known, and joins the
    rounding's error. r is rounded up.
    """
    count, depth, width = len(order), vectors.shape[1], basis.shape[1] + 1
    values = torch.empty((count, width), dtype=dtype)
    before, kept, errors = np.empty(count), np.empty(count), np.empty(count)
    whole = basis.astype(np.float64)
    skew = float(np.linalg.norm(whole.T @ whole - np.eye(width - 1))) + 2.0**-40
    # Summed by parts: Higham's gamma of a part and of the parts' number, a coordinate of p.
    parts = [slice(start, start + _PART) for start in range(0, depth, _PART)]
    terms = (min(_PART, depth) + len(parts)) * 2.0**-24
    off = terms / (1 - terms) * float(np.linalg.norm(np.linalg.norm(whole, axis=0)))
    turn = torch.from_numpy(np.ascontiguousarray(basis, np.float32))
    grown = 1 + 2.0**-20  # of the float32 norms' own rounding, beside `norms32`
    tiny = 2 * float(np.sqrt(depth * 2.0**-125))  # `norms32` adds as much

    def fill(rows: slice) -> None:
        exact = torch.from_numpy(gathered(vectors, order, rows))
        turned = exact[:, parts[0]] @ turn[parts[0]]
        for part in parts[1:]:
            turned += exact[:, part] @ turn[part]
        size = lengths[order[rows]]
        lost = off * size + tiny
        inside = norms32(turned.numpy())
        # `norms32` gives upper bounds; this is a lower one.
        least = np.maximum(inside * (1 - 2 * width * 2.0**-23) - lost - tiny, 0)
        rest = size * size * (1 + 2.0**-50) - least * least / (1 + skew)
        rest = np.sqrt(np.maximum(rest, 0)) * grown
        low = turned.to(dtype)
        values[rows, :-1] = low
        values[rows, -1] = _up(torch.from_numpy(rest), dtype)
        before[rows] = (inside + lost) * (1 + 2 * skew)
        errors[rows] = norms32(turned.sub_(low).numpy()) + lost + 2 * skew * before[rows]
        kept[rows] = np.hypot(inside + errors[rows], rest * (1 + 2.0**-7)) * grown

    # Its products are the quicker for being larger.
    each(fill, chunks(count, max(1, depth // 4)))
    return Rounded(values, (lengths[order], before, kept, errors), depth * NOISE)


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
