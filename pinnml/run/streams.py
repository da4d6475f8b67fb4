"""The random streams that functions of a user's may draw from: they go on with a run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def streams() -> dict[str, Any]:
    """Where the streams of PyTorch, NumPy and Python stand, as tensors and numbers."""
    kind, words, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - the stream that others draw from
    version, numbers, next_gauss = random.getstate()
    assert kind == "MT19937"
    found = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(np.asarray(words).astype(np.int64)), position, has_gauss, gauss],
        "python": [version, torch.tensor(numbers), next_gauss],
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["cuda"] = torch.cuda.get_rng_state_all()
    return found


def set_streams(found: dict[str, Any]) -> None:
    """Let the streams go on from there."""
    torch.set_rng_state(found["torch"])
    words, position, has_gauss, gauss = found["numpy"]
    state = ("MT19937", words.numpy().astype(np.uint32), position, has_gauss, gauss)
    np.random.set_state(state)  # noqa: NPY002
    version, numbers, next_gauss = found["python"]
    random.setstate((version, tuple(numbers.tolist()), next_gauss))
    if "cuda" in found and len(found["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(found["cuda"])
