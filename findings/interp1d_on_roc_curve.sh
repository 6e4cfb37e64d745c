#!/usr/bin/env bash
# SciPy 1.17.1, NumPy 2.4.6: interpolated on scikit-learn's roc_curve, a perfect model comes out worst.
#
# Expected: FPR at a target FNR, read off roc_curve by SciPy's interp1d or NumPy's interp, is 0 for a
#   model that separates every positive from every negative, and no other model is better.
# Happens: of the perfect curve roc_curve keeps four points by default (drop_intermediate=True),
#   (fpr, fnr) = (0, 1), (0, 17/18), (0, 0) and (1, 0). Two of them share the FNR of 0, and neither
#   interpolator minds an abscissa that stands there twice: the line to the next FNR is drawn from
#   the last of the two, the threshold that accepts everything. So the perfect model has an FPR of
#   85 % at an FNR of 13.9 %, and a worse one, three of whose negatives score above a positive,
#   6.8 %. No warning, no error. With drop_intermediate=False both come out at 0 here, since the
#   next point is then but one positive away; below one positive's share of them that is wrong all
#   the same.
#
# Seen with SciPy 1.17.1, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    "numpy==2.4.6" "scipy==1.17.1" "scikit-learn==1.9.1"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import scipy
import sklearn
from scipy.interpolate import interp1d
from sklearn.metrics import roc_curve

print(f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}")
TARGET = 0.139
label = np.repeat([1, 0], [18, 40])
perfect = np.where(label == 1, 0.6, 0.1) + np.linspace(0.3, 0.0, 58)
worse = perfect.copy()
worse[18:21] = 0.813  # three negatives above one of the positives


def rates(scores, **options):
    fpr, tpr, _ = roc_curve(label, scores, **options)
    fnr = 1 - tpr
    order = np.argsort(fnr, kind="stable")
    achieved = fpr[np.argmax(fnr <= TARGET)]
    return achieved, float(interp1d(fnr, fpr)(TARGET)), float(np.interp(TARGET, fnr[order], fpr[order]))


seen = {}
for name, scores in (("perfect", perfect), ("worse", worse)):
    for kept in (True, False):
        seen[name, kept] = achieved, by_scipy, by_numpy = rates(scores, drop_intermediate=kept)
        print(
            f"{name:>8}, drop_intermediate={kept!s:>5}: achieved {achieved:7.2%}   "
            f"interp1d {by_scipy:7.2%}   np.interp {by_numpy:7.2%}"
        )
fpr, tpr, _ = roc_curve(label, perfect)
print("roc_curve of the perfect model: fpr", fpr.round(3).tolist(), "tpr", tpr.round(3).tolist())
surprising = (
    min(seen["perfect", True][1:]) > 0.8 > max(seen["worse", True][1:])
    and max(seen["perfect", False][1:]) == 0
)
sys.exit(None if surprising else "the behaviour has changed")
PYTHON
