"""The examples of the README run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_five_minute_example_is_right(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    names: dict = {}
    exec(example, names)
    solution = names["solution"]
    assert solution.verdict.good
    assert capsys.readouterr().out.startswith("good, estimate")
    assert {"fields.vtu", "picture.png", "verdict.json"} <= {file.name for file in tmp_path.glob("runs/reaction/*")}
    coarse, fine = (finite_differences(names["points"], n) for n in (60, 120))
    extrapolated = fine + (fine - coarse) / 3  # five points have an error of h^2, and after that of h^4
    np.testing.assert_allclose(solution(names["points"])["u"], extrapolated, rtol=1e-6)


def finite_differences(points: np.ndarray, n: int) -> np.ndarray:
    """-laplacian(u) + u^3 = 10 y sin(pi x), u = 0 but du/dy = -2 u at the top: five points and Newton."""
    from scipy.sparse import diags, identity, kron
    from scipy.sparse.linalg import spsolve

    h = 1 / n
    inner = diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n - 1, n - 1)) / h**2
    last = diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n)).tolil()
    last[n - 1, n - 2], last[n - 1, n - 1] = -2, 2 + 4 * h  # a mirrored row beyond the top carries the condition
    operator = (kron(inner, identity(n)) + kron(identity(n - 1), last.tocsr() / h**2)).tocsr()
    x, y = np.meshgrid(np.arange(1, n) * h, np.arange(1, n + 1) * h, indexing="ij")
    source, u = (10 * y * np.sin(np.pi * x)).ravel(), np.zeros((n - 1) * n)
    for _ in range(6):
        u -= spsolve(operator + diags(3 * u**2), operator @ u + u**3 - source)
    values = u.reshape(n - 1, n)
    return np.array([values[round(p / h) - 1, round(q / h) - 1] for p, q in points])


def test_commands_and_folders_that_it_names_are_there():
    root = Path(__file__).parent.parent
    for name in re.findall(r"`((?:docs|problems)/[\w./]*|CHANGELOG\.md)`", README):
        assert (root / name).exists(), name
    targets = re.findall(r"(?m)(?:^|`)make (\w+)", README)
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for target in targets)
