"""Conditions counted from the equations themselves: what is asked for, what is given."""

from __future__ import annotations

import pytest

from pinnml import Box, Equation, Features, Periodic, Problem, laplacian, normal_derivative
from pinnml.run import prepared
from pinnml.run.recipe import Recipe
from pinnml.verification import initial_values, missing_conditions
from tests.helpers.evolution import lotka_volterra, wave


def counted(box: Box, *laws: tuple, fields=("u",)) -> tuple[str, ...]:
    equations = tuple(
        Equation(residual, on=on, name=f"law{i}", integral=bool(summed))
        for i, (on, residual, *summed) in enumerate(laws)
    )
    problem = Problem(domain=box, fields=fields, equations=equations)
    system = prepared(problem, Recipe(Features(10, bandwidth=2), points=60))
    return missing_conditions(problem, system.blocks)


LINE, SQUARE, SPACETIME = Box(x=(0, 1)), Box(x=(0, 1), y=(0, 1)), Box(x=(0, 1), t=(0, 1))
ROUND = Box(x=Periodic(0, 1), t=(0, 1))


@pytest.mark.parametrize(
    ("box", "laws"),
    [
        (LINE, [("interior", lambda u: u.d("xx")), ("boundary", lambda u: u)]),
        (LINE, [("interior", lambda u: u.d("xx")), ("x=0", lambda u: u), ("x=0", lambda u: u.d("x"))]),
        (LINE, [("interior", lambda u: u.d("x") + u), ("x=1", lambda u: u)]),
        (SQUARE, [("interior", lambda u: laplacian(u)), ("boundary", lambda u: u)]),
        (
            SPACETIME,
            [("interior", lambda u: u.d("t") - u.d("xx")), ("boundary", lambda u: u), ("initial", lambda u: u)],
        ),
        (
            SPACETIME,
            [
                ("interior", lambda u: u.d("tt") - u.d("xx")),
                ("boundary", lambda u: u),
                ("initial", lambda u: (u, u.d("t"))),
            ],
        ),
        (ROUND, [("interior", lambda u: u.d("t") - u.d("xx")), ("initial", lambda u: u)]),
        (LINE, [("interior", lambda u: u.d("xx")), ("x=0", lambda u: u), ("interior", lambda u: u - 1, "integral")]),
        (LINE, [("interior", lambda u: u.d("xx")), ("interior", lambda u, x: (u - 1, x * u), "integral")]),
        (LINE, [("interior", lambda u: u.d("x")), ("interior", lambda u: u + u.d("xx"), "integral")]),
        (Box(t=(0, 1)), [("interior", lambda u: u.d("t") - u), ("interior", lambda u: u - 1, "integral")]),
        (
            SQUARE,
            [
                ("interior", lambda u: laplacian(u)),
                ("boundary", lambda u, normal: normal_derivative(u, normal)),
                ("interior", lambda u: u, "integral"),
            ],
        ),
    ],
)
def test_nothing_is_missing_of_what_is_whole(box, laws):
    assert counted(box, *laws) == ()


@pytest.mark.parametrize(
    ("box", "laws", "words"),
    [
        (LINE, [("interior", lambda u: u.d("xx")), ("x=0", lambda u: u)], "u_xx asks for 2 conditions"),
        (LINE, [("interior", lambda u: u.d("xxx")), ("boundary", lambda u: u)], "u_xxx asks for 3 conditions"),
        (LINE, [("interior", lambda u: u.d("xx")), ("boundary", lambda u: u.d("x"))], "a constant is free"),
        (
            SPACETIME,
            [("interior", lambda u: u.d("t") - u.d("xx")), ("boundary", lambda u: u)],
            "asks for u at the first",
        ),
        (
            SPACETIME,
            [("interior", lambda u: u.d("tt") - u.d("xx")), ("boundary", lambda u: u), ("initial", lambda u: u)],
            "u_tt asks for u_t at the first instant",
        ),
        (ROUND, [("interior", lambda u: u.d("tt") - u.d("xx")), ("initial", lambda u: u)], "asks for u_t"),
        (LINE, [("interior", lambda u: u.d("xx")), ("interior", lambda u: u - 1, "integral")], "ends of x: 1 found"),
        (
            LINE,
            [("interior", lambda u: u.d("x")), ("interior", lambda u: u.d("x") - 1, "integral")],
            "constant is free",
        ),
        (
            SQUARE,  # one number is no condition along a side
            [
                ("interior", lambda u: laplacian(u)),
                (("x=0", "x=1", "y=0"), lambda u: u),
                ("interior", lambda u: u - 1, "integral"),
            ],
            "u_yy asks for 2 conditions at the ends of y: 1 found",
        ),
    ],
)
def test_what_is_missing_is_said(box, laws, words):
    assert any(words in sentence for sentence in counted(box, *laws))
    assert len(counted(box, *laws)) == 1


def test_every_field_is_counted_by_itself():
    laws = [
        ("interior", lambda u, w: (u.d("t") - w, w.d("t") + u)),
        ("initial", lambda u: u),
    ]
    (found,) = counted(Box(t=(0, 1)), *laws, fields=("u", "w"))
    assert found.startswith("w_t asks for w")


def test_what_is_handed_on_is_below_the_order_in_time_with_the_weight_of_its_condition() -> None:
    system = prepared(wave(), Recipe(Features(10, bandwidth=2), points=60))
    assert initial_values(wave(), system.blocks) == {("u", 0): 3.0, ("u", 1): 1.0}
    system = prepared(lotka_volterra(), Recipe(Features(10, bandwidth=2), points=60))
    assert initial_values(lotka_volterra(), system.blocks) == {("u", 0): 1.0, ("v", 0): 1.0}
