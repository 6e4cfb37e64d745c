"""A gallery and probes, drawn from one folder or given as two: who is found, model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import Embeddings
from mining.embeddings.two_folders import refuse_other_model
from mining.errors import RunError
from mining.models.model_labels import alike_labelled, folder_of, split_folder
from mining.models.names import embeddings_name
from mining.scores.census import refuse_other_faces
from mining.scores.collection import names_of
from mining.scores.identification import Gallery, Side, draw_from
from mining.scores.pair_files import unread_rows
from pairsets.evaluation.identification import (
    Identification,
    IdentificationTargets,
    rate_identification,
)
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.gallery_draw import HELD_OUT
from pairsets.identities.rules import Rule
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import atomic_write, refuse_existing, refuse_inside, versions
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, tables_of, write_copies
from pairsets.tables.identification import FILES, PROBES, write_identification, write_probes

# Pictures of the curves, of which those of the open set are not always there.
_CURVES = ("cmc.png", "cmc.svg", "det.png", "det.svg")


@dataclass(frozen=True)
class GalleryOptions:
    """Options of the gallery.

    Attributes:
        size: pictures of each identity, of a drawn gallery.
        held_out: share of the identities that are in no drawn gallery.
        seed: of the draw.
        pool: whether an identity has one vector, the mean of its pictures'.
    """

    size: int = 1
    held_out: float = HELD_OUT
    seed: int = 0
    pool: bool = False


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
    files = [out / name for name in (*FILES, PROBES)]
    copies = copies_of(tables_of(files)) if spreadsheet_safe else []
    figures = [out / name for name in _CURVES]
    refuse_existing([*files, *copies, *figures], overwrite=overwrite)
    for folder in given:
        refuse_inside(out, folder if models else folder_of(folder))
    if models:
        sides = _embedded(given, models, out, identities, encoding, progress)
    else:
        sides = _loaded(given)
    for side in sides:
        refuse_other_faces(side)
    galleries, lost = _galleries(sides, drawn)
    names = names_of(sides[0])
    found: dict[str, Identification] = {}
    for name, one, vectors in zip(names, galleries, zip(*sides, strict=True), strict=True):
        with progress(f"Searching with {name}") as step:
            unit = vectors[0].similarity == "cosine"
            searches = one.search(pool=drawn.pool, unit=unit, step=step)
        for each in vectors:
            each.refuse_changed()
        found[name] = rate_identification(searches, targets, intervals)
    compared = IdentificationComparison(found)
    paths = [str(sides[-1][0].faces.paths[row]) for row in galleries[0].probes.rows.tolist()]
    written = _drawn(compared, figures)
    stale = [one for one in figures if one not in written]
    facts = _facts(sides, names, drawn, targets, intervals)
    everything = [*files, *copies, *written]
    with written_together(everything, stale=stale, overwrite=overwrite) as folder:
        write_identification(folder, compared, facts)
        write_probes(folder / PROBES, compared, paths, galleries[0].names.tolist())
        for path, content in written.items():
            with atomic_write(folder / path.name) as stream:
                stream.write(content)
        if spreadsheet_safe:
            write_copies(folder / table.name for table in tables_of(files))
    funnel = [*unread_rows([one for side in sides for one in side])]
    rows = _rows(galleries[0], lost, drawn.pool)
    return Identified(compared, everything, [*funnel, *rows], facts)


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


def _galleries(
    sides: Sequence[Sequence[Embeddings]], drawn: GalleryOptions
) -> tuple[list[Gallery], int]:
    """Gallery and probes of each model, and how many probes were pictures of the gallery."""
    first, last = sides[0][0], sides[-1][0]
    if len(sides) == 1:
        one = draw_from(
            _side(first),
            first.faces.paths,
            gallery_size=drawn.size,
            held_out=drawn.held_out,
            seed=drawn.seed,
        )
    else:
        one = Gallery(_side(first), _side(last))
    known = first.digests
    shown = {known.get(first.faces.paths[row]) for row in one.entries.rows.tolist()} - {None}
    known = last.digests
    same = np.array(
        [known.get(last.faces.paths[row]) in shown for row in one.probes.rows.tolist()], bool
    )
    if same.all():
        raise RunError(
            f"each of {len(same):,} probes is a picture of the gallery itself, by its bytes; "
            "expected other pictures of the same people, in another folder"
        )
    one = Gallery(one.entries, one.probes.without(same), one.draw)
    found = []
    for gallery, probes in zip(sides[0], sides[-1], strict=True):
        entries = Side(gallery.vectors, one.entries.names, one.entries.rows)
        found.append(
            Gallery(entries, Side(probes.vectors, one.probes.names, one.probes.rows), one.draw)
        )
    return found, int(same.sum())


def _side(embeddings: Embeddings) -> Side:
    return Side.of(embeddings.vectors, embeddings.faces.identities)


def _rows(one: Gallery, lost: int, pool: bool) -> list[FunnelRow]:
    """Funnel rows of gallery and probes."""
    inside, looked_for = {*one.entries.names.tolist()}, {*one.probes.names.tolist()}
    mated = int(np.isin(one.probes.names, sorted(inside)).sum())
    rows = [FunnelRow("probes", "pictures of the gallery itself, by their bytes", lost)]
    if one.draw is not None:
        rows.append(FunnelRow("gallery", "identities held out", one.draw.held_out, kept=True))
        what = "identities with fewer pictures there than asked for"
        rows.append(FunnelRow("gallery", what, one.draw.fewer, kept=True))
    pooled = ", pooled" if pool else ""
    rows += [
        FunnelRow("gallery", f"pictures{pooled}", len(one.entries.rows), kept=True),
        FunnelRow("gallery", "identities", len(inside), kept=True),
        FunnelRow("gallery", "identities that no probe shows", len(inside - looked_for), kept=True),
        FunnelRow("probes", "mated", mated, kept=True),
        FunnelRow("probes", "non-mated", len(one.probes.rows) - mated, kept=True),
    ]
    return [row for row in rows if row.count]


def _drawn(found: IdentificationComparison, files: Sequence[Path]) -> Mapping[Path, bytes]:
    """Pictures of the curves, as bytes by file."""
    from pairsets.figures import cmc_curves, encode, open_set_curves

    told = {model: one.cmc_intervals for model, one in found.models.items()}
    drawn = {"cmc": cmc_curves({model: one.cmc for model, one in found.models.items()}, told)}
    curves = {model: one.curve for model, one in found.models.items() if one.curve is not None}
    if curves:
        drawn["det"] = open_set_curves(curves)
    return {path: encode(drawn[path.stem], path.suffix[1:]) for path in files if path.stem in drawn}


def _facts(
    sides: Sequence[Sequence[Embeddings]],
    names: Sequence[str],
    drawn: GalleryOptions,
    targets: IdentificationTargets,
    intervals: IntervalOptions,
) -> dict[str, object]:
    """Facts of what was searched, and how, for the JSON."""
    roles = ("faces",) if len(sides) == 1 else ("gallery", "probes")
    digests = ("fingerprint", "images_sha256", "vectors_sha256")
    return {
        "kind": "identification",
        "inputs": {
            role: {
                name: {key: one.manifest.get(key) for key in digests}
                for name, one in zip(names, side, strict=True)
            }
            for role, side in zip(roles, sides, strict=True)
        },
        "parameters": {
            **(vars(drawn) if len(sides) == 1 else {"pool": drawn.pool}),
            "rank_limit": targets.rank_limit,
            "draws": intervals.draws,
            "bootstrap_seed": intervals.seed,
        },
        "versions": versions("lookalikes", "numpy"),
    }
