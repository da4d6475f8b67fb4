"""Where a system is to be refined: what is left at its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.networks import Marking

if TYPE_CHECKING:
    from pinnml.system.system import System


def marking(system: System, theta: Tensor, share: float) -> Marking:
    """Every sample's squared rows, integrals left out, with the network's inputs there.

    Raises SettingsError for a weak form, whose rows belong to no sample.
    """
    if any(block.pairing for block in system.blocks):
        message, cure = "a weak form is refined everywhere", "leave adaptive out of the multilevel solver"
        raise SettingsError(message, expected="residuals at points", got=f"adaptive={share}", cure=cure)
    with torch.no_grad():
        rows = system.residual(theta).square()
    squares = []
    for block in system.blocks:
        pointwise = [rows[system.rows[term.name]] for term in block.terms if not term.equation.integral]
        squares.append(sum((each.view(-1, len(block)).sum(dim=0) for each in pointwise), rows.new_zeros(len(block))))
    return Marking(system.inputs, torch.cat(squares), share)
