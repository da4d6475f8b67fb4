"""Networks: their values and derivatives, how their weights are drawn, and which settings are refused."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from pinnml import MLP, Adam, Box, Equation, Features, Periodic, Problem, Wrapped, laplacian
from pinnml.calculus import ridge_functions, total_order
from pinnml.domains import Domain
from pinnml.errors import CouplingError, PinnmlError, SettingsError, UnknownNameError
from pinnml.networks import Network, NetworkSettings, Perceptron
from tests.helpers.catalogue import system
from tests.helpers.solving import solve_once
from tests.helpers.truth import assert_derivatives, autograd_derivatives

UNIT = Box(x=(0, 1), y=(0, 1))
MIXED = Box(x=(-1, 2), y=Periodic(0, 3))
X = torch.tensor([[-0.7, 0.2], [0.1, 1.3], [0.6, 2.9], [1.9, 0.4], [0.33, 1.9]], dtype=torch.float64)
ACTIVATIONS = {"sine": torch.sin, "tanh": torch.tanh, "gaussian": lambda z: torch.exp(-z * z), "relu": torch.relu}
#: Products of a few matrices and derivatives of third order, of size up to a thousand.
ROUND_OFF = 1e-12


def build(settings: NetworkSettings, domain: Domain = UNIT, columns: int = 1, seed: int = 0, **options) -> Network:
    chosen = {"dtype": torch.float64, "device": torch.device("cpu"), **options}
    return settings.build(domain, columns, torch.Generator().manual_seed(seed), **chosen)


def perceptron(network: Network) -> Perceptron:
    assert isinstance(network.basis, Perceptron)
    return network.basis


def embedded(x: Tensor, y: Tensor) -> Tensor:
    """The inputs of a network on MIXED: x to [0, 1], y to a circle in the unit square."""
    angle = 2 * math.pi * y / 3
    return torch.stack([(x + 1) / 3, (1 + torch.cos(angle)) / 2, (1 + torch.sin(angle)) / 2], dim=1)


def plain(network: Network, activation: str, residual: bool, inputs: Tensor, column: int) -> Tensor:
    """A perceptron written out once more with plain tensors, from the same weights."""
    layers = list(zip(perceptron(network).weights, perceptron(network).biases, strict=True))
    a = ACTIVATIONS[activation](inputs @ layers[0][0] + layers[0][1])
    for weight, bias in layers[1:]:
        branch = ACTIVATIONS[activation](a @ weight + bias)
        a = a + branch if residual else branch
    return a @ network.coef[:-1, column] + network.coef[-1, column]


def assert_network(network: Network, function, order: int = 3) -> None:
    """Every derivative up to an order of every output is that of a function of (x, y, column)."""
    indices = total_order(MIXED.axes, order)
    outputs = network(network.inputs(X, indices))
    for column in range(outputs.shape[1]):
        truth = autograd_derivatives(lambda x, y, m=column: function(x, y, m), X, indices)
        assert_derivatives(outputs.map(lambda c, m=column: c[..., m].detach()), truth, ROUND_OFF)


@pytest.mark.parametrize(
    ("activation", "init", "residual"), list(product(ACTIVATIONS, ("glorot", "siren", "box"), (False, True)))
)
def test_values_and_derivatives_are_those_of_a_plain_perceptron(activation, init, residual):
    settings = MLP(5, 3, activation, init, residual)
    network = build(settings, MIXED, columns=2)
    assert_network(network, lambda x, y, m: plain(network, activation, residual, embedded(x, y), m))
    with pytest.raises(AssertionError):
        assert_network(network, lambda x, y, m: plain(network, activation, not residual, embedded(x, y), m))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_features_are_a_perceptron_of_one_layer(activation):
    network = build(Features(7, activation, (2.0, 3.0, 1.0)), MIXED, columns=2)
    with torch.no_grad():
        network.coef.normal_(generator=torch.Generator().manual_seed(1))
    assert_network(network, lambda x, y, m: plain(network, activation, False, embedded(x, y), m))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_many_functions_of_affine_inputs_are_made_another_way_and_are_the_same(activation, monkeypatch):
    extra = Features(7, activation, (2.0, 3.0), extra=lambda x, y: (x * y, torch.exp(y)))
    network = build(extra, UNIT, columns=2)
    indices = total_order(UNIT.axes, 3)
    with torch.no_grad():
        network.coef.normal_(generator=torch.Generator().manual_seed(1))

    def ways(inputs):
        """Outputs and the gradient of their squares, with the one way and the other."""
        for many in (10**9, 1):
            monkeypatch.setattr("pinnml.networks.perceptron.MANY", many)
            outputs = network(inputs).coefficients
            yield [outputs.detach(), *torch.autograd.grad(outputs.square().sum(), list(network.parameters()))]
            with torch.no_grad():
                yield [network(inputs).coefficients]

    calls = []
    monkeypatch.setattr(
        "pinnml.networks.perceptron.ridge_functions", lambda *a, **k: (calls.append(0), ridge_functions(*a, **k))[1]
    )
    for x in (X, X.remainder(1)):
        first, *others = ways(network.inputs(x, indices))
        for other in others:
            for mine, theirs in zip(other, first, strict=False):
                torch.testing.assert_close(mine, theirs, rtol=ROUND_OFF, atol=ROUND_OFF)
    assert len(calls) == 4


@pytest.mark.parametrize("settings", [MLP(6, 2), MLP(6, 1, init="box"), Features(6, bandwidth=2.0)])
def test_inputs_of_the_users_own_are_followed_by_the_derivatives(settings):
    def inputs(x, y):
        return torch.asinh(x / 0.05), torch.cos(2 * math.pi * y / 3)

    network = build(type(settings)(**{**vars(settings), "inputs": inputs}), MIXED)
    with torch.no_grad():
        network.coef.normal_(generator=torch.Generator().manual_seed(1))
    low, high = math.asinh(-1 / 0.05), math.asinh(2 / 0.05)

    def function(x, y, m):
        stretched = (torch.asinh(x / 0.05) - low) / (high - low)
        circled = (torch.cos(2 * math.pi * y / 3) - lowest) / (1 - lowest)
        activation = "tanh" if settings == MLP(6, 2) else "sine"
        return plain(network, activation, False, torch.stack([stretched, circled], dim=1), m)

    lowest = network.inputs._low[1]  # least of a few thousand points: close to -1, and no more than scaling
    assert lowest == pytest.approx(-1, abs=1e-6)
    assert_network(network, function)


def test_inputs_of_the_users_own_fill_the_unit_box():
    network = build(MLP(4, inputs=lambda x, y: (torch.asinh(x / 0.01), 100 * y - 7, x * y)), Box(x=(-3, 5), y=(2, 4)))
    x = torch.cartesian_prod(torch.linspace(-3, 5, 9), torch.linspace(2, 4, 9)).double()
    values = network.inputs(x, total_order(UNIT.axes, 0)).value
    assert network.inputs.size == values.shape[1] == 3
    assert values.amin(dim=0).tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    assert values.amax(dim=0).tolist() == pytest.approx([1, 1, 1], abs=1e-12)


def test_inputs_that_depend_on_the_same_coordinates_are_one_group():
    assert build(MLP(4), Box(x=(0, 1), y=Periodic(0, 3), z=(0, 1))).inputs.groups == [[0], [1, 2], [3]]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (lambda q: (q,), "asks for 'q'"),
        (lambda x: (x.value,), "a tuple of expressions of the axes"),
        (lambda x: None, "a tuple of expressions of the axes"),
    ],
)
def test_inputs_that_are_no_expressions_of_the_axes_are_refused(inputs, told):
    for settings in (MLP(4, inputs=inputs), Features(4, inputs=inputs)):
        with pytest.raises(SettingsError, match=told):
            build(settings)


def test_the_last_function_of_a_basis_is_the_constant_one():
    network = build(MLP(4, 2), MIXED)
    basis = network.basis(network.inputs(X, total_order(MIXED.axes, 2))).coefficients[..., -1]
    assert torch.equal(basis[0], torch.ones(len(X), dtype=torch.float64))
    assert not basis[1:].any()
    assert network.basis.size == network.coef.shape[0] == 5


@pytest.mark.parametrize("bandwidth", [4.0, (4.0, 4.0, 4.0), (30.0, 2.0, 0.5)])
def test_features_take_a_bandwidth_for_every_embedded_input(bandwidth):
    basis = perceptron(build(Features(512, bandwidth=bandwidth), MIXED))
    largest = basis.weights[0].detach().abs().amax(dim=1).tolist()
    expected = [bandwidth] * 3 if isinstance(bandwidth, float) else list(bandwidth)
    assert largest == pytest.approx(expected, rel=0.01)
    assert all(found <= bound for found, bound in zip(largest, expected, strict=True))


@pytest.mark.parametrize("bandwidth", [(1.0, 2.0), (1.0, 2.0, 3.0, 4.0), 0.0, -1.0, (1.0, 0.0, 2.0), "wide", math.inf])
@pytest.mark.parametrize("settings", [Features, lambda bandwidth: MLP(8, 1, bandwidth=bandwidth)])
def test_a_bandwidth_that_does_not_fit_the_inputs_is_refused(settings, bandwidth):
    with pytest.raises(SettingsError) as caught:
        build(settings(bandwidth=bandwidth), MIXED)
    assert_told(caught.value, "bandwidth", "each of the 3 inputs (a periodic axis has two)", str(bandwidth))


def test_the_head_of_features_starts_at_zero_and_what_is_not_given_is_searched_for():
    assert not build(Features(8), columns=3).coef.any()
    searched = {
        Features(8): ("bandwidth",),
        Features(8, "search"): ("bandwidth", "activation"),
        Features(8, "search", 2.0): ("activation",),
        Features(8, "tanh", 2.0): (),
    }
    for settings, names in searched.items():
        ridges = perceptron(build(settings)).ridges
        assert ridges is not None
        assert ridges.searched == names


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: MLP(0), "width"),
        (lambda: MLP(8.0), "width"),
        (lambda: MLP(True), "width"),
        (lambda: MLP(8, 0), "depth"),
        (lambda: MLP(8, 1, residual=True), "depth of 2 or more"),
        (lambda: MLP(8, 2, "tanh", bandwidth=3.0), "init='siren'"),
        (lambda: MLP(8, 1, init="box", bandwidth=3.0), "init='siren'"),
        (lambda: Features(0), "count"),
        (lambda: Features(4.5), "count"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, told):
    with pytest.raises(SettingsError) as caught:
        make()
    assert_told(caught.value, told)


@pytest.mark.parametrize(
    ("make", "kind", "near"),
    [
        (lambda: MLP(activation="tahn"), "activation 'tahn'", "tanh"),
        (lambda: MLP(activation="Sine"), "activation 'Sine'", "sine"),
        (lambda: MLP(init="xglorot"), "init 'xglorot'", "glorot"),
        (lambda: Features(activation="serch"), "activation 'serch'", "search"),
    ],
)
def test_unknown_names_in_settings_are_refused_with_the_nearest_one(make, kind, near):
    with pytest.raises(UnknownNameError) as caught:
        make()
    assert_told(caught.value, f"unknown {kind}", f"did you mean '{near}'?")


def assert_told(error: PinnmlError, *words: str) -> None:
    for word in ("expected: ", "got: ", *words):
        assert word in str(error), str(error)


def test_half_a_network_has_half_the_functions():
    assert MLP(33, 3, "tanh").halved() == MLP(16, 3, "tanh")
    assert Features(400, bandwidth=(1.0, 2.0)).halved() == Features(200, bandwidth=(1.0, 2.0))
    assert MLP(1).halved() is Features(1).halved() is None  # nothing is compared with itself
    assert Wrapped(nn.Linear(2, 2)).halved() is None


class Own:
    """Settings of a user's own, of no kind that the package knows."""

    def build(self, domain, columns, generator, dtype, device):
        return MLP(4, 1).build(domain, columns, generator, dtype, device)

    def halved(self):
        return None


def test_whatever_builds_a_network_will_do_for_settings():
    wall, slope = Equation(lambda u: u, on="boundary", name="wall"), Equation(lambda u: u.d("x") - 1, name="slope")
    problem = Problem(domain=UNIT, fields="u", equations=(slope, wall))
    own, known = (solve_once(problem, settings, Adam(steps=2)) for settings in (Own(), MLP(4, 1)))
    x = X.abs() / 3
    assert (own(x)["u"] == known(x)["u"]).all()


def module(inputs: int = 3, outputs: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, 5), nn.Softplus(), nn.Linear(5, outputs))


def test_a_wrapped_module_gives_its_first_outputs_with_their_derivatives():
    own = module()
    network = build(Wrapped(own), MIXED, columns=2)
    assert torch.equal(network.coef, torch.eye(4, 2, dtype=torch.float64))
    own.double()
    assert_network(network, lambda x, y, m: own(embedded(x, y))[:, m], order=2)


def test_training_does_not_touch_the_users_module_nor_the_user_the_network():
    own = module()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    settings = Wrapped(own)
    network, other = build(settings, MIXED), build(settings, MIXED)
    kept = [p.detach().clone() for p in other.parameters()]
    torch.optim.SGD(network.parameters(), lr=1.0).zero_grad()
    network(network.inputs(X, total_order(MIXED.axes, 0))).value.square().sum().backward()
    with torch.no_grad():
        for parameter in network.basis.parameters():
            assert parameter.grad is not None
            parameter -= parameter.grad
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
    assert next(own.parameters()).dtype == torch.float32
    with torch.no_grad():
        own[0].weight.zero_()
    assert all(torch.equal(p, value) for p, value in zip(other.parameters(), kept, strict=True))


class Whole(nn.Module):
    """Takes the mean of the samples off: outputs that depend on other rows."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=0)


@pytest.mark.parametrize(
    ("wrapped", "error", "told"),
    [
        (module(outputs=1), SettingsError, "too few outputs"),
        (module(inputs=2), SettingsError, "does not take the inputs"),
        (nn.Flatten(0), SettingsError, r"\(4, k\)"),
        (nn.GRU(3, 4), SettingsError, "tuple"),
        (Whole(), CouplingError, "mixes samples"),
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), CouplingError, "eval"),
        (nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5)), CouplingError, "eval"),
    ],
)
def test_a_module_that_cannot_be_a_basis_is_refused(wrapped, error, told):
    with pytest.raises(error, match=told):
        build(Wrapped(wrapped), MIXED, columns=2)


def test_batch_normalisation_at_rest_may_be_wrapped():
    own = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).eval()
    network = build(Wrapped(own), MIXED)
    own.double()
    assert_network(network, lambda x, y, m: own(embedded(x, y))[:, m], order=1)


RELUS = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 3))


@pytest.mark.parametrize("settings", [MLP(6, 2, "relu", "box"), Features(6, "relu"), Wrapped(RELUS)])
def test_relu_is_refused_under_a_laplacian_and_allowed_under_a_gradient(settings):
    wall = Equation(lambda u: u, on="boundary", name="wall")
    with pytest.raises(SettingsError) as caught:
        system(Problem(domain=UNIT, fields="u", equations=(Equation(laplacian, name="poisson"), wall)), settings)
    assert_told(caught.value, "no derivative of the order", "order 2", "order 1 at most", "tanh")
    slope = Equation(lambda u: u.d("x"), name="slope")
    assert system(Problem(domain=UNIT, fields="u", equations=(slope, wall)), settings).n_residuals
