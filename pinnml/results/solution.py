"""A solution: fields that can be called, differentiated, integrated, compared and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinnml.calculus import index_set
from pinnml.domains import Domain, Sample
from pinnml.errors import ProblemError, ShapeError
from pinnml.networks import Network
from pinnml.output.notebook import as_table
from pinnml.problem import (
    Equation,
    Field,
    Problem,
    Term,
    argument_names,
    discover,
    namespace,
    residuals,
    sided,
)
from pinnml.results.checkpoint_file import write_archive
from pinnml.results.fields import BLOCK, fields_at, outputs_at, value_array
from pinnml.results.known_solution import ERROR_POINTS, ERROR_SEED, Fields, errors
from pinnml.results.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Solution:
    """Fields on a domain, with the verdict on them and the history of the solve.

    Call it with points (n, d) of NumPy, columns in the order of `domain.axes`; it returns a dict of arrays by field:
    (n,) for scalars, (n, components) for vectors, complex where the field is. `settings` says how the network is
    built and how the solve was run; `second` are the better fields of the solve that checked it, and `alternative`,
    where the equations do not determine these, others that they do not tell from them; both until saved. `folder` is
    where the whole run was written, None where it was not.
    """

    domain: Domain
    fields: tuple[Field, ...]
    network: Network
    parameters: Mapping[str, float]
    verdict: Verdict
    history: tuple[Mapping[str, Any], ...] = ()
    problem: Problem | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    second: Fields | None = None
    alternative: Fields | None = None
    folder: Path | None = None

    def __repr__(self) -> str:
        names = ", ".join(field.name for field in self.fields)
        return f"Solution({names} on {self.domain!r}: {self.verdict.summary})"

    def _repr_html_(self) -> str:
        kind = self.settings.get("network", {}).get("kind", "network")
        rows = [("fields", ", ".join(field.name for field in self.fields)), ("domain", repr(self.domain))]
        rows += [("by", f"{kind}, {self.verdict.solver}, {self.verdict.parameters} parameters")]
        rows += [] if self.folder is None else [("files", str(self.folder))]
        title = self.settings.get("problem") or "Solution"
        return as_table(title, rows) + self.verdict._repr_html_()

    def __call__(self, points: Any, derivatives: str | Sequence[str | Sequence[str]] = ()) -> dict[str, np.ndarray]:
        """The fields at points (n, d), and derivatives of every field by name: `("x", "xx")` adds "u_x", "u_xx".

        Longer names of axes are parted by blanks or in a tuple: "x1 x1" and ("x1", "x1") add "u_x1x1". A single
        text is one derivative. Raises ShapeError for points of another shape, UnknownNameError for an axis that is
        not there.
        """
        axes = self.domain.axes
        names = [_axis_names(word) for word in ([derivatives] if isinstance(derivatives, str) else derivatives)]
        places = [axes.split(word) for word in names]
        indices = index_set(axes, (tuple(place.count(i) for i in range(len(axes.names))) for place in places))
        blocks = []
        for x in self._tensor(points).split(BLOCK):
            values = fields_at(self.network, self.parameters, x, indices, self.problem or self.fields)
            block = {name: value_array(value, len(x)) for name, value in values.items()}
            for word in names:
                suffix = "".join(word)
                block |= {f"{name}_{suffix}": value_array(value.d(*word), len(x)) for name, value in values.items()}
            blocks.append(block)
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def error(self, points: int = ERROR_POINTS, seed: int = ERROR_SEED) -> dict[str, float | None]:
        """Relative L2 error by field against `exact` or `reference`, on random points that were not trained on.

        10 000 points are used where fewer are asked for: an error from a handful of points means little.
        None for a field of which nothing is known; the absolute error where the exact field is zero.
        """
        problem = self._with_problem("an error")
        return errors(problem, self.network, self.parameters, max(points, ERROR_POINTS), seed)

    def integrate(self, function: Callable[..., Any], region: str = "interior", points: int = 10_000) -> Any:
        """The integral over a region of a function of fields, axes, parameters and `normal`, by Gauss points.

        A flux is `solution.integrate(lambda u, normal: -normal_derivative(u, normal), "x=1")`. Returns a number,
        or a tuple of one for each component.
        """
        problem = self._with_problem("an integral")
        region = problem.canonical(region)
        problem.check_arguments(function, region, "the integrand")
        sample = sided(
            problem, region, problem.domain.sample(region, points, torch.Generator().manual_seed(0), "gauss")
        )
        term = Term("integrand", Equation(function, on=region, name="integrand"), region)
        sums = tuple((sample.weight.numpy() @ values).item() for values in self._values(problem, term, sample))
        return sums[0] if len(sums) == 1 else sums

    def integral_error(self, function: Callable[..., Any], region: str = "interior", points: int = 10_000) -> Any:
        """The estimated error of `integrate` with the same arguments: how far off the better fields' integral is.

        A number, or one for each component. Raises ProblemError where no second solve has checked the solution, as
        after `load` or with `verify=False`.
        """
        if self.second is None:
            cure = "solve with verify=True, the default, and ask before saving and loading"
            raise ProblemError("no second solve tells the error of an integral", got="a solution unchecked", cure=cure)
        better = replace(self, network=self.second[0], parameters=self.second[1])
        ours, theirs = (np.asarray(each.integrate(function, region, points)) for each in (self, better))
        apart = np.abs(ours - theirs)
        return apart.item() if apart.ndim == 0 else tuple(apart.tolist())

    def residual(self, points: Any) -> dict[str, np.ndarray]:
        """The residuals of the equations on the interior at points (n, d): (n,), or (n, components), by equation.

        Left out are integral conditions, equations with measured values, known at their own points alone, and those
        with derivatives that the fields do not have.
        """
        problem = self._with_problem("a residual")
        x = self._tensor(points)
        found = {}
        for term in problem.terms:
            measured = set(argument_names(term.equation.residual, term.name)) & set(problem.columns_of(term.region))
            if term.region == "interior" and not term.equation.integral and not measured:
                sample = Sample(x, torch.ones(len(x), dtype=torch.float64))
                highest = self.network.basis.highest_order
                if highest is not None and discover(problem, term, sample)[0].outputs.order > highest:
                    continue
                values = self._values(problem, term, sample)
                found[term.name] = values[0] if len(values) == 1 else np.stack(values, axis=1)
        return found

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint of tensors and JSON, to be read back by `pinnml.load`."""
        return write_archive(path, self.record(), self.network.state_dict())

    def record(self) -> dict[str, Any]:
        """All but the network's numbers, as plain values: what a checkpoint holds beside these."""
        return {
            "domain": self.domain.to_json(),
            "fields": [[f.name, f.components, f.is_complex, f.is_vector] for f in self.fields],
            "parameters": dict(self.parameters),
            "ansatz": self.problem is not None and self.problem.ansatz is not None,
            "verdict": self.verdict.to_json(),
            "history": [dict(row) for row in self.history],
            "settings": dict(self.settings),
        }

    def _tensor(self, points: Any) -> Tensor:
        array, d = np.asarray(points), len(self.domain.axes.names)
        if array.ndim == 1 and d == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != d or not len(array) or array.dtype.kind not in "fiu":
            raise ShapeError(
                "these are not points of the domain",
                expected=f"a real array (n, {d}) with columns {', '.join(self.domain.axes.names)}, n >= 1",
                got=f"{array.dtype} {array.shape}",
                cure="np.stack([x, y], axis=1) makes points of coordinates",
            )
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))

    def _values(self, problem: Problem, term: Term, sample: Sample) -> list[np.ndarray]:
        """The components of a residual on a CPU sample, (n,) each, with the derivatives that it needs."""
        needs, _ = discover(problem, term, sample)
        coef, parts = self.network.coef, []
        for start in range(0, len(sample), BLOCK):
            part = sample[start : start + BLOCK].to(coef.device, coef.dtype)
            outputs = outputs_at(self.network, part.x, needs.outputs)
            parameters = {name: part.weight.new_full((len(part),), value) for name, value in self.parameters.items()}
            parts.append(residuals(term, namespace(problem, part, needs.coordinates, outputs, parameters), len(part)))
        return [torch.cat(component).cpu().numpy() for component in zip(*parts, strict=True)]

    def _with_problem(self, what: str) -> Problem:
        if self.problem is None:
            raise ProblemError(
                f"{what} needs the problem",
                cure="load the solution with it: load(path, problem=problem(...))",
            )
        return self.problem


def _axis_names(derivative: Any) -> tuple[str, ...]:
    """The names in "xx", "x1 x1" or ("x1", "x1"), as `d` takes them."""
    return tuple(derivative.split()) if isinstance(derivative, str) else tuple(derivative)
