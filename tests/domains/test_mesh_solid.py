"""The inside of closed surfaces of triangles."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pinnml import Equation, Features, Problem, Solid, laplacian, solve
from pinnml.domains import Mesh, domain_from_json, same_domain
from pinnml.domains.rules import RULES
from pinnml.errors import DomainError, MeshError, UnknownNameError
from pinnml.results import panels
from tests.helpers.damages import DAMAGES
from tests.helpers.places import MESHES


def ball(fine: int = 16) -> np.ndarray:
    """The corners of triangles (F, 3, 3) of a ball with poles, outward."""
    import pyvista

    sphere = pyvista.Sphere(radius=1, theta_resolution=2 * fine, phi_resolution=fine)
    return np.asarray(sphere.points, dtype=float)[sphere.regular_faces]


def cube(size: float = 1.0, at: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """Twelve triangles of a cube, outward."""
    mesh = Mesh.read(MESHES / "cube_hexes.msh")
    corners = np.array([[a, b, c] for c in (0, 1) for b in (0, 1) for a in (0, 1)], dtype=float)
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    assert mesh.measure() == pytest.approx(1)
    triangles = [corner for a, b, c, d in quads for corner in ((a, b, c), (a, c, d))]
    return size * corners[np.array(triangles)] + np.array(at)


def write_text(path: Path, triangles: np.ndarray) -> Path:
    facets = [
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x!r} {y!r} {z!r}\n" for x, y, z in corners.tolist())
        + "endloop\nendfacet\n"
        for corners in triangles
    ]
    path.write_text("solid part\n" + "".join(facets) + "endsolid part\n")
    return path


def write_binary(path: Path, triangles: np.ndarray) -> Path:
    record = np.zeros(len(triangles), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    record["corners"] = triangles
    path.write_bytes(b"solid".ljust(80) + len(triangles).to_bytes(4, "little") + record.tobytes())
    return path


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_files_of_text_and_of_bytes_are_the_same_solid(tmp_path, write):
    # single precision in the binary file: seven digits
    solid = Solid.read(write(tmp_path / "cube.stl", cube(2.0)))
    assert solid.measure() == pytest.approx(8, rel=1e-6)
    assert solid.measure("boundary") == pytest.approx(24, rel=1e-6)
    assert repr(solid) == "Solid(12 triangles around a volume of 8)"


def test_volume_and_area_tend_to_those_of_the_ball():
    errors = [
        (4 / 3 * math.pi - Solid(ball(fine)).measure(), 4 * math.pi - Solid(ball(fine)).measure("boundary"))
        for fine in (17, 33)
    ]
    assert errors[0][0] > 3.5 * errors[1][0] > 0
    assert errors[0][1] > 3.5 * errors[1][1] > 0


@pytest.mark.parametrize("rule", RULES)
def test_points_are_inside_with_weights_that_sum_to_the_volume(rule):
    solid = Solid(ball())
    sample = solid.sample("interior", 500, seeded(), rule)
    radius = torch.linalg.vector_norm(sample.x, dim=1)
    assert 450 <= len(sample) <= 501
    assert float(radius.max()) <= 1
    assert float(sample.weight.sum()) == pytest.approx(solid.measure())
    assert float(sample.weight @ radius**2) == pytest.approx(4 * math.pi / 5, rel=0.1)
    around = solid.sample("boundary", 3000, seeded(), rule)
    assert around.normal is not None
    assert float(around.weight.sum()) == pytest.approx(solid.measure("boundary"))
    assert float(((around.x * around.normal).sum(dim=1)).min()) > 0.9
    # the divergence theorem for F = x: exact by the quadrature, the distance of the planes being constant on each
    flux = float((around.weight * (around.x * around.normal).sum(dim=1)).sum())
    assert flux == pytest.approx(3 * solid.measure(), rel=1e-12 if rule in ("gauss", "grid") else 1e-2)


def test_inside_agrees_with_the_closed_form_of_a_cube_with_a_hollow():
    solid = Solid(np.concatenate([cube(), cube(0.5, (0.25, 0.25, 0.25))[:, ::-1]]))
    assert solid.measure() == pytest.approx(0.875)
    x = torch.rand((4000, 3), generator=seeded(), dtype=torch.float64) * 1.4 - 0.2
    in_cube = ((x > 0) & (x < 1)).all(dim=1)
    in_hollow = ((x > 0.25) & (x < 0.75)).all(dim=1)
    assert np.array_equal(solid.encloses(x), (in_cube & ~in_hollow).numpy())
    sample = solid.sample("interior", 2000, seeded())
    assert not ((sample.x > 0.26) & (sample.x < 0.74)).all(dim=1).any()


def test_chebyshev_points_gather_at_the_surface():
    solid = Solid(ball())
    shares = []
    for rule in ("sobol", "chebyshev"):
        radius = torch.linalg.vector_norm(solid.sample("interior", 2000, seeded(), rule).x, dim=1)
        shares.append(float((radius > 0.9).double().mean()))
    assert shares[0] == pytest.approx(0.27, abs=0.03)
    assert shares[1] > 0.4


def test_seeds_repeat_and_others_differ():
    solid = Solid(ball())
    for rule in ("random", "sobol", "chebyshev"):
        first, again, other = (solid.sample("interior", 64, seeded(seed), rule).x for seed in (3, 3, 4))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    generator = seeded()
    assert not torch.equal(*(solid.sample("interior", 64, generator, "random").x for _ in range(2)))


def test_a_surface_inside_out_is_turned_over():
    turned = Solid(cube()[:, ::-1])
    assert turned.measure() == pytest.approx(1)
    sample = turned.sample("boundary", 60, seeded(), "gauss")
    assert sample.normal is not None
    assert float(((sample.x - 0.5) * sample.normal).sum(dim=1).min()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("triangles", "match"),
    [
        (cube()[1:], "not closed"),
        (np.concatenate([cube()[:1, ::-1], cube()[1:]]), "not closed"),
        (np.concatenate([cube(), cube()[:1]]), "not closed"),
        (cube() * [1, 1, 0], "encloses nothing"),
        (cube() * [1, 1, np.nan], "encloses nothing"),
        (np.concatenate([cube(), cube(0.9999, (5e-5, 5e-5, 5e-5))[:, ::-1]]), "next to nothing"),
        (np.zeros((0, 3, 3)), "triangles of a surface"),
        (np.zeros((4, 3)), "triangles of a surface"),
    ],
)
def test_surfaces_that_are_not_closed_are_refused(triangles, match):
    with pytest.raises(MeshError, match=match) as caught:
        Solid(triangles)
    assert caught.value.cure


@pytest.mark.parametrize("content", [b"", b"solid x\nendsolid x\n", b"x" * 84, b"\0" * 200, b"solid facet vertex 1 2"])
def test_files_that_are_no_surfaces_are_named(tmp_path, content):
    path = tmp_path / "wrong.stl"
    path.write_bytes(content)
    with pytest.raises(MeshError, match=r"wrong\.stl"):
        Solid.read(path)
    with pytest.raises(MeshError, match=r"none\.stl': there is no such file"):
        Solid.read(tmp_path / "none.stl")
    with pytest.raises(MeshError, match=r"Solid\.read"):
        Mesh.read(path)


DIALECTS = {
    "end solid": lambda text: text.replace("endsolid", "end solid"),
    "end of everything": lambda text: text.replace("endloop", "end loop").replace("endfacet", "end facet"),
    "capitals": str.upper,
    "Capitals": lambda text: text.replace("solid", "Solid").replace("facet", "Facet").replace("vertex", "Vertex"),
    "keywords in the name": lambda text: text.replace("part", "my vertex 1 2 part, endsolid facet endfacet loop"),
    "no name": lambda text: text.replace(" part", ""),
    "a long name": lambda text: text.replace("part", 300 * "part "),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "byte-order mark": lambda text: "\ufeff" + text,
    "tabs and blanks": lambda text: text.replace("\n", " \n\t  ").replace("vertex ", "vertex\t "),
    "empty lines": lambda text: "\n\n" + text.replace("\n", "\n\n") + "\n",
    "Latin-1": lambda text: text.replace("part", "Gehäuse"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_may_be_written_in_any_dialect(tmp_path, dialect):
    text = write_text(tmp_path / "plain.stl", cube(2.0)).read_text()
    (tmp_path / "part.stl").write_bytes(DIALECTS[dialect](text).encode("utf-8" if "mark" in dialect else "latin-1"))
    solid = Solid.read(tmp_path / "part.stl")
    assert (solid.measure(), solid.measure("boundary")) == (pytest.approx(8), pytest.approx(24))


def test_two_solids_in_a_file_are_both_there(tmp_path):
    text = write_text(tmp_path / "one.stl", cube()).read_text()
    other = write_text(tmp_path / "two.stl", cube(2.0, (3, 0, 0))).read_text().replace("endsolid part", "end solid")
    (tmp_path / "both.stl").write_text(text + other.replace("solid part", "solid facet vertex"))
    assert Solid.read(tmp_path / "both.stl").measure() == pytest.approx(9)


@pytest.mark.parametrize("lines", [1, 2, 40])
def test_a_text_without_its_end_says_so(tmp_path, lines):
    text = write_text(tmp_path / "whole.stl", cube()).read_text().splitlines()
    (tmp_path / "part.stl").write_text("\n".join(text[:-lines]) + "\n")
    with pytest.raises(MeshError, match="1 solids begin and 0 end") as caught:
        Solid.read(tmp_path / "part.stl")
    assert "endsolid" in str(caught.value.cure)


def test_bytes_whose_title_is_that_of_text_are_told_by_their_length(tmp_path):
    path = write_binary(tmp_path / "part.stl", cube())
    data = path.read_bytes()
    path.write_bytes(b"solid facet vertex endsolid".ljust(80) + data[80:])
    assert Solid.read(path).measure() == pytest.approx(1)
    path.write_bytes(data + b"more")
    assert Solid.read(path).measure() == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_damaged_surfaces_are_solids_or_named_errors(tmp_path, capfd):
    random = np.random.default_rng(0)
    originals = [write(tmp_path / "original.stl", ball(6)).read_bytes() for write in (write_text, write_binary)]
    outcomes = set()
    for number in range(200):
        damage = DAMAGES[random.integers(len(DAMAGES))]
        if number % 2 and damage.__name__ == "number_changed":
            continue
        path = tmp_path / "damaged.stl"
        path.write_bytes(damage(originals[number % 2], random))
        try:
            outcomes.add(Solid.read(path).measure() > 0)
        except MeshError:
            outcomes.add("error")
    assert outcomes == {True, "error"}
    assert capfd.readouterr() == ("", "")


def test_a_solid_says_what_it_is_and_is_told_apart():
    solid = Solid(ball())
    assert solid.regions == ("interior", "boundary")
    assert solid.shares("boundary", 400) == 120
    with pytest.raises(UnknownNameError, match="boundary"):
        solid.region("top")
    with pytest.raises(DomainError, match="no points"):
        solid.sample("interior", 0, seeded())
    assert same_domain(solid.to_json(), Solid(ball()).to_json())
    assert not same_domain(solid.to_json(), Solid(ball(12)).to_json())
    assert np.array_equal(domain_from_json(solid.to_json()).bounds, solid.bounds)


def test_a_problem_in_a_ball_is_solved_and_drawn():
    equations = (
        Equation(lambda u: laplacian(u) - 6, name="poisson"),
        Equation(lambda u, x, y, z: u - (x**2 + y**2 + z**2), on="boundary", name="wall"),
    )
    problem = Problem(domain=Solid(ball()), fields="u", equations=equations, exact=lambda x, y, z: x**2 + y**2 + z**2)
    solution = solve(problem, network=Features(150), points=500, verify=False)
    error = solution.error()["u"]
    assert error is not None
    assert error < 1e-6
    snapshot = panels(solution)[0].snapshot
    assert snapshot.cell_type == "hexahedron"
    assert np.linalg.norm(snapshot.points, axis=1).max() < 1.1
