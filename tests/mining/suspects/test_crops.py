"""Spoilt faces are found and named; clean flat drawings are not."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mining.suspects.crops import LEAST_SIDE, BadCrops, detail_of, of_one_colour
from pairsets.pairset import PairSet

BLOW = ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS")


def drawing(seed: int, size: int = 200) -> Image.Image:
    """Flat colours with outlines, as anime has them."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGB", (2 * size, 2 * size), tuple(generator.integers(90, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(20):
        x, y = generator.uniform(0, 2 * size, 2)
        wide, high = generator.uniform(0.1, 0.6, 2) * size
        colour = tuple(generator.integers(0, 256, 3).tolist())
        draw.ellipse([x, y, x + wide, y + high], fill=colour, outline=(0, 0, 0), width=4)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def noisy_blank() -> Image.Image:
    noise = np.random.default_rng(0).normal([200, 100, 50], 4, (90, 120, 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def on_grey() -> Image.Image:
    canvas = Image.new("RGB", (200, 200), (128, 128, 128))
    canvas.paste(drawing(1, 70), (100, 20))
    return canvas


def blown(pixels: int, how: str) -> Image.Image:
    small = drawing(2).resize((pixels, pixels), Image.Resampling.BOX)
    return small.resize((224, 224), Image.Resampling[how])


BAD = {
    "blank": (Image.new("RGB", (224, 224), (250, 250, 250)), "nearly one colour"),
    "noisy": (noisy_blank(), "nearly one colour"),
    "tiny": (drawing(3, 20), r"tiny (20 x 20 pixels)"),
    "padding": (on_grey(), "mostly padding"),
    "sliver": (drawing(3).crop((80, 0, 120, 200)), "a sliver (1 to 5.0)"),
    "squeezed": (drawing(4).crop((90, 0, 98, 200)).resize((224, 224)), "blown up"),
    **{f"12 {how}": (blown(12, how), "blown up from few pixels") for how in BLOW},
    **{f"16 {how}": (blown(16, how), "blown up from few pixels") for how in BLOW},
}


@pytest.mark.parametrize("name", BAD)
def test_a_spoilt_face_is_found_and_named(name: str, tmp_path: Path) -> None:
    image, why = BAD[name]
    for folder, face in (("ayanami & rei", image), ("z", drawing(9))):
        (tmp_path / folder).mkdir()
        face.save(tmp_path / folder / "1.png")
    for a, b in (("ayanami & rei/1.png", "z/1.png"), ("z/1.png", "ayanami & rei/1.png")):
        doubt = BadCrops(tmp_path)(PairSet.of([a], [b], 0))
        assert doubt.flagged.tolist() == [True]
        assert doubt.reasons[0].startswith("ayanami & rei/1.png: ")
        assert why in doubt.reasons[0]
        assert "z/1.png" not in doubt.reasons[0]


@pytest.mark.parametrize("size", [32, 48, 64, 100, 224, 700])
def test_clean_drawings_are_not_flagged(size: int, tmp_path: Path) -> None:
    for seed in range(8):
        image = drawing(seed, size)
        image.save(tmp_path / f"{seed}.png")
        image.save(tmp_path / f"{seed}.jpg", quality=60)
    names = sorted(path.name for path in tmp_path.iterdir())
    doubt = BadCrops(tmp_path)(PairSet.of(names[::2], names[1::2], 0))
    assert doubt.reasons == ("",) * len(doubt)
    assert doubt.score.max() < 0.5


def test_both_faces_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (99, 99)).save(tmp_path / "a.png")
    drawing(1, 20).save(tmp_path / "b.png")
    (reason,) = BadCrops(tmp_path)(PairSet.of(["b.png"], ["a.png"], 0)).reasons
    assert reason == "a.png: nearly one colour, b.png: tiny (20 x 20 pixels)"


def test_what_lies_at_a_limit_is_sound(tmp_path: Path) -> None:
    drawing(1, LEAST_SIDE).save(tmp_path / "small.png")
    drawing(1, LEAST_SIDE - 1).save(tmp_path / "smaller.png")
    drawing(1, 300).crop((0, 0, 249, 100)).save(tmp_path / "long.png")
    drawing(1, 300).crop((0, 0, 251, 100)).save(tmp_path / "longer.png")
    pairs = PairSet.of(["small.png", "smaller.png"], ["long.png", "longer.png"], 0)
    sound, (reason,) = (
        BadCrops(tmp_path)(pairs.take([0])),
        BadCrops(tmp_path)(pairs.take([1])).reasons,
    )
    assert sound.reasons == ("",)
    assert reason == "longer.png: a sliver (1 to 2.5), smaller.png: tiny (31 x 31 pixels)"


class Bright:
    """Takes what is bright for a face, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = Lock()

    def __call__(self, image: Image.Image) -> float:
        with self._lock:
            self.asked += 1
        return float(np.asarray(image).mean() / 255)


def test_a_detector_is_asked_once_a_face(tmp_path: Path) -> None:
    for seed in range(3):
        drawing(seed).save(tmp_path / f"{seed}.png")
    dark = np.asarray(drawing(5), np.float64) * 0.2
    Image.fromarray(dark.astype(np.uint8)).save(tmp_path / "dark.png")
    find = Bright()
    check = BadCrops(tmp_path, detector=find)
    pairs = PairSet.of(["0.png", "1.png", "2.png"], ["1.png", "dark.png", "0.png"], 0)
    doubt = check(pairs)
    assert doubt.flagged.tolist() == [False, True, False]
    assert doubt.reasons[1].startswith("dark.png: no face found (confidence 0.")
    calls: list[tuple[int, int]] = []
    again = check(pairs, lambda *at: calls.append(at))
    assert find.asked == 4
    assert again.score.tolist() == doubt.score.tolist()
    assert BadCrops(tmp_path)(pairs).count == 0


def test_a_pair_is_judged_alone(tmp_path: Path) -> None:
    for name, (image, _) in BAD.items():
        image.save(tmp_path / f"{name}.png")
    for seed in range(6):
        drawing(seed).save(tmp_path / f"clean {seed}.png")
    names = sorted(path.name for path in tmp_path.iterdir())
    both = [(a, b) for a in names for b in names if a < b]
    doubt = BadCrops(tmp_path, threads=1)(PairSet.of(*zip(*both, strict=True), 0))
    clean = [a.startswith("clean") and b.startswith("clean") for a, b in both]
    assert doubt.flagged.tolist() == [not one for one in clean]
    back = BadCrops(tmp_path, threads=4)(
        PairSet.of(*zip(*[(b, a) for a, b in both[::-1]], strict=True), 0)
    )
    assert back.score.tolist() == doubt.score[::-1].tolist()
    assert back.reasons == doubt.reasons[::-1]


def test_what_cannot_be_read_is_not_judged(tmp_path: Path) -> None:
    Image.new("RGB", (50, 50)).save(tmp_path / "blank.png")
    (tmp_path / "bad.png").write_bytes(b"none")
    check = BadCrops(tmp_path)
    doubt = check(PairSet.of(["bad.png", "gone.png"], ["blank.png", "blank.png"], 0))
    assert list(check.unread) == ["bad.png", "gone.png"]
    assert check.unread["gone.png"] == "no such file"
    assert np.isnan(doubt.score).all()
    assert doubt.count == 0


def test_processes_say_what_threads_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, (image, _) in enumerate(BAD.values()):
        image.save(tmp_path / f"{at:02}.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    paths = [f"{at:02}.png" for at in range(len(BAD))] + ["bad.png", "00.png", "gone.png"]
    there, apart = BadCrops(tmp_path), BadCrops(tmp_path)
    scores, reasons = there.of_faces(paths)
    monkeypatch.setattr("mining.suspects.crops.FEW", 1)
    steps: list[tuple[int, int]] = []
    again, said = apart.of_faces(paths, lambda *at: steps.append(at))
    assert again.tolist() == pytest.approx(scores.tolist(), abs=0, nan_ok=True)
    assert said == reasons
    assert all(said[: len(BAD)])
    assert apart.unread == there.unread == {
        "bad.png": there.unread["bad.png"], "gone.png": "no such file"
    }  # fmt: skip
    assert steps[-1] == (len(paths), len(paths))


def test_measures() -> None:
    half = Image.new("RGB", (64, 64), (10, 10, 10))
    half.paste((200, 200, 200), (0, 0, 16, 64))
    assert of_one_colour(half) == 0.75
    assert detail_of(Image.new("RGB", (50, 50), (9, 9, 9))) == 1
    assert detail_of(blown(12, "NEAREST")) < 0.01
    assert detail_of(drawing(1)) > 0.2


def test_real_faces_are_clean(real_data: Path) -> None:
    root = real_data / "faces"
    paths = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*.jpg"))[:120]
    assert BadCrops(root)(PairSet.of(paths[::2], paths[1::2], 0)).reasons == ("",) * 60
