"""The system that solvers see: residual rows r(theta), their Jacobian, and the loss 1/2 |r|^2."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pinnml.calculus import Jet, total_order
from pinnml.deadline import NEVER, Deadline
from pinnml.domains import Sample
from pinnml.errors import all_of
from pinnml.networks import Marking, Network, Trace
from pinnml.problem import Problem, Term
from pinnml.system.blocks import Block, rows_of
from pinnml.system.jacobian import Link, fill, fill_pairs, hidden_links
from pinnml.system.marking import marking
from pinnml.system.pairing import Pairing
from pinnml.system.relative_residual import flux_sizes, relative_residuals
from pinnml.system.soundness import check_finite_start, check_samples_apart, is_affine
from pinnml.system.theta import Layout, Parts, theta_of

#: Writes scale_n dr_n/dtheta of a residual component r (n,) into rows of the Jacobian (n, P).
Writer: TypeAlias = Callable[[Tensor, Tensor, Tensor], None]
#: The flux of a weak form on one region, its points, and how it is tested there.
WeakPart: TypeAlias = tuple[Term, Sample, Pairing]
#: Numbers in the jets of one chunk of samples: such chunks stay in a CPU's cache, or fill a GPU.
CHUNK_NUMBERS = {"cpu": 2**20, "cuda": 2**27}
#: The same where reverse mode keeps what leads to them: then the Jacobian itself is most of the memory.
TRACED_NUMBERS = {"cpu": 3 * 2**14, "cuda": 2**25}
#: Chunks that a region is cut into at most, as every one costs some time of its own, while none has more numbers.
MOST_CHUNKS, LARGEST_NUMBERS = 12, 2**24
#: Samples of a chunk where the Jacobian is found by differentiating whole chunks: the cost grows with its square.
FALLBACK_CHUNK = 32


class System:
    """Residual rows of a problem for a network on fixed samples, as functions of one real vector theta (P,).

    theta = (hidden parameters, the problem's trainable parameters, head). Row n of a term is
    sqrt(weight) sqrt(sample.weight_n) r_n, so that loss = 1/2 |r|^2 approximates the integral of r^2 / 2 and does
    not change with the number of points. Complex components give a real row and an imaginary one. The last rows are
    those of a weak form, by field: factor^-1 F, where F_m is the flux at all samples tested with function m.
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
        deadline: Deadline = NEVER,
    ):
        self.problem, self.network, self.blocks, self.held_out = problem, network, blocks, held_out
        self.deadline, self._chunk = deadline, chunk
        self.weights = {t.name: t.equation.weight for block in blocks for t in block.terms} | dict(weights or {})
        self.rows = rows_of(blocks)
        self.n_residuals = max(rows.stop for rows in self.rows.values())
        self.layout = Layout(network, tuple(problem.parameters))
        self.n_params = self.layout.size
        self.own, self.hidden = self.layout.own, self.layout.hidden
        self.head, self.all = self.layout.head, self.layout.all

    @classmethod
    def build(
        cls,
        problem: Problem,
        network: Network,
        samples: Mapping[str, Sample],
        *,
        terms: Iterable[Term] | None = None,
        weak: Iterable[WeakPart] = (),
        tried: bool = True,
    ) -> System:
        """The system of a problem on CPU samples by canonical region; derivatives are discovered, rows checked.

        terms: by default all of the problem's. weak: a weak form by region. tried: whether the equations are tried for
        mixing samples; not again where they were.
        Raises ShapeError, NonFiniteError, CouplingError or MissingDerivativeError where a residual is not one.
        """
        kept = problem.terms if terms is None else tuple(terms)
        grouped = {region: tuple(t for t in kept if t.region == region) for region in samples}
        building = (
            partial(Block.build, problem, network, terms, samples[region]) for region, terms in grouped.items() if terms
        )
        blocks = all_of(building, "the problem")
        blocks += [Block.build(problem, network, (term,), sample, pairing) for term, sample, pairing in weak]
        system = cls(problem, network, tuple(blocks))
        system._check_finite()
        if not tried:
            return system
        together, theta = system.few(8), system.initial().requires_grad_()
        pieces = together.in_chunks(4).linearise(theta)
        check_samples_apart(together.rows, theta, together.residual(theta), pieces)
        return system

    @property
    def dtype(self) -> torch.dtype:
        """The real dtype of theta."""
        return self.network.coef.dtype

    @property
    def device(self) -> torch.device:
        """The device of theta."""
        return self.network.coef.device

    @property
    def inputs(self) -> Jet:
        """The network's inputs at all n samples, without derivatives, (1, n, e)."""
        values = torch.cat([block.inputs.value for block in self.blocks])
        return Jet(total_order(self.problem.domain.axes, 0), values.unsqueeze(0))

    def initial(self) -> Tensor:
        """Theta as the network was drawn, (P,)."""
        return theta_of(self.network, list(self.problem.parameters.values()))

    def parts(self, theta: Tensor) -> Parts:
        """Views of theta by name."""
        return self.layout.parts(theta)

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
        rows, tested = [], {}
        for block in self.blocks:
            values = [self.values(part, parts) for part in self.chunks(block)]
            if block.pairing is not None:
                flux = (torch.cat([chunk[0][s] for chunk in values]) for s in range(block.components[0]))
                name, sums = block.terms[0].name, [block.pairing.summed(s, g) for s, g in enumerate(flux)]
                tested[name] = tested.get(name, 0.0) + torch.stack(sums).sum(dim=0)
                continue
            for i, term in enumerate(block.terms):
                scale = self.scale(term, block)
                for k in range(block.components[i]):
                    row = scale * torch.cat([chunk[i][k] for chunk in values])
                    rows.append(row.sum().unsqueeze(0) if term.equation.integral else row)
        return torch.cat([*rows, *(self._whitened(name, sums) for name, sums in tested.items())])

    def loss(self, theta: Tensor) -> Tensor:
        """1/2 |r|^2, differentiable in theta."""
        return 0.5 * self.residual(theta).square().sum()

    def loss_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and its gradient (P,), chunk by chunk where there are some whose rows belong to samples."""
        theta, chunks = theta.detach().requires_grad_(), [c for block in self.blocks for c in self.chunks(block)]
        summed = self._pairings or any(term.equation.integral for block in self.blocks for term in block.terms)
        if summed or len(chunks) == len(self.blocks):
            loss = self.loss(theta)
            return loss.detach(), torch.autograd.grad(loss, theta)[0]
        total, gradient = theta.new_zeros(()), torch.zeros_like(theta)
        for chunk in chunks:
            self.deadline.check()
            rows = zip(chunk.terms, self.values(chunk, self.parts(theta)), strict=True)
            loss = sum(((self.scale(t, chunk) * r).square().sum() for t, each in rows for r in each), theta.sum() * 0)
            gradient += torch.autograd.grad(0.5 * loss, theta)[0]
            total += 0.5 * loss.detach()
        return total, gradient

    def jacobian(self, theta: Tensor, part: slice | None = None) -> Tensor:
        """dr/dtheta (M, P), or its columns for `part`: `system.head`, `.hidden`, `.own` or `.all`."""
        return self.linearise(theta, part)[1]

    def linearise(self, theta: Tensor, part: slice | None = None) -> tuple[Tensor, Tensor]:
        """R (M,) and J (M, P): one reverse pass per residual component and one contraction per layer."""
        theta, part = theta.detach(), part or self.all
        r = theta.new_zeros(self.n_residuals)
        j = theta.new_empty((self.n_residuals, part.stop - part.start))
        for name in self._pairings:
            j[self.rows[name]] = 0.0
        for block in self.blocks:
            start = 0
            for chunk in self.chunks(block, traced=part.start < self.hidden.stop):
                self._linearise_chunk(chunk, slice(start, start + len(chunk)), len(block), theta, part, r, j)
                start += len(chunk)
        for name, rows in ((name, self.rows[name]) for name in self._pairings):
            r[rows], j[rows] = self._whitened(name, r[rows]), self._whitened(name, j[rows])
        return r, j

    def rms(self, theta: Tensor) -> dict[str, float]:
        """For every equation the RMS of its unweighted residual over its region; of a weak form its norm."""
        return self.rms_of(self.residual(theta.detach()).detach())

    def rms_of(self, r: Tensor) -> dict[str, float]:
        """The same from the rows (M,)."""
        result = {}
        for block, term in ((each, term) for each in self.blocks for term in each.terms):
            square = float(r[self.rows[term.name]].square().sum()) / self.weights[term.name]
            is_one = term.equation.integral or block.pairing is not None
            result[term.name] = math.sqrt(square if is_one else square / block.measure_of(term))
        return result

    def relative(self, theta: Tensor) -> dict[str, float]:
        """For every equation the RMS of its residual over the size of its terms, near one where nothing is solved."""
        with torch.no_grad():
            parts = self.parts(theta.detach())
            chunks = [[self._outputs(chunk, parts) for chunk in self.chunks(block)] for block in self.blocks]
            outputs = [torch.cat(each, dim=1) for each in chunks]
        sizes = flux_sizes(self.blocks, outputs, parts.parameters)
        left = self.rms(theta) if sizes else {}
        found = relative_residuals(self.blocks, outputs, parts.parameters)
        return found | {name: left[name] / size for name, size in sizes.items()}

    @cached_property
    def is_linear(self) -> bool:
        """Whether the rows are affine in the head: r(a+b) - r(a) - r(b) + r(0) = 0 on random heads, to round-off."""
        theta = self.initial()
        with torch.no_grad():
            return is_affine(lambda head: self.few(8).residual(torch.cat([theta[self.hidden], head])), theta[self.head])

    def subset(self, n: int) -> System:
        """The system on at most n samples of every region, the measure kept; weak forms on all of theirs."""
        return self._with(blocks=tuple(block.thinned(n) for block in self.blocks), held_out=None)

    def few(self, n: int) -> System:
        """The system on at most n samples of every region, to look at it and not to solve it."""
        return self._with(blocks=tuple(block.few(n) for block in self.blocks), held_out=None)

    def on(self, samples: Mapping[str, Sample], weak: Iterable[WeakPart] = ()) -> System:
        """The same equations on other CPU samples, the weak form tested otherwise. Raises NonFiniteError."""
        blocks = [block.on(samples[block.region], self.network) for block in self.blocks if block.pairing is None]
        blocks += [Block.build(self.problem, self.network, (t,), sample, pairing) for t, sample, pairing in weak]
        other = self._with(blocks=tuple(blocks), held_out=None)
        other._check_finite()
        return other

    def with_network(self, network: Network) -> System:
        """The same rows for another network on the same inputs."""
        return self._with(network=network, held_out=self.held_out and self.held_out.with_network(network))

    def refine(self, theta: Tensor, share: float | None = None) -> tuple[System, Tensor, Callable[[Tensor], Tensor]]:
        """The system and theta of the same fields on the next finer level, and what carries moments of theta over.

        share: only where this share of all squared residuals lies; None for everywhere. Raises SettingsError for a
        network without levels, and for a share of a weak form.
        """
        where = None if share is None else self.marking(theta, share)
        network, prolong = self.network_at(theta).refined(where)
        fine = self.with_network(network.requires_grad_(True))

        def carried(moments: Tensor) -> Tensor:
            parts = self.parts(moments)
            hidden, coef = prolong(parts.hidden, parts.coef)
            return torch.cat([*(each.reshape(-1) for each in hidden.values()), moments[self.own], coef.reshape(-1)])

        start = fine.initial()
        start[fine.own] = theta[self.own]
        return fine, start, carried

    def marking(self, theta: Tensor, share: float) -> Marking:
        """Where this share of the squared residuals lies. Raises SettingsError for a weak form."""
        return marking(self.blocks, self.inputs, self.residual(theta.detach()).detach(), self.rows, share)

    def within(self, deadline: Deadline) -> System:
        """The same rows, whose work raises OutOfTimeError between two chunks once the deadline has passed."""
        return self._with(deadline=deadline, held_out=self.held_out and self.held_out.within(deadline))

    def in_chunks(self, chunk: int) -> System:
        """The same rows, worked out on so many samples at a time."""
        return self._with(chunk=chunk)

    def with_weights(self, weights: Mapping[str, float]) -> System:
        """The same rows with other equation weights."""
        return self._with(weights=weights, held_out=self.held_out and self.held_out.with_weights(weights))

    def with_held_out(self, held_out: System) -> System:
        """The same rows, and a system on points that the training does not see."""
        return self._with(held_out=held_out)

    def _with(self, **changes: Any) -> System:
        """The same system but for some of its pieces."""
        same = {"network": self.network, "blocks": self.blocks, "weights": self.weights, "held_out": self.held_out}
        return System(self.problem, **{**same, "chunk": self._chunk, "deadline": self.deadline, **changes})

    @cached_property
    def _pairings(self) -> dict[str, Pairing]:
        """How the flux of a weak form is tested, by the name of its rows."""
        return {block.terms[0].name: block.pairing for block in self.blocks if block.pairing is not None}

    def _check_finite(self) -> None:
        """Refuse NaN and infinity at the start; a head of zeros gives outputs of zero without a look at the basis."""
        parts = self.parts(self.initial())
        zero = not bool(parts.coef.any())
        with torch.no_grad():
            for chunk in (chunk for block in self.blocks for chunk in self.chunks(block)):
                shape = (len(chunk.needs.outputs), len(chunk), self.problem.columns)
                outputs = parts.coef.new_zeros(shape) if zero else self._outputs(chunk, parts)
                check_finite_start([(chunk, chunk.residuals(outputs, parts.parameters))])

    def _whitened(self, name: str, tested: Tensor) -> Tensor:
        """The rows of a weak form from what its flux gives with every test function, (M,) or (M, P)."""
        return math.sqrt(self.weights[name]) * self._pairings[name].whitened(tested)

    def scale(self, term: Term, block: Block) -> Tensor:
        """What multiplies each residual value on its way into the rows, (n,)."""
        weight = block.sample.weight
        return math.sqrt(self.weights[term.name]) * (weight if term.equation.integral else weight.sqrt())

    def chunks(self, block: Block, traced: bool = False) -> Iterator[Block]:
        """The block in pieces whose jets fit the cache, smaller ones where every step towards them is kept."""
        size = self._chunk or FALLBACK_CHUNK
        if self._chunk is None and self.network.basis.one_pass:
            limit = (TRACED_NUMBERS if traced else CHUNK_NUMBERS)[self.device.type]
            numbers = self.network.basis.size if traced else self.network.basis.numbers
            fitting, most = (each // (len(block.needs.outputs) * numbers) for each in (limit, LARGEST_NUMBERS))
            size = max(fitting, 64, min(most, math.ceil(len(block) / MOST_CHUNKS)))
        size += size % 2 if block.sample.two_sided else 0  # pairs stay together
        for start in range(0, len(block), size):
            self.deadline.check()
            yield block.picked(slice(start, start + size))

    def _basis(self, block: Block, parts: Parts, trace: Trace | None = None) -> Tensor:
        """The basis functions (K, n, k) at the samples of a block."""
        return torch.func.functional_call(self.network.basis, parts.hidden, (block.inputs, trace)).coefficients

    def _outputs(self, block: Block, parts: Parts) -> Tensor:
        """The network's outputs (K, n, m) at the samples of a block."""
        tensors = {f"basis.{name}": value for name, value in parts.hidden.items()} | {"coef": parts.coef}
        return torch.func.functional_call(self.network, tensors, (block.inputs,)).coefficients

    def values(self, block: Block, parts: Parts) -> list[list[Tensor]]:
        """The residual components (n,) of a block by term, not weighted."""
        return block.residuals(self._outputs(block, parts), parts.parameters)

    def _linearise_chunk(
        self, block: Block, place: slice, n: int, theta: Tensor, part: slice, r: Tensor, j: Tensor
    ) -> None:
        """Fill the rows of one chunk, which stands at `place` among the n samples of its region."""
        by_chunks = part.start < self.hidden.stop and not self.network.basis.one_pass
        values, write = (self._differentiated if by_chunks else self._traced)(block, theta, part)
        for term, components in zip(block.terms, values, strict=True):
            scale, first = self.scale(term, block), self.rows[term.name].start
            for k, component in enumerate(components):
                if block.pairing is not None:
                    samples = j.new_empty((len(block), j.shape[1]))
                    write(component, torch.ones_like(scale), samples)
                    r[self.rows[term.name]] += block.pairing.summed(k, component.detach())
                    j[self.rows[term.name]] += block.pairing.summed(k, samples)
                    continue
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
        links = hidden_links(trace, self.layout.columns, part) if hidden else []
        if part.stop == self.head.stop:
            links.append(Link(slice(self.head.start - part.start, part.stop - part.start), basis.detach(), outputs))
        written = fill_pairs if block.sample.two_sided else fill
        return values, lambda component, scale, rows: written(component, scale, links, rows)

    def _differentiated(self, block: Block, theta: Tensor, part: slice) -> tuple[list[list[Tensor]], Writer]:
        """The same for a basis that keeps no trace: reverse mode through the whole of a small chunk."""

        def rows(values: Tensor) -> Tensor:
            whole = torch.cat([theta[: part.start], values, theta[part.stop :]])
            return torch.stack([c for components in self.values(block, self.parts(whole)) for c in components])

        values = self.values(block, self.parts(theta))
        places = {id(c): k for k, c in enumerate(c for components in values for c in components)}
        jacobian = torch.func.jacrev(rows)(theta[part])

        def write(component: Tensor, scale: Tensor, target: Tensor) -> None:
            torch.mul(jacobian[places[id(component)]], scale.unsqueeze(1), out=target)

        return values, write
