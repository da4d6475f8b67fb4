"""What a result was made with: versions, threads, and the revision of the script's repository."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch


def provenance() -> dict[str, Any]:
    """Versions of what matters to a result, PyTorch's threads, and the git revision of the working folder."""
    packages = {name: _version(name) for name in ("pinnml", "torch", "numpy", "scipy")}
    return {
        "versions": {"python": platform.python_version(), **packages},
        "threads": torch.get_num_threads(),
        "git": _revision(),
    }


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
