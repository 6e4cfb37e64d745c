"""A file of pairs in one format -> the same pairs in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mining.commands.result import CommandResult
from mining.miners.provenance import manifest, mined_by
from pairsets.errors import FacesError, OutputError, SourceError
from pairsets.faces import resolve
from pairsets.files.side_files import folds_of, manifest_of, mined_folds_of
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.pairset import identities_of
from pairsets.paths import is_image, why_unsafe
from pairsets.progress import Progress, silent
from pairsets.sources.formats import (
    ENDINGS,
    FORMATS,
    Pairs,
    candidates,
    format_named,
    ijb,
    indices,
    read_pairs,
    sniff,
    write_pairs,
)
from pairsets.sources.formats.owners import is_guess
from pairsets.sources.text.text_lines import read_head
from pairsets.storage.artefacts import refuse_existing, write_json
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together

# This project's own, which keeps folds, identities and a manifest in files beside.
OWN = "csv"
# Formats that name pictures by number, and find them in the folder of faces.
BY_NUMBER = frozenset({"lfw", "indices"})
# Formats whose labels may be no more than who is on the two pictures.
BY_FOLDER = frozenset({"sllfw", "trials"})


@alone()
def convert_pairs(
    source: Path,
    out: Path,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    reading: Mapping[str, object] | None = None,
    writing: Mapping[str, object] | None = None,
    faces: Path | None = None,
    identities: Rule | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Convert the pairs in `source` into the file `out`; a pair file gets files beside it.

    Args:
        source: of any format of `pairsets.sources.formats`.
        out: the new file.
        from_format: that of `source`; without it, the one that it looks like.
        to_format: that of `out`; without it, what its ending says: .csv, .jsonl or .parquet.
        reading: options of `from_format`, such as `folds` and `suffix`.
        writing: options of `to_format`.
        faces: their folder, to see that all of them are there; where a list names them by number
            alone, also how they are called.
        identities: who each face shows, where that is not its folder; of lists without labels, also
            which pairs are of one.
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
    name = from_format or _format_of(source, faces, reading)
    inputs = [source]
    if name == OWN:
        inputs += [source.with_suffix(".json"), folds_of(source), identities_of(source)]
    inputs += [path for value in (*reading.values(), *writing.values()) for path in _paths(value)]
    beside = [manifest_of(out), folds_of(out), identities_of(out)] if target == OWN else []
    refuse_existing([out, *beside], overwrite=overwrite, inputs=inputs)
    looking: dict[str, object] = {"faces": faces} if faces and name in BY_NUMBER else {}
    looking |= {"rule": identities} if identities is not None and name in BY_FOLDER else {}
    with progress(f"Reading {name}") as step:
        found = read_pairs(source, name, progress=step, **reading, **looking)
    notes = list(found.notes)
    if identities is not None:
        found = replace(found, pairs=found.pairs.named_by(identities))
        notes = [note for note in notes if not is_guess(note)]
        notes += identities.name(found.pairs.paths).notes
    if faces is not None:
        _all_there(faces, found.pairs.paths)
    funnel = _read_rows(name, found)
    files = [out]
    if target == OWN:
        files += [manifest_of(out), *([] if found.folds is None else [folds_of(out)])]
        files += [] if found.pairs.named is None else [identities_of(out)]
    # Of the pairs that stood here before.
    beside += mined_folds_of(out) if target == OWN else []
    stale = sorted({*beside} - {*files})
    described = manifest_of(out) if target == OWN else None
    with written_together(files, manifest=described, stale=stale, overwrite=overwrite) as folder:
        held = write_pairs(found, folder / out.name, target, **writing)
        funnel += _written_rows(target, held)
        if target == OWN:
            content = manifest(
                "converted",
                held.pairs,
                {
                    "format": name,
                    **{key: _told(value) for key, value in reading.items()},
                    **({} if identities is None else {"identities": identities.said}),
                },
                {"source_sha256": sha256(source)},
                funnel,
                origin=mined_by(source) if name == OWN else None,
            )
            content["rows_sha256"] = held.pairs.rows_sha256
            write_json(manifest_of(folder / out.name), content)
    return CommandResult(files, funnel, [*notes, *held.notes])


def _paths(value: object) -> list[Path]:
    """Files that an option names."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, Path)]


def _told(value: object) -> str | list[str]:
    return [*map(str, value)] if isinstance(value, list) else str(value)


def _by_ending(out: Path) -> str:
    name = ENDINGS.get(out.suffix.lower())
    if name is None:
        raise OutputError(
            f"{out}: its ending does not say which format to write; say it with --to-format "
            f"({', '.join(FORMATS)}), or end it in {', '.join(ENDINGS)}"
        )
    return name


def _format_of(source: Path, faces: Path | None, reading: Mapping[str, object]) -> str:
    """The format that `source` looks like; what may be templates or pictures, the folder tells.

    Raises:
        SourceError: it looks like none, or like several that nothing tells apart.
    """
    if "columns" in reading:
        return "table"
    if "templates" in reading and ijb.are_matches(read_head(source)):
        return "ijb"
    found = candidates(source)
    if set(found) != {"ijb", "indices"}:
        return sniff(source)
    if "templates" in reading:
        return "ijb"
    if faces is not None and indices.fit(source, faces):
        return "indices"
    told = "" if faces is None else f" {faces} does not tell which: not all of its pictures are."
    raise SourceError(
        f"{source}: two numbers and a label a line may be pairs of templates (IJB-B, IJB-C) or of "
        f"pictures by their number (0.jpg, 1.jpg, ...).{told} Say --from-format ijb or "
        "--from-format indices, or name the folder of those pictures alone with --faces"
    )


def _all_there(faces: Path, paths: Sequence[str]) -> None:
    """Refuse faces that are not in their folder; where another ending is, say so."""
    try:
        resolve(faces, paths)
    except FacesError as error:
        for path in paths:
            file = faces / path
            if why_unsafe(path) or file.is_file() or not file.parent.is_dir():
                continue
            others = sorted(
                other.name
                for other in file.parent.iterdir()
                if other.stem == file.stem and is_image(other.name)
            )
            if others:
                raise FacesError(
                    f"{error} {path!r} is not, but {others[0]} is beside where it would be: "
                    "does the list name other endings than the pictures have?"
                ) from None
            break
        raise


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
