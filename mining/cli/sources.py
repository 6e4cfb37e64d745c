"""Faces from elsewhere: the commands select, crop, detect, arrange and check-overlap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    CannotLinkOption,
    DetectionDeviceOption,
    DeviceOption,
    IdentityGroup,
    OverwriteOption,
    ProcessesOption,
    SeedOption,
    SourcePixelsOption,
    SpreadsheetSafeOption,
    share_from,
    words_of,
)
from mining.cli.user_words import accepting

if TYPE_CHECKING:
    from mining.overlap.embedded_sides import EmbeddedSides

# What a command ends with that looked for something, and found it: 1 and 2 are mistakes.
FOUND = 3
_PANEL = "Which posts are kept"
VECTORS = "One identity under two names, by vectors"

# Of the help.
PANEL = "Faces and pairs from elsewhere"


@dataclass(frozen=True)
class PostGroup:
    """The options that say which posts are kept, and which of their faces."""

    rating: Annotated[
        str,
        typer.Option(
            "--rating",
            metavar="R,...",
            help="Ratings of posts, of g, s, q and e.",
            rich_help_panel=_PANEL,
        ),
    ] = "g,s"
    extensions: Annotated[
        str | None,
        typer.Option(
            "--extensions",
            metavar="EXT,...",
            help="File types of posts. [default: those of still pictures]",
            rich_help_panel=_PANEL,
        ),
    ] = None
    keep_deleted: Annotated[
        bool, typer.Option("--keep-deleted", help="Deleted posts too.", rich_help_panel=_PANEL)
    ] = False
    keep_banned: Annotated[
        bool, typer.Option("--keep-banned", help="Banned posts too.", rich_help_panel=_PANEL)
    ] = False
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-face-score",
            help="Least score, in the file of boxes, of a face that counts.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    min_size: Annotated[
        int,
        typer.Option(
            "--min-size",
            min=0,
            help="Shorter side of a face's box, in pixels, that counts.",
            rich_help_panel=_PANEL,
        ),
    ] = 20
    picture_size: Annotated[
        int | None,
        typer.Option(
            "--picture-size",
            min=1,
            help="Side of the pictures that the boxes are in, where they do not say it. [default: "
            "512, of posts]",
            rich_help_panel=_PANEL,
        ),
    ] = None


@app.command(
    cls=accepting({"--faces": "--boxes", "--min-score": "--min-face-score"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes select --metadata danbooru2020/metadata --boxes faces.json "
    "--out zaci`",
)
def select(
    faces: Annotated[
        Path,
        typer.Option(
            "--boxes",
            help="Face boxes: JSON by post, JSON lines, COCO, faces.tsv, WIDER FACE's text, XML of "
            "Manga109, VOC or CVAT, a folder of XML or of YOLO's labels, or what `lookalikes "
            "detect` wrote; packed or not.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for train.json and test.json.")],
    metadata: Annotated[
        list[Path] | None,
        typer.Option(
            "--metadata",
            help="Metadata of Danbooru, e621 or gallery-dl, a post a line (.json, .jsonl, .gz, "
            ".xz, .zst), or a folder of it, or of a .json beside each picture; repeatable. Without "
            "it, the boxes must say who is who.",
        ),
    ] = None,
    tag_ids: Annotated[
        Path | None,
        typer.Option("--tag-ids", metavar="FILE", help="File tagIds.tsv, the names to faces.tsv."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="FOLDER",
            help="Folder of the pictures, to look how large those are whose boxes do not say it.",
        ),
    ] = None,
    min_images: Annotated[
        int, typer.Option("--min-images", min=1, help="Fewest faces of a character.")
    ] = 2,
    test_characters: Annotated[
        int, typer.Option("--test-characters", min=0, help="Characters to draw for the test set.")
    ] = 1003,
    test_images: Annotated[
        int,
        typer.Option(
            "--test-images",
            min=1,
            help="Number of faces that each character of the test set has, exactly.",
        ),
    ] = 2,
    posts: PostGroup = PostGroup(),
    seed: SeedOption = 0,
    processes: ProcessesOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Danbooru's metadata and face boxes in, a zero-shot train and test split out.

    Kept are posts with one character and one face; without metadata, and where each box says
    whose it is (COCO, Manga109), every box with a name. The test characters are drawn from those
    with exactly two, as ZACI-20's were. Interrupted, the same command goes on where it stopped.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.select import SplitOptions, select_faces
    from mining.commands.select_boxes import FaceLimits
    from pairsets.sources.danbooru.posts import EXTENSIONS, Rule

    kinds = tuple(words_of(posts.extensions) or EXTENSIONS)
    made = select_faces(
        faces,
        out,
        metadata=metadata or [],
        tag_ids=tag_ids,
        pictures=pictures,
        posts=Rule(
            tuple(words_of(posts.rating) or ()), kinds, posts.keep_deleted, posts.keep_banned
        ),
        limits=FaceLimits(posts.min_score, posts.min_size, posts.picture_size),
        split=SplitOptions(min_images, test_characters, test_images, seed),
        workers=processes,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes crop --pictures danbooru2020/512px --dataset zaci/test.json "
    "--out faces`",
)
def crop(
    pictures: Annotated[
        Path,
        typer.Option(
            "--pictures",
            metavar="FOLDER",
            help="Folder of `0123/ID.jpg` (ID modulo 1000), or of `ID.jpg`.",
        ),
    ],
    dataset: Annotated[
        Path,
        typer.Option(
            "--dataset", metavar="FILE", help="Faces and boxes, as `lookalikes select` writes them."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder to write, with a folder per identity.")
    ],
    size: Annotated[
        int, typer.Option("--size", min=1, max=4096, help="Side of a crop, in pixels.")
    ] = 224,
    pad: Annotated[
        float,
        typer.Option(
            "--pad",
            metavar="SHARE",
            parser=share_from(4),
            help="Share of a box's sides to add on each side, up to 4.",
        ),
    ] = 0.0,
    square: Annotated[
        bool,
        typer.Option("--square", help="Widen boxes to squares, so that faces keep their form."),
    ] = False,
    quality: Annotated[
        int,
        typer.Option("--quality", min=1, max=100, help="Quality of the JPEG files, in percent."),
    ] = 75,
    processes: ProcessesOption = None,
    max_pixels: SourcePixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Cut the faces out of their pictures, into `OUT/<identity>/<id>.jpg`.

    By default pixel for pixel as ZACI-20's own script does it. Pictures that are missing or broken
    are listed at the end. Interrupted, the same command goes on where it stopped.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.crop import crop_faces

    made = crop_faces(
        pictures,
        dataset,
        out,
        size=size,
        pad=pad,
        square=square,
        quality=quality,
        workers=processes,
        max_pixels=max_pixels,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    cls=accepting({"--min-score": "--min-confidence", "--overlap": "--max-overlap"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes detect pictures --detector anime-face.onnx --out faces.jsonl`",
)
def detect(
    pictures: Annotated[
        Path, typer.Argument(metavar="PICTURES", help="Folder of pictures, however deep.")
    ],
    detector: Annotated[
        Path,
        typer.Option(
            "--detector",
            metavar="FILE",
            help="Face detector, an ONNX file of YOLOv8, YOLOv8-face or YOLOv5.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="File of boxes to write, a picture a line, for select.")
    ],
    min_score: Annotated[
        float,
        typer.Option(
            "--min-confidence",
            metavar="SHARE",
            parser=share_from(),
            help="Least confidence of the detector in a face that counts.",
        ),
    ] = 0.3,
    overlap: Annotated[
        float,
        typer.Option(
            "--max-overlap",
            metavar="SHARE",
            parser=share_from(),
            help="Most overlap of two boxes (intersection over union); beyond, the surer one is "
            "kept.",
        ),
    ] = 0.5,
    device: DetectionDeviceOption = "auto",
    processes: ProcessesOption = None,
    max_pixels: SourcePixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Find the faces in pictures, with a detector of one's own.

    Needs `pip install 'lookalikes[onnx]'`. Interrupted, the same command goes on where it stopped.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.detect import detect_faces

    made = detect_faces(
        pictures,
        out,
        detector=detector,
        min_score=min_score,
        overlap=overlap,
        device=device,
        workers=processes,
        max_pixels=max_pixels,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@app.command(
    cls=accepting({"--character-column": "--identity-column"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes arrange my_dataset --out faces`",
)
def arrange(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Folder of folders of pictures, flat folder of `Name_0001.jpg`, Hugging Face "
            "image folder with metadata or saved dataset, Parquet file or folder of them.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder to write, with a folder per identity.")
    ],
    kind: Annotated[
        Literal["auto", "folders", "flat", "huggingface", "parquet"],
        typer.Option("--kind", help="Form of SOURCE."),
    ] = "auto",
    identity: IdentityGroup = IdentityGroup(),
    image_column: Annotated[
        str | None, typer.Option("--image-column", metavar="NAME", help="Column of the images.")
    ] = None,
    identity_column: Annotated[
        str | None,
        typer.Option("--identity-column", metavar="NAME", help="Column that says who it is."),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id-column", metavar="NAME", help="Column that names the files.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split", metavar="NAME", help="Split to take, or all. [default: the only one]"
        ),
    ] = None,
    processes: ProcessesOption = None,
    max_pixels: SourcePixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Make a folder per identity of faces that are kept in another form; no image is re-encoded.

    For datasets of Hugging Face, `pip install 'lookalikes[huggingface]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.arrange import arrange_faces

    made = arrange_faces(
        source,
        out,
        kind=kind,
        identities=identity.rule(),
        image_column=image_column,
        identity_column=identity_column,
        id_column=id_column,
        split=split,
        workers=processes,
        max_pixels=max_pixels,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)


@dataclass(frozen=True)
class VectorGroup:
    """Vectors by which one identity under two names is looked for."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Model to embed both sets with; vectors are kept in OUT.embeddings.",
            rich_help_panel=VECTORS,
        ),
    ] = None
    train_embeddings: Annotated[
        Path | None,
        typer.Option(
            "--train-embeddings",
            metavar="FOLDER",
            help="Folder written by `lookalikes embed`, of the training set.",
            rich_help_panel=VECTORS,
        ),
    ] = None
    test_embeddings: Annotated[
        Path | None,
        typer.Option(
            "--test-embeddings",
            metavar="FOLDER",
            help="Folder written by `lookalikes embed`, of the test set; by the same model.",
            rich_help_panel=VECTORS,
        ),
    ] = None
    cannot_link: CannotLinkOption = None
    device: DeviceOption = "auto"

    def sides(self, workers: int | None, max_pixels: int) -> EmbeddedSides:
        """The vectors as `check-overlap` takes them."""
        if self.device != "auto" and self.model is None:
            raise typer.BadParameter("--device is that of --model, which is not given")
        from mining.embeddings.options import EmbeddingOptions
        from mining.overlap.embedded_sides import EmbeddedSides

        return EmbeddedSides(
            self.train_embeddings,
            self.test_embeddings,
            self.model,
            tuple(self.cannot_link or ()),
            EmbeddingOptions(
                device=self.device, workers=workers, on_error="skip", max_pixels=max_pixels
            ),
        )


@app.command(
    "check-overlap",
    cls=accepting({"--pictures": "--with-pictures", "--no-pictures": "--names-only"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes check-overlap --train train_faces --test faces --out overlap.csv`",
)
def check_overlap(
    train: Annotated[
        Path,
        typer.Option(
            "--train", help="Training set: folder of faces, dataset (.json), or names, one a line."
        ),
    ],
    test: Annotated[
        Path,
        typer.Option(
            "--test", help="Test set: folder of faces, dataset (.json), or names, one a line."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV of what was found in both.")
    ] = None,
    identity: IdentityGroup = IdentityGroup(),
    aliases: Annotated[
        Path | None,
        typer.Option(
            "--aliases", metavar="FILE", help="CSV with identity, alias: names of one identity."
        ),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--with-pictures/--names-only", help="Compare pictures, too, not names alone."
        ),
    ] = True,
    vectors: VectorGroup = VectorGroup(),
    processes: ProcessesOption = None,
    max_pixels: SourcePixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
    spreadsheet_safe: SpreadsheetSafeOption = False,
) -> None:
    """Check that a test set is zero-shot: no identity and no picture of it in training.

    Ends with status 3 where something is in both. With --model, or embeddings of both sets, one
    identity under two names is looked for, too. For near-duplicate pictures, `pip install
    'lookalikes[suspects]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.check_overlap import find_overlap

    found = find_overlap(
        train,
        test,
        out=out,
        identities=identity.rule(),
        aliases=aliases,
        pictures=pictures,
        vectors=vectors.sides(processes, max_pixels),
        workers=processes,
        max_pixels=max_pixels,
        overwrite=overwrite,
        spreadsheet_safe=spreadsheet_safe,
        progress=bar,
    )
    print_made(found.made)
    if found.overlaps:
        raise typer.Exit(FOUND)
