"""Training part by part gives the gradients, and the weights, of training whole; one hop less does not."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pinnml.domains.partitions import Partition, of_edges
from pinnml.errors import PartitionError
from pinnml.surrogates import decomposed
from pinnml.surrogates.decomposed import Parted, PartedTrainer, cut_of
from pinnml.surrogates.losses import Loss
from pinnml.surrogates.networks import MessagePassing, Slices
from pinnml.surrogates.training import Trainer
from tests.helpers.families import trainer
from tests.helpers.places import ROOT


def doubled(modes: int = 4, degree: int = 1, **training) -> Trainer:
    """A trainer in double precision."""
    return trainer(MessagePassing(6, 3), modes, n=12, degree=degree, dtype=torch.float64, **training)


def unequal(found: Trainer) -> Partition:
    """90, 5 and 5 per cent of the nodes, from left to right."""
    graph = found.surrogate.graph
    order = graph.positions[:, 0].argsort(stable=True)
    owner = np.zeros(len(graph), dtype=int)
    n = len(graph)
    owner[order[int(0.9 * n) :].numpy()] = 1
    owner[order[int(0.95 * n) :].numpy()] = 2
    return Partition.of(of_edges(graph.edges.numpy().T, n), owner, 3)


def parted(found: Trainer, cut: Partition) -> PartedTrainer:
    return PartedTrainer(found.surrogate, found.training, found.data, found.validation, 0, cut)


def gradients(found: Trainer, rows: torch.Tensor) -> torch.Tensor:
    found.optimiser.zero_grad()
    found._gradients(rows)
    return torch.cat([weight.grad.flatten() for weight in found.surrogate.network.parameters()])


@pytest.mark.parametrize(("modes", "degree"), [(4, 1), (0, 2)])
def test_gradients_are_those_of_the_whole_graph(modes, degree, monkeypatch):
    whole, rows = doubled(modes, degree), torch.tensor([0, 3, 5])
    expected = gradients(whole, rows)
    size = float(expected.abs().max())
    cuts = [unequal(whole), *(cut_of(whole.surrogate, parts, "bisection") for parts in (1, 4, 7))]
    for cut in cuts:
        found = gradients(parted(whole, cut), rows)
        # sums of the same numbers in another order
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-12 * size)
    near = decomposed.subdomains
    monkeypatch.setattr(decomposed, "subdomains", lambda graph, cut, hops: near(graph, cut, hops - 1))
    one_hop_less = gradients(parted(whole, cuts[0]), rows)
    assert float((one_hop_less - expected).abs().max()) > 1e-6 * size


def test_validation_errors_are_those_of_the_whole_graph():
    whole = doubled()
    assert parted(whole, unequal(whole)).error(whole.validation) == pytest.approx(whole.error(whole.validation))


def test_a_training_in_parts_is_that_of_the_whole():
    whole, other = doubled(epochs=3), doubled(epochs=3)
    found = parted(other, unequal(other))
    for one, two in zip(found.run(), whole.run(), strict=True):
        assert (one.loss, one.validation) == pytest.approx((two.loss, two.validation), rel=1e-9)


def test_the_halo_is_the_receptive_field():
    found = doubled()
    part = Parted(found.surrogate, unequal(found)).parts[2]
    reached = set(part.nodes[: part.owned].tolist())
    edges = found.surrogate.graph.edges.T.tolist()
    for _ in range(3):
        reached |= {source for source, target in edges if target in reached}
    assert set(part.nodes.tolist()) == reached


def test_what_cannot_be_parted_is_refused():
    found = trainer(Slices(8, 2, 2, 4), n=12)
    with pytest.raises(PartitionError, match="sees all of a mesh"):
        parted(found, unequal(found))
    found = trainer(n=12)
    found.training = replace(found.training, loss=Loss(h1=1.0))
    with pytest.raises(PartitionError, match="ties nodes"):
        parted(found, unequal(found))


PROCESS = """
import sys
import torch
import torch.distributed as dist
from pinnml.surrogates.decomposed import PartedTrainer, cut_of
from tests.surrogates.test_decomposed import doubled

torch.set_num_threads(1)
dist.init_process_group("gloo")
whole = doubled(epochs=10)
cut = cut_of(whole.surrogate, 3, "bisection")
found = PartedTrainer(whole.surrogate, whole.training, whole.data, whole.validation, 0, cut)
found.run()
weights = torch.cat([weight.detach().flatten() for weight in found.surrogate.network.parameters()])
torch.save(weights, f"{sys.argv[1]}/weights{dist.get_rank()}.pt")
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(PROCESS)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(script), str(tmp_path)],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    whole = doubled(epochs=10)  # of 8 draws, 4 at a time: 20 steps
    whole.run()
    expected = torch.cat([weight.detach().flatten() for weight in whole.surrogate.network.parameters()])
    first, second = (torch.load(tmp_path / f"weights{rank}.pt") for rank in (0, 1))
    assert torch.equal(first, second)
    np.testing.assert_allclose(first.numpy(), expected.numpy(), atol=1e-10)


def _environment() -> dict[str, str]:
    import os

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
