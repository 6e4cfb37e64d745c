#!/usr/bin/env bash
# scikit-learn 1.9.1: fetch_lfw_pairs takes the number of a picture for its place in the folder.
#
# Expected: a line `Ada_Ash 1 3` of LFW's pairs.txt means the pictures Ada_Ash_0001.jpg and
#   Ada_Ash_0003.jpg: those two, or an error where one is missing.
# Happens: the loader lists the person's folder in the order of names and takes the first and the
#   *third file there*, whatever they are called. Where a picture was taken out (a mislabelled one,
#   as LFW's errata name some) every later number gives another picture; where numbers are not
#   filled up with noughts (CPLFW, FaceScrub), NAME_10.jpg stands before NAME_2.jpg. No warning, no
#   error: images of the right shape, wrong pairs.
#
# The input is a folder in LFW's own layout, and a pairs.txt that names only pictures which are there.
# Seen with scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1, Pillow 13.0.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
import sklearn
from PIL import Image
from sklearn.datasets import fetch_lfw_pairs

home = Path(sys.argv[1]) / "data"
lfw = home / "lfw_home"


def draw(person, numbers, form):
    """Plain grey pictures, each as bright as ten times its number."""
    folder = lfw / "lfw_funneled" / person
    folder.mkdir(parents=True)
    for number in numbers:
        picture = Image.new("RGB", (250, 250), (10 * number,) * 3)
        picture.save(folder / form.format(person, number), quality=100)


draw("Ada_Ash", (1, 3, 4), "{}_{:04d}.jpg")  # 2 was taken out
draw("Bo_Birch", (1, 2, 10), "{}_{}.jpg")  # not filled up with noughts
(lfw / "pairs.txt").write_text("1\t1\nAda_Ash\t1\t3\nAda_Ash\t1\tBo_Birch\t2\n")
for name in ("pairsDevTrain.txt", "pairsDevTest.txt"):
    (lfw / name).write_text("1\nAda_Ash\t1\t3\nAda_Ash\t1\tBo_Birch\t2\n")

found = fetch_lfw_pairs(
    subset="10_folds", data_home=home, download_if_missing=False, resize=None, color=False
)
scale = 255 if found.pairs.max() <= 1 else 1
seen = np.rint(found.pairs.mean(axis=(2, 3)) * scale / 10).astype(int).tolist()
print("scikit-learn", sklearn.__version__)
print("asked for Ada_Ash 1 and 3, got pictures", *seen[0])
print("asked for Ada_Ash 1 and Bo_Birch 2, got pictures", *seen[1])
wrong = seen == [[1, 4], [1, 10]]
print("taken by their place, not by their number" if wrong else "the behaviour has changed")
sys.exit(0 if wrong else 1)
PYTHON
