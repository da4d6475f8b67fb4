"""What the options of the command line say, and the progress that it shows."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from pinnml import LSGD, MLP, Adam, Features, LevenbergMarquardt
from pinnml.cli.application import app
from pinnml.cli.settings import chosen, dtype_of, points_of
from pinnml.cli.values import pairs, read, split, written
from pinnml.errors import PinnmlError, SettingsError, UnknownNameError
from pinnml.networks import NETWORKS
from pinnml.solvers import SOLVERS
from tests.helpers.rod import ROD


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("3", 3), ("-1", -1), ("3e-2", 0.03), ("2j", 2j), ("(3, 4)", (3, 4)), ("[1,2.5]", [1, 2.5])],
        *[("True", True), ("None", None), ("sine", "sine"), ("'3'", "3"), ("a b", "a b"), ("1+", "1+")],
    ],
)
def test_values_are_python_literals_or_text(text, value) -> None:
    assert read(text) == value
    assert type(read(text)) is type(value)


def test_numbers_stay_text_where_text_is_wanted() -> None:
    assert (read("1e3", as_text=True), read("'a'", as_text=True)) == ("1e3", "a")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("count=400,bandwidth=(3,9)", ["count=400", "bandwidth=(3,9)"]),
        ("a=[1,(2,3)],b={4,5}", ["a=[1,(2,3)]", "b={4,5}"]),
        ("a='x,y',b=1", ["a='x,y'", "b=1"]),
        ("a=1,", ["a=1"]),
        ("", []),
    ],
)
def test_commas_within_brackets_and_quotes_belong_to_the_value(text, parts) -> None:
    assert split(text) == parts


@pytest.mark.parametrize("item", ["a", "=1", "a="])
def test_items_that_are_no_pairs_are_refused(item) -> None:
    with pytest.raises(SettingsError, match="key=value"):
        pairs([item], "options")


@pytest.mark.parametrize(
    ("text", "registry", "own", "expected"),
    [
        ("lm", SOLVERS, LSGD(steps=7), LevenbergMarquardt()),
        ("lm:steps=5,damping=1e-3", SOLVERS, None, LevenbergMarquardt(steps=5, damping=1e-3)),
        ("lm:damping=1", SOLVERS, None, LevenbergMarquardt(damping=1.0)),
        ("lsgd:hidden=fixed", SOLVERS, LSGD(steps=7, damping=0.5), LSGD(steps=7, damping=0.5, hidden="fixed")),
        ("lsgd:balance=false,cutoff=None", SOLVERS, LSGD(cutoff=0.1), LSGD(balance=False)),
        ("adam:rate=1,seconds=2", SOLVERS, None, Adam(rate=1.0, seconds=2.0)),
        ("features:count=400,bandwidth=(3,9)", NETWORKS, None, Features(400, bandwidth=(3, 9))),
        ("features:bandwidth=3", NETWORKS, Features(50, "tanh"), Features(50, "tanh", 3.0)),
        ("mlp:width=16,residual=True", NETWORKS, Features(50), MLP(16, residual=True)),
        (" mlp : width = 16 ", NETWORKS, None, MLP(16)),
    ],
)
def test_kind_and_options_make_settings(text, registry, own, expected) -> None:
    assert chosen(text, "kind", registry, own) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lm:steps=2.5", "a whole number"),
        ("lm:steps=True", "a whole number"),
        ("lm:target=high", "a number"),
        ("lsgd:balance=2", "True or False"),
        ("lsgd:cutoff=low", "a number or None"),
        ("features:bandwidth=(3,wide)", "a number or a list such as (3, 4) or None"),
        ("features:activation=3", "a word"),
    ],
)
def test_values_of_another_kind_are_refused_with_what_is_expected(text, expected) -> None:
    with pytest.raises(SettingsError) as caught:
        chosen(text, "settings", {**SOLVERS, **NETWORKS}, None)
    assert caught.value.expected == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("adam:rate=-1", "rate"),
        ("adam:rate=fast", "rate"),
        ("lsgd:cutoff=5", "cutoff"),
        ("lbfgs:inner=0", "inner"),
        ("lm:damping=abc", "damping"),
        ("lm:steps=0", "steps"),
        ("mlp:width=-3", "width"),
        ("mlp:width=abc", "width"),
        ("multilevel:levels=0", "levels"),
    ],
)
def test_values_that_cannot_be_end_the_command_by_name_with_a_cure(text, name, tmp_path) -> None:
    script = tmp_path / "rod.py"
    script.write_text(ROD)
    option = "--network" if text.startswith("mlp") else "--solver"
    result = CliRunner().invoke(app, ["solve", str(script), option, text])
    assert result.exit_code == 2
    assert name in result.stderr.partition("\n")[0]
    assert all(f"  {part}:" in result.stderr for part in ("expected", "got", "cure"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--points", "0"), "1 or more"),
        (("--steps", "0"), "1 or more"),
        (("--seconds", "-1"), "above 0"),
        (("--device", "mps"), "cpu, cuda or cuda:N"),
        (("case=foo",), "one of sine, cosine"),
        (("b=3",), "one of case, scale"),
        (("scle=3",), "did you mean 'scale'?"),
        (("case=sin",), "did you mean 'sine'?"),
    ],
)
def test_what_is_valid_is_said_with_a_cure(arguments, words, tmp_path) -> None:
    script = tmp_path / "rod.py"
    script.write_text(ROD)
    result = CliRunner().invoke(app, ["solve", str(script), *arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert "  cure:" in result.stderr


@pytest.mark.parametrize("text", ["lm:decay=1", "adam:target=1", "LM", "", "mlp"])
def test_kinds_and_options_that_are_not_there_are_refused(text) -> None:
    with pytest.raises(UnknownNameError):
        chosen(text, "solver", SOLVERS, None)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("multilevel:levels=2,inner=lm:steps=2,patience=3", "inner=(lm:steps=2,patience=3)"),
        ("multilevel:inner=lm,patience=3", "inner=(lm:patience=3)"),
        ("multilevel:patience=3,inner=lm", "inner=(lm:patience=3)"),
        ("multilevel:inner=(adam:steps=2),rate=0.1", "inner=(adam:steps=2,rate=0.1)"),
    ],
)
def test_options_of_a_solver_within_a_solver_belong_into_brackets(text, cure) -> None:
    with pytest.raises(UnknownNameError) as caught:
        chosen(text, "solver", SOLVERS, None)
    assert caught.value.cure is not None
    assert cure in caught.value.cure


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("4000", 4000),
        ("interior=40,boundary=5", {"interior": 40, "boundary": 5}),
        ("x=0=7,interior=9", {"x=0": 7, "interior": 9}),
    ],
)
def test_points_are_a_number_or_numbers_by_region(text, points) -> None:
    assert points_of(text) == points


@pytest.mark.parametrize("text", ["many", "interior=", "interior=2.5", "2.5", "=3x", "True", "interior"])
def test_points_of_another_form_are_refused(text) -> None:
    with pytest.raises(SettingsError, match="--points"):
        points_of(text)


def test_dtypes_go_by_name() -> None:
    assert dtype_of("float32") is torch.float32
    with pytest.raises(PinnmlError, match="unknown dtype"):
        dtype_of("double")


def test_settings_are_written_as_they_are_read() -> None:
    text = written({"count": 400, "bandwidth": [3.0, 9.5], "activation": "tanh", "inputs": None})
    assert text == "count=400,bandwidth=(3,9.5),activation=tanh,inputs=None"
    assert chosen(f"features:{text}", "network", NETWORKS, None) == Features(400, "tanh", (3, 9.5))
