"""A gallery and probes, drawn from one folder or given as two: who is found, model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mining.commands.gallery_files import files_in, write_search
from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import Embeddings
from mining.embeddings.two_folders import refuse_other_model
from mining.errors import RunError
from mining.models.model_labels import alike_labelled, folder_of, split_folder
from mining.models.names import embeddings_name
from mining.scores.census import refuse_other_faces
from mining.scores.collection import names_of
from mining.scores.gallery_search import search_galleries
from mining.scores.pair_files import unread_rows
from pairsets.evaluation.identification import IdentificationTargets
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.gallery_draw import GalleryOptions
from pairsets.identities.rules import Rule
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone


@dataclass(frozen=True, eq=False)
class Identified:
    """Result of `identify`: the models side by side, what was written, what was left out.

    Attributes:
        models: side by side.
        files: what was written.
        funnel: gallery and probes, and what was left out.
        facts: of what was searched, and how.
    """

    models: IdentificationComparison
    files: Sequence[Path]
    funnel: Sequence[FunnelRow]
    facts: Mapping[str, object]


@alone(folder=True)
def identify_faces(
    gallery: Path,
    probes: Path | None = None,
    *,
    out: Path,
    models: Sequence[str] = (),
    encoding: EmbeddingOptions = EmbeddingOptions(),
    identities: Rule | None = None,
    drawn: GalleryOptions = GalleryOptions(),
    targets: IdentificationTargets = IdentificationTargets(),
    intervals: IntervalOptions = IntervalOptions(),
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> Identified:
    """Search a gallery for probes with each model, and write rates, curves and every rank.

    A probe that is a very picture of the gallery, by its bytes, is left out and counted.

    Args:
        gallery: embeddings, or a folder of such folders, one a model; of `models`, faces.
        probes: the same of the probes; None draws both from `gallery`.
        out: folder for the tables, the curves, and the vectors of `models`.
        models: to embed faces with.
        encoding: how models run.
        identities: who faces show, of `models`.
        drawn: the gallery.
        targets: operating points of the open set.
        intervals: draws and seed of the bootstrap.
        overwrite: replace what is there.
        spreadsheet_safe: write a copy of each table for spreadsheets.
        progress: shows a step a model.

    Raises:
        PairsetsError, MiningError: the user's input; nothing is written.
    """
    given = [gallery] if probes is None else [gallery, probes]
    intervals.refuse_few()
    refuse_existing(files_in(out, spreadsheet_safe), overwrite=overwrite)
    for folder in given:
        refuse_inside(out, folder if models else folder_of(folder))
    if models:
        sides = _embedded(given, models, out, identities, encoding, progress)
    else:
        sides = _loaded(given)
    for side in sides:
        refuse_other_faces(side)
    found = search_galleries(names_of(sides[0]), sides, drawn, targets, intervals, progress)
    written = write_search(out, found, overwrite=overwrite, spreadsheet_safe=spreadsheet_safe)
    unread = unread_rows([one for side in sides for one in side])
    return Identified(found.models, written, [*unread, *found.funnel], found.facts)


def _embedded(
    given: Sequence[Path],
    models: Sequence[str],
    out: Path,
    identities: Rule | None,
    encoding: EmbeddingOptions,
    progress: Progress,
) -> list[list[Embeddings]]:
    """The embeddings of each folder of faces, one a model; kept in `out`."""
    faces = [Faces.scan(folder, identities) for folder in given]
    (texts,) = alike_labelled(models)
    loaded = {text: encoding.load(text) for text in dict.fromkeys(texts)}
    homes = ["embeddings"] if len(given) == 1 else ["embeddings/gallery", "embeddings/probes"]
    return [
        [
            encoding.embed(some, model, out / home / embeddings_name(model), progress, called=text)
            for text, model in loaded.items()
        ]
        for some, home in zip(faces, homes, strict=True)
    ]


def _loaded(given: Sequence[Path]) -> list[list[Embeddings]]:
    """The embeddings in each folder; of two, those of one model at one place.

    Raises:
        EmbeddingError: none, or of other models.
    """
    sides = []
    for label, folder in map(split_folder, given):
        inside = sorted(found.parent for found in folder.glob("*/manifest.json"))
        homes = [folder] if (folder / "manifest.json").is_file() or not inside else inside
        if label is not None and len(homes) > 1:
            raise RunError(
                f"{label}={folder}: holds embeddings of {len(homes)} models, and one name cannot "
                "be that of all; name a folder of one model"
            )
        sides.append([replace(Embeddings.load(home), label=label) for home in homes])
    if len(sides) == 1:
        return sides
    if len(sides[0]) == len(sides[1]) == 1:
        refuse_other_model(sides[0][0], sides[1][0])
        return sides
    places = {one.manifest["fingerprint"]: one for one in sides[1]}
    lacking = [one for one in sides[0] if one.manifest["fingerprint"] not in places]
    if lacking or len(places) > len(sides[0]):
        told = ", ".join(one.model for one in lacking) or f"{len(places) - len(sides[0])} more"
        raise RunError(
            f"{given[0]} and {given[1]}: vectors of other models ({told} in one of them alone); "
            "embed both sets with each model"
        )
    return [sides[0], [places[one.manifest["fingerprint"]] for one in sides[0]]]
