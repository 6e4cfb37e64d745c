"""The command line: parse, call, print. Nothing is imported before a command needs it."""

from mining.cli import (
    adaptation,
    alignment,
    audit,
    build,
    cluster,
    compare,
    convert,
    doctor,
    identify,
    packs,
    show,
    sources,
    threshold,
    train,
    trust,
    tune,
    tuples,
    vectors,
)
from mining.cli.app import app, main
from mining.cli.json_output import offer_json
from mining.cli.path_names import name_paths
from mining.cli.user_words import name_values

# Each command shows its options, takes its paths, and has `--json`, so.
name_values(app)
name_paths(app)
offer_json(app)

__all__ = [
    "adaptation",
    "alignment",
    "app",
    "audit",
    "build",
    "cluster",
    "compare",
    "convert",
    "doctor",
    "identify",
    "main",
    "packs",
    "show",
    "sources",
    "threshold",
    "train",
    "trust",
    "tune",
    "tuples",
    "vectors",
]
