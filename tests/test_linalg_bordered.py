"""Least squares with a border, beside dense least squares of NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinnml.linalg import Bordered, RankRevealed, triangle

CUTOFF = 1e-13


def rows(m: int, inner: int, border: int, seed: int = 0, rank: int | None = None) -> torch.Tensor:
    """[A B] (m, inner + border) with columns of very unequal lengths; A of a lower rank if wanted."""
    draw = torch.Generator().manual_seed(seed)
    a = torch.randn((m, inner), generator=draw, dtype=torch.float64)
    if rank is not None:
        a = a[:, :rank] @ torch.randn((rank, inner), generator=draw, dtype=torch.float64)
    b = torch.randn((m, border), generator=draw, dtype=torch.float64)
    return torch.cat([a, b], dim=1) * 10.0 ** torch.linspace(-6, 6, inner + border, dtype=torch.float64)


@pytest.mark.parametrize(("inner", "border"), [(7, 2), (7, 0), (1, 3), (700, 2)])
def test_the_solution_is_that_of_dense_least_squares(inner, border):
    j = rows(inner + border + 60, inner, border)
    target = torch.linspace(-1, 2, len(j), dtype=torch.float64)
    found = Bordered(triangle(j, target), border).solve(CUTOFF)
    right = np.linalg.lstsq((j / j.norm(dim=0)).numpy(), target.numpy())[0]
    np.testing.assert_allclose((found * j.norm(dim=0)).numpy(), right, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("inner", "border"), [(7, 2), (40, 3)])
def test_other_targets_are_answered_by_the_same_factor(inner, border):
    j = rows(120, inner, border)
    bordered = Bordered(triangle(j, torch.ones(120, dtype=torch.float64)), border)
    others = torch.randn((120, 4), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = bordered.answer(j, others, CUTOFF) * j.norm(dim=0)[:, None]
    right = np.linalg.lstsq((j / j.norm(dim=0)).numpy(), others.numpy())[0]
    np.testing.assert_allclose(found.numpy(), right, rtol=1e-8, atol=1e-10)


def test_the_border_less_what_the_others_make_of_it_is_at_right_angles_to_them():
    j = rows(90, 12, 3)
    apart = Bordered(triangle(j, torch.zeros(90, dtype=torch.float64)), 3).apart(j, CUTOFF)
    across = (j[:, :12] / j[:, :12].norm(dim=0)).mT @ (apart / apart.norm(dim=0))
    assert float(across.abs().max()) < 1e-12  # round-off of sums of 90 products
    assert float(apart.norm(dim=0).min()) > 0


@pytest.mark.parametrize("inner", [12, 700])
def test_directions_have_rows_of_length_one_and_stand_for_what_is_not_seen(inner):
    rank = inner - 4
    a = rows(inner + 40, inner, 0, rank=rank)
    factors = RankRevealed(triangle(a, torch.zeros(len(a), dtype=torch.float64)))
    assert factors.rank(1e-10) == rank
    directions = factors.directions(1e-10)
    made = a @ directions
    lengths = made.norm(dim=0).sort(descending=True).values
    np.testing.assert_allclose(lengths[:rank].numpy(), 1, rtol=1e-5)
    assert float(lengths[rank:].max()) < 1e-2  # what A does not see
    assert torch.linalg.matrix_rank(directions / directions.norm(dim=0)) == inner
