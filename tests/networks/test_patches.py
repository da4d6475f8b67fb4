"""Patches: a partition of unity, polynomials in it, their derivatives, and the patches that a point lies on."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch

from pinnml import LSGD, Box, Equation, Patches, Periodic, Problem, laplacian, load, solve
from pinnml.calculus import total_order
from pinnml.errors import SettingsError
from pinnml.networks import LocalBasis, Network

DOMAIN = Box(x=(0, 2), y=Periodic(1, 4), t=(-1, 1))


def built(count=(3, 4, 1), degree=4, domain=DOMAIN, columns=1, **settings) -> Network:
    network = Patches(count=count, degree=degree, **settings).build(
        domain, columns, torch.Generator(), torch.float64, torch.device("cpu")
    )
    torch.manual_seed(1)
    network.coef.data = torch.randn_like(network.coef)
    return network.requires_grad_(False)


def inside(domain, n=300) -> torch.Tensor:
    low, high = torch.from_numpy(domain.bounds).T
    return low + (high - low) * torch.rand((n, len(low)), generator=torch.Generator().manual_seed(2)).double()


def jets(network, domain, x, order):
    return network.inputs(x, total_order(domain.axes, order))


@pytest.mark.parametrize("overlap", [0.05, 0.15, 0.5])
def test_windows_sum_to_one(overlap):
    """To round-off: a sum of at most eight products of three numbers below one."""
    network = built(overlap=overlap)
    ones = torch.zeros((network.basis.size, 1), dtype=torch.float64)
    ones[:: network.basis.of_each] = 1.0
    values = network.basis.outputs(jets(network, DOMAIN, inside(DOMAIN), 2), ones).coefficients
    assert (values[0] - 1).abs().max() < 2e-15
    assert values[1:].abs().max() < 1e-11 / overlap**2  # of terms as large as the second derivatives of a window
    windows = network.basis(jets(network, DOMAIN, inside(DOMAIN), 0)).value[:, :: network.basis.of_each]
    assert windows.min() >= 0


def test_derivatives_are_those_of_autograd():
    network, x = built(), inside(DOMAIN).requires_grad_()
    indices = total_order(DOMAIN.axes, 2)
    found = network(network.inputs(x.detach(), indices)).coefficients[..., 0]
    with torch.enable_grad():
        value = network(jets(network, DOMAIN, x, 0)).value[:, 0]
        slopes = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
    scale = float(found.abs().max())
    for axis in range(3):
        unit = tuple(int(axis == k) for k in range(3))
        assert torch.allclose(found[indices.position[unit]], slopes[:, axis], rtol=0, atol=1e-14 * scale)
        bent = torch.autograd.grad(slopes[:, axis].sum(), x, retain_graph=True)[0][:, axis]
        twice = tuple(2 * k for k in unit)
        assert torch.allclose(2 * found[indices.position[twice]], bent, rtol=0, atol=1e-13 * scale)


def test_a_periodic_axis_closes_with_all_derivatives():
    network, start = built(), inside(DOMAIN, 50)
    end = start.clone()
    start[:, 1], end[:, 1] = 1.0, 4.0 * (1 - 1e-16)
    values = [network(jets(network, DOMAIN, x, 2)).coefficients for x in (start, end)]
    assert torch.allclose(*values, rtol=0, atol=1e-12 * float(values[0].abs().max()))


def test_the_functions_of_a_point_are_those_of_the_patches_it_lies_on():
    network = built()
    basis, x = network.basis, jets(network, DOMAIN, inside(DOMAIN), 1)
    assert isinstance(basis, LocalBasis)
    functions, places = basis.local(x)
    owners = basis.owners(x)
    by_patch = functions.unflatten(2, (-1, basis.of_each))
    patches = places.unflatten(1, (-1, basis.of_each))[..., 0] // basis.of_each
    assert by_patch.abs().amax(dim=(0, 3))[owners < 0].max() == 0
    assert torch.equal(patches[owners >= 0], owners[owners >= 0])
    assert (owners < 0).double().mean() > 0.3  # flat tops: most points lie on one patch along an axis
    dense = basis(x).coefficients
    assert torch.equal(dense.gather(2, places.expand_as(functions)), functions)
    assert dense.abs().sum() == functions.abs().sum()


@pytest.mark.parametrize("degree", [1, 3, 6])
def test_polynomials_of_the_degree_are_made_exactly_and_no_others(degree):
    domain = Box(x=(0, 2), y=(-1, 1))
    network, x = built((3, 2), degree, domain), inside(domain, 1500)
    functions = network.basis(jets(network, domain, x, 0)).value
    for power, exact in ((degree, True), (degree + 1, False)):
        u = (x[:, :1] - 0.3 * x[:, 1:] + 0.1) ** power
        left = functions @ torch.linalg.lstsq(functions, u, driver="gelsd").solution - u
        assert (float(left.norm() / u.norm()) < 1e-13) == exact


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_errors_fall_with_the_power_degree_plus_one_of_the_length(degree):
    """The slopes of smooth functions: at least degree + 1 (arXiv:2101.11256, theorem 1), and no superconvergence."""
    domain, errors = Box(x=(0, 1)), []
    x = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    for count in (8, 16, 32):
        network = built((count,), degree, domain)
        functions = network.basis(jets(network, domain, x, 0)).value
        u = torch.sin(2 * pi * x)
        left = functions @ torch.linalg.lstsq(functions, u, driver="gelsd").solution - u
        errors.append(float(left.square().mean().sqrt()))
    slopes = -np.diff(np.log2(errors))
    assert slopes == pytest.approx(degree + 1, abs=0.3)


def test_a_richer_basis_makes_the_same_fields():
    network = built(columns=2)
    basis, coef = network.basis.richer(network.coef)
    assert basis.size > network.basis.size
    x = jets(network, DOMAIN, inside(DOMAIN), 2)
    values, same = network(x).coefficients, basis.outputs(x, coef).coefficients
    assert torch.allclose(values, same, rtol=0, atol=1e-14 * float(values.abs().max()))


def test_half_the_patches_are_half_along_the_axes_that_have_most():
    assert Patches(count=8).halved() == Patches(count=4)
    assert Patches(count=(2, 8)).halved() == Patches(count=(2, 4))
    assert Patches(count=1).halved() is None


def test_a_solution_is_saved_and_loaded(tmp_path):
    def balance(u, x, y):
        return laplacian(u) + 2 * pi**2 * torch.sin(pi * x) * torch.sin(pi * y)

    def wall(u):
        return u

    equations = (Equation(balance), Equation(wall, on="boundary"))
    problem = Problem(domain=Box(x=(0, 1), y=(0, 1)), fields=("u",), equations=equations)
    solution = solve(problem, Patches(2, degree=5), LSGD(hidden="fixed"), rule="sobol", verify=False)
    solution.save(tmp_path / "u.pt")
    x = np.random.default_rng(0).random((7, 2))
    assert np.array_equal(load(tmp_path / "u.pt")(x)["u"], solution(x)["u"])


@pytest.mark.parametrize(
    ("settings", "domain", "told"),
    [
        ({"count": 0}, DOMAIN, "count"),
        ({"count": (2, 2)}, DOMAIN, "one for each of the 3 axes"),
        ({"count": (2, 1, 2)}, DOMAIN, "periodic axis"),
        ({"degree": -1}, DOMAIN, "degree"),
        ({"overlap": 0.7}, DOMAIN, "overlap <= 0.5"),
        ({"inputs": lambda x: (x,)}, DOMAIN, "inputs=None"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, domain, told):
    with pytest.raises(SettingsError) as raised:
        Patches(**settings).build(domain, 1, torch.Generator(), torch.float64, torch.device("cpu"))
    assert told in str(raised.value)
