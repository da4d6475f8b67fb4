"""What jets refuse by name, powers of negative bases, and the arguments of PyTorch's functions."""

from __future__ import annotations

import pytest
import torch

from pinnml.errors import MissingDerivativeError, UnknownNameError, UnsupportedFunctionError
from tests.helpers.truth import assert_close, assert_derivatives, autograd_derivatives, coordinates, points

# Powers, and what is refused by name


@pytest.mark.parametrize("names", [(), ("",), (0,), ("x", "")])
def test_a_derivative_without_an_axis_is_refused(names):
    x, _ = coordinates(points(3, 2), 2)
    with pytest.raises(UnknownNameError, match="without the name of an axis") as caught:
        x.d(*names)
    assert caught.value.expected
    assert caught.value.got
    assert 'd("x")' in str(caught.value.cure)


@pytest.mark.parametrize("operation", [lambda x: x % 1, lambda x: x // 1, lambda x: 1 % x, lambda x: 2.0 // x])
def test_remainders_are_refused_with_a_cure(operation):
    x, _ = coordinates(points(3, 2), 2)
    with pytest.raises(UnsupportedFunctionError, match="no rule for fields") as caught:
        operation(x)
    assert caught.value.cure


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -2])
def test_a_constant_whole_exponent_takes_negative_bases_with_all_derivatives(exponent):
    x, y = coordinates(points(4, 2), 3)
    base = x - 7  # negative everywhere
    power, plain = base ** (exponent + 0 * y), base**exponent
    for name in ("x", "xx", "xy", "xxx"):
        assert_close(power.d(name).value, plain.d(name).value, 1e-13)
    assert_close(power.value, plain.value, 1e-15)


def test_a_varying_exponent_of_a_negative_base_has_no_derivatives_but_data_have_values():
    x, y = coordinates(points(2, 2), 1)
    assert ((x - 7) ** (2 + y)).value.isnan().all()  # the control: only a constant is let through
    assert ((x - 7) ** (2.5 + 0 * y)).value.isnan().all()
    data = torch.tensor([2.0, 3.0], dtype=torch.float64)
    assert_close(((x - 7) ** data).value, (x - 7).value ** data, 1e-15)
    with pytest.raises(MissingDerivativeError):
        ((x - 7) ** data).d("x")


def test_a_trainable_exponent_keeps_its_gradient():
    x, y = coordinates(points(4, 2), 1)
    k = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(((x + 3) ** (k + 0 * y)).value.sum(), k)
    base = x.value + 3
    assert_close(slope, (base**2 * torch.log(base)).sum(), 1e-13)


# Arguments of PyTorch's functions


@pytest.mark.parametrize(
    "function",
    [
        lambda u, v: torch.nn.functional.softplus(u, beta=5),
        lambda u, v: torch.nn.Softplus(beta=3.0)(u) * v,
        lambda u, v: torch.nn.functional.gelu(u, approximate="tanh"),
        lambda u, v: torch.nn.functional.gelu(u),
        lambda u, v: torch.add(u, v, alpha=3),
        lambda u, v: torch.sub(u, v, alpha=3),
        lambda u, v: torch.add(torch.full_like(u, 2.0), v, alpha=3),
        lambda u, v: torch.rsub(u, v, alpha=3),
    ],
)
def test_arguments_of_functions_mean_what_they_mean_to_tensors(function):
    def expression(x, y):
        return function(torch.sin(3 * x) - y, torch.cos(y))

    jet = expression(*coordinates(points(5, 2), 3))
    assert_derivatives(jet, autograd_derivatives(expression, points(5, 2), jet.indices), 1e-12)


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (lambda u: torch.div(u, 2, rounding_mode="floor"), "rounding_mode"),
        (lambda u: torch.nn.functional.gelu(u, approximate="quick"), "approximate"),
        (lambda u: u.softplus(alpha=2), "alpha"),
    ],
)
def test_arguments_without_a_rule_are_refused_by_name(function, argument):
    with pytest.raises(UnsupportedFunctionError, match=f"does not take '{argument}'") as caught:
        function(coordinates(points(3, 2), 1)[0])
    assert caught.value.expected
    assert caught.value.cure
