"""Settings that a command goes on with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pairsets import ByLevel
from pairsets.storage.settings import difference, settings_of


def test_settings_are_json_and_say_what_differs(tmp_path: Path) -> None:
    given = {
        "faces": str(tmp_path / "x" / ".." / "faces"),
        "exclude": [tmp_path / "a.csv"],
        "identities": ByLevel(2),
        "kinds": ("alias",),
        "pairs": 100,
        "target": np.float64(0.5),
        "names": {str(at): "x" for at in range(200)},
        "out": tmp_path,
    }
    found = settings_of(given, paths=["faces"], without=["out"])
    assert json.loads(json.dumps(found)) == found
    assert found["faces"] == str((tmp_path / "faces").resolve())
    assert found["exclude"] == [str((tmp_path / "a.csv").resolve())]
    assert "out" not in found
    again = settings_of(given | {"faces": tmp_path / "faces"}, without=["out"])
    assert again == found
    other = settings_of(given | {"pairs": 50, "identities": None}, paths=["faces"], without=["out"])
    assert difference(found, other) == (
        'identities: {"is": "ByLevel", "level": 2} there, null here; pairs: 100 there, 50 here'
    )


def test_of_many_differences_some_are_told() -> None:
    text = difference(dict.fromkeys("abcde", 1), dict.fromkeys("abcd", "x" * 100))
    assert text.startswith('a: 1 there, "xxx')
    assert text.endswith("; and 2 more")
