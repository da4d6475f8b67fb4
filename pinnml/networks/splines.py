"""Products with B-splines: at every place only the r functions that are not zero there are gathered."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Numbers of the weights that are gathered at a time: few enough to stay in a CPU's cache, or many for a GPU.
GATHERED = {"cpu": 2**18, "cuda": 2**26}


def dense(first: Tensor, local: Tensor, size: int) -> Tensor:
    """Local values (..., r) in their places among all functions, (..., size)."""
    places = first.unsqueeze(-1) + torch.arange(local.shape[-1], device=first.device)
    return local.new_zeros((*local.shape[:-1], size)).scatter(-1, places.expand(local.shape), local)


class LocalProduct(torch.autograd.Function):
    """z_kno = sum_j local_knj weight_(rows_nj) o: a product with a sparse matrix whose rows share their places.

    local (K, n, j), rows (n, j), weight (R, o), z (K, n, o). The weights are gathered for a few samples at a time, and
    again on the way back, so that they stay in the cache and nothing is kept.
    """

    @staticmethod
    def forward(ctx: Any, local: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
        """The product."""
        local = local.transpose(0, 1).contiguous()  # sample by sample, as the products want them
        ctx.save_for_backward(local, rows, weight)
        z = local.new_empty((*local.shape[:2], weight.shape[1]))
        for part in _parts(rows, weight):
            torch.bmm(local[part], _gathered(weight, rows[part]), out=z[part])
        return z.transpose(0, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        """By the local values, and by the weights."""
        local, rows, weight = ctx.saved_tensors
        g = gradients[0].transpose(0, 1).contiguous()
        by_local, by_weight = torch.empty_like(local), torch.zeros_like(weight)
        for part in _parts(rows, weight):
            torch.bmm(g[part], _gathered(weight, rows[part]).mT, out=by_local[part])
            outer = torch.bmm(local[part].mT, g[part])
            by_weight.index_add_(0, rows[part].reshape(-1), outer.flatten(end_dim=1))
        return by_local.transpose(0, 1), None, by_weight


def _parts(rows: Tensor, weight: Tensor) -> list[slice]:
    """The samples in pieces whose weights fit the cache."""
    size = max(GATHERED[rows.device.type] // (rows.shape[1] * weight.shape[1]), 1)
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _gathered(weight: Tensor, rows: Tensor) -> Tensor:
    """The rows of the weights that each sample meets, (n, j, o)."""
    return weight.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)
