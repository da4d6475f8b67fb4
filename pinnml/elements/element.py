"""What users choose of finite elements: the family and the degree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pinnml.domains.cells import KINDS, CellKind
from pinnml.domains.reference_cells import basix_element
from pinnml.errors import SettingsError
from pinnml.validation import choice, whole_number

#: Families by the name that users write, and basix's.
FAMILIES = {"P": "P", "N1curl": "N1E", "RT": "RT"}
HIGHEST_DEGREE = 4


@dataclass(frozen=True)
class Element:
    """Settings of a finite element.

    family: "P" is Lagrange, continuous; "N1curl" is Nedelec of the first kind, with continuous tangential components;
    "RT" is Raviart-Thomas, with continuous normal components. On quadrilaterals and hexahedra these are their tensor
    product forms. degree: 1 to 4, where 1 is the lowest of every family. Raises UnknownNameError for another family,
    SettingsError for another degree.
    """

    family: str = "P"
    degree: int = 2

    def __post_init__(self) -> None:
        choice("family of elements", self.family, FAMILIES)
        degree = whole_number("degree of an element", self.degree, most=HIGHEST_DEGREE)
        object.__setattr__(self, "degree", degree)

    def on(self, kind: CellKind) -> Any:
        """What basix has for it on the reference cell of a kind; SettingsError where there is nothing."""
        if self.family != "P" and kind.dimension == 1:
            raise SettingsError(
                f"there are no {self.family} elements on cells of kind '{kind.name}'",
                expected="cells of kind " + ", ".join(name for name, each in KINDS.items() if each.dimension > 1),
                got=kind.name,
                cure="use family='P' on lines",
            )
        # Lagrange points that cluster towards the ends, moments against orthogonal polynomials: both keep the
        # functions of higher degree well conditioned; of degree 1 and 2 the points are equidistant all the same
        variant = "gll_warped" if self.family == "P" else "legendre"
        return basix_element(FAMILIES[self.family], kind.reference, self.degree, variant)


def check_elements(elements: Any) -> None:
    """Raise SettingsError for anything but elements by field; None stands for Lagrange elements."""
    given = elements if isinstance(elements, Mapping) else {} if elements is None else {"": elements}
    for name, element in given.items():
        if name == "" or not isinstance(element, Element):
            cure = 'write elements={"E": Element("N1curl", 2)}, or leave it out'
            raise SettingsError(
                "elements",
                expected="an Element for each field named",
                got=f"{type(element).__name__} {element!r:.60}",
                cure=cure,
            )
