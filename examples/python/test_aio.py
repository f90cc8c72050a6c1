# SPDX-License-Identifier: MPL-2.0
"""The asyncio variant against plain sockets, and against the class."""

import asyncio
import socket
import struct
import threading
import unittest

from videosocket import HELLO, MAX_FRAME_LEN, Flags, aio, videosocket

PATIENCE = 20  # seconds


class AioTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        ours, self.peer = socket.socketpair()
        self.peer.settimeout(PATIENCE)
        self.addCleanup(self.peer.close)
        self.connection = aio.Connection(*await asyncio.open_connection(sock=ours))
        self.addAsyncCleanup(self.connection.close)

    async def all_frames(self, stream, **arguments):
        self.peer.sendall(stream)
        self.peer.shutdown(socket.SHUT_WR)
        return [frame async for frame in self.connection.frames(**arguments)]

    async def test_frames_on_the_wire(self):
        await self.connection.vsend(b"hello")
        await self.connection.vsend(memoryview(b""))
        self.assertEqual(self.peer.recv(100), b"00000005hello00000000")

    async def test_frames_are_received_up_to_the_end(self):
        self.peer.sendall(b"00000005hello       2ok00000000")
        self.peer.shutdown(socket.SHUT_WR)
        for payload in (b"hello", b"ok", b""):
            self.assertEqual(await self.connection.vreceive(), payload)
        with self.assertRaises(EOFError):
            await self.connection.vreceive()

    async def test_a_frame_that_is_too_long_is_not_sent(self):
        with self.assertRaises(ValueError):
            await self.connection.vsend(bytes(MAX_FRAME_LEN + 1))
        await self.connection.vsend(b"next")
        self.assertEqual(self.peer.recv(100), b"00000004next")

    async def test_a_header_that_is_none(self):
        with self.assertRaises(ValueError):
            await self.all_frames(b"00000002okGET / HT")
        await self.asyncSetUp()
        self.peer.sendall(b"0000000x")
        with self.assertRaises(ValueError):
            await self.connection.vreceive()
        # No byte behind it can be trusted.
        self.assertEqual(await asyncio.to_thread(self.peer.recv, 1), b"")

    async def test_a_connection_that_breaks_inside_a_frame(self):
        for cut in (b"0000", b"00000005hel"):
            await self.asyncSetUp()
            with self.assertRaises(RuntimeError):
                await self.all_frames(b"00000002ok" + cut)

    async def test_what_records_say(self):
        buffer = struct.pack(">HHqqQQ", 3, 1, 5_000, -(2**63), 2**64 - 1, 0)
        stream = HELLO + b"C0000010image/jpegB0000036" + buffer + b"00000002okE0000000"
        [frame] = await self.all_frames(stream, metadata=True)
        self.assertEqual(self.peer.recv(100), HELLO)
        self.assertEqual((frame.payload, frame.caps, frame.pts), (b"ok", "image/jpeg", 5_000))
        self.assertEqual((frame.dts, frame.duration, frame.flags), (None, None, Flags.DELTA_UNIT))

    async def test_a_stream_with_records_ends_with_the_record_for_it(self):
        with self.assertRaises(RuntimeError):
            await self.all_frames(HELLO + b"C0000010image/jpeg00000002ok")

    async def test_what_is_sent_with_a_frame(self):
        await self.connection.send(b"ok", "image/jpeg", pts=5)
        self.peer.shutdown(socket.SHUT_WR)
        await self.connection.close()
        [frame] = list(videosocket(self.peer).frames())
        self.assertEqual((frame.payload, frame.caps, frame.pts), (b"ok", "image/jpeg", 5))

    async def test_a_keyframe_is_asked_for(self):
        self.assertFalse(await self.connection.request_keyframe())
        self.peer.sendall(b"H0000028videosocket 1\nback keyframe\n00000002ok")
        await self.connection.frames().__anext__()
        self.assertTrue(await self.connection.request_keyframe())
        self.assertEqual(self.peer.recv(100), HELLO + b"U0000008keyframe")

    async def test_a_peer_that_does_not_read_holds_up_the_sender_and_nobody_else(self):
        sending = asyncio.create_task(self.connection.vsend(bytes(20_000_000)))
        # Others have their turn meanwhile.
        self.peer.sendall(b"00000004back")
        self.assertEqual(await self.connection.vreceive(), b"back")
        self.assertFalse(sending.done())
        received = await asyncio.to_thread(self.receive, 20_000_008)
        self.assertEqual(received[:8], b"20000000")
        await asyncio.wait_for(sending, PATIENCE)

    def receive(self, length):
        received = bytearray()
        while len(received) < length:
            received += self.peer.recv(1 << 20)
        return received


class ServerTest(unittest.IsolatedAsyncioTestCase):
    async def test_many_peers_are_served_side_by_side(self):
        async def echo(connection):
            async for frame in connection.frames():
                await connection.vsend(frame.payload)

        server = await aio.serve(echo, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            peers = [await aio.connect("127.0.0.1", port) for _ in range(20)]
            for number, peer in enumerate(peers):
                await peer.vsend(b"%d" % number)
            for number, peer in reversed(list(enumerate(peers))):
                self.assertEqual(await peer.vreceive(), b"%d" % number)
                await peer.close()

    async def test_with_the_class(self):
        done = asyncio.Event()

        async def take(connection):
            frames.extend([frame.payload async for frame in connection.frames()])
            await connection.vsend(b"thanks")
            done.set()

        frames = []
        answers = []
        server = await aio.serve(take, "127.0.0.1", 0)
        async with server:
            program = threading.Thread(
                target=send_and_receive, args=(server.sockets[0].getsockname()[1], answers)
            )
            program.start()
            await asyncio.wait_for(done.wait(), PATIENCE)
            await asyncio.to_thread(program.join, PATIENCE)
        self.assertEqual((frames, answers), ([b"one", b"two"], [b"thanks"]))


def send_and_receive(port, answers):
    connection = videosocket()
    connection.connect("127.0.0.1", port)
    for payload in (b"one", b"two"):
        connection.vsend(payload)
    connection.sock.shutdown(socket.SHUT_WR)
    answers.append(connection.vreceive())
    connection.sock.close()


if __name__ == "__main__":
    unittest.main()
