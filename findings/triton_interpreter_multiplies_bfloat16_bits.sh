#!/usr/bin/env bash
# Triton 3.9.0, TRITON_INTERPRET=1: tl.dot of bfloat16 blocks multiplies the bits as whole numbers.
#
# Expected: the interpreter, which is there to try kernels without a GPU, gives what the compiled kernel
#   gives: ones times ones, summed over 16, are 16.
# Happens: NumPy has no bfloat16, so that blocks are held as uint16, and tl.dot multiplies those. The bits
#   of 1.0 are 16256; what comes out is 16 times their square, and nothing is said. Blocks that are
#   cast to float32 before tl.dot give 16.
#
# Seen with Triton 3.9.0, torch 2.13.0, NumPy 2.4.6, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 triton==3.9.0 numpy==2.4.6
cat > "$folder/dot.py" <<'PYTHON'
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(left, right, out, CAST: tl.constexpr):
    rows, columns = tl.arange(0, 16)[:, None], tl.arange(0, 16)[None, :]
    a, b = tl.load(left + rows * 16 + columns), tl.load(right + rows * 16 + columns)
    if CAST:
        a, b = a.to(tl.float32), b.to(tl.float32)
    tl.store(out + rows * 16 + columns, tl.dot(a, b))


ones = torch.ones((16, 16), dtype=torch.bfloat16)
found = []
for cast in (True, False):
    out = torch.zeros((16, 16))
    kernel[(1,)](ones, ones, out, CAST=cast)
    found.append(out[0, 0].item())
    print(f"ones times ones over 16, {'as float32' if cast else 'as bfloat16'}: {found[-1]:.0f}")
assert found[0] == 16, "the check itself is wrong"
assert found[1] != 16, "the behaviour has changed"
PYTHON
TRITON_INTERPRET=1 "$folder/venv/bin/python" -W ignore "$folder/dot.py"
