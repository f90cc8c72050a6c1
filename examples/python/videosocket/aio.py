# SPDX-License-Identifier: MPL-2.0
"""The same as the class videosocket, for asyncio.

    async with await aio.connect("localhost", 4953) as connection:
        async for frame in connection.frames():
            print(len(frame.payload))
"""

from __future__ import annotations

import asyncio
import collections.abc
import socket
import types
import typing

from . import records
from ._stream import Frame, Listener, Teller
from ._wire import HEADER_LEN, frame_bytes, is_record, length_in
from .records import Flags

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_Result = typing.TypeVar("_Result")

# How long close() waits for a peer that goes on sending.
LINGER = 1  # second


class Connection:
    """A connection that carries frames both ways.

    RuntimeError: the connection is broken. ValueError: this is no frame.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wraps what asyncio.open_connection() and asyncio.start_server() give."""
        self.reader = reader
        self.writer = writer
        self._listener = Listener()
        self._teller = Teller()
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def vsend(self, framestring: ReadableBuffer) -> None:
        """Sends one frame: bytes, or whatever has some. Waits while the peer is too slow."""
        await self._write(frame_bytes(framestring))

    async def vreceive(self) -> bytes:
        """Returns one frame. EOFError: the peer has ended, and this was between two frames."""
        header = await self._header()
        if header is None:
            raise EOFError("No more frames")
        try:
            length = length_in(header)
        except ValueError:
            self.writer.close()
            raise
        return await self._receive(length)

    async def send(
        self,
        framestring: ReadableBuffer,
        caps: str | None = None,
        pts: int | None = None,
        dts: int | None = None,
        duration: int | None = None,
        flags: Flags = Flags(0),
        tags: str | None = None,
    ) -> None:
        """Sends one frame and what it is: as videosocket.send()."""
        await self._write(self._teller.frame(framestring, caps, pts, dts, duration, flags, tags))

    async def frames(self, metadata: bool = False) -> collections.abc.AsyncIterator[Frame]:
        """Iterates over the frames up to the end of the stream, with what the records say of each.

        metadata: as with videosocket.frames().
        """
        if metadata:
            await self._write(self._teller.hello())
        stream = self._listener = Listener()
        while (header := await self._header()) is not None:
            try:
                if stream.ended:
                    raise ValueError("The stream went on after its end")
                if not is_record(header):
                    yield stream.frame(await self._receive(length_in(header)))
                    continue
                letter, length = chr(header[0]), int(header[1:])
                if stream.expects(letter, length):
                    stream.take(letter, await self._receive(length))
                else:
                    await self._skip(length)
            except ValueError:
                self.writer.close()
                raise
        if stream.is_open():
            raise RuntimeError("Socket connection broken")

    async def request_keyframe(self, all_headers: bool = False) -> bool:
        """Asks for a frame that can be decoded alone: as videosocket.request_keyframe()."""
        if "keyframe" not in self._listener.back:
            return False
        request = records.encode(records.Keyframe(all_headers))
        await self._write(self._teller.hello() + request)
        return True

    async def close(self) -> None:
        """Ends our direction first: closing with frames unread would destroy those under way."""
        try:
            if end := self._teller.end():
                self.writer.write(end)
            if self.writer.can_write_eof():
                self.writer.write_eof()
                await asyncio.wait_for(self._read_out(), LINGER)
        except (OSError, asyncio.TimeoutError):
            pass
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        await self.close()

    async def _header(self) -> bytes | None:
        """None: the peer has ended."""
        try:
            return await self._unbroken(self.reader.readexactly(HEADER_LEN))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise RuntimeError("Socket connection broken") from error
            return None

    async def _receive(self, length: int) -> bytes:
        pieces = []
        while length:
            piece = await self._unbroken(self.reader.read(min(length, 65536)))
            if not piece:
                raise RuntimeError("Socket connection broken")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    async def _skip(self, length: int) -> None:
        while length:
            length -= len(await self._receive(min(length, 65536)))

    async def _write(self, data: bytes) -> None:
        self.writer.write(data)
        await self._unbroken(self.writer.drain())

    async def _read_out(self) -> None:
        while await self.reader.read(65536):
            pass

    async def _unbroken(self, call: collections.abc.Awaitable[_Result]) -> _Result:
        try:
            return await call
        except ConnectionError as error:
            raise RuntimeError("Socket connection broken") from error


async def connect(host: str, port: int) -> Connection:
    """Connects to a videosocketsink or videosocketsrc that listens."""
    return Connection(*await asyncio.open_connection(host, port))


async def serve(
    handle: collections.abc.Callable[[Connection], collections.abc.Awaitable[None]],
    host: str | None,
    port: int,
) -> asyncio.Server:
    """Listens, and calls handle for each peer that connects; when it returns, the connection is closed."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with Connection(reader, writer) as connection:
            await handle(connection)

    return await asyncio.start_server(greet, host, port)
