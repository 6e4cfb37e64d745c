"""The options that several commands share. Nothing heavy is imported."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pairsets.files.suspect_kinds import KINDS
from pairsets.storage.former_names import KEYS

if TYPE_CHECKING:
    from mining.commands.run_folder import RunFolder
    from mining.embeddings.options import EmbeddingOptions
    from mining.scores.sources import ScoreSources
    from pairsets.evaluation.interval_options import IntervalOptions
    from pairsets.identities.rules import Rule
    from pairsets.progress import Progress

# As `mining.models.Precision`, `mining.embeddings.engines.Engine` and
# `mining.embeddings.producer.OnError`, which would import too much.
Precision = Literal["fp32", "bf16"]
Engine = Literal["auto", "torch", "onnx"]
OnError = Literal["fail", "skip"]
# As `pairsets.evaluation.missing_scores.Missing`.
Missing = Literal["fail", "reject", "drop"]
# Panels of the help.
RULES = "Which pairs are mined"
SUSPECTS = "Suspects"
INTERVALS = "Intervals"
IDENTITIES = "Who a picture shows, where it is not its folder"
SCORES = "Scores"
GALLERY = "Gallery and probes"


def share_from(most: float = 1.0) -> Callable[[str | float], float]:
    """Reader of an option that is a share from 0 to `most`, and tells a percentage from one.

    >>> share_from()("0.139")
    0.139
    """

    def share(text: str | float) -> float:
        value = _number(str(text))
        if value is None or not 0 <= value <= most:
            raise typer.BadParameter(
                f"{str(text)!r} is no share from 0 to {most:g}{_percent_hint(str(text), most)}"
            )
        return value

    return share


def target_share(text: str | float) -> float:
    """A rate to report another at: a share below 1, which would be that of taking all."""
    value = share_from()(text)
    if value == 1:
        raise typer.BadParameter(
            f"{str(text)!r} is all pairs, at which nothing is told; did you mean 0.01 (1 %)?"
        )
    return value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _percent_hint(text: str, most: float = 1.0) -> str:
    """The share that was meant, where a percentage was given."""
    value = _number(text.strip().removesuffix("%"))
    if value is None or not (1 < value <= 100 or (0 <= value <= 1 and "%" in text)):
        return ""
    if value / 100 > most:
        return ""
    return f"; did you mean {value / 100:.10g} ({value:g} %)?"


def _check_target(text: str | None) -> str | None:
    if text is not None and text != "human":
        value = _number(text)
        if value is None or not 0 <= value <= 1:
            raise typer.BadParameter(
                f"{text!r} is neither 'human' nor a share from 0 to 1{_percent_hint(text)}"
            )
        target_share(text)
    return text


# The processor, the first CUDA device, one by its number, several, or all.
_DEVICES = r"auto|cpu|cuda(:all|:\d+(,\d+)*)?"
# Said behind the devices, of which there may be several.
_SEVERAL = "; several are cuda:0,1 or cuda:all"


def _check_device(name: str) -> str:
    if not re.fullmatch(rf"{_DEVICES}|mps", name):
        raise typer.BadParameter(f"{name!r} is none of auto, cpu, cuda, cuda:N, mps{_SEVERAL}")
    return name


def _check_search_device(name: str) -> str:
    if not re.fullmatch(_DEVICES, name):
        raise typer.BadParameter(f"{name!r} is none of auto, cpu, cuda, cuda:N{_SEVERAL}")
    return name


def _check_one_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise typer.BadParameter(f"{name!r} is none of auto, cpu, cuda, cuda:N")
    return name


def _cluster_kind(text: str) -> str:
    kind = KEYS.get(text, text)
    if kind not in ("identity", "image"):
        raise typer.BadParameter(f"{text!r} is neither identity nor image")
    return kind


def _check_kinds(text: str | None) -> str | None:
    for kind in kinds_of(text) or []:
        if not kind:
            raise typer.BadParameter("an empty kind; is there a comma too many?")
        if kind not in KINDS:
            raise typer.BadParameter(
                f"{kind!r} is none of {', '.join(KINDS)} (several are joined by commas)"
            )
    return text


def kinds_of(text: str | None) -> list[str] | None:
    """Kinds of suspects, each once, of a text that joins them by commas.

    >>> kinds_of("duplicate, alias")
    ['duplicate', 'alias']
    """
    return words_of(text)


def words_of(text: str | None) -> list[str] | None:
    """Words that commas join, each once.

    >>> words_of("jpg, png,jpg")
    ['jpg', 'png']
    """
    if text is None:
        return None
    return list(dict.fromkeys(word.strip() for word in text.split(",")))


FacesArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FACES",
        help="Folder with one folder of images per identity; or tar or Parquet shards; or a URL.",
    ),
]
PairsArgument = Annotated[Path, typer.Argument(metavar="PAIRS", help="Five-column pair file.")]
FacesFolderOption = Annotated[
    Path, typer.Option("--faces", metavar="FOLDER", help="Folder that the pairs' paths lie in.")
]
FacesOption = Annotated[
    Path | None,
    typer.Option("--faces", metavar="FOLDER", help="Folder that the pairs' paths lie in."),
]
EmbeddingsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--embeddings",
        metavar="[NAME=]FOLDER",
        help="Folder written by `lookalikes embed`; repeatable. NAME is the model's in tables.",
    ),
]
IdentityLevelOption = Annotated[
    int | None,
    typer.Option(
        "--identity-level",
        min=1,
        help="Each path down to its N-th folder names who it shows: 1 for PERSON/video/frame.jpg.",
        rich_help_panel=IDENTITIES,
    ),
]
IdentityPatternOption = Annotated[
    str | None,
    typer.Option(
        "--identity-pattern",
        metavar="REGEX|NAME",
        help="Regular expression whose group finds in a path who it shows; or the name of a known "
        "one: market1501, dukemtmc, msmt17, veri776, cacd, agedb, lfw, calfw, cplfw, facescrub, "
        "splits.",
        rich_help_panel=IDENTITIES,
    ),
]
IdentitiesOption = Annotated[
    str | None,
    typer.Option(
        "--identities",
        metavar="[COLUMN=]FILE",
        help="List of who is shown: FILE ID a line, or a CSV with a column of paths.",
        rich_help_panel=IDENTITIES,
    ),
]
IgnoreOption = Annotated[
    Path | None,
    typer.Option(
        "--ignore-list", metavar="FILE", help="Base names of images never to pair, one a line."
    ),
]
TestPairsOption = Annotated[
    Path | None,
    typer.Option(
        "--test-pairs",
        metavar="FILE",
        help="Pair file whose pairs of the other label join the mined ones.",
    ),
]
PositivesOption = Annotated[
    int | None,
    typer.Option(
        "--positives", min=0, help="Number of same-identity pairs to draw. [default: up to 1000]"
    ),
]
NegativesOption = Annotated[
    int | None,
    typer.Option(
        "--negatives",
        min=0,
        help="Number of different-identity pairs to draw. [default: up to 1000]",
    ),
]
NumberOption = Annotated[int, typer.Option("--pairs", min=1, help="Number of pairs to mine.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Random seed for drawing and shuffling.")
]
DrawsOption = Annotated[
    int,
    typer.Option(
        "--draws",
        min=0,
        help="Number of bootstrap draws, 100 or more; 0 leaves out what has no closed form.",
        rich_help_panel=INTERVALS,
    ),
]
GallerySizeOption = Annotated[
    int | None,
    typer.Option(
        "--gallery-size",
        min=1,
        help="Pictures of each identity to draw for the gallery. [default: 1]",
        rich_help_panel=GALLERY,
    ),
]
PoolOption = Annotated[
    bool,
    typer.Option(
        "--pool",
        help="Give each identity of the gallery one vector, the mean of its pictures'.",
        rich_help_panel=GALLERY,
    ),
]
HeldOutOption = Annotated[
    float | None,
    typer.Option(
        "--held-out",
        metavar="SHARE",
        parser=share_from(),
        help="Share of the identities to leave out of the gallery: their pictures are the "
        "non-mated probes. [default: 0.2]",
        rich_help_panel=GALLERY,
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there already.")
]


class _Echo(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(record.getMessage(), err=True)


def _tell_search(context: typer.Context, wanted: bool) -> None:
    if wanted:
        context.with_resource(_told_searches())


@contextmanager
def _told_searches() -> Iterator[None]:
    """Print what a search says to its log, which nobody reads unless asked to."""
    log, echo = logging.getLogger("indexes"), _Echo()
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(echo)
    try:
        yield
    finally:
        log.removeHandler(echo)
        log.setLevel(before)


_UNITS = {unit: 1000 ** (at + 1) for at, unit in enumerate(("KB", "MB", "GB", "TB"))} | {
    unit: 1024 ** (at + 1) for at, unit in enumerate(("KIB", "MIB", "GIB", "TIB"))
}


def size_of(text: str) -> int:
    """Bytes of a size with its unit.

    >>> size_of("4GB"), size_of("1.5 GiB")
    (4000000000, 1610612736)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    if found is None or found[2].upper() not in _UNITS:
        hint = "" if _number(text) is None else f"; did you mean {text.strip()}GB?"
        raise typer.BadParameter(
            f"{text!r} is no size with a unit of KB, MB, GB, TB, or KiB to TiB{hint}"
        )
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _cap_memory(context: typer.Context, text: str | None) -> str | None:
    if text is not None:
        size = size_of(text)
        from indexes.memory import capped

        context.with_resource(capped(size))
    return text


# Nothing is handed on: the process as a whole is capped, for as long as the command runs.
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        callback=_cap_memory,
        help="Memory that the command keeps below on this machine, such as 4GB: what does not fit "
        "is worked on in files. The result is the same.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_tell_search,
        help="Say how pairs are searched for, and why so: which numbers the products are of.",
    ),
]
SpreadsheetSafeOption = Annotated[
    bool,
    typer.Option(
        "--spreadsheet-safe",
        help="Copy each table NAME.csv to NAME.spreadsheet.csv, where no cell is a formula.",
        rich_help_panel="For a spreadsheet",
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target-fnr",
        metavar="human|SHARE",
        callback=_check_target,
        help="FNR at which FPR is reported. [default: human where judged, else 0.139]",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        callback=_check_device,
        metavar="DEVICE",
        help="Device that models run on: auto, cpu, cuda, cuda:N or mps; several, which share the "
        "faces to embed, as cuda:0,1 or cuda:all.",
        rich_help_panel="Models",
    ),
]
SearchDeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        callback=_check_search_device,
        metavar="DEVICE",
        help="Device that searches for pairs: auto, cpu, cuda or cuda:N; several as cuda:0,1 or "
        "cuda:all. All find the same pairs.",
    ),
]
FusionOption = Annotated[
    Literal["mean", "min"] | None,
    typer.Option(
        "--fusion",
        help="Fusion of several references' quantiles. mean: hard for them taken together; min: "
        "hard for each. [default: mean]",
        rich_help_panel=RULES,
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Numbers that a network computes with: bf16 is faster on some devices.",
        rich_help_panel="Models",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="Engine that runs a network of PyTorch's: torch, onnx (ONNX Runtime, on the CPU), or "
        "auto, the one that made the vectors there, else the faster, where both agree.",
        rich_help_panel="Models",
    ),
]
BatchOption = Annotated[
    int,
    typer.Option(
        "--batch-size",
        min=1,
        max=65_536,
        help="Number of images that a model gets at once.",
        rich_help_panel="Models",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=1024,
        help="Number of threads that decode images. [default: one a core]",
        rich_help_panel="Models",
    ),
]
OnErrorOption = Annotated[
    OnError,
    typer.Option(
        "--on-error",
        help="Unreadable images: fail lists them all and ends, skip leaves them out.",
        rich_help_panel="Models",
    ),
]
MaxPixelsOption = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        min=1,
        help="Most pixels of an image; larger ones are refused undecoded.",
        rich_help_panel="Models",
    ),
]
MinScoreOption = Annotated[
    float | None,
    typer.Option("--min-score", help="Only pairs that score this or more.", rich_help_panel=RULES),
]
MaxScoreOption = Annotated[
    float | None,
    typer.Option("--max-score", help="Only pairs that score this or less.", rich_help_panel=RULES),
]
MarginOption = Annotated[
    float | None,
    typer.Option(
        "--margin",
        min=0,
        help="Only pairs that score at least this much below the best pair that each of the two "
        "faces makes with its own identity.",
        rich_help_panel=RULES,
    ),
]
RelativeMarginOption = Annotated[
    float | None,
    typer.Option(
        "--relative-margin",
        metavar="SHARE",
        parser=share_from(),
        help="The margin as a share of the score of that best pair.",
        rich_help_panel=RULES,
    ),
]
ExcludeOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--exclude",
        metavar="FILE",
        help="CSV with pathA, pathB: pairs never to mine, such as those judged; repeatable.",
        rich_help_panel=RULES,
    ),
]
DropOption = Annotated[
    str | None,
    typer.Option(
        "--drop-suspects",
        metavar="KIND,...",
        callback=_check_kinds,
        help=f"Kinds of suspects that the next best pairs replace: {', '.join(KINDS)}. "
        "[default: none]",
        rich_help_panel=SUSPECTS,
    ),
]
TrustOption = Annotated[
    str | None,
    typer.Option(
        "--trust-suspects",
        metavar="KIND,...",
        callback=_check_kinds,
        help="Kinds (alias, mislabel, veto) that flag even where they expect to be wrong too "
        "often on this set, and would abstain. [default: none]",
        rich_help_panel=SUSPECTS,
    ),
]
KindsOption = Annotated[
    str | None,
    typer.Option(
        "--kinds",
        metavar="KIND,...",
        callback=_check_kinds,
        help=f"Kinds of suspects to look for: {', '.join(KINDS)}. [default: all that the other "
        "options allow]",
    ),
]
AliasesOption = Annotated[
    Path | None,
    typer.Option(
        "--aliases",
        metavar="FILE",
        help="CSV with identity, alias: names of one identity.",
        rich_help_panel=SUSPECTS,
    ),
]
CannotLinkOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--cannot-link",
        metavar="FILE",
        help="CSV with pathA, pathB: faces of different people; or with path, picture (or the "
        "crops.csv of `crop`): faces of one picture are. Their identities are no aliases; "
        "repeatable.",
        rich_help_panel=SUSPECTS,
    ),
]
DetectorOption = Annotated[
    Path | None,
    typer.Option(
        "--detector",
        metavar="FILE",
        help="Face detector, an ONNX file of YOLOv8, YOLOv8-face or YOLOv5: no face is a bad crop.",
        rich_help_panel=SUSPECTS,
    ),
]
VetoOption = Annotated[
    Path | None,
    typer.Option(
        "--veto",
        metavar="[NAME=]FOLDER",
        help="Embeddings of another model, whose sure positives are suspects.",
        rich_help_panel=SUSPECTS,
    ),
]
AuditOption = Annotated[
    Path | None,
    typer.Option(
        "--audit",
        metavar="FILE",
        help="The audit.json of `audit`: its findings count, and need not be looked for again.",
        rich_help_panel=SUSPECTS,
    ),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=1024,
        help="Number of files worked on at once. [default: one a core]",
    ),
]
SourcePixelsOption = Annotated[
    int,
    typer.Option(
        "--max-pixels", min=1, help="Most pixels of an image; larger ones are refused undecoded."
    ),
]
DetectionDeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        callback=_check_one_device,
        metavar="DEVICE",
        help="Device that the detector runs on: auto, cpu, cuda or cuda:N.",
    ),
]
PerImageOption = Annotated[
    int | None,
    typer.Option(
        "--max-per-image",
        min=1,
        help="Most mined pairs that one image may be in.",
        rich_help_panel=RULES,
    ),
]
PerIdentityOption = Annotated[
    int | None,
    typer.Option(
        "--max-per-identity",
        min=1,
        help="Most mined pairs that one identity may be in.",
        rich_help_panel=RULES,
    ),
]
PerIdentityPairOption = Annotated[
    int | None,
    typer.Option(
        "--max-per-identity-pair",
        min=1,
        help="Most mined pairs of the same two identities.",
        rich_help_panel=RULES,
    ),
]
DistanceOption = Annotated[
    bool,
    typer.Option(
        "--distance",
        help="Scores in files are distances: lower is more alike.",
        rich_help_panel=SCORES,
    ),
]
PublishedOption = Annotated[
    bool,
    typer.Option(
        "--published", help="Add ZACI-20's published rows, apart unless on its own pairs."
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="FOLDER",
        help="Folder to keep vectors in. [default: PAIRS.embeddings; of compare OUT/embeddings]",
    ),
]
SharedCacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="FOLDER",
        help="Folder of vectors to share between runs, by the content of pictures.",
        rich_help_panel="Models",
    ),
]
AnnotatorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--annotator",
        metavar="[NAME=]FILE",
        help="Pair file with the verdicts of a further person; repeatable.",
    ),
]
OnlyModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only-model", metavar="NAME", help="Only this one of the models with scores; repeatable."
    ),
]


IdentityFieldOption = Annotated[
    str | None,
    typer.Option(
        "--identity-field",
        metavar="FIELD",
        help="Field of shards that names who a picture shows: of tar folder, cls, txt or "
        "json:NAME; of Parquet a column.",
        rich_help_panel=IDENTITIES,
    ),
]


@dataclass(frozen=True)
class IdentityGroup:
    """The options of the panel `IDENTITIES`."""

    identity_level: IdentityLevelOption = None
    identity_pattern: IdentityPatternOption = None
    identities: IdentitiesOption = None
    identity_field: IdentityFieldOption = None

    def rule(self) -> Rule | None:
        """The rule that they give; None without any.

        Raises:
            BadParameter: more than one of them.
        """
        named = [
            f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value is not None
        ]
        if len(named) > 1:
            raise typer.BadParameter(f"{' and '.join(named)}: identities are told in one way alone")
        if self.identity_level is not None:
            from pairsets.identities.rules import ByLevel

            return ByLevel(self.identity_level)
        if self.identity_pattern is not None:
            from pairsets.identities.patterns import ByPattern

            return ByPattern(self.identity_pattern)
        if self.identities is not None:
            from pairsets.identities.lists import ByList

            return ByList.of(self.identities)
        if self.identity_field is not None:
            from pairsets.identities.fields import ByField

            return ByField(self.identity_field)
        return None


@dataclass(frozen=True)
class NetworkGroup:
    """The options of the panel `Models` of whatever runs a model."""

    device: DeviceOption = "auto"
    precision: PrecisionOption = "fp32"
    batch_size: BatchOption = 32
    max_pixels: MaxPixelsOption = 50_000_000

    def options(self) -> EmbeddingOptions:
        """The options as commands take them."""
        from mining.embeddings.options import EmbeddingOptions

        return EmbeddingOptions(**vars(self))


@dataclass(frozen=True)
class EmbeddingGroup(NetworkGroup):
    """The options of the panel `Models` of what runs a model on the pictures of a folder."""

    workers: WorkersOption = None
    engine: EngineOption = "auto"


@dataclass(frozen=True)
class ModelGroup(EmbeddingGroup):
    """The options of the panel `Models`, unreadable pictures among them."""

    on_error: OnErrorOption = "fail"


@dataclass(frozen=True)
class AliasGroup:
    """Names known to be one identity's, and faces known not to be."""

    aliases: AliasesOption = None
    cannot_link: CannotLinkOption = None


@dataclass(frozen=True)
class OutputGroup:
    """The options of older files, and of tables for spreadsheets."""

    overwrite: OverwriteOption = False
    spreadsheet_safe: SpreadsheetSafeOption = False


@dataclass(frozen=True)
class ReportGroup:
    """The options of the report of a run."""

    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf",
            help="Print the report to report.pdf, too, by an installed Chromium, Chrome or Edge.",
        ),
    ] = False

    def refuse(self) -> None:
        """Refuse at once what could not be done when all else is."""
        if self.pdf:
            from pairsets.report.pdf import refuse_without_browser

            refuse_without_browser()

    def print_pages(self, folder: RunFolder, progress: Progress) -> list[Path]:
        """Print the report of a finished run, where that was asked for; returns the files."""
        if not self.pdf:
            return []
        from pairsets.report import write_pdf

        with progress("Printing the report"):
            return [write_pdf(folder.report, folder.pdf)]


@dataclass(frozen=True)
class IntervalGroup:
    """The options of the panel `INTERVALS`."""

    clusters: Annotated[
        str,
        typer.Option(
            "--clusters",
            metavar="identity|image",
            parser=_cluster_kind,
            help="Pairs that share one of these are taken to depend on one another.",
            rich_help_panel=INTERVALS,
        ),
    ] = "identity"
    draws: DrawsOption = 1000
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Random seed for the bootstrap draws.", rich_help_panel=INTERVALS
        ),
    ] = 0

    def options(self) -> IntervalOptions:
        """The options as commands take them."""
        from pairsets.evaluation.interval_options import IntervalOptions

        return IntervalOptions(**vars(self))


@dataclass(frozen=True)
class ScoreGroup:
    """Options of files with scores, and how they are read."""

    scores: Annotated[
        list[str] | None,
        typer.Option(
            "--scores",
            metavar="[NAME=]FILE",
            help="CSV with pathA, pathB, score[, model]; repeatable.",
        ),
    ] = None
    embeddings: EmbeddingsOption = None
    missing: Annotated[
        Missing,
        typer.Option(
            "--missing",
            help="Pairs without a score: fail names them, reject counts them as rejected (FNR "
            "rises, FPR does not), drop leaves them out for all models.",
            rich_help_panel=SCORES,
        ),
    ] = "fail"
    distance: DistanceOption = False
    distance_of: Annotated[
        list[str] | None,
        typer.Option(
            "--distance-of",
            metavar="NAME",
            help="Model whose scores alone are distances; repeatable.",
            rich_help_panel=SCORES,
        ),
    ] = None

    def sources(self, **more: Any) -> ScoreSources:
        """The sources as commands take them, with what else they have."""
        from mining.scores.sources import ScoreSources
        from pairsets.files.side_files import Named

        return ScoreSources(
            scores=[Named.parse(text) for text in self.scores or []],
            embeddings=self.embeddings or [],
            missing=self.missing,
            distance=self.distance,
            distance_of=self.distance_of or [],
            **more,
        )


def target_of(text: str | None) -> float | str | None:
    """`--target-fnr` as a number where it is one; the evaluator refuses other words."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
