# SPDX-License-Identifier: MPL-2.0
"""Frames over a TCP connection, for the other end of videosocketsink and videosocketsrc."""

import socket

HEADER_LEN = 8
MAX_FRAME_LEN = 99_999_999


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
        digits = header.strip(b" ")
        if not digits.isdigit():  # int() would take signs, underscores and line feeds
            self.sock.close()
            raise ValueError(f"{header} is not the length of a frame")
        return self._receive(int(digits))

    def _receive(self, length):
        pieces = []
        while length:
            piece = self._unbroken(self.sock.recv, min(length, 65536))
            if not piece:
                raise RuntimeError("Socket connection broken")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _unbroken(self, call, argument):
        try:
            return call(argument)
        except ConnectionError as error:
            raise RuntimeError("Socket connection broken") from error
