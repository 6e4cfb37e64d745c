"""Checkpoints: what is taken, what is refused, and what the messages say."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mining.models import ModelError
from mining.models.weights import fit, read_state, state_digest


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
