"""Sparse least squares by fronts beside dense ones."""

from __future__ import annotations

import pytest
import torch

from pinnml.deadline import Deadline, OutOfTimeError
from pinnml.solvers.multifrontal import Piece, factors, fronts, neighbours

WIDTH = 5


def plane(columns: int, rows: int, most: int = 9) -> tuple[list[Piece], torch.Tensor]:
    """Rows for each group of a plane, for neighbours, and for four around a corner."""
    generator, found = torch.Generator().manual_seed(columns), []
    for i in range(columns):
        for j in range(rows):
            group, right, above = i * rows + j, (i + 1) * rows + j, i * rows + j + 1
            kinds = [(group,)]
            kinds += [(group, right)] * (i + 1 < columns) + [(group, above)] * (j + 1 < rows)
            kinds += [(group, right, above, right + 1)] * (i + 1 < columns and j + 1 < rows)
            for groups in kinds:
                shape = most - 2 * len(groups), len(groups) * WIDTH + 1
                found.append(Piece(groups, torch.randn(shape, generator=generator, dtype=torch.float64)))
    axes = (torch.arange(float(columns)), torch.arange(float(rows)))
    return found, torch.cartesian_prod(*axes).double()


def dense(pieces, groups: int) -> torch.Tensor:
    blocks = []
    for piece in pieces:
        rows = torch.zeros((len(piece.rows), groups * WIDTH + 1), dtype=torch.float64)
        for k, group in enumerate(piece.groups):
            rows[:, group * WIDTH : (group + 1) * WIDTH] = piece.rows[:, k * WIDTH : (k + 1) * WIDTH]
        rows[:, -1] = piece.rows[:, -1]
        blocks.append(rows)
    return torch.cat(blocks)


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (1, 9), (4, 4), (7, 5)])
def test_the_solution_is_that_of_dense_least_squares(columns, rows):
    """To round-off times the condition number, which is below a hundred."""
    pieces, positions = plane(columns, rows)
    whole = dense(pieces, columns * rows)
    expected = torch.linalg.lstsq(whole[:, :-1], whole[:, -1:]).solution
    found = factors(pieces, positions, WIDTH)
    assert torch.allclose(found.solve().reshape(-1, 1), expected, rtol=0, atol=1e-13 * float(expected.abs().max()))
    y = torch.randn((columns * rows, WIDTH), generator=torch.Generator().manual_seed(1)).double()
    normal = whole[:, :-1].mT @ whole[:, :-1]
    assert torch.allclose(normal @ found.normal_inverse(y).reshape(-1), y.reshape(-1), rtol=0, atol=1e-11)
    assert found.rank == columns * rows * WIDTH


def test_the_order_of_elimination_changes_nothing():
    pieces, positions = plane(5, 4)
    there, elsewhere = (factors(pieces, each, WIDTH).solve() for each in (positions, positions.flip(1) * 3.0))
    assert torch.allclose(there, elsewhere, rtol=0, atol=1e-13)


def test_a_wrong_row_is_seen():
    pieces, positions = plane(4, 4)
    wrong = [Piece(pieces[0].groups, pieces[0].rows * 1.01), *pieces[1:]]
    wrong[0].rows[:, -1] = pieces[0].rows[:, -1]
    right, other = (factors(each, positions, WIDTH).solve() for each in (pieces, wrong))
    assert (right - other).abs().max() > 1e-4


def test_fronts_see_the_groups_that_are_left_and_every_group_is_eliminated_once():
    pieces, positions = plane(6, 6)
    near = neighbours(pieces, 36)
    gone: list[int] = []

    def follow(front):
        for child in front.children:
            follow(child)
        gone.extend(front.own)
        assert not set(front.beyond) & set(gone)
        assert {other for group in front.own for other in near[group]} <= set(gone) | set(front.beyond)

    root = fronts(near, positions)
    follow(root)
    assert sorted(gone) == list(range(36))
    assert root.beyond == ()
    assert len(root.own) < 12  # a cut is a line of groups


def test_of_columns_that_nothing_tells_apart_one_is_left_out():
    pieces, positions = plane(3, 3)
    twins = []
    for piece in pieces:
        rows = piece.rows.clone()
        if 4 in piece.groups:
            k = piece.groups.index(4) * WIDTH
            rows[:, k + 1] = rows[:, k]
        twins.append(Piece(piece.groups, rows))
    whole = dense(twins, 9)
    found = factors(twins, positions, WIDTH)
    least = torch.linalg.lstsq(whole[:, :-1], whole[:, -1:], driver="gelsd").solution
    left, fewest = (float((whole[:, :-1] @ x - whole[:, -1:]).norm()) for x in (found.solve().reshape(-1, 1), least))
    assert left == pytest.approx(fewest, rel=1e-10)
    assert found.rank == 9 * WIDTH - 1
    kept = factors(twins, positions, WIDTH, least=1e-13)
    assert kept.condition > 1e12


def test_groups_without_rows_stay_at_zero():
    pieces, positions = plane(2, 2)
    positions = torch.cat([positions, torch.tensor([[5.0, 5.0]], dtype=torch.float64)])
    found = factors(pieces, positions, WIDTH).solve()
    assert not found[4].any()
    assert found[:4].any()


def test_groups_that_share_nothing_are_solved_apart():
    pieces, positions = plane(4, 3)
    further = [Piece(tuple(group + 12 for group in piece.groups), piece.rows) for piece in pieces]
    both = factors([*pieces, *further], torch.cat([positions, positions + 10]), WIDTH)
    alone = factors(pieces, positions, WIDTH)
    assert torch.allclose(both.solve(), alone.solve().repeat(2, 1), rtol=0, atol=1e-13)
    assert both.condition < 2 * alone.condition


def test_the_clock_is_looked_at_between_fronts():
    pieces, positions = plane(4, 4)
    with pytest.raises(OutOfTimeError):
        factors(pieces, positions, WIDTH, deadline=Deadline(0.0))
