"""Terms of losses against dense matrices, integrals and finite differences."""

import numpy as np
import pytest
import torch

from pinnml.errors import PinnmlError
from pinnml.surrogates.losses import Loss, Measures, terms_of, total
from tests.helpers.families import solved

CPU = torch.device("cpu")


def measures(degree: int = 1) -> Measures:
    return Measures(solved(3, degree=degree)[0], torch.float64, CPU)


@pytest.mark.parametrize("degree", [1, 2])
def test_lumped_masses(degree):
    found = measures(degree)
    assert float(found.masses.min()) > 0
    assert float(found.masses.sum()) == pytest.approx(1.0)  # of the unit square
    x = found.family.parts.spaces["u"].nodes[:, 0]
    for e in (torch.ones_like(x), torch.sin(3 * x)):
        exact = e.numpy() @ found.family.mass @ e.numpy()
        # lumping errs by the square of the cells, 0.09
        assert float(found.squared(e[None])) == pytest.approx(exact, rel=0.02)


def test_slopes_are_the_integral_of_the_gradient_squared():
    found = measures(2)
    x, y = found.family.parts.spaces["u"].nodes.T
    u = x**2 + 3 * y  # quadratic elements hold it: integral of 4 x^2 + 9
    assert float(found.slopes_squared(u[None])) == pytest.approx(4 / 3 + 9, rel=1e-12)


def test_predictions_meet_the_conditions():
    found = measures()
    u = torch.randn((2, found.family.size), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    held = found.family.constraint({})
    expected = held.fixed + u.numpy() @ (held.free @ held.free.T).toarray()
    np.testing.assert_allclose(found.within(u, torch.from_numpy(held.fixed)).numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_the_equations_leave_nothing_of_a_solution_and_their_slope_is_right(power):
    family, samples = solved(3, power)
    found = Measures(family, torch.float64, CPU)
    draws = [samples.draw(row) for row in range(3)]
    assert float(found.left(samples.outputs, draws).max()) < 1e-18 * float(found.left(0 * samples.outputs, draws).min())
    wrong = [samples.draw((row + 1) % 3) for row in range(3)]
    assert float(found.left(samples.outputs, wrong).min()) > 1e-4 * float(found.left(0 * samples.outputs, draws).max())
    along = torch.sin(7 * torch.arange(family.size, dtype=torch.float64))
    u = (samples.outputs + 0.1).requires_grad_()
    (slope,) = torch.autograd.grad(found.left(u, draws).sum(), u)
    h = 1e-6
    up, down = (float(found.left(u.detach() + s * h * along, draws).sum()) for s in (1, -1))
    assert float((slope @ along).sum()) == pytest.approx(
        (up - down) / (2 * h), rel=1e-6
    )  # differences of a sixth power: h^2, and round-off over h


def test_terms_are_relative_and_weighted():
    family, samples = solved(3)
    found = Measures(family, torch.float64, CPU)
    batch = {"target": samples.outputs, "fixed": family.fixed(samples.inputs)}
    batch["draws"] = [samples.draw(row) for row in range(3)]
    loss = Loss(l2=2.0, h1=0.5, residual=0.25)
    for part in (0.1, -0.3):
        terms = terms_of(loss, found, (1 + part) * samples.outputs, batch)
        # a linear problem: everything that is off by a part is so in every norm, to round-off
        assert [float(value) for value in terms.values()] == pytest.approx([part**2] * 3, rel=1e-10)
        assert float(total(loss, terms)) == pytest.approx(2.75 * part**2, rel=1e-10)
    assert set(terms_of(Loss(l2=0, residual=1), found, samples.outputs, batch)) == {"residual"}


@pytest.mark.parametrize("wrong", [{"l2": 0.0}, {"l2": -1.0}, {"h1": float("nan")}])
def test_losses_are_checked(wrong):
    with pytest.raises(PinnmlError):
        Loss(**wrong)
