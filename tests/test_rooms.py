"""The house as a whole: rooms import downwards only, nothing goes in a circle, files are small, importing is light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.rooms import (
    FILES,
    FRONTS,
    MODULES,
    PACKAGE,
    PICTURE,
    circles,
    drawing,
    file_arrows,
    floors,
    folder_of,
    imported,
    module_of,
    room_arrows,
    room_of,
)

#: The rooms from the ground up. A file imports from rooms on lower lines only, or from its own.
FLOORS = (
    "errors deadline",
    "validation extras linalg",
    "calculus output",
    "domains tables",
    "networks problem",
    "elements",
    "system",
    "solvers",
    "results",
    "verification",
    "run",
    "classical",
    "surrogates",
    "cli",
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms.split()}
LOOSE = {"__init__.py", "deadline.py", "errors.py", "extras.py", "linalg.py", "validation.py"}
HEAVY = ("matplotlib", "pyvista", "vtk", "meshio", "basix", "typer", "rich", "scipy.optimize", "sympy", "gmsh")
OWN = [path for path in FILES if path.name != "__init__.py"]


def climbing(module: str, modules: set[str]) -> set[str]:
    """Those imports that do not go down; fronts only hand names on, and may."""
    rooms = {room_of(other) for other in modules} - {room_of(module)}
    return {other for other in rooms if FLOOR[other] >= FLOOR[room_of(module)]}


def test_nothing_lies_loose_and_every_room_has_a_floor():
    assert {path.name for path in PACKAGE.glob("*.py")} == LOOSE
    assert {room_of(module) for module in MODULES} - {""} == set(FLOOR)


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    assert not climbing(module_of(path), set(imported(path.read_text())))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pinnml.errors", "from pinnml.calculus import Jet"),
        ("pinnml.system.blocks", "import pinnml.solvers.head"),
        ("pinnml.output.vtk", "def later():\n    from pinnml.results import Solution"),
        ("pinnml.problem.problem", "from pinnml import networks"),
    ],
)
def test_an_import_that_climbs_is_seen(module, line):
    assert climbing(module, set(imported(line)))


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_siblings_are_imported_by_file(path):
    module = module_of(path)
    above = {front for front in FRONTS if module.startswith(f"{front}.")}
    assert not {*imported(path.read_text())} & above


def test_no_files_and_no_folders_go_in_a_circle():
    files = file_arrows()
    folders: dict[str, set[str]] = {}
    for module, others in files.items():
        folders.setdefault(folder_of(module), set()).update(map(folder_of, others))
    assert circles(files) == []
    assert circles({name: others - {name} for name, others in folders.items()}) == []


def test_the_picture_in_the_docs_is_that_of_the_imports():
    assert PICTURE.read_text() == drawing()  # after a change: python -m scripts.rooms
    assert len(floors(room_arrows())) <= len(FLOORS)


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == [["b", "c"]]


@pytest.mark.parametrize("module", sorted(FRONTS - {"pinnml.cli"}))
def test_fronts_only_hand_names_on(module):
    lines = MODULES[module].read_text().partition("__all__")[0].splitlines()
    assert not [line for line in lines if line.startswith(("def ", "class ", "@"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_have_four_hundred_lines_at_most(path):
    assert len(path.read_text().splitlines()) <= 400


def test_importing_the_package_leaves_the_heavy_packages_out():
    script = f"import sys, pinnml; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
