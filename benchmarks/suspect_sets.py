"""Sets of faces on which no limit of a check of suspects was set, as several references see them.

Drawn ones are of a style that limits were not set on (`STYLE`) and of the first one under other
seeds (`FIRST`); real ones are those identities of LOOKALIKES_DATA whose names a digest puts into
the half that limits may not see. Pictures are drawn and looked at once, into a folder that is kept:
whoever plants mistakes in names needs no more than other names for the same vectors.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.suspect_identities import refolded
from benchmarks.suspect_pictures import half
from mining import embed, load_model
from mining.embeddings.store import Embeddings
from pairsets.faces import Faces
from pairsets.sources.drawn.sample import draw_faces

STYLE, FIRST = "adventurer", "lorelei"
SEED = 101
TWINS = (0.05, 0.2, 0.5)
"""Shares of identities that are drawn as twins of another; sets of the second are planted in."""
PLANTED_IN = 0.2
UNSEEN = 1
"""Value of `suspect_pictures.half` for identities that no limit may have seen."""
REFERENCES = ("network", "drawn_faces", "pixels")
Names = NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Views:
    """One set of faces as several references see it, rows alike.

    Attributes:
        name: of the set.
        root: folder of its pictures.
        by: embeddings by reference.
        twins: pairs of names, sorted, of different identities that were drawn to differ in one
            trait.
    """

    name: str
    root: Path
    by: dict[str, Embeddings]
    twins: tuple[tuple[str, str], ...] = ()

    @property
    def faces(self) -> Faces:
        """Faces of all references."""
        return next(iter(self.by.values())).faces

    @property
    def identities(self) -> Names:
        """`[N]`."""
        return self.faces.identities

    def relabelled(self, identities: Names) -> dict[str, Embeddings]:
        """The same pictures in folders of other names; row N is the file `name/N`."""
        rows = np.arange(len(identities))
        return {name: refolded(each, identities, rows) for name, each in self.by.items()}


def row_of(path: str) -> int:
    """Row that a face of `Views.relabelled` had before.

    >>> row_of("zz1/000012")
    12
    """
    return int(path.rpartition("/")[2])


def specifications(demo: Path) -> dict[str, str]:
    """Models that look, by the names of `REFERENCES`; weights are those that `make demo` leaves."""
    sample = demo / "sample"
    return {
        "network": f"timm:tf_efficientnet_lite0@{sample / 'tf_efficientnet_lite0'}",
        "drawn_faces": f"animecv:{sample / 'drawn_faces'}",
        "pixels": "pixels",
    }


def drawn(
    demo: Path, cache: Path, style: str, share: float, identities: int, seed: int = SEED
) -> Views:
    """Drawn faces with a share of twins, drawn and looked at unless the cache has them."""
    folder = cache / f"{style}-{identities}-{share:g}-{seed}"
    if not (folder / "lookalikes.csv").is_file():
        print(f"drawing {folder.name}", flush=True)
        draw_faces(folder, characters=identities, lookalikes=share, seed=seed, style=style)
    with (folder / "lookalikes.csv").open(encoding="utf-8") as stream:
        twins = tuple((min(a, b), max(a, b)) for a, b, _ in list(csv.reader(stream))[1:])
    name = "drawn, second style" if style == STYLE else "drawn, first style, other seed"
    return _looked_at(demo, cache, name, folder / "faces", twins)


def real(demo: Path, cache: Path) -> Views | None:
    """Real identities that no limit may have seen; None where there are no real faces."""
    data = os.environ.get("LOOKALIKES_DATA")
    if data is None or not (Path(data) / "faces").is_dir():
        return None
    whole = _looked_at(demo, cache, "real, unseen half", Path(data) / "faces")
    rows = np.array([half(name) == UNSEEN for name in whole.identities.tolist()])
    faces = Faces.of_paths(whole.root, whole.faces.paths[rows].tolist())
    by = {
        name: replace(each, faces=faces, vectors=np.asarray(each.vectors)[rows])
        for name, each in whole.by.items()
    }
    return Views(whole.name, whole.root, by)


def _looked_at(
    demo: Path, cache: Path, name: str, root: Path, twins: Sequence[tuple[str, str]] = ()
) -> Views:
    faces = Faces.scan(root)
    place = cache / "vectors" / (root.parent.name if root.is_relative_to(cache) else "real")
    by = {
        reference: embed(faces, load_model(spec), place / reference)
        for reference, spec in specifications(demo).items()
    }
    return Views(name, root, by, tuple(twins))
