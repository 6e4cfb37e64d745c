"""Vectors from elsewhere as embeddings: every kind of file, and one refusal for each bad input."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from support.command_line import lookalikes
from support.refusals import refused

from mining import Embeddings

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

# Out of order, as another tool leaves them.
PATHS = [
    f"{who}/{number}.jpg" for number in (3, 1, 2) for who in ("rei", "asuka", "mari", "shinji")
]
DIMENSIONS = 6


def vectors(seed=0):
    return np.random.default_rng(seed).standard_normal((len(PATHS), DIMENSIONS)).astype(np.float32)


def unit(array):
    wide = np.asarray(array, np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", vectors())
    (tmp_path / "n.txt").write_text("".join(f"{path}\n" for path in PATHS))
    return tmp_path


def import_in(*options, out="e"):
    return lookalikes("import", *options, "--out", out)


def by_path(folder="e"):
    found = Embeddings.load(folder)
    return dict(zip(found.faces.paths, np.array(found.vectors), strict=True))


def check(folder="e", expected=None, paths=PATHS):
    found = by_path(folder)
    assert list(found) == sorted(paths)
    for path, vector in zip(paths, unit(vectors()) if expected is None else expected, strict=True):
        np.testing.assert_allclose(found[path], vector, atol=1e-6)


def write_fvecs(path, rows):
    with path.open("wb") as stream:
        for row in rows:
            stream.write(np.int32(len(row)).tobytes() + np.asarray(row, "<f4").tobytes())


def write_parquet(out, kind, rows=None, **columns):
    rows = vectors().tolist() if rows is None else rows
    table = {"embedding": pa.array(rows, kind), **{k: pa.array(v) for k, v in columns.items()}}
    pq.write_table(pa.table(table), out, row_group_size=5)


def make(home, kind):
    """A file of vectors of each kind, and the options that go with it."""
    names = ("--names", "n.txt")
    x = vectors()
    if kind == "npz":
        np.savez("v.npz", embeddings=x, paths=np.array(PATHS), threshold=np.float64(3))
        return ("v.npz",)
    if kind == "npz, bytes, labels":
        np.savez("v.npz", x=x, files=np.array(PATHS, "S"), scores=np.ones(len(PATHS)))
        return ("v.npz",)
    if kind == "safetensors":
        save_file({"x": x}, "v.safetensors", {"paths": json.dumps(PATHS), "format": "pt"})
        return ("v.safetensors",)
    if kind == "pt":
        torch.save(torch.from_numpy(x), "v.pt")
        return ("v.pt", *names)
    if kind == "pt, dict":
        torch.save({"embeddings": torch.from_numpy(x), "paths": PATHS, "epoch": 3}, "v.pt")
        return ("v.pt",)
    if kind == "fvecs":
        write_fvecs(home / "v.fvecs", x)
        return ("v.fvecs", *names)
    if kind.startswith("parquet"):
        inner = {"parquet": pa.list_(pa.float32()), "parquet, double": pa.list_(pa.float64())}
        inner["parquet, fixed"] = pa.list_(pa.float32(), DIMENSIONS)
        write_parquet("v.parquet", inner[kind], path=PATHS)
        return ("v.parquet",)
    if kind == "column-wise":
        np.save("v.npy", np.asfortranarray(x))
    elif kind == "float64":
        np.save("v.npy", x.astype(np.float64) * 1e60)
    return ("v.npy", *names)


@pytest.mark.parametrize(
    "kind",
    ["npy", "column-wise", "float64", "npz", "npz, bytes, labels", "safetensors", "pt", "pt, dict",
     "fvecs", "parquet", "parquet, double", "parquet, fixed"],
)  # fmt: skip
def test_every_kind_of_file(home, kind):
    assert import_in(*make(home, kind)).code == 0
    check()
    found = Embeddings.load("e")
    assert found.faces.identities.tolist() == [path.split("/")[0] for path in sorted(PATHS)]
    assert found.manifest["fingerprint"].startswith("imported-")
    assert not (home / "e" / "identities.csv").exists()


@pytest.mark.parametrize(("dtype", "exact"), [(torch.bfloat16, 1e-2), (torch.float16, 1e-3)])
def test_half_precision(home, dtype, exact):
    torch.save(torch.from_numpy(vectors()).to(dtype), "v.pt")
    assert import_in("v.pt", "--names", "n.txt").code == 0
    for path, vector in zip(PATHS, unit(vectors()), strict=True):
        np.testing.assert_allclose(by_path()[path], vector, atol=exact)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n.csv", "path\n" + "\n".join(PATHS)),
        ("n.csv", "\n".join(PATHS)),
        ("n.csv", "score,file\n" + "\n".join(f"0.5,{path}" for path in PATHS)),
        ("n.tsv", "score\tfile\n" + "\n".join(f"0.5\t{path}" for path in PATHS)),
        ("n.txt", "\ufeffpath\r\n" + "\r\n".join(PATHS) + "\r\n\r\n"),
        ("n.txt", "\n".join(path.replace("/", "\\") for path in PATHS)),
        ("n.json", json.dumps(PATHS)),
        ("n.json", json.dumps({"paths": PATHS, "model": "x"})),
        ("n.json", json.dumps([{"path": path} for path in PATHS])),
    ],
    ids=["header", "no header", "columns", "tabs", "titled lines", "backslashes", "list", "object",
         "objects"],
)  # fmt: skip
def test_every_kind_of_names(home, name, text):
    (home / name).write_bytes(text.encode())
    assert import_in("v.npy", "--names", name).code == 0
    check()


def test_pairs_are_those_of_a_naive_search(home):
    import_in("v.npy", "--names", "n.txt")
    lookalikes("mine", "e", "--pairs", 7, "--out", "a.csv")
    lines = (home / "a.scores.csv").read_text().splitlines()[1:]
    mined = [tuple(line.split(",")[:2]) for line in lines]
    rows = dict(zip(PATHS, unit(vectors()), strict=True))
    pairs = [
        (-float(rows[a] @ rows[b]), a, b)
        for a, b in itertools.combinations(sorted(PATHS), 2)
        if a.split("/")[0] != b.split("/")[0]
    ]
    best = {(a, b) for _, a, b in sorted(pairs)[:7]}
    assert best <= {*mined}


def test_no_row_gets_another_ones_vector_where_rows_are_left_out(home):
    """The first in the order of paths too, beside a row that is left out."""
    x = vectors()
    bad = {4: np.nan, 5: 0.0, 11: np.inf}
    for row, value in bad.items():
        x[row] = value
    np.save("v.npy", x)
    found = import_in("v.npy", "--names", "n.txt", "--on-error", "skip")
    assert "3 left out: rows that are zero or not finite" in found.summary
    kept = [row for row in range(len(PATHS)) if row not in bad]
    check(expected=unit(x[kept]), paths=[PATHS[row] for row in kept])
    skipped = Embeddings.load("e").skipped
    assert {*skipped} == {PATHS[row] for row in bad}
    assert skipped[PATHS[5]] == "its vector: all zero"
    assert all(np.array(Embeddings.load("e").vectors).any(axis=1))


def test_rows_without_an_identity_are_left_out(home):
    lines = [f"{path},{path.split('/')[0].upper()}" for path in PATHS[2:]]
    (home / "who.csv").write_text("path,identity\n" + "\n".join(lines))
    assert import_in("v.npy", "--names", "n.txt", "--identities", "who.csv").code == 0
    check(expected=unit(vectors())[2:], paths=PATHS[2:])
    assert {*Embeddings.load("e").faces.identities} == {"REI", "ASUKA", "MARI", "SHINJI"}


@pytest.mark.parametrize("options", [(), ("--identity-field", "label")])
def test_a_column_says_who_is_shown(home, options):
    labels = [7, 1, 4, 2] * 3
    np.savez("v.npz", x=vectors(), paths=np.array(PATHS), label=np.array(labels))
    found = import_in("v.npz", *options)
    assert ("is taken from 'label' of v.npz" in found.summary) == (not options)
    told = dict(zip(PATHS, map(str, labels), strict=True))
    faces = Embeddings.load("e").faces
    assert dict(zip(faces.paths, faces.identities, strict=True)) == told


def test_names_and_vectors_may_be_chosen(home):
    np.savez("v.npz", x=vectors(), y=vectors(1), path=np.array(PATHS), image=np.array(PATHS[::-1]))
    assert import_in("v.npz", "--key", "y", "--names", "path=v.npz").code == 0
    check(expected=unit(vectors(1)))


def test_an_inner_product_keeps_lengths(home):
    assert import_in("v.npy", "--names", "n.txt", "--similarity", "inner_product").code == 0
    check(expected=vectors())
    assert Embeddings.load("e").similarity == "inner_product"


def test_unequal_lengths_are_told(home):
    x = unit(vectors())
    np.save("v.npy", x)
    assert "lengths are unequal" not in import_in("v.npy", "--names", "n.txt").summary
    x[3] *= 5
    np.save("v.npy", x)
    told = import_in("v.npy", "--names", "n.txt", out="f").summary
    assert "unequal: 1 to 5, half of them below 1." in told
    assert "--similarity inner_product" in told
    options = ("--names", "n.txt", "--similarity", "cosine")
    assert "unequal" not in import_in("v.npy", *options, out="g").summary


def test_one_model_in_two_folders(home):
    import_in("v.npy", "--names", "n.txt", "--name", "arcface", out="gallery")
    np.save("w.npy", vectors(5))
    refusal = import_in("w.npy", "--names", "n.txt", out="probes")
    assert refusal.code == 0
    assert "vectors of two models" in lookalikes("identify", "gallery", "probes", "--out", "i").err
    options = ("--names", "n.txt", "--same-model", "gallery", "--overwrite")
    assert import_in("w.npy", *options, out="probes").code == 0
    assert lookalikes("identify", "gallery", "probes", "--out", "i").code == 0
    assert Embeddings.load("probes").model == "imported:arcface"


def test_pictures_are_looked_at(home):
    for row, path in enumerate(PATHS):
        (home / "faces" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (row, 9 * row, 3)).save(home / "faces" / path)
    (home / "n.txt").write_text("\n".join(str(home / "faces" / path) for path in PATHS))
    told = refused(home, "import", "v.npy", "--names", "n.txt", "--out", "e")
    assert "is absolute" in told
    assert "--faces" in told
    assert import_in("v.npy", "--names", "n.txt", "--faces", "faces").code == 0
    check()
    assert Embeddings.load("e").saw_pictures
    audited = lookalikes("audit", "faces", "--embeddings", "e", "--out", "audit.csv")
    assert audited.code == 0, audited.err
    (home / "faces" / PATHS[0]).unlink()
    options = ("import", "v.npy", "--names", "n.txt", "--faces", "faces", "--out", "f")
    assert f"{PATHS[0]!r} is not there" in refused(home, *options)


def test_an_import_is_never_replaced_by_embed(home):
    Image.new("RGB", (8, 8)).save(home / "x.png")
    (home / "faces" / "a").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(home / "faces" / "a" / "1.png")
    import_in("v.npy", "--names", "n.txt")
    told = refused(home, "embed", "faces", "--model", "pixels", "--out", "e")
    assert told == (
        "e: holds vectors from elsewhere, which cannot be made again here; choose another folder"
    )


def test_same_bytes_again(home):
    for out in ("e", "f"):
        import_in("v.npy", "--names", "n.txt", out=out)
    for name in ("vectors.npy", "images.csv", "manifest.json"):
        assert (home / "e" / name).read_bytes() == (home / "f" / name).read_bytes()
    assert "exists" in refused(home, "import", "v.npy", "--names", "n.txt", "--out", "e")


class Bomb:
    """Raises where it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def changed(rows):
    x = vectors().astype(np.float64)
    for row, value in rows.items():
        x[row] = value
    np.save("v.npy", x)


def lines(*texts):
    return text("n.txt", "\n".join(texts))


def text(name, content):
    return lambda: Path(name).write_text(content)


def archive(**arrays):
    return lambda: np.savez("v.npz", **arrays)


def cut(name, size):
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[:-size])


def fvecs(rows, end=b""):
    def write():
        write_fvecs(Path("v.fvecs"), rows)
        with Path("v.fvecs").open("ab") as stream:
            stream.write(end)

    return write


X = vectors()
TEXT = ("v.npy", "--names", "n.txt")
BAD = {
    "header line": (lines("Filenames", *PATHS), TEXT,
        "v.npy has 12 rows and n.txt 13 names; expected one name a row: is its first line, "
        "'Filenames', a header? Take it out"),
    "line missing": (lines(*PATHS[:-1]), TEXT, "v.npy has 12 rows and n.txt 11 names"),
    "transposed": (lambda: np.save("v.npy", X.T.copy()), TEXT, "is the array transposed?"),
    "blank line": (lines(*PATHS[:3], "", *PATHS[3:]), TEXT, "n.txt, line 4: empty"),
    "no names": (lambda: None, ("v.npy",), "v.npy: no names of its rows in it; give --names FILE"),
    "twice": (lines(*PATHS[:11], PATHS[2]), TEXT,
        "n.txt: 'mari/3.jpg' is named in line 3 and in line 12; expected each face once"),
    "two spellings": (lines(*PATHS[:11], "REI/1.jpg"), TEXT, "'REI/1.jpg'"),
    "leaves": (lines(*PATHS[:11], "../x/1.jpg"), TEXT, "n.txt, line 12: the path '../x/1.jpg' "
        "leaves its folder"),
    "flat": (lines(*(path.replace("/", "_") for path in PATHS)), TEXT, "--identity-pattern"),
    "nested": (lines(*(f"a/{path}" for path in PATHS)), TEXT, "which one is the identity?"),
    "nan": (lambda: changed({2: np.nan, 7: np.inf}), TEXT, "v.npy: 2 rows cannot be used (counted "
        "from 0): row 2: nan in column 0; row 7: inf in column 0. Such"),
    "zero": (lambda: changed({9: 0}), TEXT, "row 9: all zero. Such"),
    "overflow": (lambda: changed({9: 1e39}), (*TEXT, "--similarity", "inner_product"),
        "row 9: too large for float32"),
    "underflow": (lambda: changed({9: 1e-60}), (*TEXT, "--similarity", "inner_product"),
        "row 9: all zero as float32, too small for it"),
    "all bad": (lambda: np.save("v.npy", X * 0), (*TEXT, "--on-error", "skip"),
        "v.npy: none of its 12 rows can be used"),
    "objects": (lambda: np.save("v.npy", np.array([Bomb()] * 12, object)), TEXT,
        "v.npy: holds Python objects, which would have to be unpickled"),
    "object in archive": (archive(x=X, paths=np.array(PATHS, object)), ("v.npz",),
        "no names of its rows in it"),
    "object chosen": (archive(x=X, paths=np.array(PATHS, object)),
        ("v.npz", "--names", "paths=v.npz"), "v.npz: 'paths' holds Python objects"),
    "complex": (lambda: np.save("v.npy", X.astype(complex)), TEXT, "v.npy: complex128 numbers"),
    "whole numbers": (lambda: np.save("v.npy", X.astype(np.int8)), TEXT,
        "v.npy: int8 numbers; expected floating point"),
    "one dimension": (lambda: np.save("v.npy", X[:, 0]), TEXT,
        "v.npy: an array of shape (12,); expected (N, D)"),
    "three dimensions": (lambda: np.save("v.npy", X[None]), TEXT, "shape (1, 12, 6)"),
    "one number a row": (lambda: np.save("v.npy", X[:, :1]), TEXT, "are these scores or labels?"),
    "empty": (lambda: np.save("v.npy", X[:0]), TEXT, "an empty array (0, 6)"),
    "cut": (cut("v.npy", 100), TEXT, "v.npy: 188 bytes where an array (12, 6) of float32 has 288"),
    "no array": (text("v.npy", "x" * 99), TEXT,
        "no array of NumPy's, or damaged"),
    "several arrays": (archive(a=X, b=X), ("v.npz", "--names", "n.txt"),
        "v.npz: 2 arrays may be the vectors; choose one with --key; there are 'a' (float32 (12, "
        "6)), 'b' (float32 (12, 6))"),
    "no such array": (archive(a=X), ("v.npz", "--key", "b", "--names", "n.txt"),
        "v.npz: no array 'b'; there are 'a' (float32 (12, 6))"),
    "several tensors": (lambda: save_file({"a": X, "b": X}, "v.safetensors"),
        ("v.safetensors", "--names", "n.txt"), "2 arrays may be the vectors"),
    "several in pt": (lambda: torch.save({"a": torch.ones(12, 6), "b": torch.ones(12, 6)}, "v.pt"),
        ("v.pt", "--names", "n.txt"), "2 arrays may be the vectors"),
    "no archive": (text("v.npz", "x"), ("v.npz",),
        "no .npz archive, or damaged"),
    "no safetensors": (text("v.safetensors", "x"),
        ("v.safetensors",), "no .safetensors file, or damaged"),
    "pickle in pt": (lambda: torch.save({"x": Bomb()}, "v.pt"), ("v.pt",), "v.pt: refused: more "
        "than tensors"),
    "pickle": (text("v.pkl", "x"), ("v.pkl",),
        "v.pkl: a pickle"),
    "unequal fvecs": (fvecs([[1, 2, 3], [1, 2, 3, 4], [1, 2, 3]]), ("v.fvecs", *TEXT[1:]),
        "v.fvecs: row 1 (counted from 0) has 4 dimensions, row 0 has 3"),
    "cut fvecs": (fvecs([[1, 2, 3]] * 12, b"abcd"), ("v.fvecs", *TEXT[1:]),
        "v.fvecs: 4 bytes behind row 11 (counted from 0), where a vector of 3 dimensions has 16"),
    "no fvecs": (fvecs([], b"no vectors"), ("v.fvecs", *TEXT[1:]), "expected .fvecs"),
    "ragged parquet": (lambda: write_parquet("v.parquet", pa.list_(pa.float32()),
        [*X[:11].tolist(), [1.0]], path=PATHS), ("v.parquet",),
        "column 'embedding' has 1 numbers in row 11 (counted from 0), and 6 in row 0"),
    "null in parquet": (lambda: write_parquet("v.parquet", pa.list_(pa.float32()),
        [*X[:11].tolist(), [None, *X[11, 1:].tolist()]], path=PATHS), ("v.parquet",),
        "row 11: nan in column 0"),
    "no row in parquet": (lambda: write_parquet("v.parquet", pa.list_(pa.float32()),
        [*X[:11].tolist(), None], path=PATHS), ("v.parquet",), "has nothing in row 11"),
    "two columns of names": (archive(x=X, path=np.array(PATHS), image=np.array(PATHS)), ("v.npz",),
        "v.npz: 'path', 'image' may be the names of the rows; choose one with --names COLUMN="),
    "two identities": (archive(x=X, path=np.array(PATHS), label=np.arange(12) // 4,
        person=np.arange(12) // 3), ("v.npz",), "may say who is shown; choose one"),
    "identity in each row": (archive(x=X, path=np.array(PATHS), id=np.arange(12)), ("v.npz",),
        "by its column 'id' 12 of 12 identities have one face alone"),
    "no such identity": (archive(x=X, path=np.array(PATHS)),
        ("v.npz", "--identity-field", "who"), "v.npz: no column 'who' of texts or whole numbers"),
    "ending": (text("v.bin", "x"), ("v.bin",),
        "v.bin: not a file of vectors by its ending; expected .npy, .npz"),
    "no file": (lambda: None, ("w.npy",), "w.npy: no such file of vectors"),
    "no file of names": (lambda: None, ("v.npy", "--names", "m.txt"), "m.txt: no such file of"),
    "name": (lambda: None, (*TEXT, "--name", "a/b"), "the name 'a/b': expected a word"),
    "other content": (lambda: (Path("e").mkdir(), Path("e/notes.txt").write_text("")), TEXT,
        "e: holds something else than embeddings ('notes.txt')"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_and_leaves_nothing(home, case):
    make_bad, options, told = BAD[case]
    make_bad()
    assert told in refused(home, "import", *options, "--out", "e")
    assert not (home / "e" / "vectors.npy").exists()


def test_other_model_is_refused(home):
    import_in("v.npy", "--names", "n.txt", out="gallery")
    np.save("w.npy", vectors()[:, :4])
    options = ("import", "w.npy", "--names", "n.txt", "--same-model", "gallery", "--out", "e")
    assert "4 dimensions, those in gallery have 6" in refused(home, *options)
    told = refused(home, *options, "--similarity", "inner_product")
    assert "compared by cosine, and --similarity says inner_product" in told


def test_a_full_disk_leaves_no_folder(home, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device", "e/images.csv")

    monkeypatch.setattr("mining.embeddings.foreign_vectors.write_csv", full)
    assert "No space left" in refused(home, "import", "v.npy", "--names", "n.txt", "--out", "e")
    assert not (home / "e").exists()
