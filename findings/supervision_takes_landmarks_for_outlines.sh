#!/usr/bin/env bash
# supervision 0.31.2: YOLO labels with landmarks are taken for outlines, and the box for points of one.
#
# Expected: labels of YOLO's face and pose detectors are "class x y width height" and then the
#   landmarks, all as shares of the picture's sides. `DetectionDataset.from_yolo` takes the box from
#   the first four numbers, or refuses a line that is neither a box nor an outline.
# Happens: any line of more than six numbers is read as the outline of a polygon, so that x, y and
#   width, height become two of its points. The box that comes back spans these and the landmarks:
#   it is another one, without a word, and a mask that nobody drew comes with it. Boxes alone are
#   read rightly: cut -d' ' -f1-5.
#
# Seen with supervision 0.31.2, Pillow 13.0.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    supervision==0.31.2 pillow==13.0.0
cat > "$folder/show.py" <<'PROGRAM'
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # that OpenCV is not installed, which it may go without
import supervision as sv
from PIL import Image

root = Path(sys.argv[1])
for name in ("images", "labels"):
    (root / name).mkdir()
Image.new("RGB", (200, 100)).save(root / "images" / "face.jpg")
(root / "data.yaml").write_text("nc: 1\nnames: [face]\n")
box = "0 0.5 0.5 0.2 0.4"
# Eyes, nose and the corners of the mouth, all within the box.
marks = "0.46 0.42 0.54 0.42 0.50 0.50 0.47 0.60 0.53 0.60"


def read(line):
    (root / "labels" / "face.txt").write_text(line + "\n")
    found = sv.DetectionDataset.from_yolo(
        images_directory_path=str(root / "images"),
        annotations_directory_path=str(root / "labels"),
        data_yaml_path=str(root / "data.yaml"),
    )
    _, _, faces = next(iter(found))
    return [round(float(side)) for side in faces.xyxy[0]], faces.mask is not None


print("supervision", sv.__version__)
alone, _ = read(box)
print("a box alone:          ", alone)
try:
    marked, mask = read(f"{box} {marks}")
except Exception as error:
    print("with five landmarks:   refused:", error)
    sys.exit(1)
print("with five landmarks:  ", marked, "and a mask" if mask else "")
sys.exit(0 if alone == [80, 30, 120, 70] and marked != alone else 1)
PROGRAM
"$folder/venv/bin/python" "$folder/show.py" "$folder"
