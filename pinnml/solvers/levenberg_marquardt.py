"""Levenberg-Marquardt: Gauss-Newton steps within a trust region, or with constant or scheduled damping."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.linalg import DampedSteps, damped_steps
from pinnml.solvers.base import Report, Solver, Status, Step, end_of_descent, stalled
from pinnml.solvers.head import balancing_weights
from pinnml.solvers.packing import packed_fields, unpacked_fields
from pinnml.solvers.trust_region import half_square, longest_good_step
from pinnml.solvers.units import columns, measured
from pinnml.system import System
from pinnml.validation import flag, fraction, not_negative, positive, settle, whole_number

#: Below this relative residual the Gram matrix has too few digits, and J itself is factorised.
GRAM_LIMIT = 1e-6
#: Steps of no less damping than before after which the solution is taken to be near.
TERMINAL_WINDOW = 30


@dataclass(frozen=True)
class Schedule:
    """Damping that falls log-linearly from `start` to `end` over `steps` steps and stays there."""

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        positive("start of a schedule", self.start)
        positive("end of a schedule", self.end)
        whole_number("steps of a schedule", self.steps)

    def __call__(self, step: int) -> float:
        """The damping of a step, counted from 0."""
        part = min(step / self.steps, 1.0)
        return math.exp((1 - part) * math.log(self.start) + part * math.log(self.end))


@dataclass(frozen=True)
class State:
    """What is carried from step to step: trust radius, history of losses and dampings, units of the outputs."""

    radius: float = 1.0
    losses: tuple[float, ...] = ()
    dampings: tuple[float, ...] = ()
    units: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt(Solver):
    """theta <- theta - rate (J^T J + mu I)^-1 J^T r, in the kernel form when there are more parameters than rows.

    damping: "trust-region" (the radius follows the gain ratio), a constant mu, or a Schedule. target and
    final_target: the gain ratios aimed at far from the solution and near it. rate multiplies the steps of constant
    and scheduled damping, which are taken as they come. rebalance: the exponent with which the weights of
    equations follow their share of the loss, 0 for none. balance: weight the equations at the first step so that
    their rows are equally long for the head, as LSGD does; the user's own weights stay on top. tolerance: the
    relative residual (see `System.relative`) at which the solve ends. patience: the steps within which the loss must
    fall by a tenth. A constant or scheduled mu is measured against J^T J of rows scaled as in System: rows scaled by c
    need c^2 mu. With a trust region rows and columns are measured in units of the problem (see `units.measured`), so
    that a change of units changes nothing.

    Sources: arXiv:2607.02194 (trust region, targets, rebalancing), arXiv:2601.03162 (constant and scheduled
    damping, kernel form), arXiv:1201.5885 (geodesic acceleration).
    """

    steps: int = 1000
    damping: str | float | Schedule = "trust-region"
    target: float = 0.1
    final_target: float = 0.5
    rate: float = 1.0
    rebalance: float = 0.0
    balance: bool = False
    tolerance: float = 1e-8
    patience: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, fraction, "target", "final_target")
        settle(self, positive, "rate")
        settle(self, not_negative, "rebalance", "tolerance")
        settle(self, whole_number, "patience")
        settle(self, flag, "balance")
        number = isinstance(self.damping, (int, float)) and 0 <= self.damping < math.inf
        if not (number or isinstance(self.damping, Schedule) or self.damping == "trust-region"):
            expected = '"trust-region", a number of 0 or more, or a Schedule'
            cure = "leave it out for the trust region, or write a number, such as damping=1e-3"
            raise SettingsError("damping", expected=expected, got=repr(self.damping), cure=cure)

    @property
    def forms_jacobian(self) -> bool:
        """At every step."""
        return True

    def numbers(self, rows: int, parameters: int, head: int) -> float:
        """The Jacobian, its orthogonal factor, and what belongs to the smaller side."""
        return 3.0 * rows * parameters + 5.0 * min(rows, parameters) ** 2

    def init(self, system: System, theta: Tensor) -> State:
        """A radius of one, which the first step corrects."""
        return State()

    def carried(self, state: State, system: System, theta: Tensor, prolong: Callable[[Tensor], Tensor]) -> State:
        """The radius stays, the loss at the start, and the units."""
        return State(state.radius, state.losses[:1], units=state.units)

    def packed(self, state: State) -> dict[str, Any]:
        """All of it."""
        return packed_fields(state)

    def unpacked(self, packed: dict[str, Any], system: System, theta: Tensor) -> State:
        """All of it."""
        return unpacked_fields(State, packed)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One factorisation, and the best step that it offers."""
        units = state.units
        if units is None and self.damping == "trust-region":
            units, system, theta = measured(system, theta)
        if self.balance and not state.losses:
            system = system.with_weights(balancing_weights(system, system.jacobian(theta, system.head)))
        if self.rebalance:
            system = rebalanced(system, theta, self.rebalance)
        r, j = system.linearise(theta)
        losses = state.losses or (half_square(r),)
        gram = half_square(r) > GRAM_LIMIT**2 * losses[0]
        if units is None:
            return self._prescribed(system, theta, losses, damped_steps(j, r, gram=gram, deadline=system.deadline))
        scale = columns(system, j, units)
        steps = damped_steps(j.mul_(scale), r, gram=gram, deadline=system.deadline)

        def evaluate(step: Tensor) -> tuple[Tensor, Tensor]:
            moved = theta + scale * step
            with torch.no_grad():
                return system.residual(moved), moved

        target = self.final_target if _is_near(state.dampings) else self.target
        trial = longest_good_step(steps, evaluate, r, state.radius, target, bent=True)
        if trial is None:
            status = end_of_descent(system, theta)
            return Step(system, theta, state, Report(half_square(r), status, {"radius": state.radius}))
        radius = min(trial.radius, 2 * steps.length(trial.damping))
        state = State(radius, (*losses, trial.loss), (*state.dampings, trial.damping), units)
        notes = {"damping": trial.damping, "radius": radius, "gain ratio": trial.ratio}
        return self._after(system, trial.outcome, state, notes)

    def _prescribed(self, system: System, theta: Tensor, losses: tuple[float, ...], steps: DampedSteps) -> Step:
        """A step of constant or scheduled damping, taken as it comes."""
        damping = self.damping(len(losses) - 1) if isinstance(self.damping, Schedule) else float(self.damping)
        theta = theta + self.rate * steps.step(max(damping, steps.floor))
        with torch.no_grad():
            loss = half_square(system.residual(theta))
        return self._after(system, theta, State(losses=(*losses, loss)), {"damping": damping})

    def _after(self, system: System, theta: Tensor, state: State, notes: dict[str, float]) -> Step:
        """What to carry on and report after a step."""
        worst = max(system.relative(theta).values())
        status = None
        if worst <= self.tolerance:
            status = Status.CONVERGED
        elif stalled(state.losses, self.patience):
            status = Status.STALLED
        return Step(system, theta, state, Report(state.losses[-1], status, {**notes, "relative residual": worst}))


def rebalanced(system: System, theta: Tensor, exponent: float) -> System:
    """The system with each weight multiplied by (mean loss / own loss)^exponent, the weights' mean kept."""
    with torch.no_grad():
        r = system.residual(theta)
    own = {name: max(half_square(r[rows]), 1e-300) for name, rows in system.rows.items()}
    mean = sum(own.values()) / len(own)
    raised = {name: system.weights[name] * (mean / loss) ** exponent for name, loss in own.items()}
    scale = sum(system.weights.values()) / sum(raised.values())
    return system.with_weights({name: weight * scale for name, weight in raised.items()})


def _is_near(dampings: tuple[float, ...]) -> bool:
    """Whether the damping has passed its minimum: the sign that the solution is near."""
    return bool(dampings) and len(dampings) - dampings.index(min(dampings)) > TERMINAL_WINDOW
