"""Files that VTK's own writers make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.made_meshes import unit_box

#: VTK's numbers.
NUMBER = {
    **{"line": 3, "triangle": 5, "quad": 9, "tetra": 10, "hexahedron": 12, "line3": 21, "triangle6": 22, "quad8": 23},
    **{"quad9": 28, "tetra10": 24, "hexahedron20": 25, "hexahedron27": 29},
}


def grid(kind: str, n: int = 2) -> Any:
    """PyVista's unit box of a kind of cells, with groups by turns and an array of real numbers."""
    import pyvista

    points, cells = unit_box(kind, n)
    table = np.insert(cells, 0, cells.shape[1], axis=1)
    found = pyvista.UnstructuredGrid(table.ravel(), np.full(len(cells), NUMBER[kind]), points)
    found.cell_data["material"] = np.arange(len(cells)) % 2
    found.cell_data["temperature"] = np.linspace(0, 1, len(cells))
    found.point_data["height"] = points[:, 0]
    return found


def write_vtu(path: Path, what: Any, mode: str, compressor: str, *, encoded: bool = True, wide: bool = False) -> Path:
    """A .vtu file; mode: Ascii, Binary or Appended; compressor: None, ZLib, LZ4, LZMA; wide: sizes of 64 bits."""
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    writer = vtkXMLUnstructuredGridWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(what)
    getattr(writer, f"SetDataModeTo{mode}")()
    getattr(writer, f"SetCompressorTypeTo{compressor}")()
    writer.SetEncodeAppendedData(encoded)
    writer.SetBlockSize(64)  # several blocks even of a small mesh
    writer.SetHeaderTypeToUInt64() if wide else writer.SetHeaderTypeToUInt32()
    assert writer.Write() == 1
    return path
