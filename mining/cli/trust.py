"""A benchmark one can trust: the commands suspects and review."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    AliasGroup,
    AuditOption,
    DetectorOption,
    EmbeddingsOption,
    FacesFolderOption,
    IdentityGroup,
    KindsOption,
    MaxPixelsOption,
    OutputGroup,
    OverwriteOption,
    PairsArgument,
    SpreadsheetSafeOption,
    TrustOption,
    VetoOption,
    kinds_of,
    share_from,
)
from mining.cli.user_words import UserGroup, accepting

if TYPE_CHECKING:
    from mining.commands.review import PageOptions

# As in `pairsets.review.store.schema`, which would import too much.
MOST_REPEATED = 0.5
# What `lookalikes review` does where no other of its commands is named.
DEFAULT = "judge"

# Of the help.
PANEL = "Trust the benchmark"
_PAGE = "The page"


@dataclass(frozen=True)
class KnownGroup(AliasGroup):
    """Knowledge of the faces that somebody has already: names, pictures, an audit."""

    audit: AuditOption = None


@dataclass(frozen=True)
class DoubtGroup:
    """Kinds of suspects: those that are looked for, and those that are trusted."""

    kinds: KindsOption = None
    trust_suspects: TrustOption = None


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes suspects adversarial.csv --faces faces "
    "--embeddings embeddings/resnet50 --figure suspects.png --out adversarial.suspects.csv`",
)
def suspects(
    pairs: PairsArgument,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            metavar="FOLDER",
            help="Folder that the pairs' paths lie in; kinds duplicate, variant, source and crop "
            "need it.",
        ),
    ] = None,
    embeddings: EmbeddingsOption = None,
    identity: IdentityGroup = IdentityGroup(),
    veto: VetoOption = None,
    known: KnownGroup = KnownGroup(),
    detector: DetectorOption = None,
    doubts: DoubtGroup = DoubtGroup(),
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write. [default: PAIRS.suspects.csv]")
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure", metavar="FILE", help="Picture of the most suspicious pairs, .png or .svg."
        ),
    ] = None,
    written: OutputGroup = OutputGroup(),
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Flag the pairs that may be mistakes in the data; nothing is dropped.

    Kinds: duplicate (the same picture twice), variant (positives that are one drawing in two
    expressions), source (faces that were cut from one picture), alias (one identity under two
    names), mislabel (a face that belongs to another identity), crop (blank, tiny, not a face), veto
    (another model is sure that the two are one). For the first three, `pip install
    'lookalikes[suspects]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.suspects import find_suspects
    from mining.embeddings.store import Embeddings
    from mining.suspects.evidence import Evidence
    from pairsets.files.audits import Audit

    evidence = Evidence(
        faces=faces,
        references=[Embeddings.load_named(folder) for folder in embeddings or []],
        second=Embeddings.load_named(veto) if veto is not None else None,
        aliases=known.aliases,
        detector=detector,
        max_pixels=max_pixels,
        cannot_link=tuple(known.cannot_link or ()),
        audit=Audit.read(known.audit) if known.audit is not None else None,
        trusted=tuple(kinds_of(doubts.trust_suspects) or ()),
    )
    made = find_suspects(
        pairs,
        evidence=evidence,
        identities=identity.rule(),
        kinds=kinds_of(doubts.kinds),
        out=out,
        figure=figure,
        progress=bar,
        **vars(written),
    )
    print_made(made)


class _Judging(UserGroup):
    """`review PAIRS` is `review judge PAIRS`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


review = typer.Typer(
    cls=_Judging,
    no_args_is_help=True,
    help="Judge pairs in the browser, one person or several: "
    "`lookalikes review PAIRS --faces FACES [--as NAME]`.",
    epilog="All its options: `lookalikes review judge --help`. "
    "Example: `lookalikes review adversarial.csv --faces faces --as Rei`",
)
app.add_typer(review, name="review", rich_help_panel=PANEL)

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="FILE", help="Database of the verdicts. [default: PAIRS.review.sqlite]"
    ),
]


@dataclass(frozen=True)
class PageGroup:
    """Options of serving the page: address, and who may see it."""

    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; another than loopback gets a token.",
            rich_help_panel=_PAGE,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help="Port to listen on; 0 takes a free one.",
            rich_help_panel=_PAGE,
        ),
    ] = 8765
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Further name that browsers may use; repeatable.",
            rich_help_panel=_PAGE,
        ),
    ] = None
    browser: Annotated[
        bool,
        typer.Option(
            "--browser/--no-browser", help="Open the page in a browser.", rich_help_panel=_PAGE
        ),
    ] = False

    def options(self) -> PageOptions:
        """The options as the command takes them."""
        from mining.commands.review import PageOptions

        return PageOptions(self.host, self.port, self.allow_host or [], self.browser)


@dataclass(frozen=True)
class PlanGroup:
    """Options of which pairs are judged, by whom, and until when."""

    overlap: Annotated[
        float | None,
        typer.Option(
            "--overlap",
            metavar="SHARE",
            parser=share_from(),
            help="Share of the pairs that everybody judges; the others are shared out. "
            "[default: what it was, or 1]",
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="Random seed for the order that each person gets. [default: 0]"
        ),
    ] = None
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            min=1,
            help="Number of pairs to judge, drawn at random; it may grow later. "
            "[default: what it was, or all]",
        ),
    ] = None
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="AIM",
            help='Aim at which judging ends, such as "FPR within 2 points"; '
            "none for no end. [default: what it was, or none]",
        ),
    ] = None
    repeat: Annotated[
        float | None,
        typer.Option(
            "--repeat",
            metavar="SHARE",
            parser=share_from(MOST_REPEATED),
            help="Share of verdicts after which a pair judged before is asked again, for agreement "
            "with oneself. [default: what it was, or 0]",
        ),
    ] = None


@review.command(DEFAULT)
def judge(
    pairs: PairsArgument,
    faces: FacesFolderOption,
    annotator: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="Name of the person who judges; else the page asks."
        ),
    ] = None,
    identity: IdentityGroup = IdentityGroup(),
    suspects: Annotated[
        Path | None,
        typer.Option(
            "--suspects", metavar="FILE", help="File of suspects. [default: PAIRS.suspects.csv]"
        ),
    ] = None,
    suspects_first: Annotated[
        bool,
        typer.Option(
            "--suspects-first", help="Begin with the suspects, among as many other pairs."
        ),
    ] = False,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            metavar="FILE",
            help="Scores to show of judged pairs. [default: PAIRS.scores.csv]",
        ),
    ] = None,
    store: StoreOption = None,
    plan: PlanGroup = PlanGroup(),
    page: PageGroup = PageGroup(),
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Judge pairs in the browser: what `lookalikes review PAIRS` does.

    Every verdict is on the disk before the page moves on. Needs
    `pip install 'lookalikes[review]'`.
    """
    from mining.commands.review import JudgingOptions
    from mining.commands.review import review as run_review

    run_review(
        pairs,
        faces,
        identities=identity.rule(),
        judging=JudgingOptions(
            annotator=annotator, suspects=suspects, suspects_first=suspects_first, **vars(plan)
        ),
        store=store,
        scores=scores,
        page=page.options(),
        max_pixels=max_pixels,
        say=lambda text: typer.echo(text),
    )


@review.command(
    "export",
    cls=accepting({"--format": "--to-format"}),
    epilog="Example: `lookalikes review export adversarial.csv --out judged.csv`",
)
def export(
    pairs: PairsArgument,
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    who: Annotated[
        str | None,
        typer.Option("--who", metavar="NAME", help="Person whose verdicts alone are exported."),
    ] = None,
    form: Annotated[
        Literal["csv", "label-studio"],
        typer.Option(
            "--to-format",
            metavar="FORMAT",
            help="Format of OUT. csv: a pair file; label-studio: tasks to import there.",
        ),
    ] = "csv",
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix",
            help="Beginning of image addresses, for Label Studio. [default: /data/local-files/?d=]",
        ),
    ] = None,
    store: StoreOption = None,
    overwrite: OverwriteOption = False,
    spreadsheet_safe: SpreadsheetSafeOption = False,
) -> None:
    """Write what was judged: the five-column pair file, rates, agreement, and who said what.

    A decision counts, else what more than half said. Pairs without either are not judged.
    """
    if prefix is not None and form == "csv":
        raise typer.BadParameter("--prefix is that of addresses in --to-format label-studio")
    from mining.cli.summary import print_exported, print_tasks
    from mining.commands.review import export_review, export_tasks

    if form == "csv":
        print_exported(
            export_review(
                pairs,
                out,
                store=store,
                who=who,
                overwrite=overwrite,
                spreadsheet_safe=spreadsheet_safe,
            )
        )
    else:
        print_tasks(
            export_tasks(pairs, out, store=store, prefix=prefix, who=who, overwrite=overwrite)
        )


@review.command(
    "import", epilog="Example: `lookalikes review import adversarial.csv asuka.review.sqlite`"
)
def import_(
    pairs: PairsArgument,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Judged pair file, `*.judgements.csv`, another's database, or what Label Studio "
            "exports as JSON or JSON-MIN.",
        ),
    ],
    who: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Name of the person who gave the verdicts. [default: the file's name]",
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Take verdicts from elsewhere into the review; importing twice changes nothing."""
    from mining.cli.summary import print_imported
    from mining.commands.review import import_review

    print_imported(import_review(pairs, source, store=store, who=who))
