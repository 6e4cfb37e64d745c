"""Lists of landmarks: their forms, and what is refused by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pairsets.errors import SourceError
from pairsets.sources.landmarks import Landmarks

POINTS = [30.5, 40, 70, 41, 50, 60, 35, 80, 66, 81]
NAMES = "left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,left_mouth_x,left_mouth_y"
HEADER = f"path,{NAMES},right_mouth_x,right_mouth_y"


def row(path: str, points: list[float] = POINTS, mark: str = ",") -> str:
    return mark.join([path, *map(str, points)])


def read(folder: Path, text: str) -> Landmarks:
    file = folder / "landmarks.csv"
    file.write_text(text, "utf-8")
    return Landmarks.read(file)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{row('rei/1.png')}\n{row('asuka/2.png')}\n",
        f"score,file_name,{','.join(f'{a}{n}' for n in range(1, 6) for a in 'xy')}\n"
        f"0.9,{row('./rei/1.png')}\n0.8,{row('asuka/2.png')}\n",
        "image,lefteye_x,lefteye_y,righteye_x,righteye_y,nose_x,nose_y,leftmouth_x,leftmouth_y,"
        f"rightmouth_x,rightmouth_y\n{row('rei/1.png')}\n{row('asuka/2.png')}\n",
        "Path,X Eye Left,Y Eye Left,X Eye Right,Y Eye Right,X Nose Tip,Y Nose Tip,X Mouth Left,"
        f"Y Mouth Left,X Mouth Right,Y Mouth Right\n{row('rei/1.png')}\n{row('asuka/2.png')}\n",
        f"{row('rei/1.png', mark=' ')} 0.98\n{row('asuka/2.png', mark=' ')} 0.7\n",
        f"{row('rei/1.png', mark='  ')}\n{row('asuka/2.png', mark=chr(9))}\n",
        "2\nlefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y "
        f"rightmouth_x rightmouth_y\n{row('rei/1.png', mark=' ')}\n"
        f"{row('asuka/2.png', mark=' ')}\n",
    ],
    ids=["ours", "numbered", "one word", "axis first", "score", "blanks", "celeba"],
)
def test_forms_are_told_apart(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert found.paths == ["rei/1.png", "asuka/2.png"]
    assert found.points.shape == (2, 5, 2)
    assert found.points.reshape(2, 10).tolist() == [POINTS, POINTS]


def test_columns_stand_in_any_order(tmp_path: Path) -> None:
    names = HEADER.split(",")
    cells = ["rei/1.png", *map(str, POINTS)]
    order = np.random.default_rng(0).permutation(11)
    text = ",".join(names[at] for at in order) + "\n" + ",".join(cells[at] for at in order) + "\n"
    assert read(tmp_path, text).points.ravel().tolist() == POINTS


def turned(degrees: float) -> list[float]:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (np.array(POINTS).reshape(5, 2) @ turn.T + 200).ravel().round(3).tolist()


@pytest.mark.parametrize("degrees", [-90, 45, 90, 180])
def test_a_face_may_lie_on_its_side_or_stand_on_its_head(tmp_path: Path, degrees: float) -> None:
    found = read(tmp_path, f"{HEADER}\n{row('a/1.png', turned(degrees))}\n")
    assert found.points.ravel().tolist() == turned(degrees)


def test_a_few_that_cannot_be_used_are_told_apart(tmp_path: Path) -> None:
    rows = [row("a/1"), row("a/2", MIRRORED), row("a/3", [5.0] * 10), row("a/4")]
    found = read(tmp_path, "\n".join([HEADER, *rows]) + "\n")
    assert [*found.causes] == ["a/3", "a/2"]


MIRRORED = [*POINTS[2:4], *POINTS[:2], *POINTS[4:6], *POINTS[8:], *POINTS[6:8]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no landmarks in it"),
        (f"{HEADER}\n", "no landmarks in it"),
        (f"{NAMES}\n1,2,3,4,5,6,7,8\n", "line 1: no column of x of the right corner of the mouth"),
        (f"{HEADER.replace('path', 'where')}\n{row('a/1')}\n", "line 1: no column of paths"),
        (f"{HEADER},image\n{row('a/1')},b\n", "line 1: 2 columns of paths"),
        (f"{HEADER},lefteye_x\n{row('a/1')},1\n", "line 1: two columns of x of the left eye"),
        (f"{HEADER}\n{row('a/1', POINTS[:-1])}\n", "line 2: 10 values, expected 11"),
        (f"{HEADER}\na/1,,{row('', POINTS[1:])[1:]}\n", "line 2: x of the left eye is ''"),
        (f"{HEADER}\n{row('a/1', [*POINTS[:5], float('nan'), *POINTS[6:]])}\n", "y of the nose is"),
        (f"{HEADER}\n{row('../a/1')}\n", r"line 2: the path '../a/1' leaves its folder"),
        (f"{HEADER}\n{row('/a/1')}\n", "line 2: the path '/a/1' is absolute"),
        (f"{HEADER}\n{row('a/1')}\n{row('a/1')}\n", "line 3: 'a/1' has landmarks in line 2"),
        (f"{HEADER}\n{row('a/1', [5.0] * 10)}\n", "line 2: 'a/1': its eyes and mouth lie on one"),
        (f"{HEADER}\n{row('a/1', [v / 100 for v in POINTS])}\n", "are they shares of the picture"),
        (
            f"{HEADER}\n{row('b/1')}\n{row('a/1', MIRRORED)}\n{row('a/2', MIRRORED)}\n",
            "line 3: .* in 2 of 3 faces",
        ),
        (f"{row('a/1 b', mark=' ')} 0.5 7\n", "line 1: 14 values; expected a path and ten numbers"),
        (f"3\n{row('a/1', mark=' ')}\n", "line 1 says 2 pictures more than there are"),
        (f"1\n{row('a/1', mark=' ')}\n{row('a/2', mark=' ')}\n", "line 1 says 1 pictures fewer"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        read(tmp_path, text)
