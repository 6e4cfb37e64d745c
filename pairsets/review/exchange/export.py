"""Export of a review's verdicts: pair files, all verdicts, other reviews.

What comes in is in `pairsets.review.exchange.imports`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import numpy as np

from pairsets.evaluation.annotators import Agreement, agreement
from pairsets.evaluation.human import HumanRates, human_rates
from pairsets.evaluation.intervals import Rate
from pairsets.evaluation.kappa import Kappa
from pairsets.files.designs import Design
from pairsets.files.side_files import design_of
from pairsets.files.submissions import pairs_digest
from pairsets.pairset import PairSet, identities_of
from pairsets.review.exchange.judgement_table import Told, write_judgements
from pairsets.review.store.self_agreement import SelfAgreement, self_agreement
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import (
    WORDS,
    ReviewError,
    Verdict,
    alike,
    common,
    plain_name,
)
from pairsets.storage.artefacts import refuse_existing, versions, with_ending, write_json
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, write_copies

__all__ = ["Exported", "ExportedVerdicts", "export", "judged"]

SCHEMA = 1
KIND = "judged"


@dataclass(frozen=True, eq=False)
class ExportedVerdicts:
    """The pair set with what was said of it, in its own rows and order of faces.

    Attributes:
        pairs: `human_prediction` and `invalid` are what people said.
        who: whose verdicts alone; None for everybody's.
        decided: rows that a decision settles.
        judged: rows that one person judged, or more than half of several alike.
        waiting: rows on which people disagree: not judged (-1), until somebody decides.
        own: rows that nobody judged, and of which the file itself says something.
        open: rows of which nothing is said.
        reasons: by row, why an invalid pair does not count, where somebody said so.
    """

    pairs: PairSet
    who: str | None
    decided: int
    judged: int
    waiting: int
    own: int
    open: int
    reasons: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class Exported:
    """Result of `export`: its files and what they say.

    Attributes:
        files: the pair file, its manifest, all verdicts.
        judged: what the pair file holds.
        human: error rates of what people said of it, or where nobody did, of what the file says;
            None where no valid pair is judged.
        agreement: of the people, where two or more judged valid pairs.
        content: of the manifest.
    """

    files: tuple[Path, ...]
    judged: ExportedVerdicts
    human: HumanRates | None
    agreement: Agreement | None
    content: Mapping[str, object]


def judged(store: Store, *, who: str | None = None) -> ExportedVerdicts:
    """The pair set as people judged it.

    Of each pair the decision holds, if there is one; else what more than half of those who judged
    say, one person being enough; else, where nobody judged, what the file itself says. Of an
    invalid pair the prediction is the earliest that was given. A row that the file marks invalid
    stays so, whatever verdicts say of it, unless it was decided upon.

    Args:
        store: of the review.
        who: one person, whose verdicts alone are looked at: no decisions, and of rows that this
            person did not judge no prediction.

    Raises:
        ReviewError: nobody of that name.
    """
    return _judged(store.pairs, store.account(), _known(store, who))


def judged_files(out: Path) -> list[Path]:
    """The files of the export `out`, a name that ends in `.csv`.

    Raises:
        ReviewError: another ending.
    """
    with_ending(out, ".csv", "the .json and the .judgements.csv go beside it")
    return [out, out.with_suffix(".json"), out.with_suffix(".judgements.csv")]


@alone()
def export(
    store: Store,
    out: Path,
    *,
    who: str | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    inputs: Iterable[Path] = (),
    origin: Mapping[str, object] | None = None,
    design: Design | None = None,
) -> Exported:
    """Write the pair set as judged, its manifest and all verdicts: all three files or none.

    The same verdicts give the same bytes.

    Args:
        store: of the review.
        out: the pair file; beside it go `.json` and `.judgements.csv`.
        who: one person, whose verdicts alone are written.
        overwrite: replace the files of an earlier export.
        spreadsheet_safe: write copies for spreadsheets too, see `pairsets.storage.spreadsheets`.
        inputs: never replaced, as the pair file that is reviewed.
        origin: what the manifest says of who mined or sampled the pairs.
        design: of the pairs, which those that were judged keep.

    Raises:
        ReviewError: nobody of that name; a file that may not be written.
    """
    files, beside = judged_files(Path(out)), identities_of(Path(out))
    tables = [files[0], files[2]]
    copies = copies_of(tables)
    chances = design_of(Path(out))
    possible = [*files, beside, chances, *copies]
    refuse_existing(possible, overwrite=overwrite, inputs=[*inputs, store.path])
    if store.pairs.named is not None:
        files = [*files, beside]
    if design is not None:
        files = [*files, chances]
    if spreadsheet_safe:
        files = [*files, *copies]
    name = _known(store, who)
    # Read once: the three files tell of the same moment.
    told = [
        (said, decided)
        for said, decided in store.account()
        if name is None or (said.annotator == name and not decided)
    ]
    found = _judged(store.pairs, told, name)
    people = {
        person: _judged(store.pairs, told, person)
        for person in sorted({said.annotator for said, decided in told if not decided})
    }
    # What the file itself says is somebody else's judging, unless it is all there is.
    rows = np.unique([said.pair for said, _ in told]).astype(np.int64)
    own = found.pairs.take(rows) if rows.size else found.pairs
    human = human_rates(own) if own.judged.any() else None
    agreed = _agreement(found, told, people)
    again = self_agreement(store)
    manifest = {
        "schema": SCHEMA,
        "kind": KIND,
        "who": name,
        "pairs": len(found.pairs),
        "pairs_sha256": pairs_digest(found.pairs),
        "rows_sha256": found.pairs.rows_sha256,
        "rows": {
            kind: getattr(found, kind) for kind in ("decided", "judged", "waiting", "own", "open")
        },
        "human": None if human is None else _rates(human),
        "people": [
            _person(person, told, mine.pairs) | _again(again.get(person))
            for person, mine in people.items()
        ],
        "agreement": None if agreed is None else agreement_content(agreed),
        "versions": versions("lookalikes", "numpy"),
        **(origin or {}),
    }
    # Of the pairs that stood here before.
    stale = [file for file in (beside, chances, *copies) if file not in files]
    with written_together(files, manifest=files[1], stale=stale, overwrite=overwrite) as folder:
        found.pairs.write(folder / files[0].name)
        write_json(folder / files[1].name, manifest)
        write_judgements(folder / files[2].name, store.pairs, told)
        if design is not None:
            design.write(folder / chances.name, store.pairs)
        if spreadsheet_safe:
            write_copies(folder / table.name for table in tables)
    return Exported(tuple(files), found, human, agreed, manifest)


def _known(store: Store, who: str | None) -> str | None:
    """Name of a person as the store has it."""
    if who is None:
        return None
    name, names = plain_name(who), sorted(store.annotators.values())
    if name not in names:
        near = alike(name, names)
        raise ReviewError(
            f"{name}: judged nothing in {store.path}; expected "
            + (f"one of {', '.join(names)}" if names else "a person, but nobody has begun yet")
            + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    return name


def _judged(pairs: PairSet, told: Iterable[Told], who: str | None) -> ExportedVerdicts:
    said: dict[int, list[Verdict]] = {}
    decisions: dict[int, Verdict] = {}
    for record, decided in told:
        pair, verdict = record.pair, record.verdict
        if decided:
            if who is None:
                decisions[pair] = verdict
        elif who in (None, record.annotator):
            if pairs.invalid[pair]:
                verdict = Verdict(verdict.prediction, True, verdict.reason)
            said.setdefault(pair, []).append(verdict)
    found = {pair: common(verdicts) for pair, verdicts in said.items()} | decisions
    prediction, invalid = pairs.human_prediction.copy(), pairs.invalid.copy()
    if who is not None:
        prediction[:] = -1
    for pair, one_said in found.items():
        prediction[pair] = -1 if one_said is None else one_said.prediction
        invalid[pair] = one_said is not None and one_said.invalid
    waiting = sum(one_said is None for one_said in found.values())
    result = replace(pairs, human_prediction=prediction, invalid=invalid)
    silent = (result.human_prediction < 0) & result.valid
    silent[list(found)] = False
    return ExportedVerdicts(
        pairs=result,
        who=who,
        decided=len(decisions),
        judged=len(found) - len(decisions) - waiting,
        waiting=waiting,
        own=len(pairs) - len(found) - int(silent.sum()),
        open=int(silent.sum()),
        reasons={
            pair: one_said.reason
            for pair, one_said in sorted(found.items())
            if one_said is not None and one_said.reason
        },
    )


def _agreement(
    found: ExportedVerdicts, told: Iterable[Told], people: Mapping[str, ExportedVerdicts]
) -> Agreement | None:
    """Agreement of those who judged pairs that count for all; None for fewer than two."""
    if len(people) < 2:
        return None
    away = np.max([mine.pairs.invalid for mine in people.values()], axis=0)
    settled = [said.pair for said, decided in told if decided]
    away[settled] |= found.pairs.invalid[settled]
    counted = {name: replace(mine.pairs, invalid=away) for name, mine in people.items()}
    counted = {name: mine for name, mine in counted.items() if mine.judged.any()}
    return agreement(counted) if len(counted) > 1 else None


def _person(name: str, told: Iterable[Told], pairs: PairSet) -> dict[str, object]:
    words = [said.verdict.word for said, decided in told if said.annotator == name and not decided]
    rates = _rates(human_rates(pairs)) if pairs.judged.any() else {"fpr": None, "fnr": None}
    return {
        "name": name,
        "judged": len(words),
        "words": {word: words.count(word) for word in WORDS},
        "fpr": rates["fpr"],
        "fnr": rates["fnr"],
    }


def _again(found: SelfAgreement | None) -> dict[str, object]:
    """Agreement with oneself as JSON has it: nothing of who was not asked again."""
    if found is None:
        return {}
    alike = None if found.alike is None else _rate(found.alike)
    return {"again": {"alike": alike, "unsure": found.unsure}}


def _rates(found: HumanRates) -> dict[str, object]:
    return {
        "fpr": _rate(found.fpr_rate),
        "fnr": _rate(found.fnr_rate),
        "unjudged": found.unjudged,
    }


def _rate(rate: Rate) -> dict[str, object] | None:
    """Rate as JSON holds it; None of no pairs."""
    if not rate.count:
        return None
    return {name: getattr(rate, name) for name in ("value", "low", "high", "errors", "count")}


def agreement_content(found: Agreement) -> dict[str, object]:
    """Agreement of people as JSON has it."""
    counts = ("pairs", "invalid", "judged_by", "unanimous", "ties")
    return {
        **{name: getattr(found, name) for name in counts},
        "fleiss": None if found.fleiss is None else _kappa(found.fleiss),
        "majority": None if found.majority is None else _rates(found.majority),
        "between": [
            {
                "first": one.first,
                "second": one.second,
                "agreed": _rate(one.agreed),
                "kappa": _kappa(one.kappa),
                "only_first": one.only_first,
                "only_second": one.only_second,
            }
            for one in found.between
        ],
    }


def _kappa(found: Kappa) -> dict[str, object]:
    bounds = found.interval
    return {
        "value": found.value,
        "low": None if bounds is None else bounds.low,
        "high": None if bounds is None else bounds.high,
        "agreed": found.agreed if isfinite(found.agreed) else None,
        "count": found.count,
    }
