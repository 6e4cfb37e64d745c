"""A file of pairs in one format -> the same pairs in another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mining.provenance import manifest, mined_by
from mining.run import Progress, silent
from mining.steps import Made, manifest_of
from pairsets.artefacts import refuse_existing, sha256, write_json, written_together
from pairsets.errors import OutputError
from pairsets.faces import IMAGE_SUFFIXES, resolve
from pairsets.folds import folds_of
from pairsets.report import FunnelRow
from pairsets.sources.formats import (
    ENDINGS,
    FORMATS,
    Pairs,
    format_named,
    read_pairs,
    sniff,
    write_pairs,
)

# This project's own, which keeps folds and a manifest in files beside.
OWN = "csv"


def convert_pairs(
    source: Path,
    out: Path,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    reading: Mapping[str, object] | None = None,
    writing: Mapping[str, object] | None = None,
    faces: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Made:
    """Convert the pairs in `source` into the file `out`; as a pair file, with folds and manifest.

    Args:
        source: of any format of `pairsets.sources.formats`.
        out: the new file.
        from_format: that of `source`; without it, the one that it looks like.
        to_format: that of `out`; without it, what its ending says: .csv, .jsonl or .parquet.
        reading: options of `from_format`, such as `folds` and `suffix`.
        writing: options of `to_format`.
        faces: their folder, to see that all of them are there; of LFW's, also how they end.
        overwrite: replace what is there.
        progress: shows how much of `source` is read.

    Raises:
        SourceError: `source` cannot be read, or its pairs are none that `to_format` can hold.
        FacesError: a face is not in `faces`.
        OutputError: `out` may not be written, or no format is named for it.
    """
    target = to_format or _by_ending(out)
    format_named(target)
    reading, writing = dict(reading or {}), dict(writing or {})
    name = from_format or sniff(source)
    inputs = [source, *([source.with_suffix(".json"), folds_of(source)] if name == OWN else [])]
    inputs += [value for value in (*reading.values(), *writing.values()) if isinstance(value, Path)]
    beside = [manifest_of(out), folds_of(out)] if target == OWN else []
    refuse_existing([out, *beside], overwrite=overwrite, inputs=inputs)
    with progress(f"Reading {name}") as step:
        found = read_pairs(source, name, progress=step, **reading)
    notes = list(found.notes)
    if faces is not None:
        ending = _ending_in(faces, found) if name == "lfw" and "suffix" not in reading else None
        if ending:
            reading["suffix"] = ending
            notes.append(f"images are taken to end in {ending}, as the first does in {faces}")
            found = read_pairs(source, name, progress=None, **reading)
        resolve(faces, found.pairs.paths)
    funnel = _read_rows(name, found)
    files = [out]
    if target == OWN:
        files += [manifest_of(out), *([] if found.folds is None else [folds_of(out)])]
    with written_together(files) as folder:
        held = write_pairs(found, folder / out.name, target, **writing)
        funnel += _written_rows(target, held)
        if target == OWN:
            content = manifest(
                "converted",
                held.pairs,
                {"format": name, **{key: str(value) for key, value in reading.items()}},
                {"source_sha256": sha256(source)},
                funnel,
                origin=mined_by(source) if name == OWN else None,
            )
            write_json(manifest_of(folder / out.name), content)
    if target == OWN and found.folds is None:
        # Of the pairs that stood here before.
        folds_of(out).unlink(missing_ok=True)
    return Made(files, funnel, [*notes, *held.notes])


def _by_ending(out: Path) -> str:
    name = ENDINGS.get(out.suffix.lower())
    if name is None:
        raise OutputError(
            f"{out}: its ending does not say which format to write; name one of "
            f"{', '.join(FORMATS)}, or end it in {', '.join(ENDINGS)}"
        )
    return name


def _ending_in(faces: Path, found: Pairs) -> str | None:
    """How the first face ends in its folder, where that is not as it was read."""
    first = faces / found.pairs.path_a[0]
    if first.is_file() or not first.parent.is_dir():
        return None
    endings = sorted(file.suffix for file in first.parent.iterdir() if file.stem == first.stem)
    return next((one for one in endings if one.lower() in IMAGE_SUFFIXES), None)


def _read_rows(name: str, found: Pairs) -> list[FunnelRow]:
    rows = [FunnelRow(f"read {name}", what, count) for what, count in found.dropped.items()]
    counts = {
        "pairs read": len(found.pairs),
        "positives": int(found.pairs.positives.sum()),
        "negatives": int(found.pairs.negatives.sum()),
    }
    if not found.pairs.valid.all():
        counts["invalid pairs"] = int((~found.pairs.valid).sum())
    if found.folds is not None:
        counts["folds"] = len(found.folds)
    return rows + [
        FunnelRow(f"read {name}", what, count, kept=True) for what, count in counts.items()
    ]


def _written_rows(name: str, held: Pairs) -> list[FunnelRow]:
    rows = [FunnelRow(f"write {name}", what, count) for what, count in held.dropped.items()]
    return [*rows, FunnelRow(f"write {name}", "pairs written", len(held.pairs), kept=True)]
