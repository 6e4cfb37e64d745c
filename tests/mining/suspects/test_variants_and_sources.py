"""One drawing in two expressions, and faces that were cut from one picture."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mining.suspects.duplicates import DuplicatePictures
from mining.suspects.evidence import Evidence
from mining.suspects.pictures import caches, features
from mining.suspects.pictures.comparison import Comparisons
from mining.suspects.pictures.judge import SURE
from mining.suspects.sources import BY_NAME, SourcePictures
from mining.suspects.variants import DrawingVariants
from pairsets.pairset import PairSet
from tests.mining.suspects.test_duplicates import DETAILS, face, jpeg, scene, window


def saved(root: Path, **images: Image.Image) -> None:
    for name, image in images.items():
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file)


def pair(label: int, a: str = "a.png", b: str = "b.png") -> PairSet:
    return PairSet.of([a], [b], label)


@pytest.mark.parametrize("name", DETAILS)
def test_another_expression_is_a_variant_among_positives_alone(name: str, tmp_path: Path) -> None:
    other = face(**DETAILS[name])  # type: ignore[arg-type]
    for second in (other, other.transpose(Image.Transpose.FLIP_LEFT_RIGHT), jpeg(other, 60)):
        saved(tmp_path, a=face(), b=second)
        doubt = DrawingVariants(tmp_path)(pair(1))
        assert doubt.flagged.tolist() == [True]
        assert "one drawing" in doubt.reasons[0]
        turned = DrawingVariants(tmp_path)(pair(1, "b.png", "a.png"))
        assert (turned.score[0], turned.reasons) == (doubt.score[0], doubt.reasons)
        negative = DrawingVariants(tmp_path)(pair(0))
        assert np.isnan(negative.score[0])
        assert negative.reasons == ("",)


def test_a_copy_and_another_drawing_are_no_variants(tmp_path: Path) -> None:
    saved(tmp_path, a=scene(1), copy=jpeg(scene(1), 30), other=scene(2), same=scene(1))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = ["copy.png", "other.png", "same.png", "bad.png"]
    pairs = PairSet.of(["a.png"] * 4, names, 1)
    check = DrawingVariants(tmp_path)
    doubt = check(pairs)
    assert doubt.count == 0
    assert doubt.score[:3].max() < 0.3
    assert np.isnan(doubt.score[3])
    assert list(check.unread) == ["bad.png"]
    assert DuplicatePictures(tmp_path)(pairs).flagged.tolist() == [True, False, True, False]


def test_faces_of_one_picture_by_the_table_by_pixels_and_by_name(tmp_path: Path) -> None:
    whole = scene(3, 400)
    left, right = window(whole, 0, 0, 0.6, 0.6), window(whole, 0.2, 0.2, 0.8, 0.8)
    saved(
        tmp_path,
        **{
            "rei/party_0": left, "asuka/party_1": right, "kaji/party_2": scene(9),
            "rei/3131051_0": scene(4), "asuka/3131051_1": scene(5),
            "rei/0001": scene(6), "asuka/0001": scene(7),
            "rei/x": scene(10), "asuka/y": scene(11),
        },
    )  # fmt: skip
    (tmp_path / "crops.csv").write_text("path,id\nrei/x.png,7\nasuka/y.png,7\nkaji/z.png,8\n")
    paths = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    both = list(combinations(paths, 2))
    for label in (0, 1):
        pairs = PairSet.of([a for a, _ in both], [b for _, b in both], label)
        doubt = SourcePictures(tmp_path)(pairs)
        found = {
            (*pairs.keys[row],): (float(doubt.score[row]), doubt.reasons[row])
            for row in np.flatnonzero(doubt.flagged).tolist()
        }
        assert {*found} == {
            ("asuka/3131051_1.png", "rei/3131051_0.png"),
            ("asuka/party_1.png", "rei/party_0.png"),
            ("asuka/y.png", "rei/x.png"),
        }
        score, reason = found["asuka/3131051_1.png", "rei/3131051_0.png"]
        assert score == BY_NAME
        assert reason.endswith("3131051, by their names alone")
        score, reason = found["asuka/party_1.png", "rei/party_0.png"]
        assert score >= SURE
        assert "called party, and" in reason
        assert found["asuka/y.png", "rei/x.png"] == (1.0, "cut from one picture, by crops.csv")


def test_somebody_elses_table_says_nothing(tmp_path: Path) -> None:
    saved(tmp_path, **{"rei/1": scene(1), "asuka/1": scene(2)})
    (tmp_path / "crops.csv").write_text("face,who\n1,2\n")
    assert SourcePictures(tmp_path)(pair(0, "asuka/1.png", "rei/1.png")).score.tolist() == [0.0]


def test_each_picture_is_read_once_for_all_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, a_1=face(), a_2=face(mouth=1), a_3=jpeg(face(), 50))
    made: list[Image.Image] = []

    def counted(image: Image.Image) -> tuple[features.Picture, features.Bytes]:
        made.append(image)
        return picture_of(image)

    picture_of = features.picture_of
    monkeypatch.setattr(caches, "picture_of", counted)
    pairs = PairSet.of(["a_1.png", "a_1.png"], ["a_2.png", "a_3.png"], 1)
    checks = Evidence(tmp_path).checks(["duplicate", "variant", "source"])
    flags = {check.kind: check(pairs).flagged.tolist() for check in checks}
    assert flags == {"duplicate": [False, True], "variant": [True, False], "source": [False, True]}
    assert len(made) == 3
    alone = [
        type(check)(tmp_path, comparisons=Comparisons(tmp_path, threads=1)) for check in checks
    ]  # type: ignore[call-arg]
    assert {check.kind: check(pairs).flagged.tolist() for check in alone} == flags
