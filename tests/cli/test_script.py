"""Problem scripts: what is read from them, what becomes of parameters, and how their mistakes are told."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pinnml import Recipe
from pinnml.cli.script import REQUIRED, load_script
from pinnml.errors import ScriptError, SettingsError, UnknownNameError
from tests.helpers.places import ROOT

#: A problem that holds together, for scripts that are about something else.
LINE = """
from pinnml import Box, Equation, Problem, Recipe

def line(name="", **extra):
    def flat(u):
        return u.d("xx")
    def ends(u):
        return u
    equations = (Equation(flat), Equation(ends, on="boundary"))
    return Problem(domain=Box(x=(0, 1)), fields="u", equations=equations, name=name)
"""
SEEN = "seen = {}\ndef problem(%s):\n    seen.update(locals())\n    return line()\n"


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "rod.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    return write


def test_title_cases_and_parameters_are_read_from_the_script(write) -> None:
    head = '"""Heat in a rod.\n\nMore.\n"""\nfrom typing import Literal\n'
    text = head + LINE + 'def problem(case: Literal["short", "long"] = "short", k: float = 2.0, n=3): return line()\n'
    script = load_script(write(text))
    assert (script.name, script.title, script.cases) == ("rod", "Heat in a rod.", ("short", "long"))
    assert script.parameters == {"case": "short", "k": 2.0, "n": 3}


@pytest.mark.parametrize("annotation", ["", ": str", ": NoSuchName"])
def test_a_case_without_a_literal_annotation_leaves_the_cases_open(write, annotation) -> None:
    text = "from __future__ import annotations\n" + LINE + f"def problem(case{annotation} = 'a'): return line()\n"
    script = load_script(write(text))
    assert script.cases == ()
    assert script.problem(case="whatever").fields[0].name == "u"


def test_cases_are_read_where_annotations_are_postponed(write) -> None:
    text = "from __future__ import annotations\nfrom typing import Literal\n" + LINE
    assert load_script(write(text + "def problem(case: Literal['a'] = 'a'): return line()\n")).cases == ("a",)


@pytest.mark.parametrize(
    ("signature", "made", "name"),
    [
        ("", "line()", "rod"),
        ('case: Literal["a", "b"] = "b"', "line()", "rod b"),
        ('case: Literal["a"] = "a"', 'line("my own")', "my own"),
        ("case=7", "line()", "rod"),
    ],
)
def test_a_problem_without_a_name_is_called_after_script_and_case(write, signature, made, name) -> None:
    text = f"from typing import Literal\n{LINE}def problem({signature}): return {made}\n"
    assert load_script(write(text)).problem().name == name


@pytest.mark.parametrize(
    ("signature", "given", "expected"),
    [
        ("k=2.0", {"k": 3}, 3.0),
        ("k=2", {"k": 3}, 3),
        ("k=2", {"k": 3.5}, 3.5),
        ("k=(1, 2)", {"k": (3, 4)}, (3, 4)),
        ("k=None", {"k": "word"}, "word"),
        ("k=True", {"k": False}, False),
        ("k=2.0", {}, 2.0),
        ("**k", {"any": 1}, {"any": 1}),
    ],
)
def test_parameters_arrive_in_the_kind_of_their_defaults(write, signature, given, expected) -> None:
    script = load_script(write(LINE + SEEN % signature))
    script.problem(**given)
    value = script.module.seen["k"]
    assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize("value", ["abc", None, True, (1, 2)])
def test_what_is_no_number_is_refused_in_the_place_of_one(write, value) -> None:
    script = load_script(write(LINE + SEEN % "k=2.0"))
    with pytest.raises(ScriptError, match="parameter 'k'") as caught:
        script.problem(k=value)
    assert caught.value.expected == "a number, such as 2"
    assert caught.value.got == repr(value)


@pytest.mark.parametrize("ask", ["problem", "recipe"])
def test_an_unknown_parameter_lists_those_there_are_and_suggests_the_nearest(write, ask) -> None:
    script = load_script(write(LINE + SEEN % "kappa=1.0, width=2.0"))
    with pytest.raises(ScriptError, match="unknown parameter 'kapa'") as caught:
        getattr(script, ask)(kapa=2)
    assert caught.value.expected == "one of kappa, width"
    assert caught.value.cure == "did you mean 'kappa'?"
    assert script.module.seen == {}


def test_an_unknown_case_lists_those_there_are_and_suggests_the_nearest(write) -> None:
    text = "from typing import Literal\n" + LINE + SEEN % "case: Literal['sine', 'cube'] = 'sine'"
    with pytest.raises(ScriptError, match="unknown case 'sinus'") as caught:
        load_script(write(text)).problem(case="sinus")
    assert caught.value.expected == "one of sine, cube"
    assert caught.value.cure == "did you mean 'sine'?"


def test_a_parameter_without_default_must_be_given(write) -> None:
    script = load_script(write(LINE + SEEN % "k"))
    assert script.parameters["k"] is REQUIRED
    with pytest.raises(ScriptError, match="needs 'k'"):
        script.problem()
    script.problem(k=4)
    assert script.module.seen["k"] == 4


def test_a_script_without_recipe_has_a_plain_one(write) -> None:
    assert load_script(write(LINE + SEEN % "")).recipe() == Recipe()


def test_a_recipe_may_be_a_value(write) -> None:
    assert load_script(write(LINE + SEEN % "k=1.0" + "recipe = Recipe(expect=1e-3)")).recipe(k=2).expect == 1e-3


def test_a_recipe_function_receives_those_parameters_that_it_names(write) -> None:
    recipe = "def recipe(k, other=5.0): return Recipe(expect=k, points=int(other))"
    script = load_script(write(LINE + SEEN % "k=0.25, length=1.0" + recipe))
    assert script.recipe().expect == 0.25  # the problem's default
    assert script.recipe(k=0.5, length=2).expect == 0.5
    assert script.recipe().points == 5


@pytest.mark.parametrize("recipe", ["recipe = 3", "recipe = None", "def recipe(): return 'lm'"])
def test_a_recipe_of_another_kind_is_refused(write, recipe) -> None:
    script = load_script(write(LINE + SEEN % "" + recipe))
    with pytest.raises(ScriptError, match="recipe is not a Recipe") as caught:
        script.recipe()
    assert str(caught.value.expected).startswith("a Recipe")


def test_the_folder_can_be_imported_from_only_while_the_script_runs(write, tmp_path) -> None:
    write("rate = 1.5\n", "neighbour_rates.py")
    late = "def problem():\n    import neighbour_late\n    return line(neighbour_late.name)\n"
    write("name = 'late'\n", "neighbour_late.py")
    before = list(sys.path)
    script = load_script(write("import neighbour_rates\nrate = neighbour_rates.rate\n" + LINE + late))
    assert script.module.rate == 1.5
    assert script.problem().name == "late"
    assert sys.path == before
    assert not [name for name in sys.modules if "neighbour" in name or "problem script" in name]
    assert not list(tmp_path.rglob("__pycache__"))


def test_neighbours_of_one_name_in_two_folders_are_kept_apart(write) -> None:
    scripts = []
    for folder, value in (("one", 1), ("two", 2)):
        write(f"value = {value}\n", f"{folder}/neighbour.py")
        scripts.append(load_script(write("from neighbour import value\n" + LINE + SEEN % "", f"{folder}/rod.py")))
    assert [script.module.value for script in scripts] == [1, 2]


def test_a_script_may_define_dataclasses_with_postponed_annotations(write) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    k: int = 1\n"
    )
    assert load_script(write(text + LINE + SEEN % "")).module.A().k == 1


def test_a_script_may_bear_the_name_of_a_package(write) -> None:
    script = load_script(write("import numpy\nzero = numpy.zeros(1)\n" + LINE + SEEN % "", "numpy.py"))
    assert script.module.zero.shape == (1,)
    assert script.problem().name == "numpy"


def test_the_part_for_running_a_script_by_itself_stays_out(write) -> None:
    load_script(write(LINE + SEEN % "" + "if __name__ == '__main__':\n    raise RuntimeError('run')"))


@pytest.mark.parametrize(
    ("asked", "cure"),
    [("rob.py", "rod.py"), ("rod", "rod.py"), ("nothing_like_it.py", "pinnml list")],
)
def test_a_file_that_is_not_there_suggests_the_nearest(write, asked, cure) -> None:
    folder = write(LINE).parent
    with pytest.raises(ScriptError, match="there is no script") as caught:
        load_script(folder / asked)
    assert cure in str(caught.value.cure)


def test_a_folder_is_no_script(tmp_path) -> None:
    with pytest.raises(ScriptError) as caught:
        load_script(tmp_path)
    assert caught.value.got == "a folder"


def test_a_script_without_problem_suggests_the_nearest_name(write) -> None:
    with pytest.raises(ScriptError, match="no function `problem`") as caught:
        load_script(write(LINE + "def problems(k=1): return line()\n"))
    assert caught.value.cure == "did you mean 'problems'?"
    assert caught.value.got == "definitions of line, problems"  # and not what it imports


def test_a_problem_that_is_no_function_is_refused(write) -> None:
    with pytest.raises(ScriptError, match="no function `problem`") as caught:
        load_script(write(LINE + "problem = line()\n"))
    assert str(caught.value.got).startswith("Problem")


def test_a_syntax_error_is_told_with_its_line_and_text(write) -> None:
    path = write("x = 1\ndef problem(:\n    pass\n")
    with pytest.raises(ScriptError, match=r"rod\.py, line 2: invalid syntax") as caught:
        load_script(path)
    assert caught.value.got == "def problem(:"


@pytest.mark.parametrize("content", [b"x = '\xff'\n", b"x = 1\x00\n"])
def test_a_file_that_is_not_text_is_refused(tmp_path, content) -> None:
    (tmp_path / "rod.py").write_bytes(content)
    with pytest.raises(ScriptError, match=r"rod\.py"):
        load_script(tmp_path / "rod.py")


@pytest.mark.parametrize("trouble", ["1 / 0", "raise SystemExit(3)", "import no_such_package"])
def test_a_script_that_raises_is_told_with_its_exception_and_line(write, trouble) -> None:
    path = write(f"x = 1\n{trouble}\n")
    with pytest.raises(ScriptError, match="the script raised") as caught:
        load_script(path)
    assert f"{path}, line 2" in str(caught.value.got)
    assert trouble in str(caught.value.got)


def test_a_problem_that_raises_shows_the_lines_of_the_script_alone(write) -> None:
    path = write("def helper(k):\n    return {}[k]\ndef problem(k=1):\n    return helper(k)\n")
    script = load_script(path)
    with pytest.raises(ScriptError, match=r"problem\(\) raised KeyError") as caught:
        script.problem()
    got = str(caught.value.got)
    assert got.index(f"{path}, line 4, in problem") < got.index(f"{path}, line 2, in helper")
    assert "pinnml/" not in got
    assert caught.value.cure == f"mend {path}, line 2"


def test_an_exception_in_a_neighbour_is_the_users_own(write) -> None:
    neighbour = write("def broken():\n    raise ValueError('no')\n", "neighbour_broken.py")
    with pytest.raises(ScriptError) as caught:
        load_script(write("from neighbour_broken import broken\nbroken()\n"))
    assert f"{neighbour}, line 2" in str(caught.value.got)


@pytest.mark.parametrize(("made", "got"), [("None", "None"), ("3", "int 3")])
def test_a_problem_that_is_not_one_is_refused(write, made, got) -> None:
    script = load_script(write(f"def problem():\n    return {made}\n"))
    with pytest.raises(ScriptError, match="does not return a Problem") as caught:
        script.problem()
    assert (caught.value.expected, caught.value.got) == ("a Problem", got)


def test_an_error_of_the_library_keeps_its_kind_and_gets_the_line(write) -> None:
    text = LINE.replace('on="boundary"', 'on="x=7"') + "def problem(): return line()\n"
    line = 1 + dedent(text).splitlines().index(next(row for row in text.splitlines() if "return Problem" in row))
    with pytest.raises(UnknownNameError, match=rf"rod\.py, line {line}: unknown region 'x=7'"):
        load_script(write(text)).problem()


def test_a_recipe_with_a_wrong_setting_is_told_by_line(write) -> None:
    path = write("from pinnml import LSGD, Recipe\n\nrecipe = Recipe(solver=LSGD(steps=0))\n")
    with pytest.raises(SettingsError, match=r"rod\.py, line 3: steps"):
        load_script(path)


@pytest.mark.parametrize("path", sorted(ROOT.glob("problems/*.py")), ids=lambda path: path.stem)
def test_every_script_of_the_project_makes_its_problems_and_promises_an_error(path) -> None:
    script = load_script(path)
    assert script.title
    for case in script.cases or (None,):
        chosen = {} if case is None else {"case": case}
        problem = script.problem(**chosen)
        assert problem.name == f"{path.stem} {case or ''}".strip()
        # no recipe can promise an error for whatever is drawn
        assert (script.recipe(**chosen).expect is None) == bool(problem.random)


def test_a_failed_run_leaves_the_interpreter_as_it_was(write) -> None:
    before = list(sys.path), sys.dont_write_bytecode
    with pytest.raises(ScriptError):
        load_script(write("import sys\nsys.path.insert(0, 'nowhere')\n1 / 0\n"))
    assert (list(sys.path), sys.dont_write_bytecode) == before
