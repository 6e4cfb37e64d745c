#!/usr/bin/env bash
# transformers 5.24.0 and torchvision 0.28.0: centre crops of one picture lie a pixel apart.
#
# Expected: a checkpoint that was trained behind torchvision's CenterCrop, as CLIP's and DINO's were,
#   gets the same pixels from transformers' image processor; or a note says that it does not.
# Happens: where the margin is an odd number of pixels, torchvision begins at half of it rounded to
#   even (round(37.5) = 38), and transformers, in both of its backends, at the floor (37). So every
#   second odd margin shifts the whole crop by a pixel: here a picture 299 pixels wide, cropped to
#   224. With margins of 1, 5, 9, ... the two agree (half of 73 is 36.5: both begin at 36). Nothing
#   tells, and vectors differ by more than rounding.
#
# Seen with transformers 5.24.0, torchvision 0.28.0, torch 2.13.0, Pillow 12.3.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 pillow==12.3.0 transformers==5.24.0 numpy==2.4.6
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    torchvision==0.28.0
"$folder/venv/bin/python" - <<'PYTHON'
import re
import sys
from importlib.metadata import version

import numpy as np
import torch

# A torchvision of another build of PyTorch lacks its compiled operators. Cropping uses none: to
# import it, their names are enough.
library = torch.library.Library("torchvision", "DEF")
while True:
    try:
        import torchvision.transforms.v2.functional as functional

        break
    except RuntimeError as error:
        missing = re.search(r"torchvision::(\w+) does not exist", str(error))
        if missing is None:
            raise
        library.define(f"{missing[1]}(Tensor a) -> Tensor")
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
from PIL import Image
from transformers.models.clip import CLIPImageProcessor, CLIPImageProcessorPil

print("transformers", version("transformers"), "torchvision", version("torchvision"))
begins = {}
for width in (297, 299):
    # The value of a pixel is its column.
    ramp = np.broadcast_to(np.arange(width)[None, :, None] % 256, (224, width, 3)).astype(np.uint8)
    picture = Image.fromarray(ramp)
    tensor = torch.from_numpy(ramp.copy()).permute(2, 0, 1)
    found = {"torchvision": int(functional.center_crop(tensor, [224, 224])[0, 0, 0])}
    for kind in (CLIPImageProcessor, CLIPImageProcessorPil):
        crop = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
        others = dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), False)
        made = kind(**crop, **others)(picture, return_tensors="np")["pixel_values"]
        found[kind.__name__] = int(np.asarray(made)[0, 0, 0, 0])
    print(f"a margin of {width - 224}: begins at", found)
    begins[width] = found
processors = ("CLIPImageProcessor", "CLIPImageProcessorPil")
assert {*begins[297].values()} == {36}, "the behaviour has changed"
assert begins[299]["torchvision"] == 38, "the behaviour has changed"
assert all(begins[299][one] == 37 for one in processors), "the behaviour has changed"
PYTHON
