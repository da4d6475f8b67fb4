"""Tables on grids beside SciPy's splines, with derivatives, and what is said of places outside and of no tables."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline, RectBivariateSpline

from pinnml import interpolated
from pinnml.calculus import Axes, Jet, Vector, coordinate_jets, total_order
from pinnml.errors import ProblemError, ShapeError, UnknownNameError

N = 200


def places(m: int, seed: int) -> np.ndarray:
    """Uneven places from 0 to 1."""
    gaps = 0.3 + np.random.default_rng(seed).random(m - 1)
    return np.concatenate([[0.0], np.cumsum(gaps) / gaps.sum()])


def axes_at(d: int, order: int, low: float = 0.0, high: float = 1.0) -> tuple[np.ndarray, list[Jet]]:
    """Random points (N, d) and the coordinates there."""
    points = low + (high - low) * np.random.default_rng(d).random((N, d))
    names = tuple("xyz"[:d])
    return points, coordinate_jets(total_order(Axes(names, names), order), torch.from_numpy(points))


def close(found: torch.Tensor, expected: np.ndarray, bound: float) -> None:
    assert np.abs(found.numpy() - expected).max() <= bound * np.abs(expected).max()


def spline(axes: list[np.ndarray], values: np.ndarray, point: np.ndarray, powers: tuple[int, ...]) -> float:
    """The tensor product of SciPy's splines, one axis after the other."""
    for xs, x, power in zip(axes, point, powers, strict=True):
        values = CubicSpline(xs, values, axis=0)(x, power)
    return float(values)


@pytest.mark.parametrize("m", [2, 3, 4, 5, 60])
@pytest.mark.parametrize("power", range(4))
def test_over_one_axis_it_is_scipys_cubic_spline(m: int, power: int):
    xs, values = places(m, 0), np.random.default_rng(1).random(m)
    points, (x,) = axes_at(1, 3)
    found, expected = interpolated(x, xs, values), CubicSpline(xs, values)(points[:, 0], power)
    value = found.d("x" * power).value if power else found.value
    if np.abs(expected).max() > 1e-9:
        close(value, expected, 1e-12)
    else:  # of two places a line, of three a parabola
        assert np.abs(value.numpy()).max() < 1e-9


@pytest.mark.parametrize("word", ["", "x", "y", "xx", "xy", "yy", "xxy", "xyy", "xxyy"])
def test_over_two_axes_it_is_the_tensor_product(word: str):
    xs, ys, values = places(12, 0), places(7, 1), np.random.default_rng(2).random((12, 7))
    points, pair = axes_at(2, 4)
    found = interpolated(pair, (xs, ys), values)
    expected = RectBivariateSpline(xs, ys, values, s=0)(*points.T, word.count("x"), word.count("y"), grid=False)
    close(found.d(word).value if word else found.value, expected, 1e-11)


@pytest.mark.parametrize("word", ["", "x", "z", "xy", "zz", "xyz"])
def test_over_three_axes_too(word: str):
    axes = [places(6, 0), places(5, 1), places(4, 2)]
    values = np.random.default_rng(3).random((6, 5, 4))
    points, triple = axes_at(3, 3)
    found = interpolated(tuple(triple), axes, values)
    powers = tuple(word.count(name) for name in "xyz")
    expected = np.array([spline(axes, values, point, powers) for point in points[:40]])
    close((found.d(word).value if word else found.value)[:40], expected, 1e-12)


def test_polynomials_of_degree_three_in_every_axis_are_met_exactly():
    _, (x, y) = axes_at(2, 6)
    xs, ys = np.linspace(0, 1, 5), np.linspace(0, 1, 8)
    exact = lambda x, y: (1 - 2 * x**3) * (y**2 - y**3) + x  # noqa: E731
    found, expected = interpolated((x, y), (xs, ys), exact(xs[:, None], ys)), exact(x, y)
    for word in ("x", "xxy", "xyy", "xxxyyy"):
        close(found.d(word).value, expected.d(word).value.numpy(), 1e-10)


def test_linear_ones_are_numpys_with_slopes_that_jump():
    xs, values = places(9, 0), np.random.default_rng(1).random(9)
    points, (x,) = axes_at(1, 2)
    found = interpolated(x, xs, values, kind="linear")
    close(found.value, np.interp(points[:, 0], xs, values), 1e-14)
    steps = np.diff(values) / np.diff(xs)
    close(found.d("x").value, steps[np.searchsorted(xs, points[:, 0]) - 1], 1e-12)
    assert not found.d("xx").value.any()


def test_a_function_of_a_field_follows_the_chain_rule_and_its_gradient():
    xs = np.linspace(0, 2, 40)
    _, (x, y) = axes_at(2, 2)
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    field = a * x * x + 0.5 * y
    found = interpolated(field, xs, xs**3 - xs)
    expected = field**3 - field
    for word in ("", "x", "y", "xy", "xx"):
        one, other = ((jet.d(word) if word else jet).value for jet in (found, expected))
        assert torch.allclose(one, other, rtol=1e-11, atol=1e-11)
    slopes = [torch.autograd.grad(jet.d("xx").value.sum(), a, retain_graph=True)[0] for jet in (found, expected)]
    assert torch.allclose(*slopes, rtol=1e-10)


def test_complex_values_and_vectors():
    xs = places(20, 0)
    _, (x,) = axes_at(1, 2)
    permittivity = interpolated(x, xs, np.exp(1j * xs))
    real, imaginary = interpolated(x, xs, np.cos(xs)), interpolated(x, xs, np.sin(xs))
    assert torch.allclose(permittivity.d("x").value, torch.complex(real.d("x").value, imaginary.d("x").value))
    both = interpolated(x, xs, np.stack([np.cos(xs), np.sin(xs)], axis=1))
    assert isinstance(both, Vector)
    assert torch.equal(both[1].coefficients, imaginary.coefficients)


def test_plain_numbers_tensors_and_arrays_are_taken_as_they_are():
    xs, values = places(9, 0), np.random.default_rng(1).random(9)
    x = np.linspace(0, 1, 12).reshape(3, 4)
    expected = CubicSpline(xs, values)(x)
    found = interpolated(x, xs, values)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    tensor = interpolated(torch.from_numpy(x), torch.from_numpy(xs), torch.from_numpy(values))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-12)
    assert float(interpolated(0.5, list(xs), list(values))) == pytest.approx(float(CubicSpline(xs, values)(0.5)))


def test_a_coordinate_may_be_held_at_a_number():
    xs, ys, values = places(6, 0), places(5, 1), np.random.default_rng(2).random((6, 5))
    points, (x,) = axes_at(1, 1)
    found = interpolated((x, 0.3), (xs, ys), values)
    expected = RectBivariateSpline(xs, ys, values, s=0)(points[:, 0], 0.3 + 0 * points[:, 0], 1, 0, grid=False)
    close(found.d("x").value, expected, 1e-12)


def test_single_precision_stays_single():
    points, (x,) = axes_at(1, 1)
    xs = places(9, 0)
    found = interpolated(Jet(x.indices, x.coefficients.float()), xs, np.sin(xs))
    assert found.dtype == torch.float32
    assert np.abs(found.value.numpy() - CubicSpline(xs, np.sin(xs))(points[:, 0])).max() < 1e-6


def test_arrays_that_change_are_seen():
    xs, values = places(9, 0), np.zeros(9)
    assert interpolated(0.5, xs, values) == 0
    values += 3
    assert interpolated(0.5, xs, values) == pytest.approx(3)


@pytest.mark.parametrize("kind", ["cubic", "linear"])
def test_outside_is_an_error_by_name_or_the_value_at_the_edge(kind: str):
    xs = np.linspace(0, 1, 5)
    _, (x,) = axes_at(1, 1, low=-0.5, high=1.5)
    with pytest.raises(ProblemError) as caught:
        interpolated(x, xs, xs**2, kind=kind)
    for words in ("which is outside the table", "coordinate 1 from 0 to 1", 'outside="constant"', f"of {N} points"):
        assert words in str(caught.value)
    found = interpolated(x, xs, xs**2, kind=kind, outside="constant")
    beyond = x.value > 1
    assert (found.value[beyond] == 1).all()
    assert not found.d("x").value[beyond].any()
    inside = (x.value > 0) & ~beyond
    assert found.d("x").value[inside].all()


def test_outside_along_one_axis_the_other_still_counts():
    xs = np.linspace(0, 1, 5)
    points, (x, y) = axes_at(2, 1, high=2.0)
    found = interpolated((x, y), (xs, xs), xs[:, None] + 2 * xs, outside="constant")
    close(found.value, points[:, 0].clip(0, 1) + 2 * points[:, 1].clip(0, 1), 1e-13)
    close(found.d("x").value, 1.0 * (points[:, 0] <= 1), 1e-12)
    close(found.d("y").value, 2.0 * (points[:, 1] <= 1), 1e-12)


def test_rounding_is_not_outside():
    assert interpolated(1 + 1e-12, [0, 0.5, 1], [0, 0.5, 1]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (([0, 1, 1], [0, 1, 2]), ProblemError, "finite places that increase"),
        (([0, 2, 1], [0, 1, 2]), ProblemError, "np.argsort(xs)"),
        (([0, np.nan, 1], [0, 1, 2]), ProblemError, "finite places that increase"),
        (([0, 1, 2], [0, np.inf, 2]), ProblemError, "1 that are not"),
        (([0, 1, 2], [0, 1]), ShapeError, "shape (3,)"),
        (([0], [0]), ShapeError, "two places or more"),
        (("abc", [0]), ProblemError, 'interpolated(x, "k.csv", "k")'),
        ((["a", "b"], [0, 1]), ShapeError, "an array of numbers"),
    ],
    ids=str,
)
def test_what_is_no_table_is_refused_by_name(given, error, told):
    with pytest.raises(error) as caught:
        interpolated(0.5, *given)
    assert told in str(caught.value)


@pytest.mark.parametrize("options", [{"kind": "quintic"}, {"outside": "nearest"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(UnknownNameError):
        interpolated(0.5, [0, 1], [0, 1], **options)


def test_four_coordinates_and_missing_axes_are_refused():
    with pytest.raises(ShapeError, match="one coordinate to three"):
        interpolated((0, 0, 0, 0), ([0, 1],) * 4, np.zeros((2, 2, 2, 2)))
    with pytest.raises(ShapeError, match="xs for 2 coordinates"):
        interpolated((0, 0), ([0, 1],), np.zeros(2))


def test_taylor_coefficients_hold_between_knots():
    """The expansion at a point is the spline itself as far as the next knot: no derivative is lost."""
    xs, values = places(6, 0), np.random.default_rng(1).random(6)
    for start, step in product(xs[1:-2], (1e-3, 1e-2)):
        x = torch.tensor([[start + 1e-3]], dtype=torch.float64)
        names = ("x",)
        (jet,) = coordinate_jets(total_order(Axes(names, names), 3), x)
        found = interpolated(jet, xs, values).coefficients[:, 0].numpy()
        assert np.polyval(found[::-1], step) == pytest.approx(CubicSpline(xs, values)(start + 1e-3 + step), rel=1e-12)
