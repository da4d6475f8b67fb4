"""What results show in a notebook: figures and words, as text that no name can turn into markup."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pinnml import LSGD, Box, Equation, Features, Problem, solve
from pinnml.output.notebook import as_table
from tests.helpers.forms import uniform
from tests.helpers.verdicts import GOOD


def cells(html: str) -> dict[str, str]:
    """The rows of the tables, by name."""
    return dict(re.findall(r"<tr><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td></tr>", html))


def test_names_are_text_and_no_markup():
    html = as_table("<b>", [("a<script>", "1 & 2")])
    assert "<script>" not in html
    assert cells(html) == {"a&lt;script&gt;": "1 &amp; 2"}


def test_a_verdict_tells_errors_residuals_and_complaints():
    good = GOOD._repr_html_()
    assert "green" in good
    assert GOOD.outcome in good
    assert cells(good)["error of u"] == f"{GOOD.relative_l2['u']:.1e}"
    assert cells(good)["residual of wall"].endswith("of its terms")
    bad = replace(GOOD, zero_fields=("w",), warnings=("Beware.",))._repr_html_()
    assert "firebrick" in bad
    assert cells(bad)["not good"].startswith("Field &#x27;w&#x27; is zero everywhere")
    assert cells(bad)["note"] == "Beware."


def test_a_solution_tells_what_it_is_and_its_verdict():
    law = Equation(lambda u, x: u - x, on=("interior", "boundary"), name="law")
    problem = Problem(domain=Box(x=(0, 1)), fields="u", equations=law, name="a line")
    solution = solve(problem, Features(8, bandwidth=2.0), LSGD(hidden="fixed"), points=30, verify=False)
    html = solution._repr_html_()
    found = cells(html)
    assert html.startswith("<div><strong")
    assert ">a line<" in html
    assert found["fields"] == "u"
    assert found["domain"] == "Box(x=(0, 1))"
    assert found["by"].startswith("features, lsgd, ")
    assert solution.verdict._repr_html_() in html


def test_a_mesh_tells_its_cells_ends_and_groups_with_their_measures():
    found = cells(uniform("triangle", 4)._repr_html_())
    assert found["x"] == "from 0 to 1"
    assert found["interior"] == "32 cells, area 1"
    assert found["boundary"] == "16 facets, length 4"
    assert found["west"] == "4 facets, length 1"
    assert list(found)[:2] == ["x", "y"]


@pytest.mark.parametrize("kind", ["tetra", "hexahedron"])
def test_volumes_too(kind):
    assert cells(uniform(kind, 2)._repr_html_())["interior"].endswith("cells, volume 1")
