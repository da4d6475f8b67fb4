"""Where problems live: boxes and scattered points."""

from collections.abc import Mapping
from typing import Any

from pinnml.domains.box import Box, Graded, Parameter, Periodic
from pinnml.domains.points import Points
from pinnml.domains.sample import Domain, Grid, Sample


def domain_from_json(record: Mapping[str, Any]) -> Domain:
    """The domain of a `to_json` record, as far as calling a network on it needs."""
    return Box.from_json(record) if "box" in record else Points.from_json(record)


__all__ = ["Box", "Domain", "Graded", "Grid", "Parameter", "Periodic", "Points", "Sample", "domain_from_json"]
