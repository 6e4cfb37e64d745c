"""The command line: parse, call, print. Nothing is imported before a command needs it."""

from mining.cli import building, comparing, converting, seeing, sourcing, trusting
from mining.cli.app import app, main
from mining.cli.naming import name_paths

# Each command takes its paths so.
name_paths(app)

__all__ = [
    "app",
    "building",
    "comparing",
    "converting",
    "main",
    "seeing",
    "sourcing",
    "trusting",
]
