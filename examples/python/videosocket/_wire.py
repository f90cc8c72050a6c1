# SPDX-License-Identifier: MPL-2.0
"""How frames go over the wire, without a socket."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HEADER_LEN = 8
MAX_FRAME_LEN = 99_999_999


def frame_bytes(framestring: ReadableBuffer) -> bytes:
    """A frame as it is sent: in one piece, for a header sent alone can hold up its payload for 40 ms and more."""
    frame = memoryview(framestring).cast("B")
    if len(frame) > MAX_FRAME_LEN:
        raise ValueError(f"A frame of {len(frame)} bytes is longer than {MAX_FRAME_LEN}")
    return b"".join((b"%08d" % len(frame), frame))


def length_in(header: bytes) -> int:
    digits = header.strip(b" ")
    if not digits.isdigit():  # int() would take signs, underscores and line feeds
        raise ValueError(f"{header!r} is not the length of a frame")
    return int(digits)


def is_record(header: bytes) -> bool:
    return b"A" <= header[:1] <= b"Z" and header[1:].isdigit()
