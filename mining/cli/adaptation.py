"""Better vectors without training: the command learn-whitening, and options of what it serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import EmbeddingGroup, ModelGroup, OverwriteOption

if TYPE_CHECKING:
    from mining.embeddings.options import EmbeddingOptions

# Of the help.
PANEL = "Build the adversarial test split"
ADAPTED = "Without training"

LayersOption = Annotated[
    str | None,
    typer.Option(
        "--layers",
        metavar="NAME,...",
        help="Layers of a PyTorch network whose averaged outputs make the vector; head is the "
        "usual one. [default: head]",
        rich_help_panel=ADAPTED,
    ),
]
FlipOption = Annotated[
    bool,
    typer.Option(
        "--flip",
        help="Average the vectors of a picture and of its mirror image.",
        rich_help_panel=ADAPTED,
    ),
]
WhiteningOption = Annotated[
    Path | None,
    typer.Option(
        "--whitening",
        metavar="FILE",
        help="Whitening that `lookalikes learn-whitening` made from other identities' faces.",
        rich_help_panel=ADAPTED,
    ),
]

PostOption = Annotated[
    Literal["centre", "whiten"] | None,
    typer.Option(
        "--post",
        help="Learn a step on the vectors of --post-from and put it behind the model: centre takes "
        "off their mean, whiten also evens out how an identity's own vectors vary.",
        rich_help_panel=ADAPTED,
    ),
]
PostFromOption = Annotated[
    Path | None,
    typer.Option(
        "--post-from",
        metavar="EMBEDDINGS",
        help="Embeddings of other identities of the same collection, by the same model.",
        rich_help_panel=ADAPTED,
    ),
]


def options_of(group: EmbeddingGroup) -> EmbeddingOptions:
    """The options of a group, layers split, as commands take them."""
    from mining.embeddings.options import EmbeddingOptions

    given = dict(vars(group))
    layers = given.pop("layers")
    names = tuple(name.strip() for name in layers.split(",")) if layers is not None else ()
    return EmbeddingOptions(**given, layers=names)


@dataclass(frozen=True)
class AdaptedGroup(ModelGroup):
    """Options of embedding a folder, with steps behind the model."""

    layers: LayersOption = None
    flip: FlipOption = False
    whitening: WhiteningOption = None
    post: PostOption = None
    post_from: PostFromOption = None

    def options(self) -> EmbeddingOptions:
        """The options as commands take them."""
        return options_of(self)


@dataclass(frozen=True)
class AdaptedNetworkGroup(EmbeddingGroup):
    """Options of embedding a file as a folder was, steps behind the model included."""

    layers: LayersOption = None
    flip: FlipOption = False
    whitening: WhiteningOption = None

    def options(self) -> EmbeddingOptions:
        """The options as commands take them."""
        return options_of(self)


@app.command(
    name="learn-whitening",
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes learn-whitening embeddings/train --out whitening.safetensors`",
)
def learn_whitening(
    embeddings: Annotated[
        Path,
        typer.Argument(
            metavar="EMBEDDINGS",
            help="Folder written by `lookalikes embed`, of other identities than those to judge.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write, .safetensors.")],
    method: Annotated[
        Literal["centre", "pca", "within"],
        typer.Option(
            "--by",
            help="centre: take off the mean; pca: and bring all directions to one variance; "
            "within: to one variance within identities (WCCN, LDA).",
        ),
    ] = "within",
    dimensions: Annotated[
        int | None,
        typer.Option(
            "--dimensions",
            metavar="K",
            min=1,
            help="Length of the vectors that are made. [default: as many as can be told]",
        ),
    ] = None,
    shrinkage: Annotated[
        float | None,
        typer.Option(
            "--shrinkage",
            metavar="WEIGHT",
            min=0,
            max=1,
            help="Weight, 0 to 1, of a round covariance beside the one found. [default: that of "
            "Ledoit and Wolf]",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Learn mean and whitening of a model's vectors, to embed other faces with."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.learn_whitening import learn_from_embeddings
    from mining.embeddings.whitening_learner import WhiteningPlan

    plan = WhiteningPlan(method, dimensions, shrinkage)
    print_made(learn_from_embeddings(embeddings, out, plan=plan, overwrite=overwrite, progress=bar))
