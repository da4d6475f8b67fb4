"""System.jacobian against reverse mode through whole systems, forward mode, and differences of the residual."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

import pinnml.system.system
from pinnml import Box, Equation, Features, Problem
from pinnml.errors import CouplingError
from pinnml.system import System
from pinnml.system.jacobian import Link, fill
from tests.helpers.catalogue import NETWORKS, PROBLEMS, system

PAIRS = [pytest.param(p, n, id=f"{p}, {n}") for p in PROBLEMS for n in NETWORKS]
#: Each of these reaches another way of writing rows: narrow and wide layers, per-sample parameters, integrals,
#: complex components, foreign modules.
FEW = [
    pytest.param("conduction", "features", id="conduction, features"),
    pytest.param("conduction", "wrapped", id="conduction, wrapped"),
    pytest.param("wave vector", "residual gaussian mlp", id="wave vector, residual gaussian mlp"),
    pytest.param("heat", "sine mlp", id="heat, sine mlp"),
    pytest.param("contact", "sine mlp", id="contact, sine mlp"),
]


@cache
def built(problem: str, network: str) -> tuple[System, Tensor]:
    """A small system of the catalogue, and a theta at which no parameter is zero or alike another."""
    torch.manual_seed(1)
    record = PROBLEMS[problem]()
    made = system(record, NETWORKS[network](record), points=3 if network == "wrapped" else 10)
    noise = torch.randn(made.n_params, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return made, made.initial() + 0.1 * noise


def truth(made: System, theta: Tensor) -> Tensor:
    """The Jacobian by reverse mode through the whole residual, or by forward mode where System itself takes reverse."""
    differentiate = torch.func.jacrev if made.network.basis.one_pass else torch.func.jacfwd
    return differentiate(made.residual)(theta)


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Agreement relative to the largest entry; called equation by equation, so that none hides behind another."""
    assert found.shape == expected.shape
    defect = float((found - expected).abs().max())
    assert defect <= tolerance * float(expected.abs().max()), f"differs by {defect:.1e}"


@pytest.mark.parametrize(("problem", "network"), PAIRS)
def test_jacobian_and_rows_are_those_of_automatic_differentiation(problem, network):
    made, theta = built(problem, network)
    r, j = made.linearise(theta)
    expected = truth(made, theta)
    with torch.no_grad():
        residual = made.residual(theta)
    assert r.shape == (made.n_residuals,)
    assert j.shape == (made.n_residuals, made.n_params)
    for rows in made.rows.values():
        assert_close(j[rows], expected[rows], 1e-12)  # sums of some hundred terms in another order
        assert_close(r[rows], residual[rows], 1e-13)


@pytest.mark.parametrize(("problem", "network"), PAIRS)
def test_jacobian_in_random_directions_is_that_of_central_differences(problem, network):
    made, theta = built(problem, network)
    j = made.jacobian(theta)
    generator = torch.Generator().manual_seed(3)
    step = 1e-5  # truncation step^2, round-off 1e-16 / step: both near 1e-10 of the residual's own size
    for _ in range(2):
        direction = torch.randn(made.n_params, generator=generator, dtype=torch.float64) / made.n_params**0.5
        with torch.no_grad():
            ahead, behind = (made.residual(theta + sign * step * direction) for sign in (1, -1))
        for rows in made.rows.values():
            assert_close(j[rows] @ direction, ((ahead - behind) / (2 * step))[rows], 1e-6)


@pytest.mark.parametrize(("problem", "network"), FEW)
def test_parts_of_the_jacobian_are_columns_of_the_whole(problem, network):
    made, theta = built(problem, network)
    whole = made.jacobian(theta, made.all)
    for part in (made.head, made.hidden):
        r, j = made.linearise(theta, part)
        assert_close(j, whole[:, part], 1e-14)
        assert_close(r, made.linearise(theta)[0], 1e-15)
    assert made.hidden.stop == made.head.start
    assert made.head.stop == made.n_params == whole.shape[1]


@pytest.mark.parametrize(("problem", "network"), FEW)
@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_chunks_do_not_change_rows_or_jacobian(problem, network, chunk):
    made, theta = built(problem, network)
    r, j = made.linearise(theta)
    pieces = System(made.problem, made.network, made.blocks, chunk=chunk)
    for found, expected in zip(pieces.linearise(theta), (r, j), strict=True):
        assert_close(found, expected, 1e-14)
    with torch.no_grad():
        assert_close(pieces.residual(theta), r, 1e-14)


def wrong_sign(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    fill(component, scale, links, j)
    j[:, links[0].columns] *= -1


def without_scale(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    fill(component, torch.ones_like(scale), links, j)


def without_value(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    """Leaves the k = 0 term out of dr_n/dW_io = sum_k a_kni g_kno."""
    fill(component, scale, links, j)
    for link in links:
        if link.features is not None:
            (g,) = torch.autograd.grad(component.sum(), link.output, retain_graph=True)
            j[:, link.columns] -= torch.einsum("n,ni,no->nio", scale, link.features[0], g[0]).flatten(1)


def bias_of_the_next_sample(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    fill(component, scale, links, j)
    for link in links:
        if link.is_bias:
            j[:, link.columns] = j[:, link.columns].roll(1, 0)


def parameter_left_out(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    fill(component, scale, links, j)
    for link in links:
        if link.features is None and not link.is_bias:
            j[:, link.columns] = 0


@pytest.mark.parametrize(
    "wrong", [wrong_sign, without_scale, without_value, bias_of_the_next_sample, parameter_left_out]
)
def test_a_wrong_jacobian_is_seen_by_the_comparison_and_by_the_check_of_a_system(monkeypatch, wrong):
    made, theta = built("conduction", "features")
    expected = truth(made, theta)
    assert_close(made.jacobian(theta), expected, 1e-12)
    monkeypatch.setattr(pinnml.system.system, "fill", wrong)
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(made.jacobian(theta), expected, 1e-3)
    with pytest.raises(CouplingError, match="balance"):
        built.__wrapped__("conduction", "features")


def test_equations_without_the_unknown_have_rows_of_zeros():
    def alone(u, x):
        return torch.sin(x)

    def other(u, x):
        return u - x, x

    problem = Problem(domain=Box(x=(0, 1)), fields="u", equations=(Equation(alone), Equation(other, on="boundary")))
    made = system(problem, Features(5, bandwidth=2.0), points=4)
    r, j = made.linearise(made.initial())
    assert not j[made.rows["alone"]].any()
    assert r[made.rows["alone"]].all()
    second = made.rows["other"].start + 2  # two points at the ends, then the second component
    assert j[made.rows["other"].start : second].any()
    assert not j[second:].any()
