"""Parts by METIS: few edges are cut, and sizes are within some percent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pinnml.domains.partitions.graph import count
from pinnml.errors import MissingExtraError
from pinnml.extras import require

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def metis(graph: csr_array, parts: int, seed: int) -> np.ndarray:
    """The owners (n,) of the nodes of an undirected graph without loops (n, n).

    k-way, or recursive bisection where that leaves a part without nodes, as on small graphs. Raises MissingExtraError
    where pymetis is not installed. Source: Karypis and Kumar, doi:10.1137/S1064827595287997.
    """
    try:
        pymetis = require("pymetis", "gnn")
    except MissingExtraError as error:
        raise MissingExtraError(
            "partitions by METIS need the optional package 'pymetis'",
            expected=error.expected,
            got=str(error.got),
            cure=f"{error.cure}, or choose method='bisection', which needs no package and cuts 15 to 50 % more edges",
        ) from error
    given = pymetis.CSRAdjacency(graph.indptr.astype(np.int32), graph.indices.astype(np.int32))
    owner = np.zeros(count(graph), dtype=np.int64)
    for recursive in (False, True):
        options = pymetis.Options(seed=seed)
        found = pymetis.part_graph(parts, given, recursive=recursive, options=options)
        owner = np.asarray(found.vertex_part, dtype=np.int64)
        if np.bincount(owner, minlength=parts).all():
            break
    return owner
