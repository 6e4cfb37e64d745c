"""A folder of faces -> what may be wrong with it: a table, JSON and a page; faces left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mining.commands.result import CommandResult
from mining.commands.suspects import told_misfits
from mining.errors import RunError
from mining.inspection.account import audit_of_work, funnel_of_work, hints_of_work
from mining.inspection.actions import Actions, refuse_ambiguous
from mining.inspection.work import BY_VECTORS, AuditWork
from mining.overlap.copies import state_of
from mining.suspects.evidence import Evidence
from pairsets.errors import FacesError, OutputError
from pairsets.faces import Faces
from pairsets.files.audit_kinds import AUDIT_KINDS, in_order
from pairsets.files.audits import Audit
from pairsets.files.face_lists import FaceList
from pairsets.files.suspect_kinds import KINDS
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.progress import Progress, silent
from pairsets.report.audit_page import write_audit_page
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone, written_together
from pairsets.storage.relocation import UNDO, move_away, move_back, refuse_move
from pairsets.storage.resume import files_of
from pairsets.storage.spreadsheets import copies_of, write_copies


def audit_of(faces: Path) -> Path:
    """Folder that an audit is written to, beside the faces.

    >>> audit_of(Path("sets/faces")).as_posix()
    'sets/faces.audit'
    """
    return faces.with_name(f"{faces.name}.audit")


@dataclass(frozen=True, eq=False)
class AuditResult(CommandResult):
    """Audit that was made, beside what a command tells.

    Attributes:
        audit: what was found.
    """

    audit: Audit | None = None


@alone(folder=True, otherwise=("faces", audit_of))
def audit(
    faces: str | Path,
    *,
    out: str | Path | None = None,
    evidence: Evidence | None = None,
    identities: Rule | None = None,
    kinds: Sequence[str] | None = None,
    actions: Actions | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> AuditResult:
    """Look for what may be wrong with a folder of faces, before any pair is made of it.

    Writes `audit.csv`, `audit.json` and `audit.html` into a folder beside the faces. An interrupted
    audit goes on when called again.

    Args:
        faces: folder with one folder of pictures per identity.
        out: folder to write into; by default `FACES.audit`.
        evidence: what is looked with; by default the pictures and names alone.
        identities: who each picture shows, where that is not its folder.
        kinds: what is looked for, of `pairsets.files.audit_kinds.AUDIT_KINDS`; by default all that
            `evidence` is enough for.
        actions: what becomes of faces that are to be left out; by default nothing.
        overwrite: replace an audit that is there.
        spreadsheet_safe: write a copy of the table for spreadsheets.
        progress: shows how far each step is.

    Raises:
        FacesError, OutputError, PairSetError: the folder, a place to write, a list.
        EmbeddingError, RunError: vectors of other faces; kinds that cannot be looked for.
    """
    faces, actions = Path(faces), actions or Actions()
    out = audit_of(faces) if out is None else Path(out)
    evidence = replace(evidence or Evidence(), faces=faces)
    wanted = _wanted(kinds, evidence)
    files = [out / name for name in ("audit.csv", "audit.html", "audit.json")]
    copies = copies_of(files[:1])
    lists = [] if actions.ignore_list is None else [actions.ignore_list]
    _refuse_places(faces, [*files, *copies], lists, evidence, overwrite=overwrite)
    actions.refuse_early(faces, wanted)
    with progress("Reading the folder of faces"):
        found = _scan(faces, identities)
    before = state_of(faces, found.paths)
    with progress("Digesting files") as step:
        listed = FaceList.of(found, step)
    work = AuditWork(listed, found, evidence, wanted, actions, out, progress, kinds is None)
    work.look()
    if evidence.cannot_link:
        work.warnings += told_misfits(*work.misfits, evidence.cannot_link)
    if state_of(faces, found.paths) != before:
        raise RunError(f"{faces}: files changed while they were looked at; audit them again")
    left_out = work.left_out
    if actions.ignore_list is not None:
        refuse_ambiguous(left_out, found, actions.ignore_list)
    if actions.move_to is not None:
        refuse_move(left_out, faces, actions.move_to)
    made = audit_of_work(work, left_out if actions.move_to is not None else [])
    journals = [file for journal in work.journals for file in files_of(journal)]
    written = [*files, *(copies if spreadsheet_safe else []), *lists]
    stale = [] if spreadsheet_safe else copies
    with written_together(
        written, manifest=files[2], stale=stale, spent=journals, overwrite=overwrite
    ) as folder:
        table = made.write_table(folder / files[0].name)
        with progress("Drawing the page") as step:
            write_audit_page(made, found, folder / files[1].name, evidence.max_pixels, step)
        made.write(folder / files[2].name)
        if spreadsheet_safe:
            write_copies([table])
        for one in lists:
            actions.write_ignore_list(left_out, folder / one.name)
    if actions.move_to is not None and left_out:
        written.append(_moved(left_out, faces, actions.move_to, progress))
    rows, hints = funnel_of_work(work, left_out), hints_of_work(work, left_out)
    return AuditResult(written, rows, work.warnings, hints=hints, audit=made)


def undo_audit(undo: str | Path, progress: Progress = silent) -> CommandResult:
    """Move faces back to where an audit took them from.

    Args:
        undo: the list, `undo.csv`, in the folder that they were moved to.
        progress: shows how far it is.

    Raises:
        PairSetError, OutputError: no such list, or a file that cannot be put back; none was moved.
    """
    moved, back = move_back(Path(undo), progress)
    rows = [FunnelRow("faces", "moved back", len(moved), kept=True)]
    if back:
        rows.append(FunnelRow("faces", "back already", len(back), kept=True))
    return CommandResult([], rows)


def _moved(paths: Sequence[str], faces: Path, to: Path, progress: Progress) -> Path:
    """Move faces away; the list of them."""
    try:
        return move_away(paths, faces, to, progress)
    # Interrupted, the same command does not go on: the list of what was moved is there.
    except (OSError, KeyboardInterrupt) as error:
        if not (to / UNDO).is_file():  # before anything was moved
            raise
        raise OutputError(
            f"{to}: {str(error) or 'interrupted'}; some of the {len(paths):,} faces were moved. "
            f"Move them back: lookalikes audit --undo {to / UNDO}"
        ) from None


def _wanted(kinds: Sequence[str] | None, evidence: Evidence) -> list[str]:
    """Kinds that are looked for, in their order.

    Raises:
        RunError: no such kind, none, or one that lacks what it is seen in.
    """
    there = [kind for kind in AUDIT_KINDS if kind in KINDS or kind in ("outlier", "few")]
    if kinds is None:
        return [kind for kind in there if evidence.references or kind not in BY_VECTORS]
    for kind in kinds:
        if kind not in there:
            raise RunError(f"kind {kind!r}; an audit looks for {', '.join(there)}")
        if kind in BY_VECTORS and not evidence.references:
            raise RunError(f"{AUDIT_KINDS[kind]} ({kind}) cannot be seen without --embeddings")
    if not kinds:
        raise RunError(f"no kind to look for; expected some of {', '.join(there)}")
    return in_order(kinds)


def _refuse_places(
    faces: Path,
    files: Sequence[Path],
    lists: Sequence[Path],
    evidence: Evidence,
    *,
    overwrite: bool,
) -> None:
    """Raise OutputError where files lie in the faces, are there already, or are read."""
    for file in files:
        refuse_inside(file, faces)
    for one in lists:
        if one.name in {file.name for file in files}:
            raise OutputError(f"{one}: called as a file of the audit; choose another --ignore-list")
    given = [evidence.aliases, evidence.detector, *evidence.cannot_link]
    given += [one.folder / "manifest.json" for one in evidence.references]
    refuse_existing([*files, *lists], overwrite=overwrite, inputs=given)


def _scan(faces: Path, identities: Rule | None) -> Faces:
    """The faces of a folder of files."""
    if faces.is_file() and faces.suffix.lower() in (".csv", ".json", ".txt"):
        raise FacesError(
            f"{faces}: a file; an audit is of a folder of faces, with one folder per identity "
            "(suspects of a pair file: lookalikes suspects)"
        )
    found = Faces.scan(faces, identities)
    if found.source is not None:
        raise FacesError(
            f"{faces}: its pictures are no files of this machine, which an audit compares; unpack "
            "them into a folder first (tar -xf for .tar, lookalikes arrange for .parquet)"
        )
    return found
