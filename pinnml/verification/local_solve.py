"""The second solve of patches, and what the equations leave open of them: all by sparse least squares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.calculus import total_order
from pinnml.networks import LocalBasis, Network
from pinnml.results import error_sample
from pinnml.solvers.head import weights_of_lengths
from pinnml.solvers.local_head import BALANCED, LocalFit, squares
from pinnml.system import System
from pinnml.verification.determination import FLOOR, POINTS, Determination, at_points
from pinnml.verification.second_solve import ENOUGH, STEPS, Anew

#: Collocation points for each function.
SAMPLES = 2
#: Steps of the inverse iteration for the change of fields that the equations see least of.
INVERSE = 10


@dataclass(frozen=True, eq=False)
class LocalSecondSolve:
    """The first fields and better ones on the same patches with polynomials of a degree more, at unseen points.

    first, second: theta (P,) of either. at_zero, before, after: the rows (M,) of zero fields and of either. fit: the
    factors of the Jacobian at the last step.
    """

    system: System
    first: Tensor
    second: Tensor
    at_zero: Tensor
    before: Tensor
    after: Tensor
    fit: LocalFit

    def with_mode(self, mode: Tensor) -> Network:
        """The first solution with a head (k, m) added."""
        theta = self.first.clone()
        theta[self.system.head] += mode.flatten()
        return self.system.network_at(theta)


def local_second_solve(network: Network, anew: Anew) -> LocalSecondSolve:
    """Solve again with richer patches on unseen points: outright, or by Gauss-Newton from the first solution."""
    assert isinstance(network.basis, LocalBasis)
    basis, coef = network.basis.richer(network.coef.detach())
    system = anew(Network(network.inputs, basis, coef), SAMPLES * basis.size)
    first = system.initial()
    few = system.subset(BALANCED)
    system = system.with_weights(weights_of_lengths(few, squares(few, first)))
    zero = first.clone()
    zero[system.head] = 0.0
    before, at_zero = _rows(system, first), _rows(system, zero)
    theta, r = first, before
    for _ in range(1 if system.is_linear else STEPS):
        fit = LocalFit.of(system, theta)
        moved = theta.clone()
        moved[system.head] += fit.solve().x
        after = _rows(system, moved)
        enough = not after @ after < ENOUGH * (r @ r)
        if after @ after < r @ r or theta is first:
            theta, r = moved, after
        if enough:
            break
    return LocalSecondSolve(system, first, theta, at_zero, before, r, fit)


def local_determination(solve: LocalSecondSolve) -> Determination:
    """The largest changes |u| / |J c| of each field by the head c, found by inverse iteration on the sparse factors.

    As `determination_of` of dense ones: `reach` for changes of the rows by what the first solution leaves of them,
    `null` for those that rounding hides.
    """
    system, network = solve.system, solve.system.network_at(solve.first)
    assert isinstance(network.basis, LocalBasis)
    left, zero = float(solve.before.norm()), float(solve.at_zero.norm())
    unseen = FLOOR * zero * network.basis.numbers**0.5
    x = error_sample(system.problem, POINTS).x.to(network.coef.device, network.coef.dtype)
    functions, places = network.basis.local(network.inputs(x, total_order(system.problem.domain.axes, 0)))
    weight = error_sample(system.problem, POINTS).weight.to(x).sqrt()
    functions = functions[0] * weight.unsqueeze(1)
    fit = LocalFit.of(system, solve.second, least=FLOOR) if solve.fit.factors.lost else solve.fit
    reach, null, mode, largest = {}, {}, torch.zeros_like(network.coef), -1.0
    for name, field, slopes, _ in at_points(system.problem, network, 0):
        stretch, head = _stretch(fit, functions, places, slopes)
        size = max(float(field.norm()), torch.finfo(field.dtype).tiny)
        reach[name], null[name] = stretch * max(left, unseen) / size, stretch * unseen / size
        if stretch / size > largest:
            largest, mode = stretch / size, size * head
    return Determination(reach, null, {}, mode, {}, {})


def _stretch(fit: LocalFit, functions: Tensor, places: Tensor, slopes: Tensor) -> tuple[float, Tensor]:
    """The largest |u| / |J c| of a field with slopes (n, f, m) by the outputs, and its head (k, m) with |u| = 1."""
    shape = fit.factors.lengths.shape
    generator = torch.Generator().manual_seed(0)
    c = torch.randn((fit.functions, fit.columns), generator=generator, dtype=torch.float64).to(functions)
    found = 0.0
    for _ in range(INVERSE):
        field = torch.einsum("nfm,na,nam->nf", slopes, functions, c[places])
        c = c / field.norm()
        moved = torch.zeros_like(c)
        gradient = torch.einsum("nfm,nf->nm", slopes, field / field.norm())
        moved.index_put_((places,), functions.unsqueeze(2) * gradient.unsqueeze(1), accumulate=True)
        c = fit.factors.normal_inverse(moved.reshape(shape)).reshape(c.shape)
        size = float(torch.einsum("nfm,na,nam->nf", slopes, functions, c[places]).norm())
        rows = float((c * moved).sum().clamp(min=0).sqrt())  # |J c|^2 = c . J^T J c
        found = size / rows if rows > 0 else 0.0
    return found, c / max(size, torch.finfo(c.dtype).tiny)


def _rows(system: System, theta: Tensor) -> Tensor:
    with torch.no_grad():
        return system.residual(theta)
