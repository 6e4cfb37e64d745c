"""The command line as a page tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mining.commands.command_line import remember_command, typed_command


@pytest.fixture(autouse=True)
def forgotten():
    yield
    remember_command([])


def test_it_is_what_a_shell_takes_without_where_the_result_goes():
    remember_command(
        [
            "build",
            "my faces",
            "--out",
            "runs/a",
            "--reference",
            "timm:x@w",
            "--overwrite",
            "--pairs=5",
        ]
    )
    assert typed_command() == "lookalikes build 'my faces' --reference timm:x@w --pairs=5"
    remember_command(["build", "f", "--out=runs/b", "-o", "x"])
    assert typed_command() == "lookalikes build f"


def test_the_home_folder_is_not_told(monkeypatch):
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: Path("/somewhere/rei")))
    remember_command(["compare", "/somewhere/rei/faces"])
    assert typed_command() == "lookalikes compare ~/faces"


def test_passwords_of_urls_are_not_told():
    remember_command(["build", "ftp://rei:secret@host/faces?token=1", "--model", "pixels"])
    assert typed_command() == "lookalikes build 'ftp://host/faces' --model pixels"


def test_called_from_python_there_is_none():
    remember_command([])
    assert typed_command() == ""
