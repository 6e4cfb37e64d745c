"""The contract of every format of pairs: what is written comes back, or is said to be lost."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import textwrap

import numpy as np
import pytest
from support.format_examples import ASKED, EXAMPLES, FILES, balanced, labelled, of_any_kind, starred

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.sources.formats import (
    ENDINGS,
    FORMATS,
    KEEPABLE,
    Pairs,
    candidates,
    format_named,
    options_of,
    read_pairs,
    sniff,
    write_pairs,
)

BINARY = {"parquet", "pml"}
SETS = {"any": of_any_kind, "balanced": balanced, "labelled": labelled, "starred": starred}


@pytest.fixture(params=FORMATS)
def name(request):
    return request.param


@pytest.fixture
def example(name):
    return EXAMPLES[name]()


def rows(content):
    """Pairs in one order and with one order of faces, each with all that is known of it."""
    pairs = content.pairs
    folds = [0] * len(pairs) if content.folds is None else content.folds.numbers.tolist()
    columns = (pairs.label, pairs.human_prediction, pairs.invalid)
    return sorted(zip(pairs.keys, *(c.tolist() for c in columns), folds, strict=True))


def same(one, other, name):
    """Whether two contents are equal, in their order where the format keeps it."""
    if "order" in format_named(name).KEEPS:
        return one.pairs == other.pairs and rows(one) == rows(other)
    return rows(one) == rows(other)


def tried(action):
    """What an action gives, or None and what its refusal says."""
    try:
        return action(), ""
    except SourceError as error:
        return None, str(error)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def test_a_format_describes_itself(name):
    module = format_named(name)
    assert name == module.NAME
    assert module.SUMMARY
    assert "\n" not in module.SUMMARY
    assert module.KEEPS <= KEEPABLE
    assert {"content", "path", "progress"}.isdisjoint(options_of(module.read))


def test_what_it_can_hold_comes_back(name, example, tmp_path):
    path = tmp_path / FILES.get(name, "x")
    held = write_pairs(example, path, name)
    assert not held.dropped
    assert same(held, example, name)
    back = read_pairs(path, name)
    assert not back.dropped
    assert same(back, example, name)
    # It is known by its content: the file has no ending.
    if name not in ASKED:
        assert sniff(path) == name
        assert same(read_pairs(path), example, name)
        return
    with pytest.raises(SourceError, match=f"could be ijb or {name}; say which with --from-format"):
        sniff(path)


def test_no_other_format_takes_it_for_its_own(name, example, tmp_path):
    path = tmp_path / FILES.get(name, "x")
    write_pairs(example, path, name)
    assert candidates(path) == (["ijb", name] if name in ASKED else [name])


@pytest.mark.parametrize("kind", SETS)
def test_what_it_cannot_hold_is_said(name, kind, tmp_path):
    """Any set is refused, without a trace, or comes back as `write` says that it does."""
    content, path = SETS[kind](), tmp_path / "x"
    held, told = tried(lambda: write_pairs(content, path, name))
    if held is None:
        assert told.startswith(f"{name} cannot hold ")
        assert not list(tmp_path.iterdir())
        return
    back = read_pairs(path, name)
    assert same(back, held, name)
    assert len(content.pairs) - len(held.pairs) == sum(held.dropped.values())
    whole = {row[0]: row for row in rows(content)}
    for row in rows(held):
        assert row[:2] == whole[row[0]][:2]
    if content.folds is not None and back.folds is None:
        assert any("fold" in note for note in held.notes)
    lost = (content.pairs.human_prediction >= 0).any() and not (
        back.pairs.human_prediction >= 0
    ).any()
    assert not lost or any("person" in note for note in held.notes)


def test_kept_is_kept(name, tmp_path):
    """What `KEEPS` names comes back of a set that has all of it, where it can be held at all."""
    content, path = EXAMPLES[name](), tmp_path / "x"
    keeps = format_named(name).KEEPS
    pairs = content.pairs
    human = np.where(np.arange(len(pairs)) % 3 == 0, 1, -1)
    invalid = (np.arange(len(pairs)) % 7 == 6).astype(np.int8)
    marked = PairSet(pairs.path_a, pairs.path_b, pairs.label, human, invalid)
    if "invalid" not in keeps:
        invalid = np.zeros_like(invalid)
        marked = PairSet(pairs.path_a, pairs.path_b, pairs.label, human, invalid)
    write_pairs(Pairs(marked, content.folds), path, name)
    back = read_pairs(path, name).pairs
    before, after = (dict(zip(p.keys, range(len(p)), strict=True)) for p in (marked, back))
    assert before.keys() == after.keys()
    order = [after[key] for key in marked.keys]
    expected = human if "human_prediction" in keeps else np.full(len(pairs), -1)
    assert back.human_prediction[order].tolist() == expected.tolist()
    assert back.invalid[order].tolist() == invalid.tolist()
    assert back.label[order].tolist() == marked.label.tolist()


def test_the_same_pairs_give_the_same_bytes(name, example, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_pairs(example, tmp_path / folder / "x", name)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_file_edited_elsewhere(name, example, tmp_path):
    """A byte-order mark, CRLF and blank lines at the end change nothing."""
    path = tmp_path / FILES.get(name, "x")
    write_pairs(example, path, name)
    content = path.read_bytes()
    if name in BINARY:
        with pytest.raises(UnicodeDecodeError):
            content.decode()
        return
    path.write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n") + b"\r\n\r\n\n")
    assert name in candidates(path)
    assert same(read_pairs(path, name), example, name)


def test_progress_ends_with_all_done(name, example, tmp_path):
    path = tmp_path / "x"
    write_pairs(example, path, name)
    seen = []
    read_pairs(path, name, progress=lambda done, total: seen.append((done, total)))
    assert seen
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize(
    "ugly",
    ["\n", "\r", "\t", "a\tb", "\u2028", "\x85", " lead", "trail ", "\ufeffmark", "1", "a 1", "{}",
     "'", '"', "\\", ",", "#", "%20", "ﬁ", "e\u0301", "🙂", "-", "\ud800", "10\t300"],
)  # fmt: skip
def test_ugly_names_come_back_or_are_refused(name, ugly, tmp_path):
    """In the first row, and in the form that LFW's names have."""

    def face(identity, number):
        return f"{identity}/{identity}_{number:04d}.jpg"

    pairs = PairSet.of(
        [face(ugly, 1), face("x", 1), face("y", 1), face(ugly, 3)],
        [face(ugly, 2), face("x", 2), face("z", 1), face("x", 4)],
        [1, 1, 0, 0],
    )
    path = tmp_path / "x"
    held, told = tried(lambda: write_pairs(Pairs(pairs), path, name))
    if held is None:
        assert told.startswith(f"{name} cannot hold ")
        assert not list(tmp_path.iterdir())
        return
    assert same(read_pairs(path, name), held, name)


def test_a_failed_write_leaves_the_old_file(name, tmp_path):
    path = tmp_path / "x"
    path.write_text("mine")
    # Lone surrogates are no text: no format holds them.
    bad = PairSet.of(["\ud800/1.jpg"], ["a/a_0001.jpg"], [0])
    with pytest.raises(SourceError):
        write_pairs(Pairs(bad), path, name)
    assert digest(tmp_path) == [("x", hashlib.sha256(b"mine").hexdigest())]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\0\1\2\3" * 99, b"\xff\xfe1\0", b"just words\nand more\n", b"\xe9\n"],
)
def test_what_is_no_such_file_is_refused(name, content, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(str(path))):
        read_pairs(path, name)
    with pytest.raises(SourceError, match=re.escape(str(path))):
        sniff(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_opened(name, protocol, tmp_path):
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps(([b"\xff\xd8jpeg", b"\xff\xd8more"], [True]), protocol))
    for read in (lambda: read_pairs(path, name), lambda: sniff(path)):
        with pytest.raises(SourceError, match=r"(?s)lfw.bin: this is a Python pickle.*pickle.load"):
            read()


def test_what_a_pickle_s_refusal_says_to_run(tmp_path, monkeypatch):
    path = tmp_path / "lfw.bin"
    # Bytes, as most of them have, and arrays, as some do.
    pictures = [b"one", b"two", np.frombuffer(b"three", np.uint8), b"four"]
    path.write_bytes(pickle.dumps((pictures, [True, False])))
    _, told = tried(lambda: sniff(path))
    program = textwrap.dedent("\n".join(x for x in told.split("\n") if x.startswith("    ")))
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "message", "exec"), {})
    found = read_pairs(tmp_path / "pairs.jsonl").pairs
    assert found.label.tolist() == [1, 0]
    assert [len(set(found.names(row))) for row in (0, 1)] == [1, 2]
    faces = np.stack([found.path_a, found.path_b], axis=1).ravel()
    written = [(tmp_path / "faces" / face).read_bytes() for face in faces]
    assert written == [b"one", b"two", b"three", b"four"]


def test_no_file_and_a_folder(name, tmp_path):
    with pytest.raises(SourceError, match="no such"):
        read_pairs(tmp_path / "x", name)
    with pytest.raises(SourceError, match="a folder"):
        read_pairs(tmp_path, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(name, tmp_path):
    """It gives its content but once, and a file is read for what it is, and then for its pairs."""
    os.mkfifo(tmp_path / "x")
    for given in (name, None):
        with pytest.raises(SourceError, match=r"x: a pipe; expected a file of pairs"):
            read_pairs(tmp_path / "x", given)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short(name, share, example, tmp_path):
    """A part of the pairs, or an error that names the file; never another pair."""
    path = tmp_path / "x"
    write_pairs(example, path, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    folds_of(path).unlink(missing_ok=True)
    back, told = tried(lambda: read_pairs(path, name))
    if back is None:
        assert told.startswith(str(path))
        return
    assert len(back.pairs) < len(example.pairs)
    # Where the cut goes through the last path, what is left of it is another.
    assert len(set(back.pairs.keys) - set(example.pairs.keys)) <= 1


def test_wrong_bytes_are_a_refusal_at_most(name, example, tmp_path):
    """Whatever somebody's disk or editor did: pairs, or an error that names the file."""
    path = tmp_path / "x"
    write_pairs(example, path, name)
    folds_of(path).unlink(missing_ok=True)
    whole = path.read_bytes()
    generator = np.random.default_rng(7)
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        for kind in generator.integers(0, 4, generator.integers(1, 4)):
            at = int(generator.integers(len(content)))
            if kind == 0:
                content[at] = generator.integers(256)
            elif kind == 1:
                del content[at : at + 3]
            elif kind == 2:
                content[at:at] = content[: int(generator.integers(1, 40))]
            else:
                content[at:at] = bytes(generator.choice(list(b'\n\t ,"0/-\0\xff'), 2).tolist())
        path.write_bytes(content)
        back, told = tried(lambda: read_pairs(path, name))
        assert back is not None or told.startswith(str(path))
        refused += back is None
    assert refused > 20


@pytest.mark.parametrize("kind", ["csv", "jsonl", "sllfw", "calfw", "lfw"])
@pytest.mark.parametrize("shift", range(4))
def test_a_long_file_is_known_by_its_beginning(kind, shift, tmp_path):
    """The beginning that is looked at ends within a line, and within a letter of some bytes."""
    people = [f"{'x' * shift}橘雪🙂 {number}" for number in range(2000)]
    a = [f"{name}/{name}_0001.jpg" for name in people]
    b = [f"{name}/{name}_0002.jpg" for name in people]
    c = [*a[1:], a[0]]
    pairs = PairSet.of(a + a, b + c, np.repeat([1, 0], 2000))
    path = tmp_path / "x"
    write_pairs(Pairs(pairs), path, kind)
    assert path.stat().st_size > 65536
    assert sniff(path) == kind
    assert read_pairs(path).pairs == pairs


def test_options_that_a_format_has_not(name, example, tmp_path):
    with pytest.raises(SourceError, match=f"{name} has no option 'colour'"):
        write_pairs(example, tmp_path / "x", name, colour="red")
    with pytest.raises(SourceError, match=f"{name} has no option 'colour'"):
        read_pairs(tmp_path / "x", name, colour="red")
    assert not list(tmp_path.iterdir())


def test_formats_that_are_not_there(tmp_path):
    with pytest.raises(SourceError, match="no format 'xml'; there are csv, "):
        format_named("xml")
    (tmp_path / "x").write_text("a b c d e\n")
    with pytest.raises(SourceError, match=r"(?s)looks like none .* --from-format .*  sllfw: "):
        sniff(tmp_path / "x")
    assert set(ENDINGS.values()) <= set(FORMATS)


def test_folds_that_do_not_fit():
    with pytest.raises(SourceError, match="3 folds for 60 pairs"):
        Pairs(of_any_kind().pairs, Folds(np.array([1, 1, 2])))
