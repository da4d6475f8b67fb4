"""A solution answers engineers' questions: values, derivatives, errors, residuals, integrals."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch

from pinnml import LSGD, Box, Equation, Features, Problem, Solution, laplacian, normal_derivative, solve
from pinnml.errors import ProblemError, ShapeError, UnknownNameError
from pinnml.results import relative_l2
from problems import maxwell, poisson


@pytest.fixture(scope="module")
def sine() -> Solution:
    return solve(poisson.problem("sine"), Features(300, bandwidth=7), points=1200, rule="gauss")


@pytest.fixture(scope="module")
def wave() -> Solution:
    return solve(maxwell.problem("guide", k=5.0), Features(200, bandwidth=(14, 9)), points=1200, rule="gauss")


POINTS = np.random.default_rng(0).random((37, 2))
X, Y = POINTS.T


def test_values_and_derivatives_come_by_name(sine):
    found = sine(POINTS, derivatives=("x", "yy", "xy"))
    assert list(found) == ["u", "u_x", "u_yy", "u_xy"]
    known = {
        "u": np.sin(pi * X) * np.sin(pi * Y),
        "u_x": pi * np.cos(pi * X) * np.sin(pi * Y),
        "u_yy": -(pi**2) * np.sin(pi * X) * np.sin(pi * Y),
        "u_xy": pi**2 * np.cos(pi * X) * np.cos(pi * Y),
    }
    for name, values in found.items():
        assert values.shape == (37,)
        np.testing.assert_allclose(values, known[name], atol=1e-8)


@pytest.fixture(scope="module")
def parabola() -> Solution:
    ends = Equation(lambda u, x1: u - x1**2, on="boundary", name="ends")
    bend = Equation(lambda u: u.d("x1", "x1") - 2, name="bend")
    problem = Problem(domain=Box(x1=(0, 1)), fields=("u",), equations=(bend, ends))
    return solve(problem, Features(20), points=60, verify=False)


@pytest.mark.parametrize("derivatives", ["x1 x1", ("x1 x1",), (("x1", "x1"),)])
def test_second_derivatives_of_axes_of_several_letters_have_a_spelling(parabola, derivatives):
    found = parabola(np.linspace(0, 1, 5)[:, None], derivatives=derivatives)
    assert list(found) == ["u", "u_x1x1"]
    np.testing.assert_allclose(found["u_x1x1"], 2.0, atol=1e-6)


def test_a_single_text_is_one_derivative(sine):
    assert list(sine(POINTS, derivatives="xx")) == ["u", "u_xx"]
    np.testing.assert_array_equal(sine(POINTS, derivatives="xx")["u_xx"], sine(POINTS, derivatives=("xx",))["u_xx"])


@pytest.mark.parametrize("derivatives", ["", ("",), ((),), ("x1x1",)])
def test_derivatives_that_name_no_axis_are_refused(sine, derivatives):
    with pytest.raises(UnknownNameError):
        sine(POINTS, derivatives=derivatives)


def test_many_points_are_evaluated_in_blocks_with_the_same_result(sine, monkeypatch):
    whole = sine(POINTS)["u"]
    monkeypatch.setattr("pinnml.results.solution.BLOCK", 10)
    np.testing.assert_allclose(sine(POINTS)["u"], whole, rtol=1e-13)


def test_complex_and_vector_fields_keep_their_shapes(wave):
    assert wave(POINTS)["u"].dtype == np.complex128
    kx = np.sqrt(25 - pi**2)
    np.testing.assert_allclose(wave(POINTS)["u"], np.exp(1j * kx * X) * np.sin(pi * Y), atol=1e-6)
    cube = solve(maxwell.problem("cube"), Features(30, bandwidth=4), LSGD(hidden="fixed"), points=100, verify=False)
    assert cube(np.zeros((4, 3)))["E"].shape == (4, 3)


@pytest.mark.parametrize(
    "points",
    [np.zeros((3, 3)), np.zeros(4), np.zeros((0, 2)), np.zeros((2, 2), dtype=complex), [["a", "b"]]],
    ids=["three columns", "one axis", "none", "complex", "words"],
)
def test_points_of_another_shape_are_refused(sine, points):
    with pytest.raises(ShapeError, match=r"columns x, y"):
        sine(points)


def test_a_derivative_along_an_axis_that_is_not_there_is_refused(sine):
    with pytest.raises(UnknownNameError, match="axis"):
        sine(POINTS, derivatives=("xz",))


def test_the_error_is_that_of_a_fine_quadrature(sine):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x, w = (nodes + 1) / 2, weights / 2
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    weight = np.outer(w, w).ravel()
    exact = np.sin(pi * points[:, 0]) * np.sin(pi * points[:, 1])
    rough = solve(poisson.problem("sine"), Features(40, bandwidth=7), LSGD(hidden="fixed"), points=400)
    difference = rough(points)["u"] - exact
    truth = np.sqrt((weight * difference**2).sum() / (weight * exact**2).sum())
    # 10 000 random points know an integral to about 1 part in 100
    assert rough.error()["u"] == pytest.approx(truth, rel=0.1)
    assert rough.error()["u"] == rough.verdict.relative_l2["u"]
    assert rough.error(seed=5) != rough.error()


def test_relative_l2_weighs_points_and_is_absolute_where_nothing_is_there():
    known, weight = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([3.0, 1.0])
    off = known + np.array([[0.1, 0.0], [0.0, 0.0]])
    assert relative_l2(off, known, weight) == pytest.approx(np.sqrt(3 * 0.01 / (3 * 1 + 1 * 4)))
    assert relative_l2(off - known, 0 * known, weight) == pytest.approx(np.sqrt(3 / 4 * 0.01))
    with pytest.raises(ShapeError):
        relative_l2(known, known[:, :1], weight)


def test_residuals_by_equation(sine, wave):
    found = sine.residual(POINTS)
    assert set(found) == {"poisson"}
    f = 2 * pi**2 * np.sin(pi * X) * np.sin(pi * Y)
    second = sine(POINTS, derivatives=("xx", "yy"))
    np.testing.assert_allclose(found["poisson"], -second["u_xx"] - second["u_yy"] - f, atol=1e-10)
    assert wave.residual(POINTS)["helmholtz"].dtype == np.complex128


def test_integrals_over_regions_and_fluxes_through_faces(sine):
    assert sine.integrate(lambda u: u) == pytest.approx(4 / pi**2, rel=1e-10)
    assert sine.integrate(lambda u, x: (u, x), "y=0.0")[1] == pytest.approx(0.5)
    flux = sine.integrate(lambda u, normal: -normal_derivative(u, normal), "x=1")
    assert flux == pytest.approx(2.0, rel=1e-8)  # int pi sin(pi y) dy = 2
    total = sine.integrate(lambda u, normal: -normal_derivative(u, normal), "boundary")
    source = sine.integrate(lambda u: -laplacian(u))
    assert total == pytest.approx(source, rel=1e-8)  # the divergence theorem
    assert total == pytest.approx(8.0, rel=1e-8)


def test_an_integral_of_a_complex_field_is_complex(wave):
    assert isinstance(wave.integrate(lambda u: u, "x=2"), complex)


def test_an_integrand_is_checked_like_a_residual(sine):
    with pytest.raises(UnknownNameError, match="did you mean"):
        sine.integrate(lambda uu: uu)
    with pytest.raises(UnknownNameError, match="region"):
        sine.integrate(lambda u: u, "x=7")


def test_questions_that_need_the_problem_say_so(sine, tmp_path):
    from pinnml import load

    alone = load(sine.save(tmp_path / "sine.pt"))
    np.testing.assert_allclose(alone(POINTS)["u"], sine(POINTS)["u"], rtol=1e-13)
    for question in (alone.error, lambda: alone.residual(POINTS), lambda: alone.integrate(lambda u: u)):
        with pytest.raises(ProblemError, match="needs the problem"):
            question()


def test_an_ansatz_holds_exactly_at_the_wall():
    def balance(u, x, y):
        return -laplacian(u) - x * y

    problem = Problem(
        domain=Box(x=(0, 1), y=(0, 1)),
        fields=("u",),
        equations=(Equation(balance),),
        ansatz=lambda u, x, y: x * (1 - x) * torch.sin(pi * y) * u + x,
    )
    solution = solve(problem, Features(20, bandwidth=4), LSGD(hidden="fixed"), points=100, verify=False)
    y = np.linspace(0, 1, 11)
    np.testing.assert_array_equal(solution(np.stack([np.ones(11), y], axis=1))["u"], 1.0)
    np.testing.assert_array_equal(solution(np.stack([np.zeros(11), y], axis=1))["u"], 0.0)
