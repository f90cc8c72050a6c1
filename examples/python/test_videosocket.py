# SPDX-License-Identifier: MPL-2.0
"""python3 -m unittest discover -s examples/python"""

import pathlib
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import unittest
from unittest import mock

from videosocket._stream import Listener
from videosocket import HELLO, MAX_FRAME_LEN, Flags, Frame, videosocket

CERTIFICATES = pathlib.Path(__file__).parents[2] / "scripts" / "certificates.sh"

BAD_HEADERS = [
    b"-0000001",
    b"+0000012",
    b"0000 012",
    b"12345abc",
    b"1_000_00",
    b"\t     12",
    b"     12\n",
    b"GET / HT",
    b"1\x002\x003\x004\x00",
    b"\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2",
    bytes(8),
    b" " * 8,
]


def record(letter, payload=b""):
    return b"%c%07d%b" % (letter, len(payload), payload)


def buffer(sequence, flags=0, pts=-(2**63), dts=-(2**63), duration=2**64 - 1):
    return record(b"B", struct.pack(">HHqqQQ", sequence, flags, pts, dts, duration, 0))


def clock(base_time, unix_offset):
    return record(b"K", struct.pack(">QQqQHH", 0, base_time, unix_offset, 0, 0, 0))


class VideosocketTest(unittest.TestCase):
    def setUp(self):
        ours, self.peer = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(self.peer.close)
        self.connection = videosocket(ours)

    def receive_all(self, stream):
        self.peer.sendall(stream)
        self.peer.shutdown(socket.SHUT_WR)
        frames = []
        while True:
            try:
                frames.append(self.connection.vreceive())
            except EOFError:
                return frames

    def test_frame_on_the_wire(self):
        self.connection.vsend(b"hello")
        self.connection.vsend(b"")
        self.assertEqual(self.peer.recv(100), b"00000005hello00000000")

    def test_every_size_comes_back(self):
        sizes = [0, 1, 7, 8, 9, 65_535, 65_536, 5_000_000]
        frames = [bytes([size % 251]) * size for size in sizes]
        sender = threading.Thread(
            target=lambda: [videosocket(self.peer).vsend(frame) for frame in frames]
        )
        sender.start()
        self.assertEqual([self.connection.vreceive() for _ in frames], frames)
        sender.join()

    def test_anything_with_bytes_is_sent(self):
        self.connection.vsend(memoryview(bytes(6)).cast("H"))
        self.assertEqual(self.peer.recv(100), b"00000006" + bytes(6))
        with self.assertRaises(TypeError):
            self.connection.vsend("text")

    def test_spaces_pad(self):
        self.assertEqual(self.receive_all(b"       3one3       two   0    "), [b"one", b"two", b""])

    def test_bad_headers(self):
        for header in BAD_HEADERS:
            with self.subTest(header=header):
                self.setUp()
                with self.assertRaises(ValueError):
                    self.receive_all(b"00000002ok" + header + b"00000002no")
                self.assertEqual(self.connection.sock.fileno(), -1)

    def test_the_end_is_clean_only_between_frames(self):
        stream = b"00000005hello00000000"
        for end in range(len(stream) + 1):
            with self.subTest(end=end):
                self.setUp()
                if end in (0, 13, 21):
                    self.receive_all(stream[:end])
                else:
                    with self.assertRaisesRegex(RuntimeError, "^Socket connection broken$"):
                        self.receive_all(stream[:end])

    def test_a_frame_too_long_is_refused_unsent(self):
        with self.assertRaises(ValueError):
            self.connection.vsend(bytes(MAX_FRAME_LEN + 1))
        self.connection.vsend(b"ok")
        self.assertEqual(self.peer.recv(100), b"00000002ok")

    def test_a_peer_that_is_gone(self):
        self.peer.close()
        with self.assertRaisesRegex(RuntimeError, "^Socket connection broken$"):
            self.connection.vsend(b"hello")

    def iterate(self, stream):
        self.peer.sendall(stream)
        self.peer.shutdown(socket.SHUT_WR)
        return self.connection.frames()

    def test_frames_without_records(self):
        frames = list(self.iterate(b"00000002ok      0 "))
        self.assertEqual(frames, [Frame(b"ok"), Frame(b"")])

    def test_frames_with_records(self):
        stream = [
            HELLO,
            record(b"C", b"video/x-raw"),
            record(b"Q", b"not known"),
            buffer(65535, 1 << 0 | 1 << 15, pts=5, dts=-1, duration=7),
            record(b"M", b"name\0data"),
            b"00000001a",
            clock(base_time=100, unix_offset=1000),
            buffer(0, pts=6),
            b"00000001b",
            record(b"C", b"video/x-h264"),
            buffer(2),
            b"00000001c",
            b"00000001d",
            record(b"E"),
        ]
        expected = [
            Frame(b"a", "video/x-raw", 5, -1, 7, Flags.DELTA_UNIT, metas=(("name", b"data"),)),
            Frame(b"b", "video/x-raw", 6, unix_time=1106),
            Frame(b"c", "video/x-h264", flags=Flags.DISCONT, lost=1),
            Frame(b"d", "video/x-h264"),
        ]
        self.assertEqual(list(self.iterate(b"".join(stream))), expected)

    def test_a_clock_without_unix_time(self):
        stream = [HELLO, clock(0, -(2**63)), buffer(0, pts=6), b"00000000", record(b"E")]
        [frame] = self.iterate(b"".join(stream))
        self.assertIsNone(frame.unix_time)

    def test_a_stream_with_records_that_ends_without_its_end_is_lost(self):
        frames = self.iterate(HELLO + record(b"C", b"image/jpeg") + b"00000002ok")
        self.assertEqual(next(frames).payload, b"ok")
        with self.assertRaisesRegex(RuntimeError, "^Socket connection broken$"):
            next(frames)

    def test_bad_records(self):
        for stream in [
            record(b"E"),
            HELLO + record(b"E") + b"00000000",
            HELLO + record(b"M", b"a\0"),
            HELLO + buffer(0) + record(b"E"),
            HELLO + record(b"B", bytes(35)),
            HELLO + b"C0262145",
            record(b"H", b"videosocket 2\n"),
            record(b"H", b"videosocket 1\nneeds Q\n"),
            HELLO + record(b"C", b"\xff"),
            HELLO + b"C     11",
            b"GET / HTTP/1.1",
        ]:
            with self.subTest(stream=stream):
                self.setUp()
                with self.assertRaises(ValueError):
                    list(self.iterate(stream))
                self.assertEqual(self.connection.sock.fileno(), -1)

    def test_a_record_that_is_long_and_not_known_is_passed_over(self):
        stream = HELLO + record(b"Q", bytes(9_999_999)) + b"00000002ok" + record(b"E")
        frames = []
        receiver = threading.Thread(target=lambda: frames.extend(self.connection.frames()))
        receiver.start()
        self.peer.sendall(stream)
        self.peer.shutdown(socket.SHUT_WR)
        receiver.join()
        self.assertEqual(frames, [Frame(b"ok")])

    def test_records_are_asked_for_with_a_hello(self):
        self.peer.sendall(HELLO + record(b"E"))
        self.peer.shutdown(socket.SHUT_WR)
        self.assertEqual(list(self.connection.frames(metadata=True)), [])
        self.assertEqual(self.peer.recv(100), b"H0000014videosocket 1\n")

    def test_what_holds_goes_with_each_frame(self):
        stream = [
            HELLO,
            record(b"I", b"one"),
            record(b"T", b"g taglist, title=(string)All;"),
            record(b"T", b"s taglist, title=(string)One;"),
            b"00000001a",
            record(b"I", b"one"),
            b"00000001b",
            record(b"I", b"two"),
            b"00000001c",
            record(b"E"),
        ]
        tags = [frame.tags for frame in self.iterate(b"".join(stream))]
        self.assertEqual(tags, [f"taglist, title=(string){it};" for it in ("One", "One", "All")])

    def test_lost_frames_are_counted(self):
        for sequences, lost in [
            ([(7, 0), (8, 0)], [0, 0]),
            ([(7, 0), (10, 0), (11, 0)], [0, 2, 0]),
            ([(65535, 0), (0, 0), (2, 0)], [0, 0, 1]),
            # A header for whoever joins is not of the count.
            ([(0, Flags.HEADER), (7, 0), (0, Flags.HEADER), (8, 0)], [0, 0, 0, 0]),
            ([(7, 0), (8, Flags.HEADER), (9, 0)], [0, 0, 0]),
        ]:
            with self.subTest(sequences):
                self.setUp()
                frames = [
                    buffer(sequence, flags, -(2**63) if flags else 5) + b"00000000"
                    for sequence, flags in sequences
                ]
                found = list(self.iterate(HELLO + b"".join(frames) + record(b"E")))
                self.assertEqual([frame.lost for frame in found], lost)
                self.assertEqual(
                    [Flags.DISCONT in frame.flags for frame in found], list(map(bool, lost))
                )

    def test_too_many_metas(self):
        meta = record(b"M", b"a\0")
        with self.assertRaises(ValueError):
            list(self.iterate(HELLO + buffer(0) + meta * 65 + b"00000000"))
        self.setUp()
        stream = (HELLO + buffer(0) + meta * 64 + b"00000000") + buffer(1) + meta + b"00000000"
        frames = self.iterate(stream + record(b"E"))
        self.assertEqual([len(frame.metas) for frame in frames], [64, 1])

    def test_metas_that_are_too_long(self):
        listener = Listener()
        listener.take("H", b"videosocket 1")
        for _ in range(2):  # the next frame has as many again
            listener.take("B", bytes(36))
            for _ in range(4):
                self.assertTrue(listener.expects("M", 65_536))
            with self.assertRaises(ValueError):
                listener.expects("M", 2)
            listener.frame(b"")

    def test_what_is_sent_with_frames(self):
        caps = "video/x-raw, format=(string)GRAY8"
        with mock.patch("time.monotonic_ns", side_effect=[1000, 1500]):
            with mock.patch("time.time_ns", return_value=9000):
                self.connection.send(b"a", caps)
                self.connection.send(b"b", caps, flags=Flags.DELTA_UNIT, duration=7)
        none = -(2**63)
        expected = [
            HELLO,
            record(b"K", struct.pack(">QQqQHH", 1000, 1000, 8000, 0, 1, 0)),
            record(b"I", b"videosocket.py/9000\n"),
            record(b"C", caps.encode()),
            record(b"B", struct.pack(">HHqqQQ", 0, 0, 0, none, 2**64 - 1, 1000)),
            b"00000001a",
            record(b"B", struct.pack(">HHqqQQ", 1, 1, 500, none, 7, 1500)),
            b"00000001b",
        ]
        self.assertEqual(self.peer.recv(1000), b"".join(expected))

    def test_what_is_sent_comes_back(self):
        connection = self.connection
        connection.send(
            b"a", "image/jpeg", pts=-5, dts=-6, duration=7, tags="taglist, title=(string)A;"
        )
        connection.send(b"b", pts=8, flags=Flags.MARKER)
        connection.send(b"c", "image/png", pts=9, tags="taglist, title=(string)B;")
        connection.vsend(b"d")
        self.peer.shutdown(socket.SHUT_WR)
        connection.close()
        frames = list(videosocket(self.peer).frames())
        self.assertEqual([frame.payload for frame in frames], [b"a", b"b", b"c", b"d"])
        self.assertEqual([frame.caps for frame in frames], ["image/jpeg"] * 2 + ["image/png"] * 2)
        self.assertEqual([frame.tags[-2] for frame in frames], ["A", "A", "B", "B"])
        self.assertEqual([frame.pts for frame in frames], [-5, 8, 9, None])
        self.assertEqual((frames[0].dts, frames[0].duration), (-6, 7))
        self.assertEqual(frames[1].flags, Flags.MARKER)
        self.assertEqual([frame.lost for frame in frames], [0] * 4)

    def test_text_that_a_peer_would_refuse_is_not_sent(self):
        for arguments in [{"caps": "a, b=[1,5]"}, {"caps": "é"}, {"tags": "title=(string)A"}]:
            with self.assertRaises(ValueError):
                self.connection.send(b"a", **arguments)
        self.peer.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.peer.recv(1)
        self.connection.send(b"a", "image/jpeg")
        self.assertTrue(self.peer.recv(1000).startswith(HELLO + b"K"))

    def test_a_plain_connection_closes_without_records(self):
        self.connection.vsend(b"ok")
        self.peer.shutdown(socket.SHUT_WR)
        self.connection.close()
        self.assertEqual(self.peer.recv(100) + self.peer.recv(100), b"00000002ok")

    def test_a_keyframe_is_asked_for_where_that_is_taken(self):
        self.assertFalse(self.connection.request_keyframe())
        self.peer.sendall(HELLO + b"00000000")
        next(self.connection.frames())
        self.assertFalse(self.connection.request_keyframe())
        self.peer.sendall(record(b"H", b"videosocket 1\nback qos keyframe\n") + b"00000000")
        next(self.connection.frames(metadata=True))
        self.assertTrue(self.connection.request_keyframe())
        self.assertTrue(self.connection.request_keyframe(all_headers=True))
        expected = HELLO + record(b"U", b"keyframe") + record(b"U", b"keyframe all-headers=1")
        self.assertEqual(self.peer.recv(100), expected)

    def test_letters_are_bad_headers_for_vreceive(self):
        with self.assertRaises(ValueError):
            self.receive_all(HELLO + b"00000002ok")


class TlsTest(unittest.TestCase):
    """The peer is a thread with the other half of Python's ssl."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        subprocess.run([CERTIFICATES, folder.name], check=True, stdout=subprocess.DEVNULL)
        self.folder = pathlib.Path(folder.name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)

    def serve(self, act):
        """Runs act with the connection to whoever comes first."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server-key.pem")

        failures = []

        def run():
            sock, _ = self.listener.accept()
            try:
                act(context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False))
            except ssl.SSLError:
                pass  # the test says what it expects
            except Exception as failure:
                failures.append(failure)

        server = threading.Thread(target=run)
        server.start()
        # What fails in a thread fails no test by itself.
        self.addCleanup(lambda: self.assertEqual(failures, []))
        self.addCleanup(server.join)

    def connect(self, authority="authority.pem"):
        context = ssl.create_default_context(cafile=self.folder / authority)
        connection = videosocket()
        connection.connect("127.0.0.1", self.listener.getsockname()[1], context)
        self.addCleanup(connection.close)
        return connection

    def test_frames_both_ways_and_an_end(self):
        def answer(sock):
            peer = videosocket(sock)
            peer.vsend(peer.vreceive() * 2)
            self.assertRaises(EOFError, peer.vreceive)
            peer.close()

        self.serve(answer)
        connection = self.connect()
        connection.vsend(bytes(100_000))
        self.assertEqual(connection.vreceive(), bytes(200_000))
        connection.close()

    def test_a_cut_is_no_end(self):
        def cut(sock):
            videosocket(sock).vsend(b"hello")
            sock.close()

        self.serve(cut)
        connection = self.connect()
        self.assertEqual(connection.vreceive(), b"hello")
        with self.assertRaisesRegex(RuntimeError, "^Socket connection broken$"):
            connection.vreceive()

    def test_a_stranger_is_not_believed(self):
        self.serve(lambda sock: None)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect("client.pem")


if __name__ == "__main__":
    unittest.main()
