# SPDX-License-Identifier: MPL-2.0
"""The bridge between programs that pickle their pictures and the wire."""

import pickle
import socket
import struct
import subprocess
import sys
import unittest

import pickle_bridge
from lacking import needs
from test_pickled import ARRAYS
from videosocket import pickled, videosocket

PATIENCE = 20  # seconds
JPEG = b"\xff\xd8\xff\xe0 the rest of a picture \xff\xd9"


class FrameTest(unittest.TestCase):
    def test_pictures_have_their_rows_where_gstreamer_looks_for_them(self):
        array = pickled.Array((2, 1, 3), "|u1", False, b"abcdef")
        caps = "video/x-raw,format=BGR,width=1,height=2"
        self.assertEqual(pickle_bridge.frame_of(array), (caps, b"abc\0def\0"))

    def test_encoded_pictures_go_on_as_they_are(self):
        for shape in ((len(JPEG),), (len(JPEG), 1)):
            array = pickled.Array(shape, "|u1", False, JPEG)
            self.assertEqual(pickle_bridge.frame_of(array), ("image/jpeg", JPEG))

    def test_what_is_no_picture(self):
        for array in (
            pickled.Array((2,), "<f4", False, bytes(8)),
            pickled.Array((2, 2, 2), "|u1", False, bytes(8)),
            pickled.Array((), "|u1", False, bytes(1)),
            pickled.Array((2, 2), "|u1", True, bytes(4)),
        ):
            with self.assertRaises(ValueError):
                pickle_bridge.frame_of(array)


class BridgeTest(unittest.TestCase):
    def start(self, *arguments):
        """The bridge, and its connections to the program and to the pipeline."""
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for listener in listeners:
            self.addCleanup(listener.close)
            listener.settimeout(PATIENCE)
        program, pipeline = (str(listener.getsockname()[1]) for listener in listeners)
        where = ["--pickled-host=127.0.0.1", "--pickled-port", program]
        bridge = subprocess.Popen(
            [sys.executable, pickle_bridge.__file__, "--host=127.0.0.1", "--port", pipeline]
            + [*where, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(bridge.communicate)
        self.addCleanup(bridge.kill)
        return bridge, *(self.accept(listener) for listener in listeners)

    def accept(self, listener):
        sock, _ = listener.accept()
        self.addCleanup(sock.close)
        sock.settimeout(PATIENCE)
        return sock

    def test_from_a_program_to_a_pipeline(self):
        bridge, program, pipeline = self.start("--header", ">L")
        for data in ARRAYS:
            program.sendall(struct.pack(">L", len(data)) + data)
        program.close()
        frames = videosocket(pipeline)
        padded = bytes(range(6)) + bytes(2) + bytes(range(6, 12)) + bytes(2)
        for _ in ARRAYS:
            self.assertEqual(frames.vreceive(), padded)
        with self.assertRaises(EOFError):
            frames.vreceive()
        pipeline.close()
        output, errors = bridge.communicate(timeout=PATIENCE)
        caps = "video/x-raw,format=BGR,width=2,height=2"
        self.assertEqual((output, errors), (f"{caps}\n{len(ARRAYS)} frames\n", ""))

    def test_a_pickle_that_is_none_ends_it(self):
        bridge, program, pipeline = self.start()
        data = b"cos\nsystem\n(S'exit'\ntR."
        program.sendall(struct.pack("<Q", len(data)) + data)
        self.assertEqual(pipeline.recv(1), b"")
        pipeline.close()
        program.close()
        _, errors = bridge.communicate(timeout=PATIENCE)
        self.assertIn("asks for os.system", errors)
        self.assertEqual((bridge.returncode, errors.count("\n")), (1, 1))

    @needs("numpy")
    def test_from_a_pipeline_to_a_program(self):
        for arguments, frame, expected in [
            ([], JPEG, list(JPEG)),
            (["--picture", "1x2"], b"abc\0def\0", [[[97, 98, 99]], [[100, 101, 102]]]),
        ]:
            bridge, program, pipeline = self.start("--to-pickled", "--header", "Q", *arguments)
            videosocket(pipeline).vsend(frame)
            pipeline.shutdown(socket.SHUT_WR)
            stream = program.makefile("rb")
            (length,) = struct.unpack("Q", stream.read(8))
            # As the program does it.
            self.assertEqual(pickle.loads(stream.read(length)).tolist(), expected)
            self.assertEqual(stream.read(), b"")
            stream.close()
            program.close()
            pipeline.close()
            self.assertEqual(bridge.communicate(timeout=PATIENCE), ("1 frames\n", ""))


if __name__ == "__main__":
    unittest.main()
