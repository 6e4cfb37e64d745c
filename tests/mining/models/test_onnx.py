"""ONNX files: inputs, outputs, options and the files beside them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from support.small_models import onnx_graph, photo

from mining import embed
from mining.models import Model, ModelError, load_model
from mining.models.onnx import vector_output
from mining.models.onnx_files import external_locations, files_digest, node_types
from mining.models.onnx_sessions import image_input, providers
from pairsets import Faces

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
        ('{"mean": ["a", "b", "c"]}', "not three finite numbers"),
        ('{"mean": []}', r"model\.onnx: preprocessing: mean is \(\), not three finite"),
        ('{"mean": [true, 0, 0]}', "not three finite numbers"),
        ('{"std": [Infinity, 1, 1]}', "not JSON"),
        ('{"std": [1e-300, 1, 1]}', "not above 0"),
        (f'{{"mean": [1{"0" * 400}, 0, 0]}}', "not three finite numbers"),
        ('{"size": []}', "not of the kind expected"),
        ('{"size": [true, 8]}', "not pixels"),
        ('{"size": 8, "resize": []}', "not pixels"),
        ('{"size": 8, "resize": -8}', "not pixels"),
        ('{"size": null}', "not of the kind expected"),
        ("[" * 3000, r"model\.onnx\.json: nested too deeply"),
        ('{"size": 8, "size": 9}', "'size' is there twice"),
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


def test_a_graph_without_an_output(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx: has no output; expected one"):
        vector_output([], None, tmp_path / "model.onnx")


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_a_number_of_images_that_makes_no_sense(count: int, tmp_path: Path) -> None:
    taken = SimpleNamespace(name="image", shape=[count, 3, 8, 8], type="tensor(float)")
    with pytest.raises(ModelError, match="expected 1 to 4096 images a call"):
        image_input([taken], tmp_path / "model.onnx", "images")


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


SILENT = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def pooled(
    folder: Path, *, shape: tuple[int | str, ...], sides: str = "", element: int = 1
) -> Path:
    """`vectors = mean of each colour @ weight`, of images in NCHW or NHWC, whichever `shape` is."""
    helper, kind = onnx.helper, onnx.helper.tensor_dtype_to_np_dtype
    inner = 1 if element == onnx.TensorProto.UINT8 else element
    values = np.random.default_rng(0).normal(size=(3, 7)).astype(kind(inner))
    constants = [onnx.numpy_helper.from_array(values, "weight")]
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=inner),
        helper.make_node(
            "ReduceMean",
            ["numbers"],
            ["mean"],
            axes=[1, 2] if shape[3] == 3 else [2, 3],
            keepdims=0,
        ),
        helper.make_node("MatMul", ["mean", "weight"], ["flat"]),
        helper.make_node("Identity", ["flat"], ["vectors"]),
    ]
    if sides:
        target = {
            "[N, D, 1, 1]": [0, 7, 1, 1],
            "[N, 1, 1, D]": [0, 1, 1, 7],
            "[N, D, 1]": [0, 7, 1],
        }
        constants.append(onnx.numpy_helper.from_array(np.array(target[sides], np.int64), "target"))
        nodes[-1] = helper.make_node("Reshape", ["flat", "target"], ["vectors"])
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", element, shape)],
        [helper.make_tensor_value_info("vectors", inner, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def vectors_of(path: Path, options: dict[str, Any] = SILENT) -> tuple[np.ndarray, Model]:
    Path(f"{path}.json").write_text(json.dumps(options))
    model = load_model(f"onnx:{path}", device="cpu")
    return model.encode(batch_of(model)), model


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Model]:
    """Of the network as PyTorch exports it."""
    return vectors_of(pooled(tmp_path_factory.mktemp("plain"), shape=("n", 3, 8, 8)))


@pytest.mark.parametrize(
    "shape",
    [("n", 8, 8, 3), ("n", "h", "w", 3), ("n", 8, 8, "c")],
    ids=["fixed", "free sides", "free colours"],
)
def test_colours_may_stand_last(
    shape: tuple[int | str, ...], plain: tuple[np.ndarray, Model], tmp_path: Path
) -> None:
    path = pooled(tmp_path, shape=(*shape[:3], 3))
    graph = onnx.load(path)
    for dim, side in zip(graph.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        if isinstance(side, str):
            dim.dim_param = side
    path.write_bytes(graph.SerializeToString())
    found, model = vectors_of(path, {**SILENT, "size": 8})
    # Eight rows of eight pixels are summed, in another order.
    assert np.abs(found - plain[0]).max() < 64 * np.finfo(np.float32).eps * np.abs(found).max()
    assert model.fingerprint != plain[1].fingerprint


def test_a_shape_that_leaves_the_colours_open(tmp_path: Path) -> None:
    for shape in (("n", "a", "b", "c"), ("n", 3, 8, 3)):
        path = pooled(tmp_path, shape=shape)
        with pytest.raises(
            ModelError, match=r'"layout": "NCHW" .*or "NHWC".* in model\.onnx\.json'
        ):
            vectors_of(path, SILENT)
    path = pooled(tmp_path, shape=("n", "a", "b", "c"))
    assert vectors_of(path, {**SILENT, "layout": "NCHW", "size": 8})[0].shape == (5, 7)
    with pytest.raises(ModelError, match="layout 'CHWN' is neither NCHW nor NHWC"):
        vectors_of(path, {**SILENT, "layout": "CHWN"})
    path = pooled(tmp_path, shape=("n", 3, 8, 8))
    with pytest.raises(ModelError, match="expected float32, float16 or uint8"):
        vectors_of(path, {**SILENT, "layout": "NHWC"})


def test_half_precision_in_and_out(plain: tuple[np.ndarray, Model], tmp_path: Path) -> None:
    found, model = vectors_of(pooled(tmp_path, shape=("n", 3, 8, 8), element=10))
    assert found.dtype == np.float32
    # Inputs, weights, means and products are rounded to half, each number once or twice.
    assert np.abs(found - plain[0]).max() < 8 * np.finfo(np.float16).eps * np.abs(plain[0]).max()
    assert model.fingerprint != plain[1].fingerprint


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_bytes_are_given_as_they_are(last: bool, tmp_path: Path) -> None:
    shape = ("n", 8, 8, 3) if last else ("n", 3, 8, 8)
    path = pooled(tmp_path, shape=shape, element=2)
    found, model = vectors_of(path, {})
    weight = np.random.default_rng(0).normal(size=(3, 7))
    expected = batch_of(model).astype(np.float64).mean(axis=(1, 2)) @ weight
    assert np.abs(found - expected).max() < 64 * np.finfo(np.float32).eps * 255 * 3
    assert ["mean" in note for note in model.notes] == [False]  # but that it takes RGB is said
    with pytest.raises(ModelError, match=r"takes bytes .*leave mean and std out"):
        vectors_of(path, {"std": [1, 1, 1]})


@pytest.mark.parametrize("sides", ["[N, D, 1, 1]", "[N, 1, 1, D]", "[N, D, 1]"])
def test_sides_of_one_are_left_off(
    sides: str, plain: tuple[np.ndarray, Model], tmp_path: Path
) -> None:
    found, _ = vectors_of(pooled(tmp_path, shape=("n", 3, 8, 8), sides=sides))
    assert np.array_equal(found, plain[0])


def test_colours_in_the_other_order(plain: tuple[np.ndarray, Model], tmp_path: Path) -> None:
    """Mean and std stay those of R, G and B."""
    path = pooled(tmp_path, shape=("n", 3, 8, 8))
    plan = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    found, model = vectors_of(path, {**plan, "channels": "BGR"})
    images = (batch_of(model).astype(np.float64) / 255 - plan["mean"]) / plan["std"]
    weight = np.random.default_rng(0).normal(size=(3, 7))
    expected = images.mean(axis=(1, 2))[:, ::-1] @ weight
    assert np.abs(found - expected).max() < 256 * np.finfo(np.float32).eps * 10
    assert vectors_of(path, plan)[1].fingerprint != model.fingerprint
    with pytest.raises(ModelError, match="channels 'GBR' is neither RGB nor BGR"):
        vectors_of(path, {"channels": "GBR"})


@pytest.mark.parametrize(
    ("shape", "options", "says"),
    [
        (("n", 3, 8, 8), {}, ["mean [0.485", "std [0.229", "order RGB"]),
        (("n", 3, 8, 8), {"mean": [0, 0, 0], "channels": "BGR"}, ["std [0.229"]),
        (("n", 3, "h", "w"), SILENT, ["pictures of 224 x 224 pixels", "order RGB"]),
        (("n", 3, "h", "w"), {**SILENT, "size": 8}, []),
        (("n", 3, 8, 8), SILENT, []),
    ],
    ids=["nothing said", "std not said", "size not said", "size said", "all said"],
)
def test_what_was_taken_for_granted_is_said(
    shape: tuple[int | str, ...], options: dict[str, Any], says: list[str], tmp_path: Path
) -> None:
    _, model = vectors_of(pooled(tmp_path, shape=shape), options)
    assert len(model.notes) == bool(says)
    for text in says:
        assert text in model.notes[0]
    assert all("model.onnx.json" in note for note in model.notes)
    if "mean" in options:
        assert all("mean [0" not in note.partition(". Where")[0] for note in model.notes)


def test_what_was_always_read_keeps_its_fingerprint(plain: tuple[np.ndarray, Model]) -> None:
    """Facts are added for what is not the rule alone: older vectors still fit."""
    assert plain[1].provenance.keys() == {
        *("family", "weights", "output", "preprocessing", "precision", "versions")
    }


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = onnx_graph(tmp_path_factory.mktemp("quantised"), 0)
    quantize_dynamic(path, path.with_name("quantised.onnx"), weight_type=QuantType.QInt8)
    Path(f"{path.with_name('quantised.onnx')}.json").write_text(json.dumps(SILENT))
    return path.with_name("quantised.onnx")


def test_a_dynamically_quantised_network_sees_one_image_at_a_time(quantised: Path) -> None:
    assert "DynamicQuantizeLinear" in node_types(quantised.read_bytes())
    model = load_model(f"onnx:{quantised}", device="cpu")
    assert "quantised dynamically" in model.notes[0]
    assert model.provenance["calls"] == "one image each"
    batch = batch_of(model)
    alone = np.concatenate([model.encode(batch[row : row + 1]) for row in range(5)])
    assert np.array_equal(model.encode(batch), alone)
    # Which is not so of the network itself.
    inputs = model._inputs(batch)  # type: ignore[attr-defined]
    together = model._run(inputs)  # type: ignore[attr-defined]
    assert np.abs(together - alone).max() > 1e-3 * np.abs(alone).max()


def test_it_is_embedded_alike_in_one_go_and_in_two(
    quantised: Path, faces_folder: Path, tmp_path: Path
) -> None:
    faces, model = Faces.scan(faces_folder), load_model(f"onnx:{quantised}", device="cpu")
    some = Faces.of_paths(faces.root, faces.paths[::2].tolist())
    embed(faces, model, tmp_path / "one go", batch_size=4)
    embed(some, model, tmp_path / "two", batch_size=4)
    embed(faces, model, tmp_path / "two", batch_size=4)
    embed(faces, model, tmp_path / "each", batch_size=1)
    found = {(tmp_path / n / "vectors.npy").read_bytes() for n in ("one go", "two", "each")}
    assert len(found) == 1


def test_not_known_to_be_quantised_it_is_found_out(
    quantised: Path, faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mining.models.onnx.DYNAMIC_NODES", set())
    model = load_model(f"onnx:{quantised}", device="cpu")
    with pytest.raises(ModelError, match=r"depends on the others in its batch.*--batch-size 1"):
        embed(Faces.scan(faces_folder), model, tmp_path / "e", batch_size=4)


def test_nodes_are_found_wherever_they_can_be() -> None:
    helper = onnx.helper
    inner = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "inner", [], [])
    outer = helper.make_node("If", ["c"], ["y"], then_branch=inner)
    model = helper.make_model(helper.make_graph([outer], "outer", [], []))
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])
    model.functions.append(
        helper.make_function("d", "f", ["x"], ["y"], [node], [helper.make_opsetid("", 17)])
    )
    assert node_types(model.SerializeToString()) == {"If", "Relu", "DynamicQuantizeLinear"}
