"""Pairs for other projects to train on: the command export-tuples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import IdentityGroup, OverwriteOption

# Of the help.
PANEL = "Faces and pairs from elsewhere"
_ROWS, _WRITTEN = "What a row holds", "How it is written"


@dataclass(frozen=True)
class TupleGroup:
    """The options of the rows."""

    form: Annotated[
        Literal["triplet", "n-tuple", "labeled-pair"],
        typer.Option(
            "--form",
            metavar="FORM",
            help="Form of a row. triplet: anchor, positive, negative; n-tuple: the same with "
            "several negatives; labeled-pair: two faces and a label.",
            rich_help_panel=_ROWS,
        ),
    ] = "triplet"
    negatives: Annotated[
        int,
        typer.Option(
            "--negatives-per-row",
            min=1,
            help="Number of negatives in each n-tuple; anchors with fewer are left out.",
            rich_help_panel=_ROWS,
        ),
    ] = 5
    max_per_anchor: Annotated[
        int | None,
        typer.Option(
            "--max-per-anchor",
            min=1,
            help="Most negatives of one anchor, the hardest. [default: all]",
            rich_help_panel=_ROWS,
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            min=0,
            help="Random seed for the order of an anchor's positives.",
            rich_help_panel=_ROWS,
        ),
    ] = 0


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes export-tuples runs/zaci/adversarial.csv --faces faces "
    "--form n-tuple --out tuples.jsonl`",
)
def export_tuples(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="Pair file with mined negatives.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Table to write (.csv, .jsonl, .parquet), or folder for a Hugging Face data set.",
        ),
    ],
    faces: Annotated[
        Path | None,
        typer.Option("--faces", metavar="FOLDER", help="Folder of faces, which has the positives."),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            metavar="FOLDER",
            help="Folder written by `lookalikes embed`, which knows the faces and who they show.",
        ),
    ] = None,
    rows: TupleGroup = TupleGroup(),
    paths_only: Annotated[
        bool,
        typer.Option(
            "--paths-only",
            help="Write a data set of paths, without the pictures.",
            rich_help_panel=_WRITTEN,
        ),
    ] = False,
    with_scores: Annotated[
        bool,
        typer.Option(
            "--with-scores",
            help="Add a column of the negatives' scores to labelled pairs.",
            rich_help_panel=_WRITTEN,
        ),
    ] = False,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            "--exclude",
            metavar="FILE",
            help="CSV with pathA, pathB: pairs that are not used; repeatable.",
        ),
    ] = None,
    suspects: Annotated[
        Path | None,
        typer.Option(
            "--suspects", metavar="FILE", help="File of suspects: pairs that are not used."
        ),
    ] = None,
    identity: IdentityGroup = IdentityGroup(),
    overwrite: OverwriteOption = False,
) -> None:
    """Write mined negatives as rows that other projects train on, as sentence-transformers does.

    Each face of a negative is an anchor, beside another face of its identity: all of those in turn.
    Hardest first, by PAIRS.scores.csv. What finds no place is counted.
    """
    from mining.cli.summary import print_made
    from mining.commands.export_tuples import FaceSource, Writing
    from mining.commands.export_tuples import export_tuples as write_tuples
    from pairsets.sources.tuples import TupleOptions

    made = write_tuples(
        pairs,
        out,
        FaceSource(faces, embeddings, identity.rule()),
        TupleOptions(**vars(rows)),
        writing=Writing(pictures=not paths_only, scores=with_scores),
        exclude=exclude or [],
        suspects=suspects,
        overwrite=overwrite,
    )
    print_made(made)
