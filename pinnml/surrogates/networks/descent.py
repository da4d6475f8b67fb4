"""Attention as descent: steps that lower the cross-entropy of a multinomial regression by its features.

Node i is to tell its neighbours apart by logits z_i theta z_j, as a target C_ij says. The gradient flow of the features
z is symmetric attention with one matrix for queries, keys and values. Source: Actor, Gruber, Cyr, Deriving transformer
architectures as implicit multinomial regression (arXiv:2509.04653).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.surrogates.networks.layers import largest, log_softmax, softmax, summed

#: Of the change of logits in one step: exp(2 * 3 b) = 2.
B = math.log(2) / 6


@dataclass(frozen=True, eq=False)
class Regression:
    """E(z) = -sum over pairs of C_ij log s_ij, with s_ij = softmax over the neighbours j of i of z_i theta z_j.

    pairs: (2, M), [j, i]: all neighbours j of a node i, itself among them; j is one of i if i is one of j. targets: C,
    (M, heads), positive, with sum 1 for every i. root: (heads, c, c), theta = root root^T, head by head.
    """

    pairs: Tensor
    targets: Tensor
    root: Tensor

    def energy(self, z: Tensor) -> Tensor:
        """E of features (n, heads, c), (heads,)."""
        w = self._projected(z)
        return -(self.targets * log_softmax(self._logits(w), self.pairs[1], len(z))).sum(dim=0)

    def descended(self, z: Tensor) -> Tensor:
        """The features (n, heads, c) after z_i += h_i sum_j [(C - s) + (C - s)^T]_ij theta z_j, where E is smaller.

        E falls by sum_i h_i |grad_i E|^2 / 2 at least; see `_rates`.
        """
        w = self._projected(z)
        pull = self._pull(w)
        step = torch.einsum("hab,nhb->nha", self.root, pull)
        return z + step * self._rates(w, self._projected(step)).unsqueeze(2)

    def _projected(self, z: Tensor) -> Tensor:
        """W = root^T z, (n, heads, c)."""
        return torch.einsum("hba,nhb->nha", self.root, z)

    def _logits(self, w: Tensor) -> Tensor:
        """w_i . w_j, (M, heads)."""
        source, target = self.pairs
        return (w[target] * w[source]).sum(dim=2)

    def _pull(self, w: Tensor) -> Tensor:
        """sum_j [(C - s) + (C - s)^T]_ij w_j, (n, heads, c)."""
        source, target = self.pairs
        rest = (self.targets - softmax(self._logits(w), target, len(w))).unsqueeze(2)
        return summed(rest * w[source], target, len(w)) + summed(rest * w[target], source, len(w))

    def _rates(self, w: Tensor, turned: Tensor) -> Tensor:
        """H = 1 / (L + |turned| / r), (n, heads), for a step along which w changes by h * turned.

        With M_i the largest |w| of a node and its neighbours, P_i that of two hops, r_i = b / sqrt(P_i^2 + b) is so
        small that no logit changes by more than 3 b, and so no share by more than a factor of 2, all along the step d.
        Then E'' <= sum_i L_i |d_i|^2 for L_i = |root|^2 (2 + c_i + 2 a_i + 4 (1 + 2 a_i) (M_i^2 + b)), with the sums
        c_i of C_ji and a_i of s_ji over j: it consists of 2 (s - C)_ij dw_i . dw_j, in which each node has at most
        (2 + c_i + 2 a_i) |dw_i|^2, and of the variances by s_i of dw_i . w_j + w_i . dw_j.
        """
        (source, target), n = self.pairs, len(w)
        near = largest((w * w).sum(dim=2)[source], target, n)
        far = largest(near[source], target, n)
        shares = summed(softmax(self._logits(w), target, n), source, n)
        wanted = summed(self.targets, source, n)
        size = torch.linalg.matrix_norm(self.root, 2) ** 2
        bound = size * (2 + wanted + 2 * shares + 4 * (1 + 2 * shares) * (near + B))
        return 1 / (bound + torch.linalg.vector_norm(turned, dim=2) * (far + B).sqrt() / B)


def with_itself(edges: Tensor, n: int) -> Tensor:
    """The edges (2, m), and one from every node to itself behind them, (2, m + n)."""
    own = torch.arange(n, device=edges.device)
    return torch.cat([edges, torch.stack([own, own])], dim=1)
