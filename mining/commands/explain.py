"""Two image files -> one picture of where a model looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mining.commands.result import CommandResult
from mining.models.names import short_name
from mining.saliency.explanation import Explanation, Method, check, explain
from mining.saliency.masks import MASKS
from pairsets.errors import OutputError
from pairsets.faces import resolve
from pairsets.figures import format_score
from pairsets.figures.saliency import saliency
from pairsets.images import decode, read
from pairsets.progress import Progress, silent
from pairsets.report import save_figure
from pairsets.storage.artefacts import refuse_existing, refuse_inside

if TYPE_CHECKING:
    from mining.embeddings.options import EmbeddingOptions


def explain_pair(
    face_a: Path,
    face_b: Path,
    model_spec: str,
    out: Path,
    *,
    faces: Path | None = None,
    method: Method = "auto",
    masks: int = MASKS,
    seed: int = 0,
    overwrite: bool = False,
    encoding: EmbeddingOptions,
    progress: Progress = silent,
) -> CommandResult:
    """Draw where a model looks when it scores two faces.

    Args:
        face_a, face_b: image files; with `faces`, also paths inside that folder.
        model_spec: see `mining.load_model`.
        out: the picture, `.png` or `.svg`.
        faces: a folder of faces.
        method, masks, seed: see `mining.saliency.explain`.
        overwrite: whether an `out` that exists is replaced.
        encoding: how the model runs and images are read.
        progress: shows how far the masks are.
    """
    check(method, masks)
    if out.suffix.lower() not in (".png", ".svg"):
        raise OutputError(f"{out}: a figure is written as .png or .svg, not {out.suffix!r}")
    files = [_file(face, faces) for face in (face_a, face_b)]
    if faces is not None:
        refuse_inside(out, faces)
    refuse_existing([out], overwrite=overwrite, inputs=files)
    a, b = (decode(read(f), path=f, max_pixels=encoding.max_pixels) for f in files)
    model, called = encoding.load(model_spec), short_name(model_spec)
    with progress(f"Explaining: {called}") as step:
        found = explain(
            a,
            b,
            model,
            method=method,
            masks=masks,
            seed=seed,
            batch_size=encoding.batch_size,
            progress=step,
        )
    figure = saliency(
        (a, b),
        found.maps,
        score=found.score,
        kind="shares" if found.method == "parts" else "correlations",
        boxes=found.boxes,
        names=(name_of(files[0]), name_of(files[1])),
        model=called,
        masks=masks,
    )
    save_figure(figure, out)
    return CommandResult([out], warnings=list(model.notes), hints=_said(found, masks))


def name_of(file: Path) -> str:
    """A face's name in the picture: its identity and file, or its file alone.

    >>> name_of(Path("faces/lena_(paper)/1.png"))
    'lena_(paper)/1.png'
    """
    return "/".join(part for part in file.parts[-2:] if part != file.anchor)


def _file(face: Path, faces: Path | None) -> Path:
    """The file of a face: inside the folder where one is given and has it, else where it says."""
    if faces is None or (face.is_file() and not (faces / face).is_file()):
        return face
    return resolve(faces, [face.as_posix()]).locate(face.as_posix())


def _said(found: Explanation, masks: int) -> list[str]:
    """The score, how it was explained, and why not by parts."""
    how = (
        f"parts: each map is {' x '.join(map(str, found.maps[0].shape))} terms, which sum to it"
        if found.method == "parts"
        else f"masks: correlations with it over {masks} masks a face"
    )
    said = [f"Score {format_score(found.score)} ({found.similarity.replace('_', ' ')}); {how}."]
    return [*said, f"--method auto took masks. {found.note}."] if found.note else said
