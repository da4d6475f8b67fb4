"""Ways to damage a file at random."""

from __future__ import annotations

import re

import numpy as np

#: Numbers that have upset readers: none, huge counts, signs, the ends of the types.
NUMBERS = (b"0", b"-1", b"1000000000000", b"99999999999999999999", b"2147483648", b"7", b"1e308", b"nan", b"")


def flipped(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(len(data), size=random.integers(1, 6)):
        changed[place] = random.integers(256)
    return bytes(changed)


def cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(len(data))]


def without_a_piece(data: bytes, random: np.random.Generator) -> bytes:
    start = int(random.integers(len(data)))
    return data[:start] + data[start + int(random.integers(1, 60)) :]


def line_doubled_or_deleted(data: bytes, random: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    place = int(random.integers(len(lines)))
    return b"\n".join(lines[:place] + [lines[place]] * (2 * int(random.integers(2))) + lines[place + 1 :])


def lines_swapped(data: bytes, random: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    a, b = random.integers(len(lines), size=2)
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def number_changed(data: bytes, random: np.random.Generator) -> bytes:
    numbers = [found.span() for found in re.finditer(rb"(?<![\w.])-?\d+(?:\.\d+)?", data)]
    start, end = numbers[random.integers(len(numbers))]
    return data[:start] + NUMBERS[random.integers(len(NUMBERS))] + data[end:]


DAMAGES = (flipped, cut, without_a_piece, line_doubled_or_deleted, lines_swapped, number_changed, number_changed)
