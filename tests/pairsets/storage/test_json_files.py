"""JSON of anybody's: what is read, and that all else is one error with the file, place and kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairsets.errors import PairSetError
from pairsets.storage.json_files import JsonError, JsonObject, parse_json, read_json, read_object

WHAT = "the manifest of a thing"


def read(tmp_path: Path, data: bytes, **options):
    path = tmp_path / "thing.json"
    path.write_bytes(data)
    return read_json(path, WHAT, **options)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_json_holds_is_read(tmp_path: Path, mark: bytes) -> None:
    content = {"a": [1, -0.5, None, True, "é橘"], "b": {"c": 2**63}}
    assert read(tmp_path, mark + json.dumps(content).encode()) == content
    assert read(tmp_path, mark + json.dumps(content, ensure_ascii=False).encode()) == content


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON (Expecting value: line 1 column 1"),
        (b'{"a": 1', "not JSON (Expecting"),
        (b'{"a": "\xff"}', "not UTF-8 text at byte 7"),
        (b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested too deeply"),
        (b"[" * 101 + b"]" * 101, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON (Exceeds the limit"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b"[-Infinity]", "-Infinity is no JSON"),
        (b"[1e400]", "1e400 is too large a number"),
        (b'{"a": {"b": 1, "b": 2}}', "'b' is there twice in one object"),
        (b'{"\\ud800": 1}', "half of a surrogate pair"),
        (b'["\\uDC00\\uD800"]', "half of a surrogate pair"),
    ],
)
def test_what_is_none_is_one_error(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(JsonError) as caught:
        read(tmp_path, data)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'thing.json'}: ")
    assert message.endswith(f"; expected {WHAT}")
    assert says in message
    assert len(message) < 400 + len(str(tmp_path))


def test_what_is_asked_for_is_let_through(tmp_path: Path) -> None:
    assert read(tmp_path, b"[Infinity, 1e400]", constants=True) == [float("inf")] * 2
    assert read(tmp_path, b'["\\ud800"]', surrogates=True) == ["\ud800"]
    assert read(tmp_path, b'["\\ud83d\\ude42"]') == ["🙂"]
    assert read(tmp_path, b"[" * 100 + b"]" * 100) is not None
    assert read(tmp_path, b'{"": 1, "a": 2, "": [3]}', comment="") == {"": [3], "a": 2}
    with pytest.raises(JsonError, match="'a' is there twice in one object"):
        read(tmp_path, b'{"": 1, "a": 2, "": 3, "a": 4, "": 5}', comment="")


def test_a_file_is_as_large_as_it_may_be(tmp_path: Path) -> None:
    assert read(tmp_path, b'"1234"', most=6) == "1234"
    with pytest.raises(JsonError, match=r"thing\.json: larger than 5 bytes"):
        read(tmp_path, b'"1234"', most=5)


def test_the_error_is_of_the_kind_asked_for(tmp_path: Path) -> None:
    with pytest.raises(PairSetError) as caught:
        read(tmp_path, b"[", error=PairSetError)
    assert type(caught.value) is PairSetError
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json", WHAT)


def test_an_object_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    path.write_text("[1]")
    with pytest.raises(JsonError, match=r"thing\.json: \[1\]; expected the manifest .* an object"):
        read_object(path, WHAT)
    path.write_text('{"a": null, "b": "x"}')
    found = read_object(path, WHAT)
    assert ("a" in found, "b" in found, "c" in found) == (False, True, False)


CONTENT = {
    "text": "x",
    "empty": "",
    "count": 3,
    "less": -1,
    "vast": 10**400,
    "float": 0.5,
    "true": True,
    "null": None,
    "list": [1],
    "texts": ["a"],
    "object": {"a": 1},
}
FOUND = JsonObject(CONTENT, "thing.json", PairSetError)


def test_values_of_the_kind_asked_for() -> None:
    assert FOUND.text("text") == "x"
    assert FOUND.text("empty", empty=True) == ""
    assert FOUND.count("count", least=3, most=3) == 3
    assert FOUND.items("list") == [1]
    assert FOUND.texts("texts") == ["a"]
    assert FOUND.inner("object").content == {"a": 1}
    holder = JsonObject({"a": [{"b": 1}]}, "x.json")
    assert [one.where for one in holder.objects("a")] == ["x.json: a 1"]


@pytest.mark.parametrize(
    ("getter", "key", "came"),
    [
        ("text", "missing", "missing"),
        ("text", "empty", "''"),
        ("text", "count", "3"),
        ("count", "less", "-1"),
        ("count", "true", "True"),
        ("count", "float", "0.5"),
        ("count", "vast", "a number of 1329 bits"),
        ("items", "object", "{'a': 1}"),
        ("texts", "list", "[1]"),
        ("inner", "list", "[1]"),
        ("objects", "list", "[1]"),
    ],
)
def test_values_of_another_kind(getter: str, key: str, came: str) -> None:
    with pytest.raises(PairSetError) as caught:
        getattr(FOUND, getter)(key)
    assert str(caught.value).startswith(f"thing.json: {key} is {came}; expected ")


def test_text_in_memory_is_read_the_same_way() -> None:
    assert parse_json('{"a": 1}', "here", WHAT) == {"a": 1}
    with pytest.raises(JsonError, match="here: half of a surrogate pair"):
        parse_json('["\ud800"]', "here", WHAT)
