"""Models that search one gallery for the same probes: drawn, searched exactly, rated, compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.scores.census import refuse_other_faces, without_ignored
from mining.scores.identification import Gallery, Side, draw_from
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.identification import (
    Identification,
    IdentificationTargets,
    rate_identification,
)
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.funnel import FunnelRow
from pairsets.gallery_draw import GalleryOptions
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import versions


def search_drawn(
    sources: Mapping[str, Embeddings],
    drawn: GalleryOptions = GalleryOptions(),
    intervals: IntervalOptions = IntervalOptions(),
    *,
    ignore: Collection[str] = (),
    progress: Progress = silent,
) -> GallerySearch:
    """Draw one gallery and its probes from faces, and search it with each model.

    Args:
        sources: embeddings of the same faces, by the name of the model.
        drawn: the gallery.
        intervals: draws and seed of the bootstrap.
        ignore: base names of images that are neither in the gallery nor searched for.
        progress: shows a step a model.

    Raises:
        RunError: embeddings of different faces.
        SampleError: no identity that would have both gallery and probes.
        EmbeddingError: the file of the vectors changed meanwhile.
    """
    refuse_other_faces([*sources.values()])
    side = [without_ignored(one, ignore) for one in sources.values()]
    targets = IdentificationTargets()
    found = search_galleries([*sources], [side], drawn, targets, intervals, progress)
    lost = len(next(iter(sources.values())).faces) - len(side[0].faces)
    rows = [FunnelRow("gallery", "faces on the ignore list", lost)] if lost else []
    return replace(found, funnel=[*rows, *found.funnel])


def search_galleries(
    names: Sequence[str],
    sides: Sequence[Sequence[Embeddings]],
    drawn: GalleryOptions,
    targets: IdentificationTargets,
    intervals: IntervalOptions,
    progress: Progress,
) -> GallerySearch:
    """Search a gallery for probes with each model.

    Args:
        names: of the models.
        sides: the faces that both are drawn from, or gallery and probes; embeddings by each model.
        drawn: the gallery.
        targets: operating points of the open set.
        intervals: draws and seed of the bootstrap.
        progress: shows a step a model.

    Raises:
        RunError: no probe but pictures of the gallery itself.
        SampleError, ScoresError, EmbeddingError: as `draw_from`, `rate_identification`,
            `Gallery.search`.
    """
    galleries, lost = _galleries(sides, drawn)
    found: dict[str, Identification] = {}
    for name, one, vectors in zip(names, galleries, zip(*sides, strict=True), strict=True):
        with progress(f"Searching with {name}") as step:
            unit = vectors[0].similarity == "cosine"
            searches = one.search(pool=drawn.pool, unit=unit, step=step)
        for each in vectors:
            each.refuse_changed()
        found[name] = rate_identification(searches, targets, intervals)
    first, paths = galleries[0], sides[-1][0].faces.paths
    return GallerySearch(
        IdentificationComparison(found),
        len(first.entries.rows),
        drawn.pool,
        [str(paths[row]) for row in first.probes.rows.tolist()],
        first.names.tolist(),
        _rows(first, lost, drawn.pool),
        _facts(sides, names, drawn, targets, intervals),
    )


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
