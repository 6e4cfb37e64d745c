"""Vectors of several layers, against hooks set by hand and against each layer alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.small_models import photo, timm_folder

from mining import load_model
from mining.errors import ModelError, NoPartsError
from mining.models.layers import pooled, with_layers
from mining.models.torch_model import TorchModel
from mining.saliency import explain

NAMES = ("layer1", "layer2.0", "head")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TorchModel:
    found = load_model(timm_folder(tmp_path_factory.mktemp("model"), 0), device="cpu")
    assert isinstance(found, TorchModel)
    return found


def batch_of(model: TorchModel) -> np.ndarray:
    return np.stack([model.preprocess(photo(seed)) for seed in range(3)])


def by_hand(model: TorchModel, batch: np.ndarray) -> np.ndarray:
    """The same vectors by hooks on the network itself."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        model.network.get_submodule(name).register_forward_hook(
            lambda module, given, output, name=name: seen.update({name: output})
        )
        for name in NAMES[:2]
    ]
    with torch.inference_mode():
        seen["head"] = model.network(model.inputs(batch))
    for hook in hooks:
        hook.remove()
    parts = [seen[name].double().flatten(2).mean(2) if seen[name].ndim == 4 else seen[name].double()
             for name in NAMES]  # fmt: skip
    return np.concatenate([(part / part.norm(dim=1, keepdim=True)).numpy() for part in parts], 1)


def test_vectors_are_those_of_hooks_set_by_hand(model):
    batch = batch_of(model)
    layered = with_layers(model, NAMES)
    found = layered.encode(batch)
    assert found == pytest.approx(by_hand(model, batch), abs=1e-6)
    plain = model.encode(batch)
    assert plain.shape[1] < found.shape[1]
    assert layered.fingerprint != model.fingerprint
    assert layered.name.endswith("+layers=layer1,layer2.0,head")
    assert layered.provenance["weights"] == model.provenance["weights"]


def test_the_head_alone_is_the_usual_vector_of_unit_length(model):
    batch = batch_of(model)
    plain = model.encode(batch)
    units = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    assert with_layers(model, ["head"]).encode(batch) == pytest.approx(units, abs=1e-6)


def test_the_order_of_the_names_is_the_order_of_the_parts(model):
    batch = batch_of(model)
    one, other = (with_layers(model, names).encode(batch) for names in (NAMES, NAMES[::-1]))
    head = model.encode(batch).shape[1]
    assert np.array_equal(one[:, -head:], other[:, :head])
    assert with_layers(model, NAMES).fingerprint != with_layers(model, NAMES[::-1]).fingerprint


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((2, 5, 7, 7), (2, 3)),
        ((2, 7, 7, 5), (1, 2)),
        ((2, 6, 6, 6), (2, 3)),
        ((2, 9, 5), (1,)),
        ((2, 5), ()),
    ],
    ids=["channels first", "channels last", "both could be", "tokens", "vectors"],
)
def test_positions_are_averaged_whatever_the_order(shape, axes):
    given = torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    expected = given.numpy().mean(axis=axes) if axes else given.numpy()
    assert pooled(given, "x", (64, 64)).numpy() == pytest.approx(expected)


def test_an_unknown_layer_names_the_nearest(model):
    with pytest.raises(ModelError, match=r"no layer 'layer1\.O'; did you mean layer1\.0, "):
        with_layers(model, ["layer1.O"])


@pytest.mark.parametrize("names", [[], ["head", "head"]], ids=["none", "twice"])
def test_names_are_given_once(model, names):
    with pytest.raises(ModelError, match="expected names, each once"):
        with_layers(model, names)


def test_other_models_have_no_layers():
    with pytest.raises(ModelError, match="no network of PyTorch's"):
        with_layers(load_model("pixels"), ["head"])


def test_what_is_no_map_of_features_is_refused():
    for output, told in ((None, "not run"), ((1, 2), "tuple"), (torch.zeros(3), "no map")):
        with pytest.raises(ModelError, match=told):
            pooled(output, "x", (8, 8))


def test_it_is_explained_by_masks_and_not_by_parts(model):
    layered = with_layers(model, NAMES)
    found = explain(photo(1), photo(2), layered, masks=8)
    assert found.method == "masks"
    assert found.note
    with pytest.raises(NoPartsError):
        explain(photo(1), photo(2), layered, method="parts")
