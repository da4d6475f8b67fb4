"""Values carried to a mean of 0 and a deviation of 1, as they are in the training part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

#: The logarithm is taken of inputs that are positive, spread over this factor, and by it this much less skew.
SPREAD, LESS_SKEW = 10.0, 0.5


@dataclass(frozen=True)
class Scale:
    """y = (f(x) - mean) / deviation, where f is the identity, or the logarithm.

    mean: one number for each component; deviation: one for all of them, so that directions stay what they are. low,
    high: the least and largest x of the training part.
    """

    mean: tuple[float, ...]
    deviation: float
    low: float
    high: float
    logarithm: bool = False

    @classmethod
    def of(cls, values: Tensor, *, may_bend: bool) -> Scale:
        """That of values (C, k) of C components.

        may_bend: the logarithm may be taken; it is where values are positive, the largest is more than SPREAD times the
        least, and the skewness falls below LESS_SKEW of what it was: of log-normal fields, not of two-valued ones.
        """
        low, high = float(values.min()), float(values.max())
        logarithm = may_bend and low > 0 and high > SPREAD * low
        logarithm = logarithm and skewness(values.log()) < LESS_SKEW * skewness(values)
        used = values.log() if logarithm else values
        mean = used.mean(dim=1, keepdim=True)
        deviation = float((used - mean).square().mean().sqrt())
        # of what never changes nothing is to be learnt, whatever its scale
        return cls(tuple(mean.flatten().tolist()), deviation or 1.0, low, high, logarithm)

    def forward(self, x: Tensor) -> Tensor:
        """Y of x, (..., C, k), or of any shape where there is one component."""
        return ((x.log() if self.logarithm else x) - self._mean(x)) / self.deviation

    def back(self, y: Tensor) -> Tensor:
        """X of y."""
        x = y * self.deviation + self._mean(y)
        return x.exp() if self.logarithm else x

    def _mean(self, like: Tensor) -> Tensor:
        mean = like.new_tensor(self.mean)
        return mean[0] if len(mean) == 1 else mean[:, None]


@dataclass(frozen=True)
class Normaliser:
    """Scales of inputs and of fields by name, the fields in the order of the problem."""

    inputs: Mapping[str, Scale]
    outputs: Mapping[str, Scale]

    @classmethod
    def fitted(
        cls, inputs: Iterable[Mapping[str, Tensor]], outputs: Iterable[Tensor], fields: Mapping[str, int]
    ) -> Normaliser:
        """From values of some draws, mesh by mesh: inputs (n, p) or (n,), fields (..., N) of Lagrange elements.

        fields: the components of each field. Of fields no logarithm is taken: errors are measured in them.
        """
        given = list(inputs)
        values = {name: torch.cat([each[name].flatten() for each in given])[None] for name in given[0]}
        pieces = [_by_field(each, fields.values()) for each in outputs]
        columns = [
            torch.cat([part.movedim(-2, 0).flatten(1) for part in parts], dim=1) for parts in zip(*pieces, strict=True)
        ]
        return cls(
            {name: Scale.of(each, may_bend=True) for name, each in values.items()},
            {name: Scale.of(each, may_bend=False) for name, each in zip(fields, columns, strict=True)},
        )

    def scaled_inputs(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name, of any shapes, scaled."""
        return {name: self.inputs[name].forward(value) for name, value in inputs.items()}

    def scaled_outputs(self, u: Tensor) -> Tensor:
        """The numbers (..., N) of all fields, scaled."""
        scaled = (scale.forward(part) for scale, part in zip(self.outputs.values(), self._parts(u), strict=True))
        return torch.cat([part.flatten(-2) for part in scaled], dim=-1)

    def outputs_of(self, y: Tensor) -> Tensor:
        """The numbers (..., N) of all fields from scaled ones."""
        found = (scale.back(part) for scale, part in zip(self.outputs.values(), self._parts(y), strict=True))
        return torch.cat([part.flatten(-2) for part in found], dim=-1)

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return {
            what: {name: asdict(scale) for name, scale in getattr(self, what).items()} for what in ("inputs", "outputs")
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Normaliser:
        """Of a record. Raises KeyError, TypeError or ValueError for one that is none."""
        return cls(*({n: _read(each) for n, each in record[what].items()} for what in ("inputs", "outputs")))

    def _parts(self, u: Tensor) -> list[Tensor]:
        return _by_field(u, [len(scale.mean) for scale in self.outputs.values()])


def skewness(values: Tensor) -> float:
    """|E (x - m)^3| / s^3; 0 where nothing varies."""
    away = values - values.mean()
    deviation = away.square().mean().sqrt()
    return float((away**3).mean().abs() / deviation**3) if float(deviation) else 0.0


def _by_field(u: Tensor, components: Iterable[int]) -> list[Tensor]:
    """Numbers (..., N) by field and component (..., C, k): all fields have the same k nodes."""
    sizes = list(components)
    return list(u.unflatten(-1, (sum(sizes), -1)).split(sizes, dim=-2))


def _read(record: Mapping[str, Any]) -> Scale:
    mean, logarithm = tuple(float(value) for value in record["mean"]), record["logarithm"]
    deviation, low, high = (float(record[name]) for name in ("deviation", "low", "high"))
    if not (mean and deviation > 0 and low <= high and isinstance(logarithm, bool)):
        raise ValueError(f"no scale: {record!r:.80}")
    return Scale(mean, deviation, low, high, logarithm)
