"""Pairs of other benchmarks and libraries, in and out: the commands convert and pool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    IdentitiesOption,
    IdentityLevelOption,
    IdentityPatternOption,
    OverwriteOption,
    rule_of,
)

# As `pairsets.sources.formats.FORMATS`, which would import too much.
Format = Literal[
    "csv",
    "lfw",
    "sllfw",
    "calfw",
    "trials",
    "table",
    "ijb",
    "indices",
    "jsonl",
    "parquet",
    "n-tuples",
    "pml",
]
_READING, _WRITING = "What the file does not say itself", "How it is written"

# Of the help.
PANEL = "Faces and pairs from elsewhere"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes convert pairs.txt --faces lfw --out lfw.csv`",
)
def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="File of pairs.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    format: Annotated[
        Format | None,
        typer.Option("--format", help="Of SOURCE. [default: the one that it looks like]"),
    ] = None,
    to: Annotated[
        Format | None,
        typer.Option("--to", help="Of OUT. [default: by its ending .csv, .jsonl, .parquet]"),
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option("--faces", help="Folder that the paths lie in, to see that all are there."),
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(
            "--suffix",
            help="lfw, indices: what follows a number, as .png or _0.png. [default: as in "
            "--faces, else .jpg]",
            rich_help_panel=_READING,
        ),
    ] = None,
    digits: Annotated[
        int | None,
        typer.Option(
            "--digits",
            min=1,
            max=18,
            help="lfw, indices: of a number, filled up with noughts. [default: as in --faces, else "
            "4 of lfw, 1 of indices]",
            rich_help_panel=_READING,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="A,B,LABEL[,FOLD]",
            help="table: how the columns are called. [default: found by known names]",
            rich_help_panel=_READING,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            help="sllfw, calfw, trials, indices: so many equal parts, one after the other. "
            "[default: as the order of labels says]",
            rich_help_panel=_READING,
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            "--templates",
            help="ijb: `image template media`, to leave out pairs of templates that it lacks.",
            rich_help_panel=_READING,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="pml: CSV with a column `path`, the image of each index, such as images.csv.",
            rich_help_panel=_READING,
        ),
    ] = None,
    style: Annotated[
        Literal["triplet", "n-tuple", "labeled-pair"] | None,
        typer.Option(
            "--style",
            help="n-tuples: one negative a row, several, or labelled pairs. [default: triplet]",
            rich_help_panel=_WRITING,
        ),
    ] = None,
    negatives: Annotated[
        int | None,
        typer.Option(
            "--negatives",
            min=1,
            help="n-tuples: so many in each row of the style n-tuple. [default: 3]",
            rich_help_panel=_WRITING,
        ),
    ] = None,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Turn pairs of any format into those of another; folds are kept where both have them.

    The formats: csv (this project's pair file), lfw (pairs.txt, DevTrain, DevTest), sllfw, calfw
    (CPLFW too), trials (two paths a line, a label behind or before them), table (with other names
    of columns), ijb (templates), indices (numbers of pictures in one folder), jsonl, parquet,
    n-tuples (as sentence-transformers mines them), pml (index tuples of pytorch-metric-learning).
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.convert import convert_pairs

    reading: dict[str, object] = {"suffix": suffix, "digits": digits, "columns": columns}
    reading |= {"folds": folds, "templates": templates}
    writing: dict[str, object] = {"style": style, "negatives": negatives}
    (writing if to == "pml" else reading)["images"] = images
    made = convert_pairs(
        source,
        out,
        from_format=format,
        to_format=to,
        reading={name: value for name, value in reading.items() if value is not None},
        writing={name: value for name, value in writing.items() if value is not None},
        faces=faces,
        identities=rule_of(identity_level, identity_pattern, identities),
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes pool embeddings/ijbc --templates ijbc_face_tid_mid.txt "
    "--pairs ijbc_template_pair_label.txt --out embeddings/ijbc_templates`",
)
def pool(
    embeddings: Annotated[
        Path,
        typer.Argument(metavar="EMBEDDINGS", help="Folder that `lookalikes embed` wrote."),
    ],
    templates: Annotated[
        Path, typer.Option("--templates", help="IJB's `image template media`, one a line.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the templates' embeddings.")],
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            help="IJB's `template1 template2 label`, or the pair file made of it: says which "
            "templates are one subject's.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Make one vector a template of those of its images: the mean over media, a video being one.

    What it writes is embeddings like any other: `evaluate`, `mine` and `suspects` take it.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.pool import pool_templates

    made = pool_templates(embeddings, templates, pairs, out, overwrite=overwrite, progress=bar)
    print_made(made)
