"""A threshold for a target FPR, set on a folder of faces or a pair file, and judged on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.miners.inputs import contradictions
from mining.models.model_labels import folder_of
from mining.models.names import embeddings_name
from mining.scores.collection import Gathered, names_of
from mining.scores.pair_files import lost_rows, low_aucs, named_sets, unread_rows, was_mined
from mining.scores.sources import ScoreSources
from mining.scores.threshold import MOST_FACES, drawn_faces, of_faces, trials_of
from pairsets.errors import PairSetError, ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.rates import area_under, roc
from pairsets.evaluation.threshold import TARGET_FPR, Threshold, judge, set_threshold
from pairsets.faces import Faces, resolve
from pairsets.files.side_files import design_of
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, refuse_lacking
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import atomic_write, refuse_existing, refuse_inside, versions
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, tables_of, write_copies
from pairsets.tables.threshold import FILES, write_threshold

_FIGURES = ("menagerie.png", "menagerie.svg")


@dataclass(frozen=True)
class ThresholdOptions:
    """Options of a threshold.

    Attributes:
        target_fpr: share of pairs of different identities that may be accepted.
        most_faces: of more faces, whole identities are drawn until there are about so many; 0 for
            all.
        seed: of the draws.
    """

    target_fpr: float = TARGET_FPR
    most_faces: int = MOST_FACES
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Thresholded:
    """Result of setting a threshold.

    Attributes:
        threshold: with its rates.
        model: whose scores.
        where: the pairs that set it, in words.
        fingerprint: of the model, where its vectors were at hand.
        facts: of what it was set on, and how.
        files: what was written.
        funnel: what was counted, and left out.
        warnings: what to know before the numbers.
    """

    threshold: Threshold
    model: str
    where: str
    fingerprint: str
    facts: Mapping[str, object]
    files: Sequence[Path]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str]


@dataclass(frozen=True, eq=False)
class _Set:
    """A threshold before it is written."""

    threshold: Threshold
    model: str
    where: str
    fingerprint: str
    source: Mapping[str, object]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str] = ()


@alone(folder=True)
def find_threshold(
    source: Path,
    *,
    out: Path,
    sources: ScoreSources = ScoreSources(),
    judge_on: Sequence[Path] = (),
    identities: Rule | None = None,
    options: ThresholdOptions = ThresholdOptions(),
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> Thresholded:
    """Set the threshold whose FPR is at most a target, and tell what it costs.

    Args:
        source: a pair file; or embeddings; or a folder of faces, with a model in `sources`.
        out: folder for the threshold, its identities and their picture.
        sources: of the scores of one model; of embeddings none.
        judge_on: further pair files, to judge the threshold on.
        identities: who faces show, where neither folders nor the files beside say it.
        options: the target, how many faces count, and the seed.
        overwrite: replace what is there.
        spreadsheet_safe: write a copy of the table for spreadsheets.
        progress: shows how far it is.

    Raises:
        PairsetsError, MiningError: the user's input; nothing is written.
    """
    files = [out / name for name in FILES]
    copies = copies_of(tables_of(files)) if spreadsheet_safe else []
    figures = [out / name for name in _FIGURES]
    beside = (source, *judge_on, *sources.files)
    refuse_existing([*files, *copies, *figures], overwrite=overwrite, inputs=beside)
    sources.refuse_inside_faces(out)
    sets = named_sets(judge_on, out) if judge_on else {}
    if folder_of(source).is_dir():
        found = _of_folder(source, out, sources, sets, identities, options, progress)
    else:
        found = _of_pairs(source, out, sources, sets, identities, options, progress)
    facts = {
        "source": found.source,
        "parameters": vars(options),
        "versions": versions("lookalikes", "numpy"),
    }
    drawn = _drawn(found.threshold, figures)
    written = [*files, *copies, *drawn]
    stale = [one for one in figures if one not in drawn]
    with written_together(written, stale=stale, overwrite=overwrite) as folder:
        write_threshold(folder, found.threshold, found.model, found.where, facts, found.fingerprint)
        for path, content in drawn.items():
            with atomic_write(folder / path.name) as stream:
                stream.write(content)
        if spreadsheet_safe:
            write_copies(folder / table.name for table in tables_of(files))
    return Thresholded(
        found.threshold,
        found.model,
        found.where,
        found.fingerprint,
        facts,
        written,
        found.funnel,
        found.warnings,
    )


def _of_folder(
    source: Path,
    out: Path,
    sources: ScoreSources,
    sets: Mapping[str, Path],
    identities: Rule | None,
    options: ThresholdOptions,
    progress: Progress,
) -> _Set:
    """The threshold of all pairs of the faces of a folder."""
    refuse_inside(out, folder_of(source))
    if sources.scores or sources.embeddings or sources.faces is not None:
        raise RunError(
            f"{source}: a folder, whose scores are those of its vectors; --scores, --embeddings "
            "and --faces are of a pair file: name that in place of the folder"
        )
    embeddings = _embeddings(source, out, sources.models, sources.encoding, identities, progress)
    drawn = drawn_faces(embeddings, options.most_faces, options.seed)
    [model] = names_of([embeddings])
    with progress(f"Counting all pairs of {model}") as step:
        found = of_faces(drawn, options.target_fpr, seed=options.seed, step=step)
    embeddings.refuse_changed()
    funnel = [*unread_rows([embeddings])]
    if left := len(embeddings) - len(drawn):
        funnel.append(FunnelRow("threshold", "faces of identities that were not drawn", left))
    funnel.append(FunnelRow("threshold", "faces, of which all pairs count", len(drawn), kept=True))
    if sets:
        pairs = {name: PairSet.read(path, identities) for name, path in sets.items()}
        gathered = ScoreSources(embeddings=[embeddings.folder]).open().gather(pairs)
        found, more = _judged(found, pairs, gathered, gathered.models[0], sets)
        funnel += more
    facts = {
        "kind": "faces",
        "faces": len(drawn),
        **{key: embeddings.manifest.get(key) for key in ("images_sha256", "vectors_sha256")},
    }
    fingerprint = str(embeddings.manifest["fingerprint"])
    return _Set(found, model, "picked at random", fingerprint, facts, funnel)


def _embeddings(
    source: Path,
    out: Path,
    models: Sequence[str],
    encoding: EmbeddingOptions,
    identities: Rule | None,
    progress: Progress,
) -> Embeddings:
    """The embeddings in a folder; those of its faces by the model given."""
    place = folder_of(source)
    finished = (place / "manifest.json").is_file() and (place / "vectors.npy").is_file()
    if not models:
        if not finished and not sorted(place.glob("*/manifest.json")):
            raise RunError(
                f"{source}: no embeddings; a folder of faces needs --model, to embed them with"
            )
        return Embeddings.load_named(source)
    if finished:
        raise RunError(f"{source}: embeddings already; --model is for a folder of faces")
    if len(models) > 1:
        raise RunError(f"{len(models)} models; a threshold is that of one")
    faces, model = Faces.scan(source, identities), encoding.load(models[0])
    home = out / "embeddings" / embeddings_name(model)
    return encoding.embed(faces, model, home, progress, called=models[0])


def _of_pairs(
    source: Path,
    out: Path,
    sources: ScoreSources,
    sets: Mapping[str, Path],
    identities: Rule | None,
    options: ThresholdOptions,
    progress: Progress,
) -> _Set:
    """The threshold of the pairs of a file."""
    if not sources:
        raise RunError(f"{source}: no scores; name --scores, --embeddings or --model")
    if source.stem in sets:
        raise PairSetError(f"{source}: a set to judge on is called {source.stem}, too; rename one")
    paths = {source.stem: source, **sets}
    pairs = {name: PairSet.read(path, identities) for name, path in paths.items()}
    own = pairs[source.stem]
    refuse_lacking(own, [0, 1], str(source))
    if design_of(source).is_file():
        raise ScoresError(
            f"{source}: its negatives were drawn with unequal chances ({design_of(source).name}), "
            "so that their FPR is not that of all pairs; set the threshold on embeddings of the "
            "faces, or on random pairs, and judge it here with --judge-on"
        )
    notes = contradictions(
        own, "identity", str(source), remedy="set the threshold on pairs whose people are known"
    )
    opened = sources.open()
    if sources.models and sources.faces is not None:
        opened.load_models()
        everything = [path for one in pairs.values() for path in one.paths]
        names = {path: one.identity(path) for one in pairs.values() for path in one.paths}
        present = resolve(sources.faces, sorted({*everything}), names)
        opened.run_models(present, out / "embeddings", progress)
    found = opened.gather(pairs)
    if len(found.models) != 1:
        raise ScoresError(
            f"scores of {len(found.models)} models ({', '.join(found.models)}); a threshold is "
            "that of one: name a file, or a folder, of one"
        )
    [model] = found.models
    kept = own.take(found.kept[source.stem])
    values = found.scores[source.stem][model]
    mined = was_mined(source, own)
    _refuse_turned(source, kept, values, found, model, mined=mined)
    set_on = set_threshold(
        trials_of(kept, values),
        options.target_fpr,
        seed=options.seed,
        distance=model in found.distances,
    )
    if mined:
        notes.append(
            f"{source}: a model mined these pairs: an FPR among them is not that among random "
            "ones, and a threshold for it is too high for use. Set it on random pairs, or on "
            "embeddings of the faces, and judge it here with --judge-on"
        )
    others = {name: one for name, one in pairs.items() if name != source.stem}
    set_on, more = _judged(set_on, others, found, model, sets)
    lost = lost_rows("threshold", source.stem, found)
    invalid = FunnelRow("threshold", "pairs marked invalid", int((~own.valid).sum()))
    where = f"like those of {source.name}" + (", which were mined" if mined else "")
    facts = {"kind": "pairs", "rows_sha256": own.rows_sha256}
    unread = unread_rows(opened.embeddings)
    funnel = [row for row in (*unread, *lost, invalid, *more) if row.count]
    fingerprint = found.fingerprints.get(model, "")
    return _Set(set_on, model, where, fingerprint, facts, funnel, [*opened.notes, *notes])


def _refuse_turned(
    source: Path,
    pairs: PairSet,
    values: np.ndarray,
    found: Gathered,
    model: str,
    *,
    mined: bool,
) -> None:
    """Raise ScoresError where positives score lower than negatives, unless these were mined."""
    if mined:
        return
    rows = pairs.valid
    area = area_under(roc(pairs.label[rows], values[rows]))
    for text in low_aucs(source.stem, {model: area}, found, alone=True):
        raise ScoresError(text)


def _judged(
    threshold: Threshold,
    sets: Mapping[str, PairSet],
    found: Gathered,
    model: str,
    files: Mapping[str, Path],
) -> tuple[Threshold, list[FunnelRow]]:
    """The threshold with its rates on other sets, and what was left out of these."""
    judged, funnel = dict(threshold.judged), []
    for name, pairs in sets.items():
        kept = pairs.take(found.kept[name])
        rows = kept.valid
        if not rows.any():
            raise PairSetError(f"{files[name]}: no valid pair with a score; nothing to judge on")
        ends = Clusters.of(kept).take(rows)
        scores = found.scores[name][model][rows]
        judged[name] = judge(kept.label[rows], scores, ends, threshold.value)
        funnel += lost_rows(name, name, found)
    return replace(threshold, judged=judged), funnel


def _drawn(found: Threshold, files: Sequence[Path]) -> Mapping[Path, bytes]:
    """The picture of the identities, as bytes by file; none where no identity has both means."""
    animals = found.menagerie
    if not (np.isfinite(animals.own_mean) & np.isfinite(animals.others_mean)).any():
        return {}
    from pairsets.figures import encode, menagerie

    drawn = menagerie(animals, distance=found.distance)
    return {path: encode(drawn, path.suffix[1:]) for path in files}
