"""Where problems live: boxes, meshes and scattered points."""

from collections.abc import Mapping
from typing import Any

from pinnml.domains.box import RESERVED, TIME, Box, Graded, Parameter, Periodic
from pinnml.domains.meshes.mesh import Mesh
from pinnml.domains.meshes.record import MeshRecord
from pinnml.domains.meshes.solid import Solid
from pinnml.domains.meshes.times import MeshTimes
from pinnml.domains.points import Points
from pinnml.domains.sample import Domain, Grid, Sample


def domain_from_json(record: Mapping[str, Any]) -> Domain:
    """The domain of a `to_json` record, as far as calling a network on it needs."""
    if "mesh" in record:
        return MeshRecord(record)
    return Box.from_json(record) if "box" in record else Points.from_json(record)


def same_domain(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two `to_json` records are of one domain, with its axes in the same order."""
    return _in_order(first) == _in_order(second)


def _in_order(record: Mapping[str, Any]) -> list[Any]:
    return [(kind, [(name, list(numbers)) for name, numbers in axes.items()]) for kind, axes in record.items()]


__all__ = [
    "RESERVED",
    "TIME",
    "Box",
    "Domain",
    "Graded",
    "Grid",
    "Mesh",
    "MeshTimes",
    "Parameter",
    "Periodic",
    "Points",
    "Sample",
    "Solid",
    "domain_from_json",
    "same_domain",
]
