"""What a network has to beat: the mean, the nearest draw, linear and kernel regression, settings chosen with care."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from pinnml.surrogates.data import Normaliser, Samples
from pinnml.surrogates.families.family import Family

#: Ridges as parts of the mean eigenvalue of the kernel, and widths of kernels in parts of the median distance squared.
RIDGES, WIDTHS = 10.0 ** np.arange(-12, 1), 10.0 ** np.arange(-1, 3.1, 0.5)
#: Numbers of modes that are tried, as far as there are so many samples.
MODES = (4, 8, 16, 32, 64, 128, 256)
#: From draws (b, p) and (b,) by name to the numbers of fields (b, N).
Predictor: TypeAlias = Callable[[Mapping[str, Tensor]], Tensor]
Matrix: TypeAlias = np.ndarray


@dataclass(frozen=True, eq=False)
class Baselines:
    """Predictors fitted to training samples, their settings chosen by the mean relative L2 error on validation samples.

    Then they are fitted again to both, which no network is: the bar is set as high as it can be.
    """

    family: Family
    normaliser: Normaliser
    training: Samples
    validation: Samples

    def all(self) -> dict[str, tuple[Predictor, dict[str, float]]]:
        """By name the predictor, and the settings that were chosen for it."""
        return {
            "mean": (self._mean, {}),
            "nearest draw": (self._nearest, {}),
            "ridge": self._regression(None),
            "kernel ridge": self._regression(self._widths),
            "POD and kernel ridge": self._on_modes(),
        }

    def error(self, predicted: Tensor | Matrix, u: Tensor | Matrix) -> float:
        """The mean over draws of |predicted - u| / |u| in L2, of numbers (b, N)."""
        return float(relative_errors(self.family, predicted, u).mean())

    @property
    def _seen(self) -> tuple[Matrix, Matrix]:
        """Of training and validation: inputs (n, f) and solutions (n, N)."""
        u = np.concatenate([self.training.outputs.numpy(), self.validation.outputs.numpy()])
        return np.concatenate([self._rows(self.training.inputs), self._rows(self.validation.inputs)]), u

    def _rows(self, inputs: Mapping[str, Tensor]) -> Matrix:
        """Scaled inputs side by side (b, f), each field as long as a number."""
        scaled = self.normaliser.scaled_inputs(inputs).values()
        columns = [value[:, None] if value.ndim == 1 else value / value.shape[1] ** 0.5 for value in scaled]
        return torch.cat(columns, dim=1).numpy()

    def _mean(self, inputs: Mapping[str, Tensor]) -> Tensor:
        b = len(next(iter(inputs.values())))
        return torch.from_numpy(self._seen[1].mean(axis=0)).expand(b, -1)

    def _nearest(self, inputs: Mapping[str, Tensor]) -> Tensor:
        x, u = self._seen
        return torch.from_numpy(u[cdist(self._rows(inputs), x).argmin(axis=1)])

    def _widths(self, x: Matrix) -> Matrix:
        """Widths of kernels to be tried, squares of distances."""
        squares = cdist(x, x, "sqeuclidean")
        return WIDTHS * np.median(squares[squares > 0]) if (squares > 0).any() else WIDTHS

    def _regression(self, widths: Callable[[Matrix], Matrix] | None) -> tuple[Predictor, dict[str, float]]:
        """Ridge regression in a kernel: products of inputs, or exp(-|x - y|^2 / width)."""
        x, known = self._rows(self.training.inputs), self._rows(self.validation.inputs)
        u, expected = self.training.outputs.numpy(), self.validation.outputs.numpy()
        tried = {}
        for width in [None] if widths is None else widths(x).tolist():
            for ridge, predicted in _along_ridges(x, u, known, width):
                tried[width, ridge] = self.error(predicted, expected)
        width, ridge = min(tried, key=lambda setting: tried[setting])
        x, u = self._seen
        weights = _weights(x, u - u.mean(axis=0), width, ridge)

        def predict(inputs: Mapping[str, Tensor]) -> Tensor:
            return torch.from_numpy(u.mean(axis=0) + kernel(self._rows(inputs), x, width) @ weights)

        return predict, {"ridge": ridge, **({} if width is None else {"width": width})}

    def _on_modes(self) -> tuple[Predictor, dict[str, float]]:
        """Kernel ridge, projected on as many of the principal directions of the solutions as serve validation best."""
        predict, settings = self._regression(self._widths)
        expected = self.validation.outputs
        found = predict_without(self, settings)
        tried = {}
        for m in [m for m in MODES if m <= len(self.training)]:
            tried[m] = self.error(_projected(found, self.training.outputs.numpy(), m), expected)
        best = min(tried, key=lambda m: tried[m])
        u = self._seen[1]
        return lambda inputs: torch.from_numpy(_projected(predict(inputs).numpy(), u, best)), {
            **settings,
            "modes": best,
        }


def predict_without(baselines: Baselines, settings: Mapping[str, float]) -> Matrix:
    """What kernel ridge with these settings, fitted to the training samples alone, says of the validation samples."""
    x, u = baselines._rows(baselines.training.inputs), baselines.training.outputs.numpy()
    known, width = baselines._rows(baselines.validation.inputs), settings["width"]
    return u.mean(axis=0) + kernel(known, x, width) @ _weights(x, u - u.mean(axis=0), width, settings["ridge"])


def relative_errors(family: Family, predicted: Tensor | Matrix, u: Tensor | Matrix) -> Matrix:
    """|predicted - u| / |u| in L2 of each of (b, N), (b,)."""
    predicted, u = np.asarray(predicted), np.asarray(u)
    e = predicted - u
    return np.sqrt(((e @ family.mass) * e).sum(axis=1) / ((u @ family.mass) * u).sum(axis=1))


def kernel(x: Matrix, y: Matrix, width: float | None) -> Matrix:
    """exp(-|x - y|^2 / width), or x . y where there is no width, (b, n)."""
    return x @ y.T if width is None else np.exp(-cdist(x, y, "sqeuclidean") / width)


def _weights(x: Matrix, y: Matrix, width: float | None, ridge: float) -> Matrix:
    """(K + ridge trace(K) / n I)^-1 y."""
    k = kernel(x, x, width)
    return np.linalg.solve(k + ridge * np.trace(k) / len(k) * np.eye(len(k)), y)


def _along_ridges(x: Matrix, u: Matrix, known: Matrix, width: float | None) -> Iterable[tuple[float, Matrix]]:
    """Predictions at other inputs for every ridge, by one eigendecomposition."""
    k, mean = kernel(x, x, width), u.mean(axis=0)
    values, vectors = np.linalg.eigh(k)
    across, along = kernel(known, x, width) @ vectors, vectors.T @ (u - mean)
    for ridge in RIDGES.tolist():
        damped = np.maximum(values, 0.0) + ridge * values.mean()
        yield ridge, mean + (across / damped) @ along


def _projected(predicted: Matrix, u: Matrix, m: int) -> Matrix:
    """Predictions (b, N) projected on the mean and m principal directions of solutions (n, N)."""
    mean = u.mean(axis=0)
    modes = np.linalg.svd(u - mean, full_matrices=False)[2][:m]
    return mean + (predicted - mean) @ modes.T @ modes
