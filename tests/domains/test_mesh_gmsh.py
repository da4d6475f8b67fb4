"""Gmsh's files as programs write them: versions, blocks, what stands around, names of nodes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import meshio
import numpy as np
import pytest

from pinnml import Mesh
from pinnml.domains.meshes.files.gmsh_numbers import alike
from pinnml.domains.meshes.files.reading import read_mesh
from pinnml.errors import MeshError
from tests.helpers.made_meshes import DIMENSION, FACET, meshio_mesh, write, write_bare, written

#: Gmsh's numbers.
NUMBER = {"vertex": 15, "line": 1, "triangle": 2, "quad": 3, "tetra": 4, "hexahedron": 5}
BODY = """$EndMeshFormat
$Nodes
4
1 0 0 0
2 1 0 0
3 1 1 0
4 0 1 0
$EndNodes
$Elements
3
1 1 2 9 1 1 2
2 2 2 5 1 1 2 3
3 2 2 5 1 1 3 4
$EndElements
"""
PLAIN = "$MeshFormat\n2.2 0 8\n" + BODY


def saved(folder: Path, text: str) -> Path:
    path = folder / "made.msh"
    path.write_bytes(text.encode())
    return path


def is_the_square(mesh: Mesh) -> bool:
    return mesh.regions == ("interior", "part 5", "boundary", "face 9", "unnamed boundary") and mesh.measure() == 1


@pytest.mark.parametrize("version", ["2", "2.0", "2.1", "2.2", "2.20", "2.200000", "2.00"])
def test_every_way_to_write_version_2_is_read(tmp_path, version):
    assert is_the_square(Mesh.read(saved(tmp_path, f"$MeshFormat\n{version} 0 8\n{BODY}")))


def test_version_4_1_may_be_written_with_more_digits(tmp_path):
    path = write_bare(tmp_path)
    assert b"\n4.1 " in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"\n4.1 ", b"\n4.100 ", 1))
    assert Mesh.read(path).measure() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("version", ["1", "1.0", "2.3", "3", "4", "4.0", "5", "22", "2.2.2", "."])
def test_other_versions_are_refused_by_number(tmp_path, version):
    with pytest.raises(MeshError, match="another format") as caught:
        Mesh.read(saved(tmp_path, f"$MeshFormat\n{version} 0 8\n{BODY}"))
    assert f"format {version} " in str(caught.value)
    assert "MshFileVersion = 4.1" in str(caught.value)


def test_format_1_and_parametric_nodes_are_named(tmp_path):
    with pytest.raises(MeshError, match=r"format 1 ") as caught:
        Mesh.read(saved(tmp_path, "$NOD\n1\n1 0 0 0\n$ENDNOD\n$ELM\n1\n1 15 0 1 1 1\n$ENDELM\n"))
    assert "MshFileVersion" in str(caught.value.cure)
    with pytest.raises(MeshError, match=r"\$ParametricNodes") as caught:
        Mesh.read(saved(tmp_path, PLAIN.replace("Nodes", "ParametricNodes")))
    assert "SaveParametric" in str(caught.value.cure)


AROUND = {
    "as it is": PLAIN,
    "comments": "$Comments\nby hand\n$EndComments\n" + PLAIN,
    "long comments": "$Comments\n" + 1000 * "by hand\n" + "$EndComments\n" + PLAIN,
    "comments between": PLAIN.replace("$Elements", "$Comments\n$ 3 4\n$EndComments\n\n$Elements"),
    "indented": PLAIN.replace("\n", "\n\t  ").replace("$MeshF", "  $MeshF"),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "byte-order mark": "\ufeff" + PLAIN,
    "tabs": PLAIN.replace(" ", "\t"),
    "trailing blanks": PLAIN.replace("\n", " \t\n"),
    "CRLF, mark, indented": "\ufeff" + PLAIN.replace("\n", "\r\n  "),
}


@pytest.mark.parametrize("around", AROUND)
def test_what_stands_around_does_not_matter(tmp_path, around):
    assert is_the_square(Mesh.read(saved(tmp_path, AROUND[around])))


LARGE = 4_000_000_000, 2**53 + 1, 2**63 - 1, 2**63 + 5, 2**64 - 1


@pytest.mark.parametrize("tag", LARGE)
@pytest.mark.parametrize("version", ["2.2", "4.1", "4.1 binary"])
def test_node_numbers_of_64_bits_are_names(tmp_path, tag, version):
    names = [tag, tag - 1, 7, 1]  # next to each other: as floats two would be one
    points, cells = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [(0, 1, 2), (0, 2, 3)]
    if version == "2.2":
        nodes = "".join(f"{n} {x} {y} {z}\n" for n, (x, y, z) in zip(names, points, strict=True))
        rows = "".join(f"{i} 2 2 5 1 {' '.join(str(names[k]) for k in cell)}\n" for i, cell in enumerate(cells, 1))
        body = f"$Nodes\n4\n{nodes}$EndNodes\n$Elements\n2\n{rows}$EndElements\n".encode()
        head = b"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n"
    elif version == "4.1":
        nodes = "\n".join(map(str, names)) + "\n" + "\n".join(" ".join(map(str, x)) for x in points)
        rows = "\n".join(f"{i} " + " ".join(str(names[k]) for k in cell) for i, cell in enumerate(cells, 1))
        body = f"$Nodes\n1 4 1 4\n2 1 0 4\n{nodes}\n$EndNodes\n$Elements\n1 2 1 2\n2 1 2 2\n{rows}\n$EndElements\n"
        head, body = b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n", body.encode()
    else:
        nodes = struct.pack("<4Q3iQ4Q12d", 1, 4, 1, tag, 2, 1, 0, 4, *names, *np.ravel(points))
        rows = b"".join(struct.pack("<4Q", i, *(names[k] for k in cell)) for i, cell in enumerate(cells, 1))
        body = b"$Nodes\n" + nodes + b"\n$EndNodes\n$Elements\n"
        body += struct.pack("<4Q3iQ", 1, 2, 1, 2, 2, 1, 2, 2) + rows + b"\n$EndElements\n"
        head = b"$MeshFormat\n4.1 1 8\n" + struct.pack("<i", 1) + b"\n$EndMeshFormat\n"
    (tmp_path / "made.msh").write_bytes(head + body)
    mesh = Mesh.read(tmp_path / "made.msh")
    assert (len(mesh.cells.points), mesh.measure()) == (4, 1)


def test_numbers_beyond_64_bits_are_refused(tmp_path):
    with pytest.raises(MeshError, match="cannot be read"):
        Mesh.read(saved(tmp_path, PLAIN.replace("4 0 1", f"{2**64} 0 1").replace("3 4\n", f"3 {2**64}\n")))


def in_blocks(folder: Path, kind: str, per_block: int, tags: int, mixed: bool, order: str = "<") -> Path:
    """A binary file of format 2.2 with so many cells and tags a block; mixed: facets among the cells."""
    mesh = meshio_mesh(kind, 3)
    cells: list[tuple[str, np.ndarray, int]] = []
    for block, groups in zip(mesh.cells, mesh.cell_data["gmsh:physical"], strict=True):
        cells += [(block.type, row, int(group)) for row, group in zip(block.data + 1, groups, strict=True)]
    if mixed:
        cells = [cells[i] for i in np.random.default_rng(0).permutation(len(cells))]
    body, number = b"", 0
    for run in runs(cells, per_block):
        body += struct.pack(f"{order}3i", NUMBER[run[0][0]], len(run), tags)
        for _, row, group in run:
            number += 1
            body += struct.pack(f"{order}{1 + tags + len(row)}i", number, *[group, 3, 3, 3][:tags], *row)
    head = b"2.2 1 8\n" + struct.pack(f"{order}i", 1)
    nodes = [struct.pack(f"{order}i3d", n, *x) for n, x in enumerate(mesh.points, 1)]
    return written(folder / "blocks.msh", head, (len(nodes), nodes), (number, [body]))


def runs(cells: list, per_block: int) -> Iterator[list]:
    """Neighbours of one kind, so many at most."""
    for _, same in groupby(cells, lambda cell: cell[0]):
        same = [*same]
        yield from (same[start : start + per_block] for start in range(0, len(same), per_block))


@pytest.mark.parametrize("kind", DIMENSION)
@pytest.mark.parametrize(("per_block", "tags", "mixed", "order"), [
    (1, 2, False, "<"), (1, 2, True, "<"), (1, 1, False, ">"), (3, 4, False, "<"), (3, 2, True, ">"),
])  # fmt: skip
def test_blocks_of_any_size_are_the_cells_that_meshio_reads(tmp_path, kind, per_block, tags, mixed, order):
    path = in_blocks(tmp_path, kind, per_block, tags, mixed, order)
    found = read_mesh(path)
    whole = read_mesh(write(tmp_path, kind, "gmsh 2.2 binary", 3))
    assert np.array_equal(np.unique(found.cells, axis=0), np.unique(whole.cells, axis=0))
    for name, faces in whole.faces.items():
        assert np.array_equal(np.unique(found.faces[name], axis=0), np.unique(faces, axis=0)), name
    for name, rows in whole.parts.items():
        assert np.array_equal(
            np.unique(found.cells[found.parts[name]], axis=0), np.unique(whole.cells[rows], axis=0)
        ), name
    if order == "<" and tags == 2:
        theirs = meshio.read(path)
        rows = np.concatenate([block.data for block in theirs.cells if block.type == kind])
        assert np.array_equal(found.cells, rows)
        facets = sum(len(block.data) for block in theirs.cells if block.type == FACET[kind])
        assert facets == sum(map(len, found.faces.values()))


def test_records_that_are_alike_are_counted():
    records = np.array([[1, 7, 7], *[[2, 7, 8]] * 99, [3, 7, 9]])
    assert len(alike(records.ravel(), 3, (1,))) == 101
    assert len(alike(records[1:].ravel(), 3, (0, 1))) == 99
    assert len(alike(records.ravel(), 3, (0,))) == 1
    with pytest.raises(ValueError, match="more is announced"):
        alike(records.ravel()[:2], 3, (0,))


@pytest.mark.parametrize("number", [6, 7, 26, 12345])
def test_other_kinds_are_named(tmp_path, number):
    name = {6: "prism", 7: "pyramid", 26: "line4", 12345: "unknown"}[number]
    with pytest.raises(MeshError, match=f"{name} \\({number} of Gmsh's list\\)"):
        Mesh.read(saved(tmp_path, PLAIN.replace("2 2 2 5", f"2 {number} 2 5")))
