"""Tables of the page as data: what stands in which cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pairsets.evaluation.annotators import Agreement
from pairsets.evaluation.hardness import Hardness
from pairsets.evaluation.hubness import Hubness
from pairsets.evaluation.human import HumanRates
from pairsets.evaluation.kappa import Kappa
from pairsets.report.phrases import MINUS, decimal_bounds, share
from pairsets.tables.leaderboard import interval_text


@dataclass(frozen=True)
class Cell:
    """A number, in small what belongs to it (an interval, a name), and whether it is the best."""

    text: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its title, the columns after the first, and rows of a name and their cells.

    `wrapping` lets what is small below a number take several lines.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    head: str = "Model"
    foot: str = ""
    wrapping: bool = False

    def with_groups(self, letters: Mapping[str, str]) -> Table:
        """The table with the group letters of its models behind the first column, if any have."""
        if not letters:
            return self
        first, *others = self.columns
        rows = (
            (name, (cells[0], Cell(letters.get(name, "")), *cells[1:])) for name, cells in self.rows
        )
        return replace(self, columns=(first, "Group", *others), rows=tuple(rows))


def hubness_table(hubness: Mapping[str, Hubness]) -> Table | None:
    """Table of hubs in the sets, side by side, with the names of those in most pairs."""
    if not hubness:
        return None
    rows: dict[str, dict[str, Cell]] = {"pairs of different identities": {}}
    for name, one in hubness.items():
        rows["pairs of different identities"][name] = Cell(f"{one.pairs:,}")
        hubs = [hub for hub in (one.image, one.identity, one.identity_pair) if hub is not None]
        plain = [""] * (len(one.rows()) - len(hubs))
        notes = [*plain, *(" & ".join(hub.names) for hub in hubs)]
        for (what, much), note in zip(one.rows(), notes, strict=True):
            rows.setdefault(what, {})[name] = Cell(much, note)
    return Table(
        "",
        tuple(hubness),
        tuple(
            (what, tuple(cells.get(name, Cell("")) for name in hubness))
            for what, cells in rows.items()
        ),
        head="",
        wrapping=True,
    )


def agreement_tables(agreement: Agreement) -> list[Table]:
    """Tables of each person's errors, and of how far every two agree."""
    people = [*agreement.rates.items()]
    if agreement.majority is not None:
        people.append(("Majority", agreement.majority))
    tables = [
        Table(
            "What each person gets wrong",
            ("FPR %", "FNR %", "Judged"),
            tuple((name, _errors(rates)) for name, rates in people),
            head="Person",
            foot="FPR: pairs of different identities taken for one. FNR: pairs of one identity "
            "taken for two. The majority is what more than half of them say.",
        )
    ]
    if agreement.between:
        tables.append(
            Table(
                "How far every two agree",
                (
                    "Same verdict %",
                    "Cohen\u2019s \u03ba",
                    "Only the first: same",
                    "Only the second",
                ),
                tuple(
                    (
                        f"{one.first} and {one.second}",
                        (
                            Cell(share(one.agreed.value), interval_text(one.agreed.interval)),
                            _kappa(one.kappa),
                            Cell(f"{one.only_first:,}"),
                            Cell(f"{one.only_second:,}"),
                        ),
                    )
                    for one in agreement.between
                ),
                head="People",
                foot="\u03ba (kappa) is agreement beyond chance: 1 where two always say the same, "
                "0 where they agree no more often than by guessing. The last two columns count the "
                "pairs that one of them alone takes for one identity.",
            )
        )
    return tables


def agreement_sentence(agreement: Agreement) -> str:
    """Sentences on all people together."""
    count = len(agreement.people)
    text = f"{count} people judged {agreement.pairs:,} pairs"
    if agreement.pairs and count > 1:
        part = share(agreement.unanimous / agreement.pairs)
        text += f" and all say the same of {agreement.unanimous:,} of them ({part} %)"
    if agreement.fleiss is not None and agreement.fleiss.value is not None:
        kappa = _kappa(agreement.fleiss)
        text += (
            f". Fleiss\u2019 \u03ba, of all of them together: {kappa.text} {kappa.note}".rstrip()
        )
    return text + "."


def _errors(rates: HumanRates) -> tuple[Cell, Cell, Cell]:
    judged = rates.positives + rates.negatives
    left = f"{rates.unjudged:,} not judged" if rates.unjudged else ""
    return (
        Cell(share(rates.fpr), interval_text(rates.fpr_rate.interval)),
        Cell(share(rates.fnr), interval_text(rates.fnr_rate.interval)),
        Cell(f"{judged:,}", left),
    )


def _kappa(kappa: Kappa) -> Cell:
    if kappa.value is None:
        return Cell("N/A")
    return Cell(f"{kappa.value:.3f}".replace("-", MINUS), decimal_bounds(kappa.interval, 3))


def hardness_table(hardness: Hardness) -> Table:
    """Table of the false accepts of each model with and without hub images."""
    rows = []
    first, last = hardness.bins[0], hardness.bins[-1]
    for model in hardness.models:
        errors = sum(one.fpr[model].errors for one in hardness.bins)
        apart = [one.fpr_without_hubs[model] for one in hardness.bins]
        rest = sum(one.errors for one in apart)
        without = len(hardness) - hardness.hub_pairs
        rows.append(
            (
                errors,
                model,
                (
                    Cell(share(first.fpr[model].value), interval_text(first.fpr[model].interval)),
                    Cell(share(last.fpr[model].value), interval_text(last.fpr[model].interval)),
                    Cell(share(errors / len(hardness))),
                    Cell(share(rest / without if without else None)),
                    Cell(
                        share((errors - rest) / errors if errors else None),
                        f"{errors - rest:,} of {errors:,}",
                    ),
                ),
            )
        )
    return Table(
        "",
        (
            f"FPR %, ranks {first.first:,} to {first.last:,}",
            f"FPR %, ranks {last.first:,} to {last.last:,}",
            "FPR %, all",
            "FPR %, without hubs",
            "Of its false accepts with a hub %",
        ),
        tuple((model, cells) for _, model, cells in sorted(rows, key=lambda row: row[0])),
    )


def hardness_sentence(hardness: Hardness) -> str:
    """Sentence on who the hubs are, and how much of the set they hold."""
    count = len(hardness.hubs)
    lead = f"{len(hardness):,} mined pairs in order of their rank, the hardest first"
    if not count:
        return f"{lead}. No image is in so many more pairs than the others that it would be a hub."
    images = "image is a hub, a face" if count == 1 else "images are hubs, faces"
    those = "resembles" if count == 1 else "resemble"
    return (
        f"{lead}: where the FPR falls, the set gets easier. {count:,} of {hardness.images:,} "
        f"{images} that {those} many others: {share(hardness.hub_share)} % of the pairs have one, "
        f"and the most frequent one is in {int(hardness.hub_counts[0]):,} pairs."
    )
