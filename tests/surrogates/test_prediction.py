"""A prediction is a solution like any other: called, written, loaded, with a verdict that the equations tell."""

import json
import math

import numpy as np
import pytest

from pinnml import Equation, Mesh, Problem, dot, grad, load
from pinnml.output import RunFolder, workplace
from pinnml.problem import Uniform
from pinnml.results import Verdict, written
from pinnml.surrogates.calibration import Calibration
from pinnml.surrogates.estimate import Estimator
from pinnml.surrogates.families.family import Family
from pinnml.surrogates.mending import PREDICTED, SWEPT
from pinnml.surrogates.prediction import prediction
from tests.helpers.places import MESHES
from tests.helpers.random_families import darcy, glacier, scalar, walled
from tests.helpers.random_problems import square
from tests.surrogates.test_estimate import LOG, TWO, drawn


def setting(problem: Problem):
    family = Family.of(problem)
    (draw,) = drawn(problem, family.mesh, [1])
    return Estimator.of(family), draw, family.solve(draw).u.numpy()


def test_good_and_not_good():
    estimator, draw, u = setting(darcy(TWO, square(24)))
    fine, bad = (prediction(estimator, factor * u, draw, seconds=0.01).verdict for factor in (1.005, 1.05))
    assert fine.good
    assert fine.worst_estimate == pytest.approx(5e-3, rel=2e-2)
    assert fine.notes["way"] == PREDICTED
    assert not bad.good
    assert bad.complaints == (
        "The estimated error is 5.0e-02, by 2 sweeps of the draw's own operator, multigrid cycles.",
    )
    assert (fine.solver, fine.network, fine.seconds) == ("surrogate", "surrogate", 0.01)
    assert fine.seconds_verify > 0
    # held to what was promised instead
    assert prediction(estimator, 1.05 * u, draw, expect=0.1).verdict.good
    assert "promises" in prediction(estimator, 1.005 * u, draw, expect=1e-3).verdict.complaints[0]


def test_calibration_is_in_the_verdict():
    estimator, draw, u = setting(darcy(TWO, square(12)))
    verdict = prediction(estimator, 1.008 * u, draw, calibration=Calibration(1.5, 0.95, 40)).verdict
    assert verdict.worst_estimate == pytest.approx(1.2e-2, rel=2e-2)
    assert not verdict.good
    assert verdict.estimated_by.endswith("times 1.5")


def test_mended_where_a_tolerance_is_asked():
    estimator, draw, u = setting(darcy(TWO, square(24)))
    found = prediction(estimator, 1.2 * u, draw, tolerance=1e-3, surrogate="transolver")
    assert found.verdict.good
    assert found.verdict.worst_estimate <= 1e-3
    assert found.verdict.notes["way"] == SWEPT
    assert found.verdict.notes["estimate before"] == pytest.approx(0.2 / 1.0, rel=2e-2)
    assert found.verdict.network == "transolver"
    nodes = estimator.corrector.family.parts.spaces["u"].nodes.numpy()
    np.testing.assert_allclose(found(nodes)["u"], u, atol=3e-3 * u.max())


def test_numbers_that_are_not_finite_are_not_good():
    estimator, draw, u = setting(darcy(TWO, square(8)))
    verdict = prediction(estimator, u * np.nan, draw).verdict
    assert verdict.worst_estimate == math.inf
    assert not verdict.good
    assert not verdict.converged


def test_it_is_a_solution_of_the_drawn_problem(tmp_path):
    estimator, draw, u = setting(walled(LOG, square(10)))
    found = prediction(estimator, u, draw)
    corners = estimator.corrector.family.mesh.cells.points
    np.testing.assert_allclose(found(corners)["u"], u, atol=1e-12)
    # the integral of k at the prediction's own problem: linear within cells
    total = found.integrate(lambda u: u**2)
    norms = estimator.corrector.norms
    assert total == pytest.approx(float(norms(u)[0] ** 2), rel=1e-6)
    assert set(found.residual(np.array([[0.31, 0.42]]))) == {"u"}
    with workplace(RunFolder.named(tmp_path / "run")) as place:
        kept = written(found, place)
    assert not kept.verdict.warnings
    assert (tmp_path / "run" / "fields.vtu").is_file()
    record = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert record["good"]
    assert Verdict.from_json(record).status == found.verdict.status
    again = load(tmp_path / "run" / "checkpoint.pt", problem=found.problem)
    np.testing.assert_allclose(again(corners)["u"], u, atol=1e-12)


def test_vectors_of_a_glacier():
    estimator, draw, u = setting(glacier(LOG))
    found = prediction(estimator, u, draw)
    assert found.verdict.good
    assert found(estimator.corrector.family.mesh.cells.points[:5])["w"].shape == (5, 2)


def test_cells_that_are_no_simplices():
    mesh = Mesh.read(MESHES / "square_quads.msh")
    estimator, draw, u = setting(darcy(LOG, mesh))
    found = prediction(estimator, 1.002 * u, draw)
    assert found.verdict.good
    assert found.problem is None
    assert np.isfinite(found(mesh.cells.points[:3])["u"]).all()
    numbers = Family.of(
        scalar(lambda u, v, k: k * dot(grad(u), grad(v)) - v, mesh, k=Uniform(1.0, 2.0)),
    )
    assert prediction(Estimator.of(numbers), u, {"k": 1.5}).problem is not None


def test_what_is_known_of_equations_does_not_matter():
    # an exact solution of the problem is one of other inputs
    problem = Problem(
        domain=square(8),
        fields=("u",),
        equations=(Equation(lambda u: u, name="u"), Equation(lambda u: u, on="boundary", name="wall")),
        weak=lambda u, v, k: k * dot(grad(u), grad(v)) - v,
        exact=lambda x, y: {"u": 0 * x},
        random={"k": LOG},
    )
    estimator, draw, u = setting(problem)
    assert prediction(estimator, u, draw).verdict.good
