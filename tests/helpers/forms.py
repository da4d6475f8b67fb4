"""Weak forms on small meshes: problems of nothing else, and what they are assembled to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pinnml import Equation, Mesh, Problem, Wrapped, dot, grad
from pinnml.domains.cells import KINDS
from pinnml.elements import Discretisation, Element, Form
from tests.helpers.made_meshes import facet_corners, unit_box
from tests.helpers.shuffled import shuffled

CPU = torch.device("cpu")
#: Kinds of straight cells in the plane and in space.
SOLID = ("triangle", "quad", "tetra", "hexahedron")


def crooked(name: str, n: int = 2, bend: float = 0.05) -> Mesh:
    """The unit square or cube in cells of all shapes, with the face "east" at x = 1 and two parts."""
    kind = KINDS[name]
    cells = shuffled(kind, n, bend)
    nodes = cells.nodes[:, kind.to_file]
    east = facet_corners(name, cells.points, nodes, 0, 1.0)
    some = np.arange(len(nodes)) % 3 == 0
    parts = {"some": np.flatnonzero(some), "others": np.flatnonzero(~some)} if len(nodes) > 1 else {}
    return Mesh(cells.points, nodes, name, parts=parts, faces={"east": east})


def uniform(kind: str, n: int) -> Mesh:
    """The unit square or cube in equal cells, n a side, with faces "west", "east", "south", "north" in the plane."""
    points, cells = unit_box(kind, n)
    sides = {"west": (0, 0), "east": (0, 1), "south": (1, 0), "north": (1, 1)}
    faces = {name: facet_corners(kind, points, cells, axis, at) for name, (axis, at) in sides.items()}
    return Mesh(points, cells, kind, faces=faces)


def posed(mesh: Any, weak: Any, fields: Any = "u", **more: Any) -> Problem:
    """A problem of a weak form, with a condition of each field on the boundary because there must be one."""
    names = [fields] if isinstance(fields, str) else list(fields)
    zero: dict[str, Any] = {"u": lambda u: u, "p": lambda p: p, "E": lambda E: E, "T": lambda T: T}
    walls = tuple(Equation(zero[name], on="boundary", name=f"wall of {name}") for name in names)
    return Problem(domain=mesh, fields=fields, equations=walls, weak=weak, **more)


def discretised(problem: Problem, *elements: Element | int) -> Discretisation:
    """Its fields in these elements, one for each; a number is the degree of Lagrange elements."""
    chosen = [Element("P", each) if isinstance(each, int) else each for each in elements]
    names = [field.name for field in problem.fields]
    return Discretisation.build(problem, problem.domain, dict(zip(names, chosen, strict=True)))  # pyright: ignore


def form_of(mesh: Mesh, weak: Any, *elements: Element | int, fields: Any = "u", **more: Any) -> Form:
    """The form alone."""
    return discretised(posed(mesh, weak, fields, **more), *elements).form(CPU)


def numbers(size: int, seed: int = 0) -> torch.Tensor:
    """Numbers between 0.5 and 1.5 for fields, (size,)."""
    return 0.5 + torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def matrix(form: Form, u: torch.Tensor | None = None, parameters: Mapping[str, Any] | None = None) -> np.ndarray:
    """The Jacobian as a dense array, at zero fields unless others are given."""
    return form.jacobian(numbers(form.size) * 0 if u is None else u, parameters).to_scipy().toarray()


def worst(found: Any, expected: Any) -> float:
    """The largest difference, in units of the largest entry."""
    found, expected = (np.asarray(torch.as_tensor(each).detach()) for each in (found, expected))
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


class Given(torch.nn.Module):
    """A function of the inputs in the place of a network, with a number that would be trained."""

    def __init__(self, function: Any):
        super().__init__()
        self.function, self.scale = function, torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * torch.stack(self.function(*x.unbind(1)), dim=1)


def given(problem: Problem, function: Any) -> Any:
    """The network that is a function of the axes of the unit square."""
    generator = torch.Generator().manual_seed(0)
    return Wrapped(Given(function)).build(problem.domain, problem.columns, generator, torch.float64, CPU)


def heated(domain: Any, **more: Any) -> Problem:
    """-div((1 + u^2) grad u) = f for u = sin(x + y)."""

    def exact(x, y):
        return torch.sin(x + y)

    def weak(u, v, x, y):
        known = exact(x, y)
        load = 2 * known * (1 + known**2) - 4 * known * torch.cos(x + y) ** 2
        return (1 + u * u) * dot(grad(u), grad(v)) - load * v

    wall = Equation(lambda u, x, y: u - exact(x, y), on="boundary", name="wall")
    return Problem(domain=domain, fields="u", equations=(wall,), weak=weak, exact=exact, **more)
