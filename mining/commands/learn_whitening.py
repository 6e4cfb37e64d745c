"""A folder of embeddings to a whitening."""

from __future__ import annotations

from pathlib import Path

from mining.commands.result import CommandResult
from mining.embeddings.store import Embeddings
from mining.embeddings.whitening_learner import WhiteningPlan, learn_whitening
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone, written_together


@alone()
def learn_from_embeddings(
    embeddings: Path,
    out: Path,
    *,
    plan: WhiteningPlan | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Learn a whitening from the vectors in `embeddings` into the file `out`.

    Args:
        embeddings: what `lookalikes embed` made.
        out: the file, to be given to `lookalikes embed` as `--whitening`.
        plan: how; by default the covariance within identities is whitened.
        overwrite: replace `out`.
        progress: shows how far it is.

    Raises:
        EmbeddingError: as `mining.embeddings.whitening_learner.learn_whitening`.
        OutputError: `out` exists, or lies among the embeddings.
    """
    refuse_existing([out], overwrite=overwrite)
    refuse_inside(out, embeddings)
    found = Embeddings.load(embeddings)
    with progress("Learning a whitening") as step:
        made = learn_whitening(found, plan or WhiteningPlan(), step)
    with written_together([out], overwrite=overwrite) as folder:
        made.write(folder / out.name)
    facts = made.facts
    shrunk = f", shrinkage {facts['shrinkage']:.3g}" if "shrinkage" in facts else ""
    hint = (
        f"Learnt by {facts['method']} on {facts['faces']:,} faces of {facts['identities']:,} "
        f"identities: {len(made.mean):,} components to {made.dimensions:,}{shrunk}. It is of "
        f"{facts['model']} alone: lookalikes embed OTHER_FACES --model MODEL --whitening {out}"
    )
    return CommandResult([out], hints=[hint])
