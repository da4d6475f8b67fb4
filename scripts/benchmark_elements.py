"""Assembly of Poisson's matrix beside scikit-fem's, and of a batch of coefficients beside as many single calls.

Seconds are medians of turns A B A B ... in one run, ratios medians over the turns. One thread, all warm. The first
table is of quadratic triangles on n x n squares. "numbered": the edges of the mesh have their numbers before, on both
sides; what is timed is the quadrature, the functions, the pattern and the sums: `Discretisation.form` with
`Form.jacobian`, beside `Basis` with `assemble`. "from the mesh": the edges are numbered within. "again": the form is
there, and only its Jacobian is found anew, beside `assemble` alone, as Newton's method does. The second table is of a
coefficient that is given at the corners, 64 of them at once and one by one, with a pattern found before. "first": the
first batch of a form, which finds how the matrix depends on the fields; what is "at once" knows it already. One by one
is the general way, 64 calls of the same form. Beside them the seconds of 64 sparse solves.
"""

# pyright: reportArgumentType=false
# scikit-fem declares its operators for values that its forms hold only at run time.

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import splu
from skfem import Basis, BilinearForm, ElementTriP2, MeshTri
from skfem import helpers as fem

from pinnml import Equation, Mesh, Problem, dot, grad
from pinnml.elements import Discretisation, Element, constraint, essential

CPU = torch.device("cpu")


def stiffness(u, v):
    return dot(grad(u), grad(v))


def varying(u, v, x, y):
    return (1 + x * y) * dot(grad(u), grad(v))


def scaled(u, v, k):
    return k * dot(grad(u), grad(v))


#: By name: our integrand, and scikit-fem's.
FORMS: dict[str, tuple[Any, Any]] = {
    "constant": (stiffness, BilinearForm(lambda u, v, w: fem.dot(fem.grad(u), fem.grad(v)))),
    "varying": (
        varying,
        BilinearForm(lambda u, v, w: (1 + w.x[0] * w.x[1]) * fem.dot(fem.grad(u), fem.grad(v))),
    ),
}


def square(n: int) -> MeshTri:
    """The unit square in 2 n^2 triangles; each use begins with an object that has nothing numbered."""
    line = np.linspace(0, 1, n + 1)
    return MeshTri.init_tensor(line, line)


def problem(mesh: Mesh, weak: Any, **more: Any) -> Problem:
    wall = Equation(lambda u: u, on="boundary", name="wall")
    return Problem(domain=mesh, fields="u", equations=(wall,), weak=weak, **more)


def numbered(mesh: Mesh, weak: Any, degree: int, **more: Any) -> Discretisation:
    """The fields on a mesh, all degrees of freedom numbered."""
    parts = Discretisation.build(problem(mesh, weak, **more), mesh, {"u": Element("P", degree)})
    assert len(parts.spaces["u"].dofs) == len(parts.corners.dofs)
    return parts


def jacobian(parts: Discretisation) -> Any:
    form = parts.form(CPU)
    return form.jacobian(torch.zeros(form.size, dtype=torch.float64)).to_scipy()


def seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def in_turns(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median of their ratios."""
    ours()
    theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    return a, b, statistics.median(b / a for a, b in pairs)


def beside_scikit_fem(name: str, n: int, repeats: int) -> dict[str, tuple[float, float, float]]:
    """Our seconds, scikit-fem's and their ratio, with the edges numbered before and within."""
    weak, form = FORMS[name]
    theirs = square(n)
    mesh = Mesh(theirs.p.T, theirs.t.T, "triangle")
    parts = numbered(mesh, weak, 2)
    assert len(np.asarray(theirs.t2f))
    ours, other = jacobian(parts), form.assemble(Basis(theirs, ElementTriP2()))
    basis, again = Basis(theirs, ElementTriP2()), parts.form(CPU)
    zero = torch.zeros(parts.size, dtype=torch.float64)
    norms = [float(np.linalg.norm(matrix.data)) for matrix in (ours, other)]
    assert abs(norms[0] / norms[1] - 1) < 1e-12
    return {
        "numbered": in_turns(lambda: jacobian(parts), lambda: form.assemble(Basis(theirs, ElementTriP2())), repeats),
        "from the mesh": in_turns(
            lambda: jacobian(numbered(mesh, weak, 2)), lambda: form.assemble(Basis(square(n), ElementTriP2())), repeats
        ),
        "again": in_turns(lambda: again.jacobian(zero), lambda: form.assemble(basis), repeats),
    }


def batched(n: int, degree: int, count: int, repeats: int) -> tuple[float, float, float, float, float]:
    """Seconds of a first batch, of a further one and of single calls, the ratio of these two, seconds of solves."""
    theirs = square(n)
    mesh = Mesh(theirs.p.T, theirs.t.T, "triangle")
    parts = numbered(mesh, scaled, degree, parameters={"k": 1.0})
    form, held = parts.form(CPU), constraint(parts, essential(parts, parts.problem.terms))
    u = torch.zeros(form.size, dtype=torch.float64)
    k = 1 + torch.rand((count, theirs.p.shape[1]), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    single = [form.jacobian(u, {"k": each}) for each in k]
    assert torch.allclose(form.jacobian(u, {"k": k}).values[-1], single[-1].values, rtol=1e-12, atol=1e-14)
    fresh = parts.form(CPU)
    assert len(fresh.pattern.columns) == len(form.pattern.columns)
    first = seconds(lambda: fresh.jacobian(u, {"k": k}))
    found = in_turns(lambda: form.jacobian(u, {"k": k}), lambda: [form.jacobian(u, {"k": each}) for each in k], repeats)
    matrix = (held.free.T @ single[0].to_scipy() @ held.free).tocsc()
    right = np.ones(matrix.shape[0])
    solve = statistics.median(seconds(lambda: splu(matrix).solve(right)) for _ in range(3))
    return first, *found, count * solve


def profile(n: int, name: str, lines: int) -> None:
    """Where our time goes, by function."""
    theirs = square(n)
    parts = numbered(Mesh(theirs.p.T, theirs.t.T, "triangle"), FORMS[name][0], 2)
    jacobian(parts)
    watch = cProfile.Profile()
    watch.runcall(jacobian, parts)
    pstats.Stats(watch).sort_stats("tottime").print_stats(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=256, help="squares a side of the first table")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--profile", choices=FORMS, help="print where our time goes instead")
    arguments = parser.parse_args()
    if arguments.profile:
        return profile(arguments.n, arguments.profile, 20)
    print(f"{2 * arguments.n**2} quadratic triangles    ours   scikit-fem   ratio")
    for name in FORMS:
        for how, (ours, theirs, ratio) in beside_scikit_fem(name, arguments.n, arguments.repeats).items():
            print(f"{name + ', ' + how:28}{ours:8.3f} s{theirs:9.3f} s{ratio:9.2f}")
    print(f"\nbatch of {arguments.batch}               first      at once   one by one   ratio   solves")
    for n in (32, 100):
        for degree in (1, 2):
            first, ours, single, ratio, solves = batched(n, degree, arguments.batch, 5)
            times = f"{first:8.3f} s{ours:10.3f} s{single:10.3f} s"
            print(f"{2 * n * n:6} triangles, P{degree}   {times}{ratio:8.2f}{solves:8.2f} s")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
