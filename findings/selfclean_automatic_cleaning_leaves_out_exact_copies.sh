#!/usr/bin/env bash
# SelfClean 0.0.39: automatic cleaning leaves out what is surest, copies without any difference.
#
# Expected: `SelfCleanCleaner(auto_cleaning=True)` cuts its ranking of near duplicates off at a limit,
#   and `get_issues(..., return_as_df=True)` marks the rows above it. Ten pairs of copies stand at the
#   head of the ranking; whether they differ a little or not at all, all ten are marked.
# Happens: ten slightly different copies are marked, of ten exact ones three. `fraction_cut` lays
#   scores of exactly 0 (and 1) aside, as their logit is infinite, and gives the positions of those
#   it kept as if they were positions in the ranking: these begin with the zeros. So as many rows are
#   missing as there are zeros; a set whose only copies are exact has none. Off-topic samples and
#   label errors are cut by the same function. The ranking itself is right.
#
# Seen with selfclean 0.0.39 (without the packages that only its training and its tests need), torch
# 2.13.0, torchvision 0.28.0, NumPy 2.4.6, SciPy 1.17.1, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
pip torch==2.13.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 scikit-image==0.26.0 \
    pandas==3.1.1 seaborn==0.13.2 matplotlib==3.11.2 tqdm==4.70.1 pillow==13.0.0 loguru==0.7.3 \
    einops==0.8.2 torchinfo==1.8.0 memory-profiler==0.61.0 SciencePlots==2.2.2
pip --no-deps torchvision==0.28.0 selfclean==0.0.39
cat > "$folder/show.py" <<'PROGRAM'
import sys
import warnings

import torch

warnings.simplefilter("ignore")
try:
    import torchvision  # noqa: F401
except RuntimeError:  # built for CUDA, beside a torch that is not: nothing of it is called here
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]

import numpy as np
from selfclean.cleaner.issue_manager import IssueTypes
from selfclean.cleaner.selfclean_cleaner import SelfCleanCleaner

COPIES = 10


def marked(noise):
    """How many of ten planted pairs head the ranking, and how many of these are marked."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(600, 32)).astype(np.float32)
    change = noise * generator.normal(size=(COPIES, 32)).astype(np.float32)
    vectors[100 : 100 + COPIES] = vectors[:COPIES] + change
    cleaner = SelfCleanCleaner(auto_cleaning=True, memmap=False, log_level="ERROR")
    cleaner.fit(emb_space=vectors)
    issues = cleaner.predict([IssueTypes.NEAR_DUPLICATES])
    table = issues.get_issues("near_duplicates", return_as_df=True)
    planted = table.indices_2 - table.indices_1 == 100
    head = int(planted[:COPIES].sum())
    return head, int((planted & table.auto_issues).sum()), int((table.scores == 0).sum())


near, exact = marked(1e-2), marked(0)
for what, (head, taken, zeros) in (("slightly different", near), ("exact", exact)):
    print(f"{what}: {head} at the head of the ranking, {taken} marked ({zeros} scores of 0)")
fault = near[:2] == (COPIES, COPIES) and exact[0] == COPIES and exact[1] == COPIES - exact[2]
sys.exit(0 if fault and exact[2] else 1)
PROGRAM
"$folder/venv/bin/python" "$folder/show.py" 2> "$folder/errors" || { cat "$folder/errors"; exit 1; }
