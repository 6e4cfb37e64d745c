"""Mining of some faces: one reference or several, with suspects or without them, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mining.embeddings.store import Embeddings
from mining.errors import FusionError, RulesError
from mining.miners.fused_negatives import mine_together, refuse_for_several
from mining.miners.negatives import mine_negatives, refuse_for_index
from mining.miners.positives import mine_positives
from mining.miners.suspect_free import mine_on
from mining.ranking.mined_pairs import Mined, refuse_nothing
from mining.ranking.model_ranking import search_on
from mining.ranking.positive_ranking import refuse_margins
from mining.ranking.rank_aggregation import Method
from mining.ranking.rules import Rules
from mining.ranking.search_crews import SearchCrews
from mining.suspects.check import Check
from mining.suspects.evidence import Drop
from pairsets.files.exclusions import PathPairs
from pairsets.progress import Progress, Step, silent
from pairsets.storage.resume import Parts

Label = Literal["negative", "positive"]


@dataclass(frozen=True)
class WorkFiles:
    """Files in which long work keeps what it has found until it is done; their folder is there.

    Attributes:
        checkpoint: first of those of the searches.
        suspects: that of the suspects.
    """

    checkpoint: Path
    suspects: Path

    @classmethod
    def beside(cls, stem: Path) -> WorkFiles:
        """Files called after a pair file, beside it."""
        return cls(stem.with_suffix(".partial.npz"), stem.with_suffix(".suspects.partial.sqlite"))


@dataclass(frozen=True)
class Search:
    """Search for pairs, whatever faces are searched.

    Attributes:
        label: of the pairs that are mined.
        fusion: how several references mine together.
        rules: which pairs count.
        index: factory string of an approximate index; None for the exact search.
        recall: measure what the approximate index finds.
        device: where the exact search runs.
        crews: who shares it; see `mining.ranking.model_ranking.ModelRanking`.
        each: mine also what each of several references is judged on.
        checks: of suspects that other pairs replace.
        facts: what else the work hangs on, as JSON has it; see `pairsets.storage.resume.Parts`.
    """

    label: Label = "negative"
    fusion: Method = "mean"
    rules: Rules = field(default_factory=Rules)
    index: str | None = None
    recall: bool = False
    device: str = "auto"
    crews: SearchCrews | None = None
    each: bool = False
    checks: Sequence[Check] = ()
    facts: object = None

    @property
    def mined_label(self) -> int:
        """The label of the mined pairs in a pair file."""
        return int(self.label == "positive")

    def refuse_unfit(
        self, references: int, exclude: Sequence[object] = (), drop: Drop | None = None
    ) -> None:
        """Raise where so many references, exclusions or suspects do not go together with this.

        Raises:
            FusionError: no reference, or several, which mine negatives alone, exactly.
            RulesError: rules that mean nothing here.
            PairSetError: suspects that no such pair can be.
            ModelError: there is no such device.
        """
        refuse_for_several(references, self.rules)
        if references > 1 and (self.label == "positive" or self.index is not None):
            what = "hard positives" if self.label == "positive" else "an approximate index"
            raise FusionError(f"{what} of several references; mine those of one alone")
        if self.crews is None:
            search_on(self.device)
        elif self.label == "positive" or self.index is not None:
            what = "hard positives" if self.label == "positive" else "an approximate index"
            raise RulesError(f"{what} on a cluster, which shares the exact search; leave it out")
        if self.label == "positive":
            refuse_margins(self.rules)
            if drop is not None:
                drop.refuse_for_positives()
        elif self.index is not None:
            refuse_for_index(self.rules, exclude)
            if drop is not None:
                raise RulesError(
                    "suspects cannot be dropped with an approximate index: leave it out"
                )

    def checking(
        self, checks: Sequence[Check], facts: Sequence[object], sources: Mapping[str, Embeddings]
    ) -> Search:
        """A search less suspects, whose work hangs on the facts, and on these references."""
        # Folders of several models may list the same images.
        vectors = [one.manifest["vectors_sha256"] for one in sources.values()]
        return replace(self, checks=checks, facts=[*facts, self.fusion, vectors])

    def mine(
        self,
        sources: Mapping[str, Embeddings],
        n: int,
        work: WorkFiles,
        *,
        ignore: Iterable[str] = (),
        exclude: Sequence[PathPairs] = (),
        what: str = "Comparing all pairs of faces",
        progress: Progress = silent,
    ) -> Mined:
        """The n hardest pairs of `sources`; with checks, those without a suspect among them.

        Args:
            sources: the references' embeddings, by name.
            n: how many pairs; all if fewer exist.
            work: where long work keeps what it has found.
            ignore, exclude: faces and pairs not to be taken.
            what: is told of the search while it runs.
            progress: shows how far the work is.

        Raises:
            RulesError: the rules let no pair through; and what the miners raise.
        """
        ignore = frozenset(ignore)

        def mine(exclude: Sequence[PathPairs]) -> Mined:
            with progress(what) as step:
                mined = self._mine(sources, n, work.checkpoint, ignore, exclude, step)
                refuse_nothing(mined)
            return mined

        if not self.checks:
            return mine(exclude)
        memory = Parts(work.suspects, self.facts)
        return mine_on(mine, self.checks, exclude=exclude, memory=memory, progress=progress)

    def _mine(
        self,
        sources: Mapping[str, Embeddings],
        n: int,
        checkpoint: Path,
        ignore: frozenset[str],
        exclude: Sequence[PathPairs],
        step: Step,
    ) -> Mined:
        """Pairs whatever is suspect, even if there are none."""
        if len(sources) > 1:
            return mine_together(
                sources, n, method=self.fusion, rules=self.rules, ignore=ignore, exclude=exclude,
                checkpoint=checkpoint, device=self.device, crews=self.crews, each=self.each,
                progress=step,
            )  # fmt: skip
        (source,) = sources.values()
        if self.label == "positive":
            mined = mine_positives(
                source, n, rules=self.rules, ignore=ignore, exclude=exclude, progress=step
            )
        else:
            mined = mine_negatives(
                source, n, rules=self.rules, ignore=ignore, exclude=exclude, index=self.index,
                recall=self.recall, checkpoint=checkpoint, device=self.device, crews=self.crews,
                progress=step,
            )  # fmt: skip
        return replace(mined, references=sources)
