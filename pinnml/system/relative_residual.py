"""How large a residual is beside the terms that it is made of: a measure free of weights and units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import MultiIndex
from pinnml.system.blocks import Block

#: The part of |U| / length^k below which a derivative of order k counts as vanishing.
FLOOR = 1e-3


def relative_residuals(
    blocks: Sequence[Block],
    outputs: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
    elsewhere: Sequence[tuple[Block, Tensor]] = (),
) -> dict[str, float]:
    """For every equation the RMS of its residual over the size of its terms.

    outputs (K, n, m) are the network's on each block. The size is sum_k |dr/dU_k| |U_k| + |r(U = 0)|, over the
    derivatives U_k of the outputs, where |.| is an RMS, of U_k over the region where it is largest, and at least a
    thousandth of that of U over the lengths of the domain to the power of k: derivatives that vanish are round-off,
    by which nothing should be measured. Fields that solve nothing have a relative residual near one. What an integral
    condition leaves is the mean of its integrand. elsewhere: blocks with outputs that only tell how large these are.
    """
    largest: dict[MultiIndex, Tensor] = {}
    for block, u in (*zip(blocks, outputs, strict=True), *elsewhere):
        for index, rms in zip(block.needs.outputs.indices, _rms(u, block.sample.weight), strict=True):
            largest[index] = torch.maximum(largest.get(index, rms), rms)
    value = largest[(0,) * len(next(iter(largest)))]
    lengths = _lengths(blocks[0])
    for index, rms in largest.items():
        largest[index] = torch.maximum(rms, FLOOR * value / float(np.prod(lengths ** np.array(index))))
    result = {}
    for block, u in zip(blocks, outputs, strict=True):
        if block.pairing is not None:
            continue
        scale = torch.stack([largest[index] for index in block.needs.outputs.indices])
        result |= _on_block(block, u.detach(), scale, parameters)
    return result


def flux_sizes(
    blocks: Sequence[Block], outputs: Sequence[Tensor], parameters: Mapping[str, Tensor]
) -> dict[str, float]:
    """The size of what a weak form tests, as if nothing cancelled, by the name of its rows."""
    sizes: dict[str, float] = {}
    with torch.no_grad():
        for block, u in zip(blocks, outputs, strict=True):
            if block.pairing is not None:
                flux, name = block.residuals(u, parameters)[0], block.terms[0].name
                sizes[name] = sizes.get(name, 0.0) + float(block.pairing.size_of(flux, block.sample.weight))
    return {name: size or 1.0 for name, size in sizes.items()}


def term_sizes(blocks: Sequence[Block], columns: int, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The length (m,) of each equation's unweighted rows for each of the m outputs alone, if it is of size one.

    As if it varied over the lengths of the domain: what a change of units makes of an equation. A row is
    sum_k |dr/dU_k| / length^k at U = 0; where that is zero for all outputs, |r(0)| for every one.
    """
    lengths = _lengths(blocks[0])
    squares: dict[str, Tensor] = {}
    rests: dict[str, Tensor] = {}
    measures = {term.name: block.measure_of(term) for block in blocks for term in block.terms}
    for block in blocks:
        indices, weight = block.needs.outputs.indices, block.sample.weight
        extents = weight.new_tensor([float(np.prod(lengths ** np.array(index))) for index in indices])
        zero = weight.new_zeros((len(indices), len(block), columns))
        for name, components in _sensitivities(block, zero, parameters).items():
            # what a flux is tested with has its own length, the root of the metric
            metric = weight.new_ones(len(components)) if block.pairing is None else block.pairing.metric
            slopes = torch.stack([(g / extents[:, None]).sum(dim=0) for _, g, _ in components])
            rest = torch.stack([rest for _, _, rest in components])
            largest = (slopes.square() / metric[:, None]).sum(dim=0), (rest.square() / metric).sum()
            for found, square in zip((squares, rests), largest, strict=True):
                found[name] = torch.maximum(found.get(name, square), torch.nan_to_num(square, nan=0.0, posinf=0.0))
    return {
        name: (measures[name] * (each if bool(each.any()) else rests[name].expand(columns))).sqrt()
        for name, each in squares.items()
    }


def _lengths(block: Block) -> np.ndarray:
    """The extents of the domain along its axes; 1 where it has none."""
    lengths = np.ptp(block.problem.domain.bounds, axis=1)
    lengths[lengths == 0] = 1.0
    return lengths


def _on_block(block: Block, outputs: Tensor, scale: Tensor, parameters: Mapping[str, Tensor]) -> dict[str, float]:
    """Relative residuals of the equations on one region; `scale` (K, m) is the size of the outputs."""
    result = {}
    for name, components in _sensitivities(block, outputs, parameters).items():
        square = sum(left**2 for left, _, _ in components)
        size = sum(float((g * scale).sum() + rest) ** 2 for _, g, rest in components)
        result[name] = math.sqrt(square / (size + torch.finfo(outputs.dtype).tiny))
    return result


def _sensitivities(
    block: Block, outputs: Tensor, parameters: Mapping[str, Tensor]
) -> dict[str, list[tuple[float, Tensor, Tensor]]]:
    """By equation, for each component r: its RMS, |dr/dU_k| (K, m) at the outputs, and |r(U = 0)|."""
    parameters = {name: value.detach() for name, value in parameters.items()}
    weight, result = block.sample.weight, {}
    with torch.enable_grad():
        at_zero = block.residuals(torch.zeros_like(outputs), parameters)
        values = block.residuals(outputs.requires_grad_(), parameters)
    for term, components, rest in zip(block.terms, values, at_zero, strict=True):
        result[term.name] = found = []
        for r, r_zero in zip(components, rest, strict=True):
            g = torch.autograd.grad(r.sum(), outputs, retain_graph=True)[0] if r.requires_grad else 0 * outputs
            left = weight @ r.detach() / weight.sum() if term.equation.integral else _rms(r.detach(), weight)
            found.append((float(left), _rms(g, weight), _rms(r_zero.detach(), weight)))
    return result


def _rms(values: Tensor, weight: Tensor) -> Tensor:
    """Root mean square over the samples: (n,) to a scalar, (K, n, m) to (K, m)."""
    if values.ndim == 1:
        return (weight @ values.square() / weight.sum()).sqrt()
    return (torch.einsum("n,knm->km", weight, values.square()) / weight.sum()).sqrt()
