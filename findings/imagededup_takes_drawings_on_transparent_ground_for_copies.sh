#!/usr/bin/env bash
# imagededup 0.3.3.post2: black drawings on a transparent ground, and 16-bit pictures, are all copies
# of one another.
#
# Expected: pictures of a circle, a cross and a grid have hashes far apart, as they have on white;
#   so have 16-bit PNG of other patterns. What cannot be told is left out, as unreadable files are.
# Happens: `load_image` drops the alpha channel instead of laying the picture on a ground. Where all
#   that is drawn stands in it, a black square is left, and of 16-bit grey all levels above 255 become
#   white. Either gives the hash ffffffffffffffff, and `find_duplicates` calls every such file a copy
#   of every other, at a distance of 0; `find_duplicates_to_remove` lists all of them but one.
#
# Seen with imagededup 0.3.3.post2 (PHash), Pillow 13.0.0, NumPy 2.4.6, torch 2.13.0, torchvision
# 0.28.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
pip torch==2.13.0 numpy==2.4.6 pillow==13.0.0 scikit-learn==1.9.1 PyWavelets==1.9.0 \
    matplotlib==3.11.2 tqdm==4.70.1
pip --no-deps torchvision==0.28.0 imagededup==0.3.3.post2
cat > "$folder/show.py" <<'PROGRAM'
import sys
import warnings
from pathlib import Path

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
from imagededup.methods import PHash
from PIL import Image, ImageDraw


def circle(draw):
    draw.ellipse((40, 40, 216, 216), outline="black", width=24)


def cross(draw):
    draw.line((30, 30, 226, 226), fill="black", width=24)
    draw.line((226, 30, 30, 226), fill="black", width=24)


def grid(draw):
    for at in range(30, 256, 56):
        draw.line((at, 0, at, 256), fill="black", width=16)


def copies(folder):
    method = PHash(verbose=False)
    found = method.find_duplicates(
        image_dir=str(folder), scores=True, num_enc_workers=0, num_dist_workers=0
    )
    gone = method.find_duplicates_to_remove(
        image_dir=str(folder), num_enc_workers=0, num_dist_workers=0
    )
    return {name: dict(sorted(near)) for name, near in sorted(found.items())}, sorted(gone)


root = Path(sys.argv[1])
answers = {}
for ground in ("white", "transparent"):
    (root / ground).mkdir()
    for shape in (circle, cross, grid):
        colour = "white" if ground == "white" else (0, 0, 0, 0)
        picture = Image.new("RGBA", (256, 256), colour)
        shape(ImageDraw.Draw(picture))
        picture.save(root / ground / f"{shape.__name__}.png")
(root / "16 bits").mkdir()
generator = np.random.default_rng(0)
for number in range(3):
    levels = generator.integers(256, 65536, (8, 8)).astype(np.uint16)
    pattern = np.kron(levels, np.ones((32, 32), np.uint16))
    Image.fromarray(pattern).save(root / "16 bits" / f"{number}.png")
for name in ("white", "transparent", "16 bits"):
    answers[name] = copies(root / name)
    print(name, *answers[name], sep="\n    ")
alone = not any(answers["white"][0].values())
alike = [
    all(len(near) == 2 and not any(near.values()) for near in answers[name][0].values())
    and len(answers[name][1]) == 2
    for name in ("transparent", "16 bits")
]
sys.exit(0 if alone and all(alike) else 1)
PROGRAM
"$folder/venv/bin/python" "$folder/show.py" "$folder" 2> "$folder/errors" || { cat "$folder/errors"; exit 1; }
