"""Data sets made: every sample solves its equations, whatever is killed and however many processes there are."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from pinnml import Equation, Weak, div, dot, grad
from pinnml.errors import DataSetError, MissingExtraError, NonFiniteError, ProblemError, SettingsError, UnknownNameError
from pinnml.problem import GaussianField, LogNormalField, Normal, Uniform
from pinnml.surrogates import DataSet, generate
from pinnml.surrogates.data import Series
from pinnml.surrogates.data.solving import Solutions
from pinnml.surrogates.families.draws import Draws
from pinnml.surrogates.families.family import Family
from tests.helpers.places import ROOT
from tests.helpers.random_problems import conduction, square


def random_wall(distribution):
    """The problem with random values around."""
    problem = conduction()
    return replace(
        problem,
        equations=(problem.equations[0], Equation(lambda u, wall: u - wall, on="boundary", name="wall")),
        random={**problem.random, "wall": distribution},
    )


PROBLEMS = {
    "linear": conduction,
    "nonlinear": partial(conduction, 0.3),
    "a random number on the boundary": lambda: random_wall(Uniform(0, 1)),
    "a random field on the boundary": lambda: random_wall(GaussianField(0.4)),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("degree", [1, 2])
def test_every_sample_is_the_solution_of_its_draw(name, degree, tmp_path):
    problem = PROBLEMS[name]()
    data = generate(problem, samples=18, out=tmp_path / "data.h5", seed=2, degree=degree, shares=(1, 0, 0))
    family, draws = Family.of(problem, degree=degree), Draws(problem, square(), 2)
    assert data.samples[0].numbers.tolist() == [*range(18)]
    for number in (0, 1, 15, 16, 17):  # blocks are of 16
        draw = {name: each[0] for name, each in draws([number]).items()}
        for each, value in draw.items():
            np.testing.assert_allclose(data.inputs[each][number].numpy(), value, rtol=1e-12, atol=1e-12)
        expected = family.solve(draw).u.numpy()
        # both end at 1e-12 of the first residual; matrices of 150 unknowns have condition numbers of 1e3
        np.testing.assert_allclose(data.outputs[number].numpy(), expected, atol=1e-9 * np.abs(expected).max())


def test_equations_that_only_look_linear_are_solved_all_the_same(tmp_path, monkeypatch):
    """In the middle of all draws the factor of the nonlinear term is zero."""
    problem = replace(
        conduction(),
        equations=(
            Equation(lambda u, k, load: u.d("xx") + u.d("yy") + load + k * u**2, name="balance"),
            *conduction().equations[1:],
        ),
        weak=Weak(lambda u, v, k, load: dot(grad(u), grad(v)) - load * v - k * u**2 * v),
        random={"k": Normal(0, 2), "load": Uniform(1, 2)},
    )
    assert not Family.of(problem).is_linear
    monkeypatch.setattr(Family, "is_linear", True)
    data = generate(problem, samples=6, out=tmp_path / "data.h5", shares=(1, 0, 0))
    family = Family.of(problem)
    for row in range(6):
        expected = family.solve(data.samples[0].draw(row)).u
        torch.testing.assert_close(data.outputs[row], expected, rtol=1e-9, atol=1e-12)
        k, load = (float(data.inputs[name][row]) for name in ("k", "load"))
        linear = family.solve({"k": 0.0, "load": load}).u
        assert float((data.outputs[row] - linear).abs().max()) > 1e-4 * abs(k)


def test_an_ended_run_goes_on_with_what_it_has(tmp_path):
    whole, begun = tmp_path / "whole.h5", tmp_path / "begun.h5"
    generate(conduction(), samples=40, out=whole)
    done: list[int] = []

    def stop(made):
        done.append(made.done)
        if made.solved == 13:
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            generate(conduction(), samples=40, out=begun, progress=stop)
        assert not begun.exists()
    last: list = []
    generate(conduction(), samples=40, out=begun, progress=last.append)
    # of three times thirteen none was solved again
    assert done == [*range(1, 40)]
    assert [(made.done, made.samples, made.solved) for made in last] == [(40, 40, 1)]
    assert begun.read_bytes() == whole.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {"whole.h5", "begun.h5"}
    again: list = []
    found = generate(conduction(), samples=40, out=begun, progress=again.append)
    assert not again
    assert found.hashes == DataSet.read(whole).hashes


def test_a_damaged_sample_is_solved_again(tmp_path):
    out, counted = tmp_path / "data.h5", []
    generate(conduction(), samples=20, out=tmp_path / "whole.h5")
    with pytest.raises(KeyboardInterrupt):
        generate(conduction(), samples=20, out=out, progress=partial(_at, number=10))
    first, second = (tmp_path / f".data.h5.samples/{n}.sample" for n in (3, 5))
    first.write_bytes(first.read_bytes()[:-8])
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    generate(conduction(), samples=20, out=out, progress=counted.append)
    assert len(counted) == 12
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def _at(made, number):
    if made.solved == number:
        raise KeyboardInterrupt


CHANGES = {
    "seed": {"seed": 1},
    "degree": {"degree": 2},
    "mesh": {"mesh": square(5)},
    "random inputs": {"problem": replace(conduction(), random={**conduction().random, "k": LogNormalField(0.2, 0.7)})},
    "problem": {"problem": replace(conduction(), name="another")},
    "does not solve": {"problem": conduction(source=1.001)},
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("finished", [True, False])
def test_what_is_there_of_another_set_is_kept(what, finished, tmp_path):
    out, words = tmp_path / "data.h5", "differ in the " + what if what != "does not solve" else what
    stop = None if finished else partial(_at, number=3)
    if finished:
        generate(conduction(), samples=10, out=out, progress=stop)
    else:
        with pytest.raises(KeyboardInterrupt):
            generate(conduction(), samples=10, out=out, progress=stop)
    before = sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())
    with pytest.raises(DataSetError, match=words):
        generate(**{"problem": conduction(), "samples": 10, "out": out, **CHANGES[what]})
    assert sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()) == before


def test_other_numbers_of_samples_and_other_splits(tmp_path):
    out = tmp_path / "data.h5"
    generate(conduction(), samples=10, out=out)
    for changes, what in (({"samples": 11}, "number of samples"), ({"shares": (6, 2, 2)}, "split")):
        with pytest.raises(DataSetError, match=f"differ in the {what}"):
            generate(**{"problem": conduction(), "samples": 10, "out": out, **changes})
    unfinished, counted = tmp_path / "other.h5", []
    with pytest.raises(KeyboardInterrupt):
        generate(conduction(), samples=30, out=unfinished, progress=partial(_at, number=7))
    generate(conduction(), samples=10, out=unfinished, progress=counted.append)  # fewer will do
    assert len(counted) == 3
    assert unfinished.read_bytes() == out.read_bytes()


def test_a_file_of_something_else_is_not_overwritten(tmp_path):
    out = tmp_path / "letter.txt"
    out.write_text("my only copy")
    with pytest.raises(DataSetError, match="not a data set"):
        generate(conduction(), samples=10, out=out)
    assert out.read_text() == "my only copy"


def test_one_writer_at_a_time(tmp_path):
    out, refused = tmp_path / "data.h5", []

    def meanwhile(made):
        if made.solved == 2:
            with pytest.raises(SettingsError, match="another run writes here"):
                generate(conduction(), samples=10, out=out)
            refused.append(made)

    generate(conduction(), samples=10, out=out, progress=meanwhile)
    assert refused


def test_several_meshes_take_turns(tmp_path):
    meshes = (square(5), square(7), square(6))
    data = generate(conduction(), meshes, samples=20, out=tmp_path / "data.h5")
    again = DataSet.read(tmp_path / "data.h5")
    assert [each.numbers.tolist() for each in again.samples] == [[*range(i, 20, 3)] for i in range(3)]
    for mesh, each in zip(meshes, again.samples, strict=True):
        family = Family.of(replace(conduction(), domain=mesh))
        expected = family.solve(each.draw(3)).u
        torch.testing.assert_close(each.outputs[3], expected, rtol=1e-9, atol=1e-12)
    assert len({*again.split.training, *again.split.validation, *again.split.test}) == 20
    again.check_problem(conduction())
    again.check_mesh(square(7))
    assert data.hashes == again.hashes
    with pytest.raises(SettingsError, match="samples"):
        generate(conduction(), meshes, samples=2, out=tmp_path / "few.h5")


def test_draws_without_a_solution_are_named(tmp_path):
    cold = replace(conduction(), weak=Weak(lambda u, v, k, load: k * dot(grad(u), grad(v)) - (load - 3).log() * v))
    with pytest.raises(NonFiniteError, match=r"^draw \d+: a draw has no finite solution"):
        generate(cold, samples=10, out=tmp_path / "data.h5", seed=1)
    # -laplacian(u) = load (1 + u^2) has a solution for small loads only
    hot = replace(
        conduction(),
        weak=Weak(lambda u, v, k, load: dot(grad(u), grad(v)) - (load + 0 * k) * (1 + u**2) * v),
        random={**conduction().random, "load": Uniform(60, 120)},
    )
    with pytest.raises(ProblemError, match=r"^draw \d+: no solution was found"):
        generate(hot, samples=10, out=tmp_path / "data.h5")


def test_refused(tmp_path):
    out = tmp_path / "data.h5"
    for changes, words in (
        ({"samples": 0}, "samples"),
        ({"samples": "10"}, "samples"),
        ({"seed": -1}, "seed"),
        ({"degree": 0}, "degree"),
        ({"processes": 0}, "processes"),
        ({"mesh": 3}, "data are of draws on a mesh"),
        ({"mesh": ()}, "data are of draws on a mesh"),
        ({"samples": 2}, "no sample for"),
    ):
        with pytest.raises(SettingsError, match=words):
            generate(**{"problem": conduction(), "out": out, "samples": 10, **changes})
    with pytest.raises(ProblemError, match="nothing in the problem is random"):
        generate(conduction().with_values({"k": 1.0, "load": 1.0}), samples=10, out=out)
    with pytest.raises(SettingsError, match="cannot be sent to other processes"):
        generate(conduction(), samples=40, out=out, processes=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataSetError, match="cannot be written"):
        generate(conduction(), samples=10, out=tmp_path / "file" / "data.h5")


def test_a_block_is_the_same_whatever_is_asked_of_it():
    solutions = Solutions(Family.of(conduction()), seed=0, first=1, step=3)
    assert solutions.block(1) == solutions.block(46) == [*range(1, 49, 3)]
    assert solutions.block(49)[0] == 49
    assert Solutions(Family.of(conduction(0.3)), 0).block(7) == [7]
    alone, all_of_them = list(solutions([25])), list(solutions(solutions.block(25)))
    np.testing.assert_array_equal(alone[0].u, next(each.u for each in all_of_them if each.number == 25))


DT = 0.02


def one_step(power: float = 0.0):
    """(u - before) / dt - div(k grad u) + power u^3 = load, u = 0 around: one step of Euler's implicit method."""
    return replace(
        conduction(),
        equations=(
            Equation(
                lambda u, k, load, before: (u - before) / DT - div(k * grad(u)) + power * u**3 - load, name="balance"
            ),
            conduction().equations[1],
        ),
        weak=Weak(
            lambda u, v, k, load, before: ((u - before) / DT + power * u**3) * v + k * dot(grad(u), grad(v)) - load * v
        ),
        random={**conduction().random, "before": GaussianField(0.5)},
    )


@pytest.mark.parametrize("power", [0.0, 20.0])
def test_series_are_steps_one_after_the_other(power, tmp_path):
    series = Series(carry={"before": "u"}, times=tuple(DT * i for i in range(1, 6)))
    data = generate(one_step(power), samples=12, out=tmp_path / "data.h5", series=series)
    again = DataSet.read(tmp_path / "data.h5")
    assert again.series == series
    assert again.outputs.shape == (12, 5, Family.of(one_step()).size)
    again.check_problem(one_step(power))
    family = Family.of(one_step(power))
    mass, free = family.mass, family.constraint(family.middle).free
    for row in (0, 11):
        draw = {name: value.numpy() for name, value in data.samples[0].draw(row).items()}
        # by matrices of the terms alone: before as it is drawn, then as it was found
        heat = replace(conduction(), weak=Weak(lambda u, v, k, load: k * dot(grad(u), grad(v)) - load * v))
        still = Family.of(heat)
        given = {name: draw[name] for name in ("k", "load")}
        zero = torch.zeros(family.size, dtype=torch.float64)
        stiffness, source = still.matrix(zero, given), -still.residual(zero, given).numpy()
        state = draw["before"]
        for u in again.outputs[row].numpy():
            left = mass @ (u - state) / DT + stiffness @ u - source
            if power:
                cubic = replace(conduction(), weak=Weak(lambda u, v, k, load: power * u**3 * v + 0 * k * load * v))
                left += Family.of(cubic).residual(torch.from_numpy(u), given).numpy()
            assert np.linalg.norm(free.T @ left) < 1e-10 * np.linalg.norm(free.T @ (mass @ state) / DT)
            state = u
    # the test tells: with the state two steps before it would not be met
    wrong = mass @ (again.outputs[0, 2] - again.outputs[0, 0]).numpy() / DT + stiffness @ again.outputs[0, 2].numpy()
    assert np.linalg.norm(free.T @ (wrong - source)) > 1e-3 * np.linalg.norm(free.T @ (mass @ state) / DT)


def test_series_go_on_where_they_were(tmp_path):
    series = Series(carry={"before": "u"}, times=(0.02, 0.04))
    whole, begun = tmp_path / "whole.h5", tmp_path / "begun.h5"
    generate(one_step(), samples=12, out=whole, series=series)
    with pytest.raises(KeyboardInterrupt):
        generate(one_step(), samples=12, out=begun, series=series, progress=partial(_at, number=5))
    with pytest.raises(DataSetError, match="differ in the series"):
        generate(one_step(), samples=12, out=begun)
    generate(one_step(), samples=12, out=begun, series=series)
    assert begun.read_bytes() == whole.read_bytes()


def test_series_that_make_no_sense_are_refused(tmp_path):
    for carry, times in (
        ({}, (1.0,)),
        ({"before": "u"}, ()),
        ({"before": "u"}, (1.0, 2.0, 4.0)),
        ({"before": "u"}, (2.0, 1.0)),
    ):
        with pytest.raises(SettingsError, match="a series"):
            Series(carry, times)
    for carry, words in (
        ({"befor": "u"}, "random field"),
        ({"load": "u"}, "random field"),
        ({"before": "w"}, "scalar field"),
    ):
        with pytest.raises(UnknownNameError, match=words):
            generate(one_step(), samples=12, out=tmp_path / "data.h5", series=Series(carry, (1.0,)))
    with pytest.raises(SettingsError, match="the degree of a series"):
        generate(one_step(), samples=12, out=tmp_path / "data.h5", series=Series({"before": "u"}, (1.0,)), degree=2)


def test_without_h5py_the_extra_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pinnml\[gnn\]"):
        generate(conduction(), samples=12, out=tmp_path / "data.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_processes_make_the_same_bytes(tmp_path):
    one, two, counted = tmp_path / "one.h5", tmp_path / "two.h5", []
    generate(conduction, samples=50, out=one)
    generate(conduction, samples=50, out=two, processes=2, progress=counted.append)
    assert two.read_bytes() == one.read_bytes()
    assert [made.done for made in counted] == [*range(1, 51)]
    with pytest.raises(NonFiniteError, match=r"^draw \d+"):
        generate(impossible, samples=50, out=tmp_path / "none.h5", processes=2)


def impossible():
    return replace(conduction(), weak=Weak(lambda u, v, k, load: k * dot(grad(u), grad(v)) - (load - 3).log() * v))


KILLED = """
import sys
from functools import partial
from pinnml.surrogates import generate
from tests.helpers.random_problems import conduction

if __name__ == "__main__":
    generate(partial(conduction, float(sys.argv[3])), samples=40, out=sys.argv[1], processes=int(sys.argv[2]))
"""


def count(samples) -> int:
    """How many samples there are in a folder."""
    return len(list(samples.glob("*.sample")))


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "kills"), [(1, 2), (2, 1)])
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(processes, kills, tmp_path):
    script, out, whole = tmp_path / "make.py", tmp_path / "data.h5", tmp_path / "whole.h5"
    script.write_text(KILLED)
    generate(partial(conduction, 0.3), samples=40, out=whole)
    samples, random = tmp_path / ".data.h5.samples", np.random.default_rng(processes)
    command = [sys.executable, str(script), str(out), str(processes), "0.3"]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""}
    for wanted in np.cumsum(random.integers(2, 15, kills)):
        begun = subprocess.Popen(command, env=environment)
        while begun.poll() is None and count(samples) < wanted:
            time.sleep(0.002)
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        assert count(samples) >= wanted
    generate(partial(conduction, 0.3), samples=40, out=out, processes=processes)
    assert out.read_bytes() == whole.read_bytes()
    assert not samples.exists()
