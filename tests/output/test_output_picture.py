"""Pictures: what is drawn is the field, its error and the history, and it is drawn without a display."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, TriMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import imread

from pinnml.errors import ProblemError, SettingsError, ShapeError, UnknownNameError
from pinnml.output import History, Panel, Snapshot, draw
from pinnml.output.figure import compose
from pinnml.output.flatten import flatten
from pinnml.output.picture import _chosen_rows
from pinnml.output.scales import error_limits, field_limits
from tests.helpers.grids import grid
from tests.helpers.places import ROOT

ONE_STEP = History(loss=[3e-22], held_out=[2e-10], error=[3e-12], steps=[1], seconds=[1.2])
MANY_STEPS = History(loss=10.0 ** -np.arange(12), error=[None, *10.0 ** -np.arange(11.0)])


def box(*counts: int, lengths: tuple[float, ...] = (1.0, 1.0, 1.0), time: float | None = None) -> Snapshot:
    """Fields of every kind, each beside one that is off by a known amount."""
    points, cells, kind = grid(*(np.linspace(0, b, n) for n, b in zip(counts, lengths, strict=False)))
    x, last = points[:, 0], points[:, -1]
    u, flow, wave = np.sin(3 * x) + last, np.stack([x, last**2], axis=1), np.exp(4j * x) * last
    data = {
        **{"u": u, "u_exact": u + 1e-6 * (1 + x)},
        **{"flow": flow, "flow_exact": flow + np.array([1e-3, 2e-3])},
        **{"wave": wave, "wave_exact": wave + 1e-4j},
    }
    return Snapshot(points, cells, kind, point_data=data, time=time)


def figure_of(*panels: Panel, history: History | None = None, title: str | None = None) -> Figure:
    rows, left_out = _chosen_rows(panels)
    figure = compose(rows, history, title, left_out)
    figure.canvas.draw()
    return figure


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def titled(figure: Figure, part: str) -> Axes:
    """The axes with the part in their title; those of an error only if the part has the word exact."""
    named = [axes for axes in figure.axes if part in axes.get_title()]
    (axes,) = [axes for axes in named if ("exact" in axes.get_title()) == ("exact" in part)]
    return axes


def colours_of(axes: Axes) -> TriMesh | PathCollection:
    (drawn,) = [each for each in axes.collections if isinstance(each, TriMesh | PathCollection)]
    return drawn


def ink(path: Path) -> tuple[float, int]:
    """The share of pixels that are not white, and the number of different colours."""
    pixels = (imread(path)[..., :3] * 255).round().astype(np.uint32)
    colours = np.unique(pixels @ np.array([1, 256, 65536], dtype=np.uint32))
    return float((pixels < 250).any(axis=-1).mean()), len(colours)


def has_white_edges(path: Path) -> bool:
    pixels = imread(path)
    return all(edge.min() == 1 for edge in (pixels[:9], pixels[-9:], pixels[:, :9], pixels[:, -9:]))


# Files


@pytest.mark.parametrize("counts", [(40,), (15, 12), (7, 6, 5)])
@pytest.mark.parametrize("name", ["u", "flow", "wave"])
def test_a_picture_of_everything_is_not_blank(tmp_path, counts, name):
    panel = Panel(box(*counts), name, exact=f"{name}_exact")
    path = draw(tmp_path / "new" / "picture.png", [panel], ONE_STEP, "Everything")
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(path)
    height, width = pixels.shape[:2]
    assert 500 < height < 4000
    assert 1000 < width < 3000
    assert has_white_edges(path)
    share, colours = ink(path)
    assert share > 0.03
    assert colours > 100
    assert [each.name for each in path.parent.iterdir()] == ["picture.png"]


def test_long_titles_are_not_cut_off(tmp_path):
    panel, title = Panel(box(5, 5), "u"), "A long title " * 12
    assert has_white_edges(draw(tmp_path / "long.png", [panel], title=title))
    figure_of(panel, title=title).savefig(tmp_path / "cut.png")
    assert not has_white_edges(tmp_path / "cut.png")


def test_an_empty_sheet_counts_as_blank(tmp_path):
    figure = Figure(figsize=(4, 3))
    FigureCanvasAgg(figure)
    figure.savefig(tmp_path / "blank.png")
    assert ink(tmp_path / "blank.png") == (0.0, 1)


def test_another_field_gives_another_picture(tmp_path):
    points, cells, kind = grid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
    pictures = []
    for k, array in enumerate((points[:, 0], points[:, 0], points[:, 1])):
        snapshot = Snapshot(points, cells, kind, point_data={"u": array})
        pictures.append(imread(draw(tmp_path / f"{k}.png", [Panel(snapshot, "u")])))
    assert np.array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[0] - pictures[2]).mean() > 0.02


def test_a_picture_that_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    path = draw(tmp_path / "picture.png", [], ONE_STEP)
    before = path.read_bytes()

    def half(self, name, **_):
        Path(name).write_bytes(b"\x89PNG")
        raise OSError("the disk is full")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="full"):
        draw(path, [], MANY_STEPS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_errors_at_the_border(tmp_path):
    snapshot = box(4, 4)
    with pytest.raises(ProblemError, match="nothing to draw"):
        draw(tmp_path / "a.png", [])
    with pytest.raises(SettingsError, match=r"\.png"):
        draw(tmp_path / "a.pdf", [Panel(snapshot, "u")])
    with pytest.raises(UnknownNameError, match="flow"):
        Panel(snapshot, "flaw")
    with pytest.raises(UnknownNameError, match="u_exact"):
        Panel(snapshot, "u", exact="u_exakt")
    with pytest.raises(ShapeError, match=r"\(16, 2\)"):
        Panel(snapshot, "u", exact="flow")
    with pytest.raises(ShapeError, match="loss 2, error 1"):
        History(loss=[1, 2], error=[1])
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import os, sys, numpy as np
assert "DISPLAY" not in os.environ
from pinnml import Box
from pinnml.output import History, Panel, Snapshot, draw
assert "matplotlib" not in sys.modules and "pyvista" not in sys.modules
mesh = Box(x=(0, 1), y=(0, 1), z=(0, 1)).grid(5, ("x", "y", "z"), {})
import matplotlib
before = dict(matplotlib.rcParams)
snapshot = Snapshot(mesh.points, mesh.cells, mesh.cell_type, point_data={"u": mesh.points[:, 0]})
draw(sys.argv[1], [Panel(snapshot, "u")], History(loss=[1.0]))
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams) == before
"""


def test_no_display_and_no_global_state_is_needed(tmp_path):
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    environment["MPLBACKEND"] = "TkAgg"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "a.png")]
    root = ROOT
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ink(tmp_path / "a.png")[1] > 100


# What is drawn


def test_a_flat_field_is_drawn_at_its_nodes():
    snapshot = box(9, 7)
    figure = figure_of(Panel(snapshot, "u", exact="u_exact"))
    field, error = (colours_of(titled(figure, part)) for part in ("$u$", "exact"))
    u, exact = snapshot.point_data["u"], snapshot.point_data["u_exact"]
    assert np.array_equal(field.get_array(), u)
    assert field.get_clim() == (u.min(), u.max())
    assert isinstance(error.norm, LogNorm)
    assert not isinstance(field.norm, LogNorm)
    assert np.allclose(error.get_array(), np.abs(u - exact), rtol=1e-6)
    assert titled(figure, "exact").get_aspect() == 1.0
    corners = field._triangulation
    assert np.array_equal(np.stack([corners.x, corners.y], axis=1), snapshot.points[:, :2])
    assert len(corners.triangles) == 2 * 8 * 6


def test_triangles_of_a_map_cover_the_domain_once():
    snapshot = box(9, 7, lengths=(2.0, 3.0))
    flat = flatten(snapshot, {}, np.ones(63))
    a, b, c = (flat.points[flat.triangles[:, k]] for k in range(3))
    (p, q), (r, s) = (b - a).T, (c - a).T
    areas = (p * s - q * r) / 2
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(6.0)
    assert areas @ ((a + b + c) / 3) / 6 == pytest.approx(np.array([1.0, 1.5]))


def test_the_relative_error_is_in_the_title():
    snapshot = box(9, 7)
    u, exact = snapshot.point_data["u"], snapshot.point_data["u_exact"]
    relative = np.linalg.norm(u - exact) / np.linalg.norm(exact)
    mantissa, exponent = f"{relative:.1e}".split("e")
    title = titles(figure_of(Panel(snapshot, "u", exact="u_exact")))[1]
    assert title.splitlines()[0] == r"|$u$ $-$ exact|"
    assert title.splitlines()[1] == rf"relative $L^2$ error ${mantissa} \times 10^{{{int(exponent)}}}$"
    given = Panel(snapshot, "u", exact="u_exact", exact_label="reference", relative_error=0.25)
    assert titles(figure_of(given))[1] == "|$u$ $-$ reference|\nrelative $L^2$ error 0.25"


def test_where_the_exact_field_is_zero_the_error_is_absolute():
    points, cells, kind = grid(np.linspace(0, 1, 5))
    snapshot = Snapshot(points, cells, kind, point_data={"u": np.full(5, 0.5), "zero": np.zeros(5)})
    assert "RMS error 0.5" in titles(figure_of(Panel(snapshot, "u", exact="zero")))[1]


def test_vectors_and_complex_fields_are_taken_apart():
    snapshot = box(6, 6)
    figure = figure_of(Panel(snapshot, "flow", exact="flow_exact"), Panel(snapshot, "wave", exact="wave_exact"))
    names = [title.splitlines()[0] for title in titles(figure)]
    assert names == [
        *(r"$\mathrm{flow}_{x}$", r"|$\mathrm{flow}_{x}$ $-$ exact|"),
        *(r"$\mathrm{flow}_{y}$", r"|$\mathrm{flow}_{y}$ $-$ exact|"),
        *(r"Re $\mathrm{wave}$", r"|Re($\mathrm{wave}$ $-$ exact)|"),
        *(r"|$\mathrm{wave}$|", r"|$\mathrm{wave}$ $-$ exact|"),
    ]
    maps = [colours_of(axes).get_array() for axes in figure.axes if axes.get_title()]
    data = snapshot.point_data
    for drawn, expected in zip(
        maps[::2],
        [data["flow"][:, 0], data["flow"][:, 1], data["wave"].real, np.abs(data["wave"])],
        strict=True,
    ):
        assert np.array_equal(drawn, expected)
    assert np.allclose(maps[3], 2e-3)
    assert maps[5].max() < 1e-15
    assert np.allclose(maps[7], 1e-4)


def test_too_many_rows_are_made_brief_and_the_rest_is_counted():
    points, cells, kind = grid(np.linspace(0, 1, 5), np.linspace(0, 1, 5))
    data = {f"f{k}": points[:, [0, 1, 0]] + k for k in range(6)}
    snapshot = Snapshot(points, cells, kind, point_data=data)
    figure = figure_of(*(Panel(snapshot, name) for name in data))
    assert titles(figure) == [f"|f{k}|" for k in range(4)]
    assert figure.get_supxlabel() == "fields that are not drawn: 2"
    assert np.allclose(colours_of(titled(figure, "f1")).get_array(), np.linalg.norm(data["f1"], axis=1))
    assert figure_of(*(Panel(snapshot, name) for name in ("f0",))).get_supxlabel() == ""


def test_a_curve_over_one_axis_is_drawn_in_order():
    points = np.array([[0.5], [0.0], [1.0]])
    snapshot = Snapshot(points, np.array([[1, 0], [0, 2]]), "line", point_data={"u": points[:, 0] ** 2}, time=2.0)
    (line,) = titled(figure_of(Panel(snapshot, "u")), "$t$ = 2").get_lines()
    assert line.get_xdata().tolist() == [0.0, 0.5, 1.0]
    assert line.get_ydata().tolist() == [0.0, 0.25, 1.0]
    assert (line.get_linestyle(), line.get_marker()) == ("-", "")
    (dots,) = titled(figure_of(Panel(Snapshot(points, point_data={"u": points[:, 0]}), "u")), "$u$").get_lines()
    assert (dots.get_linestyle(), dots.get_marker()) == ("None", ".")


def test_a_volume_is_cut_half_way_up():
    snapshot = box(9, 8, 6)
    figure = figure_of(Panel(snapshot, "u", axis_labels=("x", "y", "z")))
    axes = titled(figure, "$z$ = 0.5")
    drawn = colours_of(axes)
    x = drawn._triangulation.x
    assert len(np.unique(x.round(12))) == 9
    assert np.allclose(drawn.get_array(), np.sin(3 * x) + 0.5, atol=1e-12)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x$", "$y$")


@pytest.mark.parametrize("mesh", [True, False])
def test_where_the_middle_is_empty_the_cut_goes_through_the_peak(mesh):
    points, cells, kind = grid(*3 * [np.linspace(0, 1, 9)])
    data = {
        "wave": np.sin(2 * np.pi * points[:, 2]) * (1 + points[:, 0]),
        "top": points[:, 2] ** 9,
        "low": (1 - points[:, 2]) ** 9,
    }
    snapshot = Snapshot(*(points, cells, kind) if mesh else (points,), point_data=data)
    relation = "=" if mesh else r"$\approx$"
    assert f"$z$ {relation} 0.25" in titles(figure_of(Panel(snapshot, "wave")))[0]
    for name, height in (("top", 1), ("low", 0)):
        figure = figure_of(Panel(snapshot, name))
        assert f"$z$ {relation} {height}" in titles(figure)[0]
        drawn = colours_of(titled(figure, name)).get_array()
        assert len(drawn) == 81
        assert np.allclose(drawn, 1.0)


def test_tetrahedra_are_cut_too():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    snapshot = Snapshot(points, np.array([[0, 1, 2, 3]]), "tetra", point_data={"u": points @ [1.0, 2.0, 3.0]})
    flat = flatten(snapshot, {"u": snapshot.point_data["u"]}, np.ones(4))
    assert flat.place == 0.5
    assert np.allclose(flat.arrays["u"], flat.points @ [1.0, 2.0] + 1.5)
    assert flat.triangles.shape == (1, 3)


def test_space_and_time_need_not_be_equally_long():
    snapshot = box(9, 9, lengths=(1.0, 3.0))
    figure = figure_of(Panel(snapshot, "u", axis_labels=("x", "t")))
    axes = titled(figure, "$u$")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_aspect()) == ("$x$", "$t$", "auto")
    assert titled(figure_of(Panel(snapshot, "u")), "$u$").get_aspect() == 1.0
    assert titled(figure_of(Panel(snapshot, "u", equal_aspect=False)), "$u$").get_aspect() == "auto"
    assert titled(figure_of(Panel(box(9, 9, lengths=(1, 1e3)), "u")), "$u$").get_aspect() == "auto"


def test_a_plane_that_stands_upright_is_drawn_in_its_own_axes():
    points, cells, kind = grid(np.linspace(0, 1, 4), np.linspace(0, 2, 5))
    upright = np.stack([np.full(len(points), 0.3), points[:, 0], points[:, 1]], axis=1)
    figure = figure_of(Panel(Snapshot(upright, cells, kind, point_data={"u": points[:, 0]}), "u"))
    axes = titled(figure, "$u$")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$y$", "$z$")
    assert axes.get_ylim() == (0.0, 2.0)


def test_curved_cells_are_drawn_curved():
    points = np.array([[0, 0], [1, 0], [0, 1], [0.5, -0.2], [0.5, 0.5], [0, 0.5]])
    snapshot = Snapshot(points, np.arange(6)[None], "triangle6", point_data={"u": points[:, 0] ** 2})
    flat = flatten(snapshot, {"u": snapshot.point_data["u"]}, np.ones(6))
    assert len(flat.triangles) > 4
    assert np.allclose(flat.arrays["u"], flat.points[:, 0] ** 2, atol=1e-12)
    assert flat.points[:, 1].min() == pytest.approx(-0.2)


def test_clouds_are_scattered():
    points = np.random.default_rng(0).random((50, 2))
    figure = figure_of(Panel(Snapshot(points, point_data={"u": points[:, 0]}), "u"))
    drawn = colours_of(titled(figure, "$u$"))
    assert isinstance(drawn, PathCollection)
    assert np.array_equal(drawn.get_offsets(), points)
    assert np.array_equal(drawn.get_array(), points[:, 0])


def test_a_surface_is_seen_from_above():
    points = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1.5], [0, 0, 0], [1, 0, 0], [0, 1, 0.5]])
    snapshot = Snapshot(points, np.array([[0, 1, 2], [3, 4, 5]]), "triangle", point_data={"u": points[:, 2]})
    flat = flatten(snapshot, {}, np.ones(6))
    assert flat.triangles[-1].tolist() == [0, 1, 2]


def test_points_without_a_value_leave_a_hole():
    points, cells, kind = grid(np.linspace(0, 1, 5), np.linspace(0, 1, 5))
    u = points[:, 0].copy()
    u[0] = np.nan
    drawn = colours_of(titled(figure_of(Panel(Snapshot(points, cells, kind, point_data={"u": u}), "u")), "$u$"))
    assert len(drawn._triangulation.triangles) == 2 * 16 - 2
    assert drawn.get_clim() == (0.0, 1.0)


def test_scales_hold_in_every_case():
    assert field_limits(np.array([1.0, np.nan, 3.0, np.inf])) == (1.0, 3.0)
    assert field_limits(np.ones(3)) == (0.9, 1.1)
    assert field_limits(np.zeros(3)) == (-1.0, 1.0)
    assert field_limits(np.full(3, np.nan)) == (-1.0, 1.0)
    assert error_limits(np.array([1e-12, 1e-14, 0.0]))[1] == 1e-12
    assert error_limits(np.array([1.0, 1e-30])) == (1e-6, 1.0)
    assert error_limits(np.ones(3)) == (0.01, 1.0)
    assert error_limits(np.zeros(3)) == (1e-18, 1e-16)
    low, high = error_limits(np.array([5e-324]))
    assert 0 < low < high


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(25),
        np.full(25, np.nan),
        np.full(25, np.inf),
        np.arange(25),
        np.arange(25) % 2 == 0,
        np.full(25, 1e300),
        np.full(25, 1e-320),
        1e6 + 1e-9 * np.arange(25),
    ],
)
@pytest.mark.parametrize("counts", [(25,), (5, 5)])
def test_odd_fields_are_drawn_without_complaint(array, counts):
    points, cells, kind = grid(*(np.linspace(0, 1, n) for n in counts))
    data = {"$a_b": array, "exact": np.zeros(25)}
    mesh, cloud = Snapshot(points, cells, kind, point_data=data), Snapshot(points, point_data=data)
    figure = figure_of(
        Panel(mesh, "$a_b", exact="exact", exact_label="$_^{"),
        Panel(cloud, "$a_b", exact="exact", axis_labels=("$", "x_{")),
        title="50 $ or _^{",
    )
    assert len(titles(figure)) == 4


@pytest.mark.parametrize(
    "points",
    [np.zeros((1, 2)), np.zeros((3, 3)), np.array([[0, 0, 0], [1, 1, 1.0]]), np.eye(3), np.eye(4)[:, :3]],
)
def test_odd_clouds_are_drawn_without_complaint(points):
    data = {"u": np.zeros(len(points)), "v": 1.0 + np.arange(len(points))}
    snapshot = Snapshot(points, point_data=data)
    assert len(titles(figure_of(Panel(snapshot, "u"), Panel(snapshot, "v")))) == 2


# Several fields


def flow(fields: int, exact: bool, **options) -> list[Panel]:
    """Fields over a channel twice as long as wide."""
    points, cells, kind = grid(np.linspace(0, 2, 9), np.linspace(0, 1, 5))
    data = {name: points[:, 0] + number for number, name in enumerate("uvpT"[:fields])}
    data |= {f"{name}_exact": values + 1e-3 for name, values in data.items()}
    snapshot = Snapshot(points, cells, kind, point_data=data)
    return [Panel(snapshot, n, exact=f"{n}_exact" if exact else None, **options) for n in "uvpT"[:fields]]


def places(figure: Figure) -> dict[str, tuple[int, int]]:
    """The line and the column of everything with a title."""
    found = {}
    for axes in figure.axes:
        if axes.get_title() and (spec := axes.get_subplotspec()) is not None:
            found[axes.get_title()[:8]] = (spec.rowspan.start, spec.colspan.start)
    return found


HISTORY = History(loss=[1.0, 0.1], steps=[1, 2])


@pytest.mark.parametrize(
    ("fields", "exact", "expected"),
    [
        (2, False, {"$u$": (0, 0), "$v$": (1, 0), "converge": (2, 0)}),
        (3, False, {"$u$": (0, 0), "$v$": (0, 1), "$p$": (0, 2), "converge": (1, 0)}),
        (3, True, {"$u$": (0, 0), "$v$": (0, 2), "$p$": (1, 0), "converge": (1, 2)}),
        (4, False, {"$u$": (0, 0), "$v$": (0, 1), "$p$": (1, 0), "$T$": (1, 1), "converge": (2, 0)}),
    ],
)
def test_three_fields_and_more_stand_side_by_side(fields, exact, expected):
    figure = figure_of(*flow(fields, exact), history=HISTORY)
    found = places(figure)
    assert {name: found[name] for name in expected} == expected
    boxes = [axes.get_tightbbox().frozen() for axes in figure.axes if axes.get_title()]
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.shrunk(0.97, 0.97).overlaps(other)]


def test_a_field_over_two_lengths_is_drawn_at_equal_scales():
    for axes in [titled(figure_of(*flow(3, False)), name) for name in ("u", "v", "p")]:
        box = axes.get_window_extent()
        assert box.width / box.height == pytest.approx(2, rel=0.02)


def test_the_values_at_which_other_axes_are_held_stand_below():
    figure = figure_of(*flow(3, False, held={"nu": 2.0, "z": 0.5}))
    assert figure.get_supxlabel() == r"held at $\mathrm{nu}$ = 2, $z$ = 0.5"
    assert figure_of(*flow(3, False)).get_supxlabel() == ""


# The history


def test_the_history_shows_what_was_measured():
    figure = figure_of(history=MANY_STEPS)
    axes = titled(figure, "convergence")
    loss, error = axes.get_lines()
    assert axes.get_yscale() == "log"
    assert np.array_equal(loss.get_xdata(), np.arange(1, 13))
    assert np.array_equal(loss.get_ydata(), 10.0 ** -np.arange(12))
    assert np.array_equal(error.get_xdata(), np.arange(2, 13))
    assert loss.get_label().startswith("loss: $1.0 \\times 10^{-11}$")
    assert axes.get_xlabel() == "step"


def test_the_history_shows_where_a_level_begins():
    def marks(levels):
        history = History(loss=[1.0, 0.5, 0.4, 0.1, 0.05], steps=[1, 5, 9, 12, 20], levels=levels)
        lines = titled(figure_of(history=history), "convergence").get_lines()
        return [line.get_xdata()[0] for line in lines if line.get_linestyle() == ":"]

    assert marks([0, 0, 1, 1, 2]) == [9, 20]
    assert marks([None] * 5) == marks([]) == []


def test_a_single_step_is_a_point_in_sight():
    axes = titled(figure_of(history=ONE_STEP), "convergence")
    assert len(axes.get_lines()) == 3
    for line in axes.get_lines():
        assert line.get_marker() not in ("", "None")
        assert axes.get_xlim()[0] < line.get_xdata()[0] < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < line.get_ydata()[0] < axes.get_ylim()[1]
    assert axes.get_xticks().tolist() == [1]
    assert axes.get_xlabel() == "step (1.2 s in all)"


def test_without_steps_the_seconds_are_the_axis():
    axes = titled(figure_of(history=History(loss=[1, 0.1], seconds=[0.5, 1.5])), "convergence")
    assert axes.get_lines()[0].get_xdata().tolist() == [0.5, 1.5]
    assert axes.get_xlabel() == "seconds"


@pytest.mark.parametrize("history", [History(), History(loss=[0.0]), History(loss=[np.nan], error=[None])])
def test_an_empty_history_says_so(history):
    axes = titled(figure_of(history=history), "convergence")
    assert [text.get_text() for text in axes.texts] == ["nothing above zero was recorded"]


def test_the_history_stands_beside_one_row_and_below_several():
    snapshot = box(6, 6)

    def centre(figure: Figure, part: str) -> np.ndarray:
        place = titled(figure, part).get_position()
        return np.array([(place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2])

    one = figure_of(Panel(snapshot, "u"), history=ONE_STEP)
    assert (centre(one, "convergence") - centre(one, "$u$"))[0] > 0.3
    two = figure_of(Panel(snapshot, "u"), Panel(snapshot, "flow"), history=ONE_STEP)
    assert (centre(two, "convergence") - centre(two, "flow}_{y}"))[1] < -0.1


@pytest.mark.parametrize("lengths", [(1.0, 1.0), (10.0, 1.0), (1.0, 6.0), (2.0, 1.0)])
def test_nothing_overlaps(lengths):
    snapshot = box(9, 9, lengths=lengths)
    figure = figure_of(
        Panel(snapshot, "u", exact="u_exact"), Panel(snapshot, "wave", exact="wave_exact"), history=ONE_STEP
    )
    boxes = [axes.get_tightbbox() for axes in figure.axes if axes.get_title()]
    for number, first in enumerate(boxes):
        for second in boxes[:number]:
            across = min(first.x1, second.x1) - max(first.x0, second.x0)
            up = min(first.y1, second.y1) - max(first.y0, second.y0)
            assert min(across, up) < 1.0


def test_global_settings_are_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    draw(tmp_path / "a.png", [Panel(box(5, 5), "u")], ONE_STEP)
    assert dict(matplotlib.rcParams) == before
