"""The operators of vector calculus against sympy, and the identities that hold between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import cos, exp, sin

from pinnml import cross, curl, div, dot, grad, laplacian, normal_derivative
from pinnml.calculus import Axes, Jet, Vector, coordinate_jets, data_jet, total_order
from pinnml.errors import MissingDerivativeError, ProblemError, ShapeError
from tests.helpers.truth import LETTERS, assert_close, axes_of, points, sympy_values

SYMBOLS = sympy.symbols("x y z")
SPACE = axes_of(3)
X, Y, Z = SYMBOLS
SCALAR = exp(X * Y) * sin(Z + X) + X**3 * Y * Z**2
FORCE = (sin(Y * Z) + X**2, exp(X) * Z - Y**3, cos(X * Y) * Z)
PLANE = (sin(X * Y) + Y**2, exp(X) * Y - X**3)


def on_jets(expression: Any, d: int = 3, n: int = 4, order: int = 3) -> Jet:
    """A sympy expression of the first d coordinates as a jet: by the arithmetic of jets alone."""
    jets = coordinate_jets(total_order(axes_of(d), order), points(n, d))
    return sympy.lambdify(SYMBOLS[:d], expression, modules=[{"exp": torch.exp, "sin": torch.sin, "cos": torch.cos}])(
        *jets
    )


def assert_is(found: Any, truth: Any, d: int = 3, tolerance: float = 1e-12) -> None:
    """A jet, or a Vector of them, against an expression, or a tuple of them."""
    if isinstance(truth, tuple):
        assert len(found) == len(truth)
        for component, expression in zip(found, truth, strict=True):
            assert_is(component, expression, d, tolerance)
    else:
        assert_close(found.value, sympy_values(sympy.sympify(truth), SYMBOLS[:d], points(4, d)), tolerance, scale=1.0)


def vector(expressions: tuple, d: int = 3, order: int = 3) -> Vector:
    return Vector(on_jets(expression, d, order=order) for expression in expressions)


def diff(expression: Any, *symbols: Any) -> Any:
    return sympy.diff(expression, *symbols)


# Each operator


@pytest.mark.parametrize("d", [1, 2, 3])
def test_gradient_and_laplacian_are_those_of_sympy(d):
    expression = SCALAR.subs(dict.fromkeys(SYMBOLS[d:], sympy.Rational(1, 2)))
    u = on_jets(expression, d)
    assert_is(grad(u), tuple(diff(expression, s) for s in SYMBOLS[:d]), d)
    assert_is(laplacian(u), sum(diff(expression, s, s) for s in SYMBOLS[:d]), d)


def test_the_gradient_of_a_vector_is_the_matrix_of_gradients_row_by_row():
    matrix = grad(vector(FORCE))
    assert_is(matrix, tuple(tuple(diff(f, s) for s in SYMBOLS) for f in FORCE))
    assert_is(div(matrix), tuple(sum(diff(f, s, s) for s in SYMBOLS) for f in FORCE))
    assert_is(laplacian(vector(FORCE)), tuple(sum(diff(f, s, s) for s in SYMBOLS) for f in FORCE))


@pytest.mark.parametrize("as_tuple", [True, False])
def test_divergence_is_that_of_sympy(as_tuple):
    flux = vector(FORCE)
    assert_is(div(tuple(flux) if as_tuple else flux), sum(diff(f, s) for f, s in zip(FORCE, SYMBOLS, strict=True)))


def test_curl_in_space_is_that_of_sympy():
    a, b, c = FORCE
    truth = (diff(c, Y) - diff(b, Z), diff(a, Z) - diff(c, X), diff(b, X) - diff(a, Y))
    assert_is(curl(vector(FORCE)), truth)
    assert_is(curl(tuple(vector(FORCE))), truth)
    with pytest.raises(AssertionError):  # the other orientation
        assert_is(-curl(vector(FORCE)), truth)


def test_curls_in_the_plane_are_a_scalar_of_a_vector_and_a_vector_of_a_scalar():
    assert_is(curl(vector(PLANE, 2)), diff(PLANE[1], X) - diff(PLANE[0], Y), 2)
    assert_is(curl(on_jets(PLANE[0], 2)), (diff(PLANE[0], Y), -diff(PLANE[0], X)), 2)


def test_dot_and_cross_are_those_of_sympy():
    a, b = FORCE, (X * Z, 1 + Y**2, sin(X))
    u, v = vector(a), vector(b)
    across = tuple(sympy.Matrix(a).cross(sympy.Matrix(b)))
    assert_is(dot(u, v), sum(p * q for p, q in zip(a, b, strict=True)))
    assert_is(u.dot(v).d("x"), diff(sum(p * q for p, q in zip(a, b, strict=True)), X))
    assert_is(cross(u, v), across)
    assert_is(cross(u, v).d("y"), tuple(diff(c, Y) for c in across))
    assert_is(cross(tuple(u), tuple(v)), across)
    assert_is(cross(vector(PLANE, 2), vector((X, Y), 2)), PLANE[0] * Y - PLANE[1] * X, 2)


def test_the_normal_derivative_is_the_slope_along_the_normal():
    normal = Vector(data_jet(SPACE, torch.full((4,), v, dtype=torch.float64)) for v in (0.6, 0.0, -0.8))
    slope = sympy.Rational(3, 5) * diff(SCALAR, X) - sympy.Rational(4, 5) * diff(SCALAR, Z)
    assert_is(normal_derivative(on_jets(SCALAR), normal), slope)
    assert_is(normal_derivative(vector((SCALAR, 2 * SCALAR)), normal), (slope, 2 * slope))


# Nonlinear and anisotropic fluxes, written as the equations are


@pytest.mark.parametrize(
    ("conductivity", "symbolic"),
    [
        (torch.exp, sympy.exp),
        (lambda u: 1 + u**2, lambda u: 1 + u**2),
        (lambda u: 1 / (1 + torch.abs(u)), lambda u: 1 / (1 + u)),  # u is positive here
    ],
)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_divergence_of_a_nonlinear_flux_is_that_of_sympy(conductivity, symbolic, d):
    expression = (1 + sin(X * Y * Z + X) ** 2).subs(dict.fromkeys(SYMBOLS[d:], 1))
    u = on_jets(expression, d, order=2)
    truth = sum(diff(symbolic(expression) * diff(expression, s), s) for s in SYMBOLS[:d])
    assert_is(div(conductivity(u) * grad(u)), truth, d)
    with pytest.raises(AssertionError):  # the term k'(u) |grad u|^2 forgotten
        assert_is(conductivity(u) * laplacian(u), truth, d)


def test_the_flux_of_the_p_laplacian_is_that_of_sympy():
    u = on_jets(SCALAR, order=2)
    slope = tuple(diff(SCALAR, s) for s in SYMBOLS)
    length = sum(s**2 for s in slope) ** sympy.Rational(1, 2)
    found = div(dot(grad(u), grad(u)) ** 0.5 * grad(u))
    assert_is(found, sum(diff(length * p, s) for p, s in zip(slope, SYMBOLS, strict=True)), tolerance=1e-11)


def test_an_elastic_stress_is_that_of_sympy():
    shear, bulk = 0.75, 1.25
    u = vector(PLANE, 2, order=2)
    strain = [[(u[i].d(a) + u[j].d(b)) / 2 for j, a in enumerate("xy")] for i, b in enumerate("xy")]
    stress = Vector(
        Vector(2 * shear * strain[i][j] + (bulk * div(u) if i == j else 0.0) for j in range(2)) for i in range(2)
    )
    both = SYMBOLS[:2]
    spread = sum(diff(f, s) for f, s in zip(PLANE, both, strict=True))
    truth = tuple(
        shear * sum(diff(f, s, s) for s in both) + (shear + bulk) * diff(spread, t)
        for f, t in zip(PLANE, both, strict=True)
    )
    assert_is(div(stress), truth, 2)


# Identities


@st.composite
def random_fields(draw: st.DrawFn) -> list[Jet]:
    """Four arbitrary jets at three points in space: an identity of derivatives needs no more than that."""
    indices = total_order(SPACE, 3)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    size = (4, len(indices), 3)
    return [Jet(indices, c) for c in torch.randn(size, generator=generator, dtype=torch.float64)]


def vanishes(expression: Any) -> None:
    for component in expression if isinstance(expression, Vector) else [expression]:
        assert_close(component.value, torch.zeros(3, dtype=torch.float64), 1e-13, scale=10.0)  # sums of 30 products


IDENTITIES: dict[str, Callable] = {
    "div curl": lambda u, F: div(curl(F)),
    "curl grad": lambda u, F: curl(grad(u)),
    "div grad is the Laplacian": lambda u, F: div(grad(u)) - laplacian(u),
    "div of u F": lambda u, F: div(u * F) - u * div(F) - dot(grad(u), F),
    "curl of u F": lambda u, F: curl(u * F) - u * curl(F) - cross(grad(u), F),
    "curl curl": lambda u, F: curl(curl(F)) - grad(div(F)) + laplacian(F),
    "div of a cross product": lambda u, F: div(cross(grad(u), F)) + dot(grad(u), curl(F)),
    "F across itself": lambda u, F: cross(F, F),
    "F cross G on F": lambda u, F: dot(cross(F, grad(u)), F),
    "Laplacian of a product": lambda u, F: laplacian(u * u) - 2 * u * laplacian(u) - 2 * dot(grad(u), grad(u)),
}


@pytest.mark.parametrize("name", IDENTITIES)
@given(random_fields())
@settings(deadline=None, max_examples=8)
def test_identities_of_vector_calculus_hold_to_round_off(name, fields):
    vanishes(IDENTITIES[name](fields[0], Vector(fields[1:])))


@given(random_fields())
@settings(deadline=None, max_examples=2)
def test_an_identity_with_a_wrong_factor_does_not_hold(fields):
    u, F = fields[0], Vector(fields[1:])
    for wrong in (
        div(u * F) - u * div(F) - 1.001 * dot(grad(u), F),
        curl(curl(F)) - grad(div(F)) + 0.999 * laplacian(F),
    ):
        with pytest.raises(AssertionError):
            vanishes(wrong)


def test_identities_hold_in_the_plane():
    u, force = on_jets(PLANE[0], 2, n=3), vector(PLANE, 2)
    vanishes(div(curl(u)))
    vanishes(curl(grad(u)))
    vanishes(curl(curl(u)) + laplacian(u))
    rotated = curl(curl(force)) - grad(div(force)) + laplacian(force)
    for component in rotated:
        assert_close(component.value, torch.zeros(4, dtype=torch.float64), 1e-13, scale=10.0)


# Space, time and parameters


def test_operators_act_on_space_only():
    axes = Axes(("t", "x", "k", "y"), ("x", "y"))
    t, x, k, y = coordinate_jets(total_order(axes, 2), points(3, 4))
    u = t**2 * torch.sin(k * x) + y**2 * t
    assert len(grad(u)) == 2
    assert_close(grad(u)[1].value, (2 * y * t).value, 1e-14)
    assert_close(laplacian(u).value, (-(k**2) * t**2 * torch.sin(k * x) + 2 * t).value, 1e-14)
    assert_close(div((u, k * y)).value, (t**2 * k * torch.cos(k * x) + k).value, 1e-14)
    assert len(curl(u)) == 2


@pytest.mark.parametrize(
    "operator",
    [grad, laplacian, curl, lambda t: div((t,)), lambda t: dot(grad(t), grad(t)), lambda t: laplacian(Vector((t, t)))],
)
def test_a_box_of_time_alone_has_no_operators_of_space(operator):
    axes = Axes(("t",), ())
    (t,) = coordinate_jets(total_order(axes, 2), points(3, 1))
    with pytest.raises(ShapeError, match="there is no axis of space") as caught:
        operator(t)
    assert 'u.d("t")' in str(caught.value.cure)
    assert t.d("t").value.eq(1).all()  # the cure


# Vectors


def test_arithmetic_of_vectors_is_componentwise():
    u, f, g = on_jets(SCALAR), vector(FORCE), vector((X, Y, Z))
    h = (2 * f - g / 4 + u * f + g * u - (-f)) / u
    for i in range(3):
        expected = (2 * f[i] - g[i] / 4 + u * f[i] + g[i] * u + f[i]) / u
        assert_close(h[i].coefficients, expected.coefficients, 1e-13)
    assert torch.equal(((1.0, 2.0, 3.0) - f)[1].value, (2 - f[1]).value)
    assert torch.equal((torch.tensor(2.0) * f)[2].value, (2 * f[2]).value)
    assert torch.equal((torch.arange(4.0) * f)[0].value, torch.arange(4.0) * f[0].value)
    assert len(list(f)) == len(f) == len(f.value) == 3


def test_a_vector_has_derivatives_and_they_may_be_missing():
    f = vector(FORCE, order=1)
    assert_is(f.d("x"), tuple(diff(component, X) for component in FORCE))
    for derivative in (lambda: f.d("xx"), lambda: laplacian(f), lambda: curl(curl(f)), lambda: div(grad(f))):
        with pytest.raises(MissingDerivativeError):
            derivative()


def test_the_dot_product_does_not_conjugate():
    f = 1j * vector((X, Y, Z))
    assert_is(dot(f, f), -(X**2 + Y**2 + Z**2))
    assert_is(dot(f, torch.conj(f)), X**2 + Y**2 + Z**2)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda u, f: grad(1.0), "grad of something that is not a field(?s:.)*got: +float"),
        (lambda u, f: laplacian(u.value), "laplacian of something(?s:.)*Tensor"),
        (lambda u, f: div(u), "div of something(?s:.)*Jet"),
        (lambda u, f: div(()), "div of something"),
        (lambda u, f: div(f), r"each axis of space \(x, y\)(?s:.)*got: +3 components"),
        (lambda u, f: curl(f), "curl in 2 dimensions(?s:.)*got: +3 components"),
        (lambda u, f: dot(u, f), "dot of something"),
        (lambda u, f: dot(f, u), "vector of 3 components"),
        (lambda u, f: dot(f, (u, u)), "got: +2 components"),
        (lambda u, f: cross(Vector((u,)), (u,)), "two or three components"),
        (lambda u, f: f * f, "dot\\(a, b\\)"),
        (lambda u, f: f + 1, "got: +int"),
        (lambda u, f: 1 - f, "got: +int"),
        (lambda u, f: u + f, "vector of 3 components"),
        (lambda u, f: normal_derivative(u, f), "vector of 2 components"),
    ],
)
def test_what_is_no_vector_calculus_is_refused_with_its_shape(wrong, words):
    u = on_jets(X * Y, 2)
    with pytest.raises(ShapeError, match=words):
        wrong(u, Vector((u, u, u)))


def test_curl_needs_two_or_three_dimensions():
    (u,) = coordinate_jets(total_order(Axes(LETTERS[:1], LETTERS[:1]), 1), points(3, 1))
    with pytest.raises(ShapeError, match="a scalar"):
        curl(u)


def test_sums_of_vectors_may_begin_with_zero():
    f, g = vector(FORCE), vector((X, Y, Z))
    for a, b in zip(sum([f, g]), f + g, strict=True):
        assert torch.equal(a.coefficients, b.coefficients)
    with pytest.raises(ShapeError):
        1 + f


def test_a_choice_between_vectors_is_made_by_components():
    f, g, x = vector(FORCE), vector((X, Y, Z)), on_jets(X)
    condition = x < float(x.value.median())
    assert condition.any()
    assert not condition.all()
    for chosen, a, b in zip(torch.where(condition, f, g), f, g, strict=True):
        expected = torch.where(condition, a.d("y").value, b.d("y").value)
        assert torch.equal(chosen.d("y").value, expected)
    for chosen, a in zip(torch.where(condition, 0.0, f), f, strict=True):
        assert torch.equal(chosen.value, torch.where(condition, 0.0, a.value))
    with pytest.raises(ShapeError, match="as many components"):
        torch.where(condition, f, vector(PLANE))


@pytest.mark.parametrize(
    "operation", [lambda f: f**2, abs, lambda f: 2**f, lambda f: torch.pow(f, 2), lambda f: torch.add(f, f)]
)
def test_what_has_several_meanings_for_vectors_is_refused_with_a_cure(operation):
    with pytest.raises(ProblemError) as caught:
        operation(vector(FORCE))
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.cure
