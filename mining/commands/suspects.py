"""The suspects of a pair file: flagged, listed and drawn; nothing is dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mining.commands.result import CommandResult
from mining.errors import RunError
from mining.miners.inputs import contradictions, of_faces
from mining.scores.pair_files import without_skipped
from mining.suspects.abstention import abstentions
from mining.suspects.check import Check, expectations
from mining.suspects.evidence import Evidence
from pairsets.faces import resolve
from pairsets.files.audits import Audit
from pairsets.files.side_files import suspects_of
from pairsets.files.suspect_kinds import KINDS
from pairsets.files.suspects import Doubt, Suspects
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.progress import Progress, silent
from pairsets.report import refuse_suffix, save_figure
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, write_copies

if TYPE_CHECKING:
    from pairsets.figures import Figure

# Suspects of one kind that a figure shows.
SHOWN = 12
# Pairs of identities that are told of.
LISTED = 10
# Kinds that go by who is shown, not by labels and pictures alone.
BY_IDENTITY = ("alias", "mislabel")


@alone(otherwise=("path", suspects_of))
def find_suspects(
    path: Path,
    *,
    evidence: Evidence,
    identities: Rule | None = None,
    kinds: Collection[str] | None = None,
    out: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Look at every pair of a pair file; nothing is dropped. Writes `PAIRS.suspects.csv`.

    Args:
        path: the pair file.
        evidence: what suspects are looked for with.
        identities: who faces show, where neither folders nor `PAIRS.identities.csv` say it.
        kinds: which; by default all that `evidence` is enough for.
        out: file of suspects to write instead.
        figure: picture of the most suspicious pairs of each kind to write.
        overwrite: replace what is there.
        spreadsheet_safe: write a copy of the list for spreadsheets, see
            `pairsets.storage.spreadsheets`.
        progress: shows how far each check is.
    """
    out = suspects_of(path) if out is None else out
    files = [out, *([figure] if figure is not None else [])]
    inputs = _inputs(path, evidence)
    copies = copies_of([out])
    refuse_existing([*files, *copies], overwrite=overwrite, inputs=inputs)
    if evidence.faces is not None:
        for file in files:
            refuse_inside(file, evidence.faces)
    if figure is not None:
        refuse_suffix(figure)
        if evidence.faces is None:
            raise RunError(f"{figure}: a picture of the suspects needs their faces; give --faces")
        if figure.name == out.name:
            raise RunError(f"{figure}: the name of the list, too; choose another --figure")
    second = [] if evidence.second is None else [evidence.second]
    pairs, lost = without_skipped(
        PairSet.read(path, identities), [*evidence.references, *second], "suspects"
    )
    pairs = _as_embedded(pairs, evidence, str(path))
    checks = evidence.checks(kinds)
    against = []
    if any(check.kind in BY_IDENTITY for check in checks):
        against = contradictions(
            pairs,
            "identity",
            str(path),
            lost=f"suspects of the kinds {' and '.join(BY_IDENTITY)}",
            remedy=f"look for others alone: --kinds {_others(evidence)}",
        )
    if evidence.faces is not None:
        resolve(evidence.faces, pairs.paths)
    misfits = _misfits(checks, pairs, evidence.cannot_link)
    doubts = []
    for check in checks:
        with progress(f"Looking for suspects: {KINDS[check.kind]}") as step:
            doubts.append(check(pairs, step))
    for one in (*evidence.references, *second):
        one.refuse_changed()
    found = Suspects.of(pairs, doubts)
    warnings = [*against, *misfits, *_unread_faces(_unread(checks))]
    warnings += _unknown_names(checks, pairs, evidence.aliases)
    written, stale = [out], []
    drawn = None
    if figure is not None and evidence.faces is not None:
        if found.flagged.any():
            drawn = draw_suspects(pairs, doubts, evidence.faces, evidence.max_pixels)
            written.append(figure)
        else:
            warnings.append(f"No suspect was found, so {figure} was not drawn.")
            stale.append(figure)
    written += copies if spreadsheet_safe else []
    stale += [] if spreadsheet_safe else copies
    with written_together(written, stale=stale, overwrite=overwrite) as folder:
        table = found.write(folder / out.name)
        if spreadsheet_safe:
            write_copies([table])
        if drawn is not None and figure is not None:
            save_figure(drawn, folder / figure.name)
    return CommandResult(
        written,
        [*lost, *suspect_rows(found)],
        [*warnings, *abstentions(checks)],
        hints=[*_expected(checks), *by_identities(pairs, doubts), *_hints(evidence, kinds)],
    )


def _inputs(path: Path, evidence: Evidence) -> list[Path | None]:
    """Files that are read, as far as given."""
    audit = None if evidence.audit is None else evidence.audit.source
    return [path, evidence.aliases, evidence.detector, audit, *evidence.cannot_link]


def _refuse_audit(audit: Audit, pairs: PairSet, faces: Path | None) -> None:
    """Raise PairSetError where an audit is of other faces, or of those of before."""
    paths = pairs.paths
    audit.faces.refuse_strangers(paths, audit.name, faces)
    audit.faces.refuse_names(((path, pairs.identity(path)) for path in paths), audit.name)


def _expected(checks: Sequence[Check]) -> list[str]:
    """Lines on how often the checks that measure themselves expect to be right."""
    return [
        f"{KINDS[one.kind]} ({one.kind}): {one.sentence()}"
        for one in expectations(checks)
        if not one.abstains and not one.trusted
    ]


def by_identities(pairs: PairSet, doubts: Sequence[Doubt]) -> list[str]:
    """Lines on doubts about identity: of each two identities, how many pairs they are about."""
    lines = []
    for doubt in doubts:
        if doubt.kind != "alias":
            continue
        about: dict[tuple[str, str], list[int]] = {}
        for row in np.flatnonzero(doubt.flagged).tolist():
            a, b = sorted(pairs.names(row))
            about.setdefault((a, b), []).append(row)
        often = sorted(about.items(), key=lambda item: (-len(item[1]), item[0]))
        for (a, b), rows in often[:LISTED]:
            why = doubt.reasons[rows[0]].removeprefix(f"{a} and {b}: ")
            lines.append(f"{a} / {b}: {len(rows):,} of your pairs ({why})")
        if len(often) > LISTED:
            lines.append(f"and {len(often) - LISTED:,} more such pairs of identities")
        if often:
            lines.append(
                "Who is one, list in --aliases; who is not, name a face of either in --cannot-link."
            )
    return lines


def _unread(checks: Sequence[Check]) -> dict[str, str]:
    """Cause of each face that could not be read; those of several checks are the same ones."""
    unread: dict[str, str] = {}
    for check in checks:
        unread |= getattr(check, "unread", {})
    return unread


def _as_embedded(pairs: PairSet, evidence: Evidence, source: str) -> PairSet:
    """The pairs with the identities that the embeddings have.

    Raises:
        PairSetError: the pair file, other embeddings or the audit say that a face is somebody else,
            or the audit is of other faces.
    """
    for one in (*evidence.references, evidence.second):
        if one is not None and (one.faces.paths.find(pairs.paths) >= 0).all():
            pairs = of_faces(pairs, one.faces, source)
    if evidence.audit is not None:
        _refuse_audit(evidence.audit, pairs, evidence.faces)
    return pairs


def _others(evidence: Evidence) -> str:
    """The kinds that can be looked for whoever is shown, or any such where none can be."""
    others = [kind for kind in KINDS if kind not in BY_IDENTITY]
    return ",".join([kind for kind in others if kind not in evidence.lacking] or others)


def suspect_rows(found: Suspects) -> list[FunnelRow]:
    """Funnel rows of what was looked at, and what was found."""
    pairs = FunnelRow("suspects", "pairs looked at", len(found), kept=True)
    rows = [
        FunnelRow("suspects", f"{KINDS[kind]} ({kind})", count, kept=True)
        for kind, count in found.counts().items()
    ]
    alike = FunnelRow("suspects", "pairs with at least one", int(found.flagged.sum()), kept=True)
    return [pairs, *rows, alike]


def draw_suspects(
    pairs: PairSet, doubts: Sequence[Doubt], faces: Path, max_pixels: int = MAX_PIXELS
) -> Figure:
    """The most suspicious pairs of each kind, with the reason."""
    from pairsets import figures

    sheets = {}
    for doubt in doubts:
        rows = np.flatnonzero(doubt.flagged)
        rows = rows[np.lexsort((rows, -doubt.score[rows]))]
        shown, told = choose_shown(pairs, rows.tolist())
        title = f"{KINDS[doubt.kind]}: {doubt.count:,} of {len(pairs):,} pairs"
        if doubt.count > SHOWN:
            title += f", {SHOWN} of them shown"
        sheets[title] = [
            figures.Doubted(
                faces / pairs.path_a[row],
                faces / pairs.path_b[row],
                doubt.reasons[row] + (" (a positive)" if pairs.label[row] else ""),
                told[row],
            )
            for row in shown
        ]
    return figures.suspect_sheet(sheets, max_pixels=max_pixels)


def choose_shown(pairs: PairSet, rows: Sequence[int]) -> tuple[list[int], dict[int, str]]:
    """Rows to draw, those of two identities side by side, and what stands above each.

    One of every two identities first, then a second: the same two may be in most of the pairs.

    Args:
        pairs: what the rows are of.
        rows: from the most suspicious one down.
    """
    of: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        of.setdefault(tuple(sorted({*pairs.names(row)})), []).append(row)
    turns = [(turn, at) for at, found in enumerate(of.values()) for turn in range(len(found))]
    drawn = Counter(at for _, at in sorted(turns)[:SHOWN])
    shown: list[int] = []
    told: dict[int, str] = {}
    for at, (names, found) in enumerate(of.items()):
        title = " and ".join(names)
        if len(found) > 1:
            here = "" if drawn[at] == len(found) else f", {drawn[at]} here"
            title += f": {len(found):,} pairs{here}"
        shown += found[: drawn[at]]
        told |= dict.fromkeys(found, title)
    return shown, told


def _unread_faces(unread: Mapping[str, str]) -> list[str]:
    """A sentence on the images that could not be looked at."""
    if not unread:
        return []
    path, cause = next(iter(sorted(unread.items())))
    return [
        f"{len(unread):,} images cannot be read, so that nothing is said of their pairs as "
        f"pictures: {path} {cause}" + (", and others" if len(unread) > 1 else "")
    ]


def _unknown_names(checks: Sequence[Check], pairs: PairSet, aliases: Path | None) -> list[str]:
    """A sentence on the names of the alias list that no identity has."""
    from mining.suspects.aliases import SameIdentity

    missing = [
        name for check in checks if isinstance(check, SameIdentity) for name in check.unknown(pairs)
    ]
    if not missing:
        return []
    return [
        f"{aliases}: {len(missing):,} listed names are no identity's of these pairs and faces, "
        f"{missing[0]} for one; misspelt?"
    ]


def _misfits(checks: Sequence[Check], pairs: PairSet, files: Sequence[Path]) -> list[str]:
    """Sentences on faces that cannot be one identity's: strangers, and those that are one's."""
    from mining.suspects.aliases import SameIdentity

    return [
        sentence
        for check in checks
        if isinstance(check, SameIdentity)
        for sentence in told_misfits(*check.misfits(pairs), files)
    ]


def told_misfits(strangers: int, same: int, files: Sequence[Path]) -> list[str]:
    """Sentences on what does not fit in files of faces that cannot be one identity's."""
    names, told = ", ".join(map(str, files)), []
    if strangers:
        told.append(f"{names}: {strangers:,} of its paths are no face of these; passed over.")
    if same:
        told.append(
            f"{names}: {same:,} of its pairs of faces are of one identity; is one of them "
            "mislabelled, or the same person twice in a picture?"
        )
    return told


def _hints(evidence: Evidence, kinds: Collection[str] | None) -> list[str]:
    if kinds is not None:
        return []
    return [
        f"Not looked for: {KINDS[kind]} ({kind}), which needs {option}"
        for kind, option in evidence.lacking.items()
    ]
