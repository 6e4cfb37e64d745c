"""How a command mines some faces: which search it is, and mining on where suspects are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mining.embeddings.store import Embeddings
from mining.miners.negatives import mine_negatives
from mining.miners.positives import mine_positives
from mining.miners.references import Hardest, mine_hardest
from mining.miners.suspect_free import mine_on
from mining.ranking.mined_pairs import refuse_nothing
from mining.ranking.rank_aggregation import Method
from mining.ranking.rules import Rules
from mining.suspects.check import Check
from pairsets.files.exclusions import PathPairs
from pairsets.files.suspects import Suspects
from pairsets.progress import Progress, silent
from pairsets.storage.resume import Parts

Label = Literal["negative", "positive"]


@dataclass(frozen=True)
class Search:
    """What is asked of a miner, whatever faces it is asked about.

    Attributes:
        label: of the pairs that are mined.
        fusion: how several references mine together.
        rules: which pairs count.
        index: factory string of an approximate index; None for the exact search.
        recall: measure what the approximate index finds.
        device: where the exact search runs.
        checks: of suspects that other pairs replace.
        facts: what else the work hangs on, as JSON has it; see `pairsets.storage.resume.Parts`.
    """

    label: Label = "negative"
    fusion: Method = "mean"
    rules: Rules = field(default_factory=Rules)
    index: str | None = None
    recall: bool = False
    device: str = "auto"
    checks: Sequence[Check] = ()
    facts: object = None

    def hardest(
        self,
        sources: Mapping[str, Embeddings],
        n: int,
        stem: Path,
        *,
        ignore: Iterable[str] = (),
        exclude: Sequence[PathPairs] = (),
        what: str = "Comparing all pairs of faces",
        progress: Progress = silent,
    ) -> tuple[Hardest, Suspects | None]:
        """The n hardest pairs of `sources`, and what the checks say of them and of those dropped.

        Args:
            sources: the references' embeddings, by name.
            n: how many pairs; all if fewer exist.
            stem: a path, in a folder that is there, beside which long work keeps what it has found.
            ignore, exclude: faces and pairs not to be taken.
            what: is told of the search while it runs.
            progress: shows how far the work is.

        Raises:
            RulesError: the rules let no pair through; and what the miners raise.
        """
        ignore = frozenset(ignore)

        def mine(exclude: Sequence[PathPairs]) -> Hardest:
            with progress(what) as step:
                if self.label == "negative" and self.index is None:
                    return mine_hardest(
                        sources,
                        n,
                        method=self.fusion,
                        rules=self.rules,
                        ignore=ignore,
                        exclude=exclude,
                        checkpoint=stem.with_suffix(".partial.npz"),
                        device=self.device,
                        each=False,
                        progress=step,
                    )
                (source,) = sources.values()
                if self.label == "positive":
                    mined = mine_positives(
                        source, n, rules=self.rules, ignore=ignore, exclude=exclude, progress=step
                    )
                else:
                    mined = mine_negatives(
                        source, n, ignore=ignore, index=self.index, recall=self.recall,
                        progress=step,
                    )  # fmt: skip
                refuse_nothing(mined)
                return Hardest(mined, sources)

        if not self.checks:
            return mine(exclude), None
        memory = Parts(stem.with_suffix(".suspects.partial.sqlite"), self.facts)
        kept = mine_on(mine, self.checks, exclude=exclude, memory=memory, progress=progress)
        return kept.hardest, kept.looked
