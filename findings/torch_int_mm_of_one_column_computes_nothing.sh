#!/usr/bin/env bash
# torch 2.13.0: torch._int_mm of int8 matrices with one column leaves its output as it was.
#
# Expected: a product of int8 matrices a [M, 1] and b [N, 1] transposed, as for any other width, or
#   an error.
# Happens: on processors with AVX512-VNNI there is neither. A transposed [N, 1] has strides (1, 1);
#   oneDNN is given a leading dimension of 1 for N columns and refuses, which torch does not look at:
#   `out=` stays as it was, a fresh result is memory nobody wrote. `contiguous()` changes nothing,
#   since such strides count as contiguous. A copy with strides (N, 1) gives the product, and so do
#   wider matrices.
#
# Seen with torch 2.13.0, NumPy 2.4.6, Python 3.11, on an AMD EPYC with AVX512-VNNI. Processors
# without it take another way, which is right: there this says so and ends with 3.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch

print("torch", torch.__version__)
if not torch.cpu._is_vnni_supported():
    print("no AVX512-VNNI here")
    sys.exit(3)


def product(left: torch.Tensor, right: torch.Tensor) -> list[list[int]]:
    """Into an output that held -7 before."""
    out = torch.full((left.shape[0], right.shape[1]), -7, dtype=torch.int32)
    torch._int_mm(left, right, out=out)
    return out.tolist()


a = torch.tensor([[1], [2], [3]], dtype=torch.int8)
b = torch.tensor([[10], [20], [30], [40]], dtype=torch.int8)
true = (a.int() @ b.t().int()).tolist()
ways = {
    "transposed": product(a, b.t()),
    "transposed, contiguous()": product(a, b.t().contiguous()),
    "copied row by row": product(a, torch.tensor([[10, 20, 30, 40]], dtype=torch.int8)),
}
print("true product:", true)
for way, found in ways.items():
    print(f"{way}: {found}")
wide = product(a.repeat(1, 2), b.repeat(1, 2).t())
print("two columns, transposed:", wide)

untouched = [[-7] * 4] * 3
assert ways["transposed"] == untouched
assert ways["transposed, contiguous()"] == untouched
assert ways["copied row by row"] == true
assert wide == [[2 * value for value in row] for row in true]
print("as described: nothing was computed, and nothing was said")
PYTHON
