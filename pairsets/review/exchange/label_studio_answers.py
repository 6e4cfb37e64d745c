"""Answers of people in Label Studio: its exports `JSON` and `JSON-MIN`, read as verdicts.

A task shows two pictures, and its answer is one of the words same, different, invalid, as in the
tasks of `label_studio`. `JSON-MIN` has an answer a record, and no such value where nothing was
chosen; `JSON` has tasks with a list of annotations. An address of a picture may be a path, or end
in one, percent-encoded or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pairsets.pairset import PairKey, PairSet, pair_key
from pairsets.paths import is_image
from pairsets.review.exchange.judgement_table import UNDATED, ForeignVerdict, moment
from pairsets.review.store.verdicts import REASONS, WORDS, ReviewError, Verdict, plain_name
from pairsets.storage import former_names
from pairsets.storage.json_files import is_number, read_json

_SIDES = ("left", "right")
_NOT_ANSWERS = frozenset(
    {"id", "pair", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", *_SIDES}
)
_EXPORT = (
    "an export of Label Studio as JSON or JSON-MIN, of tasks with two pictures (left and right) "
    f"and one choice of {', '.join(WORDS)}"
)
_EXPECTED = f"expected {_EXPORT}"


class Answers(NamedTuple):
    """Answers of an export as verdicts.

    Attributes:
        verdicts: of pairs that are known, or not; of these each answer.
        unanswered: tasks, and annotations of tasks, that say nothing.
        unknown: answers to pairs that are not known, of which `stranger` is the first, in words.
    """

    verdicts: list[ForeignVerdict]
    unanswered: int
    unknown: int
    stranger: str


@dataclass(frozen=True)
class _Record:
    """Record of one annotation: the pictures, what was chosen by control, and who says so."""

    number: int
    pictures: tuple[str, str]
    chosen: Mapping[str, str]
    annotator: str
    seconds: object
    at: object


def begins_so(start: bytes) -> bool:
    """Whether a file that begins so is a list of JSON."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def read_answers(path: Path, pairs: PairSet) -> Answers:
    """The verdicts of an export, and how many of its tasks nobody answered.

    Where a person answered a pair several times, the last answer stands. A task that was skipped or
    cancelled, or in which nothing was chosen, is no verdict.

    Args:
        path: of the export.
        pairs: those that are known, by their faces' paths.

    Raises:
        ReviewError: another form, answers that are none of the words or several of them, or two of
            one person of which nothing says which is the later.
    """
    content = read_json(path, _EXPORT, error=ReviewError, most=None)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ReviewError(f"{path}: no list of tasks; {_EXPECTED}")
    records = [record for at, item in enumerate(content, 1) for record in _records(path, at, item)]
    control = _control(path, records)
    known, keys = frozenset(pairs.paths), {*pairs.keys}
    found: dict[tuple[PairKey, str], ForeignVerdict] = {}
    unknown: list[ForeignVerdict] = []
    stranger = ""
    unanswered = sum(not item.get("annotations") for item in content if "annotations" in item)
    for record in records:
        word = record.chosen.get(control, "")
        if not word:
            unanswered += 1
            continue
        answer = _answer(path, record, word, known)
        if answer.key not in keys:
            stranger = stranger or _stranger(record, known)
        if answer.key is None:
            unknown.append(answer)
            continue
        place = answer.key, answer.annotator
        earlier = found.get(place)
        if earlier is not None and earlier.at == answer.at and earlier.verdict != answer.verdict:
            raise ReviewError(
                f"{path}, task {record.number}: {answer.annotator} says {answer.verdict.word} and "
                f"{earlier.verdict.word} of one pair, and no time tells which is the later"
            )
        if earlier is None or answer.at >= earlier.at:
            found[place] = answer
    strangers = len(unknown) + sum(key not in keys for key, _ in found)
    return Answers([*found.values(), *unknown], unanswered, strangers, stranger)


def _records(path: Path, number: int, item: Mapping[str, Any]) -> Iterator[_Record]:
    """The annotations of a task, or the one that a record of JSON-MIN is."""
    annotations = item.get("annotations")
    data = item.get("data") if annotations is not None else item
    if not isinstance(data, dict):
        raise ReviewError(f"{path}, task {number}: no data; {_EXPECTED}")
    pictures = _pictures(path, number, data)
    if annotations is None:
        chosen = {
            name: _word(value, f"{path}, task {number}")
            for name, value in item.items()
            if name not in _NOT_ANSWERS
        }
        at = item.get("updated_at") or item.get("created_at")
        who = _who(path, item.get("annotator"))
        yield _Record(number, pictures, chosen, who, item.get("lead_time"), at)
        return
    for one in annotations if isinstance(annotations, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("result", []), list):
            raise ReviewError(f"{path}, task {number}: {str(one)[:60]!r} is no annotation")
        chosen = (
            {}
            if one.get("was_cancelled")
            else dict(_results(one.get("result", []), f"{path}, task {number}"))
        )
        at = one.get("updated_at") or one.get("created_at")
        who = _who(path, one.get("completed_by"))
        yield _Record(number, pictures, chosen, who, one.get("lead_time"), at)


def _results(results: Sequence[object], where: str) -> Iterator[tuple[str, str]]:
    for result in results:
        if isinstance(result, dict) and isinstance(result.get("value"), dict):
            value = result["value"]
            word = _word(value, where) or _word(value.get("selected"), where)
            yield str(result.get("from_name")), word


def _word(value: object, where: str) -> str:
    """Word that was chosen in a control; empty where none was, or several that are no verdicts.

    Raises:
        ReviewError: several verdicts.
    """
    if isinstance(value, dict):
        value = value.get("choices")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        words = [one for one in value if isinstance(one, str) and one.casefold() in WORDS]
        if words:
            raise ReviewError(
                f"{where}: {len(value)} choices at once, {', '.join(map(str, value))[:80]!r}; "
                'expected one of them: is the control without choice="single"?'
            )
    return value.strip() if isinstance(value, str) else ""


def _control(path: Path, records: Sequence[_Record]) -> str:
    """The control that holds the verdicts."""
    names = dict.fromkeys(
        name
        for record in records
        for name, word in record.chosen.items()
        if word.casefold() in WORDS
    )
    if "verdict" in names or len(names) == 1:
        return "verdict" if "verdict" in names else next(iter(names))
    if names:
        raise ReviewError(
            f"{path}: several controls have verdicts ({', '.join(names)}); expected one, or one "
            "called verdict"
        )
    preferred = any(word in _SIDES for record in records for word in record.chosen.values())
    raise ReviewError(
        f"{path}: no verdict in any of its {len(records)} answers; {_EXPECTED}"
        + (
            ". A <Pairwise> control says which of two pictures is preferred, not whether they are "
            "the same: use <Choices>, as `review export --to-format label-studio` does"
            if preferred
            else ""
        )
    )


def _answer(path: Path, record: _Record, word: str, known: frozenset[str]) -> ForeignVerdict:
    said = next((one for one in WORDS if one == word.casefold()), None)
    if said is None:
        raise ReviewError(
            f"{path}, task {record.number}: {word[:40]!r}; expected one of {', '.join(WORDS)}"
        )
    reason = record.chosen.get("reason", "") if said == "invalid" else ""
    reason = former_names.REASONS.get(reason, reason)
    try:
        at = moment(record.at) if isinstance(record.at, str) else UNDATED
    except ReviewError as error:
        raise ReviewError(f"{path}, task {record.number}: {error}") from None
    a, b = (_path_of(address, known) for address in record.pictures)
    seconds = record.seconds
    told = is_number(seconds) and isfinite(seconds) and seconds >= 0
    return ForeignVerdict(
        key=None if a is None or b is None else pair_key(a, b),
        annotator=record.annotator,
        verdict=Verdict.of(said, reason if reason in REASONS else ""),
        seconds=float(seconds) if told else None,  # type: ignore[arg-type]
        at=at,
    )


def _pictures(path: Path, number: int, data: Mapping[str, Any]) -> tuple[str, str]:
    """The addresses of the two pictures of a task."""
    names = [name for name in _SIDES if isinstance(data.get(name), str)]
    if len(names) != len(_SIDES):
        names = [
            name
            for name, value in data.items()
            if isinstance(value, str) and is_image(unquote(value))
        ]
    if len(names) != len(_SIDES):
        raise ReviewError(
            f"{path}, task {number}: {len(names)} pictures among {', '.join(map(str, data))[:90]}; "
            f"{_EXPECTED}"
        )
    return data[names[0]], data[names[1]]


def _path_of(address: str, known: frozenset[str]) -> str | None:
    """The path that a picture is known by, whatever stands before it in its address."""
    texts = [address, unquote(address)]
    if "?d=" in address:
        texts = [unquote(address.partition("?d=")[2])]
    elif "://" in address:
        texts = [unquote(urlsplit(address).path)]
    for text in texts:
        left = text
        while left:
            if left in known:
                return left
            left = left.partition("/")[2]
    return None


def _stranger(record: _Record, known: frozenset[str]) -> str:
    """A task whose pair is not known, and the likely cause."""
    lost = next((one for one in record.pictures if _path_of(one, known) is None), None)
    if lost is None:
        return f"task {record.number}: {' and '.join(map(repr, record.pictures))} are no pair of it"
    uploaded = "/upload/" in lost
    return f"task {record.number}: {lost[:120]!r} is none of its faces" + (
        "; pictures that are uploaded to Label Studio lose their folder: give it the faces folder "
        "as local storage"
        if uploaded
        else ""
    )


def _who(path: Path, given: object) -> str:
    """Name of a person: the address or the number that Label Studio knows them by."""
    if isinstance(given, dict):
        given = given.get("email") or given.get("id")
    if isinstance(given, int):
        return f"annotator {given}"
    try:
        return plain_name(given if isinstance(given, str) and given.strip() else path.stem)
    except ReviewError as error:
        raise ReviewError(f"{path}: {error}") from None
