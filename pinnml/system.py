"""The system that solvers see: residual rows r(theta), their Jacobian, and the loss 1/2 |r|^2."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pinnml.blocks import Block, Parts, rows_of
from pinnml.calculus import Jet, total_order
from pinnml.domains import Sample
from pinnml.equation import Term
from pinnml.errors import CouplingError, NonFiniteError
from pinnml.evaluation import FROM_ZERO, check_finite
from pinnml.jacobian import Link, fill, hidden_links
from pinnml.networks import Marking, Network, Trace
from pinnml.problem import Problem
from pinnml.relative import relative_residuals

#: Writes scale_n dr_n/dtheta of a residual component r (n,) into rows of the Jacobian (n, P).
Writer: TypeAlias = Callable[[Tensor, Tensor, Tensor], None]
#: Numbers in the jets of one chunk of samples: such chunks stay in a CPU's cache, or fill a GPU.
CHUNK_NUMBERS = {"cpu": 2**20, "cuda": 2**27}
#: The same where reverse mode keeps what leads to them: then the Jacobian itself is most of the memory.
TRACED_NUMBERS = {"cpu": 3 * 2**14, "cuda": 2**25}
#: Chunks that a region is cut into at most: every one of them costs some time of its own.
MOST_CHUNKS = 12
#: Samples of a chunk where the Jacobian is found by differentiating whole chunks: the cost grows with its square.
FALLBACK_CHUNK = 32


class System:
    """Residual rows of a problem for a network on fixed samples, as functions of one real vector theta (P,).

    theta = (hidden parameters, the problem's trainable parameters, head). Row n of a term is
    sqrt(weight) sqrt(sample.weight_n) r_n, so that loss = 1/2 |r|^2 approximates the integral of r^2 / 2 and does
    not change with the number of points. Complex components give a real row and an imaginary one.
    """

    def __init__(
        self,
        problem: Problem,
        network: Network,
        blocks: tuple[Block, ...],
        *,
        weights: Mapping[str, float] | None = None,
        held_out: System | None = None,
        chunk: int | None = None,
    ):
        self.problem, self.network, self.blocks, self.held_out = problem, network, blocks, held_out
        self._chunk = chunk
        self.weights = {term.name: term.equation.weight for term in problem.terms} | dict(weights or {})
        self.rows = rows_of(blocks)
        self.n_residuals = max(rows.stop for rows in self.rows.values())
        self._shapes = {name: p.shape for name, p in network.basis.named_parameters()}
        n_hidden = sum(shape.numel() for shape in self._shapes.values()) + len(problem.parameters)
        self.n_params = n_hidden + network.coef.numel()
        self.own, self.hidden, self.head, self.all = (
            slice(n_hidden - len(problem.parameters), n_hidden),
            slice(0, n_hidden),
            slice(n_hidden, self.n_params),
            slice(0, self.n_params),
        )

    @classmethod
    def build(cls, problem: Problem, network: Network, samples: Mapping[str, Sample]) -> System:
        """The system of a problem on CPU samples by canonical region; derivatives are discovered, rows checked.

        Raises ShapeError, NonFiniteError, CouplingError or MissingDerivativeError where a residual is not one.
        """
        grouped = {region: tuple(t for t in problem.terms if t.region == region) for region in samples}
        blocks = (Block.build(problem, network, terms, samples[region]) for region, terms in grouped.items() if terms)
        system = cls(problem, network, tuple(blocks))
        system._check_finite()
        system._check_samples_apart()
        return system

    @property
    def dtype(self) -> torch.dtype:
        """The real dtype of theta."""
        return self.network.coef.dtype

    @property
    def device(self) -> torch.device:
        """The device of theta."""
        return self.network.coef.device

    def initial(self) -> Tensor:
        """Theta as the network was drawn, (P,)."""
        parameters = torch.tensor(list(self.problem.parameters.values()), dtype=self.dtype, device=self.device)
        hidden = [p.detach().reshape(-1) for _, p in self.network.basis.named_parameters()]
        return torch.cat([*hidden, parameters, self.network.coef.detach().reshape(-1)])

    def parts(self, theta: Tensor) -> Parts:
        """Views of theta by name."""
        hidden = {n: theta[c].view(self._shapes[n]) for n, c in self._columns.items() if n in self._shapes}
        parameters = {name: theta[self._columns[f"problem.{name}"]].squeeze() for name in self.problem.parameters}
        return Parts(hidden, parameters, theta[self.head].view(self.network.coef.shape))

    def parameters_at(self, theta: Tensor) -> dict[str, float]:
        """The problem's trainable parameters by name."""
        return {name: float(value) for name, value in self.parts(theta).parameters.items()}

    def network_at(self, theta: Tensor) -> Network:
        """A copy of the network that holds theta."""
        network, parts = copy.deepcopy(self.network), self.parts(theta.detach())
        state = {f"basis.{name}": value for name, value in parts.hidden.items()} | {"coef": parts.coef}
        network.load_state_dict(state, strict=False)
        return network.requires_grad_(False)

    def residual(self, theta: Tensor) -> Tensor:
        """The weighted rows (M,), differentiable in theta (P,)."""
        parts = self.parts(theta)
        rows = []
        for block in self.blocks:
            values = [self._values(part, parts) for part in self._chunks(block)]
            for i, term in enumerate(block.terms):
                scale = self._scale(term, block)
                for k in range(block.components[i]):
                    row = scale * torch.cat([chunk[i][k] for chunk in values])
                    rows.append(row.sum().unsqueeze(0) if term.equation.integral else row)
        return torch.cat(rows)

    def loss(self, theta: Tensor) -> Tensor:
        """1/2 |r|^2, differentiable in theta."""
        return 0.5 * self.residual(theta).square().sum()

    def loss_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and its gradient (P,)."""
        theta = theta.detach().requires_grad_()
        loss = self.loss(theta)
        return loss.detach(), torch.autograd.grad(loss, theta)[0]

    def jacobian(self, theta: Tensor, part: slice | None = None) -> Tensor:
        """dr/dtheta (M, P), or its columns for `part`: `system.head`, `.hidden`, `.own` or `.all`."""
        return self.linearise(theta, part)[1]

    def linearise(self, theta: Tensor, part: slice | None = None) -> tuple[Tensor, Tensor]:
        """R (M,) and J (M, P): one reverse pass per residual component and one contraction per layer."""
        theta, part = theta.detach(), part or self.all
        r = theta.new_zeros(self.n_residuals)
        j = theta.new_empty((self.n_residuals, part.stop - part.start))
        for block in self.blocks:
            start = 0
            for chunk in self._chunks(block, traced=part.start < self.hidden.stop):
                self._linearise_chunk(chunk, slice(start, start + len(chunk)), len(block), theta, part, r, j)
                start += len(chunk)
        return r, j

    def rms(self, theta: Tensor) -> dict[str, float]:
        """For every equation the root mean square of its unweighted residual over its region."""
        with torch.no_grad():
            r = self.residual(theta.detach())
        result = {}
        for block in self.blocks:
            for term in block.terms:
                square = float(r[self.rows[term.name]].square().sum()) / self.weights[term.name]
                measure = 1.0 if term.equation.integral else float(block.sample.weight.sum())
                result[term.name] = math.sqrt(square / measure)
        return result

    def relative(self, theta: Tensor) -> dict[str, float]:
        """For every equation the RMS of its residual over the size of its terms: free of weights and units.

        Fields that solve nothing have a relative residual near one.
        """
        with torch.no_grad():
            parts = self.parts(theta.detach())
            outputs = [
                torch.cat([self._outputs(chunk, parts) for chunk in self._chunks(block)], dim=1)
                for block in self.blocks
            ]
        return relative_residuals(self.blocks, outputs, parts.parameters)

    @cached_property
    def is_linear(self) -> bool:
        """Whether the rows are affine in the head: r(a+b) - r(a) - r(b) + r(0) = 0 on random heads, to round-off."""
        small = self.subset(8)
        generator = torch.Generator().manual_seed(0)
        theta, size = self.initial(), self.network.coef.numel()
        a, b = (torch.randn(size, generator=generator, dtype=torch.float64).to(theta) for _ in range(2))
        with torch.no_grad():
            both, first, second, none = (
                small.residual(torch.cat([theta[self.hidden], head])) for head in (a + b, a, b, torch.zeros_like(a))
            )
        largest = max(float(row.abs().max()) for row in (both, first, second, none))
        return float((both - first - second + none).abs().max()) <= 4096 * torch.finfo(self.dtype).eps * largest

    def subset(self, n: int) -> System:
        """The system on at most n samples of every region."""
        return self._with(blocks=tuple(block.thinned(n) for block in self.blocks), held_out=None)

    def on(self, samples: Mapping[str, Sample]) -> System:
        """The same equations on other CPU samples of the same regions. Raises NonFiniteError."""
        blocks = tuple(block.on(samples[block.region], self.network) for block in self.blocks)
        other = self._with(blocks=blocks, held_out=None)
        other._check_finite()
        return other

    def with_network(self, network: Network) -> System:
        """The same rows for another network on the same inputs."""
        return self._with(network=network, held_out=self.held_out and self.held_out.with_network(network))

    def refine(self, theta: Tensor, share: float | None = None) -> tuple[System, Tensor, Callable[[Tensor], Tensor]]:
        """The system and theta of the same fields on the next finer level, and what carries moments of theta over.

        share: refine only where this share of the squared residuals lies, of all terms together; None for everywhere.
        Raises SettingsError for a network that has no levels.
        """
        marking = None if share is None else self._marking(theta, share)
        network, prolong = self.network_at(theta).refined(marking)
        fine = self.with_network(network.requires_grad_(True))

        def carried(moments: Tensor) -> Tensor:
            parts = self.parts(moments)
            hidden, coef = prolong(parts.hidden, parts.coef)
            return torch.cat([*(each.reshape(-1) for each in hidden.values()), moments[self.own], coef.reshape(-1)])

        start = fine.initial()
        start[fine.own] = theta[self.own]
        return fine, start, carried

    def _marking(self, theta: Tensor, share: float) -> Marking:
        """Every sample's squared rows, integrals left out, with the network's inputs there."""
        with torch.no_grad():
            rows = self.residual(theta).square()
        squares, inputs = [], []
        for block in self.blocks:
            pointwise = [rows[self.rows[term.name]] for term in block.terms if not term.equation.integral]
            squares.append(
                sum((each.view(-1, len(block)).sum(dim=0) for each in pointwise), rows.new_zeros(len(block)))
            )
            inputs.append(block.inputs.value)
        values = Jet(total_order(self.problem.domain.axes, 0), torch.cat(inputs).unsqueeze(0))
        return Marking(values, torch.cat(squares), share)

    def with_weights(self, weights: Mapping[str, float]) -> System:
        """The same rows with other equation weights."""
        return self._with(weights=weights, held_out=self.held_out and self.held_out.with_weights(weights))

    def with_held_out(self, held_out: System) -> System:
        """The same rows, together with a system on points that the training does not see."""
        return self._with(held_out=held_out)

    def _with(self, **changes: Any) -> System:
        """The same system but for some of its pieces."""
        same = {"network": self.network, "blocks": self.blocks, "weights": self.weights, "held_out": self.held_out}
        return System(self.problem, **{**same, "chunk": self._chunk, **changes})

    @cached_property
    def _columns(self) -> dict[str, slice]:
        """The place in theta of every parameter in front of the head."""
        sizes = {name: shape.numel() for name, shape in self._shapes.items()}
        sizes |= {f"problem.{name}": 1 for name in self.problem.parameters}
        columns, start = {}, 0
        for name, size in sizes.items():
            columns[name] = slice(start, start + size)
            start += size
        return columns

    def _scale(self, term: Term, block: Block) -> Tensor:
        """What multiplies each residual value on its way into the rows, (n,)."""
        weight = block.sample.weight
        return math.sqrt(self.weights[term.name]) * (weight if term.equation.integral else weight.sqrt())

    def _chunks(self, block: Block, traced: bool = False) -> Iterator[Block]:
        """The block in pieces whose jets fit the cache, smaller ones where every step towards them is kept."""
        size = self._chunk or FALLBACK_CHUNK
        if self._chunk is None and self.network.basis.one_pass:
            limit = (TRACED_NUMBERS if traced else CHUNK_NUMBERS)[self.device.type]
            numbers = self.network.basis.size if traced else self.network.basis.numbers
            size = max(limit // (len(block.needs.outputs) * numbers), 64, math.ceil(len(block) / MOST_CHUNKS))
        return (block.picked(slice(start, start + size)) for start in range(0, len(block), size))

    def _basis(self, block: Block, parts: Parts, trace: Trace | None = None) -> Tensor:
        """The basis functions (K, n, k) at the samples of a block."""
        return torch.func.functional_call(self.network.basis, parts.hidden, (block.inputs, trace)).coefficients

    def _outputs(self, block: Block, parts: Parts) -> Tensor:
        """The network's outputs (K, n, m) at the samples of a block."""
        tensors = {f"basis.{name}": value for name, value in parts.hidden.items()} | {"coef": parts.coef}
        return torch.func.functional_call(self.network, tensors, (block.inputs,)).coefficients

    def _values(self, block: Block, parts: Parts) -> list[list[Tensor]]:
        return block.residuals(self._outputs(block, parts), parts.parameters)

    def _linearise_chunk(
        self, block: Block, place: slice, n: int, theta: Tensor, part: slice, r: Tensor, j: Tensor
    ) -> None:
        """Fill the rows of one chunk, which stands at `place` among the n samples of its region."""
        by_chunks = part.start < self.hidden.stop and not self.network.basis.one_pass
        values, write = (self._differentiated if by_chunks else self._traced)(block, theta, part)
        for term, components in zip(block.terms, values, strict=True):
            scale, first = self._scale(term, block), self.rows[term.name].start
            for k, component in enumerate(components):
                if not term.equation.integral:
                    rows = slice(first + k * n + place.start, first + k * n + place.stop)
                    r[rows] = scale * component.detach()
                    write(component, scale, j[rows])
                    continue
                samples = j.new_empty((len(block), j.shape[1]))
                write(component, scale, samples)
                r[first + k] += (scale * component.detach()).sum()
                j[first + k] = samples.sum(dim=0) + (j[first + k] if place.start else 0.0)

    def _traced(self, block: Block, theta: Tensor, part: slice) -> tuple[list[list[Tensor]], Writer]:
        """Residuals of a chunk, and how to write the Jacobian of one: from the links that the forward pass left."""
        hidden = part.start < self.hidden.stop
        parts, trace = self.parts(theta), Trace()
        with torch.set_grad_enabled(hidden):
            basis = self._basis(block, parts, trace if hidden else None)
        with torch.enable_grad():
            outputs = basis @ parts.coef
            if not outputs.requires_grad:
                outputs.requires_grad_()
            parameters = {n: trace.per_sample(f"problem.{n}", v, len(block)) for n, v in parts.parameters.items()}
            values = block.residuals(outputs, parameters)
        links = hidden_links(trace, self._columns, part) if hidden else []
        if part.stop == self.head.stop:
            links.append(Link(slice(self.head.start - part.start, part.stop - part.start), basis.detach(), outputs))
        return values, lambda component, scale, rows: fill(component, scale, links, rows)

    def _differentiated(self, block: Block, theta: Tensor, part: slice) -> tuple[list[list[Tensor]], Writer]:
        """The same for a basis that keeps no trace: reverse mode through the whole of a small chunk."""

        def rows(values: Tensor) -> Tensor:
            whole = torch.cat([theta[: part.start], values, theta[part.stop :]])
            return torch.stack([c for components in self._values(block, self.parts(whole)) for c in components])

        values = self._values(block, self.parts(theta))
        places = {id(c): k for k, c in enumerate(c for components in values for c in components)}
        jacobian = torch.func.jacrev(rows)(theta[part])

        def write(component: Tensor, scale: Tensor, target: Tensor) -> None:
            torch.mul(jacobian[places[id(component)]], scale.unsqueeze(1), out=target)

        return values, write

    def _check_finite(self) -> None:
        """Refuse NaN and infinity at the start, where they can only come from the user's functions."""
        parts = self.parts(self.initial())
        with torch.no_grad():
            for block in self.blocks:
                for term, components in zip(block.terms, self._first_values(block, parts), strict=True):
                    check_finite(term, components, block.sample, self.problem.domain.axes)

    def _first_values(self, block: Block, parts: Parts) -> list[list[Tensor]]:
        """Residuals at the start; a head of zeros gives outputs of zero without a look at the basis."""
        if bool(parts.coef.any()):
            return self._values(block, parts)
        zeros = parts.coef.new_zeros((len(block.needs.outputs), len(block), self.problem.columns))
        return block.residuals(zeros, parts.parameters)

    def _check_samples_apart(self) -> None:
        """r, and w J, found in pieces must be r, and the gradient of w . r, with the samples taken together."""
        together, theta = self.subset(8), self.initial().requires_grad_()
        apart = System(self.problem, self.network, together.blocks, weights=self.weights, chunk=4)
        r, generator = together.residual(theta), torch.Generator().manual_seed(0)
        w = torch.randn(len(r), generator=generator, dtype=torch.float64).to(r)
        r_apart, j = apart.linearise(theta)
        tolerance = 1e-8 if self.dtype == torch.float64 else 1e-3
        for name, rows in together.rows.items():
            expected = torch.autograd.grad(w[rows] @ r[rows], theta, retain_graph=True)[0]
            pairs = ((w[rows] @ j[rows], expected), (r_apart[rows], r[rows].detach()))
            if not bool(torch.isfinite(j[rows]).all()):
                raise NonFiniteError(
                    f"the slope of equation '{name}' is not finite at the start",
                    expected="a residual that can be differentiated in the fields",
                    got="NaN or infinity, as of a root at zero",
                    cure=FROM_ZERO,
                )
            defect = max(float((found - right).abs().max() / (1 + right.abs().max())) for found, right in pairs)
            if defect > tolerance:
                raise CouplingError(
                    f"equation '{name}' mixes samples, or the network does",
                    expected="a residual at each point that depends on that point alone",
                    got=f"a value or a slope that differs by {defect:.1e} when the points are taken together",
                    cure="write an integral as Equation(..., integral=True); take out means and batch statistics",
                )
