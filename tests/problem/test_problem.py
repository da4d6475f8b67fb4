"""Problems and equations: what is declared, what is refused and in which words."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from pinnml import Box, Equation, Parameter, Periodic, Points, Problem, laplacian, normal_derivative
from pinnml.errors import PinnmlError, ProblemError, UnknownNameError
from pinnml.problem import Field, argument_names

SQUARE = Box(x=(0, 1), y=(0, 1))
SENSORS = Points({"x": [0.2, 0.4], "y": [0.1, 0.9]}, {"value": [1.0, 2.0]})


def balance(u, x):
    return laplacian(u) - x


def wall(u):
    return u


def problem(**changes) -> Problem:
    """A sound problem with some of its pieces changed."""
    sound = {"domain": SQUARE, "fields": "u", "equations": (Equation(balance), Equation(wall, on="boundary"))}
    return Problem(**{**sound, **changes})


def with_balance(function, **changes) -> Problem:
    """A sound problem but for the equation on the interior."""
    return problem(equations=(Equation(function, name="balance"), Equation(wall, on="boundary")), **changes)


def assert_told(error: PinnmlError, *words: str) -> None:
    """A message of several lines: what happened, then expected, got or cure; with these words in it."""
    text = str(error)
    assert any(label in text for label in ("\n  expected: ", "\n  got:      ", "\n  cure:     ")), text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    ("declared", "fields"),
    [
        ("u", [Field("u")]),
        (("u", "p"), [Field("u"), Field("p")]),
        (["u"], [Field("u")]),
        ({"u": 1}, [Field("u")]),
        ({"u": float}, [Field("u")]),
        ({"u": complex}, [Field("u", 1, is_complex=True)]),
        ({"u": 3}, [Field("u", 3, is_vector=True)]),
        ({"u": (2, complex)}, [Field("u", 2, is_complex=True, is_vector=True)]),
        ({"u": (1, complex)}, [Field("u", 1, is_complex=True, is_vector=True)]),
        ({"u": (3, float)}, [Field("u", 3, is_vector=True)]),
        ({"E": (2, complex), "u": float}, [Field("E", 2, True, True), Field("u")]),
        ((Field("u", 2, is_vector=True),), [Field("u", 2, is_vector=True)]),
    ],
)
def test_fields_are_declared_by_name_or_by_kind(declared, fields):
    names = [field.name for field in fields]
    everything = eval(f"lambda {', '.join(names)}: None")
    made = problem(fields=declared, equations=Equation(everything, on=("interior", "boundary"), name="all"))
    assert list(made.fields) == fields
    assert made.columns == sum(field.components * (2 if field.is_complex else 1) for field in fields)


@pytest.mark.parametrize("kind", [0, -1, True, 1.5, "complex", None, (2, int), (0, complex), (1, 2, 3), int])
def test_a_field_of_no_known_kind_is_refused(kind):
    with pytest.raises(ProblemError) as caught:
        problem(fields={"u": kind})
    assert_told(caught.value, "field 'u'", "complex", repr(kind))


def test_problems_without_fields_or_equations_are_refused():
    with pytest.raises(ProblemError, match="without fields"):
        problem(fields=())
    with pytest.raises(ProblemError, match="without equations"):
        problem(equations=())


@pytest.mark.parametrize("fields", [("u", "u"), ["u", "p", "u"]])
def test_a_field_declared_twice_is_refused(fields):
    with pytest.raises(ProblemError, match="'u' is declared twice"):
        problem(fields=fields)


@pytest.mark.parametrize("name", ["two words", "2u", "", "lambda", "class"])
def test_impossible_names_are_refused(name):
    with pytest.raises(ProblemError) as caught:
        problem(fields=("u", name))
    assert_told(caught.value, f"the field name '{name}' cannot be used", "an argument in Python")
    with pytest.raises(ProblemError, match="cannot be used"):
        problem(parameters={name: 1.0})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fields": ("u", "x")}, "the field and the axis cannot both be named 'x'"),
        ({"parameters": {"u": 1.0}}, "the field and the parameter cannot both be named 'u'"),
        ({"parameters": {"y": 1.0}}, "the axis and the parameter cannot both be named 'y'"),
    ],
)
def test_one_name_for_two_things_is_refused(changes, told):
    with pytest.raises(ProblemError) as caught:
        problem(**changes)
    assert_told(caught.value, told, "rename one of them")


def test_an_unknown_argument_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError) as caught:
        with_balance(lambda u, kapa: kapa * u, parameters={"kappa": 1.0})
    assert_told(
        caught.value,
        "'kapa' in equation 'balance' on 'interior'",
        "one of kappa, u, x, y",
        "did you mean 'kappa'?",
    )


@pytest.mark.parametrize("function", [lambda u, w: u, lambda w: w])
@pytest.mark.parametrize("what", ["exact", "ansatz"])
def test_unknown_arguments_of_exact_and_ansatz_are_refused(what, function):
    with pytest.raises(UnknownNameError) as caught:
        problem(**{what: function})
    assert_told(caught.value, what, "one of", "x, y")


def test_exact_knows_axes_and_parameters_but_no_fields_and_ansatz_knows_fields_too():
    problem(exact=lambda x, y, kappa: x, ansatz=lambda u, x, kappa: x * u, parameters={"kappa": 1.0})
    with pytest.raises(UnknownNameError, match="unknown argument 'u' in exact"):
        problem(exact=lambda u: u)


@pytest.mark.parametrize("region", ["x=2", "z=0", "bondary", "initial"])
def test_an_unknown_region_is_refused_with_those_there_are(region):
    with pytest.raises(UnknownNameError) as caught:
        problem(equations=(Equation(balance), Equation(wall, on=region)), data={"sensors": SENSORS})
    assert_told(caught.value, f"unknown region '{region}'", "interior, sensors, x=0, x=1, y=0, y=1")


def test_regions_are_known_by_numbers_by_sides_and_by_data_sets():
    made = problem(
        equations=(
            Equation(balance),
            Equation(wall, on=("x=0", "y = max")),
            Equation(lambda u, value: u - value, on="sensors", name="measured"),
        ),
        data={"sensors": SENSORS},
    )
    assert [term.region for term in made.terms] == ["interior", "x=min", "y=max", "sensors"]


def test_columns_of_data_are_known_on_their_own_region_alone():
    with pytest.raises(UnknownNameError, match="'value' in equation 'balance' on 'interior'"):
        with_balance(lambda u, value: u - value, data={"sensors": SENSORS})
    made = Problem(domain=SENSORS, fields="u", equations=Equation(lambda u, value: u - value, name="fit"))
    assert made.columns_of("interior") == ("value",)


def test_a_normal_is_there_on_faces_of_space_alone():
    faces = Box(x=(0, 1), t=(0, 1))
    flux = Equation(lambda u, normal: normal_derivative(u, normal), on="boundary", name="flux")
    problem(domain=faces, equations=(Equation(balance), flux))
    for region in ("interior", "t=0", "initial"):
        with pytest.raises(ProblemError) as caught:
            problem(domain=faces, equations=(Equation(balance), Equation(flux.residual, on=region, name="flux")))
        assert_told(caught.value, "equation 'flux' asks for a normal", "a region of the boundary of space")


def test_a_field_that_no_equation_uses_is_refused():
    with pytest.raises(ProblemError) as caught:
        problem(fields=("u", "p"))
    assert_told(caught.value, "no equation uses the field 'p'", "take it out")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"domain": Box(x=Periodic(0, 1), y=(0, 1))},
        {"domain": Box(x=(0, 1), y=(0, 1), t=(0, 1)), "equations": (Equation(balance), Equation(wall, on="t=0"))},
        {"domain": Box(x=(0, 1), t=(0, 1)), "equations": (Equation(balance), Equation(wall, on="t=1"))},
    ],
)
def test_no_boundary_condition_is_refused_where_space_has_faces(changes):
    with pytest.raises(ProblemError) as caught:
        problem(**{"equations": Equation(balance), **changes})
    assert_told(caught.value, "no boundary condition", 'on="boundary"', "Periodic")


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": Box(x=Periodic(0, 1), y=Periodic(0, 1))},
        {"domain": Box(x=Periodic(0, 1), t=(0, 1))},
        {"domain": Box(x=Periodic(0, 1), y=Parameter(0, 1))},
        {"domain": SENSORS},
        {"ansatz": lambda u, x, y: x * (1 - x) * y * (1 - y) * u},
        {"equations": (Equation(balance), Equation(wall, on="x=1"))},
        {
            "equations": (Equation(balance), Equation(lambda u, value: u - value, on="sensors", name="fit")),
            "data": {"sensors": SENSORS},
        },
    ],
    ids=["periodic", "periodic in space", "periodic and a parameter", "points", "ansatz", "one face", "data"],
)
def test_no_boundary_condition_is_needed_where_something_else_settles_the_field(changes):
    assert problem(**{"equations": Equation(balance), **changes}).terms


def test_a_time_axis_alone_has_no_boundary():
    made = problem(domain=Box(t=(0, 1)), equations=Equation(lambda u: u.d("t"), name="growth"))
    assert [term.region for term in made.terms] == ["interior"]


@pytest.mark.parametrize("function", [lambda u: u, partial(balance, x=1.0)], ids=["lambda", "partial"])
def test_a_function_without_a_name_of_its_own_must_be_given_one(function):
    with pytest.raises(ProblemError) as caught:
        Equation(function)
    assert_told(caught.value, "an equation without a name", "Equation(lambda u: u")
    assert Equation(function, name="balance").name == "balance"


@pytest.mark.parametrize(
    "function", [lambda *u: u, lambda u, **rest: u, eval("lambda u, /: u"), lambda u, *, x, **rest: u]
)
def test_arguments_without_a_name_are_refused(function):
    with pytest.raises(ProblemError) as caught:
        Equation(function, name="balance")
    assert_told(caught.value, "equation 'balance' takes", "arguments by name")


@pytest.mark.parametrize("thing", [3, None, "u", torch.ones(2)])
def test_a_residual_that_is_no_function_is_refused(thing):
    with pytest.raises(ProblemError, match="equation 'balance' is not a function"):
        Equation(thing, name="balance")


def test_arguments_with_defaults_are_left_alone():
    k = 2.0
    assert argument_names(lambda u, x, k=k: k * u, "test") == ("u", "x")
    assert argument_names(lambda u, *, x: u, "test") == ("u", "x")
    assert argument_names(partial(balance, x=1.0), "test") == ("u",)
    assert with_balance(lambda u, k=k: k * u).terms


@pytest.mark.parametrize("weight", [0, -1.0, float("inf"), float("nan"), "3", None])
def test_a_weight_that_is_no_positive_number_is_refused(weight):
    with pytest.raises(ProblemError) as caught:
        Equation(balance, weight=weight)
    assert_told(caught.value, "equation 'balance': weight", "a number above 0", str(weight))


def test_an_equation_on_no_region_is_refused():
    with pytest.raises(ProblemError, match="'balance' is on no region"):
        Equation(balance, on=())


def test_names_that_repeat_get_their_region_added():
    made = problem(equations=(Equation(balance), Equation(wall, on=("x=0", "x=1")), Equation(balance, on="y=0")))
    assert [term.name for term in made.terms] == ["balance@interior", "wall@x=0", "wall@x=1", "balance@y=0"]


def test_two_equations_of_one_name_on_one_region_are_refused():
    with pytest.raises(ProblemError) as caught:
        problem(equations=(Equation(balance), Equation(lambda u: u, name="balance"), Equation(wall, on="boundary")))
    assert_told(caught.value, "two equations of one name", "balance@interior", "name=")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"sensors": Points({"x": [0.1]})}, "'sensors' has other axes"),
        ({"sensors": Points({"y": [0.1], "x": [0.1]})}, "'sensors' has other axes"),
        ({"sensors": Points({"x": [0.1], "y": [0.1]}, {"u": [1.0]})}, "the column 'u' is taken by the field"),
        ({"boundary": SENSORS}, "'boundary' is named as a region"),
        ({"x=1": SENSORS}, "'x=1' is named as a region"),
    ],
)
def test_data_that_does_not_fit_the_problem_is_refused(data, told):
    with pytest.raises(ProblemError) as caught:
        problem(data=data)
    assert_told(caught.value, told)


def test_the_arguments_that_a_region_offers_are_fields_axes_parameters_and_its_own():
    measured = Equation(lambda u, value, kappa: u - kappa * value, on="sensors", name="measured")
    walls = Equation(balance), Equation(wall, on="boundary"), measured
    made = problem(equations=walls, parameters={"kappa": 1.0}, data={"sensors": SENSORS})
    common = {"u", "x", "y", "kappa"}
    assert made.available("interior") == common
    assert made.available("x=min") == common | {"normal"}
    assert made.available("sensors") == common | {"value"}


def test_a_problem_is_a_record_that_cannot_be_changed():
    with pytest.raises(AttributeError):
        problem().fields = ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"parameters": {"k": 3.0}}, "no equation uses the parameter 'k'"),
        ({"data": {"sensors": SENSORS}}, "no equation uses the data set 'sensors'"),
    ],
)
def test_what_is_declared_and_never_used_is_refused(changes, told):
    with pytest.raises(ProblemError) as caught:
        problem(**changes)
    assert_told(caught.value, told, "take it out")


def test_an_equation_without_a_field_is_refused():
    with pytest.raises(ProblemError) as caught:
        problem(equations=(Equation(balance), Equation(wall, on="boundary"), Equation(lambda x: x, name="nothing")))
    assert_told(caught.value, "equation 'nothing' has no field in it", "such as (u, x)")
