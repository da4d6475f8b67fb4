"""Weak forms with nodal coefficient fields, a batch of them, and their matrices one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pinnml import Weak, curl, div, dot, grad
from pinnml.elements import Element, Form
from pinnml.elements.coefficients import Affine
from pinnml.elements.form import FEWEST
from tests.helpers.forms import crooked, form_of

#: Sums of some ten terms of both signs, 1e-16 each, in another order.
ROUND_OFF = 1e-13
COUNT = FEWEST + 3


def fields(corners: int, seed: int = 0, count: int = COUNT) -> torch.Tensor:
    """Positive nodal fields of two orders of magnitude, on both sides of 1, (count, corners)."""
    generator = torch.Generator().manual_seed(seed)
    return 10 ** (2 * torch.rand((count, corners), generator=generator, dtype=torch.float64) - 1)


@dataclass(frozen=True)
class Case:
    """A weak form, the fields it is of, and its parameters: nodal ones by name, and numbers."""

    weak: Any
    elements: tuple[Element | int, ...] = (2,)
    fields: Any = "u"
    nodal: tuple[str, ...] = ("k",)
    numbers: Mapping[str, float] = field(default_factory=dict)

    def form(self, name: str = "triangle") -> Form:
        declared = {**dict.fromkeys(self.nodal, 1.0), **self.numbers}
        return form_of(crooked(name), self.weak, *self.elements, fields=self.fields, parameters=declared)

    def given(self, corners: int) -> dict[str, Any]:
        return {name: fields(corners, seed) for seed, name in enumerate(self.nodal)} | dict(self.numbers)


def singles(form: Form, u: torch.Tensor, given: Mapping[str, Any]) -> torch.Tensor:
    """The numbers of as many matrices, found one by one."""
    batch = [{n: v[i] if torch.is_tensor(v) and v.ndim == 2 else v for n, v in given.items()} for i in range(COUNT)]
    return torch.stack([form.jacobian(u, each).values for each in batch])


def affine(form: Form, given: Mapping[str, Any]) -> Affine | None:
    known = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in given.items()}
    return Affine.of(form.patches, form.pattern, known)


def elastic(u, v, k, c, x):
    shear = sum(dot(grad(a), grad(b)) for a, b in zip(u, v, strict=True))
    return k * div(u) * div(v) + (1 + x) * c * shear - k * c * v[1]


def coupled(T, v_T, E, v_E, k, c):
    return k * (dot(E, v_E) + curl(E) * curl(v_E)) + c * dot(grad(T), grad(v_T)) + k * T * v_E[0] + T * v_T


def squared_in_place(u, v, k):
    square = k.value.clone()
    square.mul_(square)
    return square * u * v


def without_gradient(u, v, k):
    with torch.no_grad():
        scaled = 3 * k.value
    return scaled * u * v


PLANE: dict[str, Case] = {
    "a constant part": Case(lambda u, v, k, x: (1 + x * k) * dot(grad(u), grad(v)) + u * v),
    "no constant part": Case(lambda u, v, k: k * dot(grad(u), grad(v))),
    "two fields": Case(lambda u, v, k, c: k * dot(grad(u), grad(v)) - c * u.d("x") * v, nodal=("k", "c")),
    "a number": Case(lambda u, v, k, a: k * a**2 * u * v + torch.sin(a) * u.d("y") * v / 3, numbers={"a": 1.7}),
    "a source that is not linear": Case(lambda u, v, k: k * u * v - torch.exp(k) * k * v),
    "a source alone": Case(lambda u, v, k, x: x * u * v - k * v),
    "a switch in the place": Case(lambda u, v, k, x: torch.where(x < 0.5, k, 2 - k) * u * v),
    "zeros of a field": Case(lambda u, v, k, x: torch.where(x < 0.5, u, torch.zeros_like(u)) * k * v + u * v),
    "beside the place": Case(lambda u, v, k, x: torch.add(*torch.stack([k.value, x.value])) * u * v),
    "a face": Case(
        (
            lambda u, v: dot(grad(u), grad(v)),
            Weak(lambda u, v, k, y, normal: (y - k * normal[0]) * u * v - k * v, on="east", name="robin"),
        )
    ),
    "parts": Case(
        (
            Weak(lambda u, v, k, x: k * x * dot(grad(u), grad(v)), on="some", name="one"),
            Weak(lambda u, v, c: (1 - c) * u * v, on=("some", "others"), name="both"),
        ),
        nodal=("k", "c"),
    ),
    "a vector": Case(elastic, fields={"u": 2}, nodal=("k", "c")),
    "edges": Case(coupled, (1, Element("N1curl", 2)), {"T": 1, "E": 2}, ("k", "c")),
    "faces": Case(lambda u, v, k: k * dot(u, v) + div(u) * div(v), (Element("RT", 2),), {"u": 2}),
}


OTHER: dict[str, Case] = {
    "square": Case(lambda u, v, k: k**2 * u * v),
    "product with itself": Case(lambda u, v, k: k * (1 + k) * u * v),
    "product of two": Case(lambda u, v, k, c: k * u * v * c, nodal=("k", "c")),
    "quotient": Case(lambda u, v, k: u * v / k),
    "quotient of tensors": Case(lambda u, v, k: (1 / k.value) * u * v),
    "quotient of the place": Case(lambda u, v, k, x: (x.value / k.value) * u * v),
    "switch in the place": Case(lambda u, v, k, x: torch.where(x < 0.5, k, k * k) * u * v),
    "switch": Case(lambda u, v, k: torch.where(k > 1, k, 2 * k) * u * v),
    "switch in a narrow band": Case(lambda u, v, k: torch.where(abs(k - 1.0) < 1e-2, 2 * k, k) * u * v),
    "switch by another": Case(lambda u, v, k, c: torch.where(c > 1, k, 2 * k) * u * v, nodal=("k", "c")),
    "comparison": Case(lambda u, v, k: (k.value > 1).to(torch.float64) * u * v),
    "magnitude": Case(lambda u, v, k: abs(k - 1.0) * u * v),
    "exponential": Case(lambda u, v, k: torch.exp(k) * u * v),
    "limited": Case(lambda u, v, k: torch.clamp(k, max=1.0) * u * v),
    "nonlinear in u": Case(lambda u, v, k: k * (1 + u * u) * dot(grad(u), grad(v))),
    "nonlinear in u elsewhere": Case(lambda u, v, k: k * u * v + u**3 * v),
    "a switch in u": Case(lambda u, v, k: k * torch.where(u > 1, 2 * u, u) * v),
    "frozen u": Case(lambda u, v, k: k * u.value.detach() * u * v),
    "frozen k": Case(lambda u, v, k: k.value.detach() * u * v),
    "without derivatives": Case(without_gradient),
    "in place": Case(squared_in_place),
    "of few digits": Case(lambda u, v, k: k.value.float().double() * u * v),
    "out of reach": Case(lambda u, v, k: torch.tensor(k.value.detach().tolist(), dtype=torch.float64) * u * v),
    "a branch": Case(lambda u, v, k: k * u * v if bool((k.value > 0).all()) else u * v),
    "on a face": Case((lambda u, v, k: k * u * v, Weak(lambda u, v, k: k**4 * u * v, on="east", name="wall"))),
}
