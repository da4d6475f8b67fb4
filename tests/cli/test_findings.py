"""Looking a problem over: what it is made of, and whether its exact solution solves it."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch

from pinnml import (
    MLP,
    Box,
    Equation,
    Features,
    Parameter,
    Periodic,
    Points,
    Problem,
    Recipe,
    Weak,
    curl,
    dot,
    grad,
    laplacian,
    reference,
)
from pinnml.cli.findings import TOLERANCE, Findings, check
from pinnml.errors import NonFiniteError, ProblemError, SettingsError, ShapeError
from pinnml.problem import bare_faces
from problems import advection, heat, maxwell, poisson
from tests.helpers.forms import uniform

EXACT = {
    **{f"poisson {case}": lambda case=case: poisson.problem(case) for case in ("sine", "expcos", "cube", "mixed")},
    **{f"advection {case}": lambda case=case: advection.problem(case) for case in ("periodic", "layer", "layer2d")},
    **{f"maxwell {case}": lambda case=case: maxwell.problem(case) for case in ("cavity", "guide", "cube")},
    "heat": heat.problem,
}
SMALL = Recipe(network=Features(20), points=200)
KAPPA = 0.1


def rod(decay: float = KAPPA * pi**2, start: float = 1.0, **changes) -> Problem:
    """Heat in a rod; the exact solution is right for decay = kappa pi^2, start = 1."""

    def conduct(u):
        return u.d("t") - KAPPA * u.d("xx")

    def begin(u, x):
        return u - torch.sin(pi * x)

    def ends(u):
        return u

    def exact(x, t):
        return start * torch.exp(-decay * t) * torch.sin(pi * x)

    equations = (Equation(conduct), Equation(begin, on="initial"), Equation(ends, on="boundary"))
    parts = {"domain": Box(x=(0, 1), t=(0, 1)), "fields": "u", "equations": equations, "exact": exact}
    return Problem(**{**parts, **changes})


def relative(findings: Findings) -> dict[str, float | None]:
    return {equation.name: equation.trial.relative for equation in findings.equations}


@pytest.mark.parametrize("name", EXACT)
def test_the_exact_solutions_of_the_scripts_solve_their_equations_to_round_off(name) -> None:
    findings = check(EXACT[name](), SMALL)
    assert findings.good
    # a few roundings of terms as large as the size they are compared with
    assert all(value is not None and value < 1e-13 for value in relative(findings).values())


def test_a_wrong_exact_solution_is_told_with_the_equation_and_the_worst_point() -> None:
    findings = check(rod(decay=2 * KAPPA * pi**2), SMALL)
    assert not findings.good
    (complaint,) = findings.complaints  # the conditions at the start and the ends still hold
    assert "'conduct' on interior" in complaint
    worst = {equation.name: equation.trial.worst for equation in findings.equations}["conduct"]
    # |r| = kappa pi^2 exp(-2 kappa pi^2 t) sin(pi x) is largest at x = 1/2, t = 0; 1000 points come near
    assert worst["x"] == pytest.approx(0.5, abs=0.15)
    assert worst["t"] < 0.1
    assert f"x = {worst['x']:.4g}" in complaint


def test_what_a_wrong_solution_leaves_is_measured_beside_the_size_of_the_terms() -> None:
    decay, rate = 1.7, KAPPA * pi**2
    found = relative(check(rod(decay=decay), SMALL))["conduct"]
    x, t = np.random.default_rng(0).random((2, 200_000))
    u = np.exp(-decay * t) * np.sin(pi * x)
    rms = np.sqrt((u**2).mean())
    # r = (rate - decay) u; the terms are u_t = -decay u and kappa u_xx = -rate u; no solution-free part
    expected = abs(rate - decay) * rms / (decay * rms + rate * rms)
    assert found == pytest.approx(expected, rel=1e-9)  # rms cancels, so the points do not matter


@pytest.mark.parametrize(("slip", "good"), [(1e-6, False), (3e-8, False), (1e-9, True), (0.0, True)])
def test_a_slip_is_found_down_to_the_tolerance(slip, good) -> None:
    # begin: r = slip sin(pi x) beside |u| + |sin(pi x)|, so half the slip is what is left
    findings = check(rod(start=1 + slip), SMALL)
    assert findings.good == good == (slip / 2 <= TOLERANCE)
    assert relative(findings)["begin"] == pytest.approx(slip / 2, rel=1e-3, abs=1e-15)


def test_a_condition_on_a_vanishing_field_is_measured_beside_the_field_elsewhere() -> None:
    # sin(pi x) is 1e-16 at x = 1: against itself that would be 1
    assert relative(check(rod(), SMALL))["ends"] < 1e-15
    cosine = rod(exact=lambda x, t: torch.exp(-KAPPA * pi**2 * t) * torch.cos(pi * x))
    assert relative(check(cosine, SMALL))["ends"] > 0.5


def test_an_exact_solution_that_is_not_a_number_somewhere_does_not_pass() -> None:
    findings = check(rod(exact=lambda x, t: t * torch.sqrt(0.9 - x)), SMALL)
    assert [equation.satisfied for equation in findings.equations].count(False) >= 2
    worst = {equation.name: equation.trial.worst for equation in findings.equations}["conduct"]
    assert worst["x"] > 0.9


def test_without_an_exact_solution_there_is_nothing_to_complain_of() -> None:
    findings = check(rod(exact=None), SMALL)
    assert findings.good
    assert {equation.trial.reason for equation in findings.equations} == {"no exact solution"}


def test_equations_with_measured_values_are_not_tried() -> None:
    def noisy(u, value):
        return u - value

    problem = rod()
    points = Points({"x": [0.2, 0.4], "t": [0.1, 0.3]}, {"value": [5.0, 6.0]})
    equations = (*problem.equations, Equation(noisy, on="sensors"))
    findings = check(rod(equations=equations, data={"sensors": points}), SMALL)
    assert findings.good
    assert findings.equations[-1].trial.reason == "value measured"
    assert [(r.name, r.points) for r in findings.regions][-1] == ("sensors", 2)


def conducting(kappa: float, exact) -> Problem:
    def conduct(u, kappa):
        return u.d("t") - kappa * u.d("xx")

    equations = (Equation(conduct), Equation(lambda u: u, on="boundary", name="ends"))
    return rod(equations=equations, parameters={"kappa": kappa}, exact=exact)


def test_equations_with_a_trainable_parameter_are_tried_only_if_exact_knows_it() -> None:
    def ignorant(x, t):
        return torch.exp(-KAPPA * pi**2 * t) * torch.sin(pi * x)

    def knowing(x, t, kappa):
        return torch.exp(-kappa * pi**2 * t) * torch.sin(pi * x)

    def wrong(x, t, kappa):
        return torch.exp(-2 * kappa * pi**2 * t) * torch.sin(pi * x)

    assert check(conducting(5.0, ignorant), SMALL).equations[0].trial.reason == "kappa trainable"
    assert relative(check(conducting(5.0, knowing), SMALL))["conduct"] < 1e-14
    assert not check(conducting(5.0, wrong), SMALL).good


def test_equations_with_a_field_that_exact_leaves_out_are_not_tried() -> None:
    def balance(u, p):
        return u.d("x") - p

    equations = (Equation(balance), Equation(lambda u, x: u - x, on="boundary", name="ends"))
    problem = Problem(domain=Box(x=(0, 1)), fields=("u", "p"), equations=equations, exact=lambda x: {"u": x})
    first, second = check(problem, SMALL).equations
    assert first.trial.reason == "p not in exact"
    assert second.satisfied


@pytest.mark.parametrize(("mean", "good"), [(2 / pi, True), (0.6, False)])
def test_an_integral_condition_is_tried_by_quadrature(mean, good) -> None:
    equations = (
        Equation(lambda u, x: u.d("x") - pi * torch.cos(pi * x), name="slope"),
        Equation(lambda u: u - mean, integral=True, name="mean"),
        Equation(lambda u: u, on="x=0", name="left"),
    )
    problem = Problem(domain=Box(x=(0, 1)), fields="u", equations=equations, exact=lambda x: torch.sin(pi * x))
    findings = check(problem, SMALL)
    assert findings.good == good
    assert findings.equations[1].trial.worst is None
    if not good:
        assert "'mean' on interior" in findings.complaints[0]


@pytest.mark.parametrize("ansatz", [lambda u, x, t: x * (1 - x) * u, lambda u, t: t * u])
def test_exact_is_the_field_after_the_ansatz(ansatz) -> None:
    assert check(rod(ansatz=ansatz), SMALL).good
    assert not check(rod(ansatz=ansatz, start=1.1), SMALL).good


def test_an_exact_solution_that_is_complex_or_of_another_length_is_refused() -> None:
    with pytest.raises(ProblemError, match="complex for the real field 'u'"):
        check(rod(exact=lambda x, t: torch.exp(1j * x) * t), SMALL)
    problem = Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields={"E": 2},
        equations=(Equation(lambda E: curl(E), on=("interior", "boundary"), name="curl"),),
        exact=lambda x, y: torch.stack([x, y, x]),
    )
    with pytest.raises(ProblemError, match=r"exact.*'E'"):
        check(problem, SMALL)


def test_an_exact_solution_of_plain_data_has_no_derivatives_to_offer() -> None:
    with pytest.raises(ProblemError, match="cannot be differentiated"):
        check(rod(exact=lambda x, t: x.value * t.value), SMALL)


def named(residual, *axes: str, fields="u") -> tuple[str, ...]:
    """The derivatives that are found for one residual on a unit box."""
    names = [fields] if isinstance(fields, str) else list(fields)
    anchor = eval(f"lambda {', '.join(names)}: ({', '.join(names)},)")
    equations = (Equation(residual, name="tried"), Equation(anchor, on="boundary", name="anchor"))
    problem = Problem(domain=Box(**dict.fromkeys(axes, (0, 1))), fields=fields, equations=equations)
    return check(problem, SMALL).equations[0].derivatives


@pytest.mark.parametrize(
    ("residual", "axes", "fields", "expected"),
    [
        (lambda u: u.d("t") + u * u.d("x") - u.d("xx"), "xt", "u", {"u", "u_x", "u_t", "u_xx"}),
        (lambda u: u.d("t") + u.d("xxx"), "xt", "u", {"u_t", "u_xxx"}),
        (lambda u: laplacian(laplacian(u)), "xy", "u", {"u_xxxx", "u_xxyy", "u_yyyy"}),
        (lambda u: laplacian(u) + 9 * u, "xy", {"u": complex}, {"u", "u_xx", "u_yy"}),
        (lambda u: u.d("x1", "x2") - 1, ("x1", "x2"), "u", {"u_x1x2"}),
        (lambda E: curl(E), "xyz", {"E": 3}, {f"E[{i}]_{a}" for i in range(3) for a in "xyz" if "xyz"[i] != a}),
        (lambda E, p: E[1].d("x") - p, "xy", {"E": (2, complex), "p": float}, {"E[1]_x", "p"}),
        (lambda u: u.d("x") - u.d("x") + u.d("y"), "xy", "u", {"u_y"}),
    ],
)
def test_the_derivatives_that_an_equation_depends_on_are_named_by_field(residual, axes, fields, expected) -> None:
    assert set(named(residual, *axes, fields=fields)) == expected


def test_derivatives_are_those_of_the_fields_and_not_of_what_lies_under_an_ansatz() -> None:
    problem = rod(ansatz=lambda u, x, t: torch.sin(x) * t * u)
    assert [equation.derivatives for equation in check(problem, SMALL).equations] == [("u_t", "u_xx"), ("u",), ("u",)]


def test_linear_problems_are_told_from_nonlinear_ones() -> None:
    assert check(rod(), SMALL).linear
    equations = (Equation(lambda u: u.d("x") * u, name="bent"), Equation(lambda u: u, on="boundary", name="ends"))
    assert not check(rod(equations=equations, exact=None), SMALL).linear


def test_regions_bear_the_points_of_the_recipe_and_their_measure() -> None:
    points = {"interior": 400, "boundary": 30, "initial": 20}
    findings = check(rod(domain=Box(x=(0, 3), t=(0, 2))), Recipe(Features(20), points=points, rule="sobol"))
    found = {region.name: (region.points, round(region.measure, 12)) for region in findings.regions}
    assert found == {"interior": (400, 6.0), "t=0": (20, 3.0), "boundary": (30, 4.0)}
    assert findings.trainable == 20 * 3 + 20 + 1  # two weights, a phase and a head coefficient each, and a constant


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (("initial", "boundary"), []),
        (("initial", "x=0"), ["x=1"]),
        (("boundary",), ["t=0"]),
        (("x=max",), ["x=0", "t=0"]),
    ],
)
def test_faces_without_a_condition_are_noted_and_the_last_instant_is_not(on, expected) -> None:
    equations = (Equation(lambda u: u.d("t"), name="still"), Equation(lambda u: u, on=on, name="conditions"))
    findings = check(rod(equations=equations, exact=None), SMALL)
    assert [warning.split()[3].strip(",:") for warning in findings.warnings] == expected
    assert findings.good  # a note, not an error


@pytest.mark.parametrize(
    ("on", "expected"),
    [((), ["x=0", "x=1", "y=0"]), (("x=0",), ["x=1", "y=0"]), (("x=min", "y=0", "x=1"), []), (("boundary",), [])],
)
def test_a_flux_that_the_weak_form_says_of_a_face_is_a_condition_there(on, expected) -> None:
    flux = tuple(Weak(lambda v: -1.0 * v, on=face, name=f"flux {face}") for face in on)
    wall = Equation(lambda u: u, on="y=1", name="wall")
    weak = (Weak(lambda u, v: dot(grad(u), grad(v))), *flux)
    found = bare_faces(Problem(domain=Box(x=(0, 1), y=(0, 1)), fields="u", equations=(wall,), weak=weak))
    assert [sentence.split()[3].strip(",:") for sentence in found] == expected


@pytest.mark.parametrize(
    ("on", "expected"), [((), {"west", "east", "south"}), (("east", "south"), {"west"}), (("boundary",), set())]
)
def test_a_flux_through_a_face_of_a_mesh_is_a_condition_there(on, expected) -> None:
    flux = tuple(Weak(lambda v: -1.0 * v, on=face, name=f"flux {face}") for face in on)
    wall = Equation(lambda u: u, on="north", name="wall")
    weak = (Weak(lambda u, v: dot(grad(u), grad(v))), *flux)
    problem = Problem(domain=uniform("quad", 2), fields="u", equations=(wall,), weak=weak)
    told = {
        face for face in ("north", "west", "east", "south") for w in reference(problem).verdict.warnings if face in w
    }
    assert told == expected


@pytest.mark.parametrize("axis", [Periodic(0, 1), Parameter(0, 1)])
def test_axes_without_faces_need_no_condition(axis) -> None:
    equations = (Equation(lambda u: u.d("t"), name="still"), Equation(lambda u: u, on="initial", name="start"))
    assert check(rod(domain=Box(x=axis, t=(0, 1)), equations=equations, exact=None), SMALL).warnings == ()


def test_an_ansatz_may_hold_the_conditions_so_nothing_is_noted() -> None:
    equations = (Equation(lambda u: u.d("t") - u.d("xx"), name="heat"),)
    assert check(rod(equations=equations, exact=None, ansatz=lambda u, x, t: t * x * u), SMALL).warnings == ()


@pytest.mark.parametrize(
    ("residual", "error"),
    [
        (lambda u: u.value.unsqueeze(1), ShapeError),
        (lambda u, x: torch.log(x - 0.5) * u, NonFiniteError),
    ],
)
def test_what_solve_would_refuse_is_refused(residual, error) -> None:
    equations = (Equation(residual, name="wrong"), Equation(lambda u: u, on="boundary", name="ends"))
    with pytest.raises(error, match="wrong"):
        check(rod(equations=equations, exact=None), SMALL)


def test_the_network_and_points_of_the_recipe_are_tried_too() -> None:
    with pytest.raises(SettingsError, match="no derivative of the order"):
        check(rod(), Recipe(MLP(8, activation="relu"), points=100))
    with pytest.raises(SettingsError, match="points in 'x=0'"):
        check(rod(), Recipe(points={"interior": 100, "x=0": 10}))
