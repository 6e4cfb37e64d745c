"""Sound faces and embeddings, to which each test adds something bad."""

from __future__ import annotations

import pytest
from support.command_line import lookalikes


@pytest.fixture
def home(faces_folder, monkeypatch):
    """The folder that holds `faces`, which commands run in."""
    monkeypatch.chdir(faces_folder.parent)
    return faces_folder.parent


@pytest.fixture
def embedded(home):
    """The folder that holds `faces` and `embeddings`, those of the model `pixels`."""
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    return home
