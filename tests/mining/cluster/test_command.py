"""`--cluster` of the commands: their files have the bytes that they have without it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.command_line import lookalikes

from indexes.join import options
from mining.cluster.join import JoinCrew
from mining.cluster.session import Cluster


@pytest.fixture(autouse=True)
def as_many_threads_as_a_node_has_cores() -> None:
    torch.set_num_threads(min(2, torch.get_num_threads()))


ROOT = Path(__file__).parents[3]
# A command that searches no set by the plain way; it says so where a crew searched.
FAST = """
from indexes.join import options
from mining.cli import main
from mining.cluster.join import JoinCrew
options.SMALL = (0, 0)
search = JoinCrew.search
JoinCrew.search = lambda *given: (print("searched by a crew"), search(*given))[1]
main()
"""


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_embed_and_mine_write_the_same_files(
    cluster: Cluster, faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` takes the cluster that this process is connected to."""
    searched = []
    search = JoinCrew.search

    def noted(self: JoinCrew, *given: Any) -> None:
        searched.append(given)
        search(self, *given)

    # Few faces would be searched by the plain way, here.
    monkeypatch.setattr(options, "SMALL", (0, 0))
    monkeypatch.setattr(JoinCrew, "search", noted)
    made = []
    for name, more in (("alone", []), ("together", ["--cluster", "auto"])):
        out = tmp_path / name
        embed = ["embed", faces_folder, "--model", "python:support.cluster_work:SmallModel"]
        lookalikes(*embed, "--batch-size", 4, "--out", out / "e", *more).summary  # noqa: B018
        drop = ["--drop-suspects", "duplicate", "--faces", faces_folder]
        mine = ["mine", out / "e", "--pairs", 20, *drop, "--out", out / "hard.csv"]
        lookalikes(*mine, *more).summary  # noqa: B018
        made.append(files_of(out))
    assert searched
    assert [*made[0]] == [*made[1]]
    assert "hard.suspects.csv" in made[0]
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []
    manifest = json.loads((tmp_path / "together/e/manifest.json").read_text())
    assert manifest["images"] == 18


def test_from_outside_the_files_are_the_same(
    outside: str, faces_folder: Path, tmp_path: Path
) -> None:
    """By `ray://`, from a process that is no node."""
    embed = ["embed", faces_folder, "--model", "python:support.cluster_work:SmallModel"]
    lookalikes(*embed, "--out", tmp_path / "e").summary  # noqa: B018
    mine = ["mine", tmp_path / "e", "--pairs", 20, "--out"]
    lookalikes(*mine, tmp_path / "alone/hard.csv").summary  # noqa: B018
    words = [*mine, tmp_path / "together/hard.csv", "--cluster", outside]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", FAST, *map(str, words)],
        env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "searched by a crew" in done.stdout
    assert files_of(tmp_path / "together") == files_of(tmp_path / "alone")


@pytest.mark.parametrize("command", ["embed", "mine", "build"])
def test_an_address_that_does_not_answer_is_one_message(
    command: str, tmp_path: Path, faces_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{nobody.getsockname()[1]}"
        asked = {
            "embed": ["embed", faces_folder, "--model", "pixels"],
            "mine": ["mine", tmp_path / "none"],
            "build": ["build", faces_folder, "--reference", "pixels"],
        }[command]
        from mining.cluster.extra import import_ray

        monkeypatch.setattr(import_ray(), "is_initialized", lambda: False)
        out = tmp_path / "out"
        outcome = lookalikes(*asked, "--out", out, "--cluster", address)
        assert f"--cluster {address}: cannot be reached" in outcome.message
        assert not out.exists()
