"""The review of a pair file: begun or gone on with, its verdicts brought in and out."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mining.errors import RunError
from mining.miners.provenance import mined_by
from pairsets.errors import FacesError, PairSetError
from pairsets.files.designs import Design
from pairsets.files.score_files import read_scores
from pairsets.files.side_files import design_of, store_of, suspects_of
from pairsets.files.suspects import Suspects
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.path_prefixes import cause
from pairsets.review.judgement.aims import Aim
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.repeats import APART
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import plain_name
from pairsets.storage.artefacts import refuse_inside
from pairsets.storage.publication import claimed, disclaim, staging, sweep, sync

if TYPE_CHECKING:
    from pairsets.review.exchange.export import Exported
    from pairsets.review.exchange.imports import Imported
    from pairsets.review.exchange.label_studio import Tasks

Say = Callable[[str], None]


@dataclass(frozen=True)
class JudgingOptions:
    """Who judges which pairs, in which order.

    Attributes:
        annotator: who judges; asked on the page where it is not said.
        overlap, seed: see `pairsets.review.store.store.Store.begin`.
        suspects: file of suspects, by default `PAIRS.suspects.csv` where there is one.
        suspects_first: whether they come first.
        sample, until, repeat: see `pairsets.review.store.store.Store.begin`; "none" is no aim any
            more.
    """

    annotator: str | None = None
    overlap: float | None = None
    seed: int | None = None
    suspects: Path | None = None
    suspects_first: bool = False
    sample: int | None = None
    until: str | None = None
    repeat: float | None = None

    @property
    def aim(self) -> str | None:
        """The aim as it is kept: in its own words, empty for none any more; None for what it was.

        Raises:
            ReviewError: no aim.
        """
        if self.until is None or self.until.strip().lower() == "none":
            return None if self.until is None else ""
        return Aim.of(self.until).words


@dataclass(frozen=True)
class PageOptions:
    """Address of the page, and who may see it; see `pairsets.review.web.server.serve`."""

    host: str = "127.0.0.1"
    port: int = 8765
    allow_hosts: Sequence[str] = ()
    open_browser: bool = False


def review(
    path: Path,
    faces: Path,
    *,
    identities: Rule | None = None,
    judging: JudgingOptions = JudgingOptions(),
    store: Path | None = None,
    scores: Path | None = None,
    page: PageOptions = PageOptions(),
    max_pixels: int = MAX_PIXELS,
    say: Say,
) -> None:
    """Serve the page on which people judge a pair file, until interrupted.

    Args:
        path: the pair file.
        faces: the folder that its paths lie in.
        identities: who faces show, where neither folders nor `PAIRS.identities.csv` say it.
        judging: who judges which pairs, in which order.
        store: the database of the verdicts, by default `PAIRS.review.sqlite`.
        scores: score file to show after judging, by default `PAIRS.scores.csv` where there is one.
        page: where it is served, and to whom.
        max_pixels: width times height above which a face is refused undecoded.
        say: is told the link, and what is worth knowing.
    """
    from pairsets.review.judgement.session import Review
    from pairsets.review.web.server import serve

    where = store or store_of(path)
    refuse_inside(where, faces, option="--store")
    if where.resolve() in (path.resolve(), suspects_of(path).resolve()):
        raise RunError(f"{where}: is read by this command; choose another --store")
    aim = judging.aim
    pairs = PairSet.read(path, identities)
    name = plain_name(judging.annotator) if judging.annotator is not None else None
    lost = _missing(faces, pairs)
    listed = suspects_of(path)
    if judging.suspects is not None or listed.is_file():
        found = Suspects.read(judging.suspects or listed).among(pairs)
    elif judging.suspects_first:
        raise PairSetError(
            f"{listed}: no such file of suspects to begin with; make it with: "
            f"lookalikes suspects {path} --faces {faces}"
        )
    else:
        found = {}
    beside = path.with_suffix(".scores.csv")
    given = scores or (beside if beside.is_file() else None)
    shown = read_scores(given, pairs, complete=False) if given is not None else {}
    plan = {name: getattr(judging, name) for name in ("seed", "overlap", "sample", "repeat")}
    with Store.begin(where, pairs, until=aim, **plan) as kept:
        kept.mark(found)
        board = Assignment(kept, suspects_first=judging.suspects_first)
        if lost:
            say(f"note: {lost} of the faces are not in {faces}: their pairs show an empty place")
        if judging.suspects_first:
            say(f"{len(found)} suspects come first, shuffled among as many other pairs")
        for line in _told(board):
            say(line)
        say(f"Every verdict is kept in {where}")
        serve(
            Review(
                store=kept,
                board=board,
                faces=faces,
                name=path.name,
                scores=shown,
                annotator=name,
                max_pixels=max_pixels,
                tell=say,
            ),
            **vars(page),
            announce=lambda link: say(
                f"Open this link in a browser; Ctrl-C ends the review:\n{link}"
            ),
        )


def export_review(
    path: Path,
    out: Path,
    *,
    store: Path | None = None,
    who: str | None = None,
    overwrite: bool,
    spreadsheet_safe: bool = False,
) -> Exported:
    """Write what was judged of a pair file as a pair file, with rates, agreement, all verdicts."""
    from pairsets.review.exchange.export import export

    with _begun(path, store) as kept:
        origin = mined_by(path)
        beside = design_of(path)
        return export(
            kept,
            out,
            who=who,
            overwrite=overwrite,
            spreadsheet_safe=spreadsheet_safe,
            inputs=[path],
            origin=origin,
            design=Design.read(beside, kept.pairs) if beside.is_file() else None,
        )


def export_tasks(
    path: Path,
    out: Path,
    *,
    store: Path | None = None,
    prefix: str | None = None,
    who: str | None = None,
    overwrite: bool,
) -> Tasks:
    """Write a pair file, and what everybody or one person judged of it, for Label Studio."""
    from pairsets.review.exchange.label_studio import PREFIX, write_tasks

    with _begun(path, store) as kept:
        chosen = PREFIX if prefix is None else prefix
        return write_tasks(kept, out, prefix=chosen, who=who, overwrite=overwrite, inputs=[path])


def import_review(
    path: Path, source: Path, *, store: Path | None = None, who: str | None = None
) -> Imported:
    """Take the verdicts of a judged pair file, or of another review, into that of a pair file."""
    from pairsets.review.exchange.imports import import_judged

    where, pairs = store or store_of(path), PairSet.read(path)
    sweep([where])
    # What is wrong with a place that has no folder, the review that is begun there says.
    if where.exists() or not where.parent.is_dir():
        disclaim(where)
        with Store.begin(where, pairs) as kept:
            return import_judged(kept, source, who=who)
    with claimed(where), _put_in_place(where) as temporary:
        try:
            with Store.begin(temporary, pairs) as kept:
                return import_judged(kept, source, who=who)
        except DatabaseError as error:
            # Not where it is the source's, a database too.
            raise (error.at(where) if error.path == temporary else error) from None


@contextmanager
def _put_in_place(where: Path) -> Iterator[Path]:
    """Path for a new review, which takes its place at the end of the block, or never.

    A review that nobody began is not begun by what went wrong, a kill too; and one that somebody
    else begins meanwhile is not replaced.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(staging(where))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(where)) from error
        made = folder / where.name
        yield made
        if made.with_name(made.name + "-wal").exists():
            # Closing brings everything into one file, and where it cannot, says nothing.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(where))
        try:
            os.link(made, where)
        except OSError:
            if where.exists():
                raise RunError(
                    f"{where}: another process began this review meanwhile; nothing was imported: "
                    "run the same command again"
                ) from None
            # A file system without second names.
            made.rename(where)
        sync(where.parent)


def _told(board: Assignment) -> Iterator[str]:
    """Lines that say which sample, aim and repeats a review has."""
    store, aim = board.store, board.aim()
    if store.sample is not None:
        of = f"{board.to_judge:,} of the {len(store.pairs):,} pairs"
        yield f"A random sample of {of}, the same for everybody"
    if aim is not None:
        state = "met" if aim.is_met else "not met yet"
        yield f"Aim: {aim.aim.words}; {state}: {aim.words}"
    if store.repeat:
        yield (
            f"After {100 * store.repeat:g} % of the verdicts, a pair that the person judged at "
            f"least {APART} pairs before is asked again, unannounced"
        )


def _begun(path: Path, store: Path | None) -> Store:
    """The review of a pair file, which somebody must have begun, with the file as it is now."""
    where = store or store_of(path)
    pairs = PairSet.read(path)
    if not where.is_file():
        Store.open(where)  # says what is wrong
    return Store.begin(where, pairs)


def _missing(faces: Path, pairs: PairSet) -> int:
    """Number of faces that are not there.

    Raises:
        FacesError: no such folder, or none of the faces is in it.
    """
    if not faces.is_dir():
        what = "a file; expected the" if faces.exists() else "no such"
        raise FacesError(f"{faces}: {what} folder of faces")
    paths = pairs.paths
    # Not by `Path`, which takes a second for 50,000 faces.
    root = os.fspath(faces)
    lost = [path for path in paths if not os.path.isfile(f"{root}/{path}")]  # noqa: PTH113
    if len(lost) == len(paths):
        why = cause(lost[0], lambda path: (faces / path).is_file())
        raise FacesError(
            f"{faces}: none of the {len(paths)} faces is in it, {lost[0]} for "
            f"one{why or '; is this the folder that the pairs were made from?'}"
        )
    return len(lost)
