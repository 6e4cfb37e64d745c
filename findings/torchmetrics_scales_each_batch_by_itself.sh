#!/usr/bin/env bash
# torchmetrics 1.9.0: of cosine scores, the AUC and the EER depend on how they were cut into batches.
#
# Expected: the value of all scores at once, however they are cut.
# Happens: its binary metrics take probabilities or logits, and scores outside 0 to 1 get a sigmoid.
#   That is decided anew in each `update`, by the scores of that batch alone. Cosine similarities lie
#   between -1 and 1, so a batch that holds a score below nought is squeezed towards 0.5, the next
#   one without is not, and all are ranked together. 1,000 scores with an AUC of 0.948 and an EER of
#   0.124 have an AUC of 0.862 and an EER of 0.256 in batches of 8, and 0.516 with all positives
#   first; without a warning.
#
# Seen with torchmetrics 1.9.0, torch 2.13.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 torchmetrics==1.9.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from torchmetrics.classification import BinaryAUROC, BinaryEER

print("torchmetrics", version("torchmetrics"))
torch.manual_seed(0)
positive = torch.randn(500).mul(0.15).add(0.55).clamp(-1, 1)
negative = torch.randn(500).mul(0.15).add(0.2).clamp(-1, 1)
scores = torch.cat([positive, negative])
labels = torch.cat([torch.ones(500), torch.zeros(500)]).int()
shuffled = torch.randperm(1000)


def measured(order: torch.Tensor, size: int) -> tuple[float, float]:
    area, error = BinaryAUROC(), BinaryEER()
    for rows in order.split(size):
        area.update(scores[rows], labels[rows])
        error.update(scores[rows], labels[rows])
    return float(area.compute()), float(error.compute())


found = {
    "all at once": measured(shuffled, 1000),
    "batches of 32": measured(shuffled, 32),
    "batches of 8": measured(shuffled, 8),
    "positives, then negatives": measured(torch.arange(1000), 500),
}
for name, (area, error) in found.items():
    print(f"{name:26} AUC {area:.3f}, EER {error:.3f}")
whole = found["all at once"][0]
assert abs(whole - 0.948) < 0.01
assert found["batches of 8"][0] < whole - 0.05, "the behaviour has changed"
assert found["positives, then negatives"][0] < 0.6, "the behaviour has changed"
PYTHON
