"""The command line: parse, call, print. Nothing is imported before a command needs it."""

from mining.cli import building, comparing, seeing, trusting
from mining.cli.app import app, main

__all__ = ["app", "building", "comparing", "main", "seeing", "trusting"]
