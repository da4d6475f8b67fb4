"""`pinnml check`."""

from __future__ import annotations

import torch
import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pinnml.cli.arguments import Parameters, ScriptPath, parameters_of
from pinnml.cli.findings import EquationFinding, Findings
from pinnml.cli.findings import check as look_over
from pinnml.cli.script import load_script
from pinnml.cli.terminal import NOT_GOOD, errors_told, results
from pinnml.problem import Field
from pinnml.run import free_bytes, shown

CPU = torch.device("cpu")


def check(script: ScriptPath, parameters: Parameters = None) -> None:
    """Look a problem script over without solving it: regions, equations, derivatives, conditions, exact solution.

    Exit status: 0 if all is well, 1 if the exact solution does not satisfy the equations, 2 for an error in the
    script.
    """
    with errors_told(script, "the check"):
        loaded = load_script(script)
        values = parameters_of(loaded, parameters)
        findings = look_over(loaded.problem(**values), loaded.recipe(**values))
    print_findings(results(), findings)
    if not findings.good:
        raise typer.Exit(NOT_GOOD)


def print_findings(console: Console, findings: Findings) -> None:
    """Everything that was found, in tables."""
    problem = findings.problem
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_row("problem", problem.name)
    table.add_row("domain", repr(problem.domain))
    table.add_row("fields", ", ".join(_field(field) for field in problem.fields))
    for name, value in problem.parameters.items():
        table.add_row("trainable", f"{name}, first guess {value:g}")
    for name, distribution in findings.random.items():
        table.add_row("random", f"{name}, {distribution}; here {distribution.middle:g}")
    if problem.ansatz is not None:
        table.add_row("ansatz", "the fields come out of an ansatz, which may hold conditions exactly")
    kind = "linear" if findings.linear else "nonlinear"
    table.add_row("system", f"{kind} in the head, {findings.trainable} trainable parameters")
    table.add_row("memory", f"about {shown(findings.memory)} for a solve, {shown(free_bytes(CPU))} free")
    console.print(table)
    console.print()
    console.print(_regions(findings))
    console.print()
    console.print(_equations(findings))
    console.print()
    for warning in findings.warnings:
        console.print(Padding(Text(f"Note: {warning}", "yellow"), 0))
    for complaint in findings.complaints:
        console.print(Padding(Text(complaint, "red"), 0))
    if findings.good:
        console.print(_conclusion(findings))


def _regions(findings: Findings) -> Table:
    table = _table()
    table.add_column("region")
    table.add_column("points", justify="right")
    table.add_column("measure", justify="right")
    for region in findings.regions:
        table.add_row(region.name, str(region.points), f"{region.measure:.6g}")
    return table


def _equations(findings: Findings) -> Table:
    table = _table()
    table.add_column("equation", overflow="fold")
    table.add_column("region", overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("depends on")
    table.add_column("left by exact", max_width=16)
    for equation in findings.equations:
        derivatives = ", ".join(equation.derivatives) or "no field at all"
        table.add_row(equation.name, equation.region, str(equation.components), derivatives, _left(equation))
    return table


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def _left(equation: EquationFinding) -> str:
    """What the exact solution leaves of an equation, beside the size of its terms."""
    if equation.trial.relative is None:
        return equation.trial.reason
    return f"{equation.trial.relative:.1e}" + ("" if equation.satisfied else " !")


def _field(field: Field) -> str:
    number = "complex" if field.is_complex else "real"
    return f"{field.name} ({number}, {field.components} components)" if field.is_vector else f"{field.name} ({number})"


def _conclusion(findings: Findings) -> str:
    tried = [equation for equation in findings.equations if equation.satisfied]
    if findings.problem.exact is not None and tried:
        which = "every equation" if len(tried) == len(findings.equations) else "every equation that it can be tried on"
        return f"The exact solution satisfies {which}."
    if findings.problem.reference is not None:
        return "There is a reference to compare a solution with; it cannot be put through the equations."
    return "There is no exact solution to put through the equations."
