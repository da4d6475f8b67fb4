"""`--solver fem`, `--reference` and `compare` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pinnml import Mesh
from tests.helpers.commands import pinnml
from tests.helpers.places import MESHES

SCRIPT = f'''"""Poisson's equation on a disc."""
from pinnml import Box, Equation, Mesh, Problem, dot, grad, laplacian

def problem(where: str = "disc"):
    def balance(u):
        return -laplacian(u) - 4

    def rim(u, x, y):
        return u - (1 - x**2 - y**2)

    return Problem(
        domain=Mesh.read("{MESHES}/disc.msh") if where == "disc" else Box(x=(0, 1), y=(0, 1)),
        fields=("u",),
        equations=(Equation(balance), Equation(rim, on="boundary")),
        weak=lambda u, v: dot(grad(u), grad(v)) - 4 * v,
        exact=lambda x, y: 1 - x**2 - y**2,
    )
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("disc.py").write_text(SCRIPT)
    return tmp_path


def test_a_disc_by_elements_by_a_network_and_side_by_side():
    by_elements = pinnml("solve", "disc.py", "--solver", "fem:degree=2", "--out", "elements")
    assert by_elements.status == 0
    assert "u: P2 elements" in by_elements.out
    assert "good" in by_elements.out
    by_network = pinnml("solve", "disc.py", "--network", "features:count=150", "--out", "network", "--quiet")
    assert by_network.status == 0
    both = pinnml("compare", "network", "elements", "--picture", "both.png")
    assert both.status == 0
    rows = [line.split() for line in both.out.splitlines()]
    assert [row[0] for row in rows] == ["run", "network", "elements"]
    assert float(rows[1][-1]) < 1e-3  # the elements' own error on this mesh
    assert Path("both.png").is_file()


def test_runs_of_which_nothing_is_known_are_compared_by_their_estimates():
    Path("unknown.py").write_text(SCRIPT.replace("        exact=lambda x, y: 1 - x**2 - y**2,\n", ""))
    for seed in (0, 1):
        assert (
            pinnml(
                "solve",
                "unknown.py",
                "--network",
                "features:count=60",
                "--seed",
                str(seed),
                "--out",
                f"run{seed}",
                "--quiet",
            ).status
            == 0
        )
    both = pinnml("compare", "run0", "run1")
    assert both.status == 0
    assert both.out.count("(estimate)") == 2


def test_a_mesh_may_come_from_the_command_line():
    found = pinnml("solve", "disc.py", "where=square", "--reference", f"{MESHES}/square_quads.msh", "--quiet")
    assert found.status == 0
    assert float(found.out.partition("error ")[2].partition(",")[0]) < 1e-12  # of second degree itself


def test_a_network_is_trained_by_the_weak_form():
    found = pinnml("solve", "disc.py", "--network", "features:count=60", "--tests", "degree=2", "--out", "run")
    assert found.status == 0
    nodes = Mesh.read(MESHES / "disc.msh").cells.points  # of quadratic cells: those of P2
    inside = int((np.hypot(*nodes.T) < 1 - 1e-9).sum())
    assert f"tested with {inside} functions of P2 elements" in found.out
    assert "weak form" in Path("run/verdict.json").read_text()
    on_mesh = f"degree=1,mesh={MESHES}/square_quads.msh"
    found = pinnml("solve", "disc.py", "where=square", "--network", "features:count=60", "--tests", on_mesh)
    assert "tested with 121 functions of P1 elements" in found.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--solver", "fem", "--network", "mlp"), "--network"),
        (("--solver", "fem", "--steps", "3"), "--steps"),
        (("--solver", "lm", "--reference", "x.msh"), "--reference"),
        (("--solver", "fem:degree=9"), "degree"),
        (("--solver", "fem:order=2"), "unknown option 'order'"),
        (("--solver", "fem:family=N2"), "family"),
        (("--solver", "fem:family=N1curl"), "vector field"),
        (("--reference", "nothing.msh"), "nothing.msh"),
        (("where=square", "--solver", "fem"), "need a mesh"),
        (("where=square", "--tests", "degree=1"), "need a mesh"),
        (("--tests", "degree=4"), "from 1 to 3"),
        (("--tests", "order=2"), "unknown option 'order'"),
        (("--tests", "mesh=nothing.msh"), "nothing.msh"),
        (("--solver", "fem", "--tests", "degree=1"), "--tests"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(arguments, told):
    found = pinnml("solve", "disc.py", *arguments)
    assert found.status == 2
    assert told in found.err
    assert "expected" in found.err


def test_folders_that_hold_no_run_are_refused():
    found = pinnml("compare", "here", "there")
    assert found.status == 2
    assert "holds no run" in found.err
