"""How the weights of networks are drawn: Glorot, SIREN, box and residual box, and ridges."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pinnml import KAN, MLP, Box, Features, MultichannelMLP, Periodic
from pinnml.calculus import total_order
from pinnml.domains import Domain
from pinnml.networks import Network, NetworkSettings, Perceptron
from pinnml.networks.initialisation import Ridges, directions, residual_box
from pinnml.networks.spline_layers import SplineLayers

UNIT = Box(x=(0, 1), y=(0, 1))
MIXED = Box(x=(-1, 2), y=Periodic(0, 3))


def build(
    settings: NetworkSettings,
    domain: Domain = UNIT,
    columns: int = 1,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Network:
    generator = torch.Generator().manual_seed(seed)
    return settings.build(domain, columns, generator, dtype, torch.device("cpu")).requires_grad_(False)


def layers(network: Network) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases, first layer first."""
    assert isinstance(network.basis, Perceptron)
    return list(network.basis.weights), list(network.basis.biases)


@pytest.mark.parametrize("width", [60, 240])
def test_glorot_weights_have_the_variance_two_over_inputs_plus_outputs(width):
    network = build(MLP(width, 3, "tanh"), columns=40)
    first, *hidden = layers(network)[0]
    few_percent = 5 * math.sqrt(2 / (2 * width))  # five standard deviations of the variance of the smallest sample
    assert float((first / 2).var()) == pytest.approx(2 / (2 + width), rel=few_percent)
    for weight in hidden:
        assert float(weight.var()) == pytest.approx(2 / (width + width), rel=5 * math.sqrt(2) / width)
    assert float(network.coef.var()) == pytest.approx(2 / (width + 1 + 40), rel=5 * math.sqrt(2 / (40 * width)))


def test_the_first_glorot_layer_sees_the_unit_box_from_minus_one_to_one():
    weights, biases = layers(build(MLP(50, 3, "tanh")))
    middle = torch.full((2,), 0.5, dtype=torch.float64)
    assert float((middle @ weights[0] + biases[0]).abs().max()) < 1e-15
    assert not any(bias.any() for bias in biases[1:])


def test_siren_weights_are_uniform_to_the_bandwidth_and_to_the_root_of_six_over_inputs():
    (first, *hidden), biases = layers(build(MLP(256, 3, "sine", bandwidth=(20.0, 5.0))))
    for weight, bound in ((first[0], 20.0), (first[1], 5.0), *((weight, math.sqrt(6 / 256)) for weight in hidden)):
        assert float(weight.abs().max()) == pytest.approx(bound, rel=0.02)
        assert float(weight.abs().max()) <= bound
        assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.02)
    for bias in biases:
        assert 0 <= float(bias.min()) < 0.2
        assert 2 * math.pi - 0.2 < float(bias.max()) <= 2 * math.pi


def extremes(weight: Tensor, bias: Tensor, side: float) -> tuple[Tensor, Tensor]:
    """The least and the largest of w.x + b over the box [0, side]^e, each neuron's own."""
    up, down = weight.clamp(min=0).sum(dim=0), weight.clamp(max=0).sum(dim=0)
    return side * down + bias, side * up + bias


def assert_folds_in_box(weight: Tensor, bias: Tensor, side: float, share: float) -> None:
    """Every fold w.x + b = 0 runs through the box, and the largest value in it is `share`."""
    least, largest = extremes(weight, bias, side)
    assert float(least.max()) < 0
    assert float((largest - share).abs().max()) <= 1e-12
    assert float(torch.linalg.vector_norm(weight, dim=0).max()) <= 100 * share / side


@pytest.mark.parametrize(("depth", "domain"), [(1, UNIT), (3, UNIT), (2, MIXED)])
def test_box_layers_place_their_folds_in_the_unit_box_and_rise_to_one(depth, domain):
    for weight, bias in zip(*layers(build(MLP(400, depth, "relu", "box"), domain)), strict=True):
        assert_folds_in_box(weight, bias, side=1, share=1)
        with pytest.raises(AssertionError):  # the wrong sign of the bias, as some have it
            assert_folds_in_box(weight, -bias, side=1, share=1)


def test_folds_of_a_box_layer_are_spread_evenly_over_a_line():
    ((weight,),), (bias,) = layers(build(MLP(20_000, 1, "relu", "box"), Box(x=(0, 1))))
    fold = -bias / weight
    reach = torch.where(weight > 0, 1 - fold, fold)  # from the fold to the end of the line that lies ahead
    assert float((weight.abs() * reach - 1).abs().max()) < 1e-12
    counts = torch.histc(fold, 10, 0, 1) / len(fold)
    assert counts.tolist() == pytest.approx([0.1] * 10, abs=0.012)  # five standard deviations, and the redrawn


def test_directions_of_a_box_layer_are_isotropic():
    (weight,), _ = layers(build(MLP(20_000, 1, "relu", "box")))
    unit = weight / torch.linalg.vector_norm(weight, dim=0)
    assert (unit @ unit.T / unit.shape[1]).flatten().tolist() == pytest.approx([0.5, 0, 0, 0.5], abs=0.02)


@pytest.mark.parametrize("depth", [2, 4, 9])
def test_residual_box_layers_grow_their_box_and_share_the_rise(depth):
    network = build(MLP(30, depth, "relu", "box", residual=True))
    weights, biases = layers(network)
    growth, share = 1 + 1 / (depth - 1), 1 / (depth - 1)
    assert_folds_in_box(weights[0], biases[0], side=1, share=1)
    for layer, (weight, bias) in enumerate(zip(weights[1:], biases[1:], strict=True), start=2):
        assert_folds_in_box(weight, bias, side=growth ** (layer - 2), share=share)
    x = torch.rand((500, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = network.basis(network.inputs(x, total_order(UNIT.axes, 0))).value[:, :-1]
    assert float(state.min()) >= 0
    assert float(state.max()) <= growth ** (depth - 1) < math.e


def test_the_exponent_of_the_growing_box_is_seen():
    weight, bias = residual_box(4, 5, 30, torch.Generator().manual_seed(0))
    assert_folds_in_box(weight, bias, side=1.25**2, share=0.25)
    with pytest.raises(AssertionError):
        assert_folds_in_box(weight, bias, side=1.25**3, share=0.25)


def test_ridges_other_than_sines_run_through_their_centres():
    ridges = Ridges.draw(64, torch.tensor([9.0, 3.0], dtype=torch.float64), "tanh", torch.Generator().manual_seed(0))
    weight, bias = ridges.layer()
    assert float(((weight * ridges.centres).sum(dim=0) + bias).abs().max()) < 1e-14
    assert 0 <= float(ridges.centres.min()) < float(ridges.centres.max()) <= 1
    few = ridges.thinned(10).layer()
    assert torch.equal(few[0], weight[:, :10])
    assert torch.equal(few[1], bias[:10])


@pytest.mark.parametrize("settings", [MLP(8, 2), MLP(8, 3, "relu", "box"), Features(8)])
def test_weights_are_drawn_from_the_generator_alone_and_then_moved(settings):
    torch.manual_seed(1)
    first = build(settings, seed=3).state_dict()
    torch.manual_seed(2)
    again, other, single = (
        build(settings, **o).state_dict() for o in ({"seed": 3}, {"seed": 4}, {"seed": 3, "dtype": torch.float32})
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["basis.weights.0"], other["basis.weights.0"])
    assert all(torch.equal(first[name].float(), single[name]) for name in first)


# Spline networks


def widest_gap(lines: Tensor) -> float:
    """The widest angle, in degrees, between neighbours among the lines along vectors (2, k)."""
    angles = torch.rad2deg(torch.atan2(lines[1], lines[0])).remainder(180).sort().values
    return float(torch.cat([angles, angles[:1] + 180]).diff().max())


@pytest.mark.parametrize("seed", range(10))
def test_directions_leave_no_gaps(seed):
    generator = torch.Generator().manual_seed(seed)
    found = directions(2, 20, generator)
    torch.testing.assert_close(torch.linalg.vector_norm(found, dim=0), torch.ones(20, dtype=torch.float64))
    even = 180 / 20
    assert widest_gap(found) < 2 * even
    # independent draws fail this: of ten sets of twenty lines hardly one has no gap of twice the mean
    assert widest_gap(torch.randn((2, 20), generator=generator, dtype=torch.float64)) > 2 * even


def test_directions_in_space_are_farther_apart_than_independent_ones():
    def nearest(lines: Tensor) -> float:
        cosines = (lines.mT @ lines).abs() - torch.eye(lines.shape[1], dtype=torch.float64)
        return float(torch.rad2deg(torch.acos(cosines.max())))

    generator = torch.Generator().manual_seed(0)
    independent = torch.randn((3, 20), generator=generator, dtype=torch.float64)
    independent /= torch.linalg.vector_norm(independent, dim=0)
    assert nearest(directions(3, 20, generator)) > 20 > 2 * nearest(independent)


@pytest.mark.parametrize(
    ("normalise", "reach", "furthest"), [("tanh", 3.0, 3.0), ("sigmoid", 3.0, 3.0), ("none", 3.0, 1.0)]
)
def test_a_linear_first_layer_reaches_as_far_into_its_normaliser_as_asked(normalise, reach, furthest):
    network = build(KAN(20, 1, first="linear", normalise=normalise, reach=reach))
    assert isinstance(network.basis, SplineLayers)
    corners = network.basis.weights[0].abs().sum(dim=0)  # the largest w.(2 x - 1) of the unit box
    torch.testing.assert_close(corners, torch.full((20,), furthest, dtype=torch.float64))


@pytest.mark.parametrize("kind", [KAN, MultichannelMLP])
def test_splines_without_roughness_begin_as_lines(kind):
    x = torch.rand((50, 2), generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def bend(roughness: float, intervals: int) -> float:
        network = build(kind(4, 2, order=4, intervals=intervals, roughness=roughness))
        jets = network(network.inputs(x, total_order(UNIT.axes, 2)))
        return float(jets.coefficients[3:].abs().max() / jets.coefficients[1:3].abs().max())

    assert bend(0.0, 20) < 1e-9  # the power-ReLU basis loses 5e-12 of a spline, h^-2 times that of its bend
    # second derivatives of a random part grow as the square of the number of intervals
    assert 5 < bend(1e-4, 20) / bend(1e-4, 5) < 50
