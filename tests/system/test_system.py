"""System: what its rows are, what its measures mean, and what its copies keep."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pinnml import MLP, Box, Equation, Features, Points, Problem, div, grad, laplacian
from pinnml.calculus import total_order
from pinnml.domains import Sample
from pinnml.errors import CouplingError
from pinnml.system import System
from tests.helpers.catalogue import NETWORKS, PROBLEMS, system
from tests.helpers.truth import autograd_derivatives

BOX = Box(x=(0, 2), y=(0, 3))
WALL = Equation(lambda u: u, on="boundary", name="wall")
SMALL = Features(8, bandwidth=2.0)


def problem(residual, *, fields="u", integral=False, weight=1.0, **rest) -> Problem:
    """One equation named `inside`, and u = 0 at the wall."""
    inside = Equation(residual, name="inside", integral=integral, weight=weight)
    return Problem(domain=BOX, fields=fields, equations=(inside, WALL), **rest)


def at_rest(made: Problem, n: int = 64, rule: str = "gauss") -> tuple[System, Tensor]:
    """A system whose network is zero, so that residuals are known functions of the coordinates; and its theta."""
    network = SMALL.build(BOX, made.columns, torch.Generator(), torch.float64, torch.device("cpu"))
    regions = dict.fromkeys(term.region for term in made.terms)
    samples = {region: BOX.sample(region, n, torch.Generator().manual_seed(0), rule) for region in regions}
    built = System.build(made, network, samples)
    return built, built.initial()


@pytest.mark.parametrize("n", [16, 100, 400])
@pytest.mark.parametrize("weight", [1.0, 7.0])
def test_the_loss_is_half_the_integral_of_the_square_at_any_number_of_points(n, weight):
    made, theta = at_rest(problem(lambda u, x, y: u - x * y, weight=weight), n)
    exact = 0.5 * weight * (2**3 / 3) * (3**3 / 3)  # Gauss points are exact for x^2 y^2
    assert float(made.loss(theta)) == pytest.approx(exact, rel=1e-13)


def test_the_integral_over_the_boundary_is_over_all_its_faces():
    wall = Equation(lambda u, x: u - x, on="boundary", name="wall")
    made, theta = at_rest(Problem(domain=BOX, fields="u", equations=(Equation(lambda u: u, name="inside"), wall)))
    exact = 3 * 0**2 + 3 * 2**2 + 2 * (2**3 / 3)  # the integral of x^2 over x = 0, x = 2, y = 0 and y = 3
    assert float(made.loss(theta)) == pytest.approx(exact / 2, rel=1e-13)


def test_complex_rows_are_split_into_real_and_imaginary_ones():
    made, theta = at_rest(problem(lambda u, x, y: (u - (x + 2j * y), u - y), fields={"u": complex}), n=16)
    n, rows = len(made.blocks[0]), made.rows["inside"]
    scale, (x, y) = made.blocks[0].sample.weight.sqrt(), made.blocks[0].sample.x.unbind(1)
    assert rows == slice(0, 4 * n)
    expected = torch.cat([-scale * part for part in (x, 2 * y, y, 0 * y)])
    assert torch.allclose(made.residual(theta)[rows], expected, rtol=1e-14, atol=0)
    assert made.rms(theta)["inside"] == pytest.approx(
        math.sqrt(float((scale**2 * (x**2 + 5 * y**2)).sum() / 6)), rel=1e-14
    )


@pytest.mark.parametrize("weight", [1.0, 9.0])
def test_an_integral_equation_is_one_row_of_the_weighted_sum(weight):
    made, theta = at_rest(problem(lambda u, x, y: u - x * y, integral=True, weight=weight))
    exact = -math.sqrt(weight) * (2**2 / 2) * (3**2 / 2)
    assert made.rows["inside"] == slice(0, 1)
    assert float(made.residual(theta)[0]) == pytest.approx(exact, rel=1e-13)
    assert made.rms(theta)["inside"] == pytest.approx(9.0, rel=1e-13)


def test_trainable_parameters_stand_between_the_hidden_ones_and_the_head():
    def inside(u, alpha, beta, x, y):
        return u - alpha * x - beta**2 * y

    made, theta = at_rest(problem(inside, parameters={"alpha": 0.5, "beta": 3.0}), n=16)
    place = made.hidden.stop - 2
    assert theta[place : made.hidden.stop].tolist() == [0.5, 3.0]
    assert made.parameters_at(theta) == {"alpha": 0.5, "beta": 3.0}
    rows, sample = made.rows["inside"], made.blocks[0].sample
    slopes = -sample.weight.sqrt().unsqueeze(1) * torch.stack([sample.x[:, 0], 6 * sample.x[:, 1]], dim=1)
    assert torch.allclose(made.jacobian(theta)[rows, place : made.hidden.stop], slopes, rtol=1e-13, atol=1e-14)


def test_parts_of_theta_are_the_parameters_of_the_network():
    made = system(problem(lambda u: u), MLP(5, 2))
    theta = torch.arange(made.n_params, dtype=torch.float64)
    parts = made.parts(theta)
    joined = [*(p.reshape(-1) for p in parts.hidden.values()), parts.coef.reshape(-1)]
    assert torch.equal(torch.cat(joined), theta)
    initial = made.parts(made.initial())
    assert all(torch.equal(initial.hidden[name], p) for name, p in made.network.basis.named_parameters())
    assert torch.equal(initial.coef, made.network.coef)


def test_rows_are_those_of_the_equation_written_with_nested_differentiation():
    def inside(u, p, x, y, kappa):
        return div(torch.exp(kappa * u) * grad(u)) - x * p.d("xy") * u

    fields = Problem(domain=BOX, fields=("u", "p"), equations=(Equation(inside), WALL), parameters={"kappa": 0.3})
    made = system(fields, MLP(6, 2, "tanh"), points=9)
    theta = made.initial()
    layers, coef = [p.detach() for p in made.network.basis.parameters()], made.parts(theta).coef

    def output(x, y, column):
        a = torch.stack([x / 2, y / 3], dim=1)
        for weight, bias in zip(layers[:2], layers[2:], strict=True):
            a = torch.tanh(a @ weight + bias)
        return a @ coef[:-1, column] + coef[-1, column]

    x = made.blocks[0].sample.x
    u, p = (autograd_derivatives(lambda *c, m=m: output(*c, m), x, total_order(BOX.axes, 2)) for m in range(2))
    flux = u[2, 0] + u[0, 2] + 0.3 * (u[1, 0] ** 2 + u[0, 1] ** 2)
    expected = torch.exp(0.3 * u[0, 0]) * flux - x[:, 0] * p[1, 1] * u[0, 0]
    found = made.residual(theta)[made.rows["inside"]] / made.blocks[0].sample.weight.sqrt()
    assert torch.allclose(found, expected.detach(), rtol=1e-12, atol=1e-12)
    wall = made.blocks[1].sample
    truth = wall.weight.sqrt() * output(*wall.x.unbind(1), 0)
    assert torch.allclose(made.residual(theta)[made.rows["wall"]], truth, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("network", ["features", "sine mlp"])
def test_linear_problems_are_found_by_trial(name, network):
    record, nonlinear = PROBLEMS[name](), ("conduction", "wave vector", "burgers", "contact")
    assert system(record, NETWORKS[network](record), points=10).is_linear is (name not in nonlinear)


@pytest.mark.parametrize(
    ("residual", "linear"),
    [
        (lambda u: u.d("xx") + 3, True),
        (lambda u, x: torch.exp(x) * u, True),
        (lambda u: u.d("xx") + 1e-8 * u * u, False),
        (lambda u: u.d("xx") * u.d("x"), False),
        (lambda u: torch.abs(u), False),
        (lambda u, k: k * u, True),  # in the head, with k held
    ],
)
def test_linear_means_affine_in_the_head_to_round_off(residual, linear):
    parameters = {"k": 2.0} if "k" in residual.__code__.co_varnames else {}
    assert system(problem(residual, parameters=parameters), SMALL).is_linear is linear


@pytest.mark.parametrize("weight", [1.0, 1000.0])
@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_relative_residuals_are_free_of_weights_and_units_and_rms_of_weights(weight, factor):
    def at(w, f):
        made = system(problem(lambda u, x: f * (laplacian(u) + x), weight=w), SMALL, points=30)
        return made, made.initial()

    (plain, theta), (changed, _) = at(1.0, 1.0), at(weight, factor)
    for name, value in plain.relative(theta).items():
        assert changed.relative(theta)[name] == pytest.approx(value, rel=1e-12)
    assert changed.rms(theta)["inside"] == pytest.approx(factor * plain.rms(theta)["inside"], rel=1e-12)
    assert changed.rms(theta)["wall"] == pytest.approx(plain.rms(theta)["wall"], rel=1e-12)
    assert float(changed.loss(theta)) > 100 * float(plain.loss(theta)) or weight == factor == 1.0


def test_fields_that_solve_nothing_have_a_relative_residual_of_one_and_solutions_next_to_none():
    made, theta = at_rest(problem(lambda u, x: laplacian(u) + torch.sin(x)))
    assert made.relative(theta)["inside"] == pytest.approx(1.0, abs=1e-12)
    solved, theta = at_rest(problem(lambda u, x: u - torch.sin(x), ansatz=lambda u, x: torch.sin(x) + u))
    assert solved.relative(theta)["inside"] <= 1e-12


def test_the_relative_residual_of_an_integral_is_that_of_the_mean_not_of_its_integrand():
    def ansatz(u, x):
        return u + 0.3 + torch.sin(math.pi * x)  # of mean 0.3 on 0 < x < 2

    def at(target):
        return at_rest(problem(lambda u: u - target, integral=True, ansatz=ansatz), n=400)

    made, theta = at(0.3)
    assert made.rms(theta)["inside"] < 1e-12
    assert made.relative(theta)["inside"] < 1e-12
    made, theta = at(0.8)
    size = math.sqrt(0.5**2 + 0.5)  # the RMS of -0.5 + sin
    assert made.relative(theta)["inside"] == pytest.approx(0.5 / size, rel=1e-9)


@pytest.mark.parametrize("name", ["conduction", "wave vector", "maxwell guide"])
def test_loss_and_gradient_are_half_the_square_and_the_product_of_jacobian_and_rows(name):
    record = PROBLEMS[name]()
    made = system(record, NETWORKS["sine mlp"](record), points=10)
    theta = made.initial()
    loss, gradient = made.loss_and_gradient(theta)
    r, j = made.linearise(theta)
    assert float(loss) == pytest.approx(0.5 * float(r @ r), rel=1e-14)
    assert float((gradient - j.T @ r).abs().max()) <= 1e-13 * float(gradient.abs().max())
    assert not theta.requires_grad


def test_other_weights_scale_the_rows_and_reach_the_held_out_system():
    made = system(problem(lambda u, x: u - x), SMALL)
    made = made.with_held_out(system(problem(lambda u, x: u - x), SMALL, seed=1))
    theta, heavy = made.initial(), made.with_weights({"inside": 4.0, "wall": 9.0})
    for name, factor in (("inside", 2.0), ("wall", 3.0)):
        rows = made.rows[name]
        assert torch.allclose(heavy.residual(theta)[rows], factor * made.residual(theta)[rows], rtol=1e-14)
    assert heavy.rms(theta) == pytest.approx(made.rms(theta), rel=1e-14)
    assert heavy.held_out is not None
    assert heavy.held_out.weights == heavy.weights == {"inside": 4.0, "wall": 9.0}
    assert made.weights == {"inside": 1.0, "wall": 1.0}


@pytest.mark.parametrize("n", [1, 8, 1000])
def test_a_subset_keeps_the_measure_of_every_region(n):
    made = system(problem(lambda u, x: u - x), SMALL, points=40).with_weights({"inside": 2.0})
    few = made.subset(n)
    assert [len(block) for block in few.blocks] == [min(n, len(block)) for block in made.blocks]
    for block, measure in zip(few.blocks, (6.0, 10.0), strict=True):
        assert float(block.sample.weight.sum()) == pytest.approx(measure, rel=1e-13)
    assert few.weights == made.weights
    rows = {tuple(x) for x in made.blocks[0].sample.x.tolist()}
    assert {tuple(x) for x in few.blocks[0].sample.x.tolist()} <= rows


def test_the_same_equations_on_other_samples_are_those_of_a_system_built_there():
    made = system(problem(lambda u, x: laplacian(u) - x), SMALL, points=20, seed=0)
    other = {block.region: BOX.sample(block.region, 33, torch.Generator().manual_seed(9)) for block in made.blocks}
    moved, built = made.on(other), System.build(made.problem, made.network, other)
    theta = made.initial()
    assert torch.equal(moved.residual(theta), built.residual(theta))
    assert moved.rows == built.rows


@pytest.mark.parametrize("name", ["features", "residual gaussian mlp", "wrapped"])
def test_a_network_that_holds_theta_is_a_copy_with_the_same_rows(name):
    record = problem(lambda u, x: u.d("x") - x)
    made = system(record, NETWORKS[name](record), points=5)
    before = made.initial()
    theta = before + torch.randn(made.n_params, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    network = made.network_at(theta)
    again = made.with_network(network)
    assert torch.equal(again.initial(), theta)
    assert torch.equal(again.residual(theta), made.residual(theta))
    assert torch.equal(made.initial(), before)
    assert not any(p.requires_grad for p in network.parameters())


def test_another_network_may_have_another_size_and_is_used_on_held_out_points_too():
    made = system(problem(lambda u, x: u - x), SMALL)
    made = made.with_held_out(made.subset(5))
    wide = MLP(11, 2).build(BOX, 1, torch.Generator().manual_seed(2), torch.float64, torch.device("cpu"))
    other = made.with_network(wide)
    fresh = System.build(made.problem, wide, {block.region: block.sample for block in made.blocks})
    assert other.n_params == fresh.n_params != made.n_params
    assert torch.equal(other.residual(other.initial()), fresh.residual(fresh.initial()))
    assert other.held_out is not None
    assert other.held_out.network is wide


@pytest.mark.parametrize("name", ["heat", "conduction", "wave vector", "maxwell guide"])
def test_single_precision_gives_the_rows_and_the_jacobian_of_double_to_its_own_round_off(name):
    record = PROBLEMS[name]()
    double = system(record, NETWORKS["sine mlp"](record), points=10)
    samples = {block.region: block.sample for block in double.blocks}
    network = double.network_at(double.initial()).to(dtype=torch.float32).requires_grad_()
    single = System.build(record, network, samples)
    r, j = single.linearise(single.initial())
    assert single.dtype == r.dtype == j.dtype == torch.float32
    for found, truth in zip((r, j), double.linearise(double.initial()), strict=True):
        assert float((found - truth).abs().max()) <= 1e-5 * float(truth.abs().max())
    assert single.is_linear == double.is_linear


@pytest.mark.parametrize(
    "residual",
    [
        lambda u: u - u.value.mean(),
        lambda u: u - u.value.flip(0),
        lambda u, x: u - x.value.mean(),
        lambda u, x: u - x.value.flip(0),
        lambda u: (u, u * u.value.max()),
    ],
    ids=["mean", "order", "mean of coordinates", "order of coordinates", "maximum"],
)
@pytest.mark.parametrize("network", ["features", "wrapped"])
def test_residuals_that_mix_samples_are_refused(residual, network):
    record = problem(residual)
    with pytest.raises(CouplingError) as caught:
        system(record, NETWORKS[network](record), points=10)
    for word in ("equation 'inside' mixes samples", "expected: ", "got: ", "integral=True"):
        assert word in str(caught.value)


def test_values_measured_at_points_are_not_mixed_up():
    positions = {"x": [0.5, 1.0, 1.5, 0.1], "y": [2.0, 1.0, 0.0, 0.3]}
    sensors = Points(positions, {"value": [1.0, 2.0, 3.0, 4.0]})
    measured = Equation(lambda u, value, y: u - value * y, on="sensors", name="measured")
    record = Problem(
        domain=BOX, fields="u", equations=(Equation(lambda u: u, name="inside"), measured), data={"sensors": sensors}
    )
    network = SMALL.build(BOX, 1, torch.Generator(), torch.float64, torch.device("cpu"))
    made = System.build(
        record, network, {"interior": BOX.sample("interior", 4, torch.Generator()), "sensors": sensors.all()}
    )
    rows = made.residual(made.initial())[made.rows["measured"]]
    assert (rows / math.sqrt(1 / 4)).tolist() == pytest.approx([-2.0, -2.0, 0.0, -1.2], abs=1e-14)


def test_the_normal_of_a_face_reaches_the_residual():
    flux = Equation(lambda u, normal: u - normal[0] - 2 * normal[1], on=("x=2", "y=0"), name="flux")
    record = Problem(domain=BOX, fields="u", equations=(Equation(lambda u: u, name="inside"), flux))
    made, theta = at_rest(record, n=16)
    for name, truth in (("flux@x=2", -1.0), ("flux@y=0", 2.0)):
        sample: Sample = next(block.sample for block in made.blocks if name in [term.name for term in block.terms])
        values = made.residual(theta)[made.rows[name]] / sample.weight.sqrt()
        assert values.tolist() == pytest.approx([truth] * len(sample), rel=1e-14)
