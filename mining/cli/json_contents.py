"""Contents of the documents of `--json`, by the kind of a result: as its tables and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairsets.funnel import FunnelRow

if TYPE_CHECKING:
    from mining.commands.build_report import Run
    from mining.commands.compare import Compared
    from mining.commands.identify import Identified
    from mining.commands.power import PowerPlan
    from mining.commands.result import CommandResult
    from mining.commands.threshold import Thresholded
    from mining.miners.impostors import Neighboured
    from pairsets.evaluation.census import CensusComparison
    from pairsets.evaluation.gallery_search import GallerySearch
    from pairsets.evaluation.hubness import Hubness
    from pairsets.review.exchange.export import Exported
    from pairsets.review.exchange.imports import Imported
    from pairsets.review.exchange.label_studio import Tasks
    from pairsets.tables.leaderboard import Leaderboard

Content = dict[str, object]


def made_content(made: CommandResult) -> Content:
    """Document of what one stage made."""
    found = _ended(made.files, made.funnel, made.warnings) | {"hints": [*made.hints]}
    if made.leaderboard is not None:
        found |= _boards([made.leaderboard])
    found |= _census(made.census) | _hubness(made.hubness)
    if made.protocols:
        from pairsets.tables.protocols import protocols_content

        name = "" if made.leaderboard is None else made.leaderboard.name
        found["protocols"] = protocols_content(name, made.protocols)
    if made.agreement is not None:
        from pairsets.review.exchange.export import agreement_content

        found["agreement"] = agreement_content(made.agreement)
    audit: Any = getattr(made, "audit", None)
    if audit is not None:
        # The list of all faces is in the file alone.
        found["audit"] = {name: one for name, one in audit.content().items() if name != "faces"}
    return found


def run_content(run: Run) -> Content:
    """Document of a build."""
    files = [
        run.folder.pairs("adversarial"),
        *run.without.values(),
        *([run.suspects] if run.suspects is not None else []),
        run.folder.pairs("random"),
        run.folder.leaderboard.with_suffix(".md"),
        *([run.folder.identification] if run.identification is not None else []),
        run.folder.figure("adversarial").parent,
        run.folder.report,
        *([run.folder.pdf] if run.folder.pdf.exists() else []),
    ]
    found = _ended(files, run.funnel, run.warnings)
    found |= _boards(run.leaderboards) | _census(run.census)
    return found | _identification(run.identification) | _hubness(run.hubness)


def compared_content(compared: Compared) -> Content:
    """Document of a comparison."""
    from pairsets.review.exchange.export import agreement_content

    found = _ended(compared.files, compared.funnel, compared.warnings)
    found |= _boards(compared.leaderboards) | _census(compared.census)
    found |= _identification(compared.identification)
    agreed = {name: agreement_content(one) for name, one in compared.agreement.items()}
    return found | _hubness(compared.hubness) | ({"agreement": agreed} if agreed else {})


def identified_content(made: Identified) -> Content:
    """Document of a search in a gallery."""
    from pairsets.tables.identification import difference_records, identification_content

    return {
        **_ended(made.files, made.funnel, ()),
        "identification": identification_content(made.models, made.facts),
        "differences": difference_records(made.models),
    }


def threshold_content(made: Thresholded) -> Content:
    """Document of a threshold."""
    from pairsets.tables import threshold

    found, model = made.threshold, made.model
    content = threshold.threshold_content(found, model, made.facts, made.fingerprint)
    told = threshold.sentences(found, model, made.where)
    ended = _ended(made.files, made.funnel, made.warnings)
    return {**ended, "threshold": content, "sentences": told}


def planned_content(planned: PowerPlan) -> Content:
    """Document of how large a set it takes."""
    plans = [
        {**vars(one), "enough": one.enough, "effective": one.effective} for one in planned.plans
    ]
    found = _ended([], planned.funnel, planned.warnings)
    sentences = [text for one in planned.plans for text in one.sentences()]
    return {**found, "pairs": planned.pairs, "plans": plans, "sentences": sentences}


def neighbours_content(found: Neighboured) -> Content:
    """Document of a face's nearest impostors."""
    told = (
        *("query", "kind", "model", "faces", "own_best", "own_worst", "own_count", "own_match"),
        *("own_scores", "outscoring", "candidates", "duplicates"),
    )
    columns = {
        "score": found.scores,
        "impostor": found.paths,
        "identity": found.identities,
        "resembles": found.resembles,
        "outscores": found.outscores,
        "same_picture": found.same_picture,
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    impostors = [
        {"rank": rank, **dict(zip(columns, row, strict=True))} for rank, row in enumerate(rows, 1)
    ]
    return {
        "files": [*found.files],
        "notes": found.notes(),
        **{name: getattr(found, name) for name in told},
        "impostors": impostors,
    }


def exported_content(made: Exported) -> Content:
    """Document of what was judged: the manifest that lies beside the pair file."""
    return {"files": [*made.files], "review": made.content}


def tasks_content(made: Tasks) -> Content:
    """Document of what was written for Label Studio."""
    return {**vars(made)}


def imported_content(made: Imported) -> Content:
    """Document of what was taken in."""
    return {**vars(made)}


def _ended(files: Sequence[Path], funnel: Iterable[FunnelRow], warnings: Iterable[str]) -> Content:
    """The keys that most documents have."""
    return {
        "files": [*files],
        "funnel": [{**vars(row)} for row in funnel],
        "warnings": [str(one) for one in warnings],
    }


def _boards(boards: Sequence[Leaderboard]) -> Content:
    from pairsets.tables.differences import difference_records
    from pairsets.tables.leaderboard import leaderboards_content

    compared = [board.comparison for board in boards if board.comparison is not None]
    return {
        "leaderboard": leaderboards_content(boards),
        "differences": difference_records(compared),
    }


def _census(found: CensusComparison | None) -> Content:
    if found is None:
        return {}
    from pairsets.tables.census import census_content, census_difference_records

    return {
        "all_pairs": census_content(found),
        "all_pairs_differences": census_difference_records(found),
    }


def _identification(found: GallerySearch | None) -> Content:
    if found is None:
        return {}
    from pairsets.tables.identification import difference_records, identification_content

    return {
        "identification": identification_content(found.models, found.facts),
        "identification_differences": difference_records(found.models),
    }


def _hubness(found: Mapping[str, Hubness]) -> Content:
    return {"hubness": {name: one.content() for name, one in found.items()}} if found else {}
