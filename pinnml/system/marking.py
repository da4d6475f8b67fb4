"""Where a system is to be refined: what is left at its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pinnml.calculus import Jet
from pinnml.errors import SettingsError
from pinnml.networks import Marking
from pinnml.system.blocks import Block


def marking(blocks: Sequence[Block], inputs: Jet, rows: Tensor, places: Mapping[str, slice], share: float) -> Marking:
    """Every sample's squared rows, integrals left out, with the network's inputs there.

    inputs: at all samples (1, n, e). rows: the residual (M,), each term's at its place. Raises SettingsError for a weak
    form, whose rows belong to no sample.
    """
    if any(block.pairing for block in blocks):
        message, cure = "a weak form is refined everywhere", "leave adaptive out of the multilevel solver"
        raise SettingsError(message, expected="residuals at points", got=f"adaptive={share}", cure=cure)
    squares = []
    for block in blocks:
        pointwise = [rows[places[term.name]].square() for term in block.terms if not term.equation.integral]
        squares.append(sum((each.view(-1, len(block)).sum(dim=0) for each in pointwise), rows.new_zeros(len(block))))
    return Marking(inputs, torch.cat(squares), share)
