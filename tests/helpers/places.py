"""Where the repository and what belongs to it lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
MESHES, PROBLEMS = ROOT / "meshes", ROOT / "problems"
