"""How results show themselves in notebooks: small tables of HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

CELL = 'style="text-align: left; vertical-align: top"'


def as_table(title: str, rows: Iterable[tuple[str, str]], colour: str = "inherit") -> str:
    """A title, and rows of a name and what there is to say; all of it plain text."""
    head = f'<strong style="color: {colour}">{escape(title)}</strong>'
    lines = (f"<tr><td {CELL}>{escape(name)}</td><td {CELL}>{escape(text)}</td></tr>" for name, text in rows)
    return f"<div>{head}<table>{''.join(lines)}</table></div>"
