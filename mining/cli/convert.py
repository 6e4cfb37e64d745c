"""Pairs of other benchmarks and libraries, in and out: the commands convert and pool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import IdentityGroup, OverwriteOption
from mining.cli.user_words import accepting

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


@dataclass(frozen=True)
class ReadingGroup:
    """The options that say what the file does not."""

    suffix: Annotated[
        str | None,
        typer.Option(
            "--suffix",
            help="Ending that follows a picture's number in lfw and indices, as .png or _0.png. "
            "[default: as in --faces, else .jpg]",
            rich_help_panel=_READING,
        ),
    ] = None
    digits: Annotated[
        int | None,
        typer.Option(
            "--digits",
            min=1,
            max=18,
            help="Digits of a picture's number in lfw and indices, filled up with noughts. "
            "[default: as in --faces, else 4 of lfw, 1 of indices]",
            rich_help_panel=_READING,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="A,B,LABEL[,FOLD]",
            help="Names of the columns of a table. [default: found by known names]",
            rich_help_panel=_READING,
        ),
    ] = None
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            metavar="K",
            help="Number of equal folds of sllfw, calfw, trials and indices, one after the other. "
            "[default: as the order of labels says]",
            rich_help_panel=_READING,
        ),
    ] = None
    templates: Annotated[
        list[Path] | None,
        typer.Option(
            "--templates",
            metavar="FILE",
            help="List of IJB's templates, `image template media` or NIST's CSV, which names "
            "subjects; pairs of templates in none are left out; repeatable.",
            rich_help_panel=_READING,
        ),
    ] = None
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="FILE",
            help="CSV with a column `path`, the image of each index of pml, such as images.csv.",
            rich_help_panel=_READING,
        ),
    ] = None


@dataclass(frozen=True)
class WritingGroup:
    """The options of how pairs are written."""

    style: Annotated[
        Literal["triplet", "n-tuple", "labeled-pair"] | None,
        typer.Option(
            "--style",
            help="Rows of n-tuples: one negative each, several, or labelled pairs. [default: "
            "triplet]",
            rich_help_panel=_WRITING,
        ),
    ] = None
    negatives: Annotated[
        int | None,
        typer.Option(
            "--negatives-per-row",
            min=1,
            help="Number of negatives in each row of the style n-tuple. [default: 3]",
            rich_help_panel=_WRITING,
        ),
    ] = None


@app.command(
    cls=accepting(
        {"--format": "--from-format", "--to": "--to-format", "--negatives": "--negatives-per-row"}
    ),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes convert pairs.txt --faces lfw --out lfw.csv`",
)
def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="File of pairs.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    from_format: Annotated[
        Format | None,
        typer.Option(
            "--from-format",
            metavar="FORMAT",
            help="Format of SOURCE. [default: the one that it looks like]",
        ),
    ] = None,
    to_format: Annotated[
        Format | None,
        typer.Option(
            "--to-format",
            metavar="FORMAT",
            help="Format of OUT. [default: by its ending .csv, .jsonl, .parquet]",
        ),
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            metavar="FOLDER",
            help="Folder that the pairs' paths lie in, to see that all are there.",
        ),
    ] = None,
    reading: ReadingGroup = ReadingGroup(),
    writing: WritingGroup = WritingGroup(),
    identity: IdentityGroup = IdentityGroup(),
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

    read, write = (
        {name: one for name, one in vars(group).items() if one is not None and one != []}
        for group in (reading, writing)
    )
    if to_format == "pml" and "images" in read:
        write["images"] = read.pop("images")
    made = convert_pairs(
        source,
        out,
        from_format=from_format,
        to_format=to_format,
        reading=read,
        writing=write,
        faces=faces,
        identities=identity.rule(),
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    cls=accepting({"--pairs": "--pair-file"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes pool embeddings/ijbc --templates ijbc_face_tid_mid.txt "
    "--pair-file ijbc_template_pair_label.txt --out embeddings/ijbc_templates`",
)
def pool(
    embeddings: Annotated[
        Path, typer.Argument(metavar="EMBEDDINGS", help="Folder that `lookalikes embed` wrote.")
    ],
    templates: Annotated[
        list[Path],
        typer.Option(
            "--templates",
            metavar="FILE",
            help="List of IJB's templates, `image template media` or NIST's CSV; repeatable.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the templates' embeddings.")],
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pair-file",
            metavar="FILE",
            help="IJB's `template1 template2 label`, or the pair file made of it: says which "
            "templates are one subject's, where the lists of templates do not.",
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
