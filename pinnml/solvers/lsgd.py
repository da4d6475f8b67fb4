"""LSGD: the head by least squares, the basis by descent. The hidden parameters move first, the head is solved last."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pinnml.deadline import NEVER, OutOfTimeError
from pinnml.errors import SettingsError
from pinnml.linalg import damped_steps
from pinnml.networks import LocalBasis
from pinnml.solvers.bandwidth_search import FEATURES, SCAN, best_ridges, ridges_of, searchable, with_ridges
from pinnml.solvers.base import Report, Solver, Status, Step, end_of_descent, stalled
from pinnml.solvers.head import CUTOFFS, HeadFit, fit_head
from pinnml.solvers.packing import own, packed_fields, unpacked_fields
from pinnml.solvers.quasi_newton import MEMORY, Memory
from pinnml.solvers.trust_region import longest_good_step
from pinnml.solvers.units import parameter_units
from pinnml.system import System
from pinnml.validation import choice, flag, fraction, not_negative, or_none, positive, settle, whole_number

HIDDEN = ("fixed", "gradient", "gauss-newton")
#: A Gauss-Newton iteration on the head that gains less than this part of the loss is the last.
NEWTON_GAIN = 1e-3
#: Gauss-Newton iterations on the head after each move of the basis, for nonlinear problems.
HEAD_ITERATIONS = 3
#: Moves along one direction, each a third of the one before, until the loss falls.
THIRDS = 12
#: A step on the problem's own parameters that leaves more than this part of the loss gives way to the basis.
ENOUGH = 0.9
#: The part of the time that the search may take.
SEARCH_SHARE = 0.5
#: The gain ratio that variable projection aims at.
TARGET = 0.2
#: Singular values of the head's Jacobian below this part of its longest column fade out in variable projection.
SMOOTHED = 1e-9


@dataclass(frozen=True)
class State:
    """What is carried from step to step. `fit` is None before the first; `head_is_done` once its problem is solved.

    memory and gradient belong to "gradient", radius to "gauss-newton" and to the problem's own parameters, which are
    `own_is_done` where a step on them alone has gained next to nothing. damping: that of the head from here on.
    """

    fit: HeadFit | None = None
    losses: tuple[float, ...] = ()
    head_is_done: bool = False
    memory: Memory = field(default_factory=Memory)
    gradient: Tensor | None = None
    radius: float = 1.0
    own_is_done: bool = False
    damping: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LSGD(Solver):
    """Adaptive-basis least squares / gradient descent (arXiv:1912.04862).

    Each step moves the hidden parameters, then solves for the head, and is kept only if the loss after both is
    lower. Linear problems have their head solved outright, nonlinear ones by Gauss-Newton iterations.

    hidden: "gradient" (quasi-Newton directions from the gradient of the reduced loss, which at the fitted head is
    that of the loss with the head held), "gauss-newton" (variable projection: steps on the residual with the reach
    of the head projected out), or "fixed". The trainable parameters of the problem, being few, take such projected
    steps with "gradient" too, in turn with the moves of the basis; "fixed" has no use for them. cutoff: relative rank
    cut-off of the head; None to choose it on held-out points. damping: the Tikhonov term damping |coef|^2, without
    which a head of nearly dependent functions does not move smoothly with them: where a singular value passes the
    cut-off, the reduced loss jumps. None for none, but with "gauss-newton" for one that lets singular values fade out
    below 1e-9 of the longest column. balance: weight the equations so that
    their rows are equally long. search: look for the bandwidth and activation that the network leaves open.
    tolerance: the relative residual (see `System.relative`) at which the solve ends. patience: steps within which the
    loss must fall by a tenth. rate: the length of the first move of "gradient".
    """

    hidden: str = "gradient"
    cutoff: float | None = None
    damping: float | None = None
    balance: bool = True
    search: bool = True
    tolerance: float = 1e-8
    patience: int = 10
    rate: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("way to move the basis", self.hidden, HIDDEN)
        settle(self, or_none(fraction), "cutoff")
        settle(self, or_none(not_negative), "damping")
        settle(self, not_negative, "tolerance")
        settle(self, flag, "balance", "search")
        settle(self, whole_number, "patience")
        settle(self, positive, "rate")

    @property
    def forms_jacobian(self) -> bool:
        """Only to project the head out of it."""
        return self.hidden == "gauss-newton"

    def numbers(self, rows: int, parameters: int, head: int) -> float:
        """The Jacobian that is factorised, three times, and its triangle; moves of the basis and their gradients."""
        columns = parameters if self.hidden == "gauss-newton" else head
        return 3.0 * rows * columns + 5.0 * columns**2 + 2.0 * MEMORY * parameters * (self.hidden == "gradient")

    def init(self, system: System, theta: Tensor) -> State:
        """Nothing yet: the first step searches and fits."""
        return State(damping=self.damping or 0.0)

    def packed(self, state: State) -> dict[str, Any]:
        """All of it; the fit without its system and theta, which are those of the solve."""
        fit = None if state.fit is None else packed_fields(state.fit, leave=("system", "theta"))
        pairs = [list(pair) for pair in state.memory.pairs]
        return {"fit": fit, "pairs": pairs, "rest": packed_fields(state, leave=("fit", "memory"))}

    def unpacked(self, packed: dict[str, Any], system: System, theta: Tensor) -> State:
        """All of it."""
        fit = packed["fit"] and unpacked_fields(HeadFit, packed["fit"], system=system, theta=theta)
        return unpacked_fields(State, packed["rest"], fit=fit, memory=Memory(own(packed["pairs"])))

    def step(self, system: System, theta: Tensor, state: State) -> Step:
        """First the search and the first fit; then Gauss-Newton on the head until it is done; then the basis."""
        fit = state.fit
        if fit is None:
            return self._first(system, theta, state)
        if not state.head_is_done:
            return self._after(state, self._fit(fit, fit.theta, state.damping))
        if self.hidden == "gauss-newton":
            return self._projected(fit, state, fit.system.hidden) or self._ended(fit, state)
        if fit.system.problem.parameters and not state.own_is_done:
            step = self._projected(fit, replace(state, gradient=None, own_is_done=True), fit.system.own)
            if step is not None:
                gained = step.report.loss < ENOUGH * fit.loss
                return replace(step, state=replace(step.state, own_is_done=not gained))
        return self._descended(fit, replace(state, own_is_done=False))

    def _first(self, system: System, theta: Tensor, state: State) -> Step:
        if self.hidden == "fixed" and system.problem.parameters:
            raise SettingsError(
                'LSGD with hidden="fixed" moves the head alone',
                expected="a problem without trainable parameters",
                got=f"parameters {', '.join(system.problem.parameters)}",
                cure='choose hidden="gradient" or hidden="gauss-newton"',
            )
        notes: dict[str, float | int | str] = {}
        ridges = searchable(system) if self.search else None
        if ridges is not None:
            search = system.within(system.deadline.part(SEARCH_SHARE))
            ridges, left = best_ridges(search, ridges)
            if search.deadline.left <= 0:
                notes["search"] = "ended by the limit of time"
            system = with_ridges(system, replace(ridges, searched=()))
            theta = system.initial()
            notes["bandwidth"] = " ".join(f"{value:.3g}" for value in ridges.bandwidth.tolist())
            notes["activation"] = ridges.activation
            if math.isfinite(left):
                notes["search left"] = left
            if float(ridges.bandwidth.max()) >= SCAN[-1] and self.tolerance < left < math.inf:
                notes["search ended at"] = SCAN[-1]
        cutoffs = CUTOFFS if self.cutoff is None else (self.cutoff,)
        try:
            fit = fit_head(system, theta, cutoffs=cutoffs, damping=state.damping, balance=self.balance)
        except OutOfTimeError:
            return self._first_of_few(system, state, notes)
        if (damping := self._smoothing(fit)) != state.damping:
            state, fit = replace(state, damping=damping), self._fit(fit, fit.theta, damping)
        return self._after(state, fit, **notes)

    def _first_of_few(self, system: System, state: State, notes: dict[str, float | int | str]) -> Step:
        """The fit of a few ridge functions on a few samples, for want of time: the last step. Else OutOfTimeError."""
        ridges = ridges_of(system.network.basis)
        if ridges is None or ridges.directions.shape[1] <= FEATURES:
            raise OutOfTimeError
        whole = with_ridges(system, ridges.thinned(FEATURES))
        few = whole.subset(2 * FEATURES).within(NEVER)
        fit = fit_head(few, few.initial(), cutoffs=CUTOFFS[-1:], damping=state.damping, balance=self.balance)
        whole = whole.with_weights(fit.system.weights)
        return Step(whole, fit.theta, state, Report(fit.loss, Status.SECONDS, {**notes, "functions": FEATURES}))

    def _fit(self, before: HeadFit, theta: Tensor, damping: float, iterations: int = 1) -> HeadFit:
        """The head at another theta, with the cut-off that it had before."""
        system = before.system
        fit = fit_head(system, theta, cutoffs=(before.cutoff,), damping=damping)
        for _ in range(0 if system.is_linear else iterations - 1):
            fit = fit_head(system, fit.theta, cutoffs=(before.cutoff,), damping=damping)
        return fit

    def _after(self, state: State, fit: HeadFit, **notes: float | int | str) -> Step:
        """What to carry on and report after a fit of the head that is kept."""
        losses = (*state.losses, fit.loss)
        gained = len(losses) < 2 or fit.loss < (1 - NEWTON_GAIN) * losses[-2]
        done = state.head_is_done or fit.system.is_linear or not gained
        state = replace(state, fit=fit, losses=losses, head_is_done=done)
        notes = {"rank": fit.rank, "condition": fit.condition, "cutoff": fit.cutoff, **notes}
        worst = max(fit.system.relative(fit.theta).values())
        status = None
        if worst <= self.tolerance:
            status = Status.CONVERGED
        elif done and (self.hidden == "fixed" or isinstance(fit.system.network.basis, LocalBasis)):
            status = Status.SOLVED
        elif done and stalled(losses, self.patience):
            status = Status.STALLED
        return Step(fit.system, fit.theta, state, Report(fit.loss, status, {**notes, "relative residual": worst}))

    def _descended(self, fit: HeadFit, state: State) -> Step:
        """A move of the hidden parameters downhill, then the head; a third of the move if the loss did not fall."""
        system, gradient = fit.system, state.gradient
        basis = slice(0, system.own.start)
        if gradient is None:
            gradient = system.loss_and_gradient(fit.theta)[1][basis]
        move = state.memory.direction(gradient) * (1.0 if state.memory.pairs else self.rate)
        for _ in range(THIRDS):
            moved = fit.theta.clone()
            moved[basis] += move
            trial = self._fit(fit, moved, state.damping, iterations=HEAD_ITERATIONS)
            if trial.loss < fit.loss:
                slope = system.loss_and_gradient(trial.theta)[1][basis]
                memory = state.memory.with_pair(move, slope - gradient)
                return self._after(replace(state, memory=memory, gradient=slope), trial)
            move = move / 3
        if state.memory.pairs:  # the memory misleads: start it afresh
            return self._after(replace(state, memory=Memory()), fit)
        return self._ended(fit, state)

    def _smoothing(self, fit: HeadFit) -> float:
        """The damping of variable projection, unless it is given."""
        if self.damping is not None or self.hidden != "gauss-newton":
            return self.damping or 0.0
        return SMOOTHED**2 * float(fit.system.jacobian(fit.theta, fit.system.head).square().sum(dim=0).max())

    def _ended(self, fit: HeadFit, state: State) -> Step:
        """No step, and the reason."""
        return Step(fit.system, fit.theta, state, Report(fit.loss, end_of_descent(fit.system, fit.theta)))

    def _projected(self, fit: HeadFit, state: State, part: slice) -> Step | None:
        """One Gauss-Newton step of a part of theta with the reach of the head projected out (Kaufman's form)."""
        system = fit.system
        j = system.jacobian(fit.theta, slice(part.start, system.head.stop))
        head, hidden = j[:, part.stop - part.start :], j[:, : part.stop - part.start]
        units = torch.ones(hidden.shape[1], dtype=j.dtype, device=j.device)
        if system.problem.parameters:
            place = slice(system.own.start - part.start, system.own.stop - part.start)
            longest = float(torch.linalg.vector_norm(head, dim=0).max())
            units[place] = parameter_units(system, hidden[:, place], longest)
        if state.damping:
            penalty = math.sqrt(state.damping) * torch.eye(head.shape[1], dtype=j.dtype, device=j.device)
            head = torch.cat([head, penalty])
            hidden = torch.cat([hidden, hidden.new_zeros((len(penalty), hidden.shape[1]))])
        few, many = sorted(j.shape)
        system.deadline.forecast(8 * many * few**2)
        reach = _orthonormal(head, fit.cutoff)
        steps = damped_steps((hidden - reach @ (reach.mT @ hidden)) * units, fit.rows, gram=True)

        def evaluate(step: Tensor) -> tuple[Tensor, HeadFit]:
            moved = fit.theta.clone()
            moved[part] += units * step
            trial = self._fit(fit, moved, state.damping, iterations=HEAD_ITERATIONS)
            return trial.rows, trial

        trial = longest_good_step(steps, evaluate, fit.rows, state.radius, TARGET, bent=False)
        if trial is None:
            return None
        notes = {"damping": trial.damping, "radius": trial.radius, "gain ratio": trial.ratio}
        return self._after(replace(state, radius=trial.radius), trial.outcome, **notes)


def _orthonormal(a: Tensor, cutoff: float) -> Tensor:
    """Orthonormal columns that span those of A (M, k), less the directions that the cut-off leaves out."""
    lengths = torch.linalg.vector_norm(a, dim=0)
    q, r = torch.linalg.qr(a / torch.where(lengths > 0, lengths, 1.0))
    u, s, _ = torch.linalg.svd(r)
    return q @ u[:, s > cutoff * s[0]]
