"""A threshold in words and tables: Markdown, JSON, and its identities as CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pairsets.arrays import Mask
from pairsets.evaluation.intervals import Interval, Rate
from pairsets.evaluation.menagerie import Menagerie
from pairsets.evaluation.threshold import SetRates, Threshold
from pairsets.files.threshold_files import ACCEPTS, KIND, SCHEMA
from pairsets.storage.artefacts import write_json, write_text
from pairsets.storage.csv_tables import number_cell, write_csv
from pairsets.tables.leaderboard import Leaderboard, escape, interval_text, percent

FILES = ("threshold.json", "threshold.md", "identities.csv")
_IDENTITIES = (
    *("identity", "pairs_with_others", "false_accepts", "times_average", "low", "high"),
    *("own_pairs", "misses", "misses_times_average", "misses_low", "misses_high"),
    *("own_mean_score", "others_mean_score", "animal", "lamb", "goat", "threshold"),
)
# Identities that are listed in words.
_LISTED = 10


def score_text(score: float) -> str:
    """A score as people write it down; a side that the data do not bound in words.

    >>> score_text(0.51746247), score_text(float("inf")), score_text(14264.03125)
    ('0.5175', 'any higher', '14264.0')
    """
    if math.isinf(score):
        return "any higher" if score > 0 else "any lower"
    return f"{score:.4f}" if abs(score) < 100 else f"{score:.1f}"


def between_text(bounds: Interval) -> str:
    """An interval of scores in words.

    >>> between_text(Interval(0.5, 0.52)), between_text(Interval(0.5, float("inf")))
    ('from 0.5000 to 0.5200', '0.5000 or higher')
    """
    low, high = score_text(bounds.low), score_text(bounds.high)
    if math.isinf(bounds.low):
        return "not bounded by these data" if math.isinf(bounds.high) else f"{high} or lower"
    return f"{low} or higher" if math.isinf(bounds.high) else f"from {low} to {high}"


def often(share: float) -> str:
    """A share as a number out of a round one.

    >>> often(0.001), often(0.0000203), often(0.0)
    ('10 of 10,000', '20 of 1,000,000', 'none of 10,000')
    """
    if not share:
        return "none of 10,000"
    whole = 100 if share >= 0.1 else 10_000 if share >= 1e-4 else 1_000_000
    return f"{float(f'{share * whole:.2g}'):,g} of {whole:,}"


def sentences(found: Threshold, model: str, where: str) -> list[str]:
    """Three sentences: the threshold, what it lets through, and what it turns away.

    Args:
        found: the threshold.
        model: whose scores.
        where: the pairs that it was set on, as in `picked at random from my faces`.
    """
    verb = "a distance of at most" if found.distance else "a score of at least"
    first = (
        f"Take two pictures to show the same identity where {model} gives them {verb} "
        f"{score_text(found.shown(found.value))} (95 % interval: "
        f"{between_text(found.shown_interval)})."
    )
    second = (
        f"Of pairs of different identities {where}, about {often(found.fpr)} are then taken for "
        f"one identity ({percent(found.fpr)} % {interval_text(found.fpr_interval)}, set for "
        f"{percent(found.target_fpr)} %)"
    )
    for name, one in found.judged.items():
        if one.fpr.count:
            told = one.accepts or f"pairs of different identities in {name}"
            second += f"; of {told}, {often(one.fpr.value)} ({percent(one.fpr.value)} %)"
    third = (
        f"Of pairs of pictures of one identity {often(found.fnr)} are turned away "
        f"({percent(found.fnr)} % {interval_text(found.fnr_interval)})"
    )
    animals = found.menagerie
    lambs, goats = int(animals.lambs.sum()), int(animals.goats.sum())
    if lambs or goats:
        third += (
            f"; of {found.identities:,} identities {_count(lambs)} are taken for others, and "
            f"{_count(goats)} not known again, at least twice as often as the average one"
        )
    return [first, f"{second}.", f"{third}."]


def _count(number: int) -> str:
    return f"{number:,}" if number else "none"


def threshold_markdown(found: Threshold, model: str, where: str) -> str:
    """The sentences, the rates on each set of pairs, the identities that stand out, and notes."""
    lines = [f"# Threshold of {escape(model)}\n", *sentences(found, escape(model), escape(where))]
    lines += ["", "| pairs | FPR (%) | | negatives | FNR (%) | | positives |", "|---" * 7 + "|"]
    lines += [f"| {' | '.join(map(escape, row))} |" for row in rate_rows(found)]
    for title, told in _standing_out(found):
        lines += ["", f"## {title}\n", *told]
    lines += [f"\n{escape(note[0].upper() + note[1:])}." for note in found.notes()]
    return "\n".join(lines) + "\n"


def rate_rows(found: Threshold) -> list[tuple[str, ...]]:
    """Rows of a table: pairs, FPR, interval, negatives, FNR, interval, positives."""
    rows: list[tuple[str, ...]] = [
        (
            "that set it",
            *(percent(found.fpr), interval_text(found.fpr_interval), f"{found.negatives:,}"),
            *(percent(found.fnr), interval_text(found.fnr_interval), f"{found.positives:,}"),
        )
    ]
    if (cross := found.cross) is not None:
        rows.append(
            (
                "of identities that did not set it",
                *(_share(cross.fpr), "", f"{cross.negatives:,}"),
                *(_share(cross.fnr), "", f"{cross.positives:,}"),
            )
        )
    for name, one in found.judged.items():
        rows.append((name, *_cells(one.fpr), *_cells(one.fnr)))
    return rows


def _cells(rate: Rate) -> tuple[str, str, str]:
    return _share(rate.value), interval_text(rate.interval) if rate.count else "", f"{rate.count:,}"


def _share(value: float) -> str:
    return "" if math.isnan(value) else percent(value)


def _standing_out(found: Threshold) -> Iterator[tuple[str, list[str]]]:
    """Lists of the identities that err most, each with its title."""
    animals = found.menagerie
    kinds = (
        ("Taken for others (lambs)", animals.lambs, animals.others, animals.accepted),
        ("Not known again (goats)", animals.goats, animals.own, animals.missed),
    )
    for title, rows, rate, errors in kinds:
        places = np.flatnonzero(rows)
        places = places[np.argsort(-rate.value[places], kind="stable")]
        told = [
            f"- {escape(str(animals.names[at]))}: {rate.value[at]:.3g} times the average "
            f"[{rate.low[at]:.3g}, {rate.high[at]:.3g}], {int(errors[at]):,} errors"
            + _own_threshold(found, animals, at)
            for at in places[:_LISTED].tolist()
        ]
        if len(places) > _LISTED:
            told.append(f"- and {len(places) - _LISTED:,} more, in identities.csv")
        if told:
            yield title, told


def _own_threshold(found: Threshold, animals: Menagerie, at: int) -> str:
    if not animals.needy[at]:
        return ""
    return f"; threshold of its own {score_text(found.shown(float(animals.thresholds[at])))}"


def carried_sentences(board: Leaderboard) -> list[str]:
    """A sentence on each model's rates at a threshold that was set elsewhere."""
    if board.comparison is None:
        return []
    return [
        f"{model} at the threshold of {one.carried.source} ({one.accepts.split()[1]} "
        f"{score_text(one.shown(one.carried.threshold))}): FPR {_told(one.carried.fpr)}, "
        f"FNR {_told(one.carried.fnr)}."
        for model, one in board.comparison.evaluations.items()
        if one.carried is not None
    ]


def _told(rate: Rate) -> str:
    return f"{percent(rate.value)} % {interval_text(rate.interval)}"


def write_threshold(
    folder: Path,
    found: Threshold,
    model: str,
    where: str,
    facts: Mapping[str, object],
    fingerprint: str = "",
) -> list[Path]:
    """Write the threshold into `folder`, as `FILES`.

    Args:
        folder: that is there.
        found: the threshold.
        model: whose scores.
        where: see `sentences`.
        facts: of what it was set on, and how, for the JSON.
        fingerprint: of the model, where its vectors were at hand.
    """
    content, words, identities = (folder / name for name in FILES)
    return [
        write_json(content, threshold_content(found, model, facts, fingerprint)),
        write_text(words, threshold_markdown(found, model, where)),
        write_csv(identities, _IDENTITIES, _identity_rows(found)),
    ]


def threshold_content(
    found: Threshold, model: str, facts: Mapping[str, object], fingerprint: str = ""
) -> dict[str, object]:
    """Content of the JSON; see `write_threshold`."""
    animals, bounds = found.menagerie, found.shown_interval
    cross = found.cross
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "threshold": found.shown(found.value),
        "accepts": ACCEPTS[found.distance],
        "model": model,
        "fingerprint": fingerprint or None,
        "target_fpr": found.target_fpr,
        "threshold_low": _known(bounds.low),
        "threshold_high": _known(bounds.high),
        "smallest_fpr": found.smallest,
        "identities": found.identities,
        "set_on": {
            **_rate("fpr", found.fpr, found.fpr_interval, found.accepted, found.negatives),
            **_rate("fnr", found.fnr, found.fnr_interval, found.missed, found.positives),
        },
        "cross_validated": None
        if cross is None
        else {
            **_rate("fpr", cross.fpr, None, cross.accepted, cross.negatives),
            **_rate("fnr", cross.fnr, None, cross.missed, cross.positives),
            "thresholds": [found.shown(end) for end in vars(cross.thresholds).values()],
        },
        "judged_on": {name: _judged(one) for name, one in found.judged.items()},
        "lambs": _names(animals, animals.lambs),
        "goats": _names(animals, animals.goats),
        "own_thresholds": int(animals.needy.sum()),
        "notes": found.notes(),
        **facts,
    }


def _judged(one: SetRates) -> dict[str, object]:
    content: dict[str, object] = {"accepts": one.accepts} if one.accepts else {}
    for name, rate in (("fpr", one.fpr), ("fnr", one.fnr)):
        content |= _rate(name, rate.value, rate.interval, rate.errors, rate.count)
    return content


def _rate(
    name: str, value: float, bounds: Interval | None, errors: int, count: int
) -> dict[str, object]:
    ends = {} if bounds is None else {"low": _known(bounds.low), "high": _known(bounds.high)}
    return {name: {"value": _known(value), **ends, "errors": errors, "pairs": count}}


def _names(animals: Menagerie, rows: Mask) -> list[str]:
    return [str(name) for name in animals.names[rows]]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _identity_rows(found: Threshold) -> Iterator[Sequence[object]]:
    animals = found.menagerie
    kinds, lambs, goats = animals.animals, animals.lambs, animals.goats
    for at, name in enumerate(animals.names.tolist()):
        own = float(animals.thresholds[at])
        yield (
            *(name, int(animals.negatives[at]), int(animals.accepted[at])),
            *(number_cell(float(part[at])) for part in _parts(animals, "others")),
            *(int(animals.positives[at]), int(animals.missed[at])),
            *(number_cell(float(part[at])) for part in _parts(animals, "own")),
            number_cell(float(animals.own_mean[at])),
            number_cell(float(animals.others_mean[at])),
            *(kinds[at], int(lambs[at]), int(goats[at])),
            number_cell(found.shown(own if not math.isnan(own) else found.value)),
        )


def _parts(animals: Menagerie, which: str) -> tuple[np.ndarray, ...]:
    rate = animals.others if which == "others" else animals.own
    return rate.value, rate.low, rate.high
