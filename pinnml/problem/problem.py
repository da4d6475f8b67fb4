"""A problem: a domain, fields, and equations on regions of the domain. Plain records, checked when built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import Any

from pinnml.domains import Box, Domain, Points
from pinnml.errors import PinnmlError, ProblemError, UnknownNameError, caught, raise_all, unknown_name
from pinnml.problem.declarations import (
    check_parts,
    declared_equations,
    declared_weak,
    is_region,
    unknown_arguments,
)
from pinnml.problem.equation import (
    JUMP,
    WEAK_FORM,
    Equation,
    Function,
    Term,
    argument_names,
    declared_fields,
    test_names,
)
from pinnml.problem.known_values import with_known
from pinnml.problem.random_inputs import checked_random

#: The argument by which a function on the boundary asks for the outward normal.
NORMAL = "normal"
#: Where there is a normal, and a jump.
PLACES = {
    NORMAL: ("a region of the boundary of space", None),
    JUMP: ("an interface: of a Box with an axis x=Parts(0, 0.5, 1), or facets inside a Mesh", 'on="interface"'),
}

#: How interfaces are said.
AT_INTERFACES = (
    'Equation(lambda u, jump: jump(u), on="interface", name="value") and '
    'Equation(lambda u, x, normal, jump: jump(k(x) * normal_derivative(u, normal)), on="interface", name="flux")'
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Find fields on a domain that satisfy the equations.

    domain: a Box, Points, ... fields: names, or a mapping name -> kind, where kind is 1 or float (real scalar),
    a number of components, complex, or (components, complex). exact: the solution as a function of axes and
    parameters, in torch, a value or a dict by field. reference: the same as a NumPy function (n, d) -> dict,
    neither differentiated nor checked. ansatz: what the fields are in terms of the network's own outputs, for
    exact conditions. parameters: trainable numbers and their first guesses. data: named sets of measured points,
    each a region of that name. weak: the weak form of the equations, for finite elements and test functions: an
    integrand over the interior, a Weak, or several. random: numbers and fields by name that are drawn, such as
    {"kappa": LogNormalField(length=0.2), "load": Uniform(1, 5)}; `with_values` puts a draw in.

    Raises ProblemError or UnknownNameError where the pieces do not fit.
    """

    domain: Domain
    fields: Any
    equations: tuple[Equation, ...]
    exact: Function | None = None
    reference: Function | None = None
    ansatz: Function | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Points] = field(default_factory=dict)
    weak: Any = ()
    random: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        check_parts(self.domain, self.parameters, self.data, self.reference)
        object.__setattr__(self, "fields", declared_fields(self.fields))
        object.__setattr__(self, "equations", declared_equations(self.equations))
        object.__setattr__(self, "weak", declared_weak(self.weak))
        object.__setattr__(self, "random", checked_random(self.random))
        raise_all(self._mistakes(), "the problem")

    def _mistakes(self) -> Iterator[PinnmlError]:
        """Everything that does not hold together; what would only follow from another mistake is left out."""
        yield from self._wrong_names()
        regions = [error for equation in self.equations for on in equation.on for error in caught(self.canonical, on)]
        regions += [error for weak in self.weak for on in weak.on for error in caught(self.domain.region, on)]
        regions = regions or [*caught(lambda: self.terms)]
        yield from regions
        if regions:
            return
        arguments = [*self._wrong_arguments(), *self._wrong_weak_forms()]
        yield from arguments
        yield from self._wrong_solutions()
        if not arguments:
            yield from self._unused()
        yield from self._lacking_conditions()

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every equation on every one of its regions; names that would repeat get `@region` added."""
        pairs = [(equation, region) for equation in self.equations for region in equation.on]
        names = [equation.name for equation, _ in pairs]
        terms = []
        for equation, region in pairs:
            unique = names.count(equation.name) == 1
            terms.append(
                Term(equation.name if unique else f"{equation.name}@{region}", equation, self.canonical(region))
            )
        if len({term.name for term in terms}) != len(terms):
            raise ProblemError(
                "two equations of one name on one region",
                got=", ".join(term.name for term in terms),
                cure="give one of them a name of its own: Equation(..., name=...)",
            )
        return tuple(terms)

    @property
    def columns(self) -> int:
        """Real columns of the network's output."""
        return sum(f.columns for f in self.fields)

    def canonical(self, region: str) -> str:
        """The canonical name of a region of the domain, or the name of a data set."""
        if region in self.data:
            return region
        try:
            return self.domain.region(region)
        except UnknownNameError as error:
            if not self.data:
                raise
            raise unknown_name("region", region, (*self.domain.regions, *self.data)) from error

    def with_values(self, values: Mapping[str, Any]) -> Problem:
        """The problem with values in the place of all that is random: an ordinary one, for every solver.

        values: a number, or a function of the axes of space, for every random input; `values_at_corners` makes one of
        nodal values. Raises ProblemError where one is left out, UnknownNameError for one that is not random.
        """
        if unknown := [name for name in values if name not in self.random]:
            raise unknown_name("random input", unknown[0], tuple(self.random))
        if left := [name for name in self.random if name not in values]:
            message, cure = f"no value for the random '{left[0]}'", f"give one: {{..., {left[0]!r}: 1.0}}"
            raise ProblemError(message, expected=", ".join(self.random), got=", ".join(values) or "nothing", cure=cure)
        axes = self.domain.axes.space
        return replace(
            self,
            random={},
            equations=tuple(replace(e, residual=with_known(e.residual, values, axes)) for e in self.equations),
            weak=tuple(replace(w, integrand=with_known(w.integrand, values, axes)) for w in self.weak),
            exact=with_known(self.exact, values, axes),
            ansatz=with_known(self.ansatz, values, axes),
            reference=None,  # a function of points alone, which knows of no draw
        )

    def columns_of(self, region: str) -> tuple[str, ...]:
        """The names of measured values on a region."""
        holder = self.data.get(region, self.domain)
        return holder.columns if isinstance(holder, Points) else ()

    def available(self, region: str) -> set[str]:
        """All argument names that a residual on this region may use."""
        names = {f.name for f in self.fields} | set(self.domain.axes.names) | set(self.parameters) | set(self.random)
        on_domain = region not in self.data
        return (
            names
            | set(self.columns_of(region))
            | ({NORMAL} if on_domain and self.domain.has_normal(region) else set())
            | ({JUMP} if self.has_two_sides(region) else set())
        )

    def has_two_sides(self, region: str) -> bool:
        """Whether a canonical region is an interface, so that fields have values on either side of it."""
        return region not in self.data and self.domain.has_two_sides(region)

    def _wrong_names(self) -> Iterator[PinnmlError]:
        """Names that cannot be, or that stand for two things."""
        groups = {
            "field": [f.name for f in self.fields],
            "axis": list(self.domain.axes.names),
            "parameter": list(self.parameters),
            "random input": list(self.random),
        }
        seen: dict[str, str] = {}
        for kind, names in groups.items():
            for name in names:
                if not name.isidentifier() or iskeyword(name):
                    yield ProblemError(
                        f"the {kind} name '{name}' cannot be used",
                        expected="a name that an argument in Python can have",
                        got=f"'{name}', a word of Python's own" if iskeyword(name) else f"'{name}'",
                        cure=f"write '{name}_'" if iskeyword(name) else "use letters, digits and _ alone",
                    )
                if name in seen:
                    yield ProblemError(
                        f"the {seen[name]} and the {kind} cannot both be named '{name}'",
                        cure="rename one of them",
                    )
                seen.setdefault(name, kind)
        for name, points in self.data.items():
            if is_region(self.domain, name):
                yield ProblemError(f"data set '{name}' is named as a region of the domain", cure="rename it")
            if points.axes.names != self.domain.axes.names:
                yield ProblemError(
                    f"data set '{name}' has other axes than the domain",
                    expected=", ".join(self.domain.axes.names),
                    got=", ".join(points.axes.names),
                )
            if clash := set(points.columns) & set(seen):
                yield ProblemError(
                    f"data set '{name}': the name of the column '{min(clash)}' is taken by the {seen[min(clash)]}",
                    cure="rename it",
                )

    def _wrong_arguments(self) -> Iterator[PinnmlError]:
        """Functions of equations that ask for what their region does not have, on the first such region of each."""
        wrong: dict[str, list[PinnmlError]] = {}
        for term in self.terms:
            name = term.equation.name
            known = self.available(term.region)
            found = [*self._wrong_in(term.equation.residual, term.region, f"equation '{name}'", known)]
            wrong[name] = wrong.get(name) or found
        yield from (error for found in wrong.values() for error in found)

    def _wrong_solutions(self) -> Iterator[PinnmlError]:
        """`exact` and `ansatz` ask for axes and parameters, the ansatz for fields too."""
        numbers, fields = (
            {*self.domain.axes.names, *self.parameters, *self.random},
            {field.name for field in self.fields},
        )
        for function, what, known in ((self.exact, "exact", numbers), (self.ansatz, "ansatz", numbers | fields)):
            if function is not None:
                yield from unknown_arguments(argument_names(function, what), known, what)

    def check_arguments(self, function: Function, region: str, what: str) -> None:
        """Raise UnknownNameError, listing the names there are, if a function asks for what a region does not have."""
        raise_all(self._wrong_in(function, region, what, self.available(region)), what)

    def _wrong_in(self, function: Function, region: str, what: str, known: set[str]) -> Iterator[PinnmlError]:
        """What a function asks for that it does not get on a region, or could not tell from something else."""
        names = argument_names(function, what)
        given = [name for name in names if name in (NORMAL, JUMP)]
        wrong = [*caught(self._check_given, given, region, what)]
        yield from wrong
        others = [name for name in names if not (wrong and name in given)]
        yield from unknown_arguments(others, known, f"{what} on '{region}'")

    def _check_given(self, names: Iterable[str], region: str, what: str) -> None:
        """What asks for `normal` or `jump` can mean one thing by it: what a region gives, or what is named so."""
        on_face = region not in self.data and self.domain.has_normal(region)
        for given, is_there, meaning in (
            (NORMAL, on_face, "the outward normal"),
            (JUMP, self.has_two_sides(region), "the jump across the interface"),
        ):
            kind = self._kind_of(given)
            if given in names and is_there and kind:
                raise ProblemError(
                    f"{what} asks for '{given}' on '{region}', which is both the {kind} and {meaning}",
                    expected="one meaning of a name",
                    got=f"a {kind} named '{given}'",
                    cure=f"rename the {kind}; where no function on a face asks for '{given}' the name is free",
                )
            if given in names and given not in self.available(region):
                expected, cure = PLACES[given]
                message = f"{what} asks for a {given} on '{region}'"
                raise ProblemError(message, expected=expected, got=f"'{region}'", cure=cure)

    def _kind_of(self, name: str) -> str | None:
        """Whether a name is that of a field, an axis or a parameter."""
        kinds = {
            "field": [f.name for f in self.fields],
            "axis": self.domain.axes.names,
            "parameter": self.parameters,
            "random input": self.random,
        }
        return next((kind for kind, names in kinds.items() if name in names), None)

    def _wrong_weak_forms(self) -> Iterator[PinnmlError]:
        """Every weak form has a test function, every field is tested, and the other arguments are known."""
        if not self.weak:
            return
        for name in [term.name for term in self.terms if term.name.startswith(WEAK_FORM)][:1]:
            expected = f"a name that does not begin with '{WEAK_FORM}'"
            cure = "rename it: that is what weak forms are called"
            yield ProblemError(f"an equation is named '{name}'", expected=expected, got=name, cure=cure)
        tests = test_names(self.fields)
        for tested_field, test in tests.items():
            if kind := self._kind_of(test):
                yield ProblemError(
                    f"the {kind} '{test}' has the name of the test function of the field '{tested_field}'",
                    expected=f"'{test}' for the test function alone, in a problem with a weak form",
                    got=f"a {kind} named '{test}'",
                    cure=f"rename the {kind}, or leave weak= out: then the name is free",
                )
        tested: set[str] = set()
        for weak in self.weak:
            what, tried = f"weak form '{weak.name}'", set(tests.values())
            names = argument_names(weak.integrand, what)
            tested |= set(names) & tried
            if not set(names) & tried:
                expected = f"one of {', '.join(tests.values())} among its arguments"
                cure = "an integrand is linear in it: dot(grad(u), grad(v)) - f * v"
                yield ProblemError(f"{what} has no test function", expected=expected, got=", ".join(names), cure=cure)
            else:
                regions = [self.domain.region(on) for on in weak.on]
                wrong = (
                    [*self._wrong_in(weak.integrand, region, what, self.available(region) - {JUMP} | tried)]
                    for region in regions
                )
                yield from next(filter(None, wrong), [])
        for test in [test for test in tests.values() if tested and test not in tested]:
            expected, got = ", ".join(tests.values()), ", ".join(sorted(tested))
            cure = "add the weak form of its equation"
            yield ProblemError(f"no weak form has the test function '{test}'", expected=expected, got=got, cure=cure)

    def _unused(self) -> Iterator[PinnmlError]:
        """Fields, unknown numbers and measurements must each be in some equation, and every equation has a field."""
        asked = {e.name: argument_names(e.residual, f"equation '{e.name}'") for e in self.equations}
        used = {name for names in asked.values() for name in names}
        if self.ansatz is not None:
            used |= set(argument_names(self.ansatz, "ansatz")) & set(self.parameters)
        for weak in self.weak:
            used |= set(argument_names(weak.integrand, f"weak form '{weak.name}'"))
        used |= {term.region for term in self.terms}
        kinds = {"field": [f.name for f in self.fields], "parameter": self.parameters, "data set": self.data}
        kinds["random input"] = self.random
        for kind, names in kinds.items():
            for name in names:
                if name not in used:
                    yield ProblemError(
                        f"no equation uses the {kind} '{name}'",
                        expected=f"every {kind} in an equation",
                        got=f"equations with {', '.join(sorted(used))}",
                        cure="write an equation for it, or take it out",
                    )
        unknowns = {f.name for f in self.fields} | set(self.parameters)
        for name, names in asked.items():
            if not unknowns & set(names):
                yield ProblemError(
                    f"equation '{name}' has no field in it",
                    expected=f"one of {', '.join(sorted(unknowns))} among its arguments",
                    got=", ".join(names) or "no argument",
                    cure="an equation is a function of what is to be found, such as (u, x)",
                )

    def _lacking_conditions(self) -> Iterator[PinnmlError]:
        """Where space has open faces, something must be said on one of them, or by an integral, an ansatz or data."""
        faces = [face for face in self.domain.regions if self._is_face(self.domain.region(face))]
        conditions = any(
            term.region in self.data or self._is_face(term.region) or term.equation.integral for term in self.terms
        )
        conditions |= any(self._is_face(self.domain.region(r)) for weak in self.weak for r in weak.on)
        if faces and not conditions and self.ansatz is None:
            yield ProblemError(
                "no boundary condition",
                expected=f"an equation on one of {', '.join(faces)}, one with integral=True, an ansatz, or data",
                got=f"equations on {', '.join(sorted({term.region for term in self.terms}))} only",
                cure='add Equation(lambda u: u, on="boundary", name="wall"), or make the axes Periodic(low, high) '
                "or, if no derivative is taken along them, Parameter(low, high)",
            )
        said = {term.region for term in self.terms}
        for place in self.domain.interfaces if isinstance(self.domain, Box) else ():
            if not said & {place, "interface"}:
                yield ProblemError(
                    f"nothing is said on the interface {place}",
                    expected="equations for the jumps of values and fluxes there: the fields are free on either side",
                    got=f"equations on {', '.join(sorted(said))}",
                    cure=AT_INTERFACES,
                )

    def _is_face(self, region: str) -> bool:
        """Whether a canonical region of the domain is on the outside of space."""
        return self.domain.has_normal(region) and not self.domain.has_two_sides(region)
