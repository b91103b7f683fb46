"""Frames in which a host and its parent talk: a JSON header and raw arrays behind it. Nothing in a frame can run code.

frame    "RTK1", uint32 length of the header, uint64 length of the payload (little endian), header, payload
header   UTF-8 JSON object; "type" says what it is; "arrays" lists name, dtype and shape of what lies in the payload, in that order
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

PROTOCOL = 1
MAGIC = b"RTK1"
ITEM_BYTES = {"float32": 4, "float64": 8, "int16": 2, "int32": 4, "int64": 8, "uint8": 1}
LARGEST_HEADER = 4 * 2**20  # bytes; a header holds a line of text and some numbers
LARGEST_PAYLOAD = 2 * 2**30  # bytes; an hour of sound has 0.7 GB
MOST_NOISE = 64 * 2**10  # bytes that may come before the first frame
_FIXED = struct.Struct("<4sIQ")


class WireError(Exception):
    """What came is no frame."""


class Array(NamedTuple):
    """Numbers without numpy: `data` holds them in C order, little endian."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


class Message(NamedTuple):
    """One frame."""

    fields: dict[str, Any]
    arrays: dict[str, Array]

    @property
    def type(self) -> str:
        return str(self.fields.get("type", ""))


def write(stream: BinaryIO, fields: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
    """Write one frame and flush. Raises WireError for what a frame cannot hold, OSError where nobody reads any more."""
    arrays = arrays or {}
    described = [{"name": name, "dtype": array.dtype, "shape": list(array.shape)} for name, array in arrays.items()]
    payload = [memoryview(array.data).cast("B") for array in arrays.values()]
    for name, array, data in zip(arrays, arrays.values(), payload, strict=True):
        if len(data) != _bytes_of(array.dtype, array.shape):
            raise WireError(f"the array '{name}' has {len(data)} bytes, which is not {array.dtype} {array.shape}")
    header = json.dumps({**fields, "arrays": described}, allow_nan=False).encode()
    size = sum(len(data) for data in payload)
    if len(header) > LARGEST_HEADER or size > LARGEST_PAYLOAD:
        raise WireError("the message is too large")
    stream.write(_FIXED.pack(MAGIC, len(header), size) + header)
    for data in payload:
        stream.write(data)
    stream.flush()


def read(stream: BinaryIO, *, noise: int = 0) -> Message | None:
    """Read one frame; None at the end of the stream.

    Args:
        noise: bytes before the frame that are skipped: what a Python prints before any code of ours runs.

    Raises WireError for anything else than a frame.
    """
    start = _exactly(stream, len(MAGIC))
    if start is None:
        return None
    while start != MAGIC:
        if noise <= 0:
            raise WireError(f"{start!r} is no start of a frame")
        noise -= 1
        further = stream.read(1)
        if not further:
            return None
        start = start[1:] + further
    rest = _exactly(stream, _FIXED.size - len(MAGIC))
    if rest is None:
        raise WireError("the stream ended within a frame")
    _, header_size, payload_size = _FIXED.unpack(MAGIC + rest)
    if header_size > LARGEST_HEADER or payload_size > LARGEST_PAYLOAD:
        raise WireError(f"a frame of {header_size} and {payload_size} bytes is too large")
    header, payload = _exactly(stream, header_size), _exactly(stream, payload_size)
    if header is None or payload is None:
        raise WireError("the stream ended within a frame")
    try:
        fields = json.loads(header)
        described = fields.pop("arrays")
        return Message(fields, _arrays(described, memoryview(payload)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"a header that is none: {error}") from error


def _arrays(described: list[dict[str, Any]], payload: memoryview) -> dict[str, Array]:
    out: dict[str, Array] = {}
    at = 0
    for entry in described:
        shape = tuple(int(side) for side in entry["shape"])
        size = _bytes_of(entry["dtype"], shape)
        if at + size > len(payload):
            raise WireError("the arrays are longer than their payload")
        out[str(entry["name"])] = Array(entry["dtype"], shape, payload[at : at + size])
        at += size
    if at != len(payload):
        raise WireError("the payload is longer than its arrays")
    return out


def _bytes_of(dtype: str, shape: tuple[int, ...]) -> int:
    if dtype not in ITEM_BYTES or any(side < 0 for side in shape):
        raise WireError(f"no array is {dtype} {shape}")
    size = ITEM_BYTES[dtype]
    for side in shape:
        size *= side
    return size


def _exactly(stream: BinaryIO, size: int) -> bytes | None:
    """`size` bytes; None if the stream ends before them."""
    parts: list[bytes] = []
    left = size
    while left:
        part = stream.read(min(left, 2**20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
