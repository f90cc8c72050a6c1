# SPDX-License-Identifier: MPL-2.0
"""Pickled arrays are read as they were, and nothing else is done for whoever sends a pickle."""

import base64
import os
import pickle
import resource
import socket
import struct
import unittest

from lacking import needs
from videosocket import pickled

# numpy.arange(12, dtype="u1").reshape(2, 2, 3) as pickled by NumPy 1 in the protocols 0, 2, 4 and 5, and by NumPy 2 in
# the protocols 4 and 5.
ARRAYS = [
    base64.b64decode(text)
    for text in (
        "Y251bXB5LmNvcmUubXVsdGlhcnJheQpfcmVjb25zdHJ1Y3QKcDAKKGNudW1weQpuZGFycmF5CnAxCihJMAp0cDIKY19jb2RlY3MK"
        "ZW5jb2RlCnAzCihWYgpwNApWbGF0aW4xCnA1CnRwNgpScDcKdHA4ClJwOQooSTEKKEkyCkkyCkkzCnRwMTAKY251bXB5CmR0eXBl"
        "CnAxMQooVnUxCnAxMgpJMDAKSTAxCnRwMTMKUnAxNAooSTMKVnwKcDE1Ck5OTkktMQpJLTEKSTAKdHAxNgpiSTAwCmczCihWXHUw"
        "MDAwAQIDBAUGBwgJXHUwMDBhCwpwMTcKZzUKdHAxOApScDE5CnRwMjAKYi4=",
        "gAJjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAGNudW1weQpuZGFycmF5CnEBSwCFcQJjX2NvZGVjcwplbmNv"
        "ZGUKcQNYAQAAAGJxBFgGAAAAbGF0aW4xcQWGcQZScQeHcQhScQkoSwFLAksCSwOHcQpjbnVtcHkKZHR5cGUKcQtYAgAAAHUxcQyJ"
        "iIdxDVJxDihLA1gBAAAAfHEPTk5OSv////9K/////0sAdHEQYoloA1gMAAAAAAECAwQFBgcICQoLcRFoBYZxElJxE3RxFGIu",
        "gASVmAAAAAAAAACMFW51bXB5LmNvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCF"
        "lEMBYpSHlFKUKEsBSwJLAksDh5RoA4wFZHR5cGWUk5SMAnUxlImIh5RSlChLA4wBfJROTk5K/////0r/////SwB0lGKJQwwAAQID"
        "BAUGBwgJCguUdJRiLg==",
        "gAWVgwAAAAAAAACMEm51bXB5LmNvcmUubnVtZXJpY5SMC19mcm9tYnVmZmVylJOUKJYMAAAAAAAAAAABAgMEBQYHCAkKC5SMBW51"
        "bXB5lIwFZHR5cGWUk5SMAnUxlImIh5RSlChLA4wBfJROTk5K/////0r/////SwB0lGJLAksCSwOHlIwBQ5R0lFKULg==",
        "gASVmQAAAAAAAACMFm51bXB5Ll9jb3JlLm11bHRpYXJyYXmUjAxfcmVjb25zdHJ1Y3SUk5SMBW51bXB5lIwHbmRhcnJheZSTlEsA"
        "hZRDAWKUh5RSlChLAUsCSwJLA4eUaAOMBWR0eXBllJOUjAJ1MZSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0sAdJRiiUMMAAEC"
        "AwQFBgcICQoLlHSUYi4=",
        "gAWVhAAAAAAAAACME251bXB5Ll9jb3JlLm51bWVyaWOUjAtfZnJvbWJ1ZmZlcpSTlCiWDAAAAAAAAAAAAQIDBAUGBwgJCguUjAVu"
        "dW1weZSMBWR0eXBllJOUjAJ1MZSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0sAdJRiSwJLAksDh5SMAUOUdJRSlC4=",
    )
]
ARRAY = pickled.Array((2, 2, 3), "|u1", False, bytes(range(12)))

# As a client of 2010 sends it.
OF_PYTHON_2 = (
    b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
    b"(K\x01K\x03\x85cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89U\x03\x00\xe9\xfftb."
)


class Command:
    """Unpickled, it runs a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


class LoadTest(unittest.TestCase):
    def test_arrays_of_any_protocol(self):
        for data in ARRAYS:
            self.assertEqual(pickled.loads(data), ARRAY)

    def test_an_array_of_python_2(self):
        expected = pickled.Array((3,), "|u1", False, b"\x00\xe9\xff")
        self.assertEqual(pickled.loads(OF_PYTHON_2), expected)

    def test_no_call_is_made(self):
        path = os.path.join("/tmp", f"videosocket-{os.getpid()}")
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for thing in (Command(path), [Command(path)], (ARRAYS[0], Command(path))):
                with self.assertRaises(ValueError):
                    pickled.loads(pickle.dumps(thing, protocol))
                self.assertFalse(os.path.exists(path))

    def test_what_else_numpy_has_is_not_called(self):
        for name in ("numpy\nload", "numpy.core.multiarray\nfromfile", "builtins\neval"):
            data = ARRAYS[1].replace(b"numpy.core.multiarray\n_reconstruct", name.encode())
            with self.assertRaisesRegex(ValueError, name.replace("\n", r"\.")):
                pickled.loads(data)

    def test_bytes_are_encoded_in_one_way(self):
        data = ARRAYS[1].replace(b"latin1", b"rot_13")
        with self.assertRaises(ValueError):
            pickled.loads(data)

    def test_what_is_no_array(self):
        for thing in (None, 5, "text", b"bytes", (1, 2), [1], {"frame": 1}, {1}):
            for protocol in (0, 2, 4):
                with self.assertRaises(ValueError):
                    pickled.loads(pickle.dumps(thing, protocol))

    def test_every_prefix_and_every_changed_byte_is_refused_or_an_array(self):
        for data in [*ARRAYS, OF_PYTHON_2]:
            for at in range(len(data)):
                with self.assertRaises(ValueError):
                    pickled.loads(data[:at])
                for value in (0, 0x2E, 0x52, 0x62, 0x80, 0xFF, data[at] ^ 1):
                    changed = data[:at] + bytes([value]) + data[at + 1 :]
                    try:
                        array = pickled.loads(changed)
                    except ValueError:
                        continue
                    self.assertIsInstance(array, pickled.Array)

    def test_the_length_is_what_shape_and_type_say(self):
        for before, after in [
            (b"K\x02K\x02K\x03", b"K\x02K\x02K\x04"),
            (b"K\x02K\x02K\x03", b"K\xffK\xffK\xff"),
            (b"X\x02\x00\x00\x00u1", b"X\x02\x00\x00\x00u2"),
        ]:
            self.assertIn(before, ARRAYS[1])
            with self.assertRaisesRegex(ValueError, "with 12"):
                pickled.loads(ARRAYS[1].replace(before, after))

    def test_arrays_of_other_things_than_numbers(self):
        for kind in (b"O8", b"V4", b"S9", b"M8"):
            data = ARRAYS[1].replace(b"X\x02\x00\x00\x00u1", b"X\x02\x00\x00\x00" + kind)
            with self.assertRaisesRegex(ValueError, "of numbers"):
                pickled.loads(data)

    def test_no_memory_is_taken_for_what_has_not_come(self):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for data in (
            b"\x80\x02Nr\xff\xff\xff\x0f.",  # to be remembered under a large number
            b"\x80\x04B\xff\xff\xff\x0f" + b"x",
            b"\x80\x04\x8e\xff\xff\xff\xff\x00\x00\x00\x00x",
            b"\x80\x02" + b"N" * 10_000_000 + b".",
        ):
            with self.assertRaises(ValueError):
                pickled.loads(data)
        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        self.assertLess(taken, 100_000, "kB")


class StreamTest(unittest.TestCase):
    def setUp(self):
        self.ours, self.peer = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.peer.close)

    def receive_all(self, stream, header, **limit):
        self.peer.sendall(stream)
        self.peer.shutdown(socket.SHUT_WR)
        return list(pickled.arrays(self.ours, header, **limit))

    def test_behind_each_header(self):
        for header in pickled.HEADERS:
            with self.subTest(header):
                self.setUp()
                form = pickled.HEADERS[header]
                stream = b"".join(struct.pack(form, len(data)) + data for data in ARRAYS)
                self.assertEqual(self.receive_all(stream, header), [ARRAY] * len(ARRAYS))

    def test_native_headers_are_those_of_64_bits(self):
        self.assertEqual(pickled.HEADERS["Q"], "<Q")
        self.assertEqual(pickled.HEADERS["L"], "<Q")
        self.assertEqual(pickled.HEADERS[">L"], ">L")

    def test_a_connection_that_breaks(self):
        stream = struct.pack("<Q", len(ARRAYS[0])) + ARRAYS[0]
        for cut in (1, 8, 9, len(stream) - 1):
            self.setUp()
            with self.assertRaises(RuntimeError):
                self.receive_all(stream[:cut], "Q")

    def test_a_pickle_that_is_too_long(self):
        with self.assertRaisesRegex(ValueError, "1000 bytes is longer than 999"):
            self.receive_all(struct.pack("<Q", 1000), "Q", max_len=999)


@needs("numpy")
class NumpyTest(unittest.TestCase):
    def test_arrays_come_back(self):
        import numpy

        numbers = numpy.arange(24)
        for array in (
            numbers.astype("u1").reshape(2, 4, 3),
            numpy.asfortranarray(numbers.astype(">f4").reshape(4, 6)),
            numbers.astype("i8").reshape(2, 3, 4)[:, ::2],
            numbers.astype("c16"),
            numbers % 2 == 0,
            numpy.zeros((0, 3), "u2"),
            numpy.array(5.0),
        ):
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                read = pickled.loads(pickle.dumps(array, protocol)).numpy()
                numpy.testing.assert_array_equal(read, array)
                self.assertEqual(read.dtype, array.dtype)

    def test_what_is_sent_is_read_by_programs_that_trust_it(self):
        import numpy

        array = numpy.arange(12, dtype="u1").reshape(2, 2, 3)
        for header in pickled.HEADERS:
            sent = pickled.dumps(array, header)
            size = struct.calcsize(pickled.HEADERS[header])
            (length,) = struct.unpack(pickled.HEADERS[header], sent[:size])
            self.assertEqual(length, len(sent) - size)
            numpy.testing.assert_array_equal(pickle.loads(sent[size:]), array)

    def test_objects_are_refused(self):
        import numpy

        for array in (numpy.array([{}, []], object), numpy.array(["text"]), numpy.zeros(2, "i4,f8")):
            with self.assertRaises(ValueError):
                pickled.loads(pickle.dumps(array))


if __name__ == "__main__":
    unittest.main()
