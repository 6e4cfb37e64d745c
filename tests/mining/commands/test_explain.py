"""From two image files to one picture: what is said, and what is refused before the work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mining.commands.explain import explain_pair, name_of
from mining.embeddings.options import EmbeddingOptions
from mining.errors import MiningError, NoPartsError
from mining.models import load_model
from mining.models.torchvision_ops import import_timm
from mining.saliency import explain
from pairsets.errors import PairsetsError
from pairsets.figures.style import drawable
from pairsets.images import decode, read

CPU = EmbeddingOptions(device="cpu", batch_size=8)
FACES = Path("d & e/0.png"), Path("橘_雪/1.png")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    torch.manual_seed(0)
    save_file(import_timm().create_model("test_resnet").state_dict(), path)
    return f"timm:test_resnet@{path}"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_parts_are_drawn_and_said(
    faces_folder: Path, tmp_path: Path, network: str, suffix: str
) -> None:
    out = tmp_path / "new" / f"pair.{suffix}"
    made = explain_pair(*FACES, network, out, faces=faces_folder, encoding=CPU)
    assert made.files == [out]
    faces = [decode(read(faces_folder / face)) for face in FACES]
    score = explain(*faces, load_model(network, device="cpu")).score
    assert made.hints == [
        f"Score {score:.3f} (cosine); parts: each map is 5 x 5 terms, which sum to it."
    ]
    if suffix == "png":
        with Image.open(out) as image:
            assert min(image.size) > 800
    else:
        text = out.read_text("utf-8")
        assert "d &amp; e/0.png" in text
        assert drawable("橘_雪/1.png") in text  # whose letters this machine may have no font for
        assert f"Score {score:.3f}" in text
    assert entries(out.parent) == [out]


def test_auto_says_why_it_took_masks(faces_folder: Path, tmp_path: Path) -> None:
    options = {"faces": faces_folder, "encoding": CPU, "masks": 20}
    made = explain_pair(*FACES, "pixels", tmp_path / "auto.png", **options)
    assert "masks: correlations with it over 20 masks a face" in made.hints[0]
    # Whoever asks for no method is told of none that failed.
    assert made.hints[1] == (
        "--method auto took masks. pixels: no PyTorch network, and parts can be read off inside "
        "such alone."
    )
    asked = explain_pair(*FACES, "pixels", tmp_path / "asked.png", method="masks", **options)
    assert asked.hints == made.hints[:1]
    with pytest.raises(NoPartsError, match=r"such alone; --method masks explains any model$"):
        explain_pair(*FACES, "pixels", tmp_path / "no.png", method="parts", **options)


def test_the_same_seed_gives_the_same_bytes(faces_folder: Path, tmp_path: Path) -> None:
    def drawn(name: str, seed: int) -> bytes:
        out = tmp_path / f"{name}.png"
        explain_pair(*FACES, "pixels", out, faces=faces_folder, masks=30, seed=seed, encoding=CPU)
        return out.read_bytes()

    assert drawn("a", 0) == drawn("b", 0) != drawn("c", 1)


def test_files_need_no_folder_of_faces(
    faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path with the folder in front, as a shell completes it, is taken for what it says."""
    monkeypatch.chdir(tmp_path)
    options = {"encoding": CPU, "masks": 4}
    inside = explain_pair(*FACES, "pixels", Path("a.png"), faces=Path("faces"), **options)
    whole = [Path("faces") / face for face in FACES]
    alone = explain_pair(*whole, "pixels", Path("b.png"), **options)
    both = explain_pair(*whole, "pixels", Path("c.png"), faces=Path("faces"), **options)
    assert inside.hints == alone.hints == both.hints
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes() == Path("c.png").read_bytes()


def test_names_are_identities_and_files() -> None:
    assert name_of(Path("/a/b/c d/1.png")) == "c d/1.png"
    assert name_of(Path("1.png")) == "1.png"
    assert name_of(Path("/1.png")) == "1.png"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"method": "gradcam"}, "'gradcam' is none of auto, parts, masks"),
        ({"masks": 0}, "0 masks; expected 2 or more"),
        ({"out": "pair.jpg"}, r"pair\.jpg: a figure is written as \.png or \.svg"),
        ({"out": "faces/pair.png"}, "inside the faces folder"),
        ({"out": "old.png"}, r"old\.png: exists; .*--overwrite"),
        ({"out": "file/pair.png"}, "is a file, not a folder"),
        ({"face_a": "nobody/0.png"}, "'nobody/0.png' is not there"),
        ({"face_a": "../old.png"}, "leaves its folder"),
        ({"face_b": "bad.png", "faces": None}, r"bad\.png: is none of JPEG"),
        ({"face_b": "a/0.png", "faces": None}, r"a/0\.png: no such file"),
        ({"face_b": "faces", "faces": None}, "is a folder, not an image"),
        ({"out": "old.png", "face_b": "old.png", "overwrite": True, "faces": None}, "is read by"),
        (
            {"method": "parts"},
            "pixels: no PyTorch network, and parts can be read off inside such alone; --method",
        ),
        ({"model_spec": "pixel"}, "did you mean 'pixels'"),
        (
            {"encoding": EmbeddingOptions(device="cpu", max_pixels=100)},
            "more than the limit of 100 pixels",
        ),
    ],
)
def test_refusals_come_before_the_work(
    faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(faces_folder / "a" / "0.png", "old.png")
    Path("bad.png").write_text("not a picture")
    Path("file").touch()
    given = {
        "face_a": "a/0.png",
        "face_b": "b/0.png",
        "model_spec": "pixels",
        "out": "pair.png",
        "faces": "faces",
        "encoding": CPU,
    }
    if change.get("faces", "") is None:
        given["face_a"] = "faces/a/0.png"
    given |= change
    for key in ("face_a", "face_b", "out", "faces"):
        given[key] = given[key] if given[key] is None else Path(given[key])
    before = entries(tmp_path)
    kept = Path("old.png").read_bytes()
    with pytest.raises((PairsetsError, MiningError), match=told):
        explain_pair(**given)  # type: ignore[arg-type]
    assert entries(tmp_path) == before
    assert Path("old.png").read_bytes() == kept


def test_interrupted_it_leaves_nothing(faces_folder: Path, tmp_path: Path) -> None:
    @contextmanager
    def interrupted(name: str) -> Iterator:
        def step(done: int, total: int) -> None:
            if done:
                raise KeyboardInterrupt

        yield step

    out = tmp_path / "pictures" / "pair.png"
    with pytest.raises(KeyboardInterrupt):
        explain_pair(*FACES, "pixels", out, faces=faces_folder, encoding=CPU, progress=interrupted)
    assert not out.parent.exists()


def test_overwrite_replaces(faces_folder: Path, tmp_path: Path, network: str) -> None:
    out = tmp_path / "pair.png"
    out.write_text("old")
    explain_pair(*FACES, network, out, faces=faces_folder, overwrite=True, encoding=CPU)
    with Image.open(out) as image:
        assert np.asarray(image).std() > 10
