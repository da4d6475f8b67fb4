"""Commands that run in this process."""

from __future__ import annotations

from types import SimpleNamespace

from typer.testing import CliRunner

from pinnml.cli.application import app

PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "FORCE_COLOR": None, "GITHUB_ACTIONS": None}


def pinnml(*arguments: str):
    """Exit status, stdout and stderr of a command that runs in this process."""
    result = CliRunner().invoke(app, list(arguments), env=PLAIN)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return SimpleNamespace(status=result.exit_code, out=result.stdout, err=result.stderr)
