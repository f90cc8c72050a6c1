# SPDX-License-Identifier: MPL-2.0
"""What goes over the wire, without a socket."""

from __future__ import annotations

import enum
import struct
import typing

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HEADER_LEN = 8
MAX_FRAME_LEN = 99_999_999

HELLO = b"H0000014videosocket 1\n"
# The records that are read here, and how long each may be.
RECORD_LENS = {"H": (13, 4096), "K": (36, 512), "C": (1, 262_144), "B": (36, 180), "E": (0, 128)}


class Flags(enum.IntFlag):
    DELTA_UNIT = 1 << 0
    DISCONT = 1 << 1
    HEADER = 1 << 2
    MARKER = 1 << 3
    GAP = 1 << 4
    CORRUPTED = 1 << 5
    DROPPABLE = 1 << 6
    NON_DROPPABLE = 1 << 7
    RESYNC = 1 << 8
    DECODE_ONLY = 1 << 9
    INTERLACED = 1 << 10
    TFF = 1 << 11
    RFF = 1 << 12
    ONEFIELD = 1 << 13


class Frame(typing.NamedTuple):
    """A frame, and what the stream says of it. Times are in nanoseconds; None is not known."""

    payload: bytes
    caps: str | None = None  # as GStreamer writes them
    pts: int | None = None  # running time
    dts: int | None = None  # running time
    duration: int | None = None
    flags: Flags = Flags(0)
    unix_time: int | None = None  # when it was made, since 1970


def frame_bytes(framestring: ReadableBuffer) -> bytes:
    """A frame as it is sent: in one piece, for a header sent alone can hold up its payload for 40 ms and more."""
    frame = memoryview(framestring).cast("B")
    if len(frame) > MAX_FRAME_LEN:
        raise ValueError(f"A frame of {len(frame)} bytes is longer than {MAX_FRAME_LEN}")
    return b"".join((b"%08d" % len(frame), frame))


class Stream:
    """What the records have said so far."""

    def __init__(self) -> None:
        self.said_hello = self.ended = False
        self.caps: str | None = None
        self.sequence: int | None = None
        self._clock: tuple[int, ...] | None = None
        self._buffer: tuple[int, ...] | None = None

    def expects(self, letter: str, length: int) -> bool:
        """Whether a record is to be read rather than passed over."""
        if not self.said_hello and letter != "H":
            raise ValueError(f"A record {letter} has no place before H")
        if letter in "HKICTSBGXEUP" and self._buffer or letter == "M" and not self._buffer:
            raise ValueError(f"A record {letter} has no place before a frame")
        least, most = RECORD_LENS.get(letter, (0, length))
        if not least <= length <= most:
            raise ValueError(f"A record {letter} of {length} bytes is not {least} to {most} long")
        return letter in RECORD_LENS

    def take(self, letter: str, payload: bytes) -> None:
        if letter == "H":
            self._take_hello(payload.decode())
        elif letter == "K":
            self._clock = struct.unpack_from(">QQqQHH", payload)
        elif letter == "C":
            self.caps = payload.decode()
        elif letter == "B":
            self._buffer = struct.unpack_from(">HHqqQQ", payload)
        elif letter == "E":
            self.ended = True

    def _take_hello(self, text: str) -> None:
        version, *lines = text.splitlines()
        if version.split(".")[0] != "videosocket 1":
            raise ValueError(f"{version} is not a version of the records that is known here")
        words = (line.partition(" ") for line in lines)
        needs = {key: value for key, _, value in words}.get("needs", "")
        if unknown := set(needs) - set("HKICTSBMGXEUP"):
            raise ValueError(f"The peer needs records that are not known here: {unknown}")
        self.said_hello = True

    def frame(self, payload: bytes) -> Frame:
        if self._buffer is None:
            return Frame(payload, self.caps)
        sequence, bits, pts, dts, duration, _ = self._buffer
        flags = Flags(bits & 0x3FFF)
        if self.sequence is not None and sequence != (self.sequence + 1) % 65536:
            flags |= Flags.DISCONT  # the sender has dropped the frames between
        self._buffer, self.sequence = None, sequence
        times = (_signed(pts), _signed(dts), _unsigned(duration))
        return Frame(payload, self.caps, *times, flags, self._unix_time(times[0]))

    def _unix_time(self, pts: int | None) -> int | None:
        if self._clock is None or pts is None:
            return None
        _, base_time, offset, *_ = self._clock
        unix_offset = _signed(offset)
        return None if unix_offset is None else base_time + pts + unix_offset

    def is_open(self) -> bool:
        """Whether the stream must go on."""
        return self._buffer is not None or self.said_hello and not self.ended


def length_in(header: bytes) -> int:
    digits = header.strip(b" ")
    if not digits.isdigit():  # int() would take signs, underscores and line feeds
        raise ValueError(f"{header!r} is not the length of a frame")
    return int(digits)


def is_record(header: bytes) -> bool:
    return b"A" <= header[:1] <= b"Z" and header[1:].isdigit()


def _signed(number: int) -> int | None:
    return None if number == -(2**63) else number


def _unsigned(number: int) -> int | None:
    return None if number == 2**64 - 1 else number
