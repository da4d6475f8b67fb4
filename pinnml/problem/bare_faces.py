"""What a problem leaves open: faces of its domain on which nothing is said."""

from __future__ import annotations

from collections.abc import Iterator

from pinnml.domains import Domain, Mesh, MeshTimes
from pinnml.problem.problem import Problem


def bare_faces(problem: Problem, *, weakly: bool = False) -> Iterator[str]:
    """A sentence for each face of space, and for the first instant, without a condition; none under an ansatz.

    weakly: by its weak form, which says something of every face.
    """
    if problem.ansatz is not None:
        return
    said = {term.region for term in problem.terms} | {problem.canonical(on) for weak in problem.weak for on in weak.on}
    domain = problem.domain
    bare = {*domain.bare(said)} if isinstance(domain, (Mesh, MeshTimes)) else None
    for name in domain.regions:
        face = domain.region(name)
        if face == "t=min" and face not in said and name != "initial":
            yield f"No condition on {name}, the first instant: most equations with a time derivative need one."
        elif face in bare if bare is not None else _is_bare(domain, face, said):
            if weakly:
                yield f"Nothing is said on {name}: by the weak form nothing flows through it."
            else:
                yield f"No condition on {name}: right where something only flows out, else one is missing."


def _is_bare(domain: Domain, face: str, said: set[str]) -> bool:
    """Whether nothing is said on a face, neither by its own name nor on the boundary as a whole."""
    outside = domain.has_normal(face) and not domain.has_two_sides(face)
    return outside and face != "boundary" and not said & {face, "boundary"}
