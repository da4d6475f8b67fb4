"""The classical solve: orders of convergence, patch tests, curved walls, materials, Newton's steps, what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, eye_array

from pinnml import Equation, Mesh, Problem, Weak, curl, dot, grad, laplacian, normal_derivative, reference
from pinnml.classical import newton
from pinnml.classical.newton import _damped
from pinnml.elements import Constraint, Element
from pinnml.solvers import Status
from tests.helpers.forms import CPU, SOLID, crooked, discretised, heated, matrix, numbers, posed, uniform, worst
from tests.helpers.places import MESHES


def wave(x, y):
    return torch.sin(2 * x + 1) * torch.cos(3 * y)


def poisson(mesh: Mesh, **known: Any) -> Problem:
    """-laplacian(u) = 13 wave, with the values of the wave on the boundary."""

    def balance(u, x, y):
        return laplacian(u) + 13 * wave(x, y)

    def weak(u, v, x, y):
        return dot(grad(u), grad(v)) - 13 * wave(x, y) * v

    wall = Equation(lambda u, x, y: u - wave(x, y), on="boundary", name="wall")
    return Problem(domain=mesh, fields="u", equations=(Equation(balance), wall), weak=weak, **known)


def distances(solution: Any, exact: Any, points: int) -> np.ndarray:
    """The L2 norms of the error and of its gradient, by Gauss points on every cell, (2,)."""
    in_plane = (
        lambda u, x, y: (u - exact(x, y)) ** 2,
        lambda u, x, y: squared(grad(u) - grad(exact(x, y))),
    )
    in_space = (
        lambda u, x, y, z: (u - exact(x, y, z)) ** 2,
        lambda u, x, y, z: squared(grad(u) - grad(exact(x, y, z))),
    )
    functions = in_plane if len(solution.domain.axes.names) == 2 else in_space
    return np.sqrt([solution.integrate(each, "interior", points) for each in functions])


def squared(vector: Any) -> Any:
    return dot(vector, vector)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_errors_fall_with_the_order_of_the_elements(kind: str, degree: int):
    # k + 1 in L2 and k in H1; of the finer pair the orders are within 0.02 of these
    found = []
    for n in (8, 16):
        solution = reference(poisson(uniform(kind, n), exact=wave), degree=degree)
        assert solution.verdict.converged
        found.append(distances(solution, wave, 60 * n * n))
    assert np.log2(found[0] / found[1]) == pytest.approx([degree + 1, degree], abs=0.1)


def wave_in_space(x, y, z):
    return torch.sin(2 * x + 1) * torch.cos(2 * y) * torch.exp(z)


#: Cells a side, coarse enough to be quick and fine enough to be near the limit.
IN_SPACE = {
    **{("tetra", degree): n for degree, n in ((1, 8), (2, 4), (3, 3), (4, 2))},
    **{("hexahedron", degree): n for degree, n in ((1, 4), (2, 3), (3, 2), (4, 2))},
}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "degree"), IN_SPACE)
def test_errors_fall_with_the_order_in_space(kind: str, degree: int):
    def weak(u, v, x, y, z):
        return dot(grad(u), grad(v)) - 7 * wave_in_space(x, y, z) * v

    wall = Equation(lambda u, x, y, z: u - wave_in_space(x, y, z), on="boundary", name="wall")
    found, coarse = [], IN_SPACE[kind, degree]
    for n in (coarse, 2 * coarse):
        problem = Problem(domain=uniform(kind, n), fields="u", equations=(wall,), weak=weak, exact=wave_in_space)
        found.append(distances(reference(problem, degree=degree), wave_in_space, 100 * n**3))
    assert np.log2(found[0] / found[1]) == pytest.approx([degree + 1, degree], abs=0.1)


def line(x, y):
    return 1 + 2 * x - 3 * y


def bowl(x, y):
    return 1 + x * x - 2 * x * y + 3 * y * y


@pytest.mark.parametrize(("exact", "source", "degree"), [(line, 0.0, 1), (bowl, -8.0, 2), (bowl, -8.0, 3)])
@pytest.mark.parametrize("kind", SOLID)
def test_polynomials_of_the_degree_are_met_to_round_off(kind: str, exact: Any, source: float, degree: int):
    wall = Equation(lambda u, x, y: u - exact(x, y), on="boundary", name="wall")

    def solved(degree: int) -> float:
        problem = Problem(domain=crooked(kind, 3), fields="u", equations=(wall,), weak=weak, exact=exact)
        return reference(problem, degree=degree).error()["u"] or 0.0

    def weak(u, v):
        return dot(grad(u), grad(v)) - source * v

    # ten digits of a system conditioned by about 1e3; a lower degree meets none
    assert solved(degree) < 1e-12
    if exact is bowl and degree == 2:
        assert solved(1) > 1e-3


def test_newton_doubles_the_digits_of_a_nonlinear_problem():
    found = [reference(heated(uniform("triangle", n)), degree=2) for n in (4, 8)]
    errors = [solution.error()["u"] or 0.0 for solution in found]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.1)
    norms = np.sqrt([2 * row["loss"] for row in found[1].history])
    assert found[1].verdict.converged
    assert len(norms) <= 8
    # log |r| doubles: each residual is at most a few times the square of the one before, down to round-off
    before, after = norms[1:-1], norms[2:]
    seen = after > 1e-14
    assert (after[seen] < 5 * before[seen] ** 2).all()
    assert norms[-1] < 1e-12 * norms[0]


def test_newtons_method_goes_on_from_where_it_starts_until_its_steps_are_up():
    def balance(u):
        return u + u**3 - 10  # zero at 2; from 1/2 Newton's first step is too long

    parts = discretised(posed(uniform("quad", 2), lambda u, v: dot(grad(u), grad(v)) + balance(u) * v), 1)
    form, free = parts.form(CPU), Constraint(np.zeros(parts.size), csr_array(eye_array(parts.size)))
    start = torch.ones(parts.size, dtype=torch.float64)
    far, near = (newton(form, free, value * start, {}) for value in (0.5, 2.001))
    for found in (far, near):
        assert found.status is Status.CONVERGED
        assert found.u.numpy() == pytest.approx(2, rel=1e-12)
        assert found.norms[-1] < 1e-12 * far.norms[0]
    assert near.norms[0] / far.norms[0] == pytest.approx(balance(2.001) / -balance(0.5), rel=1e-10)
    assert len(near.norms) < len(far.norms)
    short = newton(form, free, 0.5 * start, {}, steps=2)
    assert short.status is Status.STEPS
    assert short.norms == far.norms[:3]


def test_a_step_is_halved_until_the_residual_falls():
    # of atan at 3 Newton's step leads to -9.5, half of it to -3.2, a quarter to -0.12: the first that is nearer
    y, step = np.array([3.0]), np.array([-10 * np.arctan(3.0)])
    found, r = _damped(np.arctan, y, step, float(np.arctan(3.0)))
    assert found == pytest.approx(y + step / 4, abs=1e-15)
    assert r == pytest.approx(np.arctan(found), abs=1e-15)
    whole, _ = _damped(lambda y: y - 1, y, np.array([-2.0]), 2.0)
    assert whole == pytest.approx(1.0, abs=1e-15)
    # a whole step that leaves 0.9 of the residual gains less than the quarter that is asked of it
    wary, _ = _damped(lambda y: y, np.array([1.0]), np.array([-1.9]), 1.0)
    assert wary == pytest.approx(0.05, abs=1e-15)


@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_a_mesh_of_many_cells_is_taken_in_pieces(kind: str, monkeypatch: pytest.MonkeyPatch):
    weak = (
        Weak(lambda E, v, x: (1 + x) * curl(E) * curl(v) + dot(E, E) * dot(E, v)),
        Weak(lambda E, v, y: y * dot(E, v), on="east", name="east"),
    )
    parts = discretised(posed(crooked(kind, 4), weak, {"E": 2}), Element("N1curl", 2))
    u, whole = numbers(parts.size), parts.form(CPU)
    monkeypatch.setattr("pinnml.elements.discretisation.POINTS", {"cpu": 40})
    pieces = parts.form(CPU)
    assert len(pieces.patches) > 2 * len(whole.patches)
    # the sums of a few cells, in another order
    assert worst(pieces.residual(u), whole.residual(u)) < 1e-14
    assert worst(matrix(pieces, u), matrix(whole, u)) < 1e-14


CONDUCTIVITY = {"left": 1.0, "right": 5.0}


def bar(mesh: Mesh, **more: Any) -> Problem:
    """Heat through two materials side by side, from 0 at the west to 1 at the east."""
    weak = tuple(
        Weak(lambda u, v, k=k: k * dot(grad(u), grad(v)), on=name, name=name) for name, k in CONDUCTIVITY.items()
    )
    ends = (
        Equation(lambda u: u, on="west", name="cold"),
        Equation(lambda u: u - 1, on="east", name="warm"),
    )
    return Problem(domain=mesh, fields="u", equations=ends, weak=weak, **more)


def test_a_kink_at_a_meshed_interface_is_met_to_round_off():
    # the flux is q = 1 / (1/2 / 1 + 1/2 / 5) = 5/3
    mesh = Mesh.read(MESHES / "two_materials.msh")

    def exact(x):
        return torch.where(x < 0.5, 5 / 3 * x, 5 / 6 + (x - 0.5) / 3)

    solution = reference(bar(mesh, exact=exact), degree=1)
    assert (solution.error()["u"] or 0.0) < 1e-13
    for wall, k in (("west", -1.0), ("east", 5.0)):
        flux = solution.integrate(lambda u, normal, k=k: k * normal_derivative(u, normal), wall)
        assert flux == pytest.approx(5 / 3, rel=1e-12)
    blurred = Problem(
        domain=mesh,
        fields="u",
        equations=bar(mesh).equations,
        weak=lambda u, v: 3 * dot(grad(u), grad(v)),
        exact=exact,
    )
    assert (reference(blurred, degree=1).error()["u"] or 0.0) > 1e-2


def test_curved_cells_meet_a_round_wall():
    # straight cells miss the circle by h^2, curved ones by h^4: this mesh has h = 0.2
    curved = Mesh.read(MESHES / "disc.msh")
    straight = Mesh(curved.cells.points, curved.cells.corners, "triangle")

    def error(mesh: Mesh) -> float:
        wall = Equation(lambda u: u, on="boundary", name="wall")
        problem = Problem(
            domain=mesh,
            fields="u",
            equations=(wall,),
            weak=lambda u, v: dot(grad(u), grad(v)) - 4 * v,
            exact=lambda x, y: 1 - x * x - y * y,
        )
        return reference(problem, degree=2).error()["u"] or 0.0

    assert error(curved) < 1e-4
    assert error(straight) > 5e-3


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_the_estimate_is_about_the_error(degree: int):
    mesh = uniform("triangle", 6)
    known = reference(poisson(mesh, exact=wave), degree=degree).error()["u"]
    told = reference(poisson(mesh), degree=degree)
    assert known is not None
    assert told.verdict.relative_l2 == {"u": None}
    # from the highest degree the lower one is what is compared with: then it says too much
    assert 0.1 < told.verdict.estimate["u"] / known < (10 if degree < 4 else 100)


def test_one_field_that_is_known_spares_the_second_solve():
    def weak(u, p, v_u, v_p, x, y):
        return dot(grad(u), grad(v_u)) - 13 * wave(x, y) * v_u + (p - u) * v_p

    mesh = uniform("triangle", 4)
    given = {"domain": mesh, "fields": ("u", "p"), "equations": poisson(mesh).equations[1:], "weak": weak}
    known = reference(Problem(exact=lambda x, y: {"u": wave(x, y)}, **given)).verdict
    assert known.estimate == {}
    assert known.relative_l2["p"] is None
    assert known.error == known.relative_l2["u"]
    assert {*reference(Problem(**given)).verdict.estimate} == {"u", "p"}


def test_an_answer_that_is_none_is_compared_with_no_other():
    wall = Equation(lambda u: u, on="boundary", name="wall")

    def weak(u, v, x):
        return dot(grad(u), grad(v)) - torch.sqrt(x - 0.5) * v

    verdict = reference(Problem(domain=uniform("triangle", 2), fields="u", equations=(wall,), weak=weak)).verdict
    assert not verdict.converged
    assert verdict.estimate == {}
    assert verdict.error is None


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_what_a_solve_leaves_is_told_beside_what_there_was_at_first(size: float):
    # a linear problem is solved by one step, whatever its units
    def exact(x, y):
        return size * wave(x, y)

    wall = Equation(lambda u, x, y: u - exact(x, y), on="boundary", name="wall")
    weak = lambda u, v, x, y: dot(grad(u), grad(v)) - 13 * exact(x, y) * v  # noqa: E731
    found = reference(Problem(domain=uniform("triangle", 4), fields="u", equations=(wall,), weak=weak, exact=exact))
    first, last = (np.sqrt(2 * row["loss"]) for row in found.history)
    assert found.verdict.steps == 1
    assert [*found.verdict.held_out.values()] == pytest.approx([last], rel=1e-12)
    assert [*found.verdict.relative.values()] == pytest.approx([last / first], rel=1e-12)
    assert 0 < last / first < 1e-12  # else there would be a second step


def test_a_promise_is_judged_by_the_error():
    mesh = uniform("triangle", 8)
    assert reference(poisson(mesh, exact=wave), expect=1e-3).verdict.good
    assert not reference(poisson(mesh, exact=wave), expect=1e-6).verdict.good
    assert reference(poisson(mesh), expect=1e-3).verdict.good
    assert not reference(poisson(mesh), expect=1e-6).verdict.good


@pytest.mark.parametrize("kind", SOLID)
def test_a_solution_gives_values_slopes_and_fluxes(kind: str):
    mesh = crooked(kind)
    axes = mesh.axes.names
    wall = Equation(lambda u, x, y: u - bowl(x, y), on="boundary", name="wall")
    weak = lambda u, v: dot(grad(u), grad(v)) + 8 * v  # noqa: E731
    solution = reference(Problem(domain=mesh, fields="u", equations=(wall,), weak=weak))
    points = np.random.default_rng(0).random((50, len(axes)))
    x, y = points.T[:2]
    found = solution(points, derivatives=("x", "y"))
    # the solution is a polynomial of the degree; slopes lose a digit or two by the cells' size
    assert np.abs(found["u"] - bowl(x, y)).max() < 1e-12
    assert np.abs(found["u_x"] - (2 * x - 2 * y)).max() < 1e-11
    assert np.abs(found["u_y"] - (6 * y - 2 * x)).max() < 1e-11
    through = solution.integrate(lambda u, normal: normal_derivative(u, normal), "boundary", 4000)
    assert through == pytest.approx(8, rel=1e-10)


@pytest.mark.parametrize("kind", SOLID)
def test_the_files_of_a_solve_are_read_by_pyvista(kind: str, tmp_path: Path):
    import pyvista

    mesh = crooked(kind)
    wall = Equation(lambda u, x, y: u - line(x, y), on="boundary", name="wall")
    weak = lambda u, v: dot(grad(u), grad(v))  # noqa: E731
    reference(Problem(domain=mesh, fields="u", equations=(wall,), weak=weak), out=tmp_path / "run")
    (file,) = (tmp_path / "run").rglob("*.vtu")
    read = pyvista.read(file)
    x, y = read.points.T[:2].astype(float)
    assert np.abs(read["u"] - line(x, y)).max() < 1e-6  # points may be of single precision
    assert (tmp_path / "run" / "verdict.json").exists()
