"""How functions go over from the reference cell to cells, with the derivative that each family has.

A family's functions come in rows: P is value and gradient, N1curl components and curl (one number in the plane), RT
components and divergence. Values of N1curl go over as gradients do (covariant Piola map), those of RT as fluxes do
(contravariant), so that tangential and normal components stay continuous; then curl and divergence go over exactly, on
bent cells too. Determinants keep their sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def reference_rows(family: str, element: Any, points: np.ndarray) -> Tensor:
    """The k functions of a basix element at reference points (q, s), in rows: (r, q, k)."""
    value, *slopes = np.moveaxis(element.tabulate(1, points), 3, 1)  # each (components, q, k)
    return torch.from_numpy(np.concatenate([value, _DERIVATIVES[family](np.stack(slopes))]))


def pushed(family: str, jacobian: Tensor, rows: Tensor) -> Tensor:
    """Rows on cells (m, c, q, k), from rows on the reference cell (m, c or 1, q, k) and dx_i/dX_j (c, q, s, s)."""
    result = rows.new_empty((len(rows), *jacobian.shape[:2], rows.shape[-1]))
    done = 0
    for block in carriers(family, jacobian):
        block, size = block.to(rows.dtype), block.shape[-1]
        for i in range(size):
            torch.mul(block[..., i, 0, None], rows[done], out=result[done + i])
            for j in range(1, size):
                result[done + i].addcmul_(block[..., i, j, None], rows[done + j])
        done += size
    return result


def pulled_back(family: str, jacobian: Tensor, values: Tensor) -> Tensor:
    """Values on the reference cell from those on cells, both (c, q, v), where v is 1 for P, else s."""
    matrix = {"P": lambda J: J.new_ones(1, 1), "N1curl": lambda J: J.mT, "RT": _adjugate}[family](jacobian)
    return (matrix.to(values.dtype) @ values.unsqueeze(-1)).squeeze(-1)


def carriers(family: str, jacobian: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices (c, q, i, j) that carry values, and derivatives."""
    adjugate = _adjugate(jacobian)
    determinant = (adjugate[..., 0, :] * jacobian[..., 0]).sum(dim=-1)[..., None, None]
    if family == "P":
        return torch.ones_like(determinant), adjugate.mT / determinant
    if family == "RT":
        return jacobian / determinant, 1 / determinant
    plane = jacobian.shape[-1] == 2
    return adjugate.mT / determinant, (1 if plane else jacobian) / determinant


def _adjugate(matrix: Tensor) -> Tensor:
    """The inverse times the determinant, (..., s, s): polynomial, and so faster than a factorisation of each."""
    if matrix.shape[-1] == 1:
        return torch.ones_like(matrix)
    if matrix.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
        return torch.stack([d, -b, -c, a], dim=-1).unflatten(-1, (2, 2))
    first, second, third = matrix.unbind(dim=-1)
    pairs = ((second, third), (third, first), (first, second))
    return torch.stack([torch.linalg.cross(a, b) for a, b in pairs], dim=-2)


def _gradient(slopes: np.ndarray) -> np.ndarray:
    return slopes[:, 0]


def _curl(slopes: np.ndarray) -> np.ndarray:
    """Curl (1 or 3, q, k) from d f_i / d X_j at [j, i], (s, s, q, k)."""
    pairs = [(0, 1)] if len(slopes) == 2 else [(1, 2), (2, 0), (0, 1)]
    return np.stack([slopes[j, i] - slopes[i, j] for j, i in pairs])


def _divergence(slopes: np.ndarray) -> np.ndarray:
    return np.trace(slopes)[None]


_DERIVATIVES = {"P": _gradient, "N1curl": _curl, "RT": _divergence}
