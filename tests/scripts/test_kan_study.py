"""The study of multilevel training: equal work, what a run records, and what the table makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scripts import kan_study
from scripts.kan_experiments import EXPERIMENTS, burgers_wave, longer
from scripts.kan_study import Run, draw, table, trained

SMALL = replace(
    EXPERIMENTS["burgers-wave"],
    network={"width": 2, "depth": 1, "order": 4, "intervals": 2, "first": "linear", "normalise": "tanh"},
    schedules={"coarse": (8, 0, 0), "fine": (0, 0, 2), "multilevel": (2, 1, 1), "equal": (2, 1, 1)},
    points={"interior": 64, "initial": 8, "x=-1": 8, "x=1": 8},
    dtype=torch.float64,
)


def work(steps: tuple[int, ...]) -> int:
    return sum(2**level * number for level, number in enumerate(steps))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_one_level_alone_has_as_much_work_as_all_together_at_least(name):
    works = {schedule: work(steps) for schedule, steps in EXPERIMENTS[name].schedules.items()}
    finest = 2 ** (len(EXPERIMENTS[name].schedules["fine"]) - 1)
    assert abs(works.pop("fine") - works["coarse"]) < finest  # whole steps of the finest level
    assert all(each <= works["coarse"] for each in works.values())
    assert works.get("equal", works["coarse"]) == works["coarse"]


def test_longer_schedules_have_so_many_times_the_work():
    long, short = longer(SMALL, 3).schedules, longer(SMALL, 1 / 2).schedules
    assert (long["multilevel"], short["coarse"]) == ((6, 3, 3), (4, 0, 0))


def test_the_front_that_travels_solves_burgers_equation():
    x, t = (2 * torch.rand((2, 200), dtype=torch.float64) - 1).requires_grad_()
    u = burgers_wave().exact(x, t)  # pyright: ignore[reportOptionalCall]
    by_t, by_x = (torch.autograd.grad(u.sum(), axis, create_graph=True)[0] for axis in (t, x))
    second = torch.autograd.grad(by_x.sum(), x)[0].detach()
    left = (by_t + u * by_x).detach()
    torch.testing.assert_close(left, 0.01 * second, rtol=0, atol=1e-13 * float(second.abs().max()))
    assert float((left - 0.02 * second).abs().max()) > 0.1  # another viscosity does not do


@pytest.mark.parametrize(("schedule", "levels"), [("coarse", [0]), ("fine", [2]), ("multilevel", [0, 1, 2])])
def test_a_run_records_its_work_and_its_levels(monkeypatch, schedule, levels):
    monkeypatch.setitem(EXPERIMENTS, "small", SMALL)
    record = trained(Run("small", "spline", schedule, seed=0))
    assert record["work"] == work(SMALL.schedules[schedule])
    assert sorted({row["level"] for row in record["curve"]}) == levels
    assert record["loss"] == record["curve"][-1]["loss"] > 0


def test_equal_work_begins_every_level_anew(monkeypatch):
    """After the same first level the moments are those of one gradient, not of three."""
    monkeypatch.setitem(EXPERIMENTS, "small", SMALL)
    carried, anew = (trained(Run("small", "spline", name, seed=0))["curve"] for name in ("multilevel", "equal"))
    assert [row["loss"] for row in carried[:2]] == [row["loss"] for row in anew[:2]]
    assert carried[2]["loss"] != anew[2]["loss"]


def test_the_table_has_medians_and_counts_what_failed(tmp_path):
    def run(seed: int, losses: list[float]) -> dict:
        rows = [
            {"work": n + 1.0, "seconds": n + 0.5, "level": n // 2, "loss": loss, "error": loss / 2}
            for n, loss in enumerate(losses)
        ]
        known = {"basis": "spline", "schedule": "multilevel", "seed": seed, "parameters": 7, "seconds": 2.0}
        return known | {"loss": losses[-1], "error": losses[-1] / 2, "work": 4.0, "status": "STEPS", "curve": rows}

    ends = [1.0, 2.0, 3.0, 3.0, 40.0, np.inf, 0.5]
    records = [run(seed, [9.0, 8.0 + seed, 6.0, end]) for seed, end in enumerate(ends)]
    records[-1]["status"] = "DIVERGED"  # the best state on its way does not count
    (line,) = table(records)
    assert (line["runs"], line["failed"], line["loss"], line["error"]) == (7, 3, 3.0, 1.5)
    assert (line["loss after level 0"], line["loss after level 1"]) == (11.0, 3.0)
    (lost,) = table([each | {"status": "DIVERGED"} for each in records[-3:]])
    assert lost["loss after level 1"] == lost["loss"] == kan_study.LARGE
    draw(tmp_path / "small.png", records[:3])
    assert (tmp_path / "small.png").stat().st_size > 10_000
    with pytest.raises(SystemExit, match="choose from"):
        kan_study.study("interface", range(1), ["equal"], 1, tmp_path)


def test_stalling_levels_leave_steps_over(monkeypatch):
    """Where more steps gain nothing, a level that may end early does; the last level still has its turn."""
    monkeypatch.setitem(EXPERIMENTS, "small", replace(longer(EXPERIMENTS["regression"], 4), points=200))
    full, early = (trained(Run("small", "spline", name, seed=0)) for name in ("multilevel", "stalling"))
    assert early["work"] < full["work"]
    assert sorted({row["level"] for row in early["curve"]}) == [0, 1, 2, 3]
