"""Checkpoints: what is taken, what is refused, and what the messages say."""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import pickle
import re
import types
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mining.models import ModelError
from mining.models.checkpoint_files import Aside, load_checkpoint
from mining.models.weights import fit, read_checkpoint, read_state, split_part, state_digest


def network(width: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


STATE = network().state_dict()


class Exploit:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "wrapped",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE, "optimizer": {"lr": 0.1}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
    ],
    ids=["plain", "state_dict", "model", "DataParallel"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_usual_form_gives_the_same_tensors(
    wrapped: dict[str, object], zipped: bool, tmp_path: Path
) -> None:
    torch.save(wrapped, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    state = read_state(tmp_path / "w.pth", "w.pth")
    assert state.keys() == STATE.keys()
    assert state_digest(state) == state_digest(STATE)
    assert state_digest(read_state((tmp_path / "w.pth").read_bytes(), "w")) == state_digest(STATE)


def test_safetensors_give_the_same_tensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    state = read_state(tmp_path / "w.safetensors", "w")
    assert state_digest(state) == state_digest(STATE)


def test_the_digest_is_of_names_dtypes_shapes_and_values() -> None:
    plain = {"a": torch.arange(6.0), "b": torch.tensor(1)}
    others = [
        {"a": torch.arange(6.0), "c": torch.tensor(1)},
        {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1)},
        {"a": torch.arange(6.0).view(torch.int32), "b": torch.tensor(1)},
        {"a": torch.arange(6.0) + 1e-6, "b": torch.tensor(1)},
        {"a": torch.arange(6.0)},
    ]
    assert len({state_digest(state) for state in [plain, *others]}) == 6
    turned = {"b": torch.tensor(1), "a": torch.arange(12.0)[::2] / 2}
    assert state_digest(turned) == state_digest(plain)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    for name, save in {"a.pth": torch.save, "a.bin": torch.save}.items():
        save({"w": Exploit(tmp_path / "ran")}, tmp_path / name)
        with pytest.raises(ModelError, match=r"a\.\w+: refused.*mkdir") as caught:
            read_state(tmp_path / name, name)
        assert caught.value.__suppress_context__
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Exploit(tmp_path / "ran")))
    with pytest.raises(ModelError, match=r"b\.pth: refused"):
        read_state(tmp_path / "b.pth", "b.pth")
    assert not (tmp_path / "ran").exists()
    assert os.mkdir is Exploit(tmp_path).__reduce__()[0]  # the trap is one


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"torch\.save\(model\.state_dict\(\)"):
        read_state(tmp_path / "w.pth", "w.pth")


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ([STATE], "holds a list, not a state dict"),
        ({}, "holds a dict, not a state dict"),
        ({"state_dict": 3}, "state_dict hold no tensor"),
        ({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, r"a, b, c, d, \.\.\. hold no tensor"),
    ],
    ids=["list", "empty", "number", "numbers"],
)
def test_what_is_no_state_dict(saved: object, says: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=says):
        read_state(tmp_path / "w.pth", "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_damaged_files(name: str, tmp_path: Path) -> None:
    if name == "w.pth":
        torch.save(STATE, tmp_path / name)
    else:
        save_file(STATE, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for data in (b"", whole[: len(whole) // 2], b"version https://git-lfs.github.com/spec/v1\n"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=r"w\.\w+: (cannot be read|refused)"):
            read_state(tmp_path / name, name)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="here: no such file"):
        read_state(tmp_path / "w.pth", "here")
    with pytest.raises(ModelError, match="here: not a file"):
        read_state(tmp_path, "here")


def test_fit_loads() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    fit(module, STATE, "w")
    assert state_digest(module.state_dict()) == state_digest(STATE)


def test_a_dropped_classifier_and_an_absent_counter_are_let_pass() -> None:
    module = network()
    old = {name: t + 1 for name, t in STATE.items() if "num_batches" not in name}
    fit(module, {**old, "fc.weight": torch.zeros(1)}, "w", classifier=["fc"])
    assert state_digest(module.state_dict()) == state_digest(old)
    with pytest.raises(ModelError, match=r"1 unexpected: fcx\.weight"):
        fit(module, {**old, "fcx.weight": torch.zeros(1)}, "w", classifier=["fc"])


def test_misfits_say_what_and_why() -> None:
    lacking = {name: t for name, t in STATE.items() if name != "0.bias"}
    for state, says in {
        "missing": (lacking, r"1 missing: 0\.bias\. .*incomplete checkpoint"),
        "other": ({"a": torch.zeros(1)}, "8 missing: .*1 unexpected: a.*of another library"),
        "wider": (
            network(5).state_dict(),
            r"\d of another shape: 0\.weight \(5, 3\) for \(4, 3\), .*another size",
        ),
    }.values():
        module = network()
        with pytest.raises(ModelError, match=f"file.pth: does not fit Sequential.*{says}"):
            fit(module, state, "file.pth")
        assert state_digest(module.state_dict()) == state_digest(STATE)


OTHER = {name: tensor * 0.5 for name, tensor in STATE.items()}


def under(prefix: str, state: Mapping[str, torch.Tensor] = STATE) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def fitted(path: Path) -> tuple[str, list[str]]:
    """What a network holds after loading from `FILE#PART`, and what is said of it."""
    module = network()
    file, part = split_part(str(path))
    notes = fit(module, read_checkpoint(file, file.name, part), file.name)
    return state_digest(module.state_dict()), notes


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        (under("_orig_mod."), "from the names after '_orig_mod.'"),
        (
            {"model": under("module._orig_mod.")},
            "from the names after 'module._orig_mod.' in 'model'",
        ),
        ({"0._orig_mod.weight": STATE["0.weight"], **STATE}, None),
        ({"state_dict": under("model."), "loops": {}}, "the names after 'model.' in 'state_dict'"),
        (
            {"state_dict": {**under("backbone."), "arcface.weight": torch.zeros(7, 2)}},
            "after 'backbone.' in 'state_dict'; 1 beside them not used: arcface.weight",
        ),
        ({"epoch": 3, "model_state_dict": STATE}, "from 'model_state_dict'"),
        ({"net": STATE, "acc": 0.9}, "from 'net'"),
        ({"state_dict_ema": under("module.")}, "the names after 'module.' in 'state_dict_ema'"),
        ({"callbacks": {"Average": {"weights": STATE}}}, "from 'callbacks/Average/weights'"),
        ({"n_averaged": torch.tensor(3), **under("module.")}, "not used: n_averaged"),
        ({"model": STATE, "optimizer": {"momentum": OTHER}}, "from 'model'"),
        ({"state_dict": {**under("model."), **under("backbone.")}}, "after 'model.'"),
        ({**STATE, "epoch": 3}, None),
    ],
    ids=[
        "compiled",
        "compiled and parallel",
        "a compiled part",
        "lightning",
        "lightning with a loss",
        "model_state_dict",
        "net",
        "averaged alone",
        "deep inside",
        "stochastic averaging",
        "momentum by name",
        "one network under two names",
        "a number among tensors",
    ],
)
def test_what_trainers_wrap_around_it(
    saved: dict[str, object], says: str | None, tmp_path: Path
) -> None:
    if "0._orig_mod.weight" in saved:
        del saved["0.weight"]
    torch.save(saved, tmp_path / "w.pth")
    found, notes = fitted(tmp_path / "w.pth")
    assert found == state_digest(STATE)
    assert len(notes) == (says is not None)
    assert all(note.startswith("w.pth: its weights were taken from ") for note in notes)
    assert (says or "") in "".join(notes)


@pytest.mark.parametrize(
    ("averaged", "raw"), [("state_dict_ema", "state_dict"), ("model_ema", "model")]
)
def test_the_averaged_weights_are_taken_as_timm_takes_them(
    averaged: str, raw: str, tmp_path: Path
) -> None:
    from mining.models.torchvision_ops import import_timm

    saved = {raw: STATE, averaged: OTHER}
    torch.save(saved, tmp_path / "w.pth")
    found, (note,) = fitted(tmp_path / "w.pth")
    theirs = import_timm().models.load_state_dict(str(tmp_path / "w.pth"))
    assert found == state_digest(theirs) == state_digest(OTHER)
    assert f"from '{averaged}' (the averaged ones" in note
    assert f"#{raw} takes the others" in note
    assert fitted(tmp_path / f"w.pth#{raw}")[0] == state_digest(STATE)


@pytest.mark.parametrize(
    ("saved", "parts"),
    [
        (
            {"student": under("module.backbone."), "teacher": under("backbone.", OTHER)},
            ("student", "teacher"),
        ),
        (
            {"state_dict": {**under("module.encoder_q."), **under("module.encoder_k.", OTHER)}},
            ("encoder_q", "encoder_k"),
        ),
        ({"net": STATE, "state_dict_ema": OTHER}, ("net", "state_dict_ema")),
        ({"model": STATE, "ema": OTHER}, ("model", "ema")),
        (
            {"state_dict": {**under("backbone."), **under("ema.backbone.", OTHER)}},
            ("state_dict/backbone", "ema"),
        ),
        ({**STATE, "ema": OTHER}, (".", "ema")),
    ],
    ids=[
        *("dino", "moco", "averaged beside a stranger", "ema", "one name in the other"),
        "one beside the tensors of the other",
    ],
)
def test_of_two_networks_one_must_be_named(
    saved: dict[str, object], parts: tuple[str, str], tmp_path: Path
) -> None:
    torch.save(saved, tmp_path / "w.pth")
    first, second = map(re.escape, parts)
    said = rf"holds 2 networks that fit: {first} \(.*\) or {second} \(.*w\.pth#{first}$"
    with pytest.raises(ModelError, match=said):
        fitted(tmp_path / "w.pth")
    assert fitted(tmp_path / f"w.pth#{parts[0]}")[0] == state_digest(STATE)
    assert fitted(tmp_path / f"w.pth#{parts[1]}")[0] == state_digest(OTHER)
    with pytest.raises(ModelError, match=r"w\.pth: has no 'head'; there are .*, "):
        fitted(tmp_path / "w.pth#head")


def test_two_networks_are_two_though_they_are_equal(tmp_path: Path) -> None:
    """As before the first step of training: the choice is asked for all the same."""
    torch.save({"student": STATE, "teacher": STATE}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"2 networks that fit: student .* or teacher"):
        fitted(tmp_path / "w.pth")


def test_a_network_that_is_not_finite_is_one(tmp_path: Path) -> None:
    """Whatever it holds is not equal to itself."""
    broken = {name: tensor * float("nan") for name, tensor in STATE.items()}
    torch.save(broken, tmp_path / "w.pth")
    assert fitted(tmp_path / "w.pth")[1] == []


def test_a_part_of_a_file_without_parts(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a#b.pth")
    assert fitted(tmp_path / "a#b.pth") == (state_digest(STATE), [])
    with pytest.raises(ModelError, match="has no 'teacher'; it is one state dict, without parts"):
        fitted(tmp_path / "a#b.pth#teacher")


def test_counters_decide_nothing(tmp_path: Path) -> None:
    """Two networks fit although one was averaged with its counters of batches."""
    halved = {n: t * 0.5 for n, t in STATE.items()}
    assert halved["1.num_batches_tracked"].is_floating_point()
    torch.save({"model": halved, "other": STATE}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="2 networks that fit"):
        fitted(tmp_path / "w.pth")


def test_settings_beside_tensors_are_set_aside(tmp_path: Path) -> None:
    settings = {
        "args": argparse.Namespace(lr=0.1, out=Path("runs"), shape=types.SimpleNamespace(a=1)),
        "best_acc": np.float64(0.93),
        "best_epoch": np.int64(3),
        "curve": np.zeros((2, 3), np.float16),
        "done": np.bool_(True),
        "began": datetime.datetime(2026, 11, 1),
        "seen": collections.defaultdict(list, {"a": [np.float32(1)]}),
        "rng": np.random.RandomState(0).get_state(),
    }
    torch.save({**settings, "state_dict": STATE}, tmp_path / "w.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "w.pth", weights_only=True)
    assert fitted(tmp_path / "w.pth")[0] == state_digest(STATE)


def test_what_is_set_aside_is_not_made(tmp_path: Path) -> None:
    """The class of a setting is not called: its place is taken by one that keeps nothing."""
    torch.save({"w": torch.zeros(1), "args": argparse.Namespace(a=1)}, tmp_path / "w.pth")
    found = load_checkpoint(tmp_path / "w.pth", "w")
    assert isinstance(found, dict)
    assert type(found["args"]) is Aside
    assert vars(found["args"]) == {}
    # Nor are they allowed to anyone else afterwards.
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "w.pth", weights_only=True)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_programs_are_called_by_their_name(tmp_path: Path) -> None:
    traced = torch.jit.trace(network().eval(), torch.zeros(1, 3))  # type: ignore[no-untyped-call]
    torch.jit.save(traced, tmp_path / "w.pt")
    for source in (tmp_path / "w.pt", (tmp_path / "w.pt").read_bytes()):
        with pytest.raises(ModelError, match=r"w: TorchScript .*torch\.jit\.load\(FILE\)"):
            read_checkpoint(source, "w")


def test_half_precision_is_loaded_in_full(tmp_path: Path) -> None:
    half = {n: t.half() if t.is_floating_point() else t for n, t in STATE.items()}
    torch.save(half, tmp_path / "w.pth")
    back = {n: t.float() if t.dtype == torch.float16 else t for n, t in half.items()}
    assert fitted(tmp_path / "w.pth") == (state_digest(back), [])


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ({n: t.to(torch.int8) for n, t in STATE.items()}, "kind of number.*cause: quantised"),
        ({**STATE, "arcface.weight": torch.zeros(1)}, "1 unexpected: arcface.*training alone"),
        (
            {"model": under("module.", network(5).state_dict())},
            r"\(read: the names after 'module\.' in 'model'\); \d of another shape.*another size",
        ),
    ],
    ids=["integers", "a loss", "another size under a prefix"],
)
def test_what_does_not_fit_says_why(saved: dict[str, object], says: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=says):
        fitted(tmp_path / "w.pth")
