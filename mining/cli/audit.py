"""A folder of faces before any pair exists: the command audit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mining.cli.app import app
from mining.cli.options import (
    AliasGroup,
    DetectorOption,
    EmbeddingsOption,
    IdentityGroup,
    MaxPixelsOption,
    OutputGroup,
    TrustOption,
    kinds_of,
)
from pairsets.files.audit_kinds import ACTIONABLE, AUDIT_KINDS, SURE

# Of the help.
PANEL = "Trust the benchmark"
_LEFT_OUT = "Faces to leave out"


@dataclass(frozen=True)
class ActionGroup:
    """The options of what becomes of faces that are to be left out."""

    ignore_list: Annotated[
        Path | None,
        typer.Option(
            "--ignore-list",
            metavar="FILE",
            help="List of their base names to write, for the option of this name of other "
            "commands.",
            rich_help_panel=_LEFT_OUT,
        ),
    ] = None
    move_to: Annotated[
        Path | None,
        typer.Option(
            "--move-to",
            metavar="FOLDER",
            help="Folder to move them to, with a list by which --undo moves them back.",
            rich_help_panel=_LEFT_OUT,
        ),
    ] = None
    act_on: Annotated[
        str | None,
        typer.Option(
            "--act-on",
            metavar="KIND,...",
            help=f"Kinds of which faces are left out: {', '.join(ACTIONABLE)}. "
            f"[default: {', '.join(SURE)}]",
            rich_help_panel=_LEFT_OUT,
        ),
    ] = None
    undo: Annotated[
        Path | None,
        typer.Option(
            "--undo",
            metavar="FILE",
            help="List that --move-to left, to move those faces back; nothing else is done.",
            rich_help_panel=_LEFT_OUT,
        ),
    ] = None


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes audit faces --embeddings embeddings/resnet50 "
    "--ignore-list leave_out.csv`",
)
def audit(
    faces: Annotated[
        Path | None,
        typer.Argument(
            metavar="FACES",
            help="Folder with one folder of images per identity.",
            show_default=False,
        ),
    ] = None,
    embeddings: EmbeddingsOption = None,
    identity: IdentityGroup = IdentityGroup(),
    known: AliasGroup = AliasGroup(),
    detector: DetectorOption = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--kinds",
            metavar="KIND,...",
            help=f"Kinds to look for: {', '.join(AUDIT_KINDS)}. [default: all that the other "
            "options allow]",
        ),
    ] = None,
    trust: TrustOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write. [default: FACES.audit]"),
    ] = None,
    act: ActionGroup = ActionGroup(),
    written: OutputGroup = OutputGroup(),
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Look for mistakes in a folder of faces, before any pair is made of it.

    Duplicates, one identity under two names, faces of another identity, bad crops, faces unlike all
    others, identities with too few pictures: as a table, as JSON that `mine`, `build` and
    `suspects` take with --audit, and as a page that shows them. Nothing is changed unless asked
    for. For duplicates, `pip install 'lookalikes[suspects]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.audit import audit as run_audit
    from mining.commands.audit import undo_audit

    if act.undo is not None:
        if faces is not None:
            raise typer.BadParameter("--undo moves back what its list names; leave out FACES")
        print_made(undo_audit(act.undo, bar))
        return
    if faces is None:
        raise typer.BadParameter("name the folder of faces, FACES")
    from mining.embeddings.store import Embeddings
    from mining.inspection.actions import Actions
    from mining.suspects.evidence import Evidence

    acted = kinds_of(act.act_on)
    actions = Actions(act.ignore_list, act.move_to, None if acted is None else tuple(acted))
    evidence = Evidence(
        references=[Embeddings.load_named(folder) for folder in embeddings or []],
        aliases=known.aliases,
        detector=detector,
        max_pixels=max_pixels,
        cannot_link=tuple(known.cannot_link or ()),
        trusted=tuple(kinds_of(trust) or ()),
    )
    made = run_audit(
        faces,
        out=out,
        evidence=evidence,
        identities=identity.rule(),
        kinds=kinds_of(kinds),
        actions=actions,
        progress=bar,
        **vars(written),
    )
    print_made(made)
