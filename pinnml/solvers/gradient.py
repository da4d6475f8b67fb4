"""Plain gradient solvers: torch.optim on the loss."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pinnml.deadline import OutOfTimeError
from pinnml.solvers.base import Report, Solver, Status, Step, end_of_descent, stalled
from pinnml.solvers.packing import own
from pinnml.system import System
from pinnml.validation import or_none, positive, settle, whole_number

#: What is left of the learning rate at the end of a cycle.
LOWEST = 0.01
#: Steps of conjugate gradients at most: P^T P of splines is well conditioned.
LIFT_STEPS = 100
#: Where the equations overflow stands a wall, so many times as high as the loss, from which a line search turns back.
WALL = 2.0
#: Evaluations that the line search of one iteration may take.
SEARCHES = 25


@dataclass(frozen=True)
class State:
    """The optimiser of PyTorch with the tensor that it moves, and the losses so far.

    The optimiser changes in place with the next step; `kept`, the gradient and what the optimiser remembers, does not.
    """

    optimiser: torch.optim.Optimizer
    parameter: Tensor
    losses: tuple[float, ...]
    step: int = 0
    kept: Mapping[str, Any] = field(default_factory=dict)


class _Descent(Solver):
    """A solver by one of PyTorch's optimisers: how its state begins, and what a checkpoint holds of it."""

    @abstractmethod
    def _optimiser(self, parameter: Tensor) -> torch.optim.Optimizer:
        """The optimiser of a parameter (P,)."""

    def init(self, system: System, theta: Tensor) -> State:
        """A fresh optimiser with the gradient at theta."""
        return _start(system, theta, self._optimiser)

    def packed(self, state: State) -> dict[str, Any]:
        """All of it."""
        return _packed(state)

    def unpacked(self, packed: dict[str, Any], system: System, theta: Tensor) -> State:
        """All of it."""
        return _unpacked(packed, theta, self._optimiser)


@dataclass(frozen=True, kw_only=True)
class Adam(_Descent):
    """Adam (arXiv:1412.6980) on the whole of theta, full batch.

    rate: the learning rate; decay: its factor after every 1000 steps; ramp: steps over which the rate rises to its
    full height, at the start and where a level begins anew; cycle: steps over which the rate falls along a cosine to
    a hundredth before it starts again (arXiv:1608.03983), None for never; patience: steps within which the loss must
    fall by a tenth.
    """

    steps: int = 10_000
    rate: float = 1e-3
    decay: float = 1.0
    ramp: int = 1
    cycle: int | None = None
    patience: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, positive, "rate", "decay")
        settle(self, whole_number, "ramp", "patience")
        settle(self, or_none(whole_number), "cycle")

    def _optimiser(self, parameter: Tensor) -> torch.optim.Optimizer:
        return torch.optim.Adam([parameter], lr=self.rate)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One update."""
        for group in state.optimiser.param_groups:
            group["lr"] = self._rate(state.step)
        state.optimiser.step()
        loss, state.parameter.grad = system.loss_and_gradient(state.parameter)
        return _after(system, state, float(loss), self.patience)

    def _rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rate = self.rate * self.decay ** (step / 1000) * min((step + 1) / self.ramp, 1.0)
        if self.cycle is None:
            return rate
        fall = (1 + math.cos(math.pi * (step % self.cycle) / self.cycle)) / 2
        return rate * (LOWEST + (1 - LOWEST) * fall)

    def carried(self, state: State, system: System, theta: Tensor, prolong: Callable[[Tensor], Tensor]) -> State:
        """Both moments on the finer level: of splines half as wide they are as large, up to a common factor.

        The rate goes on where it was.
        """
        fresh = self.init(system, theta)
        old = state.optimiser.state[state.parameter]
        fresh.optimiser.state[fresh.parameter] = {
            "step": old["step"].clone(),
            "exp_avg": prolong(old["exp_avg"]),
            "exp_avg_sq": prolong(old["exp_avg_sq"].sqrt()).square(),
        }
        return replace(fresh, step=state.step, kept=_kept(fresh.optimiser, fresh.parameter))


@dataclass(frozen=True, kw_only=True)
class LBFGS(_Descent):
    """L-BFGS with a strong Wolfe line search on the whole of theta; one step is `inner` iterations.

    memory: pairs that are kept; patience: steps within which the loss must fall by a tenth.
    """

    steps: int = 500
    inner: int = 20
    memory: int = 100
    patience: int = 25

    def numbers(self, rows: int, parameters: int, head: int) -> float:
        """The pairs that are kept."""
        return (2.0 * self.memory + 8) * parameters

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "inner", "memory", "patience")

    def _optimiser(self, parameter: Tensor) -> torch.optim.Optimizer:
        settings = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
        most = SEARCHES * self.inner  # PyTorch's own limit would cut line searches short
        return torch.optim.LBFGS([parameter], max_iter=self.inner, max_eval=most, history_size=self.memory, **settings)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """`inner` iterations."""
        before = state.parameter.detach().clone()
        best = state.losses[-1], before

        def closure() -> float:
            nonlocal best
            loss, gradient = system.loss_and_gradient(state.parameter)
            if not bool(torch.isfinite(loss) & torch.isfinite(gradient).all()):
                loss, gradient = WALL * state.losses[-1], torch.zeros_like(gradient)
            state.parameter.grad = gradient
            if float(loss) < best[0]:
                best = float(loss), state.parameter.detach().clone()
            return float(loss)

        try:
            loss = self._iterated(state, before, closure)
        except OutOfTimeError:
            return Step(system, best[1], state, Report(best[0], Status.SECONDS))
        return _after(system, state, loss, self.patience)

    def _iterated(self, state: State, before: Tensor, closure: Callable[[], float]) -> float:
        """The loss after `inner` iterations."""
        state.optimiser.step(closure)
        loss = closure()
        if loss == state.losses[-1] or not math.isfinite(loss):
            # along a stale direction there may be nothing, or an overflow: forget it, and take the steepest
            state.optimiser.state.clear()
            state.parameter.data.copy_(before)
            closure()
            state.optimiser.step(closure)
            loss = closure()
        return loss

    def carried(self, state: State, system: System, theta: Tensor, prolong: Callable[[Tensor], Tensor]) -> State:
        """The pairs of steps and gradient differences on the finer level: what is known of the curvature stays known.

        Steps are prolonged; differences d become those that the coarse level saw as d and that are shortest.
        """
        fresh, old = self.init(system, theta), state.optimiser.state[state.parameter]
        if not old.get("old_dirs"):
            return fresh
        steps = [prolong(step) for step in old["old_stps"][-self.memory :]]
        differences = [lifted(difference, prolong) for difference in old["old_dirs"][-self.memory :]]
        last, change = steps[-1], differences[-1]
        assert fresh.parameter.grad is not None
        fresh.optimiser.state[fresh.parameter] = {
            **{name: value for name, value in old.items() if name != "al"},  # a work list as long as the memory
            "d": torch.zeros_like(last),
            "t": 1.0,
            "old_stps": steps,
            "old_dirs": differences,
            "ro": [1 / (a @ b) for a, b in zip(steps, differences, strict=True)],
            "H_diag": (last @ change) / (change @ change),
            "prev_flat_grad": fresh.parameter.grad.clone(),
            "prev_loss": fresh.losses[-1],
        }
        return replace(fresh, kept=_kept(fresh.optimiser, fresh.parameter))


def lifted(gradient: Tensor, prolong: Callable[[Tensor], Tensor]) -> Tensor:
    """The shortest g' (P',) with P^T g' = g (P,) for theta' = P theta: P (P^T P)^-1 g, by conjugate gradients."""
    transposed = torch.func.vjp(prolong, torch.zeros_like(gradient))[1]
    solution, residual = torch.zeros_like(gradient), gradient.clone()
    direction, square = residual.clone(), residual @ residual
    smallest = torch.finfo(gradient.dtype).eps ** 2 * square
    for _ in range(LIFT_STEPS):
        if square <= smallest:
            break
        image = transposed(prolong(direction))[0]
        length = square / (direction @ image)
        solution, residual = solution + length * direction, residual - length * image
        square, before = residual @ residual, square
        direction = residual + square / before * direction
    return prolong(solution)


def _start(system: System, theta: Tensor, make: Callable[[Tensor], torch.optim.Optimizer]) -> State:
    parameter = theta.detach().clone().requires_grad_()
    loss, parameter.grad = system.loss_and_gradient(parameter)
    optimiser = make(parameter)
    return State(optimiser, parameter, (float(loss),), kept=_kept(optimiser, parameter))


def _kept(optimiser: torch.optim.Optimizer, parameter: Tensor) -> dict[str, Any]:
    """The gradient, and a copy of what the optimiser remembers, but for a work list. Tensors in lists do not change."""

    def copied(value: Any) -> Any:
        return value.clone() if isinstance(value, Tensor) else list(value) if isinstance(value, list) else value

    memory = {name: copied(value) for name, value in optimiser.state.get(parameter, {}).items() if name != "al"}
    return {"gradient": parameter.grad, "memory": memory}


def _packed(state: State) -> dict[str, Any]:
    return {"losses": list(state.losses), "step": state.step, **state.kept}


def _unpacked(packed: dict[str, Any], theta: Tensor, make: Callable[[Tensor], torch.optim.Optimizer]) -> State:
    parameter = theta.detach().clone().requires_grad_()
    parameter.grad = own(packed["gradient"])
    optimiser = make(parameter)
    for name, value in packed["memory"].items():
        optimiser.state[parameter][name] = [own(each) for each in value] if isinstance(value, list) else own(value)
    return State(optimiser, parameter, own(packed["losses"]), packed["step"], _kept(optimiser, parameter))


def _after(system: System, state: State, loss: float, patience: int) -> Step:
    kept, losses = _kept(state.optimiser, state.parameter), (*state.losses[-patience:], loss)
    state = State(state.optimiser, state.parameter, losses, state.step + 1, kept)
    theta, status = state.parameter.detach().clone(), None
    if loss == 0.0 or state.losses[-2] == loss:
        status = end_of_descent(system, theta)
    elif stalled(state.losses, patience):
        status = Status.STALLED
    return Step(system, theta, state, Report(loss, status))
