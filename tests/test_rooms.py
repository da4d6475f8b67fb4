"""The house as a whole: imports go one way, files stay small, and importing the package stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pinnml

ROOT = Path(pinnml.__file__).parent
#: The rooms from the ground up. A file imports from rooms on lower lines only, or from its own folder.
FLOORS = (
    "errors",
    "checks extras",
    "calculus",
    "linalg domains output provenance",
    "equation",
    "problem networks",
    "evaluation conditions collocation",
    "elements",
    "pairing",
    "blocks jacobian",
    "relative",
    "system exact",
    "solvers",
    "verdict archive classical",
    "solution",
    "checkpoint loop known weak_residual unmet",
    "judge views arguments start",
    "solve",
    "recipe reference",
    "modes",
    "script comparison",
    "check",
    "cli",
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms.split()}
#: `template` holds what new projects start from: users' files, not rooms.
FILES = sorted(path for path in ROOT.rglob("*.py") if "template" not in path.relative_to(ROOT).parts)
HEAVY = ("matplotlib", "pyvista", "vtk", "meshio", "basix", "typer", "rich", "scipy.optimize", "sympy", "gmsh")


def room_of(path: Path) -> str:
    """The room of a file: the folder or module right under the package; `pinnml` for the package's own front."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "pinnml" if parts == ("__init__",) else parts[0]


def imported_rooms(source: str) -> set[str]:
    """The rooms that a file imports from, wherever in the file it does."""
    rooms = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports within the package are written in full"
            names = [f"pinnml.{alias.name}" for alias in node.names] if node.module == "pinnml" else [node.module or ""]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("pinnml.")}
    return rooms


def climbing(room: str, imported: set[str]) -> set[str]:
    """Those imports that do not go down."""
    return {other for other in imported - {room} if FLOOR[other] >= FLOOR[room]}


def test_every_room_has_a_floor():
    assert {room_of(path) for path in FILES} - {"pinnml"} <= set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    room = room_of(path)
    if room != "pinnml":
        assert not climbing(room, imported_rooms(path.read_text()))


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("errors", "from pinnml.calculus import Jet"),
        ("system", "import pinnml.solvers.head"),
        ("output", "def later():\n    from pinnml.solution import Solution"),
        ("problem", "from pinnml import networks"),
    ],
)
def test_an_import_that_climbs_is_seen(room, line):
    assert climbing(room, imported_rooms(line))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_have_four_hundred_lines_at_most(path):
    assert len(path.read_text().splitlines()) <= 400


def test_importing_the_package_leaves_the_heavy_packages_out():
    script = f"import sys, pinnml; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
