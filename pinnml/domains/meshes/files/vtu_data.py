"""The bytes of arrays in .vtu files: base64 or raw, packed in blocks or not."""

from __future__ import annotations

import base64
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np

#: LZ4 packs no better than this, one byte into so many.
LZ4_BEST = 255


class Source(Protocol):
    """Bytes one after the other."""

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError if there are fewer."""
        ...


class Raw:
    """Bytes as they are."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError if there are fewer."""
        found = self._data[self._at : self._at + count]
        self._at += count
        return _whole(found, count)


class Base64:
    """Bytes in base64. Sizes and data may be encoded one by one: where one ends padded, the next begins."""

    def __init__(self, data: bytes):
        self._data, self._at, self._left = data, 0, b""

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError if there are fewer."""
        parts, missing = [self._left], count - len(self._left)
        while missing > 0 and self._at < len(self._data):
            end = self._at + -(-missing // 3) * 4
            padded = self._data.find(b"=", self._at, end)
            if padded >= 0:
                end = self._at + ((padded - self._at) // 4 + 1) * 4
            parts.append(base64.b64decode(self._data[self._at : end], validate=True))
            missing, self._at = missing - len(parts[-1]), end
        found = b"".join(parts)
        self._left = found[count:]
        return _whole(found[:count], count)


def unpacked(source: Source, count: int, header: np.dtype, unpack: Callable[[bytes, int], bytes] | None) -> bytes:
    """The `count` bytes of an array. Before them stand their number, or numbers of blocks and their sizes."""
    if not count:
        return b""
    if unpack is None:
        announced = _sizes(source, 1, header)[0]
        if announced != count:
            raise ValueError(f"an array of {count} bytes is announced with {announced}")
        return source.take(count)
    blocks, whole, last = _sizes(source, 3, header)
    if whole * (blocks - (last > 0)) + last != count:
        raise ValueError(f"an array of {count} bytes is announced with {blocks} blocks of {whole} and {last}")
    packed = _sizes(source, blocks, header)
    parts = [whole] * (blocks - 1) + [last or whole]
    return b"".join(
        _whole(unpack(source.take(size), length), length) for size, length in zip(packed, parts, strict=True)
    )


def _sizes(source: Source, count: int, header: np.dtype) -> list[int]:
    return np.frombuffer(source.take(count * header.itemsize), header).tolist()


def _whole(found: bytes, count: int) -> bytes:
    if len(found) != count:
        raise ValueError(f"{count} bytes are announced and {len(found)} are there")
    return found


def _zlib(data: bytes, length: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, max(length, 1))
    except zlib.error as error:
        raise ValueError(f"a packed block is damaged: {error}") from error


def _lzma(data: bytes, length: int) -> bytes:
    try:
        return lzma.LZMADecompressor().decompress(data, max(length, 1))
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"a packed block is damaged: {error}") from error


def _lz4(data: bytes, length: int) -> bytes:
    from vtkmodules.vtkCommonCore import vtkCommand
    from vtkmodules.vtkIOCore import vtkLZ4DataCompressor

    if length > LZ4_BEST * len(data):
        raise ValueError(f"{length} bytes are announced in {len(data)}")
    found, compressor = np.empty(length, dtype=np.uint8), cast(Any, vtkLZ4DataCompressor())
    compressor.AddObserver(vtkCommand.ErrorEvent, lambda *_: None)  # it would print
    count = compressor.Uncompress(np.frombuffer(data, dtype=np.uint8), len(data), found, length)
    return found[: max(count, 0)].tobytes()


#: How a block is unpacked to so many bytes at most, by VTK's name for the way it is packed.
UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "vtkZLibDataCompressor": _zlib,
    "vtkLZMADataCompressor": _lzma,
    "vtkLZ4DataCompressor": _lz4,
}
