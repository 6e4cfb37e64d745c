#!/usr/bin/env bash
# pyeer 0.5.6: missing impostor scores (NaN) give an AUC below nought and an EER of 85 %.
#
# Expected: a comparison without a score, which NumPy and pandas write as NaN, is an error, or is left
#   out.
# Happens: of a matcher with an AUC of 0.92 and an EER of 16 %, 300 of whose 1,000 impostor
#   comparisons have no score, `get_eer_stats` reports an AUC of -0.31, which no area under a ROC can
#   be, and an EER of 0.85. It returns as usual.
#
# Seen with pyeer 0.5.6, NumPy 1.26.4, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyeer==0.5.6 numpy==1.26.4
"$folder/venv/bin/python" - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
from pyeer.eer_info import get_eer_stats

print("pyeer", version("pyeer"))
warnings.simplefilter("ignore")
generator = np.random.default_rng(0)
genuine, impostor = generator.normal(2, 1, 1000), generator.normal(0, 1, 1000)
missing = impostor.copy()
missing[:300] = np.nan
whole = get_eer_stats(genuine.tolist(), impostor.tolist())
broken = get_eer_stats(genuine.tolist(), missing.tolist())
rest = get_eer_stats(genuine.tolist(), impostor[300:].tolist())
for name, stats in (("all scores", whole), ("300 NaN", broken), ("without those", rest)):
    print(f"{name:14} AUC {stats.auc:6.3f}, EER {stats.eer:.3f}")
assert whole.auc > 0.9 and rest.auc > 0.9
assert broken.auc < 0 and broken.eer > 0.8, "the behaviour has changed"
PYTHON
