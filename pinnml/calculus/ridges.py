"""Functions of an argument that is affine in the point, f(z + s . h): one product for each of their coefficients.

Composition of jets takes a product for every pair of coefficients; here all but the values and the slopes are zero.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pinnml.calculus.functions import Rule
from pinnml.calculus.indices import IndexSet, MultiIndex
from pinnml.calculus.jet import Jet


def common_slopes(u: Jet) -> Tensor | None:
    """The slopes (d, e) of a jet (K, n, e) that is affine in the point, the same at all n; None for any other.

    d: the axes along which it carries a derivative.
    """
    first = sum(sum(index) <= 1 for index in u.indices.indices)
    slopes, further = u.coefficients[1:first], u.coefficients[first:]
    if not slopes.numel() or bool(further.any()) or bool((slopes != slopes[:, :1]).any()):
        return None
    return slopes[:, 0]


def ridge_functions(indices: IndexSet, z: Tensor, slopes: Tensor, rule: Rule, room: int = 0) -> Tensor:
    """The coefficients (K, n, k + room) of f(z + s . h) for z (n, k) and slopes s (d, k); zero in the room.

    That of h^a with |a| = m is f^(m)(z) / m! times s^a m! / a!.
    """
    series = rule(z, indices.order)
    axes = [index.index(1) for index in indices.indices[1 : 1 + len(slopes)]]
    along = dict(zip(axes, slopes, strict=True))
    factors = [(series[sum(index)], _power(along, index)) for index in indices.indices]
    if torch.is_grad_enabled() and (z.requires_grad or slopes.requires_grad):
        found = torch.stack([s if factor is None else s * factor for s, factor in factors])
        return torch.nn.functional.pad(found, (0, room)) if room else found
    found = z.new_zeros((len(indices), *z.shape[:-1], z.shape[-1] + room))
    for (s, factor), place in zip(factors, found[..., : z.shape[-1]], strict=True):
        place.copy_(s) if factor is None else torch.mul(s, factor, out=place)
    return found


def _power(along: dict[int, Tensor], index: MultiIndex) -> Tensor | None:
    """S^a |a|! / a!, (k,); None for one."""
    product = None
    for axis, power in enumerate(index):
        for _ in range(power):
            product = along[axis] if product is None else product * along[axis]
    ways = math.factorial(sum(index)) // math.prod(math.factorial(power) for power in index)
    return product if product is None or ways == 1 else ways * product
