"""The command line: `pinnml solve`, `check`, `compare`, `list` and `new`."""

from pinnml.cli.application import app, main

__all__ = ["app", "main"]
