"""Small models of every family, made once a session."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.small_models import BUILDERS

# Networks this small gain nothing from threads, and lose much on a busy machine.
torch.set_num_threads(1)

Made = Callable[[str, int], str]


@pytest.fixture(scope="session")
def made_before() -> dict[tuple[str, int], tuple[str, Path]]:
    return {}


@pytest.fixture
def made(
    made_before: dict[tuple[str, int], tuple[str, Path]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Made:
    """`made("timm file", seed)` is the text that loads a small model of that kind.

    The user's own code is found from the current directory, so that is changed too.
    """
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(kind: str, seed: int) -> str:
        if (kind, seed) not in made_before:
            folder = tmp_path_factory.mktemp("model")
            made_before[kind, seed] = BUILDERS[kind](folder, seed), folder
        spec, folder = made_before[kind, seed]
        if spec.startswith("python:"):
            monkeypatch.chdir(folder)
            sys.modules.pop(spec.split(":")[1], None)
        return spec

    return make
