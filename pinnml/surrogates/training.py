"""Training a surrogate: batches of draws, the loss of each, the best weights by what was held back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pinnml.errors import SettingsError
from pinnml.surrogates.data import Samples
from pinnml.surrogates.losses import Loss, terms_of, total
from pinnml.surrogates.surrogate import Inputs, Surrogate
from pinnml.validation import choice, not_negative, or_none, positive, whole_number

OPTIMISERS = ("adamw", "adam")
#: The learning rate rises over this part of all steps, and falls along a cosine to this part of the largest.
WARM_UP, LAST_RATE = 0.05, 1e-3
#: Gradients are cut to this length.
LONGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Training:
    """How the weights are found: `epochs` rounds through the training draws in batches, or fewer in `seconds`.

    The learning rate rises and falls once (Smith and Topin, Super-convergence, 2018), over the epochs, or over the
    seconds where these are given. Weights are those of the round with the least validation error.
    """

    epochs: int = 50
    batch: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    optimiser: str = "adamw"
    loss: Loss = field(default_factory=Loss)
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            whole_number(name, getattr(self, name))
        positive("learning_rate", self.learning_rate)
        not_negative("weight_decay", self.weight_decay)
        choice("optimiser", self.optimiser, OPTIMISERS)
        or_none(positive)("seconds", self.seconds)
        if not isinstance(self.loss, Loss):
            cure = "write loss=Loss(l2=1.0, h1=0.1)"
            raise SettingsError("loss", expected="a Loss", got=repr(self.loss), cure=cure)

    def rate(self, part: float) -> float:
        """The learning rate, as a part of the largest, when so much of the training is done."""
        if part < WARM_UP:
            return max(part / WARM_UP, LAST_RATE)
        return LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * min((part - WARM_UP) / (1 - WARM_UP), 1.0))) / 2


@dataclass(frozen=True)
class Epoch:
    """What one round through the training draws ended with."""

    number: int
    loss: float
    validation: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Batches:
    """Draws of one mesh as a surrogate takes them, and what it is to find."""

    inputs: Inputs
    target: Tensor
    draws: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.target)

    def of(self, rows: Tensor) -> tuple[Inputs, dict[str, Any]]:
        """Some of them: what goes in, and what the loss asks for."""
        inputs = self.inputs.part(rows)
        draws = [self.draws[row] for row in rows.tolist()]
        return inputs, {"target": self.target[rows], "fixed": inputs.fixed, "draws": draws}

    @classmethod
    def from_samples(cls, inputs: Inputs, samples: Samples) -> Batches:
        """On the device and in the precision of the inputs."""
        draws = [samples.draw(row) for row in range(len(samples))]
        return cls(inputs, samples.outputs.to(inputs.x), draws)


class Trainer:
    """Steps of an optimiser on a surrogate's network; `keep` writes all that changes."""

    def __init__(
        self,
        surrogate: Surrogate,
        training: Training,
        data: Batches,
        validation: Batches,
        seed: int,
    ):
        self.surrogate, self.training, self.data, self.validation = surrogate, training, data, validation
        self.measures = surrogate.measures
        kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
        self.optimiser = kinds[training.optimiser](
            surrogate.network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.epoch, self.seconds, self.history = 0, 0.0, list[Epoch]()
        self.best = _copied(surrogate.network.state_dict())

    def run(self, progress: Callable[[Epoch], None] | None = None) -> list[Epoch]:
        """All epochs that are left; the network has the best weights afterwards."""
        while not self.is_over:
            found = self.round()
            if progress is not None:
                progress(found)
        self.surrogate.network.load_state_dict(self.best)
        return self.history

    @property
    def is_over(self) -> bool:
        """Whether epochs or seconds are used up."""
        limit = self.training.seconds
        return self.epoch >= self.training.epochs or (limit is not None and self.seconds >= limit)

    def round(self) -> Epoch:
        """One epoch."""
        began, losses = time.perf_counter(), []
        order = torch.randperm(len(self.data), generator=self.generator)
        batches = order.split(self.training.batch)
        for place, rows in enumerate(batches):
            now = self.seconds + time.perf_counter() - began
            self._set_rate((self.epoch + place / len(batches)) / self.training.epochs, now)
            losses.append(self._step(rows))
        self.epoch += 1
        validation = self.error(self.validation)
        self.seconds += time.perf_counter() - began
        found = Epoch(self.epoch, sum(losses) / len(losses), validation, self.seconds)
        if not self.history or validation < min(each.validation for each in self.history):
            self.best = _copied(self.surrogate.network.state_dict())
        self.history.append(found)
        return found

    @torch.no_grad()
    def error(self, data: Batches) -> float:
        """The mean relative L2 error over draws."""
        parts = torch.arange(len(data)).split(2 * self.training.batch)
        squares = [self._squared_errors(data, rows) for rows in parts]
        return float(torch.cat([(error / size).sqrt() for error, size in squares]).mean())

    def _squared_errors(self, data: Batches, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The squares of errors and of what was to be found, (b,) each."""
        inputs, known = data.of(rows)
        error = self.surrogate.answers(inputs) - known["target"]
        return self.measures.squared(error), self.measures.squared(known["target"])

    def _step(self, rows: Tensor) -> float:
        """One step of the optimiser on some draws; the loss before it."""
        self.optimiser.zero_grad()
        loss = self._gradients(rows)
        torch.nn.utils.clip_grad_norm_(self.surrogate.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        return loss

    def _gradients(self, rows: Tensor) -> float:
        """The loss on some draws, its gradients left with the weights."""
        inputs, known = self.data.of(rows)
        u = self.surrogate.answers(inputs)
        loss = total(self.training.loss, terms_of(self.training.loss, self.measures, u, known))
        loss.backward()
        return float(loss.detach())

    def _set_rate(self, part: float, seconds: float) -> None:
        limit = self.training.seconds
        done = part if limit is None else max(part, seconds / limit)
        for group in self.optimiser.param_groups:
            group["lr"] = self.training.learning_rate * self.training.rate(done)


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
