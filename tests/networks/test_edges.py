"""The functions on the edges: local products, trained knots, the power-ReLU basis, and refinement of all of them."""

from __future__ import annotations

from dataclasses import replace
from math import factorial

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml import KAN, Adam, Box, Equation, MultichannelMLP, Multilevel, Problem
from pinnml.calculus import Jet, total_order
from pinnml.errors import SettingsError
from pinnml.networks import Marking, Network
from pinnml.networks.edges import BSplines, Entry
from pinnml.networks.knots import Knots, free_knots, split_logits
from pinnml.networks.nesting import cancellation, change_of_basis
from pinnml.networks.spline_layers import SplineLayers
from pinnml.networks.spline_network import SplineNetwork
from pinnml.networks.splines import LocalProduct
from pinnml.system import System
from tests.helpers.catalogue import PROBLEMS, system
from tests.helpers.solving import solve_once

ENDS = torch.tensor([-1.0, 1.0], dtype=torch.float64)
PLANE = Box(x=(0, 1), y=(0, 1))
KINDS: dict[str, SplineNetwork] = {
    "fixed": KAN(3, 2, order=5, intervals=4),
    "linear first": KAN(3, 2, order=5, intervals=4, first="linear", bias=True, normalise="range"),
    "sigmoid": KAN(3, 2, order=5, intervals=(3, 4, 5), normalise="sigmoid"),
    "free by layer": KAN(3, 2, order=5, intervals=4, knots="layer"),
    "free by input": KAN(3, 2, order=5, intervals=4, knots="input", first="linear", bias=True),
    "free by edge": KAN(3, 2, order=5, intervals=4, knots="edge"),
    "power relu": MultichannelMLP(3, 2, order=4, intervals=4, normalise="tanh"),
}


def drawn(settings: SplineNetwork, seed: int = 0, columns: int = 2) -> Network:
    """A network with knots and biases moved away from where they start."""
    generator = torch.Generator().manual_seed(seed)
    network = settings.build(PLANE, columns, generator, torch.float64, torch.device("cpu")).requires_grad_(False)
    for name, parameter in network.named_parameters():
        if "logits" in name or "biases" in name:
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return network


def spread(n: int = 200, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((n, 2)))


def jets(network: Network, x: Tensor, order: int = 2) -> Jet:
    return network(network.inputs(x, total_order(PLANE.axes, order)))


def basis_of(network: Network) -> SplineLayers:
    assert isinstance(network.basis, SplineLayers)
    return network.basis


# Products


@pytest.mark.parametrize("settings", [KAN(3, 1, order=4, intervals=12), KAN(4, 2, order=3, intervals=6)])
def test_products_without_the_zeros_are_those_with_them(settings):
    network = drawn(settings)
    x = network.inputs(spread(), total_order(PLANE.axes, 2))
    whole = network.basis(x).coefficients @ network.coef  # functions in their places, zeros and all
    np.testing.assert_allclose(network(x).coefficients, whole, atol=1e-14 * float(whole.abs().max()))


@pytest.mark.parametrize("gathered", [4, 2**18])
def test_the_local_product_can_be_differentiated(gathered, monkeypatch):
    monkeypatch.setattr("pinnml.networks.splines.GATHERED", {"cpu": gathered})
    generator = torch.Generator().manual_seed(0)
    local = torch.randn((2, 5, 3), generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn((7, 2), generator=generator, dtype=torch.float64, requires_grad=True)
    rows = torch.randint(0, 7, (5, 3), generator=generator)
    assert torch.autograd.gradcheck(lambda a, w: LocalProduct.apply(a, rows, w), (local, weight))
    known = torch.einsum("knj,njo->kno", local, weight[rows])
    torch.testing.assert_close(LocalProduct.apply(local, rows, weight), known)


# Trained knots


def test_free_knots_keep_their_order_their_ends_and_their_distance():
    logits = 30 * torch.randn((4, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    least = torch.tensor(0.1 / 6, dtype=torch.float64)
    t = free_knots(logits, ENDS, 4, least)
    assert t.shape == (4, 6 + 2 * 4 - 1)
    spans = t.diff(dim=1)
    # the smallest span is 2 * 0.1 / 6, to round-off of numbers near one
    assert float(spans.min()) > 2 * float(least) - 1e-15
    np.testing.assert_allclose(t[:, [3, -4]], [[-1.0, 1.0]] * 4, atol=1e-15)
    np.testing.assert_allclose(spans[:, :3], spans[:, 3:4].expand(-1, 3), rtol=1e-13)
    np.testing.assert_allclose(free_knots(torch.zeros(5), ENDS, 2, least)[1:-1], np.linspace(-1, 1, 6), atol=1e-7)


def test_split_logits_halve_the_marked_spans_and_leave_the_others():
    logits = torch.tensor([-40.0, 0.3, 1.0, -0.2], dtype=torch.float64)
    least, marked = torch.tensor(0.02, dtype=torch.float64), torch.tensor([True, False, True, False])
    before = free_knots(logits, ENDS, 2, least)[1:-1]
    after = free_knots(split_logits(logits, marked, least), ENDS, 2, least / 2)[1:-1]
    middles = (before[:-1] + before[1:])[marked] / 2
    np.testing.assert_allclose(after, torch.cat([before, middles]).sort().values, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_knots_move_under_training_and_help(seed):
    def fit(u, x):
        return u - torch.tanh(20 * (x - 0.3))

    problem = Problem(domain=Box(x=(0, 1)), fields=("u",), equations=(Equation(fit),), ansatz=lambda u: u)
    errors = []
    for knots in ("fixed", "input"):
        network = KAN(1, 1, order=4, intervals=8, first="linear", knots=knots)
        solution = solve_once(problem, network, Adam(steps=300, rate=0.02), points=200, rule="grid", seed=seed)
        errors.append(solution.history[-1]["loss"])
    assert errors[1] < errors[0] / 5


# Refinement


@pytest.mark.parametrize("kind", KINDS)
def test_refinement_changes_neither_values_nor_derivatives(kind):
    network, x = drawn(KINDS[kind]), spread()
    before = jets(network, x).coefficients
    for _ in range(3):
        network = network.refined()[0].requires_grad_(False)
        after = jets(network, x).coefficients
        intervals = max(edges.intervals for edges in basis_of(network)._edges)
        for place, index in enumerate(total_order(PLANE.axes, 2).indices):
            # spacings divide round-off, once for each derivative; the power-ReLU terms cancel like n^(r - 1)
            limit = max(1e-12, 50 * 2.2e-16 * intervals ** (sum(index) + 3 * (kind == "power relu")))
            limit *= 10 if kind.startswith("free") else 1  # knots that come out of a softmax are themselves rounded
            assert float((after[place] - before[place]).abs().max()) <= limit * float(before[place].abs().max())


@pytest.mark.parametrize("kind", KINDS)
def test_local_refinement_changes_nothing_either(kind):
    network, x = drawn(KINDS[kind]), spread()
    before = jets(network, x).coefficients
    order_zero = total_order(PLANE.axes, 0)
    squares = torch.exp(-50 * (x - 0.8).square().sum(dim=1))
    counts = [edges.intervals for edges in basis_of(network)._edges]
    for _ in range(2):
        marking = Marking(network.inputs(x, order_zero), squares, 0.5)
        network = network.refined(marking)[0].requires_grad_(False)
    after = jets(network, x).coefficients
    now = [edges.intervals for edges in basis_of(network)._edges]
    assert all(n < m < 4 * n for n, m in zip(counts, now, strict=True))
    limit = 1e-9 if kind == "power relu" else 2e-11
    np.testing.assert_allclose(after, before, atol=limit * float(before.abs().max()))


def test_knots_go_where_the_residual_is():
    basis = basis_of(drawn(KAN(2, 1, order=4, intervals=8, knots="input")))
    x = spread(2000)
    squares = ((x[:, 0] > 0.75) & (x[:, 1] < 0.25)).double()
    inputs = Jet(total_order(PLANE.axes, 0), x.unsqueeze(0))
    first = basis._marked(Marking(inputs, squares, 0.9))[0]
    inner = basis._edges[0].inner
    assert float(inner[0, :-1][first[0]].min()) > 0.5  # splits along x on the right only
    assert float(inner[1, 1:][first[1]].max()) < 0.5  # and along y at the bottom
    assert int(first[0].sum()) == int(first[1].sum()) < 8


@pytest.mark.parametrize("kind", KINDS)
def test_prolongation_carries_gradients_back_by_its_transpose(kind):
    coarse = system(PROBLEMS["burgers"](), KINDS[kind], points=15)
    theta = coarse.initial()
    fine, start, prolong = coarse.refine(theta)
    known, on_fine = coarse.loss_and_gradient(theta)[1], fine.loss_and_gradient(start)[1]
    difference = torch.func.vjp(prolong, torch.zeros_like(theta))[1](on_fine)[0] - known
    for name, place in coarse.layout.columns.items():
        if "logits" in name:  # half a span is not half a logit: directions of these do not keep the fields
            difference[place] = 0.0
    limit = 1e-11 if kind == "power relu" else 1e-12  # whose terms cancel
    assert float(difference.abs().max()) <= limit * float(known.abs().max())


def test_the_marked_intervals_cover_the_share_and_no_fewer_would():
    basis = basis_of(drawn(KAN(2, 1, order=4, intervals=20)))
    x, squares = spread(3000), torch.rand(3000, generator=torch.Generator().manual_seed(3), dtype=torch.float64) ** 4
    marking = Marking(Jet(total_order(PLANE.axes, 0), x.unsqueeze(0)), squares, 0.6)
    marked = basis._marked(marking)[0][0]
    sums = torch.zeros(20, dtype=torch.float64)
    for column in x.T:
        sums.index_add_(0, (20 * column).long(), squares)
    assert float(sums[marked].sum()) >= 0.6 * float(sums.sum())
    assert float(sums[marked].sum() - sums[marked].min()) < 0.6 * float(sums.sum())


def test_a_collapsed_span_can_be_split_and_has_finite_logits():
    least, marked = torch.tensor(0.02, dtype=torch.float64), torch.tensor([True, True, False, False])
    logits = torch.tensor([-60.0, 0.0, 1.0, -70.0], dtype=torch.float64)
    assert bool(split_logits(logits, marked, least).isfinite().all())


def test_trained_knots_are_refined_in_single_precision_too():
    network = drawn(KAN(3, 1, order=5, intervals=4, knots="edge")).float()
    inputs = network.inputs(spread().float(), total_order(PLANE.axes, 0))
    before = network(inputs).value
    squares = torch.rand(200, generator=torch.Generator().manual_seed(0))
    after = network.refined(Marking(inputs, squares, 0.5))[0].requires_grad_(False)(inputs).value
    np.testing.assert_allclose(after, before, atol=1e-4 * float(before.abs().max()))


def test_normalised_values_are_what_they_say():
    for name, function in {"tanh": torch.tanh, "sigmoid": lambda z: 2 * torch.sigmoid(z) - 1}.items():
        plain, bound = (drawn(KAN(3, 1, order=4, intervals=4, normalise=each)) for each in ("none", name))
        x = plain.inputs(spread(), total_order(PLANE.axes, 0))
        z, found = (basis_of(network).arguments(x)[1][1] for network in (plain, bound))
        np.testing.assert_allclose(found, function(z), atol=1e-14)


def test_directions_stay_in_range_whatever_their_lengths():
    network = drawn(KAN(3, 1, order=4, intervals=4, first="linear", normalise="range"))
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 2)
    inputs = Jet(total_order(PLANE.axes, 0), corners[None])
    values = basis_of(network).arguments(inputs)[0][1]
    assert float(values.abs().max()) <= 1 + 1e-15
    basis_of(network).weights[0].mul_(7.0)
    np.testing.assert_allclose(basis_of(network).arguments(inputs)[0][1], values, atol=1e-15)
    lengths = torch.linalg.vector_norm(basis_of(network.refined()[0]).weights[0], dim=0)
    np.testing.assert_allclose(lengths.detach(), 1.0, atol=1e-15)


def test_the_share_beyond_the_knots_is_a_mean_over_layers():
    network = drawn(KAN(3, 1, order=4, intervals=4))
    x = Jet(total_order(PLANE.axes, 0), torch.tensor([[[0.5, 2.0], [0.5, 0.5]]], dtype=torch.float64))
    hidden = basis_of(network).arguments(x)[1][1].abs() > 1
    expected = (0.25 + float(hidden.double().mean())) / 2
    assert network.basis.remarks(x)["share beyond the knots"] == pytest.approx(expected)


@pytest.mark.parametrize(("knots", "numbers"), [("fixed", 5 * 4), ("input", 5 * 4), ("edge", 5 * 5 * 4)])
def test_knots_of_each_edge_mean_as_many_values_at_a_sample(knots, numbers):
    """What chunks of samples are cut by: values of functions that are not zero, four for each argument or edge."""
    assert drawn(KAN(5, 2, order=4, knots=knots)).basis.numbers == numbers


def test_one_node_is_not_compared_with_itself():
    assert KAN(1, 1).halved() is None
    assert KAN(4, 1).halved() == KAN(2, 1)


# The power-ReLU basis


@pytest.mark.parametrize("order", [3, 4, 5])
@pytest.mark.parametrize("first", ["spline", "linear"])
def test_both_bases_hold_the_same_function_everywhere(order, first):
    options = {"order": order, "intervals": 6, "first": first, "normalise": "tanh" if first == "spline" else "none"}
    spline, relu = (drawn(kind(4, 2, **options)) for kind in (KAN, MultichannelMLP))
    x = spread()
    expected = jets(spline, x, 1).coefficients
    np.testing.assert_allclose(jets(relu, x, 1).coefficients, expected, atol=1e-9 * float(expected.abs().max()))
    edges = [b._edges[-1] for b in map(basis_of, (spline, relu))]
    beyond = Jet(total_order(PLANE.axes, 0), 1.4 * (2 * torch.rand((1, 50, 4), dtype=torch.float64) - 1))
    u = torch.randn((edges[0].size * 4, 1), dtype=torch.float64)
    knots = Knots.uniform(-1.0, 1.0, 6, order)
    a = knots.spacing ** (order - 1) * change_of_basis(knots)
    w = torch.einsum("piq,ij->pjq", u.view(4, -1, 1), a).flatten(end_dim=1)
    by_spline, by_relu = (e.features(beyond, None, "").value @ c for e, c in zip(edges, (u, w), strict=True))
    np.testing.assert_allclose(by_relu, by_spline, atol=1e-9 * float(by_spline.abs().max()))


@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_gradient_step_in_one_basis_is_a_preconditioned_one_in_the_other(order):
    problem = Problem(
        domain=PLANE, fields=("u",), equations=(Equation(lambda u, x: u - x**2, name="fit"),), ansatz=lambda u: u
    )
    spline, relu = (system(problem, kind(3, 1, order=order, intervals=10)) for kind in (KAN, MultichannelMLP))
    knots = [Knots.uniform(*ends, 10, order) for ends in ((0.0, 1.0), (-1.0, 1.0))]
    scaled = [each.spacing ** (order - 1) * change_of_basis(each) for each in knots]
    blocks = [(2, 3, scaled[0]), (3, 1, scaled[1])]
    u = spline.initial()
    w = _mapped(u, blocks, lambda part, a: torch.einsum("piq,ij->pjq", part, a))
    np.testing.assert_allclose(float(relu.loss(w)), float(spline.loss(u)), rtol=1e-10)
    by_u, by_w = spline.loss_and_gradient(u)[1], relu.loss_and_gradient(w)[1]
    # grad_u = A grad_w, so that w - eta grad_w is u - eta A^-T A^-1 grad_u
    np.testing.assert_allclose(
        _mapped(by_w, blocks, lambda part, a: torch.einsum("pjq,ij->piq", part, a)), by_u, atol=1e-9 * by_u.abs().max()
    )
    step = _mapped(w - 1e-3 * by_w, blocks, lambda part, a: torch.einsum("pjq,ji->piq", part, torch.linalg.inv(a)))
    inverse = [(p, q, torch.linalg.inv(a)) for p, q, a in blocks]
    expected = u - 1e-3 * _mapped(by_u, inverse, lambda part, b: torch.einsum("piq,ik->pkq", part, b.mT @ b))
    np.testing.assert_allclose(step, expected, atol=1e-9 * float(expected.abs().max()))


def _mapped(theta: Tensor, blocks: list, function) -> Tensor:
    """A vector of weights, edge by edge through a matrix."""
    parts, start = [], 0
    for p, q, a in blocks:
        size = p * len(a) * q
        parts.append(function(theta[start : start + size].view(p, len(a), q), a).reshape(-1))
        start += size
    return torch.cat(parts)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_tangent_kernel_of_splines_is_bounded_by_that_of_relus(order):
    fit = Equation(lambda u, x: u - x, name="fit")
    problem = Problem(domain=PLANE, fields=("u",), equations=(fit,), ansatz=lambda u: u)
    settings = {"order": order, "intervals": 6, "normalise": "tanh"}
    spline, relu = (system(problem, kind(4, 2, **settings)) for kind in (KAN, MultichannelMLP))
    by_u, by_w = (torch.linalg.svdvals(s.jacobian(s.initial()))[0] for s in (spline, relu))
    assert float(by_u / by_w) ** 2 <= (2**order / factorial(order - 1)) ** 2


# What is refused


def test_single_precision_is_refused_where_relus_lose_their_digits():
    problem = Problem(
        domain=PLANE, fields=("u",), equations=(Equation(lambda u, x: u - x, name="fit"),), ansatz=lambda u: u
    )
    for settings in (MultichannelMLP(order=4, intervals=40), MultichannelMLP(order=5, intervals=10)):
        with pytest.raises(SettingsError, match=r"lost to rounding[^$]*with order"):
            solve_once(problem, settings, Adam(steps=1), points=50, dtype=torch.float32)
    for settings in (MultichannelMLP(order=2, intervals=40), KAN(order=4, intervals=160)):
        solve_once(problem, settings, Adam(steps=1), points=50, dtype=torch.float32)
    # so are finer levels, and double precision where it does not suffice: h^-11 is 1e13
    finer = Multilevel(inner=Adam(steps=1), levels=4)
    with pytest.raises(SettingsError, match="single precision"):
        solve_once(problem, MultichannelMLP(order=4, intervals=5), finer, points=50, dtype=torch.float32)
    with pytest.raises(SettingsError, match="double precision"):
        solve_once(problem, MultichannelMLP(order=12, intervals=64), Adam(steps=1), points=50)
    # two layers of what is just refused would be told to mix samples
    with pytest.raises(SettingsError, match="double precision"):
        solve_once(problem, MultichannelMLP(depth=2, order=6, intervals=64), Adam(steps=1), points=50)
    solve_once(problem, MultichannelMLP(depth=2, order=6, intervals=32), Adam(steps=1), points=50)
    # the figure in the message is the size of the cancellation: within ten times of the measured 1e-2
    assert 1e-3 < 1.2e-7 * cancellation(Knots.uniform(-1.0, 1.0, 40, 4)) < 1e-1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"knots": "nodes"}, "choice of knots"),
        ({"least_span": 1.0}, "least_span"),
        ({"bias": 1}, "True or False"),
        ({"intervals": (4, 4, 4)}, "2 numbers"),
        ({"intervals": (4, 0)}, "whole number"),
        ({"normalise": "softmax"}, "normalise"),
        ({"normalise": "range"}, "linear first layer"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, words):
    with pytest.raises(Exception, match=words) as caught:
        KAN(3, 1, **options)
    assert caught.type.__module__ == "pinnml.errors"


def test_intervals_may_differ_from_layer_to_layer():
    network = drawn(KAN(3, 2, intervals=(8, 4, 2)))
    assert [edges.intervals for edges in basis_of(network)._edges] == [8, 4, 2]
    assert network.basis.settled == {"intervals": [8, 4, 2]}
    assert drawn(replace(KAN(3, 2), intervals=6)).basis.settled == {"intervals": 6}


def test_splines_of_their_own_on_every_edge_are_what_they_say():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((6, 5), generator=generator, dtype=torch.float64)
    least = torch.tensor(0.02, dtype=torch.float64)
    t = free_knots(logits, ENDS, 4, least)
    edges = BSplines(t, 4, 2, outputs=3, least=0.02).requires_grad_(False)
    np.testing.assert_allclose(edges.knots, t, atol=1e-14)
    weight = torch.randn((2 * 8, 3), generator=generator, dtype=torch.float64)
    x = 2 * torch.rand((30, 2), generator=generator, dtype=torch.float64) - 1
    indices = total_order(PLANE.axes, 0)
    z = edges.product(Jet(indices, x.unsqueeze(0)), weight, None, Entry("", ""))[0]
    for q in range(3):
        total = torch.zeros(30, dtype=torch.float64)
        for p in range(2):
            one = BSplines(t[3 * p + q][None], 4, 1)
            features = one.features(Jet(indices, x[None, :, p : p + 1]), None, "").value
            total += features @ weight[8 * p : 8 * p + 8, q]
        np.testing.assert_allclose(z[:, q], total, atol=1e-13)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_finds_the_same_rows_jacobian_and_gradient(kind):
    def found(device: str) -> list[Tensor]:
        problem, generator = PROBLEMS["burgers"](), torch.Generator().manual_seed(0)
        network = KINDS[kind].build(problem.domain, 1, generator, torch.float64, torch.device(device))
        system = System.build(problem, network, {"interior": problem.domain.sample("interior", 100, generator)})
        system, theta, _ = system.refine(system.initial(), 0.5)
        return [each.cpu() for each in (*system.linearise(theta), system.loss_and_gradient(theta)[1])]

    for here, there in zip(found("cpu"), found("cuda"), strict=True):
        torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-10 * float(here.abs().max()))
