"""The commands that take scores, called with the fields of their groups of options."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from mining.commands import compare, evaluate, export_scores, power
from mining.scores.sources import ScoreSources
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.files.side_files import Named


def take(kind: type, options: dict[str, Any]) -> Any:
    """A group of those options that are its fields, which are taken out."""
    names = [field.name for field in fields(kind) if field.name in options]
    return kind(**{name: options.pop(name) for name in names})


GROUPS = (ScoreSources, IntervalOptions, evaluate.ProtocolOptions, export_scores.About)


def flat(arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Arguments that a command was called with, the fields of its groups among its options."""
    groups = [one for one in (*arguments, *options.values()) if isinstance(one, GROUPS)]
    return {name: value for group in groups for name, value in vars(group).items()} | options


def evaluate_pairs(path, **options):
    groups = {"sources": take(ScoreSources, options), "intervals": take(IntervalOptions, options)}
    groups["protocols"] = take(evaluate.ProtocolOptions, options)
    return evaluate.evaluate_pairs(path, **groups, **options)


def compare_models(faces, pairs, **options):
    groups = {"sources": take(ScoreSources, options), "intervals": take(IntervalOptions, options)}
    return compare.compare_models(faces, pairs, **groups, **options)


def plan(pairs, **options):
    # `models` picks some of those with scores here.
    models = options.pop("models", ())
    groups = {"sources": take(ScoreSources, options), "intervals": take(IntervalOptions, options)}
    return power.plan(pairs, models=models, **groups, **options)


def export(pairs, out, scores=None, embeddings=None, model=None, **options):
    options |= {
        "scores": [] if scores is None else [Named(scores)],
        "embeddings": [] if embeddings is None else [embeddings],
        "models": [] if model is None else [model],
    }
    sources = take(ScoreSources, options)
    about = take(export_scores.About, options)
    return export_scores.export(pairs, out, sources, about=about, **options)
