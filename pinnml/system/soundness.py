"""Whether a system is sound at its start: finite, differentiable, and without ties between samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from pinnml.errors import CouplingError, NonFiniteError
from pinnml.problem import FROM_ZERO, check_finite
from pinnml.system.blocks import Block


def check_finite_start(values: Iterable[tuple[Block, list[list[Tensor]]]]) -> None:
    """Refuse NaN and infinity at the start, where they can only come from the user's functions.

    values: blocks with their residual components (n,) by term.
    """
    for block, components in values:
        for term, each in zip(block.terms, components, strict=True):
            check_finite(term, each, block.sample, block.problem.domain.axes)


def is_affine(rows: Callable[[Tensor], Tensor], like: Tensor) -> bool:
    """Whether r(a+b) - r(a) - r(b) + r(0) = 0 for random a and b like a tensor (k,), to round-off."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(len(like), generator=generator, dtype=torch.float64).to(like) for _ in range(2))
    both, first, second, none = (rows(each) for each in (a + b, a, b, torch.zeros_like(a)))
    largest = max(float(row.abs().max()) for row in (both, first, second, none))
    return float((both - first - second + none).abs().max()) <= 4096 * torch.finfo(like.dtype).eps * largest


def check_samples_apart(rows: Mapping[str, slice], theta: Tensor, r: Tensor, pieces: tuple[Tensor, Tensor]) -> None:
    """Refuse equations that mix samples: r and w J found in pieces must be r and the gradient of w . r found whole.

    r (M,) found whole, differentiable in theta (P,); pieces: r (M,) and J (M, P) found a few samples at a time.
    """
    w = torch.randn(len(r), generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(r)
    r_apart, j = pieces
    tolerance = 1e-8 if r.dtype == torch.float64 else 1e-3
    for name, place in rows.items():
        expected = torch.autograd.grad(w[place] @ r[place], theta, retain_graph=True)[0]
        pairs = ((w[place] @ j[place], expected), (r_apart[place], r[place].detach()))
        if not bool(torch.isfinite(j[place]).all()):
            raise NonFiniteError(
                f"the slope of equation '{name}' is not finite at the start",
                expected="a residual that can be differentiated in the fields",
                got="NaN or infinity, as of a root at zero",
                cure=FROM_ZERO,
            )
        defect = max(float((found - right).abs().max() / (1 + right.abs().max())) for found, right in pairs)
        if defect > tolerance:
            raise CouplingError(
                f"equation '{name}' mixes samples, or the network does",
                expected="a residual at each point that depends on that point alone",
                got=f"a value or a slope that differs by {defect:.1e} when the points are taken together",
                cure="write an integral as Equation(..., integral=True); take out means and batch statistics",
            )
