"""What a checkpoint needs beside it: functions and meshes are in no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinnml.domains import Domain, MeshRecord
from pinnml.elements import FINITE_ELEMENTS
from pinnml.errors import CheckpointError
from pinnml.networks import NETWORKS, NetworkSettings
from pinnml.problem import Problem
from pinnml.results.settings_record import described, parts_there


def check_given(
    settings: Mapping[str, Any],
    domain: Domain,
    problem: Problem | None,
    network: NetworkSettings | None,
    *,
    ansatz: bool,
) -> None:
    """Raise CheckpointError where a file needs more than was given, naming all of it at once.

    settings: the record of the network. domain: that of the problem, else as far as the file knows it.
    """
    with parts_there():
        kind, functions = settings["kind"], [str(name) for name in settings["functions"]]
        if not isinstance(kind, str):
            raise TypeError(f"a kind of network that is {kind!r:.40}")
    elements, needs = kind == FINITE_ELEMENTS, {}
    if problem is None and ansatz:
        needs["problem"] = "the problem, whose ansatz the fields come out of"
    elif problem is None and elements:
        needs["problem"] = "the problem, on whose mesh the fields are"
    elif problem is None and isinstance(domain, MeshRecord) and "inputs" in functions:
        needs["problem"] = "the problem, on whose mesh the network has its inputs"
    if network is None and not elements and (kind not in NETWORKS or functions):
        what = " and ".join(functions) or "all"
        needs["network"] = (
            f"the network's settings, of which {what} is a module or function of yours, which a file cannot hold"
        )
    if needs:
        calls = {"problem": "problem=...", "network": f"network={_as_call(kind, settings, functions)}"}
        raise CheckpointError(
            "this solution needs more than its file",
            expected="; and ".join(needs.values()),
            got="the file alone" if problem is None and network is None else "the file and a part of it",
            cure=f"load(path, {', '.join(calls[name] for name in needs)})",
        )


def _as_call(kind: str, settings: Mapping[str, Any], functions: list[str]) -> str:
    """Settings as they were written, with dots for what a file cannot hold."""
    known = NETWORKS.get(kind)
    default = {} if known is None else described(known())
    hidden = ("kind", "functions", "settled", *functions)
    plain = {n: value for n, value in settings.items() if n not in hidden and value not in (None, default.get(n))}
    words = [f"{name}={value!r}" for name, value in plain.items()]
    return f"{kind if known is None else known.__name__}({', '.join([*words, *(f'{name}=...' for name in functions)])})"
