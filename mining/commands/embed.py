"""A folder of faces to vectors."""

from __future__ import annotations

from pathlib import Path

from mining.commands.result import CommandResult
from mining.embeddings.engines import said_of
from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import WHITENING, skipped_rows
from mining.errors import ModelError
from mining.models.adapted_model import AdaptedModel
from mining.models.model_labels import split_label
from pairsets.errors import OutputError
from pairsets.faces import Faces
from pairsets.funnel import faces_rows
from pairsets.identities.rules import Rule
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_below_file, refuse_inside
from pairsets.storage.publication import alone


@alone(folder=True)
def embed_faces(
    faces: Path,
    model: str,
    out: Path,
    *,
    identities: Rule | None = None,
    encoding: EmbeddingOptions,
    progress: Progress = silent,
) -> CommandResult:
    """Embed a folder of faces into `out`; who each shows `identities` say, else the folders."""
    refuse_inside(out, faces)
    refuse_below_file(out)
    encoding.refuse_cache(out, faces)
    if (source := encoding.post_from) is not None and out.resolve() == source.resolve():
        raise OutputError(
            f"{out}: what the step is learnt on, and would be replaced; choose another --out"
        )
    if (label := split_label(model)[0]) is not None:
        raise ModelError(
            f"{model}: vectors are kept under no name; give it where they are used, as in "
            f"lookalikes evaluate PAIRS --embeddings {label}={out}"
        )
    encoding.refuse_steps(model)
    found = Faces.scan(faces, identities)
    loaded = encoding.load(model)
    embeddings = encoding.embed(found, loaded, out, progress)
    names = ["vectors.npy", "images.csv", "identities.csv", WHITENING, "manifest.json"]
    files = [out / name for name in names if (out / name).exists()]
    funnel = [*faces_rows(found), *skipped_rows(embeddings)]
    # Those of the manifest are the model's own, and of faces that a whitening was learnt on.
    notes = [*found.notes, *dict.fromkeys([*loaded.notes, *embeddings.manifest.get("notes", ())])]
    step = loaded.whitening if isinstance(loaded, AdaptedModel) else None
    hints = [*said_of(embeddings.manifest), *([step.origin] if step is not None else [])]
    return CommandResult(files, funnel, notes, hints=hints)
