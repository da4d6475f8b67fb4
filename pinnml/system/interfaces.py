"""Whether what meets at interfaces is said, and whether the basis can follow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import torch
from torch import Tensor

from pinnml.calculus import Jet
from pinnml.domains import Mesh, MeshTimes, Sample
from pinnml.errors import ProblemError
from pinnml.networks import Network
from pinnml.problem import Problem, Term
from pinnml.system.blocks import Block
from pinnml.system.switches import with_some_head

#: Pairs of points on an interface that are looked at.
PAIRS = 32
#: Jumps of less than this part of what jumps are round-off.
SMALL = 1e-9
#: Fluxes that differ by more than this part are not the same.
OTHER = 1e-6

WEAKLY = (
    'state the weak form, such as Weak(lambda u, v: k * dot(grad(u), grad(v)) - f * v, on="steel") for each part, and '
    "call solve(..., tests=TestSpace(3)) or reference(problem)"
)
KINKED = "an input that kinks there, such as Features(inputs=lambda x, y: (x, y, abs(x - 0.5)))"


def check_interfaces(problem: Problem, network: Network, blocks: Sequence[Block]) -> None:
    """Refuse jumps that the basis does not have, and parts of a mesh between which a flux is left open.

    Raises ProblemError.
    """
    network = with_some_head(network)
    for block in blocks:
        if block.sample.two_sided:
            for term in _unmet_jumps(block, network):
                raise _too_smooth(problem, term)
    domain = problem.domain
    if isinstance(domain, (Mesh, MeshTimes)):
        for first, second in combinations((block for block in blocks if _is_part(problem, block)), 2):
            _check_flux_between(domain, first, second, network)


def _unmet_jumps(block: Block, network: Network) -> Iterator[Term]:
    """Equations for jumps that fields of the network, which are smooth there, do not meet of themselves."""
    few = block.few(2 * PAIRS)
    few = few.on(few.sample, network)
    outputs = network(few.inputs).coefficients.detach()
    sides = outputs.unflatten(1, (-1, 2))
    if float((sides[:, :, 1] - sides[:, :, 0]).abs().max()) > SMALL * float(outputs.abs().max()):
        return
    outputs.requires_grad_()
    for term, components in zip(few.terms, few.residuals(outputs, _guesses(block.problem, outputs)), strict=True):
        for r in components if term.is_jump else ():
            slope = torch.autograd.grad(r.sum(), outputs, retain_graph=True)[0] if r.requires_grad else 0 * outputs
            if float(r.detach().abs().max()) > SMALL * float((slope * outputs).detach().abs().sum(dim=(0, 2)).max()):
                yield term
                break


def _too_smooth(problem: Problem, term: Term) -> ProblemError:
    on_mesh = isinstance(problem.domain, (Mesh, MeshTimes))
    cure = (
        f"give the network {KINKED}; or {WEAKLY}" if on_mesh else "leave inputs= out: parts bring inputs of their own"
    )
    return ProblemError(
        f"equation '{term.name}' makes fields jump or kink on '{term.region}', and the basis cannot",
        expected="functions with other values or slopes on either side",
        got="a network that is smooth there",
        cure=cure,
    )


def _is_part(problem: Problem, block: Block) -> bool:
    on_mesh = block.region not in (*problem.data, "interior", "t=min", "t=max")
    return on_mesh and block.pairing is None and not problem.domain.has_normal(block.region)


def _check_flux_between(domain: Mesh | MeshTimes, first: Block, second: Block, network: Network) -> None:
    """Refuse two parts with other fluxes where nothing is said on facets between them."""
    mesh, said = domain if isinstance(domain, Mesh) else domain.mesh, {term.region for term in first.problem.terms}
    facets = mesh.between(first.region, second.region, [name for name in mesh.interfaces if name in said])
    if not len(facets):
        return
    sample = facets.middles(PAIRS)
    others = first.few(PAIRS).sample.x[:, sample.x.shape[1] :].to("cpu", torch.float64)
    rows = torch.arange(len(sample)) % len(others)
    sample = Sample(torch.cat([sample.x, others[rows]], dim=1), sample.weight, sample.normal)
    pairs = sample.both_sides(domain.axes)
    before, behind = (_fluxes(block, network, pairs[side::2]) for block, side in ((first, 0), (second, 1)))
    if not before or len(before) != len(behind):
        return
    apart = max(
        float(torch.minimum((a - b).abs(), (a + b).abs()).max() / (a.abs() + b.abs()).max().clamp(min=1e-300))
        for a, b in zip(before, behind, strict=True)
    )
    if apart > OTHER:
        names = [f"'{block.terms[0].name}'" for block in (first, second)]
        groups = ", ".join(mesh.interfaces) or "none has a name yet"
        raise ProblemError(
            f"equations {names[0]} and {names[1]} have other fluxes, and nothing says what holds where "
            f"'{first.region}' and '{second.region}' meet",
            expected="the weak form, which says so, or an equation for the jump of the flux on the facets between them",
            got=f"fields of the network with fluxes that differ there by {apart:.1e} of their size",
            cure=f"{WEAKLY}; or write Equation(lambda u, x, normal, jump: jump(k(x) * normal_derivative(u, normal)), "
            f"on=...) on these facets ({groups}), and give the network {KINKED}",
        )


def _fluxes(block: Block, network: Network, sample: Sample) -> list[Tensor]:
    """sum_ij A_ij n_i u_xj (n,) for each residual sum_ij A_ij u_xixj + ... of second order, of all fields together."""
    there = block.on(Sample(sample.x, sample.weight, None), network)
    outputs = network(there.inputs).coefficients.detach().requires_grad_()
    indices, axes = there.needs.outputs, block.problem.domain.axes
    space = [axes.names.index(name) for name in axes.space]
    assert sample.normal is not None
    normal, found = sample.normal.to(outputs), []
    u = Jet(indices, outputs.detach())
    for components in there.residuals(outputs, _guesses(block.problem, outputs)):
        for r in (each for each in components if each.requires_grad):
            slopes = torch.autograd.grad(r.sum(), outputs, retain_graph=True)[0]
            flux = torch.zeros_like(r.detach())
            for i, a in enumerate(space):
                for b in space:
                    second = tuple((place == a) + (place == b) for place in range(len(axes.names)))
                    if second in indices.position:
                        half = slopes[indices.position[second]] / 2  # of a Taylor coefficient, in both cases
                        flux += (half * u.d(axes.names[b]).value).sum(dim=-1) * normal[:, i]
            found.append(flux)
    return [flux for flux in found if bool(flux.any())]


def _guesses(problem: Problem, like: Tensor) -> dict[str, Tensor]:
    return {name: like.new_tensor(value) for name, value in problem.parameters.items()}
