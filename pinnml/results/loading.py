"""Solutions read back from checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinnml.calculus import with_gradients
from pinnml.domains import TIME, Box, Domain, Mesh, MeshRecord, MeshTimes, domain_from_json, same_domain
from pinnml.elements import FINITE_ELEMENTS, Discretisation, Element, element_network
from pinnml.errors import CheckpointError
from pinnml.networks import Network, NetworkSettings, joined_in_time
from pinnml.output import RunFolder
from pinnml.problem import Problem
from pinnml.results.checkpoint_file import read_archive
from pinnml.results.file_needs import check_given
from pinnml.results.file_sizes import check_size, check_verdict, checked_fields
from pinnml.results.settings_record import network_settings, parts_there
from pinnml.results.solution import Solution
from pinnml.results.verdict import Verdict


@with_gradients
def load(path: str | Path, problem: Problem | None = None, network: NetworkSettings | None = None) -> Solution:
    """The solution that `Solution.save` wrote, or that of a run in its folder, on the CPU.

    Without its problem the fields can be called; errors, residuals and integrals ask for it, and so do fields
    that come out of an ansatz or lie on a mesh. `network` is needed for a wrapped module or an `inputs` function, which
    a file cannot hold. Raises CheckpointError for a file that does not fit, or that needs more than was given, and for
    the checkpoint of one run in a folder with files of another.
    """
    path = _checkpoint_in(Path(path)) if Path(path).is_dir() else Path(path)
    record, tensors = read_archive(path)
    _check_run(path, record)
    with parts_there():
        fields = checked_fields(record["fields"])
        saved, ansatz = record["domain"], record["ansatz"]
        domain = problem.domain if problem is not None else domain_from_json(saved)
        settings = dict(record["settings"]["network"])
        verdict = Verdict.from_json(record["verdict"])
        check_verdict(verdict)
        parameters = {str(name): float(value) for name, value in record["parameters"].items()}
        history = tuple(dict(row) for row in record["history"])
        is_same = problem is None or same_domain(saved, problem.domain.to_json())
    check_given(settings, domain, problem, network, ansatz=bool(ansatz))
    if problem is not None and problem.fields != fields:
        names = [", ".join(f.name for f in each) for each in (problem.fields, fields)]
        expected, got = names if names[0] != names[1] else (str(problem.fields), str(fields))
        raise _of_another_problem(expected, got)
    if not is_same:
        raise _of_another_problem(f"fields on {domain!r}", f"fields on {domain_from_json(saved)!r}")
    if settings.get("kind") == FINITE_ELEMENTS:
        built = _elements(settings, problem, tensors)
    elif "slabs" in record["settings"]:
        built = _in_slabs(record["settings"], network, domain, sum(f.columns for f in fields), tensors)
    else:
        built = _built(settings, network, domain, sum(f.columns for f in fields), tensors)
    return Solution(domain, fields, built, parameters, verdict, history, problem, record["settings"])


def _checkpoint_in(folder: Path) -> Path:
    """The checkpoint of the run in a folder. Raises CheckpointError where there is none."""
    own = RunFolder(folder)
    if own.checkpoint.is_file():
        return own.checkpoint
    names = sorted(each.name for each in folder.iterdir())
    inside = [name for name in names if (folder / name / own.checkpoint.name).is_file()]
    kind = "no checkpoint of its run" if own.config.is_file() else "no run"
    raise CheckpointError(
        f"this folder holds {kind}",
        expected=f"{own.checkpoint.name} in it",
        got=f"'{folder}' with {', '.join(names[:5]) + ', ...' * (len(names) > 5) if names else 'nothing in it'}",
        cure=f"load '{folder / inside[0]}'" if inside else "give the folder, out=, of a solve, or the file of a save",
    )


def _check_run(path: Path, record: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of a run beside files that say that they are of another one."""
    folder = RunFolder(path.parent)
    if path.name != folder.checkpoint.name:
        return
    with parts_there():
        own = record["settings"].get("run")
    if others := [name for name, run in folder.runs.items() if own is not None and run != own]:
        raise CheckpointError(
            "the files in this folder are of two runs",
            expected=f"files of the run {own}, as the checkpoint is",
            got=f"'{path.parent}' with {', '.join(others)} of another run",
            cure="move the checkpoint into a folder of its own, and load it there",
        )


def _built(
    record: Mapping[str, Any],
    network: NetworkSettings | None,
    domain: Domain,
    columns: int,
    tensors: Mapping[str, Tensor],
) -> Network:
    with parts_there():
        check_size(record if network is None else {}, columns, tensors)
    settings = network or network_settings(record)
    with parts_there():
        settings = replace(settings, **{name: record[name] for name in record["settled"]})  # pyright: ignore
        dtype = tensors["coef"].dtype
        built = settings.build(domain, columns, torch.Generator().manual_seed(0), dtype, torch.device("cpu"))
    try:
        built.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise CheckpointError(
            "the checkpoint holds another network",
            expected=repr(settings),
            got=str(error).splitlines()[-1].strip(),
            cure="give the settings that it was saved with: load(path, network=...)",
        ) from error
    return built.requires_grad_(False)


def _in_slabs(
    record: Mapping[str, Any],
    network: NetworkSettings | None,
    domain: Domain,
    columns: int,
    tensors: Mapping[str, Tensor],
) -> Network:
    """The networks of a solution in slabs of time, each built for its own window, as one."""
    with parts_there():
        edges, settled = [float(edge) for edge in record["slabs"]["edges"]], list(record["slabs"]["settled"])
        low, high = domain.bounds[domain.axes.position(TIME)].tolist()
        if len(edges) != len(settled) + 1 or (edges[0], edges[-1]) != (low, high):
            raise ValueError(f"{len(settled)} slabs between {len(edges)} ends")
        assert isinstance(domain, (Box, MeshRecord, MeshTimes))
        windows = [domain.during(*ends) for ends in pairwise(edges)]
    built = []
    for number, (window, own) in enumerate(zip(windows, settled, strict=True)):
        begin = f"basis.parts.{number}."
        parts = {name.removeprefix(begin): each for name, each in tensors.items() if name.startswith(begin)}
        with parts_there():
            settings = {**record["network"], **own}
        built.append(_built(settings, network, window, columns, parts))
    return joined_in_time(built, edges, domain.axes, TIME)


def _elements(record: Mapping[str, Any], problem: Problem | None, tensors: Mapping[str, Tensor]) -> Network:
    """Finite-element fields on the mesh of the problem."""
    if problem is None or not isinstance(problem.domain, Mesh):
        cure = "fields on a mesh of their own cannot be read back: solve again"
        raise CheckpointError("these are fields on a mesh", expected="the problem on that mesh", got="none", cure=cure)
    with parts_there():
        words = {field.name: record["elements"][field.name] for field in problem.fields}
        elements = {name: Element(family, degree) for name, (family, degree) in words.items()}
        numbers = tensors["coef"][:, 0]
    parts = Discretisation.build(problem, problem.domain, elements)
    if len(numbers) != parts.size:
        raise _of_another_problem(f"{len(numbers)} numbers", f"{parts.size} on this mesh")
    return element_network(parts, numbers)


def _of_another_problem(expected: str, got: str) -> CheckpointError:
    return CheckpointError(
        "the checkpoint belongs to another problem",
        expected=expected,
        got=got,
        cure="give the problem, with the parameters, that the solution was saved with",
    )
