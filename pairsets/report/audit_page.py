"""Page of an audit: one HTML file, without any outside part, that shows groups side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pairsets.faces import Faces
from pairsets.files.audit_kinds import AUDIT_KINDS
from pairsets.files.audits import Audit
from pairsets.images import MAX_PIXELS
from pairsets.progress import Step, unheard
from pairsets.report.audit_cards import Card, cards_of
from pairsets.report.policy import content_policy
from pairsets.report.templates import asset, page_environment
from pairsets.report.thumbnails import as_sheet, encode_readable
from pairsets.storage.artefacts import write_text

# Longer side of a face on the page, and faces that are encoded at a time.
PIXELS, _BATCH = 128, 64
# What a reader is told of each kind.
ABOUT = {
    "duplicate": "Files that show one picture: re-compressed, resized, mirrored, padded, cut "
    "otherwise. Within an identity the best copy is kept. Under two names nobody can tell from the "
    "picture whose it is.",
    "source": "Faces that were cut from one picture, beside each other in it.",
    "variant": "Drawings that were altered in a part: another expression, other clothes.",
    "alias": "Two folders that may hold one identity, by their names, a list, or their pictures.",
    "mislabel": "Faces that are nearer to another identity than to the one they are filed under.",
    "crop": "Blank, tiny, blown up from few pixels, mostly padding, slivers, or without a face.",
    "outlier": "Faces that are near to nobody: not to their own identity, and to no other.",
    "few": "Identities that no pair of two pictures can be made of, once what is doubted is put "
    "aside.",
}
_SUGGESTIONS = {"keep": "keep", "leave-out": "leave out", "ask": "you decide"}


def write_audit_page(
    audit: Audit,
    faces: Faces,
    path: Path,
    max_pixels: int = MAX_PIXELS,
    progress: Step = unheard,
) -> Path:
    """Write an audit as one self-contained HTML file; returns `path`.

    Of each kind the first findings are shown (`pairsets.report.audit_cards.SHOWN`), and the rest is
    counted. The same audit of the same faces gives the same bytes.

    Args:
        audit: of these faces.
        faces: files below their folder. One that cannot be read is shown as such.
        path: of the page.
        max_pixels: width times height above which a picture is not decoded.
        progress: called with the faces encoded, and all.
    """
    cards = cards_of(audit, faces)
    pictures = _pictures(cards, faces, max_pixels, progress)
    return write_text(path, render_audit(audit, cards, pictures))


def render_audit(
    audit: Audit, cards: dict[str, list[Card]], pictures: dict[str, str | None]
) -> str:
    """The page as text.

    Args:
        audit: that is shown.
        cards: of each kind.
        pictures: WebP in base64 by path, of all faces on the cards; None: not readable.
    """
    readable = {path: picture for path, picture in pictures.items() if picture is not None}
    sheet = as_sheet([*readable], [*readable.values()], "f")
    styles = (asset("page.css"), asset("gallery.css"), asset("audit.css"), sheet.css)
    scripts = (asset("page.js"), asset("audit.js"))
    environment = page_environment()
    kinds: list[dict[str, Any]] = [
        {
            "kind": kind,
            "title": AUDIT_KINDS[kind][0].upper() + AUDIT_KINDS[kind][1:],
            "about": ABOUT[kind],
            "account": account,
            "cards": cards.get(kind, []),
            "more": account.findings - len(cards.get(kind, [])),
        }
        for kind, account in audit.kinds.items()
    ]
    page = environment.get_template("audit.html.jinja").render(
        audit=audit,
        title=f"Audit of {Path(audit.place).name}",
        kinds=kinds,
        total=sum(account.findings for account in audit.kinds.values()),
        left_out=len(audit.left_out),
        lacking=[(AUDIT_KINDS[kind], option) for kind, option in audit.lacking.items()],
        suggestions=_SUGGESTIONS,
        face=sheet.classes,
        policy=content_policy(styles, scripts),
        styles=[Markup(text) for text in styles],
        scripts=[Markup(text) for text in scripts],
    )
    # A file's name may hold bytes that are no text; a page is UTF-8.
    return page.encode("utf-8", "replace").decode()


def _pictures(
    cards: dict[str, list[Card]], faces: Faces, max_pixels: int, progress: Step
) -> dict[str, str | None]:
    """Pictures by path, of all faces on the cards, each once."""
    paths = list(
        dict.fromkeys(
            face.path
            for found in cards.values()
            for card in found
            for lane in card.lanes
            for face in lane.faces
        )
    )
    pictures: dict[str, str | None] = {}
    for start in range(0, len(paths), _BATCH):
        part: Sequence[str] = paths[start : start + _BATCH]
        found = encode_readable([faces.root / path for path in part], PIXELS, max_pixels)
        pictures |= dict(zip(part, found, strict=True))
        progress(start + len(part), len(paths))
    return pictures
