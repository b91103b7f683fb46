"""Frames between a host and its parent."""

from __future__ import annotations

import io
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake.engines.host.retake_host import wire
from retake.engines.host.retake_host.wire import Array, WireError


def frame(fields: dict[str, object], arrays: dict[str, Array] | None = None) -> bytes:
    stream = io.BytesIO()
    wire.write(stream, fields, arrays)
    return stream.getvalue()


def test_what_is_written_is_read() -> None:
    samples = array("f", [0.0, -1.0, 0.5])
    pixels = bytes(range(12))
    data = frame(
        {"type": "part", "id": 3, "text": "grüße"}, {"s": Array("float32", (3,), memoryview(samples)), "p": Array("uint8", (2, 2, 3), pixels)}
    )
    stream = io.BytesIO(data + frame({"type": "done"}))
    message = wire.read(stream)
    assert message is not None and message.type == "part" and message.fields["text"] == "grüße"
    assert bytes(message.arrays["s"].data) == samples.tobytes() and message.arrays["p"] == Array("uint8", (2, 2, 3), memoryview(pixels))
    following = wire.read(stream)
    assert following is not None and following.type == "done"
    assert wire.read(stream) is None


def test_noise_before_the_first_frame_is_skipped_only_where_it_may_be() -> None:
    data = b"Warning: RTK something\n" + frame({"type": "hello"})
    found = wire.read(io.BytesIO(data), noise=100)
    assert found is not None and found.type == "hello"
    with pytest.raises(WireError):
        wire.read(io.BytesIO(data))
    with pytest.raises(WireError):
        wire.read(io.BytesIO(b"x" * 500 + data), noise=100)


@pytest.mark.parametrize(
    "data",
    [
        b"RTK1" + struct.pack("<IQ", 2**31, 0),
        b"RTK1" + struct.pack("<IQ", 2, 2**60),
        b"RTK1" + struct.pack("<IQ", 2, 0) + b"[]",
        b"RTK1" + struct.pack("<IQ", 2, 0) + b"{}",
        b"RTK1" + struct.pack("<IQ", 9, 4) + b"{",
        frame({"type": "part"}, {"s": Array("uint8", (4,), b"abcd")}).replace(b"[4]", b"[9]"),
        frame({"type": "part"}, {"s": Array("uint8", (4,), b"abcd")}).replace(b"[4]", b"[3]"),
        frame({"type": "part"}, {"s": Array("uint8", (4,), b"abcd")}).replace(b'"uint8"', b'"objec"'),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        wire.read(io.BytesIO(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_an_end_or_an_error(data: bytes) -> None:
    for start in (b"", wire.MAGIC):
        try:
            message = wire.read(io.BytesIO(start + data))
        except WireError:
            continue
        assert message is None or isinstance(message.fields, dict)


def test_arrays_have_the_size_they_say() -> None:
    with pytest.raises(WireError):
        wire.write(io.BytesIO(), {"type": "part"}, {"s": Array("float32", (3,), b"1234")})
    with pytest.raises(ValueError):
        wire.write(io.BytesIO(), {"type": "part", "value": float("nan")})
