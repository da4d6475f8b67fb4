"""What a solve is asked for, looked over once before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pinnml.domains import same_domain
from pinnml.errors import DeviceError, ProblemError, SettingsError
from pinnml.networks import Features, NetworkSettings
from pinnml.problem import Problem, check_nothing_random
from pinnml.results import Solution
from pinnml.run.recipe import Recipe
from pinnml.solvers import LSGD, Solver
from pinnml.validation import flag, of_kind, or_none, shown, whole_number

#: PyTorch takes seeds below 2^64, and streams of their own are counted on from the seed.
LARGEST_SEED = 2**62


@dataclass(frozen=True)
class Request:
    """A problem, a recipe for it, and what belongs to this one run: seed, device, dtype, and where it begins.

    start: a solution to go on from, with its own network. verify: whether a second solve estimates the error.
    threads: PyTorch's, None for what is faster. command: how the command line asked for it, kept with the run so that
    `pinnml resume` can ask again.
    """

    problem: Problem
    recipe: Recipe
    seed: int
    device: torch.device
    dtype: torch.dtype
    start: Solution | None = None
    verify: bool = True
    threads: int | None = None
    command: Mapping[str, Any] | None = None

    @classmethod
    def checked(
        cls,
        problem: Any,
        recipe: Recipe,
        *,
        seed: Any = 0,
        device: Any = None,
        dtype: Any = torch.float64,
        start: Any = None,
        verify: Any = True,
        threads: Any = None,
        command: Mapping[str, Any] | None = None,
    ) -> Request:
        """The request, if all of it can be. Raises ProblemError, SettingsError or DeviceError."""
        check_problem(problem)
        seed = whole_number("seed", seed, 0, most=LARGEST_SEED)
        or_none(of_kind)("start", start, Solution, "a Solution", 'start=pinnml.load("runs/first/checkpoint.pt")')
        if start is not None:
            _check_start(problem, recipe.network, start)
        verify, threads = flag("verify", verify), or_none(whole_number)("threads", threads)
        return cls(problem, recipe, seed, _device(device), _float(dtype), start, verify, threads, command)

    @property
    def network(self) -> NetworkSettings:
        """The settings of the network, by default Features()."""
        return self.recipe.network or Features()

    @property
    def solver(self) -> Solver:
        """The solver, by default LSGD()."""
        return self.recipe.solver or LSGD()


def check_problem(problem: Any) -> None:
    """Raise ProblemError for what is no problem, or one that is random."""
    if not isinstance(problem, Problem):
        cure = "call the function, and hand on the Problem that it returns" if callable(problem) else "build a Problem"
        raise ProblemError("solve needs a problem", expected="a Problem", got=shown(problem), cure=cure)
    check_nothing_random(problem)


def _check_start(problem: Problem, network: NetworkSettings | None, start: Solution) -> None:
    """Refuse what cannot be gone on from: another problem's solution, or a network beside the solution's own."""
    cure = "give a solution of the same fields on the same domain, or leave start= out"
    if "network" not in start.settings:
        got = "a solution that does not say how its network was built"
        raise SettingsError("start", expected="a solution that solve or load returned", got=got, cure=cure)
    if "slabs" in start.settings:
        got = f"one in {len(start.settings['slabs']['settled'])} slabs of time"
        raise SettingsError("start", expected="a solution with one network", got=got, cure="leave start= out")
    if network is not None:
        raise SettingsError(
            "start and network were both given",
            expected="one of them: a solution is gone on from with its own network",
            got=f"start= and network={network!r}",
            cure="leave network= out, or start= to begin anew",
        )
    if start.fields != problem.fields:
        expected, got = (", ".join(f.name for f in fields) for fields in (problem.fields, start.fields))
        if expected == got:
            expected, got = str(problem.fields), str(start.fields)
        expected, got = f"a solution of this problem: fields {expected}", f"fields {got}"
        raise SettingsError("start", expected=expected, got=got, cure=cure)
    if not same_domain(start.domain.to_json(), problem.domain.to_json()):
        expected = f"a solution of this problem: on {problem.domain!r}"
        raise SettingsError("start", expected=expected, got=f"one on {start.domain!r}", cure=cure)


def _device(device: str | torch.device | None) -> torch.device:
    try:
        chosen = torch.device("cpu" if device is None else device)
        known = chosen.type in ("cpu", "cuda")
    except (RuntimeError, TypeError):
        known = False
    if not known:
        cure = "leave it out to use the CPU"
        raise DeviceError("unknown device", expected="cpu, cuda or cuda:N", got=repr(device), cure=cure)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "there is no CUDA device here",
            expected="a GPU that PyTorch can use",
            got=f"torch {torch.__version__}, CUDA not available",
            cure="leave --device out to use the CPU, or install a CUDA build of PyTorch",
        )
    return chosen


def _float(dtype: torch.dtype) -> torch.dtype:
    if dtype not in (torch.float64, torch.float32):
        cure = "leave it out for float64, or write dtype=torch.float32 with a gradient solver"
        raise SettingsError("dtype", expected="torch.float64 or torch.float32", got=repr(dtype), cure=cure)
    return dtype
