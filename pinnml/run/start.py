"""Where a solve begins: a network that is drawn, or that of a solution to go on from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pinnml.domains import same_domain
from pinnml.errors import CheckpointError, SettingsError
from pinnml.networks import Network, NetworkSettings, Perceptron
from pinnml.problem import Problem
from pinnml.results import Solution, network_settings
from pinnml.system import System


def check_start(problem: Problem, network: NetworkSettings | None, start: Solution) -> None:
    """Refuse what cannot be gone on from: another problem's solution, or a network beside the solution's own."""
    cure = "give a solution of the same fields on the same domain, or leave start= out"
    if "network" not in start.settings:
        got = "a solution that does not say how its network was built"
        raise SettingsError("start", expected="a solution that solve or load returned", got=got, cure=cure)
    if network is not None:
        raise SettingsError(
            "start and network were both given",
            expected="one of them: a solution is gone on from with its own network",
            got=f"start= and network={network!r}",
            cure="leave network= out, or start= to begin anew",
        )
    if start.fields != problem.fields:
        expected, got = (", ".join(f.name for f in fields) for fields in (problem.fields, start.fields))
        if expected == got:
            expected, got = str(problem.fields), str(start.fields)
        expected, got = f"a solution of this problem: fields {expected}", f"fields {got}"
        raise SettingsError("start", expected=expected, got=got, cure=cure)
    if not same_domain(start.domain.to_json(), problem.domain.to_json()):
        expected = f"a solution of this problem: on {problem.domain!r}"
        raise SettingsError("start", expected=expected, got=f"one on {start.domain!r}", cure=cure)


def network_of(start: Solution, device: torch.device, dtype: torch.dtype) -> Network:
    """A copy of the solution's network to train on; what a solver searched for before stays as it was found."""
    network = copy.deepcopy(start.network).to(device, dtype).requires_grad_(True)
    if isinstance(network.basis, Perceptron) and network.basis.ridges is not None:
        network.basis.ridges = replace(network.basis.ridges, searched=())
    return network


def theta_of(system: System, start: Solution | None) -> Tensor:
    """Theta (P,) before the first step: trainable parameters begin as the solution to go on from found them."""
    theta = system.initial()
    for name, place in system.parts(theta).parameters.items():
        if start is not None and name in start.parameters:
            place.fill_(start.parameters[name])  # a view of theta
    return theta


def halved(network: NetworkSettings | Mapping[str, Any]) -> NetworkSettings | None:
    """Settings, or the record of those of a solution to go on from, of half the size; None where there are none."""
    if not isinstance(network, Mapping):
        return network.halved()
    try:
        return network_settings(network).halved()
    except CheckpointError:  # a module or function of the user's, which no record holds
        return None
