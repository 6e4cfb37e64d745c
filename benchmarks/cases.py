"""One cell of the comparison: all sides on the same vectors, in turn."""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import exactness, previous
from benchmarks.peers import SIDES, cannot
from benchmarks.processes import Run, UnfinishedError, alone, timed

# Kept beside the medians: how many times as long the first side takes as the second.
RATIOS = (
    ("ours", "previous"),
    ("ours", "bare-int8"),
    ("ours", "bare-bf16"),
    ("faiss-knn", "ours"),
)  # fmt: skip
# A side is predicted from runs on an eighth of the rows, at least so many, and on half of those.
_PILOT = 5000


@dataclass(frozen=True)
class Case:
    """One cell of the comparison; its vectors lie in `folder`."""

    kind: str
    rows: int
    dimensions: int
    pairs: int
    folder: Path
    origin: str

    def key(self, device: str) -> str:
        """Its name in the results."""
        text = f"{self.kind} {self.rows}x{self.dimensions} {self.pairs}"
        return text if device == "cpu" else f"{text} {device}"


def measure(case: Case, options: argparse.Namespace, missing: dict[str, str]) -> dict[str, Any]:
    """All sides of one case.

    Raises:
        UnfinishedError, MismatchError: our own answer is wrong, or there is none.
    """
    left_out = {side: why for side, why in missing.items() if side in options.sides}
    predicted: dict[str, Any] = {}
    runs: dict[str, list[Run]] = {}
    for side in options.sides:
        if side in missing:
            continue
        why, seconds = _why_not(side, case, options)
        if why:
            left_out[side] = why
            if seconds:
                predicted[side] = seconds
            print(f"  {side}: left out, {why}", flush=True)
        else:
            runs[side] = []
    checked: dict[str, object] = {}
    once: set[str] = set()  # over the limit: not repeated
    for repeat in range(options.repeats):
        for side in [name for name in runs if name not in once]:
            try:
                runs[side].append(_run(side, case, options))
            except UnfinishedError as error:
                if side == "ours":
                    raise
                del runs[side]
                left_out[side] = f"failed: {error}"
                print(f"  {side}: {left_out[side]}", flush=True)
                continue
            run = runs[side][-1]
            print(f"  {side}: {run.seconds:.3f} s, {run.peak_mib:.0f} MiB", flush=True)
            if side == "ours" and repeat == 0:
                checked = alone(exactness.check, case.folder, case.pairs, run.answer)
            if run.seconds > options.limit and len(runs[side]) == 1:
                once.add(side)
            if side.startswith("ours") and not _same(run, runs["ours"][0]):
                raise exactness.MismatchError(f"{side} differs from the first answer of ours")
    ours = statistics.median(run.seconds for run in runs["ours"])
    sides = {}
    for side, measured in runs.items():
        median = statistics.median(run.seconds for run in measured)
        peak = max(run.peak_mib for run in measured)
        sides[side] = {
            "median_seconds": round(median, 4),
            "ratio_to_ours": round(median / ours, 3),
            "seconds": [round(run.seconds, 4) for run in measured],
            "peak_mib": round(peak, 1),
        }
        if options.device == "cuda":
            sides[side]["gpu_peak_mib"] = round(max(run.gpu_mib or 0 for run in measured), 1)
        if side.startswith("ours") or side == "bare-bf16":
            copy = case.rows * case.dimensions * 2 / 2**20
            sides[side]["peak_mib_beyond_bf16_copy"] = round(peak - copy, 1)
        elif measured[0].answer is not None:
            truth = runs["ours"][0].answer
            sides[side] |= exactness.missed(truth, measured[0].answer, case.rows)
    return {
        "set": case.kind, "rows": case.rows, "dimensions": case.dimensions, "pairs": case.pairs,
        "device": options.device, "origin": case.origin, "threads": options.threads,
        "thread_pools": sorted(runs["ours"][0].threads), "repeats": options.repeats,
        "limit_seconds": options.limit, **checked,
        "previous_commit": previous.COMMIT if "previous" in sides else None,
        "sides": sides, "ratios": ratios(sides), "left_out": left_out, "predicted": predicted,
    }  # fmt: skip


def _same(one: Any, other: Any) -> bool:
    """Whether two answers are the same bytes."""
    return all(
        getattr(one.answer, name).tobytes() == getattr(other.answer, name).tobytes()
        for name in ("i", "j", "scores")
    )


def _why_not(
    side: str, case: Case, options: argparse.Namespace
) -> tuple[str | None, dict[str, Any] | None]:
    """Why a side is left out, and the prediction if that is the reason."""
    why = cannot(side, case.rows, case.dimensions, case.pairs)
    many = max(_PILOT, case.rows // 8)
    if why or side == "ours" or case.rows <= 4 * many:
        return why, None
    few = many // 2
    try:
        seconds = [_run(side, case, options, rows).seconds for rows in (few, many)]
    except UnfinishedError as error:
        return f"failed on {few:,} or {many:,} rows: {error}", None
    # t = a N + b N^2 through both; all of it quadratic if they grow faster than that.
    quadratic = (seconds[1] / many - seconds[0] / few) / (many - few)
    quadratic = min(max(quadratic, 0.0), seconds[1] / many**2)
    linear = seconds[1] / many - quadratic * many
    predicted = linear * case.rows + quadratic * case.rows**2
    if predicted <= options.limit:
        return None, None
    return (
        f"predicted to take {predicted:,.0f} s, over the limit of {options.limit:.0f} s",
        {
            "seconds": round(predicted, 1),
            "from_rows": [few, many],
            "from_seconds": [round(value, 3) for value in seconds],
        },
    )


def _run(side: str, case: Case, options: argparse.Namespace, rows: int | None = None) -> Run:
    """One timed run of a side, on the first `rows` if not all, in a process of its own."""
    fixed = (side, case.folder, case.pairs, options.device, options.threads, rows)
    if SIDES[side].of_previous:
        return previous.run(options.previous, *fixed, limit=_patience(options))
    run = alone(timed, *fixed, limit=_patience(options))
    assert isinstance(run, Run)
    return run


def ratios(sides: dict[str, Any]) -> dict[str, float]:
    """The ratios of `RATIOS` whose sides were both measured, by `ONE / OTHER`."""
    return {
        f"{one} / {other}": round(sides[one]["median_seconds"] / sides[other]["median_seconds"], 3)
        for one, other in RATIOS
        if one in sides and other in sides
    }


def _patience(options: argparse.Namespace) -> float:
    """Seconds until a process is given up: what hangs, or was predicted badly, is stopped."""
    return float(3 * options.limit + 60)
