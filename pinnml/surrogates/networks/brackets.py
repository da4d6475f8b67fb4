"""Dynamics on graphs with an energy that is kept or lost: four brackets of gradients, curls and their adjoints.

Adjoint is meant in the inner products that attention gives, so that what is said here of energies holds for any
positive weights. Source: Gruber, Lee, Trask, Reversible and irreversible bracket-based dynamics for deep graph neural
networks (arXiv:2305.15616).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinnml.surrogates.networks.cliques import Cliques
from pinnml.surrogates.networks.layers import summed


@dataclass(frozen=True, eq=False)
class Operators:
    """Gradient d0 and curl d1 with their adjoints in <q, q'> = q^T A0 q', <p, p'> = p^T A1 p', <r, r'> = r^T A2 r'.

    Values at nodes q (n, ...), edges p (E, ...) and triangles r (T, ...); positive weights a1 (E, ...) and a2 (T, ...)
    that go with them. A0 is the sum of A1 around a node: so eigenvalues of d0* d0 lie in [0, 2], whatever the graph.
    """

    on: Cliques
    a1: Tensor
    a2: Tensor
    a0: Tensor

    @classmethod
    def of(cls, on: Cliques, a1: Tensor, a2: Tensor) -> Operators:
        """Those of weights of edges and triangles."""
        return cls(on, a1, a2, on.around(a1))

    def gradient(self, q: Tensor) -> Tensor:
        """d0 q, (E, ...)."""
        return self.on.gradient(q)

    def gradient_adjoint(self, p: Tensor) -> Tensor:
        """d0* p = A0^-1 d0^T A1 p, (n, ...)."""
        return self.on.gradient_transposed(self.a1 * p) / self.a0

    def curl(self, p: Tensor) -> Tensor:
        """d1 p, (T, ...)."""
        return self.on.curl(p)

    def curl_adjoint(self, r: Tensor) -> Tensor:
        """d1* r = A1^-1 d1^T A2 r, (E, ...)."""
        return self.on.curl_transposed(self.a2 * r) / self.a1

    def energy(self, q: Tensor, p: Tensor) -> Tensor:
        """E = (q^T A0 q + p^T A1 p) / 2."""
        return ((self.a0 * q * q).sum() + (self.a1 * p * p).sum()) / 2

    def entropy(self, q: Tensor, p: Tensor, source: Tensor, whirl: Tensor) -> Tensor:
        """S = sum of b A0 q + sum of w A2 d1 p, source b and whirl w, which the metriplectic bracket makes grow."""
        return (source * self.a0 * q).sum() + (whirl * self.a2 * self.curl(p)).sum()


def hamiltonian(operators: Operators, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """dq/dt = -d0* p, dp/dt = d0 q: E stays as it is."""
    return -operators.gradient_adjoint(p), operators.gradient(q)


def gradient(operators: Operators, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """dq/dt = -d0* d0 q, dp/dt = -(d1* d1 + d0 d0*) p: E falls."""
    lost = operators.curl_adjoint(operators.curl(p)) + operators.gradient(operators.gradient_adjoint(p))
    return -operators.gradient_adjoint(operators.gradient(q)), -lost


def double(operators: Operators, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the two: dq/dt = -d0* (p + d0 q), dp/dt = d0 (q - d0* p) - d1* d1 p: E falls."""
    slope, source = operators.gradient(q), operators.gradient_adjoint(p)
    lost = operators.curl_adjoint(operators.curl(p))
    return -source - operators.gradient_adjoint(slope), slope - operators.gradient(source) - lost


def metriplectic(operators: Operators, q: Tensor, p: Tensor, source: Tensor, whirl: Tensor) -> tuple[Tensor, Tensor]:
    """dq/dt = -d0* p + b - c q, dp/dt = d0 q + d1* w - c p: E stays as it is, S grows (see `Operators.entropy`).

    source: b, the same at all nodes. whirl: w (T, ...), on triangles, of a sign that changes with their sense of
    rotation, as that of d1 p does: so which nodes have lower numbers is of no account (the source has w = 1, by which
    it is). c = (sum b A0 q + sum w A2 d1 p) / (sum A0 q^2 + sum A1 p^2), graph by graph, takes off grad S what lies
    along grad E; by it every node depends on all.
    """
    a0, a1, a2, on = operators.a0, operators.a1, operators.a2, operators.on
    entropy = _total(on, (source * a0 * q, 0), (whirl * a2 * operators.curl(p), 2))
    energy = _total(on, (a0 * q * q, 0), (a1 * p * p, 1))
    c = entropy / energy.clamp(min=torch.finfo(energy.dtype).tiny)
    at_nodes, at_edges = _spread(on, c, q)
    flow_q, flow_p = hamiltonian(operators, q, p)
    return flow_q + source - at_nodes * q, flow_p + operators.curl_adjoint(whirl) - at_edges * p


#: The largest steps of RK4 at which no mode grows, whatever the graph: an eigenvalue a of d0* d0, from 0 to 2, gives
#: rates of +-i sqrt(a) in the Hamiltonian bracket, -a in the gradient bracket, and -a +- i sqrt(a) in the double one.
#: Those of d1* d1 have no such bound; since d0* d1* = 0 nodes do not feel them, and networks leave these terms out.
#: The metriplectic bracket has the rates of the Hamiltonian one, and a drift that is constant but for c.
LARGEST_STEP = {"hamiltonian": 2.0, "gradient": 1.39, "double": 1.14, "metriplectic": 2.0}
#: The brackets without a source of their own, by name.
BRACKETS: dict[str, Callable[[Operators, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "hamiltonian": hamiltonian,
    "gradient": gradient,
    "double": double,
}


def _total(on: Cliques, *terms: tuple[Tensor, int]) -> Tensor:
    """The sum over each graph of values on nodes (0), edges (1) or triangles (2), (graphs,)."""
    if on.graph is None:
        return torch.stack([value.sum() for value, _ in terms]).sum(dim=0, keepdim=True)
    graphs = int(on.graph.max()) + 1 if len(on.graph) else 0
    return torch.stack([summed(value.flatten(1).sum(dim=1), _graph(on, k), graphs) for value, k in terms]).sum(dim=0)


def _spread(on: Cliques, c: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """One number for each graph, at its nodes (n or 1, 1, ...) and at its edges."""
    c = c.view(-1, *[1] * (like.ndim - 1))
    return (c, c) if on.graph is None else (c[on.graph], c[_graph(on, 1)])


def _graph(on: Cliques, dimension: int) -> Tensor:
    """The graph of every node, edge or triangle."""
    assert on.graph is not None
    if dimension == 0:
        return on.graph
    of_edges = on.graph[on.edges[0]]
    return of_edges if dimension == 1 else of_edges[on.triangles[0]]
