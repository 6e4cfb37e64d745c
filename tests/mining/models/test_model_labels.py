"""Labels of models: what is one, what is a path or a URL, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mining.errors import ModelError
from mining.models import load_model
from mining.models.model_labels import (
    alike_labelled,
    folder_of,
    refuse_label_twice,
    split_folder,
    split_label,
)
from mining.models.names import model_names, plain_names, short_name


@pytest.mark.parametrize(
    ("text", "label", "spec"),
    [
        ("ours=timm:resnet50@w.pth", "ours", "timm:resnet50@w.pth"),
        ("ours=pixels", "ours", "pixels"),
        ("Ours, v2 (ep. 3)=onnx:net.onnx", "Ours, v2 (ep. 3)", "onnx:net.onnx"),
        ("名前=pixels", "名前", "pixels"),
        ("a=timm:x@k=v/w.pth", "a", "timm:x@k=v/w.pth"),
        ("pixels", None, "pixels"),
        ("onnx:a=b.onnx", None, "onnx:a=b.onnx"),
        ("timm:x@runs/lr=0.1/w.pth", None, "timm:x@runs/lr=0.1/w.pth"),
        ("animecv:/data/k=v/m.zip", None, "animecv:/data/k=v/m.zip"),
        ("python:a:b", None, "python:a:b"),
    ],
)
def test_labels_of_models(text: str, label: str | None, spec: str) -> None:
    assert split_label(text) == (label, spec)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("=pixels", "an empty name before the ="),
        (" =pixels", "an empty name before the ="),
        ("ours=", "no model or folder behind the ="),
        (" ours=pixels", "is no name for a table"),
        ("a\nb=pixels", "is no name for a table"),
        ("a" * 101 + "=pixels", "is no name for a table"),
    ],
)
def test_labels_that_are_none(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        split_label(text)
    with pytest.raises(ModelError, match=says):
        split_folder(Path(text))


@pytest.mark.parametrize(
    ("text", "label", "folder"),
    [
        ("ours=vectors", "ours", "vectors"),
        ("ours=/data/k=v/vectors", "ours", "/data/k=v/vectors"),
        ("ours=../vectors", "ours", "../vectors"),
        ("vectors", None, "vectors"),
        ("/data/k=v/vectors", None, "/data/k=v/vectors"),
        ("./k=v", None, "k=v"),
        ("s3://bucket/k=v/vectors", None, "s3:/bucket/k=v/vectors"),
    ],
)
def test_labels_of_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, label: str | None, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text == "./k=v":
        Path("k=v").mkdir()  # pathlib takes the ./ off
    assert split_folder(Path(text)) == (label, Path(folder))
    assert folder_of(Path(text)) == Path(folder)


def test_a_folder_with_a_sign_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lr=0.1").mkdir()
    assert split_folder(Path("lr=0.1")) == (None, Path("lr=0.1"))
    assert split_folder(Path("low=lr=0.1")) == ("low", Path("lr=0.1"))
    Path("0.1").mkdir()
    with pytest.raises(ModelError, match=r"a folder of this name is there, and so is 0\.1"):
        split_folder(Path("lr=0.1"))
    # What the message says to give instead.
    assert split_folder(tmp_path / "lr=0.1") == (None, tmp_path / "lr=0.1")
    assert split_folder(Path(f"lr={tmp_path / '0.1'}")) == ("lr", tmp_path / "0.1")


def test_one_model_has_one_label_wherever_it_is_named() -> None:
    assert alike_labelled(["pixels"], ["ours=pixels", "timm:x"]) == [
        ["ours=pixels"], ["ours=pixels", "timm:x"]
    ]  # fmt: skip
    assert alike_labelled(["a=timm:x", "a=timm:x"], []) == [["a=timm:x", "a=timm:x"], []]
    with pytest.raises(ModelError, match="pixels: called both a and b"):
        alike_labelled(["a=pixels"], ["b=pixels"])
    with pytest.raises(ModelError, match=r"a: the name of timm:x and of timm:y"):
        alike_labelled(["a=timm:x"], ["a=timm:y"])
    refuse_label_twice(["timm:x", "timm:x"])


def test_names_in_tables_are_labels() -> None:
    assert short_name("ours=timm:resnet50@w.pth") == "ours"
    texts = ["a=timm:x@1.pth", "timm:x@2.pth", "b=timm:x@3.pth"]
    assert model_names(texts) == ["a", "timm:x", "b"]
    assert model_names(["timm:x@1.pth", "timm:x@2.pth"]) == ["timm:x@1.pth", "timm:x@2.pth"]
    for taken in (["a=timm:x", "a=timm:y"], ["pixels=timm:x", "pixels"]):
        with pytest.raises(ModelError, match="another model is called"):
            model_names(taken)


def test_names_of_files_are_labels() -> None:
    pixels = load_model("pixels")
    assert plain_names([pixels], ["Ours, v2=pixels"]) == ["Ours-v2"]
    # A name without a letter that every file may have is no name of a file.
    assert plain_names([pixels], ["名前=pixels"]) == [f"pixels-{pixels.fingerprint[:8]}"]


def test_a_model_that_is_loaded_has_no_label() -> None:
    with pytest.raises(ModelError, match=r"ours would be its name in tables.*load 'pixels'"):
        load_model("ours=pixels")
