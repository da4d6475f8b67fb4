"""What a solver is: frozen settings, a state that is handed on, one step at a time, and a reason to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from torch import Tensor

from pinnml.system import System
from pinnml.validation import or_none, positive, settle, whole_number

#: Where no step lowers the residual and every equation's is below this part of its terms, the solve is taken to have
#: reached round-off: an ill-conditioned basis may end at three digits, a solve that went astray seldom has as many.
NEARLY_SOLVED = 1e-3


class Status(Enum):
    """Why a solve ended; the value is the message."""

    SOLVED = "the least-squares problem for the head was solved"
    CONVERGED = "the residual reached the tolerance"
    ROUND_OFF = "no step can lower the residual any more: it is at round-off for this basis"
    NO_DESCENT = "no step lowers the residual any more; this may be a local minimum"
    PREDICTED = "a surrogate predicted the fields, and what they leave of the equations tells how far off they are"
    STALLED = "further steps gain next to nothing"
    SPOILT = (
        "the next level would lose the digits of this one to rounding; choose a lower order, dtype=torch.float64, or, "
        'where values lie beyond the knots, normalise="tanh"'
    )
    STEPS = "the limit of steps was reached before the solver's own test was met"
    SECONDS = "the limit of time was reached before the solver's own test was met"
    DIVERGED = "the residual grew without bound; the best state so far was kept"
    NOT_FINITE = "the residual became NaN or infinite; the best state so far was kept"
    INTERRUPTED = "interrupted; the last good state was kept"

    @property
    def by_own_test(self) -> bool:
        """Whether the solver itself found that it was done."""
        return self in (Status.SOLVED, Status.CONVERGED, Status.ROUND_OFF, Status.STALLED, Status.PREDICTED)


@dataclass(frozen=True)
class Report:
    """What one step tells: the loss after it, the status if it was the last, and further figures by name."""

    loss: float
    status: Status | None = None
    notes: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """The outcome of one step. A solver may hand back another system, such as a refined or re-weighted one."""

    system: System
    theta: Tensor
    state: Any
    report: Report


@dataclass(frozen=True, kw_only=True)
class Solver(ABC):
    """Frozen settings with two methods. steps: most steps; seconds: most seconds, None for no limit."""

    steps: int = 100
    seconds: float | None = None

    def __post_init__(self) -> None:
        settle(self, whole_number, "steps")
        settle(self, or_none(positive), "seconds")

    @property
    def most_steps(self) -> int:
        """How many steps there can be, for those who wait."""
        return self.steps

    @property
    def growth(self) -> int:
        """What a solve may multiply the size of a network by."""
        return 1

    @property
    def forms_jacobian(self) -> bool:
        """Whether it forms the Jacobian with respect to all of theta, and so wants more rows than parameters."""
        return False

    def numbers(self, rows: int, parameters: int, head: int) -> float:
        """How many numbers it holds at once, about, of so many residuals and parameters, of which the head has some."""
        return 6.0 * parameters

    @abstractmethod
    def init(self, system: System, theta: Tensor) -> Any:
        """The state before the first step."""

    def carried(self, state: Any, system: System, theta: Tensor, prolong: Callable[[Tensor], Tensor]) -> Any:
        """The state on a finer level with system and theta; `prolong` carries moments of theta over.

        Anew, unless a solver knows better.
        """
        return self.init(system, theta)

    def packed(self, state: Any) -> Any:
        """The state in numbers, texts, tensors, and lists and mappings of these; None where no checkpoint can hold it.

        What it holds is not changed by steps to come, so that it can be had of the state before one that was cut short.
        """
        return None

    def unpacked(self, packed: Any, system: System, theta: Tensor) -> Any:
        """The state of which `packed` told, with the system and theta of then: what was packed, as a rule."""
        return packed

    @abstractmethod
    def step(self, system: System, theta: Tensor, state: Any) -> Step:
        """One step from theta (P,)."""


def end_of_descent(system: System, theta: Tensor) -> Status:
    """Why no step from theta lowers the residual: round-off if all equations are nearly solved, else NO_DESCENT."""
    nearly = max(system.relative(theta).values()) < NEARLY_SOLVED
    return Status.ROUND_OFF if nearly else Status.NO_DESCENT


def stalled(losses: Sequence[float], patience: int) -> bool:
    """Whether the loss fell by less than a tenth over the last `patience` steps."""
    return len(losses) > patience and losses[-1] > 0.9 * losses[-1 - patience]
