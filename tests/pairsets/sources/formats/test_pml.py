"""Index tuples: what the arrays mean, and archives that are not what they seem."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from support.format_examples import of_any_kind

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.sources.formats import Pairs, pml

PATHS = np.array(["a/0", "a/1", "b é/2", "c/3"])


def archive(tmp_path, **arrays):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, **arrays)
    return path


def found(content):
    pairs = content.pairs
    return [*zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)]


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, ">i4"])
def test_pairs_by_their_indices(tmp_path, kind):
    columns = {"a1": [0], "p": [1], "a2": [2, 0], "n": [1, 3]}
    arrays = {name: np.array(column, kind) for name, column in columns.items()}
    content = pml.read(archive(tmp_path, **arrays, paths=PATHS, other=np.array([None])))
    assert found(content) == [("a/0", "a/1", 1), ("b é/2", "a/1", 0), ("a/0", "c/3", 0)]
    assert not content.dropped


def test_triplets(tmp_path):
    arrays = {"a": [0, 0, 1], "p": [1, 1, 0], "n": [2, 3, 2]}
    content = pml.read(archive(tmp_path, **arrays, paths=PATHS))
    assert found(content) == [
        ("a/0", "a/1", 1), ("a/0", "b é/2", 0), ("a/0", "c/3", 0), ("a/1", "b é/2", 0),
    ]  # fmt: skip
    assert content.notes == ("1 times a pair stands in a further triplet",)
    # The same pair the other way round is another entry.
    assert dict(content.dropped) == {"pairs listed again": 1}


def test_repeats_and_faces_with_themselves_are_counted(tmp_path):
    arrays = {"a1": [0, 1, 2], "p": [1, 0, 2], "a2": [2, 2], "n": [1, 1], "paths": PATHS}
    content = pml.read(archive(tmp_path, **arrays))
    assert found(content) == [("a/0", "a/1", 1), ("b é/2", "a/1", 0)]
    assert dict(content.dropped) == {"pairs listed again": 2, "faces paired with themselves": 1}


def test_what_is_written_is_what_losses_take(tmp_path):
    content = of_any_kind(count=100)
    held = pml.write(content, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        paths = arrays["paths"]
        for label, names in ((1, ("a1", "p")), (0, ("a2", "n"))):
            chosen = content.pairs.take(content.pairs.valid & (content.pairs.label == label))
            for name, side in zip(names, (chosen.path_a, chosen.path_b), strict=True):
                assert arrays[name].dtype == np.int64
                assert paths[arrays[name]].tolist() == side.tolist()
    assert found(pml.read(tmp_path / "x.npz")) == found(held)


def test_indices_of_another_list_of_images(tmp_path):
    images = tmp_path / "images.csv"
    images.write_text("sha256,path\nx,z/9\ny,a/1\nz,a/0\nw,b/1\n")
    pairs = PairSet.of(["a/0", "b/1"], ["a/1", "a/0"], [1, 0])
    pml.write(Pairs(pairs), tmp_path / "x.npz", images=str(images))
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert [arrays[name].tolist() for name in ("a1", "p", "a2", "n")] == [[2], [1], [3], [2]]
        bare = {name: arrays[name] for name in ("a1", "p", "a2", "n")}
    path = archive(tmp_path, **bare)
    assert found(pml.read(path, images=images)) == [("a/0", "a/1", 1), ("b/1", "a/0", 0)]
    with pytest.raises(SourceError, match=r"no array paths; .* the option images"):
        pml.read(path)
    images.write_text("sha256,path\nx,z/9\n")
    with pytest.raises(SourceError, match=r"pml cannot hold 'a/0': .*images.csv does not list it"):
        pml.write(Pairs(pairs), tmp_path / "y.npz", images=images)
    images.write_text("path\na/0\nb/1\na/0\n")
    with pytest.raises(SourceError, match=r"images.csv, line 4: 'a/0' is listed twice"):
        pml.read(path, images=images)
    images.write_text("image\na/0\n")
    with pytest.raises(SourceError, match="line 1: no column path; it has image"):
        pml.read(path, images=images)
    assert not (tmp_path / "y.npz").exists()


GOOD = {"a1": [0], "p": [1], "a2": [2], "n": [1], "paths": PATHS}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a1": [0.0]}, "a1 is float64 of shape"),
        ({"a1": [True]}, "a1 is bool"),
        ({"n": [[1]]}, r"n is int64 of shape \(1, 1\)"),
        ({"n": 1}, r"n is int64 of shape \(\)"),
        ({"p": [1, 2]}, "a1, p have 1, 2 indices"),
        ({"a2": []}, "a2 is float64"),
        ({"n": [4]}, r"n\[0\] is 4; expected 0 to 3, an index of the 4 pictures"),
        ({"a1": [-1]}, r"a1\[0\] is -1"),
        ({"p": np.array([2**64 - 1], np.uint64)}, r"p\[0\] is 18446744073709551615"),
        ({"paths": np.array([b"a/0"] * 4)}, "paths is .S3 of shape"),
        ({"a2": [1], "n": [0]}, "have label 0, and 1 in"),
        ({"paths": np.array(["a", "../b", "c", "d"])}, "leaves its folder"),
    ],
)
def test_arrays_that_are_wrong(tmp_path, arrays, message):
    path = archive(tmp_path, **{**GOOD, **arrays})
    with pytest.raises(SourceError, match=message) as error:
        pml.read(path)
    assert str(path) in str(error.value)


def test_no_pickle_is_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    for name in ("a1", "paths"):
        path = archive(tmp_path, **{**GOOD, name: np.array([Bomb()], object)})
        with pytest.raises(
            SourceError, match=f"{name} is object .*a pickle, which is never loaded"
        ):
            pml.read(path)
    assert not (tmp_path / "harm").exists()


def rebuilt(tmp_path, name, content):
    """A sound archive, with one part replaced."""
    path = archive(tmp_path, **GOOD)
    with zipfile.ZipFile(path) as old:
        parts = {part: old.read(part) for part in old.namelist()}
    parts[name] = content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part, data in parts.items():
            new.writestr(part, data)
    return path


@pytest.mark.parametrize("shape", [(2,), (10**12,)])
def test_a_header_that_promises_more_than_there_is(tmp_path, shape):
    """It would ask for terabytes before the lie is found."""
    stream = io.BytesIO()
    header = {"descr": "<i8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    for name in ("a1", "n"):
        path = rebuilt(tmp_path, f"{name}.npy", stream.getvalue() + b"\0" * 8)
        with pytest.raises(SourceError, match=rf"{name} has .* header has {128 + 8 * shape[0]};"):
            pml.read(path)


@pytest.mark.parametrize(
    "content", [b"", b"no array", b"\x93NUMPY\x07\x00", b"\x93NUMPY\x01\x00\xff"]
)
def test_parts_that_are_no_arrays(tmp_path, content):
    with pytest.raises(SourceError, match=r"x.npz: a1 is no numpy array"):
        pml.read(rebuilt(tmp_path, "a1.npy", content))


def test_archives_of_other_things(tmp_path):
    path = archive(tmp_path, x=[1], y=[2])
    assert not pml.looks_like(path, path.read_bytes())
    with pytest.raises(SourceError, match="arrays x, y; expected arrays a1, p, a2, n, or a, p, n"):
        pml.read(path)


def test_a_damaged_archive(tmp_path):
    content = archive(tmp_path, **GOOD).read_bytes()
    refused = 0
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 0x5A
        (tmp_path / "y.npz").write_bytes(damaged)
        try:
            back = pml.read(tmp_path / "y.npz")
        except SourceError:
            refused += 1
        else:  # the byte says nothing of the arrays, such as one of a date
            assert found(back) == [("a/0", "a/1", 1), ("b é/2", "a/1", 0)]
    assert refused > len(content) / 2
