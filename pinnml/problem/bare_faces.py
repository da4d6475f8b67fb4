"""What a problem leaves open: faces of its domain on which nothing is said."""

from __future__ import annotations

from collections.abc import Iterator

from pinnml.domains import Domain, Mesh, MeshTimes
from pinnml.problem.problem import Problem


def bare_faces(problem: Problem, *, weakly: bool = False) -> Iterator[str]:
    """A sentence for each face of space, and for the first instant, without a condition; none under an ansatz.

    Along one axis alone an integral may stand for an end. weakly: by its weak form, which says something of every face.
    """
    replaced = len(problem.domain.axes.names) == 1 and any(term.equation.integral for term in problem.terms)
    if problem.ansatz is not None or (replaced and not weakly):
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
                cure = _to_find(name) if replaced else ""
                yield f"Nothing is said on {name}: by the weak form nothing flows through it{cure}."
            else:
                yield f"No condition on {name}: right where something only flows out, else one is missing."


def _is_bare(domain: Domain, face: str, said: set[str]) -> bool:
    """Whether nothing is said on a face, neither by its own name nor on the boundary as a whole."""
    outside = domain.has_normal(face) and not domain.has_two_sides(face)
    return outside and face != "boundary" and not said & {face, "boundary"}


def _to_find(face: str) -> str:
    """How the weak form says nothing of a face, so that an integral may."""
    written = f"parameters={{'q': 0.0}} and Weak(lambda v, q: -q * v, on=\"{face}\")"
    return f" (where an integral stands for it, the flux is to be found: {written})"
