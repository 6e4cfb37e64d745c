"""The command line: parse, call, print. Nothing is imported before a command needs it."""

from mining.cli import (
    adaptation,
    audit,
    build,
    cluster,
    compare,
    convert,
    doctor,
    identify,
    show,
    sources,
    train,
    trust,
    tune,
    tuples,
)
from mining.cli.app import app, main
from mining.cli.path_names import name_paths
from mining.cli.user_words import name_values

# Each command shows its options, and takes its paths, so.
name_values(app)
name_paths(app)

__all__ = [
    "adaptation",
    "app",
    "audit",
    "build",
    "cluster",
    "compare",
    "convert",
    "doctor",
    "identify",
    "main",
    "show",
    "sources",
    "train",
    "trust",
    "tune",
    "tuples",
]
