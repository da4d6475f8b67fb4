"""A data set made: draws, solved in parallel processes, each kept as it is found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinnml.domains import Mesh
from pinnml.errors import DataSetError, SettingsError
from pinnml.extras import require
from pinnml.output.lock import locked
from pinnml.problem import Problem, check_random
from pinnml.run import free_bytes, shown, threads_put_back
from pinnml.surrogates.data.data_set import DataSet
from pinnml.surrogates.data.file import disk_told
from pinnml.surrogates.data.identity import check_same, fields_of, identity_of, random_of
from pinnml.surrogates.data.sample_files import SampleFiles
from pinnml.surrogates.data.samples import Samples
from pinnml.surrogates.data.series import Series
from pinnml.surrogates.data.solving import Solutions, Solved, check_solved
from pinnml.surrogates.data.split import Split
from pinnml.surrogates.data.workers import Posed, Work, in_processes
from pinnml.validation import whole_number


@dataclass(frozen=True)
class Made:
    """How far a data set has come: draws that are done, of how many, those that this call solved, and its seconds."""

    done: int
    samples: int
    solved: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Request:
    """What `generate` was asked for. problem: made once, on the first mesh."""

    problem: Problem
    work: Work
    samples: int
    split: Split
    origin: Mapping[str, str]

    @property
    def identity(self) -> dict[str, Any]:
        """What samples that are there must have in common with those to come."""
        problem, work = self.problem, self.work
        words = (problem.name, fields_of(problem), random_of(problem))
        return identity_of(*words, work.meshes, work.degree, work.seed, work.series)


def generate(
    problem: Posed,
    mesh: Mesh | Sequence[Mesh] | None = None,
    samples: int = 1000,
    *,
    out: str | os.PathLike[str],
    seed: int = 0,
    degree: int = 1,
    processes: int = 1,
    shares: Sequence[float] = (8, 1, 1),
    series: Series | None = None,
    origin: Mapping[str, str] | None = None,
    progress: Callable[[Made], object] | None = None,
) -> DataSet:
    """F(u_i; draw_i) = 0 for i = 0, 1, ... of a random problem, solved by finite elements and written to a file.

    problem: or a function that makes it, which several processes need: functions cannot be sent to them. mesh: the
    problem's own, or others with the same regions, which take turns. shares: of training, validation and test, split by
    draw. series: of states, where the problem's text is one step from one to the next. progress: called after every
    draw.

    Killed at any moment it goes on where it was when called again, with at most one draw of each process lost, and the
    same bytes in the end. One caller at a time writes to a file. Raises DataSetError where `out` holds, or has begun,
    another data set; SettingsError; ProblemError for a draw that cannot be solved, by its number.
    """
    require("h5py", "gnn")
    path, files = Path(out), SampleFiles.beside(Path(out))
    for name, value, least in (("seed", seed, 0), ("degree", degree, 1), ("processes", processes, 1)):
        whole_number(name, value, least)
    posed = problem if isinstance(problem, Problem) else problem()
    check_random(posed)
    if series is not None:
        series.check(posed, degree)
    work = Work(problem, _meshes(posed, mesh), seed, degree, files, series)
    split = Split.of(whole_number("samples", samples, len(work.meshes)), shares, seed)
    request = Request(posed, work, samples, split, origin or {})
    with disk_told(path), threads_put_back():
        torch.set_num_threads(1)  # sums of several threads would have other bits
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock"), path):
            found = _finished(path, request) or _made(path, request, processes, progress)
            files.remove()
            return found


def _finished(path: Path, request: Request) -> DataSet | None:
    """The set that a file holds already, if it is the one that is asked for. Raises DataSetError for any other."""
    if not path.exists():
        return None
    found = DataSet.read(path)
    own = {**request.identity, "number of samples": request.samples, "split": request.split}
    there = {**found.identity, "number of samples": len(found), "split": found.split}
    check_same(own, there, f"the data in '{path}'", "choose another file, or remove this one")
    found.check_problem(request.problem)
    return found


def _made(path: Path, request: Request, processes: int, progress: Callable[[Made], object] | None) -> DataSet:
    """The set, of samples that are there and those that are still to be solved, written."""
    work, began = request.work, time.perf_counter()
    _check_memory(request)
    work.files.open(request.identity)
    there = [number for number in range(request.samples) if _read(work, number) is not None]
    _check_first(work, there)
    blocks, solved = work.blocks(sorted({*range(request.samples)} - {*there})), 0
    numbers = in_processes(work, blocks, processes) if processes > 1 and len(blocks) > 1 else _here(work, blocks)
    with closing(numbers):
        for solved, _ in enumerate(numbers, 1):
            if progress is not None:
                progress(Made(len(there) + solved, request.samples, solved, time.perf_counter() - began))
    found = _assembled(request)
    found.write(path)
    return found


def _here(work: Work, blocks: Sequence[Sequence[int]]) -> Generator[int, None, None]:
    for block in blocks:
        yield from work.run(block)


def _read(work: Work, number: int) -> Solved | None:
    return work.files.read(number, shapes(work.of(number)))


def _check_first(work: Work, there: Sequence[int]) -> None:
    """Raise DataSetError where a sample that is there is none of these draws, or solves other equations."""
    if not there:
        return
    found, own = _read(work, there[0]), work.of(there[0])
    assert found is not None
    what, draw = f"the sample {found.number} in '{work.files.folder}'", own.draw(found.number)
    if not all(np.allclose(found.draw[name], draw[name], rtol=1e-9, atol=1e-12) for name in draw):
        cure = "remove that folder to begin anew"
        raise DataSetError(f"{what} is of another draw", expected="draws of this version", got="others", cure=cure)
    check_solved(own.family, torch.tensor(found.u if own.series is None else found.u[0]), draw, what)


def _assembled(request: Request) -> DataSet:
    """The set of all samples. Raises DataSetError where one is gone meanwhile."""
    work, parts = request.work, []
    for place, mesh in enumerate(work.meshes):
        numbers = [*range(place, request.samples, len(work.meshes))]
        read = [_read(work, number) for number in numbers]
        solved = [each for each in read if each is not None]
        if len(solved) < len(numbers):
            got = f"{len(solved)} of {len(numbers)} in '{work.files.folder}'"
            raise DataSetError("samples are gone", expected="all of them", got=got, cure="run it again")
        inputs = {n: torch.from_numpy(np.stack([each.draw[n] for each in solved])) for n in request.problem.random}
        outputs = torch.from_numpy(np.stack([each.u for each in solved]))
        parts.append(Samples(mesh, torch.tensor(numbers, dtype=torch.int64), inputs, outputs))
    return DataSet.fitted(
        samples=tuple(parts),
        split=request.split,
        fields=fields_of(request.problem),
        problem=request.problem.name,
        random=random_of(request.problem),
        degree=work.degree,
        seed=work.seed,
        series=work.series,
        origin=dict(request.origin),
    )


def shapes(solutions: Solutions) -> dict[str, tuple[int, ...]]:
    """Those of the inputs of one sample by name, and of u under ""."""
    family = solutions.family
    corners = (family.parts.corners.size,)
    given = {name: corners if each.is_field else () for name, each in family.problem.random.items()}
    steps = () if solutions.series is None else (len(solutions.series.times),)
    return {**given, "": (*steps, family.size)}


def _meshes(problem: Problem, mesh: Mesh | Sequence[Mesh] | None) -> tuple[Mesh, ...]:
    """The meshes that take turns. Raises SettingsError for none."""
    own: list[Any] = list(mesh) if isinstance(mesh, list | tuple) else [problem.domain if mesh is None else mesh]
    meshes = tuple(each for each in own if isinstance(each, Mesh))
    if not meshes or len(meshes) < len(own):
        cure = 'give one: mesh=Mesh.read("plate.msh")'
        raise SettingsError("data are of draws on a mesh", expected="a Mesh, or several", got=repr(own), cure=cure)
    return meshes


def _check_memory(request: Request) -> None:
    """Raise SettingsError for a set that could not be put together in memory."""
    sizes = [sum(int(np.prod(shape)) for shape in shapes(each).values()) for each in request.work.solutions]
    needed, free = 3 * 8.0 * max(sizes) * request.samples, free_bytes(torch.device("cpu"))
    if needed > free:
        got, cure = f"{shown(needed)} for {request.samples} samples", "draw fewer samples, or take a coarser mesh"
        raise SettingsError("a data set does not fit into memory", expected=f"{shown(free)} free", got=got, cure=cure)
