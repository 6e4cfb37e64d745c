"""ONNX files: inputs, outputs, options and the files beside them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from small_models import onnx_graph, photo

from mining.models import Model, ModelError, load_model
from mining.models.onnx_files import external_locations, files_digest
from mining.models.onnx_sessions import providers

IMAGES = [photo(seed) for seed in range(5)]


def batch_of(model: Model, count: int = 5) -> np.ndarray:
    return np.stack([model.preprocess(image) for image in IMAGES[:count]])


def weight(seed: int = 0, pixels: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3 * pixels, 7)).astype(np.float32)


def facts(model: Model) -> Any:
    return model.provenance["preprocessing"]


def test_it_is_the_graph_on_normalised_pixels(tmp_path: Path) -> None:
    model = load_model(f"onnx:{onnx_graph(tmp_path, 0)}", device="cpu")
    pixels = np.stack([np.asarray(image.resize((8, 8), 2)) for image in IMAGES]) / 255.0
    normal = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = normal.transpose(0, 3, 1, 2).reshape(5, -1) @ weight()
    assert np.abs(model.encode(batch_of(model)) - expected).max() < 1e-4


def test_an_open_size_is_224_unless_said(tmp_path: Path) -> None:
    path = onnx_graph(tmp_path, 0, shape=("n", 3, "h", "w"))
    assert load_model(f"onnx:{path}", device="cpu").preprocess(IMAGES[0]).shape == (224, 224, 3)
    Path(f"{path}.json").write_text('{"size": 8, "resize": 10, "interpolation": "bicubic"}')
    model = load_model(f"onnx:{path}", device="cpu")
    assert (facts(model)["resize"], facts(model)["interpolation"]) == (10, "bicubic")
    assert model.encode(batch_of(model)).shape == (5, 7)


@pytest.mark.parametrize("fixed", [1, 3])
def test_a_fixed_number_of_images(fixed: int, tmp_path: Path) -> None:
    (tmp_path / "free").mkdir()
    free = load_model(f"onnx:{onnx_graph(tmp_path / 'free', 0)}", device="cpu")
    path = onnx_graph(tmp_path, 0, shape=(fixed, 3, 8, 8))
    model = load_model(f"onnx:{path}", device="cpu")
    found = model.encode(batch_of(model))
    assert np.abs(found - free.encode(batch_of(free))).max() < 1e-5 * np.abs(found).max()


def test_options_from_metadata_and_sidecar(tmp_path: Path) -> None:
    inside = json.dumps({"mean": [0.5, 0.5, 0.5], "similarity": "inner_product"})
    path = onnx_graph(tmp_path, 0, metadata=inside)
    model = load_model(f"onnx:{path}", device="cpu")
    assert model.similarity == "inner_product"
    assert facts(model)["mean"] == (0.5, 0.5, 0.5)
    Path(f"{path}.json").write_text('{"mean": [0, 0, 0]}')
    overridden = load_model(f"onnx:{path}", device="cpu")
    assert overridden.similarity == "inner_product"
    assert facts(overridden)["mean"] == (0, 0, 0)
    assert overridden.fingerprint != model.fingerprint


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("{", r"model\.onnx\.json: not JSON"),
        ("[]", r"model\.onnx\.json: expected an object"),
        ('{"men": 3}', "no more than mean, std, size"),
        ('{"size": 9}', "takes 8 x 8 pixels; the options say 9"),
        ('{"size": [8, 9]}', "takes 8 x 8 pixels"),
        ('{"size": "large"}', "not of the kind expected"),
        ('{"mean": 0.5}', "not of the kind expected"),
        ('{"mean": ["a", "b", "c"]}', "not of the kind expected"),
        ('{"std": [1, 1, 0]}', "not above 0"),
        ('{"interpolation": "cubic"}', "'cubic' is none of"),
        ('{"similarity": "l2"}', "similarity 'l2' is neither cosine nor inner_product"),
        ('{"output": "logits"}', "has the outputs vectors; the options say 'logits'"),
    ],
)
def test_options_that_are_none(options: str, says: str, tmp_path: Path) -> None:
    path = onnx_graph(tmp_path, 0)
    Path(f"{path}.json").write_text(options)
    with pytest.raises(ModelError, match=says):
        load_model(f"onnx:{path}", device="cpu")


def test_several_outputs_need_a_name(tmp_path: Path) -> None:
    path = onnx_graph(tmp_path, 0, outputs=2)
    with pytest.raises(
        ModelError, match=r'has the outputs vectors, extra1; name one with "output"'
    ):
        load_model(f"onnx:{path}", device="cpu")
    Path(f"{path}.json").write_text('{"output": "extra1"}')
    extra = load_model(f"onnx:{path}", device="cpu")
    Path(f"{path}.json").write_text('{"output": "vectors"}')
    model = load_model(f"onnx:{path}", device="cpu")
    assert np.array_equal(extra.encode(batch_of(extra)), -model.encode(batch_of(model)))
    assert extra.fingerprint != model.fingerprint


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ({"inputs": 2}, r"has 2 inputs \(image, idle1\)"),
        ({"shape": ("n", 1, 8, 8)}, "expected float32"),
        ({"shape": ("n", 3, 64)}, "expected float32"),
        ({"element": 11}, r"is double .*expected float32"),
    ],
)
def test_inputs_of_another_kind(graph: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = onnx_graph(tmp_path, 0, **graph)
    with pytest.raises(ModelError, match=says):
        load_model(f"onnx:{path}", device="cpu")


def test_an_output_that_is_not_one_vector_an_image(tmp_path: Path) -> None:
    path = onnx_graph(tmp_path, 0)
    model = onnx.load(path)
    model.graph.node[1].op_type = "Identity"
    model.graph.node[1].input[:] = ["image"]
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path.write_bytes(model.SerializeToString())
    loaded = load_model(f"onnx:{path}", device="cpu")
    with pytest.raises(ModelError, match=r"'vectors' is \(5, 3, 8, 8\) for 5 images"):
        loaded.encode(batch_of(loaded))


def test_a_network_that_fails(tmp_path: Path) -> None:
    path = onnx_graph(tmp_path, 0, shape=("n", 3, "h", "w"))
    model = load_model(f"onnx:{path}", device="cpu")  # its matrix is for 8 x 8, not 224 x 224
    with pytest.raises(ModelError, match=r"ONNX Runtime fails on \(1, 3, 224, 224\)"):
        model.encode(batch_of(model, 1))


def test_external_data_counts(tmp_path: Path) -> None:
    inline = load_model(f"onnx:{onnx_graph(tmp_path, 0)}", device="cpu")
    expected = inline.encode(batch_of(inline))
    path = onnx_graph(tmp_path, 0, external="weights.bin")
    model = load_model(f"onnx:{path}", device="cpu")
    assert np.array_equal(model.encode(batch_of(model)), expected)
    (tmp_path / "weights.bin").write_bytes((weight() + 1).tobytes())
    changed = load_model(f"onnx:{path}", device="cpu")
    assert changed.fingerprint != model.fingerprint
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"external data 'weights\.bin' is missing"):
        load_model(f"onnx:{path}")


def test_external_data_may_not_leave_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(weight().tobytes())
    for location in ("../secret.bin", str(tmp_path / "secret.bin")):
        path = onnx_graph(inside, 0, external=location)
        with pytest.raises(ModelError, match=r"refused: external data outside its folder.*secret"):
            load_model(f"onnx:{path}")
    path = onnx_graph(inside, 0, external="link.bin")
    (inside / "link.bin").unlink()
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ModelError, match="refused: external data outside its folder"):
        files_digest(path)


def test_external_data_is_found_wherever_a_tensor_can_be() -> None:
    def outside(name: str) -> onnx.TensorProto:
        tensor = onnx.TensorProto(name=name, data_location=onnx.TensorProto.EXTERNAL)
        tensor.external_data.add(key="offset", value="128")
        tensor.external_data.add(key="location", value=f"{name}.bin")
        return tensor

    helper = onnx.helper
    inner = helper.make_graph([], "inner", [], [], [outside("inner")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner)
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(outside("value"))
    node.attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(
        outside("many")
    )
    graph = helper.make_graph([node], "outer", [], [], [outside("outer")])
    sparse = graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside("values"))
    sparse.indices.CopyFrom(outside("indices"))
    model = helper.make_model(graph)
    constant = helper.make_node("Constant", [], ["z"], value=outside("function"))
    model.functions.append(
        helper.make_function("d", "f", [], ["z"], [constant], [helper.make_opsetid("", 17)])
    )
    names = ("inner", "value", "many", "outer", "values", "indices", "function")
    found = external_locations(model.SerializeToString(), "m")
    assert found == {f"{name}.bin" for name in names}


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, data in {
        "text.onnx": b"<html>not found</html>",
        "cut.onnx": onnx_graph(tmp_path, 0).read_bytes()[:900],
        "empty.onnx": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=rf"{name}: (not an ONNX file|ONNX Runtime cannot)"):
            load_model(f"onnx:{tmp_path / name}", device="cpu")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        load_model(f"onnx:{tmp_path / 'absent.onnx'}")


def test_without_onnx_runtime_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"pip install 'lookalikes\[onnx\]'"):
        load_model("onnx:model.onnx")


def test_devices() -> None:
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    assert providers("auto", [cpu]) == providers("cpu", [cuda, cpu]) == [cpu]
    for device, index in {"auto": "0", "cuda": "0", "cuda:1": "1"}.items():
        options = {"device_id": index, "use_tf32": "0"}
        assert providers(device, [cuda, cpu]) == [(cuda, options), cpu]
    for device, available in {"cuda": [cpu], "mps": [cuda, cpu]}.items():
        with pytest.raises(ModelError, match=f"{device}' is not to be had"):
            providers(device, available)
