#!/usr/bin/env bash
# torch 2.13.0: a strict load_state_dict takes tensors of any kind of number, codes for weights too.
#
# Expected: strict loading refuses what are other weights, as it refuses another shape, and as it
#   refuses a quantised tensor of PyTorch's own (qint8).
# Happens: it compares names and shapes alone. A state dict of int8 codes, whose scales lie elsewhere
#   (as quantised weights are published), of bool or of complex numbers is copied into float32
#   parameters: "All keys matched successfully". For int8 and bool there is no error and no warning,
#   and another network, whose vectors have a cosine of 0.25 with the right ones (0.09 for bool); of
#   complex numbers the imaginary part goes with a warning.
#
# Seen with torch 2.13.0, NumPy 2.4.6, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch
from torch import nn

print("torch", torch.__version__)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 16))


def codes(tensor: torch.Tensor) -> torch.Tensor:
    return torch.round(tensor / tensor.abs().max() * 127).to(torch.int8)


kinds = {
    "int8": codes,
    "bool": lambda tensor: tensor > 0,
    "complex64": lambda tensor: tensor * (1 + 1j),
}
true = network()
images = torch.randn(100, 64, generator=torch.Generator().manual_seed(1))
for kind, turned in kinds.items():
    state = {name: turned(tensor) for name, tensor in true.state_dict().items()}
    loaded = network()
    with warnings.catch_warnings(record=True) as said, torch.no_grad():
        warnings.simplefilter("always")
        answer = loaded.load_state_dict(state, strict=True)
        alike = torch.cosine_similarity(loaded(images), true(images)).mean()
    print(f"{kind}: {answer}, {len(said)} warnings, mean cosine with the true vectors {alike:.2f}")
    assert str(answer) == "<All keys matched successfully>", answer
    assert bool(said) == (kind == "complex64"), said
    assert kind == "complex64" or alike < 0.9, alike
try:
    quantised = torch.quantize_per_tensor(true[0].weight.detach(), 0.01, 0, torch.qint8)
    network().load_state_dict({**true.state_dict(), "0.weight": quantised})
    raise SystemExit("qint8 is taken now")
except RuntimeError as error:
    print("qint8:", type(error).__name__)
try:
    network().load_state_dict({**true.state_dict(), "0.weight": torch.zeros(32, 63)})
    raise SystemExit("another shape is taken now")
except RuntimeError as error:
    print("another shape:", str(error).splitlines()[1].strip()[:120])
PYTHON
