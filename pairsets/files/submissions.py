"""A submission: one model's scores of a pair set, and a manifest that says whose they are.

`NAME.csv` has `pathA,pathB,score`. `NAME.json` has the model's name and what is known of it, and
two digests, each SHA-256 over the pairs in order, the smaller path of a pair first (by code point):

- `pairs_sha256`: path, NUL, path, NUL of every row of the pair set, invalid ones too. Labels, human
  verdicts and marks are left out, so that a set whose labels are kept back has the same digest, and
  a pair marked invalid later leaves submissions as they are;
- `scores_sha256`: path, NUL, path, NUL, score (8 bytes, IEEE 754, the lowest first) of every row of
  the CSV. The order of rows and faces, and line ends, change nothing.

Every valid pair must be there. Pairs marked invalid may be: they are in the set as published, but
do not count. An empty score says that the model rejects the pair unseen, a failure to enrol: it
counts as rejected at every threshold. In `scores_sha256` it is minus infinity. A manifest with such
pairs has their number as `rejected`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Scores
from pairsets.errors import PairsetsError
from pairsets.pairset import PairKey, PairSet, pair_key
from pairsets.path_prefixes import cause
from pairsets.storage.artefacts import versions, write_json
from pairsets.storage.csv_tables import read_table, write_csv
from pairsets.storage.json_files import read_json
from pairsets.storage.publication import written_together
from pairsets.storage.spreadsheets import copy_hint

SCHEMA = 1
KIND = "submission"
HEADER = ("pathA", "pathB", "score")
# The similarity of scores that are distances turned round.
DISTANCE = "minus the distance"
# A manifest is a page of text; what is larger is something else.
MOST_MANIFEST = 2**20
# Characters of each text; names stand in tables.
_MOST = {
    "model": 200,
    "fingerprint": 200,
    "similarity": 40,
    "description": 4000,
    "url": 500,
}
_MOST_AUTHORS = 100
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Control characters, and those that turn the direction of what is printed around them.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = str.maketrans("", "", "\n\t")


class SubmissionError(PairsetsError):
    """A submission that cannot be made, read or counted."""


@dataclass(frozen=True, eq=False)
class Submission:
    """Scores that somebody sent in.

    Attributes:
        model: what tables call it.
        scores: `[N]`, one a row of the pair set; nan of invalid rows that were not scored, -inf of
            pairs that the model rejects unseen.
        manifest: the content of the manifest.
    """

    model: str
    scores: Scores
    manifest: Mapping[str, Any]

    @property
    def fingerprint(self) -> str | None:
        """That of the model, where the manifest has one."""
        return self.manifest.get("fingerprint")


def pairs_digest(pairs: PairSet) -> str:
    """SHA-256 of the pairs, whatever their order, orientation, labels and verdicts.

    >>> one = PairSet.of(["a/1", "b/1"], ["b/1", "c/1"], [0, 0])
    >>> two = PairSet.of(["c/1", "b/1"], ["b/1", "a/1"], [1, 0], invalid=[0, 1])
    >>> pairs_digest(one) == pairs_digest(two)
    True
    """
    digest = hashlib.sha256()
    for a, b in sorted(pairs.keys):
        digest.update(f"{a}\0{b}\0".encode())
    return digest.hexdigest()


def submission_files(out: Path) -> list[Path]:
    """The files of the submission `out`, a name that ends in `.csv`.

    Raises:
        SubmissionError: another ending.
    """
    if out.suffix != ".csv":
        raise SubmissionError(f"{out}: expected a name that ends in .csv; the .json goes beside it")
    return [out, out.with_suffix(".json")]


def write_submission(
    out: Path,
    pairs: PairSet,
    scores: ArrayLike,
    *,
    model: str,
    fingerprint: str | None = None,
    similarity: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    description: str | None = None,
    authors: Sequence[str] = (),
    url: str | None = None,
    overwrite: bool = True,
) -> list[Path]:
    """Write `scores [N]`, one a row of `pairs`, as a submission; both files or none.

    Args:
        out: the CSV; the manifest goes beside it.
        pairs: the set.
        scores: higher is more alike; -inf of a pair that is rejected, having none. Those of invalid
            rows may be nan, and are left out then.
        model: what tables shall call it.
        fingerprint, similarity, provenance: of the model, where they are known.
        description, authors, url: what readers should know; `url` begins with http.

    Returns:
        The CSV and the manifest.

    Raises:
        SubmissionError: scores that are missing, not finite or all the same; texts that cannot
            stand in a table.
    """
    files = submission_files(out)
    values = np.asarray(scores, np.float64)
    if values.shape != (len(pairs),):
        raise SubmissionError(f"{model}: scores of shape {values.shape} for {len(pairs)} pairs")
    rejected = np.isneginf(values) & pairs.valid
    sent = np.isfinite(values) | rejected
    wrong = np.flatnonzero(~sent & pairs.valid)
    if wrong.size:
        row = int(wrong[0])
        raise SubmissionError(
            f"{model}: {wrong.size} scores are not finite, the first of pair {row + 1} "
            f"({pairs.path_a[row]}, {pairs.path_b[row]}): {values[row]}; -inf is that of a pair "
            "which the model rejects"
        )
    _refuse_constant(values, pairs, model)
    keys = [key for key, there in zip(pairs.keys, sent, strict=True) if there]
    lost = int(rejected.sum())
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": KIND,
        "model": model,
        "fingerprint": fingerprint,
        "similarity": similarity,
        "provenance": None if provenance is None else dict(provenance),
        "description": description,
        "authors": list(authors),
        "url": url,
        "pairs": len(pairs),
        "pairs_sha256": pairs_digest(pairs),
        "scored": len(keys) - lost,
        **({"rejected": lost} if lost else {}),
        "scores_sha256": _scores_digest(keys, values[sent].tolist()),
        "versions": versions("lookalikes", "numpy"),
    }
    _check_texts(content, model)
    try:
        text = json.dumps(content, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SubmissionError(f"{model}: its provenance is not plain JSON ({error})") from None
    if len(text.encode()) > MOST_MANIFEST // 2:
        raise SubmissionError(f"{model}: a manifest of {len(text):,} characters; expected a page")
    texts = ["" if score == -np.inf else repr(score) for score in values[sent].tolist()]
    rows = zip(pairs.path_a[sent], pairs.path_b[sent], texts, strict=True)
    with written_together(files, overwrite=overwrite) as folder:
        write_csv(folder / files[0].name, HEADER, rows)
        write_json(folder / files[1].name, content)
    return files


def read_submission(path: str | Path, pairs: PairSet) -> Submission:
    """Read a submission and refuse it unless it is whole, and of these very pairs.

    Args:
        path: the CSV, the manifest, or a folder that holds one submission.
        pairs: the set; its labels are not looked at.

    Raises:
        SubmissionError: one message with the file, the line, what was expected and what came.
    """
    table, manifest = _locate(Path(path))
    content = _read_manifest(manifest)
    keys, values, lines = _read_scores(table, pairs, "rejected" in content)
    rows = {key: row for row, key in enumerate(pairs.keys)}
    unknown = [at for at, key in enumerate(keys) if key not in rows]
    scores = np.full(len(pairs), np.nan)
    scores[[rows[key] for key in keys if key in rows]] = [
        value for key, value in zip(keys, values, strict=True) if key in rows
    ]
    lacking = np.flatnonzero(np.isnan(scores) & pairs.valid)
    if content["pairs_sha256"] != pairs_digest(pairs):
        raise SubmissionError(
            f"{manifest}: made for another pair set, of {content['pairs']} pairs where this one "
            f"has {len(pairs)}: {len(unknown)} of the {len(keys)} pairs scored are not in it, and "
            f"{lacking.size} of its valid pairs are not scored"
        )
    if unknown:
        a, b = keys[unknown[0]]
        why = cause(a, frozenset(pairs.paths).__contains__) or "; were rows added?"
        raise SubmissionError(
            f"{table}, line {lines[unknown[0]]}: {a!r} and {b!r} are no pair of the set "
            f"({len(unknown)} such lines){why}"
        )
    if lacking.size:
        row = int(lacking[0])
        raise SubmissionError(
            f"{table}: {lacking.size} of {int(pairs.valid.sum())} valid pairs have no score, the "
            f"first {pairs.path_a[row]}, {pairs.path_b[row]}; were rows removed?"
        )
    rejected = sum(value == -np.inf for value in values)
    found = len(keys) - rejected, rejected, _scores_digest(keys, values)
    if found != (content["scored"], content.get("rejected", 0), content["scores_sha256"]):
        raise SubmissionError(
            f"{table}: not the scores that {manifest.name} was written for (their digest "
            "differs); was the table edited, or rounded by a spreadsheet? Make both files again"
        )
    _refuse_constant(scores, pairs, str(table))
    scores.setflags(write=False)
    return Submission(content["model"], scores, content)


def _locate(path: Path) -> tuple[Path, Path]:
    """The CSV and the manifest, each a plain file."""
    if path.is_dir():
        found = sorted(path.glob("*.json"))
        if len(found) != 1:
            names = f": {', '.join(file.name for file in found[:5])}" if found else ""
            raise SubmissionError(
                f"{path}: {len(found)} manifests (.json) in this folder, expected one{names}"
            )
        path = found[0]
    if path.suffix.lower() not in (".csv", ".json"):
        raise SubmissionError(
            f"{path}: expected a submission's .csv or .json, or the folder of both"
        )
    is_table = path.suffix.lower() == ".csv"
    table = path if is_table else path.with_suffix(".csv")
    manifest = path.with_suffix(".json") if is_table else path
    for file, what in ((manifest, "manifest"), (table, "scores")):
        try:
            mode = file.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            hint = "; the two files of a submission lie side by side" if file != path else ""
            raise SubmissionError(f"{file}: no such file of {what}{hint}") from None
        # A link may lead anywhere, and a pipe or a device never ends.
        if not stat.S_ISREG(mode):
            raise SubmissionError(
                f"{file}: a link or no plain file; expected the {what} themselves"
            )
    return table, manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    content = read_json(
        path, "the manifest of a submission", error=SubmissionError, most=MOST_MANIFEST
    )
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise SubmissionError(
            f'{path}: not the manifest of a submission; expected "kind": "{KIND}", as '
            "lookalikes writes it"
        )
    if type(content.get("schema")) is not int or content["schema"] != SCHEMA:
        later = type(content.get("schema")) is int and content["schema"] > SCHEMA
        newer = "; a newer version wrote it" if later else ""
        raise SubmissionError(f"{path}: schema {content.get('schema')!r}, expected {SCHEMA}{newer}")
    for name in ("pairs", "scored", *(["rejected"] if "rejected" in content else [])):
        if type(content.get(name)) is not int or content[name] < 1:
            raise SubmissionError(
                f"{path}: {name} is {content.get(name)!r}, expected a number of pairs"
            )
    for name in ("pairs_sha256", "scores_sha256"):
        value = content.get(name)
        if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
            raise SubmissionError(f"{path}: {name} is {value!r}, expected 64 hexadecimal digits")
    _check_texts(content, str(path))
    return content


def _check_texts(content: Mapping[str, Any], where: str) -> None:
    """Refuse texts that are none, too long, or would spoil the table that they stand in."""
    if content.get("model") is None:
        raise SubmissionError(
            f"{where}: model is missing; expected the name that tables shall have"
        )
    for name, most in _MOST.items():
        value = content.get(name)
        if value is not None:
            _check_text(value, name, most, where)
    authors = content.get("authors")
    if authors is not None and not isinstance(authors, list):
        raise SubmissionError(f"{where}: authors is no list of names")
    if authors is not None and len(authors) > _MOST_AUTHORS:
        raise SubmissionError(f"{where}: {len(authors)} authors; at most {_MOST_AUTHORS} are kept")
    for author in authors or ():
        _check_text(author, "authors", _MOST["model"], where)
    url = content.get("url")
    if url is not None and not re.match(r"https?://[^\s<>\"']+\Z", url):
        raise SubmissionError(f"{where}: url is {url!r}, expected one such as https://example.org")
    provenance = content.get("provenance")
    if provenance is not None and not isinstance(provenance, dict):
        raise SubmissionError(f"{where}: provenance is no JSON object")


def _check_text(value: object, name: str, most: int, where: str) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        came = f"{len(value)} characters" if isinstance(value, str) and value.strip() else "none"
        raise SubmissionError(
            f"{where}: {name}: expected text of 1 to {most} characters, got {came}"
        )
    plain = value.translate(_BREAKS) if name == "description" else value
    bad = _UNPRINTABLE.search(plain)
    if bad:
        raise SubmissionError(
            f"{where}: {name} has the character U+{ord(bad.group()):04X}, which tables cannot show"
        )


def _read_scores(
    path: Path, pairs: PairSet, rejects: bool
) -> tuple[list[PairKey], list[float], list[int]]:
    """Pairs, scores and lines of a table, each pair there once; `rejects` allows empty scores."""
    paths = sum(len(path.encode()) for path in (*pairs.path_a, *pairs.path_b))
    longest = 2 * paths + 64 * len(pairs) + 2**20
    size = path.stat().st_size
    if size > longest:
        raise SubmissionError(
            f"{path}: {size:,} bytes; scores of {len(pairs)} pairs need no more than {longest:,}"
        )
    keys: list[PairKey] = []
    values: list[float] = []
    lines: dict[PairKey, int] = {}
    rows = read_table(path, "table of scores", error=SubmissionError)
    _, header = next(rows)
    if tuple(header) != HEADER:
        missing = [name for name in HEADER if name not in header]
        what = f"column {', '.join(missing)} missing; " if missing else ""
        raise SubmissionError(
            f"{path}, line 1: {what}expected exactly {','.join(HEADER)}, got "
            f"{','.join(header)[:80]!r}{copy_hint(header)}"
        )
    for line, cells in rows:
        where = f"{path}, line {line}"
        key = pair_key(cells[0], cells[1])
        if key in lines:
            raise SubmissionError(
                f"{where}: {key[0]!r} and {key[1]!r} are scored in line {lines[key]} "
                "already, in this or the other order"
            )
        lines[key] = line
        keys.append(key)
        values.append(-math.inf if rejects and not cells[2] else _number(cells[2], where))
    if not keys:
        raise SubmissionError(f"{path}: a header and no scores")
    return keys, values, list(lines.values())


def _number(text: str, where: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not np.isfinite(value):
        raise SubmissionError(
            f"{where}: score is {text[:40]!r}, expected a finite number (or nothing, of rejected "
            "pairs that the manifest counts)"
        )
    return value


def _refuse_constant(scores: Scores, pairs: PairSet, where: str) -> None:
    known = scores[pairs.valid & np.isfinite(scores)]
    if known.size > 1 and (known == known[0]).all():
        raise SubmissionError(
            f"{where}: all {known.size} scores are {known[0]:g}, so that no threshold tells any "
            "two pairs apart; is it the right column?"
        )


def _scores_digest(keys: Sequence[PairKey], values: Sequence[float]) -> str:
    digest = hashlib.sha256()
    for (a, b), value in sorted(zip(keys, values, strict=True)):
        # Minus nought is nought.
        digest.update(f"{a}\0{b}\0".encode() + struct.pack("<d", value + 0.0))
    return digest.hexdigest()
