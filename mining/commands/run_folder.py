"""A run's folder: where its artefacts lie, and whether it is finished."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.miners.search import WorkFiles
from mining.models.names import Known, embeddings_name, model_names
from pairsets.pairset import identities_of
from pairsets.report.provenance import day_made
from pairsets.storage.artefacts import refuse_below_file, refuse_inside, write_text
from pairsets.storage.former_names import KEYS, present_keys
from pairsets.storage.json_files import parse_json
from pairsets.storage.publication import sweep
from pairsets.storage.settings import difference

# What the names of leave-one-out pair files begin with.
LEFT_OUT = "adversarial.without-"
# Arguments of a run that change nothing of what it ends with, or can be changed to go on with it.
UNSETTLED = ("out", "overwrite", "progress", "encoding")
Kind = Literal["build", "comparison"]
# What a finished run of a kind has, and one of the other kind has not.
_MANIFESTS: dict[Kind, str] = {"build": "index.faiss", "comparison": "compare.json"}


def _marked(kind: Kind) -> str:
    return f"This {kind} was not finished. The same command goes on with it.\n"


@dataclass(frozen=True)
class RunFolder:
    """The artefacts of one build below `root`."""

    root: Path

    @classmethod
    def start(
        cls,
        root: Path,
        *,
        overwrite: bool,
        faces: Path,
        kind: Kind = "build",
        settings: Mapping[str, object] | None = None,
    ) -> RunFolder:
        """Open a new run, or one that was interrupted; a finished one only to overwrite it.

        `settings` are kept until the run is finished: it goes on with the same ones.

        Raises:
            RunError: see `refuse`.
        """
        run, settings = cls(root), settings or {}
        run.refuse(overwrite=overwrite, faces=faces, kind=kind, settings=settings)
        root.mkdir(parents=True, exist_ok=True)
        # Of an older report, which is written anew.
        run.pdf.unlink(missing_ok=True)
        write_text(run.marker, _marked(kind) + json.dumps(settings) + "\n")
        return run

    def refuse(
        self,
        *,
        overwrite: bool,
        faces: Path,
        kind: Kind = "build",
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Raise RunError where `start` would; nothing is written, nor removed but litter.

        That is: the root is a file, lies in the faces folder, or holds something already, be it a
        run of the other kind, of which overwriting would leave a part, or an interrupted one with
        other settings; OutputError where there is no day that its report can say.
        """
        run, root = self, self.root
        day_made()  # which its report will say
        refuse_inside(root, faces)
        refuse_below_file(root)
        if root.exists() and not root.is_dir():
            raise RunError(f"{root}: a file; expected a folder for the run")
        sweep([run.marker])
        other: Kind = "comparison" if kind == "build" else "build"
        if (root / _MANIFESTS[other]).exists() or run._is_marked(other):
            raise RunError(f"{root}: holds a {other}; choose another --out for this {kind}")
        if root.exists() and any(root.iterdir()) and not run.marker.exists() and not overwrite:
            raise RunError(
                f"{root}: exists and is not empty; choose another --out, or replace what is there "
                "with --overwrite (embeddings that still fit are used again)"
            )
        begun = run.settings if settings is not None and not overwrite else None
        if begun and begun != settings:
            raise RunError(
                f"{root}: holds an unfinished {kind} with other settings "
                f"({difference(begun, settings or {})}); give those again, choose another --out, "
                "or begin anew with --overwrite (embeddings that still fit are used again)"
            )

    def finish(self, embeddings: Iterable[Path], without: Iterable[Path] = ()) -> None:
        """Take the mark of an unfinished run away, and what an older run left in its place.

        That is: vectors other than its `embeddings`, leave-one-out pair files other than its own.
        """
        kept = {folder.resolve() for folder in embeddings}
        for stale in (self.root / "embeddings").glob("*"):
            if stale.resolve() not in kept and (
                (stale / "manifest.json").exists() or (stale / "partial").exists()
            ):
                shutil.rmtree(stale)
        for old in {*self.root.glob(f"{LEFT_OUT}*.csv")} - {*without}:
            if old.with_suffix(".json").exists():
                old.with_suffix(".json").unlink()
                identities_of(old).unlink(missing_ok=True)
                old.unlink()
        self.marker.unlink(missing_ok=True)

    @property
    def marker(self) -> Path:
        """Stands while the run is not finished."""
        return self.root / "UNFINISHED"

    @property
    def settings(self) -> dict[str, object] | None:
        """Settings of the run that is not finished, where its marker says them."""
        try:
            said = self.marker.read_text("utf-8").partition("\n")[2]
            found = parse_json(said, str(self.marker), "settings", constants=True)
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict):
            return None
        known: dict[str, object] = present_keys(found)
        if "clusters" in known:
            known["clusters"] = KEYS.get(str(known["clusters"]), known["clusters"])
        return known

    def _is_marked(self, kind: Kind) -> bool:
        """Whether the run that is not finished is one of this kind."""
        try:
            return self.marker.read_text("utf-8").startswith(_marked(kind))
        except (OSError, UnicodeDecodeError):
            return False

    @property
    def faces(self) -> Path:
        """Table of the embedded faces: `path,identity`."""
        return self.root / "faces.csv"

    @property
    def index(self) -> Path:
        """FAISS index of the reference model's vectors; its sidecar lies beside it."""
        return self.root / "index.faiss"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report.html"

    @property
    def pdf(self) -> Path:
        """The report as PDF, where that was asked for."""
        return self.report.with_suffix(".pdf")

    @property
    def leaderboard(self) -> Path:
        """Stem of the tables `.md`, `.csv` and `.json`."""
        return self.root / "leaderboard"

    @property
    def work(self) -> WorkFiles:
        """Files of mining; gone when it is done."""
        return WorkFiles(self.root / "search.partial.npz", self.root / "suspects.partial.sqlite")

    def pairs(self, name: str) -> Path:
        """The pair file called `name`."""
        return self.root / f"{name}.csv"

    def without(self, name: str) -> Path:
        """The pair file of what the others mined without the reference of that plain name."""
        return self.pairs(f"{LEFT_OUT}{name}")

    def figure(self, name: str) -> Path:
        """The picture called `name`."""
        return self.root / "figures" / f"{name}.png"

    def embedded(self, faces: Path) -> dict[str, Embeddings]:
        """The run's embeddings by the name its tables have; `faces` is the faces folder."""
        found = [
            Embeddings.load(folder, faces)
            for folder in sorted((self.root / "embeddings").iterdir())
            if folder.is_dir()
        ]
        names = model_names([item.model for item in found])
        # Vectors from elsewhere may have one name and be of two models.
        return {
            name if names.count(name) == 1 else item.folder.name: item
            for name, item in zip(names, found, strict=True)
        }

    @property
    def identification(self) -> Path:
        """Folder of what models find in a gallery."""
        return self.root / "identification"

    def embeddings(self, model: Known) -> Path:
        """Folder of a model's vectors."""
        return self.root / "embeddings" / embeddings_name(model)
