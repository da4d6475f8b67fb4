"""The examples of docs/surrogates.md run as they stand."""

import re

from tests.helpers.places import MESHES, ROOT


def test_the_examples_of_the_page(tmp_path, capsys):
    page = (ROOT / "docs/surrogates.md").read_text()
    posed, used = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict = {"folder": tmp_path, "mesh_file": MESHES / "two_materials.msh"}
    exec(posed, names)
    exec(used, names)
    assert "surrogate" in capsys.readouterr().out
    solution, family = names["solution"], names["trained"].surrogate.family
    assert solution.verdict.good
    assert solution.verdict.estimate["u"] < 1e-3
    assert family.problem.random.keys() == {"kappa", "load"}
