"""From a solution to what a second solve says of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pinnml.results import Fields, distance
from pinnml.system import System
from pinnml.verification.determination import Determination, determination_of
from pinnml.verification.second_solve import Anew, SecondSolve, second_solve

#: The second solve is taken to leave no more than this part of the error.
LARGEST_GAIN = 0.9


@dataclass(frozen=True, eq=False)
class Verification:
    """What a second solve says of a solution.

    estimate: by field, the relative L2 error. second: the better fields. determination: what the equations leave open.
    beside_zero: what the solution leaves of the equations at unseen points, as a part of what zero fields leave. gain:
    what the second solve leaves, as a part of that. worst: the equation of which it leaves most, and where. parameters:
    by name, the change of a parameter in the second solve.
    """

    estimate: dict[str, float]
    second: Fields
    determination: Determination
    beside_zero: float
    gain: float
    worst: str
    parameters: dict[str, float]


def verify(system: System, theta: torch.Tensor, anew: Anew, seed: int) -> Verification:
    """Solve again beside the solution at theta; `anew` makes a system for a network on unseen points.

    Fields whose residual falls to the part g with the second solve are taken to be off by |first - second| / (1 - g):
    the second is off by about the part g of that again.
    """
    first = system.network_at(theta).double(), system.parameters_at(theta)
    solve = second_solve(*first, anew, torch.Generator().manual_seed(seed))
    second = solve.system.network_at(solve.second), solve.system.parameters_at(solve.second)
    zero, before, after = (float(rows.norm()) for rows in (solve.at_zero, solve.before, solve.after))
    tiny = torch.finfo(theta.dtype).tiny
    gain = after / (before + tiny)
    apart = {
        name: each / (1 - min(gain, LARGEST_GAIN)) for name, each in distance(system.problem, first, second).items()
    }
    changes = {name: abs(value - second[1][name]) for name, value in first[1].items()}
    return Verification(apart, second, determination_of(solve), before / (zero + tiny), gain, _worst(solve), changes)


def _worst(solve: SecondSolve) -> str:
    """The equation with the largest row after the second solve, and the point where it is."""
    found, largest = "", -1.0
    for block in solve.system.blocks:
        for term in block.terms:
            rows = solve.after[solve.system.rows[term.name]].abs()
            if float(rows.max()) > largest:
                largest, found = float(rows.max()), f"'{term.name}'"
                if not term.equation.integral and block.pairing is None:
                    place = block.sample.x[int(rows.argmax()) % len(block)].tolist()
                    names = block.problem.domain.axes.names
                    found += " at " + ", ".join(
                        f"{name} = {value:.4g}" for name, value in zip(names, place, strict=True)
                    )
    return found
