"""The head by least squares: against dense NumPy, against closed forms, and against a published table."""

from __future__ import annotations

import itertools
import math
from math import pi

import numpy as np
import pytest
import torch

from pinnml import LSGD, MLP, Box, Equation, Features, Points, Problem, laplacian, normal_derivative
from pinnml.networks import Network, Perceptron
from pinnml.solvers.head import CUTOFFS, balancing_weights, fit_head
from pinnml.system import System
from tests.helpers.catalogue import NETWORKS, PROBLEMS, built, system
from tests.helpers.solving import cubic, solve_once

LINEAR = [name for name in PROBLEMS if name not in ("burgers", "conduction", "wave vector", "contact")]
#: Keeps every direction of the small bases below.
ALL = (1e-15,)


def rows_by_unit_heads(s: System, theta: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """A and b of r = A c - b from the residual alone: the slow truth."""
    with torch.no_grad():
        theta = theta.clone()
        theta[s.head] = 0.0
        at_zero = s.residual(theta)
        columns = []
        for k in range(s.head.start, s.head.stop):
            unit = theta.clone()
            unit[k] = 1.0
            columns.append(s.residual(unit) - at_zero)
    return torch.stack(columns, dim=1).numpy(), -at_zero.numpy()


def waves(n: int, weight: float = 1.0) -> Problem:
    """-laplacian(u) = f on the unit square with u = sin(n pi x) sin(n pi y), the boundary weighted."""

    def exact(x, y):
        return torch.sin(n * pi * x) * torch.sin(n * pi * y)

    def poisson(u, x, y):
        return -laplacian(u) - 2 * (n * pi) ** 2 * exact(x, y)

    def wall(u):
        return u

    equations = (Equation(poisson), Equation(wall, on="boundary", weight=weight))
    return Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=equations, exact=exact)


def rod() -> Problem:
    """-u'' = f on (0, 1) with u = sin(2 pi x)."""

    def poisson(u, x):
        return -u.d("xx") - 4 * pi**2 * torch.sin(2 * pi * x)

    def ends(u):
        return u

    equations = (Equation(poisson), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=(0, 1)), fields=("u",), equations=equations, exact=lambda x: torch.sin(2 * pi * x))


def noisy(n: int = 80, noise: float = 1e-2) -> System:
    """A fit of noisy values with nearly as many functions as values, and other values to judge it by."""
    random = np.random.default_rng(5)
    x = random.random(2 * n)
    value = np.sin(2 * pi * x) + noise * random.standard_normal(2 * n)

    def fit(u, value):
        return u - value

    def at(rows: slice) -> Points:
        return Points({"x": np.append(x[rows], (0.0, 1.0))}, {"value": np.append(value[rows], (0.0, 0.0))})

    problem = Problem(domain=at(slice(0, n)), fields=("u",), equations=(Equation(fit),))
    network = Features(60, bandwidth=60.0).build(
        problem.domain, 1, torch.Generator().manual_seed(0), torch.float64, torch.device("cpu")
    )
    s = System.build(problem, network, {"interior": problem.domain.all()})
    return s.with_held_out(s.on({"interior": at(slice(n, 2 * n)).all()}))


@pytest.mark.parametrize("weight", [1.0, 1e4])
def test_rows_carry_the_roots_of_the_weights_of_equation_and_sample(weight):
    s = system(waves(1, weight), NETWORKS["features"](waves(1, weight)))
    w, b = (p.detach().numpy() for p in (s.network.basis.weights[0], s.network.basis.biases[0]))
    blocks = {block.region: block.sample for block in s.blocks}
    inside, wall = (blocks[region] for region in ("interior", "boundary"))
    x, y = inside.x.numpy().T

    def functions(points: np.ndarray) -> np.ndarray:
        return np.column_stack([np.sin(points @ w + b), np.ones(len(points))])

    square = np.append((w**2).sum(axis=0), 0.0)  # -laplacian sin(w.x + b) = |w|^2 sin(w.x + b)
    of_inside = np.sqrt(inside.weight.numpy())[:, None]
    of_wall = np.sqrt(weight * wall.weight.numpy())[:, None]
    a = np.vstack([of_inside * square * functions(inside.x.numpy()), of_wall * functions(wall.x.numpy())])
    f = of_inside[:, 0] * 2 * pi**2 * np.sin(pi * x) * np.sin(pi * y)
    b = np.concatenate([f, np.zeros(len(wall.x))])
    head = np.random.default_rng(0).standard_normal(a.shape[1])
    theta = s.initial()
    theta[s.head] = torch.from_numpy(head)
    expected = 0.5 * np.sum((a @ head - b) ** 2)
    assert float(s.loss(theta)) == pytest.approx(expected, rel=1e-13)
    solved = a @ np.linalg.lstsq(a, b, rcond=None)[0] - b
    assert fit_head(s, theta, cutoffs=ALL).loss == pytest.approx(0.5 * solved @ solved, rel=1e-10)
    wrong = 0.5 * np.sum((np.sqrt(2.0) * (a @ head - b)) ** 2)
    assert float(s.loss(theta)) != pytest.approx(wrong, rel=1e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_head_of_a_linear_problem_is_the_weighted_least_squares_solution_of_numpy(name):
    s = built(name, "features")
    assert s.is_linear
    a, b = rows_by_unit_heads(s, s.initial())
    lengths = np.linalg.norm(a, axis=0)
    scaled = a / lengths
    values = np.linalg.svd(scaled, compute_uv=False)
    fit = fit_head(s, s.initial(), cutoffs=(1e-12,))
    expected = np.linalg.lstsq(scaled, b, rcond=1e-12)[0] / lengths
    rank = int((values > 1e-12 * values[0]).sum())
    condition = values[0] / values[rank - 1]
    # A solution is known to the round-off times its condition number, its rows to that of the products in A c.
    round_off = 1e-14 * np.linalg.norm(a * expected) + 1e-12 * np.linalg.norm(b)
    size = np.linalg.norm(expected * lengths)
    assert np.linalg.norm((fit.theta[s.head].numpy() - expected) * lengths) < 1e-13 * condition**2 * size
    assert np.allclose(fit.rows.numpy(), a @ expected - b, rtol=0, atol=round_off)
    assert fit.loss == pytest.approx(float(s.loss(fit.theta)), rel=1e-7)
    assert fit.rank == rank
    assert fit.condition == pytest.approx(condition, rel=1e-13 * condition)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("damping", [0.0, 1e-2])
def test_fit_is_optimal_and_no_worse_than_any_other_head(name, damping):
    s = built(name, "one tanh layer", 30)
    fit = fit_head(s, s.initial(), cutoffs=ALL, damping=damping)
    a, b = rows_by_unit_heads(s, s.initial())
    head = fit.theta[s.head].numpy()
    slope = a.T @ (a @ head - b) + damping * head
    bound = np.linalg.norm(a) * (np.linalg.norm(b) + np.linalg.norm(a * head))
    assert np.linalg.norm(slope) < 1e-12 * bound  # A^T (A c - b) + damping c = 0 to round-off
    for seed in range(5):
        other = s.initial()
        other[s.head] = torch.from_numpy(head + 10.0**-seed * np.random.default_rng(seed).standard_normal(len(head)))
        penalty = 0.5 * damping * float(other[s.head].square().sum())
        assert fit.loss <= float(s.loss(other)) + penalty


@pytest.mark.parametrize("damping", [1e-6, 1e-2, 10.0])
def test_tikhonov_head_is_that_of_the_normal_equations_and_shorter_than_without(damping):
    s = built("poisson expcos", "features")
    a, b = rows_by_unit_heads(s, s.initial())
    joined = np.vstack([a, math.sqrt(damping) * np.eye(a.shape[1])])
    expected = np.linalg.lstsq(joined, np.append(b, np.zeros(a.shape[1])), rcond=None)[0]
    fit = fit_head(s, s.initial(), cutoffs=ALL, damping=damping)
    head = fit.theta[s.head].numpy()
    assert np.allclose(head, expected, rtol=0, atol=1e-8 * np.abs(expected).max())
    penalised = 0.5 * np.sum((a @ head - b) ** 2) + 0.5 * damping * head @ head
    assert fit.loss == pytest.approx(penalised, rel=1e-11)
    free = fit_head(s, s.initial(), cutoffs=ALL).theta[s.head].numpy()
    assert np.linalg.norm(head) < np.linalg.norm(free)


def test_a_function_that_occurs_twice_lowers_the_rank_and_leaves_the_solution():
    s = built("poisson sine", "one tanh layer")
    weight, bias = (p.detach() for p in (s.network.basis.weights[0], s.network.basis.biases[0]))
    doubled = Perceptron([(torch.cat([weight, weight[:, :2]], dim=1), torch.cat([bias, bias[:2]]))], "tanh")
    coef = torch.zeros((doubled.size, 1), dtype=torch.float64)
    twice = s.with_network(Network(s.network.inputs, doubled, coef))
    plain, fit = fit_head(s, s.initial(), cutoffs=(1e-12,)), fit_head(twice, twice.initial(), cutoffs=(1e-12,))
    assert plain.rank == s.network.basis.size
    assert fit.rank == plain.rank
    assert bool(torch.isfinite(fit.theta).all())
    assert torch.allclose(fit.rows, plain.rows, rtol=0, atol=1e-9 * float(plain.rows.norm()))
    heads = fit.theta[twice.head]
    assert float(heads.abs().max()) < 2 * float(plain.theta[s.head].abs().max())  # no large pair that cancels
    assert torch.allclose(heads[:2], heads[-3:-1], rtol=1e-6)  # the shortest head shares evenly


@pytest.mark.parametrize("damping", [0.0, 1e-3])
def test_cutoff_is_the_one_that_does_best_on_held_out_values(damping):
    s, cutoffs = noisy(), (1e-15, 1e-10, 1e-5, 1e-3, 1e-2, 1e-1)
    assert s.held_out is not None
    fits = {cutoff: fit_head(s, s.initial(), cutoffs=(cutoff,), damping=damping) for cutoff in cutoffs}
    scores = {cutoff: float(s.held_out.loss(fit.theta)) for cutoff, fit in fits.items()}
    best = min(scores, key=scores.__getitem__)
    chosen = fit_head(s, s.initial(), cutoffs=cutoffs, damping=damping)
    assert chosen.cutoff == best
    assert torch.equal(chosen.theta, fits[best].theta)
    if not damping:  # the least residual on the values that were fitted would have been another, and worse
        assert min(fits, key=lambda c: fits[c].loss) != best
        assert scores[1e-15] > 1.5 * scores[best]


def test_cutoff_of_a_nonlinear_problem_is_the_one_with_the_least_residual():
    s = system(cubic(), Features(30, bandwidth=5.0))
    theta = s.initial()
    fits = [fit_head(s, theta, cutoffs=(cutoff,)) for cutoff in CUTOFFS]
    chosen = fit_head(s, theta, cutoffs=CUTOFFS)
    assert chosen.loss == min(fit.loss for fit in fits)
    assert len({fit.loss for fit in fits}) > 1


@pytest.mark.parametrize("name", [*LINEAR, "wave vector"])
def test_balancing_makes_the_rows_of_all_equations_equally_long(name):
    problem = PROBLEMS[name]()
    s = system(problem, NETWORKS["features"](problem))
    lengths = mean_squares(s.with_weights(balancing_weights(s, s.jacobian(s.initial(), s.head))))
    own = {term.name: term.equation.weight for term in problem.terms}
    ratios = [lengths[name] / own[name] for name in lengths]
    assert max(ratios) == pytest.approx(min(ratios), rel=1e-12)
    before = [length / own[name] for name, length in mean_squares(s).items()]
    assert max(ratios) == pytest.approx(max(before), rel=1e-12)  # the longest rows stay as they are
    assert max(before) > 1.5 * min(before)


def mean_squares(s: System) -> dict[str, float]:
    """By equation the mean square length of the head Jacobian's rows, over components and the region of a unit box."""
    j, domain = s.jacobian(s.initial(), s.head), s.problem.domain
    faces = 2 * len(set(domain.axes.space) - set(getattr(domain, "periodic", ())))
    result = {}
    for block in s.blocks:
        for term, components in zip(block.terms, block.components, strict=True):
            squares = float(j[s.rows[term.name]].square().sum())
            result[term.name] = squares / (components * (faces if block.region == "boundary" else 1))
    return result


def insulated_rod(length: float, duration: float) -> Problem:
    """Heat in a rod that is as long and takes as long as one likes, one end held, the other insulated."""

    def exact(x, t):
        return torch.sin(2 * x / length + 1) * torch.exp(-t / (2 * duration))

    def heat(u, x, t):
        wrong = u - exact(x, t)
        return wrong.d("t") - 0.1 * length**2 / duration * wrong.d("xx")

    def slope(u, x, t, normal):
        return normal_derivative(u - exact(x, t), normal)

    def value(u, x, t):
        return u - exact(x, t)

    equations = (Equation(heat), Equation(slope, on="x=max"), Equation(value, on=("x=min", "initial")))
    return Problem(domain=Box(x=(0, length), t=(0, duration)), fields=("u",), equations=equations, exact=exact)


def bowl(length: float) -> Problem:
    """Slopes around a square of any size, and the mean."""

    def exact(x, y):
        return torch.sin((2 * x + y) / length)

    def inside(u, x, y):
        return laplacian(u - exact(x, y))

    def slope(u, x, y, normal):
        return normal_derivative(u - exact(x, y), normal)

    def mean(u, x, y):
        return u - exact(x, y)

    equations = (Equation(inside), Equation(slope, on="boundary"), Equation(mean, integral=True))
    return Problem(domain=Box(x=(0, length), y=(0, length)), fields=("u",), equations=equations, exact=exact)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (insulated_rod(1, 1), insulated_rod(1e9, 1e16)),
        (insulated_rod(1, 1), insulated_rod(1e3, 1e-6)),
        (bowl(1), bowl(1e-9)),
        (bowl(1), bowl(1e9)),
    ],
)
def test_units_of_length_and_time_change_nothing(first, other):
    errors = [
        solve_once(each, Features(60, bandwidth=4.0), LSGD(hidden="fixed")).verdict.error for each in (first, other)
    ]
    assert errors[0] is not None
    assert errors[0] < 1e-6
    assert errors[1] == pytest.approx(errors[0], rel=0.2)  # up to rounding


def test_balancing_keeps_the_weights_of_the_user_on_top():
    light, heavy = (system(waves(1, weight), Features(12, bandwidth=3.0)) for weight in (1.0, 9.0))
    first, second = (balancing_weights(s, s.jacobian(s.initial(), s.head)) for s in (light, heavy))
    assert second["wall"] / second["poisson"] == pytest.approx(9 * first["wall"] / first["poisson"], rel=1e-12)


def test_balanced_fit_is_that_of_the_balanced_system():
    s = built("poisson mixed", "features")
    fit = fit_head(s, s.initial(), cutoffs=ALL, balance=True)
    assert fit.system.weights == balancing_weights(s, s.jacobian(s.initial(), s.head))
    again = fit_head(s.with_weights(fit.system.weights), s.initial(), cutoffs=ALL)
    assert torch.allclose(fit.theta, again.theta, rtol=0, atol=1e-8 * float(again.theta.abs().max()))
    assert fit.loss == pytest.approx(float(fit.system.loss(fit.theta)), rel=1e-10)


def test_gauss_newton_on_the_head_converges_quadratically():
    s = system(cubic(), Features(25, bandwidth=4.0), points=60)
    theta, losses = s.initial(), []
    for _ in range(7):
        fit = fit_head(s, theta, cutoffs=(1e-13,))
        theta = fit.theta
        losses.append(fit.loss)
    relative = [math.sqrt(loss / losses[0]) for loss in losses]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert relative[-1] < 1e-7
    fast = [(a, b) for a, b in itertools.pairwise(relative) if 1e-4 < a < 0.3]
    assert fast
    assert all(b < 10 * a**2 for a, b in fast)


@pytest.mark.parametrize("name", ["burgers", "conduction", "wave vector"])
def test_gauss_newton_on_the_head_lowers_the_loss_until_its_gradient_vanishes(name):
    s = built(name, "features")
    assert not s.is_linear
    theta = s.initial()
    first = float(s.loss(theta))
    for _ in range(100):  # of linear convergence where much is left at the minimum
        fit = fit_head(s, theta, cutoffs=(1e-12,))
        assert fit.loss <= float(s.loss(theta))
        assert fit.loss == pytest.approx(float(s.loss(fit.theta)), rel=1e-12)
        theta = fit.theta
    r, j = s.linearise(theta, s.head)
    assert fit.loss < 0.5 * first
    assert float((j.mT @ r).norm()) < 1e-3 * float(j.norm() * r.norm())


def test_fit_that_gains_nothing_still_tells_the_rank():
    s = system(cubic(), Features(6, bandwidth=2.0), points=60)
    theta = s.initial()
    for _ in range(80):
        fit = fit_head(s, theta, cutoffs=(1e-14,))
        theta = fit.theta
    assert torch.equal(fit_head(s, theta, cutoffs=(1e-14,)).theta, theta)
    assert fit.rank == 7
    assert 1 < fit.condition < math.inf


@pytest.mark.parametrize(("width", "published"), [(16, 5.5e-7), (32, 8.3e-11), (64, 1.4e-11)])
def test_one_solve_of_a_rod_reaches_the_measured_errors(width, published):
    errors = [error(rod(), MLP(width, 1, "tanh", init="box"), 200, seed) for seed in range(8)]
    assert np.median(errors) < 10 * published
    if width > 16:  # too few functions scatter over seeds by three decades
        assert max(errors) < 100 * published


@pytest.mark.parametrize(
    ("n", "weight", "published"),
    [(1, 1.0, 1.6e-8), (2, 1.0, 1.6e-6), (3, 1.0, 4.8e-5), (1, 1e4, 6.3e-10), (2, 1e4, 4.3e-8), (3, 1e4, 1.6e-6)],
)
def test_one_solve_of_poisson_at_three_frequencies_is_of_the_measured_order(n, weight, published):
    points = {"interior": 1600, "boundary": 164}
    found = error(waves(n, weight), MLP(256, 1, "tanh", init="box"), points, 0)
    assert published / 30 < found < 10 * published


def error(problem: Problem, network: MLP, points, seed: int) -> float:
    solver = LSGD(hidden="fixed", balance=False)
    value = solve_once(problem, network, solver, points=points, seed=seed).verdict.error
    assert value is not None
    return value
