"""The work of making a data set, done in this process or shared out among several."""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pickle import PicklingError
from typing import Any, TypeAlias

import torch

from pinnml.domains import Mesh
from pinnml.errors import PinnmlError, ProblemError, SettingsError
from pinnml.problem import Problem
from pinnml.surrogates.data.sample_files import SampleFiles
from pinnml.surrogates.data.series import Series
from pinnml.surrogates.data.solving import Solutions
from pinnml.surrogates.families.family import Family, posed_on

#: A problem, or what makes it: a function at the top of a module, or a partial of one.
Posed: TypeAlias = Problem | Callable[[], Problem]


@dataclass(frozen=True, eq=False)
class Work:
    """Draws i, i + m, i + 2 m, ... belong to the mesh i of m; what solves them is written as it is found."""

    posed: Posed
    meshes: tuple[Mesh, ...]
    seed: int
    degree: int
    files: SampleFiles
    series: Series | None = None

    @cached_property
    def solutions(self) -> tuple[Solutions, ...]:
        """By mesh."""
        problem = self.posed if isinstance(self.posed, Problem) else self.posed()
        families = [Family.of(posed_on(problem, mesh), mesh, self.degree) for mesh in self.meshes]
        return tuple(Solutions(each, self.seed, i, len(families), self.series) for i, each in enumerate(families))

    def of(self, number: int) -> Solutions:
        """Those that a draw is one of."""
        return self.solutions[number % len(self.meshes)]

    def blocks(self, numbers: Sequence[int]) -> list[list[int]]:
        """The numbers by blocks that are drawn together."""
        found: dict[int, list[int]] = {}
        for number in numbers:
            found.setdefault(self.of(number).block(number)[0], []).append(number)
        return list(found.values())

    def run(self, block: Sequence[int]) -> Iterator[int]:
        """Solve draws of one block, and keep each; their numbers, one by one, once they are on the disk."""
        for solved in self.of(block[0])(block):
            self.files.write(solved)
            yield solved.number


def in_processes(work: Work, blocks: Sequence[Sequence[int]], processes: int) -> Generator[int, None, None]:
    """The numbers of all draws as they are solved, by so many further processes, each with one thread.

    A process ends when this one does, whatever ended it. Raises ProblemError where one is gone too early.
    """
    waiting, context = deque(blocks), get_context("spawn")
    busy: dict[Any, Any] = {}
    try:
        for _ in range(min(processes, len(blocks))):
            ours, theirs = context.Pipe()
            busy[ours] = _started(context.Process(target=_serve, args=(replace(work), theirs), daemon=True))
            theirs.close()
            ours.send(waiting.popleft())
        while busy:
            ready: list[Any] = wait(list(busy))
            for pipe in ready:
                number = _told(pipe, busy[pipe])
                if number is not None:
                    yield number
                elif waiting:
                    pipe.send(waiting.popleft())
                else:
                    pipe.send(None)
                    busy.pop(pipe).join()
    finally:
        for process in busy.values():
            process.terminate()
            process.join()


def _started(process: Any) -> Any:
    """The process, begun. Raises SettingsError where its work cannot be sent to it."""
    try:
        process.start()
    except (PicklingError, AttributeError, TypeError) as error:
        cure = "give a function at the top of a module that makes the problem, or processes=1"
        message, expected = (
            "a problem's functions cannot be sent to other processes",
            "a function that makes the problem",
        )
        raise SettingsError(message, expected=expected, got=str(error), cure=cure) from None
    return process


def _told(pipe: Any, process: Any) -> int | None:
    """The number of a draw that a process has solved, or None where it wants more work; its errors are raised here."""
    try:
        told = pipe.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        cure = 'call generate(...) under `if __name__ == "__main__":`, or look whether memory ran out; then run again'
        got = f"an exit with status {process.exitcode}"
        raise ProblemError("a process is gone", expected="all draws solved", got=got, cure=cure) from None
    if isinstance(told, PinnmlError):
        raise told
    if isinstance(told, str):
        raise ProblemError("a process met an error of the problem's own", got=told)
    return told


def _serve(work: Work, pipe: Connection) -> None:
    """Do blocks of work as they come, until there are no more, or nobody who asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    torch.set_num_threads(1)
    try:
        while (block := pipe.recv()) is not None:
            for number in work.run(block):
                pipe.send(number)
            pipe.send(None)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except PinnmlError as error:
        pipe.send(error)
    except Exception:
        pipe.send(traceback.format_exc())
