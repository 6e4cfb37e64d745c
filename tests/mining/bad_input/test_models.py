"""Models and devices that are not to be had: one clear message, and nothing half-written."""

from __future__ import annotations

import re
import socket
import time

import pytest
from support.command_line import lookalikes
from support.refusals import GOOD, MINERS, refused, write


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("resnet", "no model family is called 'resnet'"),
        ("tim:resnet18", "no model family is called 'tim'; did you mean 'timm'?"),
        ("", "no model family is called ''"),
        ("pixels:16", "pixels takes no argument"),
        ("timm:resnet1800", "timm has no 'resnet1800'; did you mean"),
        ("timm:", "expected timm:NAME or timm:NAME@WEIGHTS"),
        ("timm:resnet18@nowhere.safetensors", "nowhere.safetensors: no such file or folder"),
        ("python:nowhere:factory", "no module 'nowhere'"),
        ("animecv:nowhere.zip", "nowhere.zip"),
    ],
)
def test_model(home, model, expected):
    message = refused(home, "embed", "faces", "--model", model, "--out", "out")
    assert repr(model) in message or "nowhere" in message
    assert expected in message


def test_pretrained_weights_without_a_network(home, monkeypatch):
    def unreachable(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    waits = []
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "cache"))
    message = lookalikes("embed", "faces", "--model", "timm:resnet18", "--out", "out").message
    assert "timm's pretrained weights of resnet18 could not be fetched" in message
    assert "Give weights you have: timm:resnet18@WEIGHTS" in message
    assert waits == []


def test_model_of_other_commands(home):
    write(home / "pairs.csv", GOOD)
    for command in (
        ("build", "faces", "--reference", "pixel", "--out", "run"),
        ("build", "faces", "--reference", "pixels", "--model", "pixel", "--out", "run"),
        ("evaluate", "pairs.csv", "--faces", "faces", "--model", "pixel"),
    ):
        assert "did you mean 'pixels'?" in refused(home, *command)


@pytest.mark.parametrize("command", MINERS.values(), ids=MINERS)
def test_a_device_that_is_not_there(embedded, command):
    """Told before the work, also where no model needs it."""
    message = refused(embedded, *command, "--device", "cuda:99")
    assert re.match(r"device 'cuda:99' is not to be had: .*; ask for auto or cpu$", message)
