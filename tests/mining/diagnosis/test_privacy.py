"""What a diagnosis hides: folders and the name of whoever it is."""

from __future__ import annotations

import pytest

from mining.diagnosis.privacy import hidden, hidden_within


@pytest.fixture(autouse=True)
def somebody(monkeypatch):
    monkeypatch.setattr("sys.prefix", "/people/rei/work/env")
    monkeypatch.setattr("sys.base_prefix", "/usr")
    monkeypatch.setattr("pathlib.Path.home", lambda: __import__("pathlib").Path("/people/rei"))
    monkeypatch.setattr("getpass.getuser", lambda: "rei")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/people/rei/.cache", "~/.cache"),
        ("/people/rei", "~"),
        ("a /people/rei: b", "a ~: b"),
        ("/people/reiko/x", "/people/reiko/x"),
        ("/people/rei/work/env/lib/libtorch.so: no symbol", "<python>/lib/libtorch.so: no symbol"),
        ("/data/rei/faces", "/data/<user>/faces"),
        ("reindeer of rei", "reindeer of rei"),
        ("/usr/lib", "/usr/lib"),
        ("", ""),
    ],
)
def test_paths_are_hidden(text, shown):
    assert hidden(text) == shown


def test_a_document_is_hidden_through_and_through():
    given = {"a": ["/people/rei/x", 1, None], "b": {"c": ("/data/rei",)}}
    assert hidden_within(given) == {"a": ["~/x", 1, None], "b": {"c": ["/data/<user>"]}}


def test_the_name_root_and_no_name_are_nobody(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    assert hidden("/srv/root/x") == "/srv/root/x"

    def none():
        raise OSError("no name")

    monkeypatch.setattr("getpass.getuser", none)
    assert hidden("/srv/rei/x") == "/srv/rei/x"
