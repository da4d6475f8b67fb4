"""Plain gradient solvers: torch.optim on the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.checks import positive, settle, whole_number
from pinnml.solvers.base import Report, Solver, Status, Step, end_of_descent, stalled
from pinnml.system import System


@dataclass(frozen=True)
class State:
    """The optimiser of PyTorch with the tensor that it moves, and the losses so far."""

    optimiser: torch.optim.Optimizer
    parameter: Tensor
    losses: tuple[float, ...]
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class Adam(Solver):
    """Adam (arXiv:1412.6980) on the whole of theta, full batch.

    rate: the learning rate; decay: its factor after every 1000 steps; patience: steps within which the loss must
    fall by a tenth.
    """

    steps: int = 10_000
    rate: float = 1e-3
    decay: float = 1.0
    patience: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, positive, "rate", "decay")
        settle(self, whole_number, "patience")

    def init(self, system: System, theta: Tensor) -> State:
        """A fresh optimiser with the gradient at theta."""
        return _start(system, theta, lambda parameter: torch.optim.Adam([parameter], lr=self.rate))

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """One update."""
        for group in state.optimiser.param_groups:
            group["lr"] = self.rate * self.decay ** (state.step / 1000)
        state.optimiser.step()
        loss, state.parameter.grad = system.loss_and_gradient(state.parameter)
        return _after(system, state, float(loss), self.patience)


@dataclass(frozen=True, kw_only=True)
class LBFGS(Solver):
    """L-BFGS with a strong Wolfe line search on the whole of theta; one step is `inner` iterations.

    memory: pairs that are kept; patience: steps within which the loss must fall by a tenth.
    """

    steps: int = 500
    inner: int = 20
    memory: int = 100
    patience: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, whole_number, "inner", "memory", "patience")

    def init(self, system: System, theta: Tensor) -> State:
        """A fresh optimiser with the gradient at theta."""

        def make(parameter: Tensor) -> torch.optim.Optimizer:
            settings = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
            return torch.optim.LBFGS([parameter], max_iter=self.inner, history_size=self.memory, **settings)

        return _start(system, theta, make)

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """`inner` iterations."""

        def closure() -> float:
            loss, state.parameter.grad = system.loss_and_gradient(state.parameter)
            return float(loss)

        state.optimiser.step(closure)
        return _after(system, state, closure(), self.patience)


def _start(system: System, theta: Tensor, make: Callable[[Tensor], torch.optim.Optimizer]) -> State:
    parameter = theta.detach().clone().requires_grad_()
    loss, parameter.grad = system.loss_and_gradient(parameter)
    return State(make(parameter), parameter, (float(loss),))


def _after(system: System, state: State, loss: float, patience: int) -> Step:
    state = State(state.optimiser, state.parameter, (*state.losses[-patience:], loss), state.step + 1)
    theta, status = state.parameter.detach().clone(), None
    if loss == 0.0 or state.losses[-2] == loss:
        status = end_of_descent(system, theta)
    elif stalled(state.losses, patience):
        status = Status.STALLED
    return Step(system, theta, state, Report(loss, status))
