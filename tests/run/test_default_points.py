"""How many points there are where none are asked for."""

from __future__ import annotations

import pytest

from pinnml import KAN, LBFGS, LSGD, MLP, Adam, Features, LevenbergMarquardt, Multilevel, Recipe
from pinnml.run import prepared
from tests.helpers.solving import rod, two_fields

DEEP = MLP(20, depth=2, activation="tanh")


@pytest.mark.parametrize("solver", [LevenbergMarquardt(), LSGD(hidden="gauss-newton")], ids=repr)
@pytest.mark.parametrize("problem", [rod(), two_fields()], ids=["one field", "two fields"])
def test_where_a_jacobian_is_formed_three_rows_stand_for_every_parameter(problem, solver):
    system = prepared(problem, Recipe(DEEP, solver))
    assert 3 * system.n_params <= system.n_residuals <= 3.1 * system.n_params


@pytest.mark.parametrize("solver", [LSGD(), Adam(), LBFGS()], ids=repr)
def test_where_none_is_formed_the_basis_functions_count(solver):
    assert prepared(rod(), Recipe(DEEP, solver)).n_residuals == 500 + 2
    assert prepared(rod(), Recipe(Features(300, bandwidth=1), solver)).n_residuals >= 6 * 300


def test_levels_count_as_the_last_of_them():
    solver = Multilevel(inner=LevenbergMarquardt(), levels=2)
    system = prepared(rod(), Recipe(KAN(6, 1, intervals=8), solver))
    assert system.n_residuals > 3 * system.refine(system.initial())[0].n_params
