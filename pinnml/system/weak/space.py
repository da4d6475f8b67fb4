"""What users choose of test functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pinnml.domains import Mesh
from pinnml.elements import Element, check_elements
from pinnml.errors import SettingsError
from pinnml.validation import positive, settle, whole_number

#: The highest degree: one more is left for functions that the training does not see.
HIGHEST = 3


@dataclass(frozen=True)
class TestSpace:
    """The finite-element functions v with which the weak form of a network is tested.

    The network's fields u leave F(v), the sum of the integrals of w(u, v), and the loss is 1/2 |F|^2 in the norm of a
    functional: the largest F(v) over all v of norm one that vanish where values are given. The norm of v is that of
    H1 (of H(curl), H(div) for edge and face elements), with values over the extent of the domain. Every field has test
    functions, and rows, of its own.

    mesh: by default the problem's domain; a Mesh, or the name of a file. degree: that of the elements, 1 to 3, by
    default 2. elements: by field, where Lagrange elements will not do: {"E": Element("N1curl", 1)}. weight: multiplies
    the squared rows in the loss. The fewer parameters a network has beside test functions, the better it is held
    between them.

    Source: Rojas, Maczuga, Munoz-Matute, Pardo, Paszynski, "Robust variational physics-informed neural networks"
    (2024), for the norm; Kharazmi, Zhang, Karniadakis, "hp-VPINNs" (2021), for test functions of a mesh.
    """

    __test__: ClassVar[bool] = False  # no test for pytest to collect

    degree: int | None = None
    mesh: Mesh | str | os.PathLike[str] | None = None
    elements: Mapping[str, Element] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.degree is not None:
            whole_number("degree of test functions", self.degree, most=HIGHEST)
        check_elements(self.elements)
        for element in (self.elements or {}).values():
            whole_number("degree of test functions", element.degree, most=HIGHEST)
        settle(self, positive, "weight")
        if not (self.mesh is None or isinstance(self.mesh, (Mesh, str, os.PathLike))):
            cure = 'write mesh=Mesh.read("coarse.msh"), or leave it out for the mesh of the problem'
            raise SettingsError("mesh of test functions", expected="a Mesh", got=repr(self.mesh), cure=cure)

    def of(self, elements: Mapping[str, Element] | None) -> TestSpace:
        """The same of other elements, of the highest degree that there is for test functions where theirs is higher."""
        lowered = {name: replace(each, degree=min(each.degree, HIGHEST)) for name, each in (elements or {}).items()}
        return replace(self, elements=lowered or None)

    @property
    def read_mesh(self) -> Mesh | None:
        """The mesh, from its file if it is given by that."""
        return Mesh.read(self.mesh) if isinstance(self.mesh, (str, os.PathLike)) else self.mesh
