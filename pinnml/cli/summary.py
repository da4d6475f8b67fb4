"""What a solve ends with: the verdict in a table of words and figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinnml.cli.values import written
from pinnml.networks import NETWORKS
from pinnml.output import RunFolder
from pinnml.results import Solution, Verdict, described
from pinnml.solvers import SOLVERS

#: The share of values beyond the knots of splines from which on it is told.
WORTH_TELLING = 0.01


def one_line(solution: Solution) -> str:
    """The name of the problem and the verdict."""
    return f"{_name(solution)}: {solution.verdict.summary}"


def print_summary(console: Console, solution: Solution) -> None:
    """The whole of it: what was solved, how well, by what, and where it was written."""
    verdict, settings = solution.verdict, solution.settings
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_row("problem", _name(solution))
    table.add_row("network", _network(settings["network"]))
    table.add_row("solver", described_in_short(settings["solver"], SOLVERS))
    table.add_row("size", f"{verdict.parameters} parameters, {verdict.residuals} residuals")
    if tests := settings.get("tests"):
        elements = " and ".join(dict.fromkeys(f"{family}{degree}" for family, degree in tests["elements"].values()))
        table.add_row("weak form", f"tested with {tests['functions']} functions of {elements} elements")
    if "slabs" in settings:
        table.add_row("slabs", f"{len(settings['slabs']['settled'])} in time, each with such a network")
    if "level" in verdict.notes:
        table.add_row("levels", _levels(verdict))
    if (share := float(verdict.notes.get("share beyond the knots", 0.0))) >= WORTH_TELLING:
        table.add_row("knots", f"{share:.0%} of the values lie beyond them; KAN(normalise='tanh') keeps them between")
    table.add_row("ended", f"{verdict.status.value} ({_count(verdict.steps, 'step')})")
    table.add_row("error", _errors(verdict))
    table.add_row("promise", _promise(verdict))
    if verdict.held_out:
        table.add_row("residual", _residuals(verdict))
    for name, value in verdict.parameters_found.items():
        table.add_row("found", f"{name} = {value:.10g}")
    table.add_row("seconds", f"{verdict.seconds:.2f}, and {verdict.seconds_verify:.2f} to judge the solution")
    if solution.folder is not None:
        table.add_row("files", _files(solution.folder))
    table.add_row("verdict", Text(verdict.word, "bold green" if verdict.good else "bold red"))
    console.print(table)
    console.print(_grid([(" -", complaint) for complaint in verdict.complaints]))
    console.print(_grid([("Note:", warning) for warning in verdict.warnings]))


def described_in_short(record: Mapping[str, Any], registry: Mapping[str, type]) -> str:
    """Settings as the command line would write them: the kind, and the options that are not the default."""
    kind = record["kind"]
    default = described(registry[kind]()) if kind in registry else {}
    chosen = {
        name: _option(value, registry)
        for name, value in record.items()
        if name not in ("kind", "functions", "settled") and value is not None and value != default.get(name)
    }
    text = f"{kind}:{written(chosen)}" if chosen else kind
    return text + "".join(f", with {name} of its own" for name in record["functions"])


def _option(value: Any, registry: Mapping[str, type]) -> Any:
    """An option that may be settings itself, or several."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return f"({','.join(_option(each, registry) for each in value)})"
    return f"({described_in_short(value, registry)})" if isinstance(value, Mapping) else value


def _network(record: Mapping[str, Any]) -> str:
    """What the fields are made of."""
    if "elements" not in record:
        return described_in_short(record, NETWORKS)
    return ", ".join(f"{name}: {family}{degree}" for name, (family, degree) in record["elements"].items()) + " elements"


def _name(solution: Solution) -> str:
    return solution.settings.get("problem") or "problem"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + "s" * (n != 1)


def _levels(verdict: Verdict) -> str:
    """How many levels were reached of how many, and what it took."""
    reached, levels = int(verdict.notes["level"]) + 1, int(verdict.notes["levels"])
    work = f"{float(verdict.notes['work']):.6g} units of work (steps on the coarsest)"
    return f"{_count(levels, 'level') if reached == levels else f'{reached} of {levels}'}, {work}"


def _errors(verdict: Verdict) -> RenderableType:
    """The relative L2 error of each field, known or estimated."""
    rows = {name: f"{e:.1e} in L2, relative" for name, e in verdict.relative_l2.items() if e is not None}
    by = f" ({verdict.estimated_by})" if verdict.estimated_by else ""
    rows |= {
        name: f"{e:.1e} in L2, relative, estimated{by}" for name, e in verdict.estimate.items() if name not in rows
    }
    return _grid(list(rows.items())) if rows else f"not known; relative residual {verdict.worst:.1e}"


def _promise(verdict: Verdict) -> str:
    if verdict.expected is None:
        return "none"
    error = verdict.worst_estimate if verdict.error is None else verdict.error
    if error is None:
        return f"{verdict.expected:.1e}, could not be checked"
    return f"{verdict.expected:.1e}, {'kept' if error <= verdict.expected else 'not kept'}"


def _residuals(verdict: Verdict) -> RenderableType:
    """By equation, on points that were held out: RMS, and beside the size of the terms."""
    rows = [
        (name, f"{rms:.1e}", f"{verdict.relative[name]:.1e} of its terms") for name, rms in verdict.held_out.items()
    ]
    return _grid(rows)


def _files(out: Path) -> RenderableType:
    folder = RunFolder(out)
    plain = (folder.config, folder.history, folder.verdict, folder.checkpoint, folder.picture)
    written_files = [file.name for file in (*plain, folder.fields, folder.cloud, folder.series) if file.exists()]
    return Group(Text(f"{out}/"), Text(", ".join(written_files), "dim"))


def _grid(rows: list[tuple[str, ...]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    return grid
