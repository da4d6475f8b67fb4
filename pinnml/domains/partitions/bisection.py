"""Parts by coordinates alone: no edges are looked at, and no package is needed."""

from __future__ import annotations

import numpy as np


def bisected(positions: np.ndarray, parts: int) -> np.ndarray:
    """The owners (n,) of nodes at positions (n, s): halves across the longest side, again and again.

    Sizes differ by one at most on the way down; nodes at the same place along a side are taken by number.
    """
    owner = np.zeros(len(positions), dtype=np.int64)
    waiting = [(np.arange(len(positions)), 0, parts)]
    while waiting:
        nodes, first, count = waiting.pop()
        owner[nodes] = first
        if count > 1:
            extent = np.ptp(positions[nodes], axis=0)
            order = nodes[np.argsort(positions[nodes, extent.argmax()], kind="stable")]
            left = count // 2
            at = round(len(nodes) * left / count)
            at = min(max(at, left), len(nodes) - (count - left))  # a node at least for every part
            waiting += [(np.sort(order[:at]), first, left), (np.sort(order[at:]), first + left, count - left)]
    return owner
