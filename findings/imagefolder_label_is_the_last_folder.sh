#!/usr/bin/env bash
# datasets 5.2.0: imagefolder's label is the last folder's name alone, whatever lies above it.
#
# Expected: of PERSON/video1/1.png, as VoxCeleb and YouTube Faces lie, the person is the label
#   (torchvision's ImageFolder takes the first folder); or there is an error; or at least labels
#   tell ada/video1 from bo/video1.
# Happens: the classes are video1 and video2, each of all persons, without a warning; and two
#   characters called sakura in two series are one class.
#
# Seen with datasets 5.2.0, Pillow 13.0.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.2.0 pillow==13.0.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import datasets
from PIL import Image

datasets.disable_progress_bars()
print("datasets", datasets.__version__)


def classes(name: str, paths: list[str]) -> dict[str, int]:
    for number, path in enumerate(paths):
        (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(Path(name) / path)
    part = datasets.load_dataset("imagefolder", data_dir=str(Path(name).resolve()))["train"]
    names = part.features["label"].names
    found = [names[label] for label in part["label"]]
    print(f"{name}: {len(paths)} pictures, classes", {one: found.count(one) for one in names})
    return {one: found.count(one) for one in names}


videos = classes("videos", [f"{who}/video{n}/1.png" for who in ("ada", "bo") for n in (1, 2)])
assert videos == {"video1": 2, "video2": 2}, videos
series = classes("series", ["naruto/sakura/1.png", "cardcaptor/sakura/1.png", "cardcaptor/tomoyo/1.png"])
assert series == {"sakura": 2, "tomoyo": 1}, series
PYTHON
