#!/usr/bin/env bash
# datasets 5.2.0: imagefolder leaves out AVIF pictures, and folders called .name or __name__.
#
# Expected: Pillow 13.0.0 reads and writes AVIF by itself, and .hack and __init__ are names like any
#   other: five pictures of four classes, or a warning that three were left out.
# Happens: two pictures of two classes, and nothing is said. (Folders and files with a word such as
#   test or val in their names make splits, and the others are dropped; that is documented.)
#
# Seen with datasets 5.2.0, Pillow 13.0.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.2.0 pillow==13.0.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" - 2>said <<'PYTHON'
from pathlib import Path

import datasets
from PIL import Image, __version__

datasets.disable_progress_bars()
print("datasets", datasets.__version__, "pillow", __version__)
paths = ["a/1.png", "a/2.avif", "b/1.png", ".hack/1.png", "__init__/1.png"]
for path in paths:
    (Path("faces") / path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(Path("faces") / path)
    with Image.open(Path("faces") / path) as image:
        image.load()
part = datasets.load_dataset("imagefolder", data_dir=str(Path("faces").resolve()))["train"]
print(f"{len(paths)} pictures on the disk, {len(part)} in the data set, classes", part.features["label"].names)
assert len(part) == 2 and part.features["label"].names == ["a", "b"]
PYTHON
echo "said on standard error: '$(cat said)'"
if grep -qiE "avif|skip|ignor" said; then exit 1; fi
