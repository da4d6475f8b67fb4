"""Functions of an argument that is affine in the point: what the composition of jets gives, in fewer products."""

from __future__ import annotations

import pytest
import torch

from pinnml.calculus import Axes, IndexSet, Jet, common_slopes, functions, index_set, ridge_functions, total_order

SPACE = Axes(("x", "y", "z"), ("x", "y", "z"))
SETS = {
    "first order": total_order(SPACE, 1),
    "second order": total_order(SPACE, 2),
    "third order": total_order(SPACE, 3),
    "laplacian": index_set(SPACE, [(2, 0, 0), (0, 2, 0), (0, 0, 2)]),
    "some axes": index_set(SPACE, [(0, 4, 0), (0, 1, 1)]),
}
RULES = {name: getattr(functions, name) for name in ("sin", "cos", "tanh", "gaussian", "exp")}


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def affine(indices: IndexSet, z: torch.Tensor, slopes: torch.Tensor) -> Jet:
    """The jet of z + s . h, with slopes (d, k) along the axes of which it carries a derivative."""
    coefficients = z.new_zeros((len(indices), *z.shape))
    coefficients[0] = z
    for place, slope in enumerate(slopes, 1):
        coefficients[place] = slope
    return Jet(indices, coefficients)


def case(name: str) -> tuple[IndexSet, torch.Tensor, torch.Tensor]:
    indices = SETS[name]
    axes = sum(sum(index) == 1 for index in indices.indices)
    return indices, drawn(7, 4), drawn(axes, 4)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("rule", RULES)
def test_coefficients_are_those_of_composition(rule, name):
    indices, z, slopes = case(name)
    composed = affine(indices, z, slopes).compose(RULES[rule]).coefficients
    found = ridge_functions(indices, z, slopes, RULES[rule], room=2)
    # the same products in another order; series of the fourth order of tanh cancel two digits
    torch.testing.assert_close(found[..., :4], composed, rtol=1e-13, atol=1e-13)
    assert not found[..., 4:].any()
    wrong = ridge_functions(indices, z, 1.001 * slopes, RULES[rule])
    assert float((wrong - composed).abs().max()) > 1e-4


@pytest.mark.parametrize("name", SETS)
def test_derivatives_go_back_to_argument_and_slopes(name):
    indices, z, slopes = case(name)
    z, slopes = z.requires_grad_(), slopes.requires_grad_()
    weight = drawn(len(indices), 7, 6)
    found = (weight * ridge_functions(indices, z, slopes, functions.tanh, room=2)).sum()
    composed = (weight[..., :4] * affine(indices, z, slopes).compose(functions.tanh).coefficients).sum()
    ways = (torch.autograd.grad(each, (z, slopes)) for each in (found, composed))
    for mine, theirs in zip(*ways, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_only_jets_that_are_affine_with_the_same_slopes_everywhere_have_common_ones():
    indices, z, slopes = case("second order")
    jet = affine(indices, z, slopes)
    assert torch.equal(common_slopes(jet), slopes)
    for place, sample in ((1, 3), (5, 0), (9, 6)):
        bent = jet.coefficients.clone()
        bent[place, sample, 2] += 1e-9
        assert common_slopes(Jet(indices, bent)) is None
    assert common_slopes(Jet(total_order(SPACE, 0), z.unsqueeze(0))) is None
    assert common_slopes(Jet(indices, jet.coefficients[:, :0])) is None
