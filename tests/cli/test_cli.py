"""The command line as a user meets it: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import shutil
from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch

from pinnml import Features, load
from pinnml.cli.list_command import OWN
from pinnml.cli.script import load_script
from pinnml.networks import NETWORKS
from pinnml.run import Recipe, prepared
from pinnml.solvers import SOLVERS
from tests.helpers.commands import pinnml
from tests.helpers.places import ROOT
from tests.helpers.rod import FILES, ROD

RUNS = ROOT / "tests" / "data" / "runs"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with one script."""
    monkeypatch.chdir(tmp_path)
    Path("rod.py").write_text(ROD)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} - {"rod.py"}


def one_error(result) -> str:
    """The message of a command that ended with a named error and nothing else."""
    assert result.status == 2
    assert result.out == ""
    assert result.err.startswith("Error: ")
    assert "Traceback" not in result.err
    return result.err


# ------------------------------------------------------------------------------------------------ solve


def test_a_good_solve_ends_with_a_summary_and_status_0_and_writes_nothing(folder) -> None:
    result = pinnml("solve", "rod.py")
    assert (result.status, result.err) == (0, "")
    rows = {line[:8].strip(): line[10:].strip() for line in result.out.splitlines()}
    assert rows["problem"] == "rod sine"
    assert rows["network"].startswith("features:count=30,bandwidth=")
    assert rows["solver"] == "lsgd"
    assert rows["promise"] == "1.0e-09, kept"
    assert rows["verdict"] == "good"
    assert rows["residual"].startswith("bend")
    error = float(rows["error"].split()[1])
    assert 0 < error < 1e-9
    assert files(folder) == set()


def test_the_summary_fits_80_columns_without_colour() -> None:
    result = pinnml("solve", "rod.py", "--solver", "adam", "--steps", "3", "--out", "a/rather/long/name/of/a/folder")
    assert max(map(len, result.out.splitlines())) <= 80
    assert "\x1b" not in result.out


def test_a_solve_that_is_not_good_says_why_and_ends_with_status_1() -> None:
    result = pinnml("solve", "rod.py", "--solver", "adam", "--steps", "3")
    words = " ".join(result.out.split())
    assert result.status == 1
    assert "verdict not good" in words
    assert "The solver did not finish: the limit of steps was reached" in words
    assert "the script promises 1.0e-09" in words
    assert "1.0e-09, not kept" in words
    assert "adam:steps=3" in words


def test_a_promise_that_is_not_kept_is_status_1_though_the_solver_was_done() -> None:
    Path("rod.py").write_text(ROD.replace("expect=1e-9", "expect=1e-99"))
    result = pinnml("solve", "rod.py")
    assert result.status == 1
    assert "1.0e-99, not kept" in result.out


def test_parameters_reach_the_problem_and_its_recipe() -> None:
    # a tenth of the scale, so that the absolute error shows: the field itself is asked for below
    result = pinnml("solve", "rod.py", "case=cosine", "scale=3", "--out", "run")
    assert "rod cosine" in result.out
    assert "1.0e-08, kept" in result.out
    u = load("run/checkpoint.pt")(np.array([[0.25]]))["u"]
    assert u == pytest.approx(3 * np.cos(pi / 4), rel=1e-8)


def test_out_holds_the_files_of_a_run_and_the_summary_names_them(folder) -> None:
    result = pinnml("solve", "rod.py", "--out", "runs/rod")
    assert {path.name for path in Path("runs/rod").iterdir()} == FILES
    assert files(folder) == {"runs", "runs/rod"} | {f"runs/rod/{name}" for name in FILES}
    assert all(name in result.out for name in (*FILES, "runs/rod"))


def test_json_prints_the_verdict_file_and_nothing_else() -> None:
    Path("rod.py").write_text("print('a word of the script')\n" + ROD)
    result = pinnml("solve", "rod.py", "--json", "--seed", "3", "--out", "run")
    assert result.out == Path("run/verdict.json").read_text()
    verdict = json.loads(result.out)
    wanted = {"status", "converged", "relative_l2", "held_out", "seconds", "steps", "parameters", "seed", "device"}
    assert wanted | {"dtype", "solver", "network"} <= set(verdict)
    assert (verdict["seed"], verdict["solver"], verdict["network"], verdict["good"]) == (3, "lsgd", "features", True)
    assert "a word of the script" in result.err


def test_quiet_prints_one_line() -> None:
    result = pinnml("solve", "rod.py", "--quiet")
    assert result.out.startswith("rod sine: good, error ")
    assert result.out.count("\n") == 1


def verdict_of(*options: str) -> tuple[dict, dict]:
    """The verdict and the settings of a short solve."""
    pinnml("solve", "rod.py", "--out", "run", *options)
    return json.loads(Path("run/verdict.json").read_text()), json.loads(Path("run/config.json").read_text())


def test_options_replace_parts_of_the_recipe() -> None:
    verdict, config = verdict_of(
        *("--solver", "lm:steps=50,target=0.25", "--network", "mlp:width=5,depth=1,activation=tanh", "--steps", "4"),
        *("--points", "70", "--dtype", "float32", "--seed", "7"),
    )
    assert (verdict["solver"], verdict["network"], verdict["steps"]) == ("lm", "mlp", 4)
    assert (verdict["seed"], verdict["dtype"], verdict["parameters"]) == (7, "float32", 5 * 2 + 5 + 1)
    assert config["solver"]["target"] == 0.25
    assert config["network"]["activation"] == "tanh"
    assert config["points"] == {"interior": 70, "boundary": 2}
    assert config["expect"] == 1e-9  # the promise stays that of the script


def test_options_of_the_same_kind_leave_the_rest_of_the_recipe() -> None:
    _, config = verdict_of("--network", "features:count=20", "--points", "interior=80,boundary=2")
    assert config["network"]["bandwidth"] == [6.0]
    assert config["network"]["count"] == 20
    assert config["points"] == {"interior": 80, "boundary": 2}


def test_a_limit_of_seconds_ends_a_solve() -> None:
    verdict, _ = verdict_of("--solver", "adam", "--steps", "1000000", "--seconds", "0.3")
    assert verdict["status"] == "seconds"
    assert 0.3 <= verdict["seconds"] < 5


BROKEN = {
    "nothing there": (["nowhere.py"], {}, "there is no script 'nowhere.py'"),
    "nearest file": (["rods.py"], {}, "did you mean 'rod.py'?"),
    "syntax": (["rod.py"], {"def problem(": "def problem(:"}, "rod.py, line 10: invalid syntax"),
    "no problem": (["rod.py"], {"def problem(": "def problems("}, "did you mean 'problems'?"),
    "raises": (["rod.py"], {"    wave = ": "    1 / 0\n    wave = "}, "ZeroDivisionError: division by zero"),
    "raises in a residual": (["rod.py"], {"return u.d(": "return [][1] + u.d("}, "in equation 'bend'"),
    "shape": (["rod.py"], {"return u - exact(x)": "return u.value.unsqueeze(1)"}, "equation 'ends'"),
    "unknown region": (["rod.py"], {'"boundary"': '"bondary"'}, "did you mean 'boundary'?"),
    "not finite": (["rod.py"], {"return u - exact(x)": "return u / 0 - 1 / (x - x)"}, "equation 'ends' gives"),
    "not a recipe": (["rod.py"], {"-> Recipe:\n": "-> Recipe:\n    return 3\n"}, "recipe is not a Recipe"),
    "unknown parameter": (["rod.py", "scales=2"], {}, "did you mean 'scale'?"),
    "unknown case": (["rod.py", "case=cosin"], {}, "did you mean 'cosine'?"),
    "no number": (["rod.py", "scale=big"], {}, "a number, such as 1"),
    "no value": (["rod.py", "scale"], {}, "key=value"),
    "twice": (["rod.py", "scale=2", "scale=3"], {}, "given twice"),
    "solver": (["rod.py", "--solver", "lms"], {}, "did you mean 'lm'?"),
    "solver option": (["rod.py", "--solver", "lm:stepz=4"], {}, "did you mean 'steps'?"),
    "solver value": (["rod.py", "--solver", "lm:damping=soft"], {}, '"trust-region", a number'),
    "network": (["rod.py", "--network", "feature"], {}, "did you mean 'features'?"),
    "network value": (["rod.py", "--network", "mlp:width=-3"], {}, "a whole number of 1 or more"),
    "network function": (["rod.py", "--network", "mlp:inputs=x"], {}, "put it into the recipe"),
    "points": (["rod.py", "--points", "many"], {}, "interior=4000,boundary=500"),
    "no points": (["rod.py", "--points", "0"], {}, "a whole number of 1 or more"),
    "points nowhere": (["rod.py", "--points", "interior=9,x=2=3"], {}, "unknown region 'x=2'"),
    "points without equation": (["rod.py", "--points", "interior=9,x=0=3"], {}, "on which there is none"),
    "steps": (["rod.py", "--steps", "0"], {}, "a whole number of 1 or more"),
    "seconds": (["rod.py", "--seconds", "-1"], {}, "a number above 0"),
    "dtype": (["rod.py", "--dtype", "float16"], {}, "one of float32, float64"),
    "device": (["rod.py", "--device", "gpu"], {}, "cpu, cuda or cuda:N"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_named_and_an_existing_folder_is_left_as_it_was(folder, name) -> None:
    arguments, changes, words = BROKEN[name]
    text = ROD
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    Path("rod.py").write_text(text)
    shutil.copytree(RUNS / "rod_features", "run")
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    result = pinnml("solve", *arguments, "--out", "run", "--quiet")
    assert words in one_error(result)
    assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before
    assert files(folder) == {"run"} | {f"run/{file}" for file in before}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_a_named_error(folder) -> None:
    message = one_error(pinnml("solve", "rod.py", "--device", "cuda", "--out", "run", "--json"))
    assert "there is no CUDA device here" in message
    assert "leave --device out" in message
    assert files(folder) == set()


def test_a_folder_that_is_a_file_is_refused_before_the_solve() -> None:
    Path("run").write_text("mine")
    assert "a run needs a folder" in one_error(pinnml("solve", "rod.py", "--out", "run"))
    assert Path("run").read_text() == "mine"


def test_an_exception_of_the_script_shows_its_own_lines_alone(folder) -> None:
    Path("rod.py").write_text(ROD.replace("return u.d(", "return [][1] + u.d("))
    message = one_error(pinnml("solve", "rod.py"))
    assert f"{folder / 'rod.py'}, line 15, in bend\n" in message
    assert 'return [][1] + u.d("xx")' in message
    assert "pinnml/" not in message


def test_an_error_of_the_library_itself_is_not_blamed_on_the_script(monkeypatch) -> None:
    def broken(*_, **__):
        raise RuntimeError("a defect")

    monkeypatch.setattr(Recipe, "solve", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        pinnml("solve", "rod.py")


INTERRUPT = """        calls.append(0)
        if len(calls) == interrupted:
            raise KeyboardInterrupt
"""


@pytest.mark.parametrize("when", ["before the first step", "in the first step"])
def test_an_interruption_before_there_is_a_result_leaves_no_half_of_one(folder, when) -> None:
    text = ROD.replace("    def ends(u, x):\n", "    def ends(u, x):\n" + INTERRUPT) + "\ncalls, interrupted = [], -1\n"
    Path("rod.py").write_text(text)
    script = load_script("rod.py")
    problem = script.problem()
    prepared(problem, Recipe(Features(30), points=200))
    at = 2 if when == "before the first step" else len(script.module.calls) + 1
    Path("rod.py").write_text(text.replace("-1", str(at)))
    result = pinnml("solve", "rod.py", "--out", "run")
    if when == "before the first step":
        assert (result.status, result.out, result.err) == (130, "", "Interrupted.\n")
        assert files(folder) == set()
    else:
        assert result.status == 130
        assert json.loads(Path("run/verdict.json").read_text())["status"] == "interrupted"
        assert {path.name for path in Path("run").iterdir()} == FILES


# ------------------------------------------------------------------------------- check, list, new


def test_check_shows_what_a_problem_is_made_of_and_trains_nothing(folder) -> None:
    result = pinnml("check", "rod.py", "case=cosine")
    assert (result.status, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines()]
    assert ["problem", "rod", "cosine"] in rows
    assert ["interior", "200", "1"] in rows
    assert ["boundary", "2", "2"] in rows
    assert ["bend", "interior", "1", "u_xx"] in [row[:4] for row in rows]
    assert "linear in the head" in result.out
    assert "The exact solution satisfies every equation." in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    assert files(folder) == set()


def test_check_names_the_equation_that_exact_does_not_satisfy() -> None:
    Path("rod.py").write_text(ROD.replace("return u - exact(x)", "return u - exact(x) - 0.1"))
    result = pinnml("check", "rod.py")
    words = " ".join(result.out.split())
    assert result.status == 1
    assert "does not satisfy equation 'ends' on boundary" in words
    assert "most at x = " in words
    assert "satisfies every equation" not in words


def test_check_notes_faces_without_a_condition() -> None:
    Path("rod.py").write_text(ROD.replace('"boundary"', '"x=0"'))
    result = pinnml("check", "rod.py")
    assert result.status == 0
    assert "Note: No condition on x=1" in result.out


@pytest.mark.parametrize("arguments", [["nowhere.py"], ["rod.py", "case=cosin"]])
def test_check_tells_errors_of_scripts(arguments) -> None:
    one_error(pinnml("check", *arguments))


def test_list_shows_every_script_with_cases_parameters_and_promises(folder) -> None:
    Path("_parts.py").write_text("1 / 0")
    Path("beam.py").write_text(ROD.split("def recipe")[0].replace("A rod under load.", "A beam."))
    result = pinnml("list", ".")
    assert (result.status, result.err) == (0, "")
    lines = [line.strip() for line in result.out.splitlines()]
    assert lines.index("beam.py") < lines.index("A beam.") < lines.index("rod.py") < lines.index("A rod under load.")
    rows = [line.split("  ", 1) for line in lines if "  " in line]
    assert ["parameters", "scale=1"] in [[key, value.strip()] for key, value in rows]
    assert ["cases", "sine, cosine (by default sine)"] in [[key, value.strip()] for key, value in rows]
    promises = [value.strip() for key, value in rows if key == "promised error"]
    assert promises == ["none", "sine 1e-09, cosine 1e-08"]
    assert files(folder) == {"_parts.py", "beam.py"}


def test_list_marks_a_broken_script_and_goes_on() -> None:
    Path("aaa.py").write_text("def problem(:\n")
    result = pinnml("list", ".")
    assert result.status == 1
    assert "aaa.py  broken" in result.out
    assert "aaa.py, line 1: invalid syntax" in result.out
    assert "A rod under load." in result.out


def test_list_of_a_folder_that_is_not_there_or_holds_nothing_is_a_named_error(monkeypatch) -> None:
    monkeypatch.setattr("pinnml.cli.list_command.OWN", Path("nowhere"))
    error = one_error(pinnml("list"))
    assert "there is no folder 'problems'" in error
    assert "and none with pinnml" in error
    assert "there is no folder 'rod.py'" in one_error(pinnml("list", "rod.py"))
    Path("empty").mkdir()
    assert "no problem scripts in 'empty'" in one_error(pinnml("list", "empty"))


def test_list_without_a_folder_says_what_it_looks_at(folder, monkeypatch) -> None:
    """The folder `problems` of the working directory; where there is none, that of pinnml's source."""
    monkeypatch.setattr("pinnml.cli.list_command.OWN", folder / "with_pinnml")
    for name in ("with_pinnml", "problems"):
        (folder / name).mkdir()
        (folder / name / "beam.py").write_text(ROD.split("def recipe")[0].replace("A rod under load.", name))
        result = pinnml("list")
        assert result.status == 0
        assert result.out.startswith(f"Problem scripts in {folder / name}\n")
        assert name in [line.strip() for line in result.out.splitlines()]


def test_the_problems_of_the_source_are_there() -> None:
    assert (OWN / "poisson.py").is_file()


@pytest.mark.parametrize("name", ["heat", "heat.py", "sub/heat"])
def test_new_writes_a_script_that_checks_and_solves_as_it_stands(folder, name) -> None:
    Path("sub").mkdir()
    path = Path(name).with_suffix(".py")
    result = pinnml("new", name)
    assert result.status == 0
    assert f"pinnml solve {path}" in result.out
    assert files(folder) == {"sub", str(path)}
    assert "pinnml solve heat.py k=2" in path.read_text()  # its own name in its own words
    assert pinnml("check", str(path)).status == 0
    solved = pinnml("solve", str(path), "--quiet")
    assert solved.status == 0
    assert solved.out.startswith("heat: good")


def test_new_overwrites_nothing() -> None:
    assert "is there already" in one_error(pinnml("new", "rod"))
    assert Path("rod.py").read_text() == ROD


@pytest.mark.parametrize("name", ["nowhere/heat", ".py"])
def test_new_refuses_what_it_cannot_write(folder, name) -> None:
    one_error(pinnml("new", name))
    assert files(folder) == set()


def test_help_tells_a_newcomer_what_there_is() -> None:
    text = pinnml("--help").out
    assert all(word in text for word in ("solve", "check", "list", "new", "--version", "To begin"))
    text = pinnml("solve", "--help").out
    assert all(f"--{name}" in text for name in ("solver", "network", "points", "steps", "seconds", "device", "dtype"))
    assert all(f"--{name}" in text for name in ("seed", "out", "json", "quiet"))
    assert all(name in text for name in (*SOLVERS, *NETWORKS))


def test_version_is_one_line() -> None:
    result = pinnml("--version")
    assert result.status == 0
    assert result.out.startswith("pinnml ")
    assert result.out.count("\n") == 1


def test_an_option_that_is_not_there_is_refused() -> None:
    assert pinnml("solve", "rod.py", "--solvr", "lm").status == 2
