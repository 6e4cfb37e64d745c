"""The search in a gallery that a build ends with: where it takes little time and says something."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from mining.commands.build_report import Run, TableOptions
from mining.commands.gallery_files import remove_search, write_search
from mining.embeddings.store import Embeddings
from mining.miners.inputs import MinerInputs
from mining.scores.gallery_search import search_drawn
from mining.scores.identity_layout import layout_of
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.gallery_draw import GalleryOptions, draw_gallery
from pairsets.progress import Progress

# Identities with two pictures or more from which a build searches by itself: in a gallery of a few
# everybody is found.
LEAST = 10


def with_search(
    run: Run,
    sources: Mapping[str, Embeddings],
    tables: TableOptions,
    given: MinerInputs,
    progress: Progress,
) -> Run:
    """A run with what its models find in a gallery drawn of its faces, written beside its tables.

    Where none is searched its funnel says why, and files of an earlier search are gone.
    """
    folder, ignore = run.folder.identification, given.ignored
    why: list[FunnelRow] = []
    if tables.identify is None:
        why = _reasons(run.faces, ignore, cheap=tables.is_cheap([*sources.values()]))
    if tables.identify is False or why:
        remove_search(folder)
        return replace(run, funnel=[*run.funnel, *why])
    seed = given.random.seed
    drawn, intervals = GalleryOptions(seed=seed), IntervalOptions(seed=seed)
    found = search_drawn(sources, drawn, intervals, ignore=ignore, progress=progress)
    write_search(folder, found)
    return replace(run, identification=found, funnel=[*run.funnel, *found.funnel])


def with_layout(run: Run, sources: Mapping[str, Embeddings], progress: Progress) -> Run:
    """A run with the map of its identities by the first model, or why there is none."""
    with progress("Mapping identities"):
        return replace(run, layout=layout_of(sources, run.faces))


def refuse_no_gallery(faces: Faces, tables: TableOptions, given: MinerInputs) -> None:
    """Raise SampleError where a search was asked for, and nobody could be searched for."""
    if tables.identify:
        draw_gallery(faces.identities[faces.without(given.ignored)], seed=given.random.seed)


def _reasons(faces: Faces, ignore: Collection[str], *, cheap: bool) -> list[FunnelRow]:
    """Funnel rows of why a build does not search by itself; none where it does."""
    if not cheap:
        what = "faces: a search 1:N may take more than a minute; --identify makes it"
        return [FunnelRow("gallery", what, len(faces), kept=True)]
    counts = np.bincount(faces.groups[faces.without(ignore)])
    several = int((counts > 1).sum())
    if several < LEAST:
        what = (
            f"identities with two pictures or more: fewer than {LEAST}, so no search 1:N; "
            "--identify makes it"
        )
        return [FunnelRow("gallery", what, several, kept=True)]
    return []
