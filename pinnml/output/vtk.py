"""Snapshots as files for ParaView: one mesh, one cloud of points, or a series over time."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pinnml.errors import ProblemError, ShapeError
from pinnml.output.files import replacing, with_suffix_checked
from pinnml.output.snapshot import Snapshot

if TYPE_CHECKING:
    from vtkmodules.vtkIOXML import vtkXMLWriter


def load_libraries() -> None:
    """Load what writes files and pictures: it takes longer than to write them, and a signal meanwhile crashes VTK."""
    import pyvista
    import vtkmodules.vtkIOXML

    import pinnml.output.figure

    _ = pyvista.UnstructuredGrid, vtkmodules.vtkIOXML, pinnml.output.figure


def write_vtu(path: str | os.PathLike[str], snapshot: Snapshot) -> list[Path]:
    """One snapshot as a compressed `.vtu` file; a cloud of points becomes a mesh of vertices.

    Args:
        path: a name that ends in `.vtu`; missing folders are made; an old file is
            replaced once the new one is whole.
        snapshot: the mesh and its fields.

    Returns:
        The path that was written.

    Raises:
        SettingsError: the name ends otherwise.
        OSError: the file could not be written; an old one is still there.
    """
    path = with_suffix_checked(path, ".vtu")
    with replacing(path) as temporary:
        _write_mesh(temporary, snapshot)
    return [path]


def write_vtp(path: str | os.PathLike[str], snapshot: Snapshot) -> list[Path]:
    """A cloud of points as a compressed `.vtp` file, with a vertex at each point so that it can be seen.

    Args:
        path: a name that ends in `.vtp`; missing folders are made; an old file is
            replaced once the new one is whole.
        snapshot: points without cells, and their fields.

    Returns:
        The path that was written.

    Raises:
        SettingsError: the name ends otherwise.
        ShapeError: the snapshot has cells.
        OSError: the file could not be written; an old one is still there.
    """
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    path = with_suffix_checked(path, ".vtp")
    if snapshot.cells is not None:
        raise ShapeError(
            "a .vtp file holds a cloud of points",
            expected="a snapshot without cells",
            got=f"{len(snapshot.cells)} cells of type '{snapshot.cell_type}'",
            cure="use write_vtu",
        )
    with replacing(path) as temporary:
        _run(vtkXMLPolyDataWriter(), temporary, snapshot.to_pyvista())
    return [path]


def write_pvd(path: str | os.PathLike[str], snapshots: Sequence[Snapshot]) -> list[Path]:
    """Snapshots over time: numbered `.vtu` pieces in a folder beside, and the `.pvd` index of their times.

    `fields.pvd` points to `fields/fields_0000.vtu` and so on, in the order of time, by relative names,
    so that both can be moved together. Nothing old is replaced before everything new is written.

    Args:
        path: a name that ends in `.pvd`; missing folders are made.
        snapshots: in any order, at different times.

    Returns:
        The index, then the pieces.

    Raises:
        SettingsError: the name ends otherwise.
        ProblemError: there are no snapshots, one has no time, or two have the same.
        OSError: a file could not be written; the old ones are still there.
    """
    path = with_suffix_checked(path, ".pvd")
    ordered = _in_order(snapshots)
    names = [f"{path.stem}/{path.stem}_{number:04d}.vtu" for number in range(len(ordered))]
    collection = ElementTree.Element("VTKFile", type="Collection", version="1.0")
    entries = ElementTree.SubElement(collection, "Collection")
    # Blocks end in reverse order: entered first, the index is replaced last, its pieces in place.
    with ExitStack() as stack:
        index = stack.enter_context(replacing(path))
        for name, snapshot in zip(names, ordered, strict=True):
            _write_mesh(stack.enter_context(replacing(path.parent / name)), snapshot)
            ElementTree.SubElement(entries, "DataSet", timestep=repr(snapshot.time), part="0", file=name)
        ElementTree.indent(collection)
        ElementTree.ElementTree(collection).write(index, encoding="utf-8", xml_declaration=True)
    return [path, *(path.parent / name for name in names)]


def pieces_of(path: str | os.PathLike[str]) -> list[Path]:
    """The numbered pieces that lie where `write_pvd(path, ...)` puts them, from whatever run, sorted."""
    folder = Path(path).with_suffix("")
    ours = re.compile(re.escape(folder.name) + r"_\d{4,}\.vtu")
    return sorted(each for each in folder.glob("*.vtu") if ours.fullmatch(each.name))


def _in_order(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The snapshots sorted by time."""
    times = [snapshot.time for snapshot in snapshots]
    if not times or None in times or len(set(times)) < len(times):
        raise ProblemError(
            "these snapshots are not a series over time",
            expected="one snapshot or more, each with a time of its own",
            got=f"times {times}",
            cure="pass time= to each Snapshot, or use write_vtu for a steady field",
        )
    return sorted(snapshots, key=lambda snapshot: snapshot.time or 0.0)


def _write_mesh(path: Path, snapshot: Snapshot) -> None:
    """The snapshot in the format of a `.vtu` file, whatever the name."""
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    mesh = snapshot.to_pyvista()
    _run(
        vtkXMLUnstructuredGridWriter(),
        path,
        mesh if snapshot.cells is not None else mesh.cast_to_unstructured_grid(),
    )


def _run(writer: vtkXMLWriter, path: Path, mesh: object) -> None:
    """Let the writer write: appended after the XML, zlib, float64 kept."""
    writer.SetFileName(os.fspath(path))
    writer.SetInputDataObject(mesh)
    writer.SetDataModeToAppended()
    writer.SetCompressorTypeToZLib()
    if writer.Write() != 1 or writer.GetErrorCode():
        raise OSError(f"could not write {path.parent} (VTK error {writer.GetErrorCode()})")
