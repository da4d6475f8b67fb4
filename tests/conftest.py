"""One thread everywhere: two threads on two busy cores are many times slower than one, and less repeatable."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs leave out their picture, which takes longer to draw than a small solve."""
    monkeypatch.setattr("pinnml.results.run_files.draw", lambda *_: None)
    monkeypatch.setattr("pinnml.results.run_files.panels", lambda _: [])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones, so that no core is left with one at the end; skip what needs a GPU if there is none."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
