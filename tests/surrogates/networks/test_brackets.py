"""Brackets: operators against dense matrices, energies that are kept, lost or not, spectrum, stability, depth."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from pinnml.domains.partitions import edges_of
from pinnml.errors import ShapeError
from pinnml.surrogates.networks.brackets import BRACKETS, LARGEST_STEP, Operators, hamiltonian, metriplectic
from pinnml.surrogates.networks.cliques import Cliques, cliques, paired
from pinnml.surrogates.networks.integrator import rk4
from tests.helpers.graphs import beside, grid, path, triangulated

#: Sums of up to a thousand terms of size one.
ROUND_OFF = 1e-12
SOURCE = torch.tensor(1.3, dtype=torch.float64)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cliques_of(graph, *_: object) -> Cliques:
    n, edges = graph.shape[0], torch.from_numpy(edges_of(graph))
    return cliques(edges[:, paired(edges, n)[0]], n, triangles=True)


def operators_of(on: Cliques, seed: int = 0, spread: float = 1.0) -> Operators:
    """Operators with weights over some orders of magnitude, one for all channels."""
    a1 = (spread * drawn(seed, on.edges.shape[1], 1)).exp()
    return Operators.of(on, a1, (spread * drawn(seed + 1, on.triangles.shape[1], 1)).exp())


MESH = cliques_of(*triangulated(80))


def whirl(on: Cliques, seed: int = 4) -> Tensor:
    return drawn(seed, on.triangles.shape[1], 3)


def state(on: Cliques, seed: int = 5, channels: int = 3) -> tuple[Tensor, Tensor]:
    return drawn(seed, on.nodes, channels), drawn(seed + 1, on.edges.shape[1], channels)


def matrices(on: Cliques) -> tuple[np.ndarray, np.ndarray]:
    """The gradient and the curl written out entry by entry from the nodes of edges and triangles."""
    edges = [tuple(pair) for pair in on.edges.T.tolist()]
    number = {pair: e for e, pair in enumerate(edges)}
    d0 = np.zeros((len(edges), on.nodes))
    for e, (tail, head) in enumerate(edges):
        d0[e, tail], d0[e, head] = -1, 1
    triples = [t for t in combinations(range(on.nodes), 3) if all(pair in number for pair in combinations(t, 2))]
    d1 = np.zeros((len(triples), len(edges)))
    for t, (i, j, k) in enumerate(triples):
        d1[t, number[i, j]], d1[t, number[j, k]], d1[t, number[i, k]] = 1, 1, -1
    return d0, d1


def test_gradient_and_curl_are_those_of_dense_matrices():
    d0, d1 = (torch.from_numpy(each) for each in matrices(MESH))
    q, p = state(MESH)
    r = drawn(9, len(d1), 3)
    triples = torch.stack([*MESH.edges[:, MESH.triangles[0]], MESH.edges[1, MESH.triangles[1]]])
    order = torch.argsort((triples * torch.tensor([[80**2], [80], [1]])).sum(dim=0))
    back = torch.argsort(order)
    assert MESH.triangles.shape[1] == len(d1) > 100
    for found, truth in (
        (MESH.gradient(q), d0 @ q),
        (MESH.gradient_transposed(p), d0.T @ p),
        (MESH.curl(p)[order], d1 @ p),
        (MESH.curl_transposed(r[back]), d1.T @ r),
    ):
        assert torch.allclose(found, truth, rtol=0, atol=ROUND_OFF)


def test_a_curl_of_a_gradient_is_zero():
    q, _ = state(MESH)
    assert MESH.curl(MESH.gradient(q)).abs().max() < ROUND_OFF
    broken = Cliques(MESH.nodes, MESH.edges, MESH.triangles, MESH.signs.abs())
    assert broken.curl(MESH.gradient(q)).abs().max() > 0.1


def test_adjoints_are_adjoint_in_the_inner_products_of_attention():
    on = operators_of(MESH)
    q, p = state(MESH)
    r = drawn(9, MESH.triangles.shape[1], 3)
    for left, right in (
        ((on.a1 * on.gradient(q) * p).sum(), (on.a0 * q * on.gradient_adjoint(p)).sum()),
        ((on.a2 * on.curl(p) * r).sum(), (on.a1 * p * on.curl_adjoint(r)).sum()),
    ):
        assert abs(left - right) < ROUND_OFF * 1e2  # of some hundreds
    assert abs((on.gradient(q) * p).sum() - (q * on.gradient_adjoint(p)).sum()) > 1e-2


def test_the_hamiltonian_flow_is_skew():
    on = operators_of(MESH)
    q, p = state(MESH)
    flow_q, flow_p = hamiltonian(on, q, p)
    size = on.energy(q, p)
    assert abs((on.a0 * q * flow_q).sum() + (on.a1 * p * flow_p).sum()) < ROUND_OFF * size
    other = Operators(MESH, on.a1, on.a2, torch.ones_like(on.a0))
    flow_q, flow_p = hamiltonian(other, q, p)
    assert abs((on.a0 * q * flow_q).sum() + (on.a1 * p * flow_p).sum()) > 1e-3 * size


@pytest.mark.parametrize("kind", ["gradient", "double"])
def test_dissipative_flows_lose_what_the_slopes_say(kind):
    on = operators_of(MESH)
    q, p = state(MESH)
    flow_q, flow_p = BRACKETS[kind](on, q, p)
    rate = (on.a0 * q * flow_q).sum() + (on.a1 * p * flow_p).sum()
    squares = (on.a1 * on.gradient(q) ** 2).sum() + (on.a0 * on.gradient_adjoint(p) ** 2).sum()
    lost = squares + (on.a2 * on.curl(p) ** 2).sum()
    assert abs(rate + lost) < ROUND_OFF * lost
    assert abs(rate + squares) > 0.01 * lost


def test_the_metriplectic_flow_keeps_energy_and_makes_entropy():
    on = operators_of(MESH)
    for seed in range(5):
        q, p = state(MESH, seed)
        flow_q, flow_p = metriplectic(on, q, p, SOURCE, whirl(MESH))
        energy = (on.a0 * q * flow_q).sum() + (on.a1 * p * flow_p).sum()
        assert abs(energy) < ROUND_OFF * on.energy(q, p)
        entropy = on.entropy(flow_q, flow_p, SOURCE, whirl(MESH))  # linear
        assert entropy > 0
        reversible = hamiltonian(on, q, p)
        assert abs(on.entropy(*reversible, SOURCE, whirl(MESH))) < ROUND_OFF * entropy


def test_the_entropy_is_the_one_whose_gradient_moves_the_state():
    on = operators_of(MESH)
    q, p = (each.requires_grad_() for each in state(MESH))
    slope_q, slope_p = torch.autograd.grad(on.entropy(q, p, SOURCE, whirl(MESH)), (q, p))
    energy_q, energy_p = torch.autograd.grad(on.energy(q, p), (q, p))
    share = (slope_q * q).sum() + (slope_p * p).sum()
    c = share / (2 * on.energy(q, p))
    truth = (slope_q - c * energy_q) / on.a0, (slope_p - c * energy_p) / on.a1
    flow, without = metriplectic(on, q, p, SOURCE, whirl(MESH)), hamiltonian(on, q, p)
    for found, reversible, wanted in zip(flow, without, truth, strict=True):
        assert torch.allclose(found - reversible, wanted, rtol=0, atol=ROUND_OFF * 10)


def energies(kind: str, on: Operators, steps: int, time: float = 2.0) -> list[float]:
    q, p = state(on.on)
    found = [on.energy(q, p)]
    for _ in range(steps):
        q, p = rk4(lambda s: BRACKETS[kind](on, *s), (q, p), time / steps, 1)
        found.append(on.energy(q, p))
    return torch.stack(found).tolist()


def test_the_drift_of_the_energy_is_of_fifth_order():
    on = operators_of(MESH)
    drift = [
        abs(energies("hamiltonian", on, steps)[-1] / energies("hamiltonian", on, 1)[0] - 1) for steps in (4, 8, 16, 32)
    ]
    orders = np.log2(np.array(drift[:-1]) / drift[1:])
    assert orders == pytest.approx([5, 5, 5], abs=0.1)


def test_an_energy_of_live_attention_is_not_kept():
    """The control: weights that move with the state add (q A0' q + p A1' p) / 2 to the energy's rate."""

    def weighted(q: Tensor) -> Operators:
        tail, head = MESH.edges
        return Operators.of(
            MESH, (0.3 * (q[tail] * q[head]).sum(dim=1, keepdim=True)).exp(), drawn(1, MESH.triangles.shape[1], 1)
        )

    def change(seed: int, steps: int, live: bool) -> float:
        q, p = state(MESH, seed)
        frozen = weighted(q)
        after = rk4(lambda s: hamiltonian(weighted(s[0]) if live else frozen, *s), (q, p), 2.0, steps)
        last = weighted(after[0]) if live else frozen
        return float(last.energy(*after) / frozen.energy(q, p) - 1)

    seeds = range(0, 10, 2)
    assert max(abs(change(seed, 20, live=False)) for seed in seeds) < 1e-5
    moved = [change(seed, 40, live=True) for seed in seeds]
    assert max(map(abs, moved)) > 0.1
    assert min(map(abs, moved)) > 1e-3
    finer = [change(seed, 80, live=True) for seed in seeds]
    assert moved == pytest.approx(finer, rel=1e-2)  # no error of the steps


@pytest.mark.parametrize("kind", ["gradient", "double"])
def test_energies_fall_all_the_way(kind):
    found = np.array(energies(kind, operators_of(MESH), 400))  # curls have eigenvalues of some hundreds
    assert (np.diff(found) < 0).all()
    flat = Cliques(MESH.nodes, MESH.edges, MESH.triangles[:, :0], MESH.signs[:, :0])
    found = np.array(energies(kind, operators_of(flat), 50, time=50 * LARGEST_STEP[kind]))
    assert (np.diff(found) < 0).all()


def test_a_metriplectic_state_keeps_its_energy_and_gains_entropy():
    on = operators_of(MESH)

    def run(steps: int) -> tuple[np.ndarray, np.ndarray]:
        q, p = state(MESH)
        found = [(on.energy(q, p), on.entropy(q, p, SOURCE, whirl(MESH)))]
        for _ in range(steps):
            q, p = rk4(lambda s: metriplectic(on, *s, SOURCE, whirl(MESH)), (q, p), 2.0 / steps, 1)
            found.append((on.energy(q, p), on.entropy(q, p, SOURCE, whirl(MESH))))
        return torch.tensor(found).numpy().T

    coarse, fine = run(32), run(64)
    assert (np.diff(fine[1]) > 0).all()
    drift = [abs(each[0][-1] / each[0][0] - 1) for each in (coarse, fine)]
    assert drift[1] < 1e-4
    assert np.log2(drift[0] / drift[1]) == pytest.approx(4, abs=0.3)


def test_one_mode_is_amplified_as_the_method_says():
    """Two nodes have the eigenvalue 2: |R(iz)|^2 = 1 - z^6 / 72 + z^8 / 576 with z = h sqrt(2)."""
    on = operators_of(cliques_of(path(2)))
    q, p = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.zeros((1, 1), dtype=torch.float64)
    for h in (0.1, 0.5, 1.0, 1.9, 2.3):
        z = h * math.sqrt(2)
        ratio = on.energy(*rk4(lambda s: hamiltonian(on, *s), (q, p), h, 1)) / on.energy(q, p)
        assert float(ratio) == pytest.approx(1 - z**6 / 72 + z**8 / 576, rel=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_the_spectrum_is_within_two_for_any_weights(seed):
    on = operators_of(MESH, seed, spread=3.0)
    d0 = torch.from_numpy(matrices(MESH)[0])
    root = on.a0[:, 0].sqrt()
    values = torch.linalg.eigvalsh((d0.T @ (on.a1 * d0)) / root / root[:, None])
    assert values.min() > -ROUND_OFF
    assert values.max() < 2 + ROUND_OFF
    halved = torch.linalg.eigvalsh(d0.T @ (on.a1 * d0))  # without A0 there is no such bound
    assert halved.max() > 2


@pytest.mark.parametrize("kind", BRACKETS)
def test_steps_are_stable_up_to_the_largest_and_not_much_beyond(kind):
    graph, _ = grid(6, 5)  # bipartite: 2 is an eigenvalue
    on = operators_of(cliques_of(graph))

    def growth(step: float) -> float:
        q, p = rk4(lambda s: BRACKETS[kind](on, *s), state(on.on), 150 * step, 150)
        return float(on.energy(q, p) / on.energy(*state(on.on)))

    assert growth(LARGEST_STEP[kind]) <= 1
    assert growth(0.95 * LARGEST_STEP[kind]) <= 1
    assert growth(1.05 * LARGEST_STEP[kind]) > 10


@pytest.mark.parametrize("kind", [*BRACKETS, "metriplectic"])
def test_which_end_of_an_edge_is_its_tail_changes_nothing(kind):
    flipped = torch.rand(MESH.edges.shape[1], generator=torch.Generator().manual_seed(0)) < 0.5
    sign = torch.where(flipped, -1, 1)
    edges = torch.where(flipped, MESH.edges.flip(0), MESH.edges)
    other = Cliques(MESH.nodes, edges, MESH.triangles, MESH.signs * sign[MESH.triangles])
    first = operators_of(MESH)
    second = Operators.of(other, first.a1, first.a2)
    q, p = state(MESH)

    def run(on: Operators, p: Tensor) -> tuple[Tensor, ...]:
        def rate(s):
            return metriplectic(on, *s, SOURCE, whirl(MESH)) if kind == "metriplectic" else BRACKETS[kind](on, *s)

        return rk4(rate, (q, p), 0.3, 60)

    (q1, p1), (q2, p2) = run(first, p), run(second, sign[:, None] * p)
    assert torch.allclose(q1, q2, rtol=0, atol=ROUND_OFF)
    assert torch.allclose(p1, sign[:, None] * p2, rtol=0, atol=ROUND_OFF)
    assert (run(second, p)[0] - q1).abs().max() > 1e-3 or kind == "gradient"  # where q does not see p


def test_the_sense_of_rotation_of_triangles_is_of_no_account():
    first = operators_of(MESH)
    turned = Operators.of(Cliques(MESH.nodes, MESH.edges, MESH.triangles, -MESH.signs), first.a1, first.a2)
    given = (*state(MESH), SOURCE)
    for found, truth, wrong in zip(
        metriplectic(turned, *given, -whirl(MESH)),
        metriplectic(first, *given, whirl(MESH)),
        metriplectic(turned, *given, whirl(MESH)),
        strict=True,
    ):
        assert torch.allclose(found, truth, rtol=0, atol=ROUND_OFF)
        assert (wrong - truth).abs().max() > 1e-3


def test_depth_does_not_make_nodes_alike_as_averaging_does():
    on = operators_of(cliques_of(*triangulated(300)), spread=0.5)
    q, p = state(on.on)

    def averaged(q: Tensor) -> Tensor:  # a graph convolution without its weights
        return q - on.gradient_adjoint(on.gradient(q)) / 2

    kept, alike = {}, {}
    mean, first = q, q.var(dim=0).mean()
    for step in range(1, 501):
        mean = averaged(mean)
        if step in (5, 50, 500):
            alike[step] = float(mean.var(dim=0).mean() / first)
            kept[step] = float(
                rk4(lambda s: hamiltonian(on, *s), (q, p), 0.3 * step, step)[0].var(dim=0).mean() / first
            )
    assert min(kept.values()) > 0.3  # the rest of the energy is in the slopes
    assert alike[500] < alike[50] < alike[5] < 0.3 * min(kept.values())
    assert alike[500] < 1e-3


def test_graphs_in_a_batch_do_not_see_each_other():
    one, two = cliques_of(*triangulated(30)), cliques_of(*triangulated(50, seed=1))
    both = cliques_of(beside(triangulated(30)[0], triangulated(50, seed=1)[0]))
    both = Cliques(80, both.edges, both.triangles, both.signs, torch.tensor([0] * 30 + [1] * 50))
    first, second = operators_of(one, 1), operators_of(two, 7)
    joined = Operators.of(both, torch.cat([first.a1, second.a1]), torch.cat([first.a2, second.a2]))
    states = state(one, 3), state(two, 11)
    q, p = (torch.cat(each) for each in zip(*states, strict=True))
    whirls = whirl(one, 4), whirl(two, 5)
    flow = metriplectic(joined, q, p, SOURCE, torch.cat(whirls))
    each = zip((first, second), states, whirls, strict=True)
    parts = [metriplectic(on, *given, SOURCE, turning) for on, given, turning in each]
    for found, wanted in zip(flow, zip(*parts, strict=True), strict=True):
        assert torch.allclose(found, torch.cat(wanted), rtol=0, atol=ROUND_OFF)
    alone = Cliques(80, both.edges, both.triangles, both.signs)
    other = metriplectic(Operators.of(alone, joined.a1, joined.a2), q, p, SOURCE, torch.cat(whirls))
    assert (other[0] - flow[0]).abs().max() > 1e-3


def test_isolated_nodes_and_edges_without_triangles_are_no_trouble():
    on = operators_of(cliques_of(beside(path(3), path(1), triangulated(10)[0])))
    q, p = state(on.on)
    for kind in BRACKETS:
        after = rk4(lambda s, kind=kind: BRACKETS[kind](on, *s), (q, p), 2.0, 4)
        assert all(bool(each.isfinite().all()) for each in after)
        assert torch.equal(after[0][3], q[3])  # nothing flows to a node alone
    assert all(bool(each.isfinite().all()) for each in metriplectic(on, q, p, SOURCE, whirl(on.on)))


def test_a_state_of_zero_has_a_metriplectic_flow():
    on = operators_of(MESH)
    zero = torch.zeros_like(state(MESH)[0]), torch.zeros_like(state(MESH)[1])
    flow = metriplectic(on, *zero, SOURCE, whirl(MESH))
    assert torch.equal(flow[0], SOURCE.expand_as(zero[0]))
    assert bool(flow[1].isfinite().all())


def test_pairs_of_edges_are_found_and_single_directions_refused():
    edges = torch.tensor([[2, 0, 1, 1, 0, 2], [1, 2, 2, 1, 0, 0]])
    there, back = paired(edges, 3)
    assert edges[:, there].tolist() == [[0, 1], [2, 2]]  # and no edges from a node to itself
    assert torch.equal(edges[:, back], edges[:, there].flip(0))
    with pytest.raises(ShapeError, match="direction"):
        paired(edges[:, 1:], 3)
