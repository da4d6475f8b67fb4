"""The Jacobian of pointwise residuals with respect to all parameters, by one reverse pass per component.

Because r_n depends on sample n alone, the gradients of sum(r) at a layer's outputs hold one row a sample. Where a
layer is z = a @ W with jets a (K, n, i) and z (K, n, o), dr_n/dW_io = sum_k a_kni (d sum(r) / dz_kno).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinnml.networks import Trace

#: Up to this many outputs of a layer, its columns are written one by one, and derivatives that a residual does
#: not ask for are skipped; wider layers go through one batched product.
NARROW = 6


@dataclass(frozen=True)
class Link:
    """Where a parameter enters: its columns of the Jacobian, the features it multiplies, and what comes out.

    features (K, n, i) and output (K, n, o) for a layer; None and (K, n, o) for a bias, which meets the value
    alone; None and (n, ...) for a parameter expanded over the samples.
    """

    columns: slice
    features: Tensor | None
    output: Tensor
    is_bias: bool = False


def hidden_links(trace: Trace, columns: Mapping[str, slice], part: slice) -> list[Link]:
    """The links of one forward pass between the parameters in front of the head and what they act on.

    Those outside the columns `part` are left out; the others count their columns from its start.
    """
    found = [Link(columns[weight], features.detach(), output) for weight, features, output in trace.linear]
    found += [Link(columns[bias], None, output, is_bias=True) for bias, output in trace.shifted]
    found += [Link(columns[name], None, copies) for name, copies in trace.expanded]
    inside = [link for link in found if part.start <= link.columns.start and link.columns.stop <= part.stop]
    shifted = (slice(link.columns.start - part.start, link.columns.stop - part.start) for link in inside)
    return [replace(link, columns=place) for link, place in zip(inside, shifted, strict=True)]


def fill(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    """Write scale_n dr_n/dtheta into j (n, P), for one residual component r (n,)."""
    outputs = list({id(link.output): link.output for link in links}.values())
    found: tuple[Tensor | None, ...] = (None,) * len(outputs)
    if component.requires_grad:
        found = torch.autograd.grad(component.sum(), outputs, retain_graph=True, allow_unused=True)
    gradients = {id(output): g for output, g in zip(outputs, found, strict=True)}
    for link in links:
        rows, g = j[:, link.columns], gradients[id(link.output)]
        if g is None:
            rows.zero_()
        elif link.features is None:
            rows.copy_((g[0] if link.is_bias else g.reshape(len(g), -1)) * scale.unsqueeze(1))
        else:
            _contract(link.features, g * scale[:, None], rows.unflatten(1, (link.features.shape[2], g.shape[2])))


def fill_pairs(component: Tensor, scale: Tensor, links: list[Link], j: Tensor) -> None:
    """The same where each of a pair of residuals in a row depends on the samples of both, which have one scale."""
    for side in (0, 1):
        both = torch.empty_like(j)
        fill(component[side::2], scale, links, both)
        j[side::2] = both[0::2] + both[1::2]


def _contract(features: Tensor, g: Tensor, rows: Tensor) -> None:
    """rows_nio = sum_k features_kni g_kno."""
    if g.shape[2] > NARROW:
        rows.copy_(torch.bmm(features.permute(1, 2, 0), g.permute(1, 0, 2)))
        return
    used = (g != 0).any(dim=1)
    for column in range(g.shape[2]):
        target = rows[:, :, column]
        places = used[:, column].nonzero().flatten().tolist() or [0]
        torch.mul(features[places[0]], g[places[0], :, column, None], out=target)
        for k in places[1:]:
            target.addcmul_(features[k], g[k, :, column, None])
