"""A second solve with half the basis, where a promise has nothing else to be checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pinnml.errors import CheckpointError
from pinnml.networks import NetworkSettings
from pinnml.results import network_settings
from pinnml.run.loop import Loop
from pinnml.run.preparation import begun
from pinnml.run.request import Request
from pinnml.solvers import Status


def half_solve(request: Request) -> Loop | None:
    """The same solve with half the basis, at its end; None where it is not needed or cannot be.

    It begins anew, and is not shown to the callback; None if it was interrupted, for half a check is none.
    """
    problem = request.problem
    if request.recipe.expect is None or problem.exact is not None or problem.reference is not None:
        return None
    smaller = _halved(request.network if request.start is None else request.start.settings["network"])
    if smaller is None:
        return None
    try:
        loop = begun(replace(request, recipe=replace(request.recipe, network=smaller), start=None))
        return None if loop.run() is Status.INTERRUPTED else loop
    except KeyboardInterrupt:
        return None


def _halved(network: NetworkSettings | Mapping[str, Any]) -> NetworkSettings | None:
    """Settings, or the record of those of a solution to go on from, of half the size; None where there are none."""
    if not isinstance(network, Mapping):
        return network.halved()
    try:
        return network_settings(network).halved()
    except CheckpointError:  # a module or function of the user's, which no record holds
        return None
