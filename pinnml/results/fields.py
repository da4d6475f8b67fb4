"""The fields of a solution at points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import IndexSet, Jet, Vector, coordinate_jets, total_order
from pinnml.networks import Network
from pinnml.problem import Field, Problem, fields_of, raw_fields

#: Points that are evaluated at once.
BLOCK = 8192


def values_at(problem: Problem, network: Network, parameters: Mapping[str, float], x: Tensor) -> dict[str, np.ndarray]:
    """The values of all fields at CPU points (n, d), (n,) or (n, components), a block of points at a time."""
    indices = total_order(problem.domain.axes, 0)
    blocks = [(fields_at(network, parameters, part, indices, problem), len(part)) for part in x.split(BLOCK)]
    return {f.name: np.concatenate([value_array(found[f.name], n) for found, n in blocks]) for f in problem.fields}


def fields_at(
    network: Network,
    parameters: Mapping[str, float],
    x: Tensor,
    indices: IndexSet,
    of: Problem | tuple[Field, ...],
) -> dict[str, Any]:
    """The fields of a problem (or, of fields alone, the network's own outputs) as jets at CPU points (n, d)."""
    x = x.to(network.coef.device, network.coef.dtype)
    outputs = outputs_at(network, x, indices)
    if not isinstance(of, Problem):
        return raw_fields(of, outputs)
    constants = {name: coordinate_jets(indices, x)[0].constant(value) for name, value in parameters.items()}
    return fields_of(of, outputs, x, constants)


def outputs_at(network: Network, x: Tensor, indices: IndexSet) -> Jet:
    """The network's outputs (K, n, m) at points (n, d) of its own device and dtype."""
    with torch.no_grad():
        return network(network.inputs(x, indices))


def value_array(value: Any, n: int) -> np.ndarray:
    """The value of a jet, Vector, tensor, array or number at n points: (n,), or (n, components)."""
    if isinstance(value, (Vector, tuple, list)):
        return np.stack([value_array(component, n) for component in value], axis=1)
    if isinstance(value, np.ndarray):
        return np.broadcast_to(value, (n, *value.shape[1:]))
    value = value.value if isinstance(value, Jet) else torch.as_tensor(value)
    return value.detach().expand(n, *value.shape[1:]).cpu().resolve_conj().numpy()
