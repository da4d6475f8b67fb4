"""The names of physical groups in Gmsh's files, and what is amiss with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

#: Dimension, tag and name of a group; format 2.0 has no dimension. Some programs leave the quotes out.
_LINE = re.compile(r'(?:(\d+)\s+)?(\d+)\s+(?:"(.*)"|([^"\s\d][^"]*))')


class PhysicalName(NamedTuple):
    """The name of the groups with a tag in some dimensions."""

    dimensions: tuple[int, ...]
    tag: int
    name: str


class GroupNames:
    """What groups (dimension, tag) are called; it keeps account of the names that were asked for.

    Without a name, or with an empty one, a group is "part 3" where it is of cells, "face 3" where it is of facets.
    """

    def __init__(self, names: Iterable[PhysicalName], highest: int):
        self._names, self._highest = [*names], highest
        self._by_tag = {(d, each.tag): each.name for each in self._names for d in each.dimensions}
        self._tags: dict[tuple[int, str], set[int]] = {}

    def name(self, dimension: int, tag: int) -> str:
        """The name of a group that has elements."""
        name = self._by_tag.get((dimension, tag)) or f"{'part' if dimension == self._highest else 'face'} {tag}"
        self._tags.setdefault((dimension, name), set()).add(tag)
        return name

    @property
    def empty(self) -> set[str]:
        """The names of the groups whose name in the file is empty."""
        found = {(d, name, tag) for (d, name), tags in self._tags.items() for tag in tags}
        return {name for d, name, tag in found if self._by_tag.get((d, tag)) == ""}

    @property
    def notes(self) -> list[str]:
        """Sentences on names that several groups have, and on groups without elements."""
        several = [
            f"the name '{name}' is that of {len(tags)} groups, {' and '.join(map(str, sorted(tags)))}: they are one"
            for (_, name), tags in self._tags.items()
            if len(tags) > 1
        ]
        used = {(d, tag) for (d, _), tags in self._tags.items() for tag in tags}
        return several + [
            f"the group '{each.name}' has no elements and is no region"
            for each in self._names
            if not any((d, each.tag) in used for d in each.dimensions)
        ]


def physical_names(text: bytes) -> list[PhysicalName]:
    """The lines of $PhysicalNames, in UTF-8 or else Latin-1; ValueError for others."""
    try:
        count, *lines = text.decode().strip().splitlines()
    except UnicodeDecodeError:
        count, *lines = text.decode("latin-1").strip().splitlines()
    found = [match for line in lines if (match := _LINE.fullmatch(line.strip()))]
    if len(found) != int(count):
        raise ValueError("$PhysicalNames does not hold as many names as it says")
    return [
        PhysicalName((0, 1, 2, 3) if dimension is None else (int(dimension),), int(tag), (quoted or bare or "").strip())
        for dimension, tag, quoted, bare in (match.groups() for match in found)
    ]
