"""The rooms of the package and who imports whom, read from the files themselves; drawn into docs/rooms.svg.

python -m scripts.rooms
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pinnml"
PICTURE = ROOT / "docs" / "rooms.svg"
#: `template` holds what new projects start from: users' files, no part of the house.
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "template" not in path.relative_to(PACKAGE).parts)
#: The rooms that a value passes, from a user's script to the files of a run.
PATH = ("cli", "run", "problem", "domains", "networks", "system", "solvers", "verification", "results", "output")
#: Sizes in pixels.
WIDTH, HEIGHT, GAP, MARGIN = 250, 92, 34, 30
#: Characters that fit on a line of a room.
LINE = 36
LEGEND = "1 to 10: the path of a value"
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:g} {1:g}" font-family="sans-serif">
<rect width="100%" height="100%" fill="white"/>"""


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


def file_arrows() -> dict[str, set[str]]:
    """The imports of every file, to and from fronts left out."""
    files = (path for path in FILES if path.name != "__init__.py")
    return {module_of(path): set(imported(path.read_text())) - FRONTS for path in files}


def room_arrows() -> dict[str, set[str]]:
    """The imports between rooms."""
    arrows: dict[str, set[str]] = {room_of(module): set() for module in MODULES if room_of(module)}
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            room = room_of(module)
            arrows[room] |= {room_of(other) for other in imported(path.read_text())} - {room, ""}
    return arrows


def reached(start: str, arrows: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that arrows lead to, itself only where they lead back."""
    found: set[str] = set()
    ends = [start]
    while ends:
        new = {*arrows.get(ends.pop(), ())} - found
        found |= new
        ends += new
    return found


def circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of two and more that reach each other."""
    ways = {start: reached(start, arrows) for start in arrows}
    groups = {tuple(sorted({a, *(b for b in ways[a] if a in ways.get(b, ()))})) for a in arrows}
    return sorted(list(group) for group in groups if len(group) > 1)


def floors(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The rooms by height: each as low as its imports allow."""
    height: dict[str, int] = {}
    while len(height) < len(arrows):
        for room, below in arrows.items():
            if room not in height and below <= set(height):
                height[room] = max((height[other] + 1 for other in below), default=0)
    return [sorted(room for room in height if height[room] == level) for level in range(max(height.values()) + 1)]


def shortest(arrows: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The arrows without those that others imply."""
    return {
        room: {b for b in below if not any(b in reached(c, arrows) for c in below)} for room, below in arrows.items()
    }


def drawing() -> str:
    """The house as SVG: a box a room, arrows to what it imports from, and the path of a value."""
    arrows = room_arrows()
    levels = floors(arrows)
    widest = max(map(len, levels))
    size = (2 * MARGIN + widest * (WIDTH + GAP), 2 * MARGIN + len(levels) * (HEIGHT + GAP))
    place = {
        room: (size[0] / 2 + (i - (len(level) - 1) / 2) * (WIDTH + GAP), size[1] - MARGIN - (h + 0.5) * (HEIGHT + GAP))
        for h, level in enumerate(levels)
        for i, room in enumerate(level)
    }
    lines = [line for room, below in shortest(arrows).items() for line in _arrows(place, room, below)]
    rooms = [line for room, at in place.items() for line in _room(room, at)]
    legend = f'<text x="{MARGIN}" y="{MARGIN}" font-size="13" fill="#c0504d">{LEGEND}</text>'
    return "\n".join([HEAD.format(*size), legend, *lines, *rooms, _path(place), "</svg>\n"])


def _arrows(place: Mapping[str, tuple[float, float]], room: str, below: Iterable[str]) -> Iterator[str]:
    for other in sorted(below):
        (x0, y0), (x1, y1) = place[room], place[other]
        ends = f'x1="{x0:g}" y1="{y0 + HEIGHT / 2:g}" x2="{x1:g}" y2="{y1 - HEIGHT / 2:g}"'
        yield f'<line {ends} stroke="#bbbbbb" stroke-width="1.5"/>'


def _room(room: str, at: tuple[float, float]) -> Iterator[str]:
    x, y = at[0] - WIDTH / 2, at[1] - HEIGHT / 2
    fill = "#eef3fa" if room in PATH else "#f6f6f6"
    yield f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="#8899aa"/>'
    yield f'<text x="{x + 10:g}" y="{y + 22:g}" font-size="16" font-weight="bold">{room}</text>'
    for i, line in enumerate(wrap(_purpose(room), LINE)[:4]):
        yield f'<text x="{x + 10:g}" y="{y + 40 + 15 * i:g}" font-size="11.5" fill="#333333">{escape(line)}</text>'


def _purpose(room: str) -> str:
    """The first line of the room's docstring."""
    return (ast.get_docstring(ast.parse(MODULES[f"pinnml.{room}"].read_text())) or "").partition("\n")[0]


def _path(place: Mapping[str, tuple[float, float]]) -> str:
    """The path of a value, as numbers on the rooms in the order in which it passes them."""
    marks = []
    for number, room in enumerate(PATH, 1):
        x, y = place[room][0] + WIDTH / 2 - 16, place[room][1] - HEIGHT / 2 + 16
        marks.append(f'<circle cx="{x:g}" cy="{y:g}" r="11" fill="#c0504d"/>')
        style = 'font-size="13" fill="white" text-anchor="middle"'
        marks.append(f'<text x="{x:g}" y="{y + 4.5:g}" {style}>{number}</text>')
    return "\n".join(marks)


if __name__ == "__main__":
    PICTURE.write_text(drawing())
    print(f"{PICTURE.relative_to(ROOT)}: {len(room_arrows())} rooms on {len(floors(room_arrows()))} floors")
