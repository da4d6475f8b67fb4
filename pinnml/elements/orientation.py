"""How edges and faces lie in a cell against the numbers of the points, and what that does to local functions.

Two cells agree on the functions of a shared edge or face if both take it in one direction: from its lowest point on
towards the lower of the neighbours. The functions on a reference cell follow the cell's own order of corners instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pinnml.domains.cells import Cells

#: The corners of a face in a ring, by their number; those of quadrilaterals are in rows.
_RINGS = {3: [0, 1, 2], 4: [0, 1, 3, 2]}
#: Bits that a face takes: one for its reflection, two for its rotations.
_FACE_BITS = 3


def orientation(cells: Cells, element: Any) -> np.ndarray:
    """The bits from which basix learns how edges and faces lie, (C,).

    In space three for every face come first: whether it is reflected, and how often it is rotated; then one for every
    edge: whether it is reversed. In the plane there are those of edges only. The bits of what carries no degrees of
    freedom are left at 0, so that as few as possible differ.
    """
    bits, first = np.zeros(len(cells), dtype=np.int64), 0
    counts = element.num_entity_dofs
    if cells.kind.dimension == 3:
        faces = cells.corners[:, np.array(cells.kind.entities(2))]
        if counts[2][0]:
            bits |= _packed(_turned_faces(faces), 0, _FACE_BITS)
        first = _FACE_BITS * faces.shape[1]
    if cells.kind.dimension > 1 and counts[1][0]:
        ends = cells.corners[:, np.array(cells.kind.entities(1))]
        bits |= _packed(ends[..., 0] > ends[..., 1], first, 1)
    return bits


def transformed(element: Any, bits: np.ndarray, functions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T @ functions (d, k, b) for d different ways to lie, and which of these each cell has, (C,).

    functions (k, b): numbers of those on the reference cell, such as their values at b points; T takes them to the
    functions that neighbours share.
    """
    different, which = np.unique(bits, return_inverse=True)
    result = np.tile(functions.astype(float), (len(different), 1, 1))
    for each, way in zip(result, different.tolist(), strict=True):
        element.T_apply(each.reshape(-1), functions.shape[1], way)
    return result, which


def _turned_faces(faces: np.ndarray) -> np.ndarray:
    """The bits of every face from its corners (C, f, c): 1 if reflected, plus 2 for each rotation."""
    ring = faces[..., _RINGS[faces.shape[-1]]]
    size, lowest = ring.shape[-1], ring.argmin(axis=-1)[..., None]
    after, before = (np.take_along_axis(ring, (lowest + side) % size, axis=-1) for side in (1, -1))
    reflected = after > before
    # a face that is reflected is turned in the other sense
    rotations = np.where(reflected, lowest, -lowest % size)
    return (reflected + 2 * rotations)[..., 0]


def _packed(values: np.ndarray, first: int, width: int) -> np.ndarray:
    """Small numbers (C, e) side by side in one, each `width` bits wide, from bit `first` on."""
    return (values.astype(np.int64) << (first + width * np.arange(values.shape[1]))).sum(axis=1)
