"""What a problem leaves open: faces of its domain on which nothing is said."""

from __future__ import annotations

from collections.abc import Iterator

from pinnml.problem import Problem


def bare_faces(problem: Problem) -> Iterator[str]:
    """A sentence for each face of space, and for the first instant, without a condition; none under an ansatz."""
    if problem.ansatz is not None:
        return
    said = {term.region for term in problem.terms}
    for name in problem.domain.regions:
        face = problem.domain.region(name)
        if face == "t=min" and face not in said and name != "initial":
            yield f"No condition on {name}, the first instant: most equations with a time derivative need one."
        elif problem.domain.has_normal(face) and name != "boundary" and not said & {face, "boundary"}:
            yield f"No condition on {name}: right where something only flows out, else one is missing."
