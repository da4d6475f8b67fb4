"""Memory: what a solve will take, from shapes alone, beside what there is; what cannot fit is refused beforehand."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pinnml.errors import SettingsError
from pinnml.networks import LocalBasis, Network, NetworkSettings, Settings
from pinnml.solvers import LSGD, Solver
from pinnml.system import Block

#: Numbers of a chunk of jets at least and at most, and how many such are alive at once.
CHUNK, LARGEST_CHUNK, ALIVE = 2**20, 2**24, 8
#: Copies of a network while it is drawn, and of everything that belongs to a point: half as many are held out.
DRAWN, HELD_OUT = 2, 1.5
#: Squares of the unknowns of a patch that the triangles of all fronts hold, for each patch and each halving of them.
FRONTS = 8.0
GIGA = 1e9


@dataclass(frozen=True)
class Footprint:
    """Bytes that a solve takes at once, about, by what takes them."""

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """All together."""
        return sum(self.parts.values())

    def check(self, free: float, cure: str) -> None:
        """Raise SettingsError where it is more than is free."""
        if self.total <= free:
            return
        largest = sorted(self.parts.items(), key=lambda part: -part[1])[:2]
        raise SettingsError(
            "this does not fit into memory",
            expected=f"at most {shown(free)}, which are free",
            got=f"about {shown(self.total)}: " + ", ".join(f"{shown(size)} for {name}" for name, size in largest),
            cure=cure,
        )


def shown(size: float) -> str:
    """Bytes as one reads them."""
    return f"{size / GIGA:.3g} GB" if size >= GIGA else f"{size / 1e6:.3g} MB"


def check_network(settings: NetworkSettings, inputs: int, columns: int, free: float) -> None:
    """Raise SettingsError for a network that cannot even be drawn."""
    if not isinstance(settings, Settings):
        return
    numbers = settings.least_numbers(inputs, columns)
    part = {f"a network of {numbers} numbers": 8.0 * DRAWN * numbers}
    Footprint(part).check(free, "choose a smaller width, fewer functions, or fewer intervals")


def footprint(network: Network, solver: Solver, blocks: Sequence[Block], points: Mapping[str, int]) -> Footprint:
    """What a solve takes. blocks: of any number of samples, such as a few; points: how many there will be, by region.

    A weak form stands on its own points, which its blocks have already.
    """
    number, head = network.coef.element_size(), network.coef.numel()
    parameters = head + sum(parameter.numel() for parameter in network.basis.parameters())
    rows, jets, chunk, counted = 0, 0.0, 0.0, 0
    for block in blocks:
        n, derivatives = len(block) if block.pairing else points[block.region], len(block.needs.outputs)
        counted += n
        each = zip(block.terms, block.components, strict=True)
        rows += sum(components * (1 if term.equation.integral else n) for term, components in each)
        jets += n * derivatives * (network.inputs.size + 6 * network.coef.shape[1])
        chunk = max(chunk, min(n * derivatives * network.basis.numbers, LARGEST_CHUNK))
    held = held_by(solver, network, rows)
    parts = {
        f"the network and its derivatives at {counted} points": HELD_OUT * jets + ALIVE * max(chunk, CHUNK),
        f"the solver, with {rows} residuals and {parameters * solver.growth} parameters": held,
    }
    return Footprint({name: number * size for name, size in parts.items()})


def held_by(solver: Solver, network: Network, rows: int) -> float:
    """The numbers that a solver holds at once, about; of patches, the rows by those they see, and the fronts."""
    head, basis = network.coef.numel(), network.basis
    parameters = head + sum(parameter.numel() for parameter in basis.parameters())
    if not (isinstance(basis, LocalBasis) and isinstance(solver, LSGD)):
        return solver.numbers(rows, parameters * solver.growth, head * solver.growth)
    columns, patches = network.coef.shape[1], basis.size // basis.of_each
    return rows * basis.numbers * columns + FRONTS * patches * math.log2(patches + 1) * (basis.of_each * columns) ** 2


def free_bytes(device: torch.device) -> float:
    """What this process may still take: of the machine, of its group, of its own limit of addresses, or of the GPU."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return min(_machine(), _group(), _addresses())


def _machine() -> float:
    """What the machine has left, with what its caches would give back."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return 1024.0 * int(line.split()[1])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _group() -> float:
    """What a container's limit leaves."""
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        numbers = [line.strip() for path in (limit, used) for line in _lines(path)]
        if len(numbers) == 2 and all(number.isdigit() for number in numbers):
            return float(numbers[0]) - float(numbers[1])
    return float("inf")


def _addresses() -> float:
    """What `ulimit -v` leaves."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    pages = [int(line.split()[0]) for line in _lines("/proc/self/statm")]
    return float(limit - sum(pages) * os.sysconf("SC_PAGE_SIZE"))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
