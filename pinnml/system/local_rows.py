"""The Jacobian of a head of local functions: for every row only the columns of the patches that it sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.networks import LocalBasis
from pinnml.system.blocks import Block
from pinnml.system.jacobian import Link, fill
from pinnml.system.system import System


@dataclass(frozen=True, eq=False)
class LocalRows:
    """Rows of one equation: r (n,), dr/dcoef (n, p, q m) for the patches (n, p) that they see, -1 for none.

    q functions a patch, of m outputs each; columns belong to function b and output o in the order b m + o.
    """

    equation: str
    patches: Tensor
    r: Tensor
    j: Tensor


def local_rows(system: System, theta: Tensor) -> Iterator[LocalRows]:
    """All rows of a system whose basis is local, piece by piece; those of an equation may come in several pieces.

    Raises SettingsError for what couples all patches: integral conditions, weak forms, and trainable parameters.
    """
    _check_local(system)
    for block in system.blocks:
        for chunk in system.chunks(block):
            yield from _of_chunk(system, chunk, theta)


def _of_chunk(system: System, block: Block, theta: Tensor) -> Iterator[LocalRows]:
    basis, parts = system.network.basis, system.parts(theta.detach())
    assert isinstance(basis, LocalBasis)
    with torch.no_grad():
        functions, places = basis.local(block.inputs)
        outputs = torch.einsum("kna,nam->knm", functions, parts.coef[places])
        patches = basis.owners(block.inputs)
    with torch.enable_grad():
        values = block.residuals(outputs.requires_grad_(), parts.parameters)
    columns = functions.shape[2] * outputs.shape[2]
    links = [Link(slice(0, columns), functions, outputs)]
    for term, components in zip(block.terms, values, strict=True):
        scale = system.scale(term, block)
        for component in components:
            j = functions.new_empty((len(block), columns))
            fill(component, scale, links, j)
            yield LocalRows(term.name, patches, scale * component.detach(), j.unflatten(1, (patches.shape[1], -1)))


def _check_local(system: System) -> None:
    coupled = [term.name for block in system.blocks for term in block.terms if term.equation.integral or block.pairing]
    coupled += list(system.problem.parameters)
    if coupled or any(block.sample.two_sided for block in system.blocks):
        raise SettingsError(
            "patches are solved for by rows that see a few of them each",
            expected="equations at points, without integrals, interfaces, weak forms and trainable parameters",
            got=", ".join(f"'{name}'" for name in coupled) or "an interface",
            cure="choose network=Features() or MLP() for this problem",
        )
