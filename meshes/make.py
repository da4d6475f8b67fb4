"""Make the meshes of this folder again with Gmsh: `python meshes/make.py`, after `pip install 'pinnml[mesh]'`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import gmsh

FOLDER = Path(__file__).parent
geo, occ = gmsh.model.geo, gmsh.model.occ


def polygon(corners: Iterable[tuple[float, float]], size: float) -> tuple[int, list[int]]:
    """A surface and its edges in order, meshed with edges of about a size."""
    points = [geo.addPoint(x, y, 0, size) for x, y in corners]
    edges = [geo.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    return geo.addPlaneSurface([geo.addCurveLoop(edges)]), edges


def named(dimension: int, **groups: list[int]) -> None:
    """Physical groups of entities by name."""
    for name, entities in groups.items():
        gmsh.model.addPhysicalGroup(dimension, entities, name=name)


def sides_of_box(x: float, y: float, z: float) -> dict[str, list[int]]:
    """The six plane faces of a solid in the box from the origin to (x, y, z), by name."""
    ends = {"left": (0, 0), "right": (0, x), "front": (1, 0), "back": (1, y), "bottom": (2, 0), "top": (2, z)}
    faces = {tag: occ.getCenterOfMass(2, tag) for _, tag in occ.getEntities(2)}
    return {name: [t for t, c in faces.items() if abs(c[i] - at) < 1e-9] for name, (i, at) in ends.items()}


def l_shape() -> None:
    """The square from -1 to 1 without its upper right quarter; the re-entrant corner is at the origin."""
    surface, edges = polygon([(0, 0), (1, 0), (1, -1), (-1, -1), (-1, 1), (0, 1)], 0.12)
    geo.synchronize()
    named(2, plate=[surface])
    named(1, corner=[edges[0], edges[5]], outside=edges[1:5])
    gmsh.model.mesh.generate(2)


def plate_with_hole() -> None:
    """The square from -1 to 1 with a hole of radius 1/4, in quadratic triangles."""
    plate, hole = occ.addRectangle(-1, -1, 0, 2, 2), occ.addDisk(0, 0, 0, 0.25, 0.25)
    occ.cut([(2, plate)], [(2, hole)])
    occ.synchronize()
    middle = {tag: occ.getCenterOfMass(1, tag) for _, tag in occ.getEntities(1)}
    ends = {"left": (0, -1), "right": (0, 1), "bottom": (1, -1), "top": (1, 1)}
    sides = {name: [t for t, c in middle.items() if abs(c[i] - at) < 1e-9] for name, (i, at) in ends.items()}
    known = {tag for tags in sides.values() for tag in tags}
    named(2, plate=[tag for _, tag in occ.getEntities(2)])
    named(1, **sides, hole=[tag for tag in middle if tag not in known])
    gmsh.option.setNumber("Mesh.MeshSizeFromCurvature", 24)
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.22)
    gmsh.model.mesh.generate(2)
    gmsh.model.mesh.setOrder(2)


def square_with_hole() -> None:
    """The unit square with a hole of radius 0.15 off its middle, in small triangles."""
    plate, hole = occ.addRectangle(0, 0, 0, 1, 1), occ.addDisk(0.6, 0.45, 0, 0.15, 0.15)
    occ.cut([(2, plate)], [(2, hole)])
    occ.synchronize()
    edges = [tag for _, tag in occ.getEntities(1)]
    rim = [tag for tag in edges if gmsh.model.getType(1, tag) != "Line"]
    named(2, plate=[tag for _, tag in occ.getEntities(2)])
    named(1, walls=[tag for tag in edges if tag not in rim], hole=rim)
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.0236)
    gmsh.model.mesh.generate(2)


def two_materials() -> None:
    """The unit square, in two parts that meet at x = 1/2."""
    points = [geo.addPoint(x, y, 0, 0.09) for x, y in ((0, 0), (0.5, 0), (1, 0), (1, 1), (0.5, 1), (0, 1))]
    edges = [geo.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    between = geo.addLine(points[1], points[4])
    left = geo.addPlaneSurface([geo.addCurveLoop([edges[0], between, edges[4], edges[5]])])
    right = geo.addPlaneSurface([geo.addCurveLoop([edges[1], edges[2], edges[3], -between])])
    geo.synchronize()
    named(2, left=[left], right=[right])
    named(1, interface=[between], bottom=edges[:2], east=[edges[2]], top=edges[3:5], west=[edges[5]])
    gmsh.model.mesh.generate(2)


def disc() -> None:
    """The unit disc in quadratic triangles."""
    disc = occ.addDisk(0, 0, 0, 1, 1)
    occ.synchronize()
    named(2, disc=[disc])
    named(1, rim=[tag for _, tag in occ.getEntities(1)])
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.2)
    gmsh.model.mesh.generate(2)
    gmsh.model.mesh.setOrder(2)


def square_quads() -> None:
    """The unit square in quadrilaterals that are not all alike."""
    surface, edges = polygon([(0, 0), (1, 0), (1, 1), (0, 1)], 0.1)
    gmsh.option.setNumber("Mesh.Algorithm", 8)
    gmsh.option.setNumber("Mesh.SubdivisionAlgorithm", 1)
    geo.synchronize()
    gmsh.model.mesh.setRecombine(2, surface)
    named(2, plate=[surface])
    named(1, bottom=[edges[0]], right=[edges[1]], top=[edges[2]], left=[edges[3]])
    gmsh.option.setNumber("Mesh.MeshSizeFactor", 2)
    gmsh.model.mesh.generate(2)


def cube() -> None:
    """The unit cube in tetrahedra."""
    solid = occ.addBox(0, 0, 0, 1, 1, 1)
    occ.synchronize()
    named(3, cube=[solid])
    named(2, **sides_of_box(1, 1, 1))
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.25)
    gmsh.model.mesh.generate(3)


def cube_hexes() -> None:
    """The unit cube in hexahedra."""
    base, _ = polygon([(0, 0), (1, 0), (1, 1), (0, 1)], 0.2)
    geo.mesh.setTransfiniteSurface(base)
    geo.mesh.setRecombine(2, base)
    geo.extrude([(2, base)], 0, 0, 1, numElements=[5], recombine=True)
    geo.synchronize()
    faces = {tag: gmsh.model.getBoundingBox(2, tag) for _, tag in gmsh.model.getEntities(2)}
    ends = {"left": (0, 0), "right": (0, 1), "front": (1, 0), "back": (1, 1), "bottom": (2, 0), "top": (2, 1)}
    sides = {
        name: [tag for tag, box in faces.items() if max(abs(box[i] - at), abs(box[i + 3] - at)) < 1e-6]
        for name, (i, at) in ends.items()
    }
    named(3, cube=[tag for _, tag in gmsh.model.getEntities(3)])
    named(2, **sides)
    gmsh.model.mesh.generate(3)


def bracket() -> None:
    """An angle of two plates, 1 long, 0.6 deep and 0.2 thick, with a hole of radius 0.12 in the lower one."""
    lower, upper = occ.addBox(0, 0, 0, 1, 0.6, 0.2), occ.addBox(0, 0, 0.2, 0.2, 0.6, 0.8)
    hole = occ.addCylinder(0.65, 0.3, -1, 0, 0, 3, 0.12)
    angle, _ = occ.fuse([(3, lower)], [(3, upper)])
    occ.cut(angle, [(3, hole)])
    occ.synchronize()
    faces = {tag: gmsh.model.getBoundingBox(2, tag) for _, tag in gmsh.model.getEntities(2)}
    wall = [tag for tag, box in faces.items() if max(abs(box[0]), abs(box[3])) < 1e-6]
    bolt = [tag for tag, b in faces.items() if max(abs(b[3] - b[0] - 0.24), abs(b[4] - b[1] - 0.24)) < 1e-6]
    load = [tag for tag, box in faces.items() if min(box[2], box[5]) > 1 - 1e-6]
    named(3, bracket=[tag for _, tag in gmsh.model.getEntities(3)])
    named(2, wall=wall, bolt=bolt, load=load)
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.15)
    gmsh.model.mesh.generate(3)


def glacier() -> None:
    """An outlet seen from above, in units of 10 km: the ice comes in at the top and calves at the front."""
    east = [(1.5 + 0.35 * math.sin(2.1 * y) + 0.5 * (y / 4) ** 2, y) for y in (4 - 0.25 * i for i in range(1, 16))]
    west = [(0.5 - 0.30 * math.sin(1.7 * y + 0.6) - 0.6 * (y / 4) ** 2, y) for y in (0.25 * i for i in range(1, 16))]
    front = [(0.35, 0.0), (0.6, -0.16), (0.95, -0.08), (1.25, -0.2), (1.6, 0.05)]
    inflow = [(-0.4, 4.1), (0.9, 4.3), (2.3, 4.05)]
    surface, edges = polygon([*inflow, *east, *reversed(front), *west], 0.18)
    n = len(inflow) + len(east)
    geo.synchronize()
    named(2, ice=[surface])
    named(1, inflow=edges[:2], front=edges[n : n + len(front) - 1])
    named(1, sides=[*edges[2:n], *edges[n + len(front) - 1 :]])
    gmsh.model.mesh.generate(2)


MESHES: dict[str, Callable[[], None]] = {
    "l_shape": l_shape,
    "plate_with_hole": plate_with_hole,
    "square_with_hole": square_with_hole,
    "two_materials": two_materials,
    "disc": disc,
    "square_quads": square_quads,
    "cube": cube,
    "cube_hexes": cube_hexes,
    "bracket": bracket,
    "glacier": glacier,
}


def make(name: str) -> None:
    """Write `<name>.msh`."""
    gmsh.clear()
    for option, value in (("MeshSizeMax", 1e22), ("MeshSizeFromCurvature", 0), ("MeshSizeFactor", 1)):
        gmsh.option.setNumber(f"Mesh.{option}", value)
    gmsh.option.setNumber("Mesh.Algorithm", 6)
    gmsh.option.setNumber("Mesh.SubdivisionAlgorithm", 0)
    gmsh.model.add(name)
    MESHES[name]()
    gmsh.write(str(FOLDER / f"{name}.msh"))


if __name__ == "__main__":
    gmsh.initialize(interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("General.NumThreads", 1)
    for name in MESHES:
        make(name)
    gmsh.finalize()
