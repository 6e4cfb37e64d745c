"""Measurements are taken from the cache for the same vectors and names, and for nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from support.audits import write_vectors
from support.identities import embedded, people

from mining import embed, load_model
from mining.embeddings.store import Embeddings
from mining.suspects.identity.measurement import Measurement
from mining.suspects.identity.own_identities import OwnIdentities
from mining.suspects.kept_measurements import kept_measurement
from mining.suspects.measured_mislabels import MeasuredMislabels
from pairsets.faces import Faces
from pairsets.files.expectations import Expectation, Share
from pairsets.sources.drawn.sample import draw_faces
from pairsets.storage.user_cache import cache_folder

SAID = Measurement(0.1 + 0.2, Expectation("mislabel", Share(0.9, 0.8, 1), None, 40, flagged=7))
SILENT = Measurement(np.inf, Expectation("mislabel", None, None, 3, "too few"))


@pytest.fixture
def emb(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    faces = draw_faces(tmp_path / "drawn", characters=4, seed=1, size=32).faces
    embed(Faces.scan(faces), load_model("pixels"), tmp_path / "emb")
    return tmp_path / "emb"


def asked(emb, *, kind="mislabel", trusted=False, gives=SAID):
    """What is kept, and how often it was measured."""
    calls = []
    models = [Embeddings.load(emb)] if not isinstance(emb, list) else emb
    found = kept_measurement(kind, models, trusted, lambda: calls.append(1) or gives)
    return found, len(calls)


@pytest.mark.parametrize("said", [SAID, SILENT])
def test_it_is_measured_once(emb, said):
    assert asked(emb, gives=said) == (said, 1)
    assert asked(emb, gives=None) == (said, 0)
    assert asked(emb, trusted=True, gives=SILENT) == (SILENT, 1)
    # Wherever the vectors lie.
    shutil.copytree(emb, emb.with_name("again"))
    assert asked(emb.with_name("again"), gives=None) == (said, 0)


def test_other_vectors_or_names_are_measured_anew(emb):
    assert asked(emb)[1] == 1
    one = Embeddings.load(emb)
    renamed = Faces(one.faces.root, one.faces.paths, one.faces.identities[:].copy())
    renamed.identities[0] = "somebody"
    assert asked([replace(one, faces=renamed)], gives=SILENT) == (SILENT, 1)
    assert asked([one, one], gives=SILENT) == (SILENT, 1)
    vectors = np.array(one.vectors)[::-1].copy()
    write_vectors(emb, vectors)
    assert asked(emb, gives=SILENT) == (SILENT, 1)


def test_nothing_is_kept_of_vectors_in_memory(emb):
    world = [embedded(*people(4, 3))]
    assert [asked(world)[1], asked(world)[1]] == [1, 1]
    part = [Embeddings.load(emb).take(np.arange(3))]
    assert [asked(part)[1], asked(part)[1]] == [1, 1]
    assert not (cache_folder() / "measurements").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_bytes(b"{"),
        lambda file: file.write_text("{}"),
        lambda file: file.write_text(file.read_text().replace("mislabel", "veto")),
        lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), "level": "x"})),
        lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), "expected": []})),
        lambda file: file.unlink(),
    ],
)
def test_a_damaged_cache_is_written_anew(emb, change):
    asked(emb)
    (file,) = (cache_folder() / "measurements").iterdir()
    change(file)
    assert asked(emb) == (SAID, 1)
    assert asked(emb, gives=None) == (SAID, 0)


def test_without_a_cache_it_is_measured_each_time(emb, monkeypatch):
    blocked = emb.with_name("file")
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert [asked(emb)[1], asked(emb)[1]] == [1, 1]


def test_checks_take_it(emb, monkeypatch):
    first = MeasuredMislabels([OwnIdentities(Embeddings.load(emb))])
    expected = first.expected
    monkeypatch.setattr("mining.suspects.measured_mislabels.measured", None)
    again = MeasuredMislabels([OwnIdentities(Embeddings.load(emb))])
    assert again.expected == expected
    assert again._measured == first._measured
