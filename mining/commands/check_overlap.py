"""Training and test faces -> what is in both: ZACI-20's rule for whoever takes part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mining.commands.result import CommandResult
from mining.errors import ModelError
from mining.overlap.embedded_sides import EmbeddedSides
from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS
from pairsets.progress import Progress, silent
from pairsets.sources.overlap import (
    DOUBTS,
    KINDS,
    SIMILAR,
    Collection,
    Shared,
    counts_of,
    ordered,
    shared_identities,
    shared_posts,
    write_shared,
)
from pairsets.storage.artefacts import refuse_existing, refuse_inside, versions
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together
from pairsets.storage.resume import Parts, files_of
from pairsets.storage.spreadsheets import copies_of, write_copies

# Pictures of training that are listed for one of the test set, of each kind.
LISTED = 20
# Findings of each kind that are shown where they are summed up.
_SHOWN = 5
# Pictures that are looked at between two entries of the journal.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Overlap:
    """Identities and pictures that are in training and in the test set alike.

    Attributes:
        made: what was written and counted.
        found: everything that is in both, or may be.
        counts: by kind, how many things of the test set.
    """

    made: CommandResult
    found: Sequence[Shared]
    counts: dict[str, int]

    @property
    def overlaps(self) -> bool:
        """Whether the test set is not one for this training; doubts alone do not tell."""
        return any(count for kind, count in self.counts.items() if kind not in DOUBTS)


@alone()
def find_overlap(
    train: Path,
    test: Path,
    *,
    out: Path | None = None,
    identities: Rule | None = None,
    aliases: Path | None = None,
    pictures: bool = True,
    vectors: EmbeddedSides = EmbeddedSides(),
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> Overlap:
    """Find the identities and pictures that are in training and in the test set.

    Identities are compared by name, posts by number. Of two folders of faces, files are compared
    byte by byte, and pictures by what they show: copies that are resized, cropped, mirrored,
    re-compressed; with vectors, identities by all their faces. Where `out` is given, an interrupted
    search of pictures goes on where it stopped.

    Args:
        train, test: each a folder of faces, a dataset (JSON), or a list of identities.
        out: CSV of what is found, `kind,train,test,why,score`.
        identities: who a picture of folders shows, where that is not its folder.
        aliases: file of names that are one identity's.
        pictures: look at files and pictures, not at names and numbers alone.
        vectors: by which one identity under two names is looked for.
        workers: threads that look at pictures; as many as there are cores by default.
        max_pixels: larger images are not looked at.
        overwrite, spreadsheet_safe: replace `out`; write a copy of it for spreadsheets.
        progress: shows how far each part is.

    Raises:
        FacesError, SourceError, PairSetError: a side or a file that cannot be read.
        OutputError: `out` exists, or is one of the files that are read.
        EmbeddingError, RunError: vectors that cannot be compared.
    """
    if out is not None:
        refuse_existing(
            [out, *copies_of([out])],
            overwrite=overwrite,
            inputs=[aliases, *vectors.cannot_link, *(p for p in (train, test) if p.is_file())],
        )
        for folder in (train, test):
            refuse_inside(out, folder)
    known = Aliases.read(aliases) if aliases is not None else None
    sides = {
        "training": Collection.read(train, identities),
        "the test set": Collection.read(test, identities),
    }
    _refuse_shards(sides)
    ours, theirs = sides.values()
    vectors.refuse_unfit(ours, theirs, out)
    warnings = _unknown(known, sides.values(), aliases)
    warnings += [note for side in sides.values() if side.faces for note in side.faces.notes]
    with progress("Comparing names") as step:
        found = shared_identities(ours.identities, theirs.identities, known)
        named = {(one.train, one.test) for one in found}
        found += [one for one in _similar(ours, theirs) if (one.train, one.test) not in named]
        step(1, 1)
    if vectors:
        alike, notes = vectors.compare(ours, theirs, known, out, progress)
        found, warnings = found + alike, warnings + notes
    found += shared_posts(ours, theirs)
    warnings += _without_posts(sides)
    unread: dict[str, str] = {}
    if not pictures:
        warnings.append("Files and pictures were not looked at.")
    elif ours.faces is None or theirs.faces is None:
        warnings.append("Pictures were not looked at: that needs two folders of faces.")
    else:
        found += _same_files(ours.faces, theirs.faces, found, progress)
        try:
            seen, unread = _same_pictures(
                ours.faces, theirs.faces, found, workers, max_pixels, _journal_of(out), progress
            )
            found += seen
        except ModelError as error:
            warnings.append(f"Only equal files were looked for, not copies that differ: {error}")
    counts = counts_of(found)
    listed, further = _capped(ordered(found))
    kept = {"spreadsheet_safe": spreadsheet_safe, "overwrite": overwrite}
    files = [] if out is None else _write(listed, out, **kept)
    warnings += _unread(unread)
    rows = _rows(sides, len(unread), counts, further)
    return Overlap(
        CommandResult(files, rows, warnings, hints=_told(listed, counts)), listed, counts
    )


def _refuse_shards(sides: Mapping[str, Collection]) -> None:
    """Raise SourceError for faces that are no files, which are what is compared."""
    for name, side in sides.items():
        if side.faces is not None and side.faces.source is not None:
            raise SourceError(
                f"{side.faces.place}: {name} lies in shards, and files are compared; unpack them "
                "into a folder first (tar -xf for .tar, lookalikes arrange for .parquet)"
            )


def _without_posts(sides: Mapping[str, Collection]) -> list[str]:
    """A sentence on each side whose files are not called after posts."""
    return [
        f"File names in {name} are not taken for numbers of posts: {side.posts[1]}."
        for name, side in sides.items()
        if side.posts[1]
    ]


def _unread(causes: Mapping[str, str]) -> list[str]:
    """A sentence on the pictures that cannot be read."""
    if not causes:
        return []
    first = min(causes)
    return [f"{len(causes):,} pictures cannot be read, the first {first}: {causes[first]}"]


def _journal_of(out: Path | None) -> Path | None:
    """File in which pictures that were looked at are noted."""
    return None if out is None else out.with_suffix(".partial.sqlite")


def _write(
    listed: Sequence[Shared], out: Path, *, spreadsheet_safe: bool, overwrite: bool
) -> list[Path]:
    """Write the table, and its copy where one is wanted."""
    copies, spent = copies_of([out]), files_of(out.with_suffix(".partial.sqlite"))
    files = [out, *(copies if spreadsheet_safe else ())]
    stale = [] if spreadsheet_safe else copies
    with written_together(files, stale=stale, spent=spent, overwrite=overwrite) as folder:
        table = write_shared(listed, folder / out.name)
        if spreadsheet_safe:
            write_copies([table])
    return files


def _rows(
    sides: Mapping[str, Collection], unread: int, counts: Mapping[str, int], further: int
) -> list[FunnelRow]:
    """Funnel rows of what was compared, and what was found."""
    rows = [
        FunnelRow("overlap", f"{what} in {name}", len(content), kept=True)
        for name, side in sides.items()
        for what, content in (("identities", side.identities), ("pictures", side.pictures))
        if content
    ]
    if unread:
        rows.append(FunnelRow("overlap", "pictures that cannot be read", unread))
    rows += [FunnelRow("overlap", KINDS[kind], n, kept=True) for kind, n in counts.items()]
    if further:
        what = f"further pictures of training, not listed: more than {LISTED} of one"
        rows.append(FunnelRow("overlap", what, further))
    return rows


def _unknown(known: Aliases | None, sides: Iterable[Collection], aliases: Path | None) -> list[str]:
    """A sentence on aliases that nobody has."""
    if known is None:
        return []
    names = known.unknown(name for side in sides for name in side.identities)
    if not names:
        return []
    return [
        f"{aliases}: no identity of either side is called {names[0]!r}"
        + (f", and {len(names) - 1:,} more names" if len(names) > 1 else "")
        + "; are they misspelt?"
    ]


def _similar(ours: Collection, theirs: Collection) -> Iterator[Shared]:
    from mining.overlap.similar_names import similar_names
    from mining.suspects.identity.names import WHY, Likeness

    for name, other, said in similar_names(ours.identities, theirs.identities):
        yield Shared(SIMILAR, name, other, WHY[said], said / max(Likeness))


def _same_files(
    ours: Faces, theirs: Faces, found: Sequence[Shared], progress: Progress
) -> list[Shared]:
    """Files with the same bytes: of those of one size, the digests are compared."""
    known = {(one.train, one.test) for one in found if one.kind == "post"}
    sizes: list[dict[int, list[str]]] = []
    for faces in (theirs, ours):
        by_size: dict[int, list[str]] = defaultdict(list)
        with progress("Comparing sizes of files") as step:
            for done, path in enumerate(faces.paths, 1):
                size = _size(faces.locate(path))
                if size > 0 and (not sizes or size in sizes[0]):
                    by_size[size].append(path)
                if done % 1000 == 0 or done == len(faces):
                    step(done, len(faces))
        sizes.append(by_size)
    common = sorted(sizes[1])
    same = []
    with progress("Comparing files of one size") as step:
        for done, size in enumerate(common, 1):
            digests: dict[str, list[str]] = defaultdict(list)
            for path in sizes[1][size]:
                digests[_digest(ours.locate(path))].append(path)
            for other in sizes[0][size]:
                digest = _digest(theirs.locate(other))
                same += [(path, other) for path in digests.get(digest, ()) if digest]
            step(done, len(common))
    return [
        Shared("file", path, other, "the same file, byte by byte")
        for path, other in same
        if (path, other) not in known
    ]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _digest(file: Path) -> str:
    """Digest of a file that can be read; else nothing, which is not compared."""
    try:
        return sha256(file)
    except OSError:
        return ""


def _same_pictures(
    ours: Faces,
    theirs: Faces,
    found: Sequence[Shared],
    workers: int | None,
    max_pixels: int,
    journal: Path | None,
    progress: Progress,
) -> tuple[list[Shared], dict[str, str]]:
    """Pictures that show the same, though their files differ; and what cannot be read."""
    from mining.overlap.copies import Matching, state_of

    known = {(one.train, one.test) for one in found if one.kind in ("post", "file")}
    # The smaller side is kept in memory, the larger one goes by.
    turned = len(ours) < len(theirs)
    kept, passing = (ours, theirs) if turned else (theirs, ours)
    with progress("Reading pictures") as step:
        matching = Matching.of(
            kept, passing.root, max_pixels=max_pixels, threads=workers, progress=step
        )
    state = state_of(kept.root, kept.paths)
    # What could not be read may be readable when the search goes on.
    facts = [state, str(kept.root), str(passing.root), max_pixels, sorted(matching.unread)]
    facts.append(versions("lookalikes", "opencv-python-headless"))
    kept_blocks = None if journal is None else Parts(journal, facts)
    unread = dict(matching.unread)
    same: list[Shared] = []
    with progress("Looking for pictures in both") as step:
        for start in range(0, len(passing), _BLOCK):
            paths = passing.paths[start : start + _BLOCK].tolist()
            state = state_of(passing.root, paths)
            block = None if kept_blocks is None else kept_blocks.read(state)
            if block is None or block[1]:
                block = matching.block(paths)
                if kept_blocks is not None and not block[1]:
                    kept_blocks.write(block, state)
            matches, damaged = block
            for path, other, score, why in matches:
                train, test = (other, path) if turned else (path, other)
                if (train, test) not in known:
                    same.append(Shared("picture", train, test, why, score))
            unread |= {str(passing.locate(path)): cause for path, cause in damaged.items()}
            step(min(start + _BLOCK, len(passing)), len(passing))
    return same, unread


def _capped(found: Sequence[Shared]) -> tuple[list[Shared], int]:
    """So many of training for one of the test set, the surest first; and how many more."""
    places: Counter[tuple[str, str]] = Counter()
    kept = []
    for one in sorted(found, key=lambda one: -one.score):
        places[one.kind, one.test] += 1
        if places[one.kind, one.test] <= LISTED:
            kept.append(one)
    return ordered(kept), len(found) - len(kept)


def _told(listed: Sequence[Shared], counts: dict[str, int]) -> list[str]:
    """Lines on what was found; the first few of each kind."""
    lines = []
    for kind, count in counts.items():
        shown = [one for one in listed if one.kind == kind][:_SHOWN]
        if not shown:
            continue
        lines.append(f"{KINDS[kind]} ({count:,}):")
        for one in shown:
            name = one.test if one.test == one.train else f"{one.test} (in training: {one.train})"
            lines.append(f"  {name}: {one.why}")
        if count > len(shown):
            lines.append("  ...")
    if not any(count for kind, count in counts.items() if kind not in DOUBTS):
        lines.append("Nothing of the test set was found in training.")
    return ["\n".join(lines)]
