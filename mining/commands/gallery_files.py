"""Files of a search in a gallery: tables, curves and every rank, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.publication import written_together
from pairsets.storage.spreadsheets import copies_of, tables_of, write_copies
from pairsets.tables.identification import FILES, PROBES, write_identification, write_probes

# Pictures of the curves, of which those of the open set are not always there.
_CURVES = ("cmc.png", "cmc.svg", "det.png", "det.svg")


def files_in(folder: Path, spreadsheet_safe: bool = True) -> list[Path]:
    """Files that may lie in a folder, if `spreadsheet_safe` copies for spreadsheets among them."""
    tables, copies = _tables(folder, spreadsheet_safe)
    return [*tables, *copies, *(folder / name for name in _CURVES)]


def write_search(
    folder: Path, found: GallerySearch, *, overwrite: bool = True, spreadsheet_safe: bool = False
) -> list[Path]:
    """Write what was found into a folder, all files together; returns them.

    Args:
        folder: made where it is not there.
        found: in the gallery.
        overwrite: whether files may be replaced.
        spreadsheet_safe: write a copy of each table for spreadsheets.

    Raises:
        OutputError: a file is there by now.
    """
    tables, copies = _tables(folder, spreadsheet_safe)
    curves = _drawn(found.models)
    everything = [*tables, *copies, *(folder / name for name in curves)]
    stale = [folder / name for name in _CURVES if name not in curves]
    with written_together(everything, stale=stale, overwrite=overwrite) as staged:
        write_identification(staged, found.models, found.facts)
        write_probes(staged / PROBES, found.models, found.probes, found.names)
        for name, content in curves.items():
            with atomic_write(staged / name) as stream:
                stream.write(content)
        if spreadsheet_safe:
            write_copies(staged / table.name for table in tables_of(tables))
    return everything


def remove_search(folder: Path) -> None:
    """Remove what `write_search` wrote, and the folder where nothing else lies in it."""
    for file in files_in(folder):
        file.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _tables(folder: Path, spreadsheet_safe: bool) -> tuple[list[Path], list[Path]]:
    """Tables, and their copies for spreadsheets."""
    tables = [folder / name for name in (*FILES, PROBES)]
    return tables, copies_of(tables_of(tables)) if spreadsheet_safe else []


def _drawn(found: IdentificationComparison) -> Mapping[str, bytes]:
    """Pictures of the curves, as bytes by name."""
    from pairsets.figures import cmc_curves, encode, open_set_curves

    told = {model: one.cmc_intervals for model, one in found.models.items()}
    drawn = {"cmc": cmc_curves({model: one.cmc for model, one in found.models.items()}, told)}
    curves = {model: one.curve for model, one in found.models.items() if one.curve is not None}
    if curves:
        drawn["det"] = open_set_curves(curves)
    return {
        name: encode(drawn[stem], end)
        for name in _CURVES
        for stem, _, end in [name.partition(".")]
        if stem in drawn
    }
