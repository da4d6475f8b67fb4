"""From a solution to what a second solve says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pinnml.networks import LocalBasis, Network
from pinnml.results import Fields, distance
from pinnml.system import System
from pinnml.verification.determination import Determination, at_points, determination_of
from pinnml.verification.local_solve import local_determination, local_second_solve
from pinnml.verification.noise import noise_of, shifts, standard_errors
from pinnml.verification.second_solve import Anew, SecondSolve, second_solve
from pinnml.verification.unseen_data import unseen_data

#: The second solve is taken to leave no more than this part of the residual. A residual that hardly falls, small as it
#: is, is a sign of fields that neither basis can make: then it may leave nearly all.
LARGEST_GAIN, LARGEST_OF_SMALL = 0.9, 0.9999
#: Small is a residual below this part of what zero fields leave, and above rounding.
SMALL = 1e-10, 1e-3


@dataclass(frozen=True, eq=False)
class Verification:
    """What a second solve says of a solution.

    estimate: by field, the relative L2 error. second: the better fields. determination: what the equations leave open.
    beside_zero: what the solution leaves of the equations at unseen points, as a part of what zero fields leave. gain:
    what the second solve leaves, as a part of that. worst: the equation of which it leaves most, and where. parameters:
    by name, the change of a parameter in the second solve. noise, standard_errors: of measured values, by equation, and
    of parameters for it. unseen: sentences on data between the points. alternative: the first fields with as much
    again of what the equations see least of.
    """

    estimate: dict[str, float]
    second: Fields
    determination: Determination
    beside_zero: float
    gain: float
    worst: str
    parameters: dict[str, float]
    noise: dict[str, float]
    standard_errors: dict[str, float]
    unseen: tuple[str, ...]
    alternative: Fields


def verify(system: System, theta: torch.Tensor, anew: Anew, seed: int) -> Verification:
    """Solve again beside the solution at theta; `anew` makes a system for a network on unseen points.

    Fields whose residual falls to the part g with the second solve are taken to be off by |first - second| /
    sqrt(1 - g^2).
    """
    if isinstance(system.network.basis, LocalBasis):
        return _verified_locally(system, theta, anew)
    first = system.network_at(theta).double(), system.parameters_at(theta)
    solve = second_solve(*first, anew, torch.Generator().manual_seed(seed))
    second = solve.system.network_at(solve.second), solve.system.parameters_at(solve.second)
    noise = noise_of(solve)
    before, after = (norm_of(solve.system, rows, noise) for rows in (solve.before, solve.after))
    zero = float(solve.at_zero.norm())
    tiny = torch.finfo(theta.dtype).tiny
    gain, right_angle = after / (before + tiny), _right_angle(before, after, zero)
    apart, noisy = distance(system.problem, first, second), shifts(solve, noise)
    determination = determination_of(solve)
    apart |= _apart(solve, determination.sizes)
    return Verification(
        estimate={name: math.hypot(right_angle * each, noisy.get(name, 0.0)) for name, each in apart.items()},
        second=second,
        determination=determination,
        beside_zero=before / (zero + tiny),
        gain=gain,
        worst=_worst(solve.system, solve.after, noise),
        parameters={name: abs(value - second[1][name]) for name, value in first[1].items()},
        noise=noise,
        standard_errors=standard_errors(solve, noise),
        unseen=tuple(unseen_data(system.problem, solve.system.blocks, _sizes(solve.system, solve.first))),
        alternative=(_with_mode(solve, determination.mode), first[1]),
    )


def _right_angle(before: float, after: float, zero: float) -> float:
    """How much farther the truth is than the second fields: by the right angle of what least squares gain and leave."""
    gain = after / (before + torch.finfo(torch.float64).tiny)
    largest = LARGEST_OF_SMALL if SMALL[0] * zero < before < SMALL[1] * zero else LARGEST_GAIN
    return 1 / math.sqrt(1 - min(gain, largest) ** 2)


def _verified_locally(system: System, theta: torch.Tensor, anew: Anew) -> Verification:
    """The same for patches: the second solve has the same ones with polynomials of a degree more."""
    first = system.network_at(theta), system.parameters_at(theta)
    solve = local_second_solve(first[0], anew)
    second = solve.system.network_at(solve.second), first[1]
    before, after, zero = (float(rows.norm()) for rows in (solve.before, solve.after, solve.at_zero))
    tiny, determination = torch.finfo(theta.dtype).tiny, local_determination(solve)
    right_angle = _right_angle(before, after, zero)
    apart = distance(system.problem, first, second)
    return Verification(
        estimate={name: right_angle * each for name, each in apart.items()},
        second=second,
        determination=determination,
        beside_zero=before / (zero + tiny),
        gain=after / (before + tiny),
        worst=_worst(solve.system, solve.after, {}),
        parameters={},
        noise={},
        standard_errors={},
        unseen=tuple(unseen_data(system.problem, solve.system.blocks, _sizes(solve.system, solve.first))),
        alternative=(solve.with_mode(determination.mode), first[1]),
    )


def _apart(solve: SecondSolve, sizes: Mapping[str, float]) -> dict[str, float]:
    """How far the second fields are from the first beside sizes of their own, by name."""
    if not sizes:
        return {}
    networks = (solve.system.network_at(theta) for theta in (solve.first, solve.second))
    first, second = ({each[0]: each[1] for each in at_points(solve.system.problem, n, 0)} for n in networks)
    return {name: float((first[name] - second[name]).norm()) / size for name, size in sizes.items()}


def _with_mode(solve: SecondSolve, mode: torch.Tensor) -> Network:
    """The first solution with a head (k, m) of further functions added."""
    theta = solve.first.clone()
    theta[solve.system.head][: mode.numel()] += mode.flatten()
    return solve.system.network_at(theta)


def norm_of(system: System, rows: torch.Tensor, noise: Mapping[str, float]) -> float:
    """The norm of the rows (M,) of all equations that are not noisy."""
    places = [place for name, place in system.rows.items() if name not in noise]
    return math.sqrt(sum(float(rows[place].square().sum()) for place in places))


def _sizes(system: System, theta: torch.Tensor) -> dict[str, float]:
    """The RMS size of the terms of each equation."""
    rms, relative = system.rms(theta), system.relative(theta)
    return {name: value / (relative[name] or 1.0) for name, value in rms.items()}


def _worst(system: System, after: torch.Tensor, noise: Mapping[str, float]) -> str:
    """The equation with the largest row (M,) after the second solve, and the point where it is."""
    found, largest = "", -1.0
    for block in system.blocks:
        for term in (each for each in block.terms if each.name not in noise):
            rows = after[system.rows[term.name]].abs()
            if float(rows.max()) > largest:
                largest, found = float(rows.max()), f"'{term.name}'"
                if not term.equation.integral and block.pairing is None:
                    place = block.sample.x[int(rows.argmax()) % len(block)].tolist()
                    names = block.problem.domain.axes.names
                    found += " at " + ", ".join(
                        f"{name} = {value:.4g}" for name, value in zip(names, place, strict=True)
                    )
    return found
