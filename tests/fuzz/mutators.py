"""Ways to damage a file, each from a seed: bytes, text, and what JSON, tables and archives are of.

Nothing here is made to harm another program: pickles would touch a file of ours, archives name
files outside, and both are for our own guards to refuse.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

Mutator = Callable[[bytes, Random], bytes]

# Most files are small, and so is what they become.
LONGEST = 2**18
ODD_BYTES = (
    *(b"", b"\0", b"\0\0\0\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xff", b"\x1a"),
    *(b"\r", b"\n", b"\r\n", b"\n\n", b"\t", b" ", b'"', b'""', b"'", b",", b";", b"\\", b"/"),
    *(b"{}", b"[]", b"{", b"}", b"[", b"]", b"null", b"true", b"NaN", b"Infinity", b"-Infinity"),
    *(b"0", b"-0", b"-1", b"1e400", b"-1e400", b"1e-400", b"1e999999999", b"0x10", b"1_000"),
    *(b"9" * 20, b"9" * 400, b"9" * 5000, b"18446744073709551616", b"9223372036854775808"),
    *("٣".encode(), "　".encode(), "\u2028".encode(), "é".encode(), "\u202e".encode()),
    *(
        b"\\ud800",
        b"\\u0000",
        b'"\\ud800"',
        b"../",
        b"..\\",
        b"/etc/passwd",
        b"C:\\",
        b"nan",
        b"inf",
    ),
    *(b"a" * 300, b"a" * 5000, b"a/" * 200, b"," * 300, b"\n" * 300, b"<", b"&", b"<!DOCTYPE a>"),
    *(b"[" * 3000, b'{"a":' * 3000, b"(" * 200, b"\x80\x04", b"PK\x03\x04", b"PAR1", b"\x93NUMPY"),
)
ODD_TEXTS = (
    *(
        "",
        "\0",
        "\ud800",
        "a" * 300,
        "a" * 5000,
        "../../x",
        "/etc/passwd",
        "C:\\x",
        "a//b",
        ".",
        "..",
    ),
    *(
        "a\nb",
        "a\rb",
        "\u202e",
        "NaN",
        "1e400",
        "=1+1",
        "\ufeffa",
        " ",
        "名",
        "a/1.jpg",
        "x" * 2000 + "/1",
    ),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63) - 1),
    *(10**400, 1e308, float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], {"": None}),
    *([0] * 50, [1, 2, 3], ["a"], [["a", 1]], {"a": 1}, "0", "1", "-1"),
    *ODD_TEXTS,
)


class Canary:
    """What touches a file as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


# --- bytes -----------------------------------------------------------------------------------


def flip(data: bytes, dice: Random) -> bytes:
    """Some bits are others."""
    found = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16, 64)) if found else 0):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)
    return bytes(found)


def scribble(data: bytes, dice: Random) -> bytes:
    """Some bytes are others, one by one or in a row."""
    found = bytearray(data)
    if not found:
        return dice.randbytes(64)
    if dice.random() < 0.5:
        for _ in range(dice.choice((1, 4, 32, 200))):
            found[dice.randrange(len(found))] = dice.choice((0, 255, 127, 128, dice.randrange(256)))
    else:
        at = dice.randrange(len(found))
        found[at : at + 64] = dice.randbytes(dice.choice((1, 8, 64, 300)))
    return bytes(found)


def cut(data: bytes, dice: Random) -> bytes:
    """The end is missing, or the beginning."""
    at = dice.randrange(len(data) + 1)
    return data[:at] if dice.random() < 0.8 else data[at:]


def _slice(data: bytes, dice: Random) -> tuple[int, int]:
    start = dice.randrange(len(data) + 1)
    return start, min(len(data), start + dice.choice((1, 4, 16, 64, 512, 4096)))


def remove(data: bytes, dice: Random) -> bytes:
    """A slice is missing."""
    start, end = _slice(data, dice)
    return data[:start] + data[end:]


def repeat(data: bytes, dice: Random) -> bytes:
    """A slice is there several times."""
    start, end = _slice(data, dice)
    return data[:start] + data[start:end] * dice.choice((2, 3, 20)) + data[end:]


def swap(data: bytes, dice: Random) -> bytes:
    """Two slices have changed places."""
    a, b, c, d = sorted(dice.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def insert(data: bytes, dice: Random) -> bytes:
    """Something odd stands between, or in the place of some bytes, or in front."""
    at = 0 if dice.random() < 0.15 else dice.randrange(len(data) + 1)
    over = dice.choice((0, 0, 1, 4))
    return data[:at] + dice.choice(ODD_BYTES) + data[at + over :]


def replace(data: bytes, dice: Random) -> bytes:
    """The file is another one: empty, odd, or random."""
    return dice.choice((b"", *ODD_BYTES, dice.randbytes(300), b"a,b\n1,2\n", b"{}\n", b"[]\n"))


BYTES: tuple[Mutator, ...] = (
    flip,
    flip,
    scribble,
    cut,
    remove,
    repeat,
    swap,
    insert,
    insert,
    replace,
)


# --- text ------------------------------------------------------------------------------------


def token(data: bytes, dice: Random) -> bytes:
    """A word or number of a text is something odd."""
    marks = b' \t\n\r,;:"{}[]<>=/'
    ends = [at for at, byte in enumerate(data) if byte in marks]
    if len(ends) < 2:
        return insert(data, dice)
    at = dice.randrange(len(ends) - 1)
    return data[: ends[at] + 1] + dice.choice(ODD_BYTES) + data[ends[at + 1] :]


def lines(data: bytes, dice: Random) -> bytes:
    """Lines are missing, doubled, in another order, joined, or very long."""
    found = data.split(b"\n")
    at, other = dice.randrange(len(found)), dice.randrange(len(found))
    kind = dice.randrange(7)
    if kind == 0:
        del found[at]
    elif kind == 1:
        found.insert(other, found[at])
    elif kind == 2:
        found[at], found[other] = found[other], found[at]
    elif kind == 3:
        return b"\r\n".join(found)
    elif kind == 4:
        found[at] = found[at] * 50 + b"x" * 70000
    elif kind == 5:
        found[at : at + 2] = [b"".join(found[at : at + 2])]
    else:
        return dice.choice((b"\r", b"\0", b"\x0b")).join(found)
    return b"\n".join(found)


def cells(data: bytes, dice: Random) -> bytes:
    """A cell of a table is another, missing, there twice, or open; or a column is."""
    mark = max((b",", b"\t", b";", b" "), key=data[:2000].count)
    rows = [row.split(mark) for row in data.split(b"\n")]
    filled = [row for row in rows if len(row) > 1] or rows
    row = filled[0] if dice.random() < 0.2 else dice.choice(filled)
    at = dice.randrange(len(row))
    kind = dice.randrange(7)
    if kind == 0:
        row[at] = dice.choice(ODD_BYTES)
    elif kind == 1:
        row[at] = dice.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")
    elif kind == 2:
        del row[at]
    elif kind == 3:
        row.insert(at, row[at])
    elif kind == 4:
        row[at] = b'"' + row[at]
    elif kind == 5:
        row[at] = b'"' + b"y" * dice.choice((300, 140000)) + b'"'
    else:
        for one in filled:
            if at < len(one):
                one.insert(dice.randrange(len(one) + 1), one.pop(at))
    return b"\n".join(mark.join(row) for row in rows)


TEXT: tuple[Mutator, ...] = (*BYTES, token, token, lines, lines)
TABLE: tuple[Mutator, ...] = (*BYTES, token, lines, cells, cells, cells)


# --- JSON ------------------------------------------------------------------------------------


def _change(found: Any, dice: Random) -> Any:
    """A value of JSON with one value in it changed."""
    places: list[tuple[Any, Any]] = []
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            keys = list(one) if isinstance(one, dict) else range(len(one))
            places += [(one, key) for key in keys]
            waiting += [one[key] for key in keys]
    if not places or dice.random() < 0.05:
        return copy.deepcopy(dice.choice(ODD_VALUES))
    holder, key = dice.choice(places)
    kind = dice.randrange(8)
    if kind < 4:
        holder[key] = copy.deepcopy(dice.choice(ODD_VALUES))
    elif kind == 4:
        del holder[key]
    elif kind == 5:
        value: Any = holder[key]
        for _ in range(dice.choice((1, 3, 90, 120, 300))):
            value = [value] if dice.random() < 0.5 else {"a": value}
        holder[key] = value
    elif kind == 6 and isinstance(holder, dict):
        holder[dice.choice(ODD_TEXTS)] = holder.pop(key)
    elif isinstance(holder, list):
        holder.insert(0, copy.deepcopy(dice.choice(ODD_VALUES)))
    else:
        other, place = dice.choice(places)
        # Copies: a value must not come to hold itself.
        here, there = copy.deepcopy(holder[key]), copy.deepcopy(other[place])
        holder[key], other[place] = there, here
    return found


def json_values(data: bytes, dice: Random) -> bytes:
    """A value of JSON, or of a line of it, is another, missing, nested, or under another key."""
    try:
        whole = [data] if dice.random() < 0.7 else data.split(b"\n")
        try:
            json.loads(whole[0])
        except ValueError:
            whole = data.split(b"\n")
        at = dice.randrange(len(whole))
        found = json.loads(whole[at])
        for _ in range(dice.choice((1, 1, 1, 2, 5))):
            found = _change(found, dice)
        whole[at] = json.dumps(found).encode()
        text = b"\n".join(whole)
    except (ValueError, RecursionError):  # no JSON, or a value that now holds itself
        return token(data, dice)
    if dice.random() < 0.08:  # a key that is there twice
        start = text.find(b'"', dice.randrange(len(text) + 1))
        return text[:start] + b'"a": 1, "a": 2, ' + text[start:] if start >= 0 else text
    if dice.random() < 0.05:
        text = text.replace(b"null", b"9" * 5000, 1)
    return text


JSON: tuple[Mutator, ...] = (*BYTES, token, token, lines, *(json_values,) * 8)


# --- archives and arrays ---------------------------------------------------------------------


def pickled(data: bytes, dice: Random, canary: Path | None = None) -> bytes:
    """A pickle that would touch a file, in any protocol."""
    found = pickle.dumps([Canary(canary or CANARY)], protocol=dice.randrange(6))
    return found if dice.random() < 0.5 else found + data


# Where pickles would touch a file; who runs the inputs looks whether one did.
CANARY = Path("canary")


def npy(data: bytes, dice: Random) -> bytes:
    """An array of another kind, or whose head says other than what follows."""
    kind = dice.randrange(9)
    stream = io.BytesIO()
    if kind == 0:
        np.save(stream, np.array([Canary(CANARY)], object), allow_pickle=True)
        return stream.getvalue()
    if kind < 5:
        shapes: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 0), (1, 2, 3), (5, 4))
        dtypes = ("<f4", ">f4", "<f8", "<i8", "|b1", "<U5", "|S3", "<c16", "<M8[D]", "<u8", "<f2")
        array = np.zeros(dice.choice(shapes), dice.choice(dtypes))
        if array.dtype.kind == "f" and array.size:
            array.flat[0] = dice.choice((np.nan, np.inf, -1.0))
        np.save(stream, array)
        return stream.getvalue()
    head = data.find(b"{", 0, 200)
    end = data.find(b"}", head, 400)
    if head < 0 or end < 0:
        return flip(data, dice)
    wild = dice.choice(
        (
            b"'shape': (99999999999999999999,)",
            b"'shape': (9223372036854775807, 9223372036854775807)",
            b"'shape': (-1, 4)",
            b"'shape': (True, 4)",
            b"'shape': ('a',)",
            b"'shape': 5",
            b"'shape': ()",
            b"'shape': (1000000, 100000)",
        )
    )
    descr = dice.choice(
        (b"'<f4'", b"'|O'", b"'<f4', 'x'", b"[('a', '<f4')]", b"'<V9999999'", b"''")
    )
    said = b"{'descr': " + descr + b", 'fortran_order': " + dice.choice((b"False", b"0", b"None"))
    text = said + b", " + wild + b"}"
    room = end + 1 - head
    return (
        data[:head] + (text.ljust(room)[:room] if dice.random() < 0.3 else text) + data[end + 1 :]
    )


def zipped(data: bytes, dice: Random) -> bytes:
    """An archive whose members are changed, renamed, doubled, missing or odd ones."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:
        return flip(data, dice)
    at = dice.randrange(len(members))
    name, content = members[at]
    kind = dice.randrange(8)
    if kind == 0:
        del members[at]
    elif kind == 1:
        members[at] = (
            dice.choice(("../out", "/out", "a\0b", "", "é", "x" * 300, name + "/")),
            content,
        )
    elif kind == 2:
        members.append(members[at])
    elif kind == 3:
        members[at] = (name, pickled(content, dice))
    elif kind == 4 or name.endswith((".json", ".pkl")):
        members[at] = (name, dice.choice((*BYTES, json_values))(content, dice))
    elif kind < 7:
        members[at] = (name, npy(content, dice) if name.endswith(".npy") else flip(content, dice))
    else:
        members.append((dice.choice(("../../canary", "extra", "content.npy")), b"x"))
    stream = io.BytesIO()
    packing = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    import warnings

    with zipfile.ZipFile(stream, "w", packing) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, packing)
    return stream.getvalue() if dice.random() < 0.7 else flip(stream.getvalue(), dice)


ZIP: tuple[Mutator, ...] = (*BYTES, *(zipped,) * 8, pickled)
NPY: tuple[Mutator, ...] = (*BYTES, *(npy,) * 5, pickled)
BINARY: tuple[Mutator, ...] = (*BYTES, pickled)


# --- Parquet ---------------------------------------------------------------------------------


def _odd_column(dice: Random, count: int) -> Any:
    import pyarrow as pa

    kinds: tuple[Callable[[], Any], ...] = (
        lambda: pa.array([None] * count),
        lambda: pa.array(
            [dice.choice((None, 2**63 - 1, -1, 0, 1)) for _ in range(count)], pa.int64()
        ),
        lambda: pa.array([2**64 - 1] * count, pa.uint64()),
        lambda: pa.array(
            [dice.choice((0.5, 1.0, float("nan"), float("inf"))) for _ in range(count)]
        ),
        lambda: pa.array([b"\xff\xfe"] * count, pa.binary()),
        lambda: pa.array([b"abc"] * count, pa.binary(3)),
        lambda: pa.array([{"a": 1, "b": None}] * count),
        lambda: pa.array([{"bytes": b"", "path": None}] * count),
        lambda: pa.array([{"bytes": "text", "path": 5}] * count),
        lambda: pa.array([{"path": "../x"}] * count),
        lambda: pa.array([[1, None]] * count),
        lambda: pa.array([[["a"]]] * count),
        lambda: pa.array([dice.choice(ODD_TEXTS[:2] + ODD_TEXTS[3:]) for _ in range(count)]),
        lambda: pa.array(["a", "b"][: min(count, 2)] * count, pa.string())[
            :count
        ].dictionary_encode(),
        lambda: pa.array([True, False, None] * count)[:count],
        lambda: pa.array([2**40] * count, pa.timestamp("us")),
        lambda: pa.array([2**62] * count, pa.timestamp("ns", tz="Nowhere/Land")),
        lambda: pa.array([3] * count, pa.date32()),
        lambda: pa.array([10**12] * count, pa.duration("s")),
        lambda: pa.array([1] * count, pa.decimal128(38, 2)),
        lambda: pa.array([[("k", 1), ("k", 2)]] * count, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([1.5] * count, pa.float16()),
    )
    return dice.choice(kinds)()


def parquet(data: bytes, dice: Random) -> bytes:
    """A table with a column of another name or kind, or other words of who wrote it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        columns, names = list(table.columns), list(table.column_names)
    except Exception:  # damaged already
        return flip(data, dice)
    if not table.num_columns:
        return flip(data, dice)
    metadata = dict(table.schema.metadata or {})
    for _ in range(dice.choice((1, 1, 2))):
        at = dice.randrange(len(columns))
        kind = dice.randrange(9)
        if kind < 3:
            columns[at] = _odd_column(dice, table.num_rows)
        elif kind == 3:
            names[at] = dice.choice(
                ("", "a\0b", "label.path", "bytes", names[0], "名", "x" * 3000, "image")
            )
        elif kind == 4 and len(columns) > 1:
            del columns[at], names[at]
        elif kind == 5:
            columns.append(_odd_column(dice, table.num_rows))
            names.append(dice.choice((names[0], "", "fold", "label", "image", "id")))
        else:
            told = metadata.get(
                b"huggingface", b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'
            )
            odd = dice.choice((json_values, *BYTES))(told, dice)
            metadata[b"huggingface"] = odd if dice.random() < 0.8 else dice.choice(ODD_BYTES)
    found = pa.Table.from_arrays(columns, names=names).replace_schema_metadata(metadata or None)
    stream = io.BytesIO()
    try:
        pq.write_table(found, stream, row_group_size=dice.choice((1, 3, 1000)))
    except Exception:  # what Parquet cannot hold
        return flip(data, dice)
    return stream.getvalue()


PARQUET: tuple[Mutator, ...] = (*BYTES, *(parquet,) * 8)


def mutated(data: bytes, mutators: tuple[Mutator, ...], dice: Random) -> bytes:
    """`data` after one or some of these."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = dice.choice(mutators)(data, dice)[:LONGEST]
    return data
