"""Whether a system is sound at its start: finite, differentiable, and without ties between samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pinnml.blocks import Block, Parts
from pinnml.errors import CouplingError, NonFiniteError
from pinnml.evaluation import FROM_ZERO, check_finite

if TYPE_CHECKING:
    from pinnml.system.system import System


def check_finite_start(system: System) -> None:
    """Refuse NaN and infinity at the start, where they can only come from the user's functions."""
    parts = system.parts(system.initial())
    with torch.no_grad():
        for block in system.blocks:
            for term, components in zip(block.terms, _first_values(system, block, parts), strict=True):
                check_finite(term, components, block.sample, system.problem.domain.axes)


def _first_values(system: System, block: Block, parts: Parts) -> list[list[Tensor]]:
    """Residuals at the start; a head of zeros gives outputs of zero without a look at the basis."""
    if bool(parts.coef.any()):
        return system.values(block, parts)
    zeros = parts.coef.new_zeros((len(block.needs.outputs), len(block), system.problem.columns))
    return block.residuals(zeros, parts.parameters)


def check_samples_apart(system: System) -> None:
    """Refuse equations that mix samples: r and w J found in pieces must be r and the gradient of w . r found whole."""
    together, theta = system.few(8), system.initial().requires_grad_()
    r, generator = together.residual(theta), torch.Generator().manual_seed(0)
    w = torch.randn(len(r), generator=generator, dtype=torch.float64).to(r)
    r_apart, j = together.in_chunks(4).linearise(theta)
    tolerance = 1e-8 if system.dtype == torch.float64 else 1e-3
    for name, rows in together.rows.items():
        expected = torch.autograd.grad(w[rows] @ r[rows], theta, retain_graph=True)[0]
        pairs = ((w[rows] @ j[rows], expected), (r_apart[rows], r[rows].detach()))
        if not bool(torch.isfinite(j[rows]).all()):
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
