# SPDX-License-Identifier: MPL-2.0
"""Frames over a TCP connection, for the other end of videosocketsink and videosocketsrc."""

from __future__ import annotations

import collections.abc
import socket
import ssl
import time
import typing

from . import records
from ._stream import HELLO, Frame, Listener, Teller
from ._wire import HEADER_LEN, MAX_FRAME_LEN, frame_bytes, is_record, length_in
from .records import Flags

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["HELLO", "MAX_FRAME_LEN", "Flags", "Frame", "videosocket"]

_Argument = typing.TypeVar("_Argument")
_Result = typing.TypeVar("_Result")

# How long close() waits for a peer that goes on sending.
LINGER = 1  # second


class videosocket:
    """A connection that carries frames both ways: 8 digits, then a payload of that many bytes.

    RuntimeError: the connection is broken. ValueError: this is no frame.
    """

    def __init__(self, sock: socket.socket | None = None) -> None:
        """Wraps a connected socket, also one of ssl. Without one, connect() comes first."""
        self.sock = typing.cast(socket.socket, sock)
        self._listener = Listener()
        self._teller = Teller()

    def connect(self, host: str, port: int, tls: ssl.SSLContext | bool = False) -> None:
        """tls: True, or an ssl.SSLContext with the authorities and certificates of your own."""
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context() if tls is True else tls
            # A stream that somebody has cut is not to look like a whole one.
            context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
            self.sock = context.wrap_socket(
                self.sock, server_hostname=host, suppress_ragged_eofs=False
            )

    def vsend(self, framestring: ReadableBuffer) -> None:
        """Sends one frame: bytes, or whatever has some."""
        self._unbroken(self.sock.sendall, frame_bytes(framestring))

    def vreceive(self) -> bytes:
        """Returns one frame. EOFError: the peer has ended, and this was between two frames."""
        start = self._unbroken(self.sock.recv, HEADER_LEN)
        if not start:
            raise EOFError("No more frames")
        header = start + self._receive(HEADER_LEN - len(start))
        try:
            length = length_in(header)
        except ValueError:
            self.sock.close()
            raise
        return self._receive(length)

    def send(
        self,
        framestring: ReadableBuffer,
        caps: str | None = None,
        pts: int | None = None,
        dts: int | None = None,
        duration: int | None = None,
        flags: Flags = Flags(0),
        tags: str | None = None,
    ) -> None:
        """Sends one frame and what it is, to a peer that understands records, as videosocketsrc does.

        caps and tags hold until others are given. Times are in nanoseconds: without pts the frame
        is one that has just been made, as by a camera. ValueError: these are no caps or tags.
        """
        said = self._teller.frame(framestring, caps, pts, dts, duration, flags, tags)
        self._unbroken(self.sock.sendall, said)

    def frames(self, metadata: bool = False) -> collections.abc.Iterator[Frame]:
        """Iterates over the frames up to the end of the stream, with what the records say of each.

        metadata: asks the peer for records, which it sends if it knows them. Without them
        the frames are those of vreceive(), and so are those that come before the peer's answer.
        With them, a connection that ends without the record for it is lost.
        """
        if metadata:
            self._unbroken(self.sock.sendall, self._teller.hello())
        stream = self._listener = Listener()
        while start := self._unbroken(self.sock.recv, HEADER_LEN):
            try:
                if stream.ended:
                    raise ValueError("The stream went on after its end")
                header = start + self._receive(HEADER_LEN - len(start))
                if not is_record(header):
                    yield stream.frame(self._receive(length_in(header)))
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

    def request_keyframe(self, all_headers: bool = False) -> bool:
        """Asks for a frame that can be decoded alone. False: the peer has not said that it takes requests."""
        if "keyframe" not in self._listener.back:
            return False
        request = records.encode(records.Keyframe(all_headers))
        self._unbroken(self.sock.sendall, self._teller.hello() + request)
        return True

    def close(self) -> None:
        """Ends the stream, so that the peer gets every frame and can tell this from a lost connection."""
        try:
            self.sock.sendall(self._teller.end())
            self.sock.settimeout(LINGER)
            self._leave_tls()
            self.sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + LINGER
            # Closing with bytes unread would destroy what is under way.
            while self.sock.recv(65536) and time.monotonic() < deadline:
                pass
        except OSError:
            pass  # the peer is gone, or goes on
        self.sock.close()

    def _leave_tls(self) -> None:
        """Says that this is the end: that of the connection alone would look like a cut."""
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock = self.sock.unwrap()
            except OSError:
                # It has been said; the peer has more to say, or takes its time.
                self.sock = socket.socket(fileno=self.sock.detach())
                self.sock.settimeout(LINGER)

    def _receive(self, length: int) -> bytes:
        pieces = []
        while length:
            piece = self._unbroken(self.sock.recv, min(length, 65536))
            if not piece:
                raise RuntimeError("Socket connection broken")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _skip(self, length: int) -> None:
        while length:
            length -= len(self._receive(min(length, 65536)))

    def _unbroken(
        self, call: collections.abc.Callable[[_Argument], _Result], argument: _Argument
    ) -> _Result:
        try:
            return call(argument)
        except (ConnectionError, ssl.SSLError) as error:
            raise RuntimeError("Socket connection broken") from error
