"""Account of an audit: its file, the rows of its summary, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence

from mining.inspection.work import BY_VECTORS, AuditWork
from pairsets.files.audit_kinds import AUDIT_KINDS
from pairsets.files.audits import Audit, KindAccount
from pairsets.funnel import FunnelRow, faces_rows

# The seed of whatever checks draw to measure themselves.
SEED = 0
# What of a manifest tells embeddings from others.
_FACTS = ("model", "fingerprint", "images_sha256", "vectors_sha256")


def audit_of_work(work: AuditWork, moved: Sequence[str]) -> Audit:
    """Audit of what was found, with the faces that are about to be moved away."""
    return Audit(
        str(work.faces.root),
        work.listed,
        _accounts(work),
        [one for kind in _accounts(work) for one in work.found.get(kind, [])],
        _lacking(work),
        {
            "seed": SEED,
            "kinds": [*work.wanted],
            "act_on": [*work.actions.kinds],
            "max_pixels": work.evidence.max_pixels,
            "identities": work.faces.said,
            **work.digests,
        },
        [
            {"folder": str(one.folder)} | {key: one.manifest[key] for key in _FACTS}
            for one in work.evidence.references
        ],
        dict(sorted(work.unread.items())),
        frozenset(moved),
    )


def funnel_of_work(work: AuditWork, left_out: Sequence[str]) -> list[FunnelRow]:
    """Funnel rows of what was looked at, and what was found."""
    rows = faces_rows(work.faces)
    if work.unread:
        rows.append(FunnelRow("faces", "images that cannot be read", len(work.unread)))
    for kind, found in work.found.items():
        rows.append(FunnelRow("audit", f"{AUDIT_KINDS[kind]} ({kind})", len(found), kept=True))
    if left_out:
        rows.append(FunnelRow("audit", "faces to leave out", len(left_out), kept=True))
    return rows


def hints_of_work(work: AuditWork, left_out: Sequence[str]) -> list[str]:
    """Sentences on how sure it is, what was not looked for, and how to go on."""
    told = [
        f"{AUDIT_KINDS[kind].capitalize()} ({kind}): {account.sentence()}"
        for kind, account in _accounts(work).items()
        if account.abstains or account.expected is not None
    ]
    told += [
        f"Not looked for: {AUDIT_KINDS[kind]} ({kind}), which needs {option}"
        for kind, option in _lacking(work).items()
    ]
    if left_out and work.actions.ignore_list is None and work.actions.move_to is None:
        told.append(
            f"{len(left_out):,} faces would be left out: --ignore-list FILE lists them, "
            "--move-to FOLDER moves them away, and back again with --undo"
        )
    return told


def _accounts(work: AuditWork) -> dict[str, KindAccount]:
    """Account of each kind that was looked for, or would have been."""
    accounts = {}
    for kind in work.wanted:
        found, why = work.found.get(kind), work.why.get(kind, "")
        if found is not None or why:
            paths = {note.path for one in found or [] for note in one.notes if note.path}
            accounts[kind] = KindAccount(
                len(found or []), len(paths), work.expected.get(kind), why, counted=kind == "few"
            )
    return accounts


def _lacking(work: AuditWork) -> dict[str, str]:
    """Kinds that were not looked for, and the option that each lacks."""
    named = work.evidence.references or not work.whole
    return {} if named else dict.fromkeys(BY_VECTORS, "--embeddings")
