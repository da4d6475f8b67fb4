"""Groups of cells by the values that files have for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from pinnml.domains.meshes.files.kinds import FILE_KINDS

#: Whole numbers of cells name groups if there are no more values than this.
MOST_GROUPS = 64
#: Numbers of Gmsh's geometry, which are no groups.
NO_GROUPS = ("gmsh:geometrical", "gmsh:dim_tags")


def groups_by_value(values: Mapping[str, Mapping[str, np.ndarray]]) -> dict[tuple[int, str], dict[str, np.ndarray]]:
    """Groups "array=value" of cells, (dimension, name) -> kind -> rows, from arrays: name -> kind -> (c,) or (c, 1).

    Arrays of whole numbers with at most 64 values count; 0 in "gmsh:physical" is no group.
    """
    groups: dict[tuple[int, str], dict[str, np.ndarray]] = defaultdict(dict)
    for name, by_kind in values.items():
        columns = {kind: _column(array) for kind, array in by_kind.items()}
        whole = all(column.dtype.kind in "iu" and column.ndim == 1 for column in columns.values())
        if name in NO_GROUPS or not whole or len(np.unique(np.concatenate([*columns.values()]))) > MOST_GROUPS:
            continue
        for kind, column in columns.items():
            for value in (value for value in np.unique(column).tolist() if value or name != "gmsh:physical"):
                groups[FILE_KINDS[kind].dimension, f"{name}={value}"][kind] = np.flatnonzero(column == value)
    return dict(groups)


def _column(array: np.ndarray) -> np.ndarray:
    """An array (n, 1) as (n,), others as they are."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
