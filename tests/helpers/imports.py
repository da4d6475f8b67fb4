"""Who imports whom in the package, read from the files themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pinnml

PACKAGE = Path(pinnml.__file__).parent
#: `template` holds what new projects start from: users' files, no part of the house.
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "template" not in path.relative_to(PACKAGE).parts)


def module_of(path: Path) -> str:
    """The dotted name of a file, such as `pinnml.system.weak.space`; a front has that of its folder."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}
FRONTS = {module for module, path in MODULES.items() if path.name == "__init__.py"}


def imported(source: str) -> Iterator[str]:
    """The modules of the package that a source imports from, wherever it does; a name may be a module itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "pinnml")
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports within the package are written in full"
            if (node.module or "").split(".")[0] == "pinnml":
                modules = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (module if module in MODULES else str(node.module) for module in modules)


def folder_of(module: str) -> str:
    """The folder that a module lies in, a front in its own."""
    return module if module in FRONTS else module.rpartition(".")[0]


def room_of(module: str) -> str:
    """The folder or file right under the package."""
    return [*module.split("."), ""][1]


def circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of two and more that reach each other."""
    reached = {start: _reached(start, arrows) for start in arrows}
    groups = {tuple(sorted(b for b in reached[a] if a in reached.get(b, ()))) for a in arrows}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reached(start: str, arrows: Mapping[str, Iterable[str]]) -> set[str]:
    found, open_ends = {start}, [start]
    while open_ends:
        new = {*arrows.get(open_ends.pop(), ())} - found
        found |= new
        open_ends += new
    return found
