"""Arrays by what they hold: names of their types, once for all modules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Counts = NDArray[np.int64]
Scores = NDArray[np.float64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
# What people say of pairs, as `human_prediction` has it.
Verdicts = NDArray[np.int8]
