"""Headline of the page: which model does best on pairs that no model picked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf

from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import Leaderboard
from pairsets.tables.published_rows import PUBLISHED


@dataclass(frozen=True)
class Elsewhere:
    """Row of the headline's model on another set.

    Attributes:
        name: of the set.
        entry: its row there; of a model that mined the set the leave-one-out row, if it has one.
        mined: whether a model picked the pairs.
        mined_by: who did, as far as it is in the table.
        lowest: the row with the lowest FPR, where nobody picked the pairs.
    """

    name: str
    entry: Entry
    mined: bool
    mined_by: tuple[str, ...]
    lowest: Entry | None


@dataclass(frozen=True)
class Headline:
    """The lowest FPR on the pairs that lead: random ones, or others that no model picked.

    Mined pairs never say which model is best: they punish those that score like their miner.

    Attributes:
        name: of the set that leads.
        best: the row with the lowest FPR there, of equal ones that with the lower EER.
        contestants: how many models compete.
        tied: those that the pairs cannot tell from it.
        elsewhere: the same model on the other sets.
    """

    name: str
    best: Entry
    contestants: int
    tied: tuple[str, ...]
    elsewhere: tuple[Elsewhere, ...]

    @property
    def punished(self) -> bool:
        """Whether the model is also judged on pairs that another one mined."""
        return any(
            one.mined and not one.entry.mined and not one.entry.pairs_mined_by
            for one in self.elsewhere
        )

    @property
    def hard(self) -> Elsewhere | None:
        """The first mined set that the model has a row on."""
        return next((one for one in self.elsewhere if one.mined), None)


def headline_of(boards: Sequence[Leaderboard], ranked: Collection[str] = ()) -> Headline | None:
    """The headline of these tables; None where each set was mined, or no model competes.

    Args:
        boards: one a set.
        ranked: names of sets whose pairs have a mining rank.
    """
    free = [board for board in boards if not is_mined(board, ranked)]
    free.sort(key=lambda board: board.name != "random")
    if not free or not (rivals := _competing(free[0])):
        return None
    lead, best = free[0], _lowest(rivals)
    elsewhere = []
    for board in boards:
        entry = _row_of(board, best.model)
        if board is lead or entry is None:
            continue
        mined = is_mined(board, ranked)
        shown = {one.model for one in board.entries}
        elsewhere.append(
            Elsewhere(
                board.name,
                entry,
                mined,
                tuple(model for model in board.mined_by if model in shown),
                None if mined else _lowest(_competing(board)),
            )
        )
    return Headline(lead.name, best, len(rivals), _tied(lead, best, rivals), tuple(elsewhere))


def is_mined(board: Leaderboard, ranked: Collection[str] = ()) -> bool:
    """Whether a model picked the pairs, as far as anything tells.

    Told by the manifest, by ranks, by what the set is called, or since it is ZACI-20's own.
    """
    if board.mined_by or board.name in ranked or board.name == "adversarial":
        return True
    theirs = PUBLISHED["adversarial"]
    return board.comparison is not None and theirs.why_apart(board.comparison.pairs) is None


def _competing(board: Leaderboard) -> list[Entry]:
    return [entry for entry in board.entries if entry.competes and entry.fpr is not None]


def _lowest(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=lambda one: (_known(one.fpr), _known(one.eer)))


def _known(rate: float | None) -> float:
    return inf if rate is None else rate


def _row_of(board: Leaderboard, model: str) -> Entry | None:
    """The row that says most of the model: one on pairs it did not pick, if there is such a one."""
    rows = [
        entry
        for entry in board.entries
        if entry.model == model and not (entry.human or entry.published) and entry.fpr is not None
    ]
    return min(rows, key=lambda entry: not entry.comparable, default=None)


def _tied(board: Leaderboard, best: Entry, rivals: Sequence[Entry]) -> tuple[str, ...]:
    """Models of the same rate, and those whose difference the pairs do not tell."""
    found = board.comparison.differences.get("fpr", ()) if board.comparison is not None else ()
    near = {
        one.second if one.first == best.model else one.first
        for one in found
        if best.model in (one.first, one.second) and not one.significant
    }
    return tuple(
        one.model
        for one in rivals
        if one is not best and (one.model in near or one.fpr == best.fpr)
    )
