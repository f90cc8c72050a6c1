# SPDX-License-Identifier: MPL-2.0
"""python3 -m unittest discover -s examples/python"""

import socket
import threading
import unittest

from videosocket import MAX_FRAME_LEN, videosocket

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


if __name__ == "__main__":
    unittest.main()
