"""Which derivatives a residual needs, and what is said of residuals, ansatzes and exact solutions that are not one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml import Box, Equation, Features, Problem, curl, div, grad, laplacian
from pinnml.calculus import Jet, index_set
from pinnml.domains import Sample
from pinnml.errors import (
    MissingDerivativeError,
    NonFiniteError,
    PinnmlError,
    ProblemError,
    ShapeError,
    UnknownNameError,
    UnsupportedFunctionError,
)
from pinnml.problem import Term, by_field, discover, namespace, real, residuals
from pinnml.system import System
from tests.helpers.catalogue import system

SQUARE = Box(x=(0, 1), y=(0, 1))
SAMPLE = SQUARE.sample("interior", 12, torch.Generator().manual_seed(0))


def problem(residual, *, fields="u", **rest) -> Problem:
    """One equation named `balance` on the unit square, and something at the wall for each field."""
    names = [fields] if isinstance(fields, str) else list(fields)
    wall = eval(f"lambda {', '.join(names)}: ({', '.join(names)},)")
    equations = (Equation(residual, name="balance"), Equation(wall, on="boundary", name="wall"))
    return Problem(domain=SQUARE, fields=fields, equations=equations, **rest)


def needs(residual, **rest) -> tuple[str, str]:
    """The derivatives of outputs and of coordinates that discovery finds, in words."""
    made = problem(residual, **rest)
    found, _ = discover(made, made.terms[0], SAMPLE)
    return str(found.outputs), str(found.coordinates)


def words(*highest: str) -> str:
    """The smallest closed set that holds these derivatives, in words."""
    return str(index_set(SQUARE.axes, ((word.count("x"), word.count("y")) for word in highest)))


@pytest.mark.parametrize(
    ("residual", "outputs", "coordinates"),
    [
        (lambda u: u, "", ""),
        (lambda u, x: u - torch.sin(x), "", ""),
        (lambda u: u.d("x"), "x", ""),
        (lambda u: u.d("x") + u * u.d("y"), "x y", ""),
        (laplacian, "xx yy", ""),
        (lambda u: u.d("xy"), "xy", ""),
        (lambda u: u.d("xxxx"), "xxxx", ""),
        (lambda u: laplacian(laplacian(u)), "xxxx xxyy yyyy", ""),
        (lambda u: u.d("xxx") + u * u.d("x"), "xxx", ""),
        (lambda u: div((1 + u**2) * grad(u)), "xx yy", ""),
        (lambda u, x: (x * u.d("x")).d("x"), "xx", "x"),
        (lambda u, x, y: laplacian(u) - laplacian(torch.sin(x * y)), "xx yy", "xx yy"),
        (lambda u, x: u - laplacian(torch.sin(x)), "", "xx yy"),
        (lambda u, x: u - torch.sin(x).d("xxxx"), "", "xxxx"),
    ],
)
def test_discovery_finds_the_smallest_closed_set_of_derivatives(residual, outputs, coordinates):
    assert needs(residual) == (words(*outputs.split()), words(*coordinates.split()))


def test_an_ansatz_keeps_the_set_that_its_product_needs():
    def ansatz(u, x):
        return x * (1 - x) * u

    assert needs(lambda u: u.d("xx"), ansatz=ansatz) == (words("xx"), words(""))
    assert needs(lambda u: u.d("xy"), ansatz=ansatz) == (words("xy"), words(""))
    assert needs(lambda u: u, ansatz=lambda u, x: x * u.d("y")) == (words("y"), words(""))


def test_a_vector_field_needs_what_any_of_its_components_needs():
    found, _ = needs(lambda E: curl(curl(E)), fields={"E": 2})
    assert found == words("xx", "xy", "yy")


def test_equations_that_share_a_region_share_the_union_of_their_sets():
    equations = (
        Equation(lambda u: u.d("xx"), name="first"),
        Equation(lambda u, x: u.d("y") - torch.sin(x).d("x"), name="second"),
        Equation(lambda u: u, on="boundary", name="wall"),
    )
    made = system(Problem(domain=SQUARE, fields="u", equations=equations), Features(4, bandwidth=1.0))
    inside, wall = made.blocks
    assert (str(inside.needs.outputs), str(inside.needs.coordinates)) == (words("xx", "y"), words("x"))
    assert str(wall.needs.outputs) == words("")
    assert list(made.rows) == ["first", "second", "wall"]


def test_components_are_counted_real_and_imaginary():
    made = problem(lambda u, E: (u, E, 1j * u), fields={"u": float, "E": (2, complex)})
    assert discover(made, made.terms[0], SAMPLE)[1] == 1 + 4 + 2


def test_a_derivative_of_data_is_missing_whatever_the_order():
    with pytest.raises(MissingDerivativeError) as caught:
        needs(lambda u: (u + u.value).d("x"))
    assert str(caught.value).startswith("equation 'balance': ")


@pytest.mark.parametrize("length", [5, 7, 12])
@pytest.mark.parametrize("form", [lambda u, c: u - c, lambda u, c: c, lambda u, c: (u, c)], ids=["u-c", "c", "u,c"])
def test_a_constant_array_does_not_pass_for_data_at_any_length(length, form):
    constant = torch.linspace(0, 1, length, dtype=torch.float64)
    with pytest.raises(ShapeError) as caught:
        needs(lambda u: form(u, constant))
    assert_told(caught.value, "equation 'balance'", f"({length},)")


def assert_told(error: PinnmlError, *expected: str) -> None:
    text = str(error)
    for word in ("expected: ", "got: ", "cure: ", *expected):
        assert word in text, text


@pytest.mark.parametrize(
    ("residual", "got"),
    [
        (lambda u: u.value[:, None], "a tensor of torch.float64 and shape (5, 1) at 5 points"),
        (lambda u: u.value[:, None] - u.value, "shape (5, 5)"),
        (lambda u: torch.tensor(1.0), "shape ()"),
        (lambda u: u.value.sum(), "shape ()"),
        (lambda u: 0.0, "float"),
        (lambda u: None, "is a `return` missing?"),
        (lambda u: {"u": u}, "dict"),
        (lambda u: u > 0, "torch.bool"),
        (lambda u: u.value.long(), "torch.int64"),
        (lambda u: u.value.numpy(), "a NumPy array of float64 and shape (5,)"),
        (lambda u: (u, u.value.numpy()), "a NumPy array"),
        (lambda u: np.where(u.value > 0, u, 0), "a NumPy array of object"),
    ],
)
def test_a_residual_that_is_no_field_is_refused(residual, got):
    with pytest.raises(ShapeError) as caught:
        needs(residual)
    assert_told(caught.value, "equation 'balance'", "shape (n,)", got)


@pytest.mark.parametrize(
    ("residual", "got"),
    [
        (lambda u, x: u - x.value[:, None], "shape (5, 1)"),
        (lambda u, x: u * torch.ones(5, 5), "shape (5, 5)"),
        (lambda u: u - np.ones(5), "a NumPy array of shape (5,)"),
        (lambda u: np.ones(5) * u, "a NumPy array of shape (5,)"),
        (lambda u: u + "1", "str"),
        (lambda u: u + None, "NoneType"),
    ],
)
def test_arithmetic_of_a_field_with_something_else_is_refused(residual, got):
    with pytest.raises(ShapeError) as caught:
        needs(residual)
    assert_told(caught.value, "equation 'balance'", got)


@pytest.mark.parametrize("function", [np.sin, np.exp, np.abs, lambda u: np.maximum(u, 0)])
def test_a_numpy_function_of_a_field_is_refused(function):
    with pytest.raises(ProblemError) as caught:
        needs(lambda u: function(u))
    assert "equation 'balance' applies a NumPy function" in str(caught.value)
    assert "torch.sin(x) in place of np.sin(x)" in str(caught.value)


@pytest.mark.parametrize(
    ("residual", "cure"),
    [
        (lambda u, x: u - math.sin(x), "torch.sin(x), not math.sin(x)"),
        (lambda u, x: u if x < 0.5 else -u, "torch.where(x < 0.5, a, b)"),
        (lambda u, x: max(u, x), "torch.where(x < 0.5, a, b)"),
    ],
    ids=["math", "if", "max"],
)
def test_what_works_for_numbers_alone_is_refused_with_what_works_for_fields(residual, cure):
    with pytest.raises(ProblemError) as caught:
        needs(residual)
    assert_told(caught.value, "equation 'balance'", cure)


def test_a_torch_function_without_a_rule_is_refused():
    with pytest.raises(UnsupportedFunctionError) as caught:
        needs(lambda u: torch.special.bessel_j0(u))
    assert_told(caught.value, "equation 'balance'", "bessel_j0")


@pytest.mark.parametrize("word", ["z", "xxz", "t"])
def test_a_derivative_along_an_axis_that_is_not_there_is_refused(word):
    with pytest.raises(UnknownNameError) as caught:
        needs(lambda u: u.d(word))
    assert_told(caught.value, "equation 'balance'", f"unknown axis '{word[-1]}'", "x, y")


def test_errors_of_the_users_own_are_told_with_the_equation():
    def broken(u):
        raise KeyError("table")

    with pytest.raises(KeyError) as caught:
        needs(broken)
    assert caught.value.__notes__ == ["in equation 'balance'"]


@pytest.mark.parametrize(
    ("residual", "value"),
    [
        (lambda u, x: u + 1 / (x - 0.25), "inf"),
        (lambda u, x: u + torch.log(x - 0.25), "-inf"),
        (lambda u, x: u + torch.where(x == 0.25, float("nan"), x), "nan"),
        (lambda u, x: (u, 1j * torch.where(x == 0.25, float("nan"), x)), "nan"),
    ],
    ids=["pole", "logarithm", "NaN", "complex NaN"],
)
def test_values_that_are_not_finite_are_refused_with_equation_and_first_point(residual, value):
    x = torch.tensor([[0.5, 0.1], [0.25, 0.375], [0.75, 0.3], [0.25, 0.9]], dtype=torch.float64)
    made = problem(residual)
    network = Features(3, bandwidth=1.0).build(SQUARE, 1, torch.Generator(), torch.float64, torch.device("cpu"))
    with pytest.raises(NonFiniteError) as caught:
        System.build(made, network, {"interior": Sample(x, torch.full((4,), 0.25, dtype=torch.float64))})
    assert_told(caught.value, "equation 'balance'", value, "at x = 0.25, y = 0.375", "2 of 4 points")


@pytest.mark.parametrize(
    ("ansatz", "told"),
    [
        (lambda u: None, "None"),
        (lambda u: 3.0, "float"),
        (lambda u: u.value, "Tensor"),
        (lambda u: {}, "nothing for it"),
        (lambda u: {"w": u}, "ansatz returns 'w'"),
        (lambda u: (u, u), "tuple of 2"),
        (lambda u: grad(u), "Vector of 2"),
        (lambda u: "u", "str"),
    ],
)
def test_an_ansatz_that_returns_the_wrong_thing_is_refused(ansatz, told):
    with pytest.raises(ProblemError) as caught:
        needs(lambda u: u.d("x"), ansatz=ansatz)
    assert "ansatz" in str(caught.value)
    assert told in str(caught.value)
    assert "expected: " in str(caught.value)


@pytest.mark.parametrize(
    "ansatz",
    [
        lambda u, E: u,
        lambda u, E: {"u": u},
        lambda u, E: (u,),
        lambda u, E: (E, u),
        lambda u, E: {"u": u, "E": E[0]},
        lambda u, E: {"u": u, "E": (E[0],)},
        lambda u, E: {"u": u, "E": (E[0], 0.0)},
    ],
)
def test_an_ansatz_must_give_every_field_in_its_own_kind(ansatz):
    with pytest.raises(ProblemError, match="ansatz"):
        needs(lambda u, E: u + E[0], fields={"u": 1, "E": 2}, ansatz=ansatz)


@pytest.mark.parametrize(
    "ansatz",
    [
        lambda u, E, x: {"u": x * u, "E": E},
        lambda u, E, x: (x * u, E),
        lambda u, E, x: {"E": (E[0], E[1]), "u": x * u},
    ],
)
def test_an_ansatz_returns_a_dict_or_a_tuple_in_the_order_of_fields(ansatz):
    made = problem(lambda u, E: (u, E), fields={"u": 1, "E": 2}, ansatz=ansatz)
    found, _ = discover(made, made.terms[0], SAMPLE)
    outputs = torch.randn((1, 12, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, e_x, e_y = evaluated(made, made.terms[0], outputs)
    assert torch.equal(u, SAMPLE.x[:, 0] * outputs[0, :, 0])
    assert torch.equal(torch.stack([e_x, e_y]), outputs[0, :, 1:].T)
    assert len(found.outputs) == 1


def evaluated(made: Problem, term: Term, outputs: Tensor) -> list[Tensor]:
    """Residual components from given outputs of the network, (K, n, columns)."""
    found, _ = discover(made, term, SAMPLE)
    jet = Jet(found.outputs, outputs)
    return residuals(term, namespace(made, SAMPLE, found.coordinates, jet, {}), len(SAMPLE))


def test_a_complex_field_joins_two_columns_and_its_rows_are_split_last():
    made = problem(lambda p, E: (p, E[0] * E[1]), fields={"E": (2, complex), "p": float})
    a = torch.randn((1, 12, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    p, product = evaluated(made, made.terms[0], a)
    assert torch.equal(p, a[0, :, 4])
    expected = torch.complex(a[0, :, 0], a[0, :, 1]) * torch.complex(a[0, :, 2], a[0, :, 3])
    assert torch.allclose(product, expected, rtol=1e-15, atol=1e-15)
    split = real([p, product])
    assert all(torch.equal(part, truth) for part, truth in zip(split, (p, product.real, product.imag), strict=True))


@pytest.mark.parametrize("result", [None, "u", {"w": 1.0}, (1.0, 2.0), {"u": None}, [[1.0], [2.0]]])
def test_an_exact_solution_that_returns_the_wrong_thing_is_refused(result):
    with pytest.raises(ProblemError) as caught:
        by_field(problem(lambda u: u), result, "exact")
    assert "exact" in str(caught.value)
    assert "expected: " in str(caught.value)


def test_an_exact_solution_may_leave_fields_out():
    made = problem(lambda u, E: u + E[0], fields={"u": 1, "E": 2})
    assert by_field(made, {"u": 1.0}, "exact") == {"u": 1.0}
    known = by_field(made, (1.0, (2.0, 3.0)), "exact")
    assert known["u"] == 1.0
    assert list(known["E"]) == [2.0, 3.0]
    with pytest.raises(ProblemError, match="exact gives the wrong thing for 'E'"):
        by_field(made, {"E": 1.0}, "exact")
