"""The command line: `pinnml solve`, `check`, `list` and `new`."""

from pinnml.cli.application import app, main

__all__ = ["app", "main"]
