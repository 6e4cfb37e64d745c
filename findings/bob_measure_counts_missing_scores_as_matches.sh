#!/usr/bin/env bash
# bob.measure 6.1.1: a genuine comparison without a score (NaN) counts as a match.
#
# Expected: a face matcher that finds no face gives no score, which NumPy and pandas write as NaN.
#   NIST counts such a genuine comparison as a false non-match, since nobody is let in: that, or an
#   error.
# Happens: `farfrr` counts the scores below the threshold, and NaN is below nothing. A matcher that
#   fails on 300 of 1,000 genuine comparisons shows a *lower* FRR at the same threshold (0.110
#   instead of 0.162 without failures; right is 0.410), and a lower EER (0.135; right is 0.337),
#   without an error.
#
# Seen with bob.measure 6.1.1, NumPy 1.26.4, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    bob.measure==6.1.1 numpy==1.26.4
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import bob.measure
import numpy as np

print("bob.measure", version("bob.measure"))
generator = np.random.default_rng(0)
genuine, impostor = generator.normal(2, 1, 1000), generator.normal(0, 1, 1000)
threshold = bob.measure.eer_threshold(impostor, genuine)
missing, lowest = genuine.copy(), genuine.copy()
missing[:300], lowest[:300] = np.nan, -1e9
frr, eer = {}, {}
for name, scores in (("none", genuine), ("NaN", missing), ("below all others", lowest)):
    frr[name] = bob.measure.farfrr(impostor, scores, threshold)[1]
    eer[name] = bob.measure.eer(impostor, scores)
    print(f"failures: {name:17} FRR at one threshold {frr[name]:.3f}, EER {eer[name]:.3f}")
assert frr["NaN"] < frr["none"] < frr["below all others"], "the behaviour has changed"
assert eer["NaN"] < eer["none"] < eer["below all others"], "the behaviour has changed"
PYTHON
