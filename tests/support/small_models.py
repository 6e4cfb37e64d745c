"""Small models of every family, their weights drawn from a seed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from mining.models.animesion import Shape, build
from mining.models.checkpoint_files import State
from mining.models.torchvision_ops import import_timm, import_torchvision

Builder = Callable[[Path, int], str]

CODE = '''
import numpy as np

SEED = {seed}


class Means:
    """Mean colours, in a random basis."""

    similarity = "inner_product"
    fingerprint = "means"

    def preprocess(self, image):
        return np.asarray(image.resize((4, 4)))

    def encode(self, batch):
        basis = np.random.default_rng(SEED).normal(size=(48, 5))
        return batch.reshape(len(batch), -1) @ basis


def vectors(images):
    """float64 on purpose: the wrapper owes float32."""
    return np.stack([Means().encode(Means().preprocess(image)[None])[0] for image in images])


def make_callable():
    return vectors
'''


def random_state(module: torch.nn.Module, seed: int) -> State:
    """Random tensors for every place of a network, such that its images stay apart."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in module.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            state[name] = (1 + 0.1 * noise).abs()
        elif tensor.ndim > 1:
            state[name] = noise * (2 / tensor[0].numel()) ** 0.5
        else:
            state[name] = (0.02 * noise).to(tensor.dtype)
    return state


def photo(seed: int, size: tuple[int, int] = (60, 44)) -> Image.Image:
    """Picture of large random blobs: they survive a resize to a few pixels."""
    blobs = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)


def torchvision_file(folder: Path, seed: int) -> str:
    module = import_torchvision().models.squeezenet1_1()
    torch.save({"state_dict": random_state(module, seed)}, folder / "weights.pth")
    return f"torchvision:squeezenet1_1@{folder / 'weights.pth'}"


def timm_file(folder: Path, seed: int) -> str:
    module = import_timm().create_model("test_vit")
    save_file(random_state(module, seed), folder / "weights.safetensors")
    return f"timm:test_vit.r160_in1k@{folder / 'weights.safetensors'}"


def timm_folder(folder: Path, seed: int, **changes: object) -> str:
    module = import_timm().create_model("test_resnet")
    save_file(random_state(module, seed), folder / "model.safetensors")
    config = {"input_size": [3, 64, 64], "crop_pct": 0.8, "interpolation": "bicubic", **changes}
    saved = {"architecture": "test_resnet", "pretrained_cfg": config}
    (folder / "config.json").write_text(json.dumps(saved))
    return f"timm:test_resnet@{folder}"


def animecv_folder(folder: Path, seed: int, trunk: str = "timm:test_resnet") -> str:
    family, _, name = trunk.partition(":")
    if family == "timm":
        module = import_timm().create_model(name, num_classes=0)
        features = module.head_hidden_size
    else:
        module = import_torchvision().models.get_model(trunk.lower().replace("-", ""))
        features, module.fc = module.fc.in_features, torch.nn.Identity()
    embedder = torch.nn.Sequential(torch.nn.Linear(features, 12), torch.nn.Dropout(0.4))
    torch.save(random_state(module, seed), folder / "trunk.pth")
    torch.save(random_state(embedder, seed), folder / "embedder.pth")
    conf = [{"trunk_model": trunk, "dim": 12}, {"p_dropout": 0.4}]
    (folder / "conf.json").write_text(json.dumps(conf))
    return f"animecv:{folder}"


def animecv_zip(folder: Path, seed: int) -> str:
    animecv_folder(folder, seed)
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        for name in ("trunk.pth", "embedder.pth", "conf.json"):
            archive.write(folder / name, f"0206_resnet/{name}")
    return f"animecv:{folder / 'model.zip'}"


def animesion_state(seed: int) -> State:
    """State dict of a transformer of 2 blocks, in pytorch-pretrained-vit's names."""
    state = random_state(build(Shape(32, 8, 64, 96, 2, 1)), seed)
    renamed = {
        "class_token": state["cls_token"],
        "positional_embedding.pos_embedding": state["pos_embed"],
        "patch_embedding.weight": state["patch_embed.proj.weight"],
        "patch_embedding.bias": state["patch_embed.proj.bias"],
        "norm.weight": state["norm.weight"],
        "norm.bias": state["norm.bias"],
    }
    for n in range(2):
        for kind in ("weight", "bias"):
            old, new = f"blocks.{n}", f"transformer.blocks.{n}"
            parts = state[f"{old}.attn.qkv.{kind}"].chunk(3)
            for letter, part in zip("qkv", parts, strict=True):
                renamed[f"{new}.attn.proj_{letter}.{kind}"] = part.clone()
            renamed[f"{new}.proj.{kind}"] = state[f"{old}.attn.proj.{kind}"]
            for norm in ("norm1", "norm2"):
                renamed[f"{new}.{norm}.{kind}"] = state[f"{old}.{norm}.{kind}"]
            for layer in ("fc1", "fc2"):
                renamed[f"{new}.pwff.{layer}.{kind}"] = state[f"{old}.mlp.{layer}.{kind}"]
    return renamed


def animesion_file(folder: Path, seed: int) -> str:
    torch.save(animesion_state(seed), folder / "vit.pth")
    return f"animesion:{folder / 'vit.pth'}"


CLIP_CONFIG = {
    "model_cfg": {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16,
                       "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4],
                       "interpolation": "bicubic", "resize_mode": "shortest"},
}  # fmt: skip


def clip_folder(folder: Path, seed: int, **changes: object) -> str:
    """open_clip's saved form of a small model, its text tower included."""
    import_torchvision()
    from open_clip import CLIP

    config = {**CLIP_CONFIG, "preprocess_cfg": {**CLIP_CONFIG["preprocess_cfg"], **changes}}
    state = random_state(CLIP(**CLIP_CONFIG["model_cfg"]), seed)
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return f"clip:{folder}"


# Sizes of a transformer of two layers, in the words of most of transformers' configurations.
HF_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 48, "image_size": 32, "patch_size": 8}  # fmt: skip


def save_hf(folder: Path, seed: int, model: Any, processor: Any, **options: Any) -> str:
    """A model of transformers' and its processor in the library's saved form."""
    model.load_state_dict(random_state(model, seed))
    model.save_pretrained(folder, **options)
    processor.save_pretrained(folder)
    return f"hf:{folder}"


def hf_folder(folder: Path, seed: int) -> str:
    """ViT, whose pictures are cropped."""
    import_torchvision()
    from transformers import CLIPImageProcessor, ViTConfig, ViTModel

    crop = {"height": 32, "width": 32}
    processor = CLIPImageProcessor(size={"shortest_edge": 37}, crop_size=crop)
    return save_hf(folder, seed, ViTModel(ViTConfig(**HF_SIZES)), processor)


def insightface_file(
    folder: Path, seed: int, *, normalises: bool = False, shape: tuple[int | str, ...] = ()
) -> str:
    """Recognition network of 112 x 112: a mean over patches of 14 pixels, and a product."""
    from onnx import helper, numpy_helper

    weight = np.random.default_rng(seed).normal(size=(3 * 8 * 8, 9)).astype(np.float32)
    given = [numpy_helper.from_array(weight, "weight")]
    nodes, first = [], "input.1"
    if normalises:
        for name, kind, value in (("_minusscalar0", "Sub", 127.5), ("_mulscalar0", "Mul", 1 / 128)):
            given.append(numpy_helper.from_array(np.array(value, np.float32), f"{name}_value"))
            nodes.append(helper.make_node(kind, [first, f"{name}_value"], [name], name=name))
            first = name
    nodes += [
        helper.make_node("AveragePool", [first], ["pooled"], kernel_shape=[14, 14],
                         strides=[14, 14], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flat"),
        helper.make_node("MatMul", ["flat", "weight"], ["vectors"], name="product"),
    ]  # fmt: skip
    tensor, size = helper.make_tensor_value_info, shape or ("n", 3, 112, 112)
    graph = helper.make_graph(
        nodes, "graph", [tensor("input.1", 1, size)], [tensor("vectors", 1, [size[0], 9])], given
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "recognition.onnx").write_bytes(model.SerializeToString())
    return f"insightface:{folder / 'recognition.onnx'}"


def onnx_graph(
    folder: Path,
    seed: int,
    *,
    shape: tuple[int | str, ...] = ("n", 3, 8, 8),
    outputs: int = 1,
    inputs: int = 1,
    metadata: str | None = None,
    external: str | None = None,
    element: int = 1,
) -> Path:
    """Graph of `vectors = flatten(image) @ weight`; more outputs and inputs are idle."""
    import onnx
    from onnx import helper

    rows = int(np.prod([side if isinstance(side, int) else 8 for side in shape[1:]]))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(element)
    values = np.random.default_rng(seed).normal(size=(rows, 7)).astype(dtype)
    weight = onnx.numpy_helper.from_array(values, "weight")
    if external is not None:
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=external)
        if not Path(external).is_absolute():
            (folder / external).write_bytes(values.tobytes())
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["vectors"]),
    ]
    nodes += [helper.make_node("Neg", ["vectors"], [f"extra{n}"]) for n in range(1, outputs)]
    tensor = helper.make_tensor_value_info
    names = ["vectors", *(f"extra{n}" for n in range(1, outputs))]
    graph = helper.make_graph(
        nodes,
        "graph",
        [tensor("image", element, shape)]
        + [tensor(f"idle{n}", element, ["n", 1]) for n in range(1, inputs)],
        [tensor(name, element, [shape[0], 7]) for name in names],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata is not None:
        helper.set_model_props(model, {"lookalikes": metadata})
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def ccip_folder(
    folder: Path, seed: int, *, metric: str = "cosine", dimensions: int | str = "d"
) -> str:
    """CCIP's two networks: features of 16 x 16 pixels, and a metric on vectors.

    Args:
        folder: to write to.
        seed: of the features.
        metric: (1 - cosine) / 2, or one that is something else.
        dimensions: of the vectors, where the metric fixes them.
    """
    from onnx import helper, numpy_helper

    onnx_graph(folder, seed, shape=("n", 3, 16, 16)).rename(folder / "model_feat.onnx")
    slope = {"cut off": -1.25, "similarity": 0.5}.get(metric, -0.5)
    numbers = {"slope": slope, "start": -slope if slope < 0 else 0.5, "none": 0.0, "one": 1.0}
    given = [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in numbers.items()]
    last = {"vector": "input", "constant": "nothing", "by company": "centred"}.get(metric, "cut")
    nodes = [
        helper.make_node("ReduceL2", ["input"], ["length"], axes=[1]),
        helper.make_node("Div", ["input", "length"], ["unit"]),
        helper.make_node("Identity", ["input" if metric == "distance" else "unit"], ["compared"]),
        helper.make_node("Transpose", ["compared"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["compared", "turned"], ["product"]),
        helper.make_node("Mul", ["product", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "start"], ["raw"]),
        helper.make_node("Clip", ["raw", "none", "one"], ["cut"]),
        helper.make_node("ReduceSum", ["raw"], ["whole"], keepdims=1),
        helper.make_node("Div", ["raw", "whole"], ["centred"]),
        helper.make_node("Mul", ["raw", "none"], ["nothing"]),
        helper.make_node("Identity", [last], ["output"]),
    ]
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "graph",
        [tensor("input", 1, ["n", dimensions])],
        [tensor("output", 1, ["n", "m"])],
        given,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model_metrics.onnx").write_bytes(model.SerializeToString())
    return f"ccip:{folder}"


def onnx_file(folder: Path, seed: int) -> str:
    return f"onnx:{onnx_graph(folder, seed)}"


def python_file(folder: Path, seed: int, factory: str) -> str:
    """Write code that is found from the current directory alone."""
    (folder / f"made_by_{factory.lower()}.py").write_text(CODE.format(seed=seed))
    return f"python:made_by_{factory.lower()}:{factory}"


BUILDERS: dict[str, Builder] = {
    "torchvision": torchvision_file,
    "timm file": timm_file,
    "timm folder": timm_folder,
    "animecv folder": animecv_folder,
    "animecv zip": animecv_zip,
    "animesion": animesion_file,
    "ccip": ccip_folder,
    "clip folder": clip_folder,
    "hf folder": hf_folder,
    "insightface": insightface_file,
    "onnx": onnx_file,
    "python object": lambda folder, seed: python_file(folder, seed, "Means"),
    "python callable": lambda folder, seed: python_file(folder, seed, "make_callable"),
    "pixels": lambda folder, seed: "pixels",
}
