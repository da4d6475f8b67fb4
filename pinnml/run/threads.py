"""How many threads a solve uses: the caller's, or what is faster; the caller's setting is put back afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pinnml.deadline import OutOfTimeError
from pinnml.linalg import damped_steps, triangle
from pinnml.solvers import LBFGS, Adam, Solver
from pinnml.system import System

#: Variables with which a user says how many threads there shall be.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: PyTorch's number when pinnml was imported: another one later is the caller's own.
AT_IMPORT = torch.get_num_threads()
#: Samples of a region in the work that is timed, and the times that it is done.
SAMPLES, TIMES = 1000, 2
#: All threads must be faster than one by this factor: where they are not, others want the cores too.
WORTH = 1.2


@contextmanager
def threads_put_back() -> Iterator[None]:
    """Leave PyTorch's number of threads as it was before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def settle_threads(asked: int | None, solver: Solver, system: System, theta: Tensor) -> None:
    """Set PyTorch's number of threads: what was asked; as it is, where the caller has set it; else one or all.

    Of these the faster one at the first work of the solver, a Jacobian and its factorisation or a gradient, on a part
    of the samples.
    """
    if asked is not None:
        torch.set_num_threads(asked)
        return
    everything = torch.get_num_threads()
    own = everything != AT_IMPORT or any(os.environ.get(name) for name in VARIABLES)
    if own or everything == 1 or system.device.type != "cpu":
        return
    small = system.subset(SAMPLES)
    try:
        seconds = {number: _timed(number, solver, small, theta) for number in (everything, 1)}
    except (OutOfTimeError, torch.linalg.LinAlgError):  # pyright: ignore[reportPrivateImportUsage]
        return  # as it is: there is no time to find out, or nothing to time
    torch.set_num_threads(everything if WORTH * seconds[everything] < seconds[1] else 1)


def _timed(number: int, solver: Solver, system: System, theta: Tensor) -> float:
    """Seconds of the solver's first work with so many threads: the least of a few."""
    torch.set_num_threads(number)
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        _work(solver, system, theta)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _work(solver: Solver, system: System, theta: Tensor) -> None:
    if isinstance(solver, (Adam, LBFGS)):
        system.loss_and_gradient(theta)
        return
    r, j = system.linearise(theta, system.all if solver.forms_jacobian else system.head)
    if solver.forms_jacobian:
        damped_steps(j, r, gram=True, deadline=system.deadline)
    else:
        triangle(j, -r, deadline=system.deadline)
