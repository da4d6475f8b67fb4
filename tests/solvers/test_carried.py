"""What Adam and L-BFGS hand to the next finer level, entry by entry, and how far the next level goes by it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pinnml import KAN, LBFGS, Adam
from pinnml.calculus import interval_of
from pinnml.networks.spline_layers import SplineLayers
from pinnml.networks.spline_network import SplineNetwork
from pinnml.run import Recipe, prepared
from pinnml.solvers.gradient import State
from pinnml.system import System
from problems import regression

NETWORKS = {"fixed knots": KAN(3, 1, intervals=4), "trained knots": KAN(3, 1, intervals=4, knots="layer")}


def trained(solver: Adam | LBFGS, network: SplineNetwork, steps: int) -> tuple[System, Tensor, State]:
    """A coarse level after some steps, the solver's state included."""
    system = prepared(regression.problem(points=400), Recipe(network))
    theta = system.initial()
    state = solver.init(system, theta)
    for _ in range(steps):
        step = solver.step(system, theta, state)
        theta, state = step.theta, step.state
    return system, theta, state


def memory(state: State) -> dict:
    """What the optimiser of PyTorch remembers."""
    return state.optimiser.state[state.parameter]


@pytest.mark.parametrize("network", NETWORKS)
def test_both_moments_of_adam_are_prolonged(network):
    solver = Adam()
    coarse, theta, state = trained(solver, NETWORKS[network], 4)
    fine, start, prolong = coarse.refine(theta)
    old, new = memory(state), memory(solver.carried(state, fine, start, prolong))
    assert float(new["step"]) == 4
    assert torch.equal(new["exp_avg"], prolong(old["exp_avg"]))
    assert torch.equal(new["exp_avg_sq"], prolong(old["exp_avg_sq"].sqrt()) ** 2)
    assert float(new["exp_avg_sq"].min()) > 0


@pytest.mark.parametrize("share", [None, 0.5])
def test_a_direction_of_trained_spans_is_that_of_the_span_they_are_part_of(share):
    coarse, theta, _ = trained(Adam(), NETWORKS["trained knots"], 4)
    fine, _, prolong = coarse.refine(theta, share)
    direction = torch.randn(len(theta), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = prolong(direction)
    for layer, (old, new) in enumerate(zip(edges_of(coarse, theta), edges_of(fine, fine.initial()), strict=True)):
        name = f"edges.{layer}.logits"
        assert new.shape[1] > old.shape[1]
        parents = interval_of(old[0], (new[0, 1:] + new[0, :-1]) / 2)
        assert torch.equal(found[fine.layout.columns[name]], direction[coarse.layout.columns[name]][parents])


def edges_of(system: System, theta: Tensor) -> list[Tensor]:
    """The knots between the ends, layer by layer."""
    basis = system.network_at(theta).basis
    assert isinstance(basis, SplineLayers)
    return [edges.inner.detach() for edges in basis._edges]


@pytest.fixture(scope="module")
def handed_over() -> tuple[System, Tensor, State, dict, Tensor]:
    """A fine level with its theta and L-BFGS' state, what L-BFGS knew on the coarse level, and P (P', P)."""
    solver = LBFGS(inner=1)
    coarse, theta, state = trained(solver, NETWORKS["fixed knots"], 6)
    fine, start, prolong = coarse.refine(theta)
    old = dict(memory(state))
    matrix = torch.stack([prolong(column) for column in torch.eye(len(theta), dtype=theta.dtype)], dim=1)
    return fine, start, solver.carried(state, fine, start, prolong), old, matrix


def test_steps_of_lbfgs_are_prolonged_and_differences_lifted(handed_over):
    _, _, state, old, matrix = handed_over
    new = memory(state)
    assert len(new["old_stps"]) == len(new["old_dirs"]) == len(old["old_dirs"]) == 5
    for before, after in zip(old["old_stps"], new["old_stps"], strict=True):
        torch.testing.assert_close(after, matrix @ before, rtol=0, atol=1e-15 * float(before.abs().max()))
    shortest = torch.linalg.pinv(matrix.mT)
    for before, after in zip(old["old_dirs"], new["old_dirs"], strict=True):
        # conjugate gradients stop at round-off of the residual, times the condition of P^T P, some tens
        limit = 1e-13 * float(before.abs().max())
        torch.testing.assert_close(matrix.mT @ after, before, rtol=0, atol=limit)
        torch.testing.assert_close(after, shortest @ before, rtol=0, atol=limit)


def test_scalars_of_lbfgs_belong_to_the_carried_pairs(handed_over):
    new = memory(handed_over[2])
    for step, difference, ro in zip(new["old_stps"], new["old_dirs"], new["ro"], strict=True):
        assert float(ro * (step @ difference)) == pytest.approx(1.0, rel=1e-14)
    last, change = new["old_stps"][-1], new["old_dirs"][-1]
    assert float(new["H_diag"] * (change @ change)) == pytest.approx(float(last @ change), rel=1e-14)


def test_the_first_step_of_the_finer_level_is_the_quasi_newton_step_of_the_carried_pairs(handed_over):
    fine, start, state, old, matrix = handed_over
    pairs = zip(old["old_stps"], old["old_dirs"], strict=True)
    pairs = [(matrix @ step, torch.linalg.pinv(matrix.mT) @ difference) for step, difference in pairs]
    last, change = pairs[-1]
    eye = torch.eye(len(start), dtype=start.dtype)
    inverse = (last @ change) / (change @ change) * eye  # of the Hessian, by the formula of BFGS from old to new
    for step, difference in pairs:
        ro = 1 / (step @ difference)
        left = eye - ro * torch.outer(step, difference)
        inverse = left @ inverse @ left.mT + ro * torch.outer(step, step)
    direction = -inverse @ fine.loss_and_gradient(start)[1]
    moved = LBFGS(inner=1).step(fine, start, state).theta - start
    torch.testing.assert_close(moved / moved.norm(), direction / direction.norm(), rtol=0, atol=1e-10)
