# SPDX-License-Identifier: MPL-2.0
"""Frames over a TCP connection, for the other end of videosocketsink and videosocketsrc."""

from __future__ import annotations

import enum
import socket
import struct
import typing

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


class videosocket:
    """A connection that carries frames both ways: 8 digits, then a payload of that many bytes.

    RuntimeError: the connection is broken. ValueError: this is no frame.
    """

    def __init__(self, sock=None):
        """Wraps a connected socket. Without one, connect() comes first."""
        self.sock = sock

    def connect(self, host, port):
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def vsend(self, framestring):
        """Sends one frame: bytes, or whatever has some."""
        frame = memoryview(framestring).cast("B")
        if len(frame) > MAX_FRAME_LEN:
            raise ValueError(f"A frame of {len(frame)} bytes is longer than {MAX_FRAME_LEN}")
        # In one piece: a header sent alone can hold up its payload for 40 ms and more.
        self._unbroken(self.sock.sendall, b"%08d%b" % (len(frame), frame))

    def vreceive(self):
        """Returns one frame. EOFError: the peer has ended, and this was between two frames."""
        start = self._unbroken(self.sock.recv, HEADER_LEN)
        if not start:
            raise EOFError("No more frames")
        header = start + self._receive(HEADER_LEN - len(start))
        try:
            length = _length(header)
        except ValueError:
            self.sock.close()
            raise
        return self._receive(length)

    def frames(self, ask=False):
        """Iterates over the frames up to the end of the stream, with what the records say of each.

        ask: asks the peer for records, which it sends if it knows them. Without them
        the frames are those of vreceive(). With them, a connection that ends without the
        record for it is lost.
        """
        if ask:
            self._unbroken(self.sock.sendall, HELLO)
        stream = _Stream()
        while start := self._unbroken(self.sock.recv, HEADER_LEN):
            try:
                if stream.ended:
                    raise ValueError("The stream went on after its end")
                header = start + self._receive(HEADER_LEN - len(start))
                if not _is_record(header):
                    yield stream.frame(self._receive(_length(header)))
                    continue
                letter, length = chr(header[0]), int(header[1:])
                if stream.expects(letter, length):
                    stream.take(letter, self._receive(length))
                else:
                    self._skip(length)
            except ValueError:
                self.sock.close()
                raise
        if stream.is_open():
            raise RuntimeError("Socket connection broken")

    def _receive(self, length):
        pieces = []
        while length:
            piece = self._unbroken(self.sock.recv, min(length, 65536))
            if not piece:
                raise RuntimeError("Socket connection broken")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _skip(self, length):
        while length:
            length -= len(self._receive(min(length, 65536)))

    def _unbroken(self, call, argument):
        try:
            return call(argument)
        except ConnectionError as error:
            raise RuntimeError("Socket connection broken") from error


class _Stream:
    """What the records have said so far."""

    def __init__(self):
        self.said_hello = self.ended = False
        self.caps = self.clock = self.buffer = self.sequence = None

    def expects(self, letter, length):
        """Whether a record is to be read rather than passed over."""
        if not self.said_hello and letter != "H":
            raise ValueError(f"A record {letter} has no place before H")
        if letter in "HKICTSBGXEUP" and self.buffer or letter == "M" and not self.buffer:
            raise ValueError(f"A record {letter} has no place before a frame")
        least, most = RECORD_LENS.get(letter, (0, length))
        if not least <= length <= most:
            raise ValueError(f"A record {letter} of {length} bytes is not {least} to {most} long")
        return letter in RECORD_LENS

    def take(self, letter, payload):
        if letter == "H":
            self._take_hello(payload.decode())
        elif letter == "K":
            self.clock = struct.unpack_from(">QQqQHH", payload)
        elif letter == "C":
            self.caps = payload.decode()
        elif letter == "B":
            self.buffer = struct.unpack_from(">HHqqQQ", payload)
        elif letter == "E":
            self.ended = True

    def _take_hello(self, text):
        version, *lines = text.splitlines()
        if version.split(".")[0] != "videosocket 1":
            raise ValueError(f"{version} is not a version of the records that is known here")
        needs = dict(line.split(" ", 1) for line in lines if " " in line).get("needs", "")
        if unknown := set(needs) - set("HKICTSBMGXEUP"):
            raise ValueError(f"The peer needs records that are not known here: {unknown}")
        self.said_hello = True

    def frame(self, payload):
        if self.buffer is None:
            return Frame(payload, self.caps)
        sequence, flags, pts, dts, duration, _ = self.buffer
        pts, dts = _signed(pts), _signed(dts)
        flags = Flags(flags & 0x3FFF)
        if self.sequence is not None and sequence != (self.sequence + 1) % 65536:
            flags |= Flags.DISCONT  # the sender has dropped the frames between
        self.buffer, self.sequence = None, sequence
        return Frame(payload, self.caps, pts, dts, _unsigned(duration), flags, self._unix_time(pts))

    def _unix_time(self, pts):
        if self.clock is None or pts is None:
            return None
        _, base_time, unix_offset, *_ = self.clock
        unix_offset = _signed(unix_offset)
        return None if unix_offset is None else base_time + pts + unix_offset

    def is_open(self):
        """Whether the stream must go on."""
        return self.buffer is not None or self.said_hello and not self.ended


def _length(header):
    digits = header.strip(b" ")
    if not digits.isdigit():  # int() would take signs, underscores and line feeds
        raise ValueError(f"{header} is not the length of a frame")
    return int(digits)


def _is_record(header):
    return b"A" <= header[:1] <= b"Z" and header[1:].isdigit()


def _signed(number):
    return None if number == -(2**63) else number


def _unsigned(number):
    return None if number == 2**64 - 1 else number
