"""Names of groups as programs write them: reserved, empty, twice, in other alphabets; and names given anew."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from pinnml import Mesh
from pinnml.errors import MeshError, MeshWarning, UnknownNameError
from tests.helpers.made_meshes import write

NODES = "$Nodes\n4\n1 0 0 0\n2 1 0 0\n3 1 1 0\n4 0 1 0\n$EndNodes\n"
CELLS = "1 1 2 1 1 1 2\n2 1 2 2 2 2 3\n3 1 2 3 3 3 4\n4 1 2 4 4 4 1\n5 2 2 5 1 1 2 3\n6 2 2 6 1 1 3 4\n"
#: The groups of the square that have no name in the file.
REST = {"face 1", "face 2", "face 3", "face 4", "part 5", "part 6"}


def square(folder: Path, *names: str, version: str = "2.2", encoding: str = "utf-8", cells: str = CELLS) -> Path:
    """A square of two triangles, parts 5 and 6, and four faces 1 to 4, with lines of $PhysicalNames."""
    listed = "".join(f"{line}\n" for line in names)
    text = f"$MeshFormat\n{version} 0 8\n$EndMeshFormat\n$PhysicalNames\n{len(names)}\n{listed}$EndPhysicalNames\n"
    path = folder / "square.msh"
    path.write_bytes((text + f"{NODES}$Elements\n{len(cells.splitlines())}\n{cells}$EndElements\n").encode(encoding))
    return path


def groups(mesh: Mesh) -> set[str]:
    return {*mesh.regions} - {"interior", "boundary", "unnamed boundary"}


@pytest.mark.parametrize(("line", "name"), [
    ('1 1 "Wände ∂Ω"', "Wände ∂Ω"), ("1 1 wall", "wall"), ("1 1 hot wall", "hot wall"), ('1 1 "2"', "2"),
    ('  1\t1   "wall"  ', "wall"), ('1 1 " wall "', "wall"), ('1 1 "the "hot" wall"', 'the "hot" wall'),
])  # fmt: skip
def test_names_may_be_written_in_many_ways(tmp_path, line, name):
    mesh = Mesh.read(square(tmp_path, line))
    assert groups(mesh) == {name} | REST - {"face 1"}
    assert mesh.bounds[1, 0] == 0
    assert mesh.measure(name) == 1


def test_names_in_latin_1_are_read(tmp_path):
    mesh = Mesh.read(square(tmp_path, '1 1 "W\xe4nde"', '2 5 "d"', encoding="latin-1"))
    assert groups(mesh) == {"Wände", "d"} | REST - {"face 1", "part 5"}


def test_names_without_a_dimension_as_in_version_2_0_hold_in_all(tmp_path):
    mesh = Mesh.read(square(tmp_path, '1 "wall"', "6 right part", version="2.0"))
    assert groups(mesh) == {"wall", "right part"} | REST - {"face 1", "part 6"}


@pytest.mark.parametrize("name", ["boundary", "interior", "initial", "unnamed boundary"])
@pytest.mark.parametrize(("dimension", "tag"), [(1, 1), (2, 5)])
def test_a_group_with_a_name_of_the_mesh_s_own_is_read_under_another(tmp_path, name, dimension, tag):
    path = square(tmp_path, f'{dimension} {tag} "{name}"')
    with pytest.raises(MeshError, match=f"'{name}' cannot be used") as caught:
        Mesh.read(path)
    assert f"rename={{'{name}': " in str(caught.value.cure)
    mesh = Mesh.read(path, rename={name: "mine"})
    assert mesh.measure("mine") == (1 if dimension == 1 else 0.5)
    assert mesh.measure("boundary") == 4


def test_a_group_of_the_whole_boundary_is_the_boundary(tmp_path):
    whole = CELLS.replace("1 2 2 2 2 3", "1 2 1 2 2 3").replace("1 2 3 3", "1 2 1 3").replace("1 2 4 4", "1 2 1 4")
    path = square(tmp_path, '1 1 "boundary"', cells=whole)
    assert Mesh.read(path).regions == ("interior", "part 5", "part 6", "boundary")
    assert "wall" in Mesh.read(path, rename={"boundary": "wall"}).regions


@pytest.mark.parametrize("line", ['1 1 ""', '1 1 "  "'])
def test_an_empty_name_is_told_and_can_be_given(tmp_path, line):
    path = square(tmp_path, line)
    with pytest.warns(MeshWarning, match=r"square\.msh': a group with an empty name .*'face 1'; .*rename") as told:
        assert groups(Mesh.read(path)) == REST
    assert [Path(each.filename).name for each in told] == [Path(__file__).name]
    for key in ("", "face 1"):
        assert groups(Mesh.read(path, rename={key: "rim"})) == {"rim"} | REST - {"face 1"}
    with pytest.raises(MeshError, match="the name 'rim'"), warnings.catch_warnings(action="ignore"):
        Mesh.read(square(tmp_path, '1 1 ""', '1 2 ""'), rename={"": "rim"})


def test_a_name_of_two_groups_is_told(tmp_path):
    with pytest.warns(MeshWarning, match=r"the name 'wall' is that of 2 groups, 1 and 3: they are one"):
        mesh = Mesh.read(square(tmp_path, '1 1 "wall"', '1 3 "wall"'))
    assert mesh.measure("wall") == 2
    with pytest.warns(MeshWarning, match=r"the name 'face 2' is that of 2 groups, 1 and 2"):
        assert Mesh.read(square(tmp_path, '1 1 "face 2"')).measure("face 2") == 2


def test_a_group_without_elements_is_told(tmp_path):
    with pytest.warns(MeshWarning, match="the group 'ghost' has no elements and is no region"):
        mesh = Mesh.read(square(tmp_path, '1 1 "w"', '1 9 "ghost"'))
    assert groups(mesh) == {"w"} | REST - {"face 1"}
    with pytest.warns(MeshWarning, match="ghost"):
        Mesh.read(square(tmp_path, '2 1 "ghost"'))  # 1 is a group of lines


def test_one_name_for_a_part_and_a_face_is_given_to_each_alone(tmp_path):
    path = square(tmp_path, '1 1 "plate"', '2 5 "plate"')
    assert {"plate", "plate facets"} < groups(Mesh.read(path))
    mesh = Mesh.read(path, rename={"plate facets": "edge", "plate": "sheet", "part 6": "other"})
    assert groups(mesh) == {"sheet", "other", "edge"} | REST - {"face 1", "part 5", "part 6"}
    assert (mesh.measure("edge"), mesh.measure("sheet")) == (1, 0.5)


def test_groups_of_other_formats_get_names_too(tmp_path):
    for form in ("vtu binary", "vtk 5.1 text", "xdmf text"):
        path = write(tmp_path, "triangle", form)
        mesh = Mesh.read(path, rename={"gmsh:physical=1": "steel", "gmsh:physical=7": "left"})
        assert {"steel", "left", "gmsh:physical=2", "gmsh:physical=8"} == groups(mesh)


@pytest.mark.parametrize(("rename", "error", "match"), [
    ({"wal": "a"}, UnknownNameError, "unknown group 'wal' in rename="),
    ({"": "a"}, UnknownNameError, "unknown group ''"),
    ({"wall": "face 2"}, MeshError, "the name 'face 2'"), ({"wall": "a", "face 2": "a"}, MeshError, "the name 'a'"),
    ({"wall": ""}, MeshError, "'' cannot be used"), ({"wall": "interior"}, MeshError, "'interior' cannot be used"),
    ({"wall": 3}, MeshError, "a mapping from names"), (["wall"], MeshError, "a mapping from names"),
])  # fmt: skip
def test_names_that_cannot_be_given_are_refused(tmp_path, rename, error, match):
    path = square(tmp_path, '1 1 "wall"')
    with pytest.raises(error, match=match) as caught:
        Mesh.read(path, rename=rename)
    assert "square.msh" in str(caught.value)
    assert caught.value.cure


def test_names_may_be_exchanged(tmp_path):
    mesh = Mesh.read(square(tmp_path, '2 5 "a"', '1 1 "b"'), rename={"a": "b", "b": "a"})
    assert (mesh.measure("a"), mesh.measure("b")) == (1, 0.5)


@pytest.mark.parametrize("lines", [["1 1"], ["wall"], ['1 1 "wall'], ["1"]])
def test_lines_that_name_nothing_are_refused(tmp_path, lines):
    with pytest.raises(MeshError, match="PhysicalNames"):
        Mesh.read(square(tmp_path, *lines))
