"""`pinnml data`, and `pinnml solve --draw`, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pinnml import Mesh, load
from pinnml.cli.script import load_script
from pinnml.surrogates import DataSet
from pinnml.surrogates.families.draws import Draws, with_draw
from tests.helpers.commands import pinnml
from tests.helpers.places import MESHES

SCRIPT = f'''"""Heat in a plate with random sources."""
from pathlib import Path
from pinnml import Box, Equation, GaussianField, Mesh, Problem, Uniform, dot, grad, laplacian

def problem(loss: float = 1.0, where: str = "{MESHES}/two_materials.msh"):
    def balance(u, f, base):
        return -laplacian(u) + loss * u - f - base

    def wall(u):
        return u

    return Problem(
        domain=Mesh.read(where) if where else Box(x=(0, 1), y=(0, 1)),
        fields=("u",),
        equations=(Equation(balance), Equation(wall, on="boundary")),
        weak=lambda u, v, f, base: dot(grad(u), grad(v)) + loss * u * v - (f + base) * v,
        random={{"f": GaussianField(0.3), "base": Uniform(1, 2)}},
    )
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("plate.py").write_text(SCRIPT)
    return tmp_path


def data(*more: str):
    return pinnml("data", "plate.py", "--samples", "30", "--out", "plate.h5", "--processes", "1", *more)


def test_data_are_made_and_told():
    done = data("loss=2.0", "--seed", "4", "--split", "20,4,6")
    assert done.status == 0
    made = DataSet.read("plate.h5")
    lines = {line.split()[0]: line for line in done.out.splitlines() if line[:1].strip()}
    assert list(lines) == ["problem", "random", "mesh", "samples", "seconds", "file", "sha256"]
    assert "30: 20 training, 4 validation, 6 test" in done.out
    assert "348 triangle cells" in done.out
    assert "30 draws" in " ".join(done.out.split())
    assert all(value in "".join(done.out.split()) for value in made.hashes.values())
    assert made.origin == {"script": "plate.py", "loss": "2.0"}
    made.check_problem(load_script("plate.py").problem(loss=2.0))
    draws = Draws(load_script("plate.py").problem(), made.mesh, 4)(range(30))
    np.testing.assert_allclose(made.inputs["f"].numpy(), draws["f"], rtol=1e-12, atol=1e-12)
    again = data("loss=2.0", "--seed", "4", "--split", "20,4,6")
    assert "the data set was there" in again.out


def test_one_line_is_printed_where_that_is_wanted():
    done = data("--quiet")
    assert done.out == "plate: 30 draws in 'plate.h5'\n"
    assert not done.err


def test_meshes_of_the_command_line_take_turns():
    meshes = [f"{MESHES}/square_with_hole.msh", f"{MESHES}/two_materials.msh"]
    assert data("--mesh", meshes[0], "--mesh", meshes[1]).status == 0
    made = DataSet.read("plate.h5")
    assert [each.mesh.to_json() for each in made.samples] == [Mesh.read(each).to_json() for each in meshes]


def test_an_interrupted_command_says_how_to_go_on(monkeypatch):
    from pinnml.surrogates.data import workers

    def interrupted(work, block):
        yield from ()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(workers.Work, "run", interrupted)
        done = data()
    assert done.status == 130
    assert "the same command goes on" in done.err
    assert data().status == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--split", "8,x,1"), "--split"),
        (("--split", "8,1"), "shares of a data set"),
        (("--mesh", "nothing.msh"), "nothing.msh"),
        (("loss=cold",), "loss"),
        (("--seed", "-1"), "seed"),
        (("where=",), "key=value"),
        (("where=''",), "data are of draws on a mesh"),
    ],
)
def test_refused(more, words):
    done = data(*more)
    assert done.status == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert not Path("plate.h5").exists()


def test_other_data_are_not_overwritten():
    assert data("--quiet").status == 0
    before = Path("plate.h5").read_bytes()
    for more, what in ((("--seed", "1"), "the seed"), (("loss=2.0",), "does not solve these equations")):
        done = data(*more)
        assert done.status == 2
        assert what in done.err
    assert Path("plate.h5").read_bytes() == before


def test_a_draw_that_cannot_be_solved_is_named():
    Path("plate.py").write_text(SCRIPT.replace("(f + base) * v", "(f + (base - 1.5) ** 0.5) * v"))
    done = data()
    assert done.status == 2
    assert "draw " in done.err
    assert "no finite solution" in done.err


@pytest.mark.slow
def test_processes_make_the_problem_by_the_script():
    assert data("loss=2.0").status == 0
    one = Path("plate.h5").read_bytes()
    Path("plate.h5").unlink()
    assert data("loss=2.0", "--processes", "2").status == 0
    assert Path("plate.h5").read_bytes() == one


@pytest.mark.slow
def test_a_draw_is_an_ordinary_problem():
    assert data("--seed", "4", "--quiet").status == 0
    done = pinnml(
        "solve", "plate.py", "--draw", "7", "--seed", "4", "--solver", "fem:degree=1", "--out", "run", "--quiet"
    )
    assert done.out.startswith("plate, draw 7: not good, estimate")  # lines on a coarse mesh are 4 % off
    made = DataSet.read("plate.h5")
    drawn = with_draw(load_script("plate.py").problem(), 7, seed=4)
    values = load("run/checkpoint.pt", problem=drawn)(made.mesh.cells.points)["u"]
    torch.testing.assert_close(torch.as_tensor(values), made.outputs[7], rtol=1e-8, atol=1e-10)
    other = pinnml("solve", "plate.py", "--draw", "8", "--seed", "4", "--solver", "fem:degree=1", "--quiet")
    assert other.out != done.out


def test_a_random_problem_says_that_a_draw_is_wanted():
    whole = pinnml("solve", "plate.py")
    assert whole.status == 2
    assert "--draw" in whole.err
    plain = SCRIPT.replace("f - base", "x").replace("(u, f, base)", "(u, x)").replace("v, f, base:", "v, x:")
    plain = plain.replace("(f + base)", "x").replace('random={"f": GaussianField(0.3), "base": Uniform(1, 2)},', "")
    Path("plain.py").write_text(plain)
    known = pinnml("solve", "plain.py", "--draw", "7")
    assert known.status == 2
    assert "nothing in the problem is random" in known.err


def test_a_draw_over_a_box_wants_a_mesh():
    done = pinnml("solve", "plate.py", "where=''", "--draw", "7")
    assert done.status == 2
    assert "--reference" in done.err
    mesh = f"{MESHES}/square_quads.msh"
    assert "simplices" in pinnml("solve", "plate.py", "where=''", "--draw", "7", "--reference", mesh).err
    mesh = f"{MESHES}/two_materials.msh"
    assert pinnml("solve", "plate.py", "where=''", "--draw", "7", "--reference", mesh, "--quiet").status == 0


def test_a_random_problem_is_checked_and_listed():
    done = pinnml("check", "plate.py")
    assert done.status == 0
    assert "f, GaussianField(length=0.3" in done.out
    assert "here 1.5" in done.out
    assert pinnml("list", ".").status == 0
