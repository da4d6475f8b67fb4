"""Derivatives across switches: what jumps there and is differentiated all the same loses what its jump stands for.

Where k jumps, the derivative of k u' is that on either side and, between them, the condition that the flux is
continuous. Jets know the sides alone. So points on either side of switches are looked for, and what is differentiated
there is compared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import Watch, watched
from pinnml.domains import NEXT_TO, Box, Mesh, MeshTimes, Sample
from pinnml.errors import ProblemError
from pinnml.networks import Network
from pinnml.problem import AT_INTERFACES, Problem, Term
from pinnml.system.blocks import Block

#: Lines through a region, points on each, and switches that are looked at together.
LINES, ON_A_LINE, TOGETHER = 64, 17, 32
#: Halvings until two points are next to each other.
HALVINGS = 60
#: How near a switch is found at first, and how far to both sides it is then crossed along each axis, as parts of the
#: domain.
NEAR, ASIDE = 1e-7, 1e-6
#: What differs by more than this part of its largest value jumps.
JUMP = 1e-6
#: A point is on an interface of a mesh if it is as near to a plane of it, and as near to a sample of so many points.
ON_PLANE, BESIDE, ON_INTERFACE = 1e-5, 0.05, 4000


@dataclass(frozen=True)
class Crossing:
    """Where a switch is crossed along an axis, x (d,), and by how much of its size what is differentiated jumps."""

    axis: str
    x: tuple[float, ...]
    jump: float


def check_switches(problem: Problem, network: Network, blocks: Sequence[Block]) -> None:
    """Refuse equations that differentiate across a switch what jumps there, for some fields of the network.

    Interfaces with equations for jumps are left out. Raises ProblemError with the place and the cure.
    """
    network = with_some_head(network)
    for block in blocks:
        if block.pairing is not None or block.sample.two_sided or block.sample.columns:
            continue
        for term in block.terms:
            found = [*_crossings(replace(block, terms=(term,)), network)]
            if lost := [crossing for crossing in found if not _is_said(problem, crossing)]:
                raise _refusal(problem, term, lost)


def with_some_head(network: Network) -> Network:
    """The same basis with random coefficients, in double precision."""
    coef, generator = network.coef.detach(), torch.Generator().manual_seed(0)
    random = torch.randn(coef.shape, generator=generator, dtype=torch.float64) / coef.shape[0] ** 0.5
    return Network(network.inputs, copy.deepcopy(network.basis).double(), random.to(coef.device))


def _crossings(block: Block, network: Network) -> Iterator[Crossing]:
    """Crossings of switches at which something that is differentiated along the axis jumps."""
    few = _watched(block, network, block.few(8).sample.x.double())
    if not few.switches or not few.differentiated:
        return
    first, last = _segments(block)
    extent, names = first.amax(dim=0) - first.amin(dim=0), block.problem.domain.axes.names
    near, _ = _closed_in(block, network, first, last, NEAR * float(extent.max()))
    asked = dict.fromkeys(axis for axis, _ in few.differentiated)
    steps = [ASIDE * extent[i] * torch.eye(len(names))[i].to(near) for i in map(names.index, asked) if extent[i] > 0]
    if not len(near) or not steps:
        return
    aside = torch.stack(steps)[:, None]
    before, behind = _closed_in(block, network, (near - aside).flatten(0, 1), (near + aside).flatten(0, 1), 0.0)
    apart = NEXT_TO * first.abs().max() * (behind - before).sign()  # where a formula that is 0 / 0 there is finite
    sides = [_watched(block, network, x).differentiated for x in (before - apart, behind + apart)]
    moved = (behind - before).abs().argmax(dim=1)
    for (axis, values), (_, a), (_, b) in zip(_watched(block, network, first).differentiated, *sides, strict=True):
        jumps = (a - b).abs() / (float(values.abs().max()) or 1.0)
        for row in ((jumps > JUMP) & (moved == names.index(axis))).nonzero().flatten().tolist():
            yield Crossing(axis, tuple(behind[row].tolist()), float(jumps[row]))


def _watched(block: Block, network: Network, x: Tensor) -> Watch:
    """What happens while the inputs, the fields and the residual are evaluated at x (n, d)."""
    normal = block.sample.normal
    sample = Sample(x, torch.ones_like(x[:, 0]), None if normal is None else normal[:1].expand(len(x), -1))
    parameters = {name: x.new_tensor(value) for name, value in block.problem.parameters.items()}
    with torch.no_grad(), watched() as watch:
        there = block.on(sample, network)
        there.residuals(network(there.inputs).coefficients, parameters)
    switches = [branch for branch in watch.switches if branch.shape == (len(x),)]
    return Watch(switches, [(axis, values) for axis, values in watch.differentiated if values.shape == (len(x),)])


def _segments(block: Block) -> tuple[Tensor, Tensor]:
    """The ends (n, d) of many short segments of a region: of lines through a box, between neighbours elsewhere."""
    if isinstance(block.problem.domain, Box):
        x = block.few(LINES).sample.x.double()
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).to(x.device)
        part = torch.linspace(0, 1, ON_A_LINE, dtype=x.dtype, device=x.device)[:, None, None]
        points = x + part * (x[order] - x)
        return points[:-1].flatten(0, 1), points[1:].flatten(0, 1)
    x = block.few(LINES * ON_A_LINE).sample.x.double()
    nearest = torch.cdist(x, x).topk(min(4, len(x)), largest=False).indices[:, 1:]
    return x.repeat_interleave(nearest.shape[1], dim=0), x[nearest.flatten()]


def _closed_in(block: Block, network: Network, low: Tensor, high: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """Of segments with ends (n, d) those across switches, halved down to a width, or to neighbouring numbers."""
    branches = [torch.stack(_watched(block, network, x).switches) for x in (low, high)]
    rows = (branches[0] != branches[1]).any(dim=0).nonzero().flatten()
    rows = rows[torch.linspace(0, len(rows) - 1, min(len(rows), TOGETHER * low.shape[1])).long()]
    low, high, at_low = low[rows], high[rows], branches[0][:, rows]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = (high - low).abs().amax(dim=1) <= width
        if bool((found | ((middle == low) | (middle == high)).all(dim=1)).all()):
            break
        same = (torch.stack(_watched(block, network, middle).switches) == at_low).all(dim=0)[:, None]
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    return low, high


def _is_said(problem: Problem, crossing: Crossing) -> bool:
    """Whether a crossing is on an interface with equations for jumps."""
    domain, x = problem.domain, np.array(crossing.x)
    for region in {term.region for term in problem.terms if term.is_jump}:
        extent = float(np.ptp(domain.bounds, axis=1).max())
        if isinstance(domain, (Mesh, MeshTimes)):
            sample = domain.sample(region, ON_INTERFACE, torch.Generator().manual_seed(0), "sobol")
            space = [domain.axes.names.index(name) for name in domain.axes.space]
            apart = x[space] - sample.x[:, space].numpy()
            nearest = int(np.linalg.norm(apart, axis=1).argmin())
            assert sample.normal is not None
            across = abs(apart[nearest] @ sample.normal[nearest].numpy())
            if np.linalg.norm(apart[nearest]) < BESIDE * extent and across < ON_PLANE * extent:
                return True
        elif isinstance(domain, Box):
            places = domain.interfaces if region == "interface" else (region,)
            for axis, _, place in (name.partition("=") for name in places):
                if axis == crossing.axis and abs(x[domain.axes.names.index(axis)] - float(place)) <= 1e-9 * extent:
                    return True
    return False


def _refusal(problem: Problem, term: Term, lost: Sequence[Crossing]) -> ProblemError:
    names, worst = problem.domain.axes.names, max(lost, key=lambda crossing: crossing.jump)
    at = ", ".join(f"{name} = {value:.6g}" for name, value in zip(names, worst.x, strict=True))
    return ProblemError(
        f"equation '{term.name}' takes the derivative along {worst.axis} of what jumps: what the jump stands for, such "
        "as a flux that is continuous, would be lost",
        expected="what is differentiated to be continuous, or an interface with equations for the jumps across it",
        got=f"a switch (torch.where, sign, abs, ...) at {at}, where it jumps by {worst.jump:.1e} of its size",
        cure=_cure(problem, lost),
    )


def _cure(problem: Problem, lost: Sequence[Crossing]) -> str:
    """An axis in parts where the switches are planes across it; else the weak form."""
    domain, axis = problem.domain, lost[0].axis
    place = domain.axes.names.index(axis)
    found = sorted({float(f"{crossing.x[place]:.9g}") for crossing in lost if crossing.axis == axis})
    if isinstance(domain, Box) and len(found) <= 4 and axis in domain.axes.space:
        low, high = domain.bounds[place]
        said = {float(name.partition("=")[2]) for name in domain.interfaces if name.startswith(f"{axis}=")}
        ends = ", ".join(f"{number:g}" for number in sorted({float(low), *said, *found, float(high)}))
        return f"give the axis parts, Box({axis}=Parts({ends})), and say what holds where they meet: {AT_INTERFACES}"
    return (
        "give the problem a mesh whose facets lie on the switch and its weak form, "
        "weak=lambda u, v: k * dot(grad(u), grad(v)) - f * v, and call solve(..., tests=TestSpace(3)) or reference(...)"
    )
