"""Triangles of a closed surface in an .stl file, in text or binary."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from pinnml.errors import MeshError


def read_stl(path: str | os.PathLike[str]) -> np.ndarray:
    """The corners of the triangles of an .stl file, (F, 3, 3). Raises MeshError for a file that is none."""
    path = Path(path)
    if path.suffix.lower() != ".stl":
        cure = "save the surface as .stl; cells are read by Mesh.read"
        raise MeshError(f"surface '{path.name}'", expected="an .stl file", got=str(path), cure=cure)
    if not path.is_file():
        message = f"surface '{path.name}': there is no such file"
        raise MeshError(message, expected="a file", got=str(path), cure="look at the path")
    data = path.read_bytes()
    try:
        triangles = _text(data) if data.lstrip()[:5].lower() == b"solid" and b"facet" in data[:1000] else _binary(data)
    except ValueError as error:
        cure = "write it again, or look at it in the program that it comes from"
        message = f"surface '{path.name}': the file cannot be read"
        raise MeshError(message, expected="a whole .stl file", got=error, cure=cure) from None
    return triangles.astype(np.float64)


def _text(data: bytes) -> np.ndarray:
    words = data.split()
    if words.count(b"endsolid") < 1:
        raise ValueError("it has no end")
    starts = [place for place, word in enumerate(words) if word == b"vertex"]
    numbers = np.array([words[start + 1 : start + 4] for start in starts if start + 4 <= len(words)], dtype=np.float64)
    if not len(starts) or len(numbers) % 3 or len(numbers) != 3 * words.count(b"endfacet"):
        raise ValueError(f"{len(starts)} corners of {words.count(b'endfacet')} triangles")
    return numbers.reshape(-1, 3, 3)


def _binary(data: bytes) -> np.ndarray:
    count = int.from_bytes(data[80:84], "little")
    if len(data) < 84 or not count or len(data) - 84 < 50 * count:
        raise ValueError(f"{count} triangles of 50 bytes are announced in {max(len(data) - 84, 0)} bytes")
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    return np.frombuffer(data, record, count, 84)["corners"]
