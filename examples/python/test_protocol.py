# SPDX-License-Identifier: MPL-2.0
"""What docs/PROTOCOL.md says is true: its test vectors, and its programs against each other."""

import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from videosocket import HELLO, Flags, videosocket

PAGE = pathlib.Path(__file__).parents[2].joinpath("docs", "PROTOCOL.md").read_text("utf-8")
PATIENCE = 20  # seconds


def code(name):
    """The first code block after the page has named the file."""
    return re.search(rf"`{name}`.*?```\w+\n(.*?)```", PAGE, re.DOTALL)[1]


def rows(name):
    """The lines of a block, each with its columns."""
    for line in re.search(rf"```{name}\n(.*?)```", PAGE, re.DOTALL)[1].splitlines():
        yield line, [column.strip() for column in line.split("|")]


class VectorTest(unittest.TestCase):
    def test_vectors(self):
        for line, (header, stream, payloads, ending) in rows("vectors"):
            if header == "decimal:8":
                expected = [bytes.fromhex(payload.strip("-")) for payload in payloads.split()]
                with self.subTest(line):
                    self.assertEqual(receive_all(bytes.fromhex(stream)), (expected, ending))

    def test_streams(self):
        for line, (stream, items, ending) in rows("streams"):
            payloads = [item.strip("-") for item in items.split() if not item.isupper()]
            if ending == "end" and not items.endswith("E"):
                ending = "truncated"  # a stream with records has an end of its own
            with self.subTest(line):
                frames, end = iterate_over_all(HELLO + bytes.fromhex(stream))
                expected = [bytes.fromhex(payload) for payload in payloads]
                self.assertEqual([frame.payload for frame in frames], expected)
                self.assertEqual(end, ending)

    def test_buffers(self):
        for line, (record, said) in rows("records"):
            if not said.startswith("B "):
                continue
            values = dict(word.split("=") for word in said[2:].split())
            flags = [Flags[name] for name in values["flags"].split(",") if name]
            with self.subTest(line):
                stream = HELLO + bytes.fromhex(record) + b"00000000E0000000"
                [frame], end = iterate_over_all(stream)
                self.assertEqual(end, "end")
                self.assertEqual(str(frame.pts), values["pts"].title())
                self.assertEqual(str(frame.dts), values["dts"].title())
                self.assertEqual(str(frame.duration), values["duration"].title())
                self.assertEqual(frame.flags, sum(flags))

    def test_hellos(self):
        for line, (record, said) in rows("records"):
            record = bytes.fromhex(record)
            if record.startswith(b"H"):
                with self.subTest(line):
                    expected = "bad" if said == "bad" else "end"
                    _, end = iterate_over_all(record + b"E0000000")
                    self.assertEqual(end, expected)


def receive_all(stream):
    def frames(connection):
        while True:
            try:
                yield connection.vreceive()
            except EOFError:
                return

    return collect(stream, frames)


def iterate_over_all(stream):
    return collect(stream, videosocket.frames)


def collect(stream, iterate):
    """What comes of a stream, and how it ends."""
    ours, peer = socket.socketpair()
    with ours, peer:
        peer.sendall(stream)
        peer.shutdown(socket.SHUT_WR)
        frames = []
        try:
            for frame in iterate(videosocket(ours)):
                frames.append(frame)
            return frames, "end"
        except RuntimeError:
            return frames, "truncated"
        except ValueError:
            return frames, "bad"


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # Bound but not listening, it keeps the port for a receiver and from everyone else.
        keeper = socket.socket()
        self.addCleanup(keeper.close)
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("", 0))
        self.port = keeper.getsockname()[1]

    def test_programs(self):
        payloads = [b"", b"x", os.urandom(65536), os.urandom(5_000_000)]
        files = [self.folder / str(number) for number in range(len(payloads))]
        for file, payload in zip(files, payloads):
            file.write_bytes(payload)
        languages = [".py", ".c"] if shutil.which("cc") else [".py"]
        senders = [self.build("send" + language) for language in languages]
        receivers = [self.build("receive" + language) for language in languages]
        for sender, receiver in itertools.product(senders, receivers):
            with self.subTest(sender=sender, receiver=receiver):
                self.assertEqual(self.run_pair([*sender, *files], receiver), payloads)

    def build(self, name):
        source = self.folder / name
        source.write_text(code(name).replace("4953", str(self.port)))
        if source.suffix == ".py":
            return [sys.executable, source]
        subprocess.run(
            ["cc", "-Wall", "-Wextra", "-o", source.stem, name], cwd=self.folder, check=True
        )
        return [source.with_suffix("")]

    def run_pair(self, sender, receiver):
        with tempfile.TemporaryDirectory(dir=self.folder) as output:
            with subprocess.Popen(receiver, cwd=output) as receiving:
                try:
                    self.send_when_it_listens(sender)
                    self.assertEqual(receiving.wait(PATIENCE), 0)
                finally:
                    receiving.kill()
            return [file.read_bytes() for file in sorted(pathlib.Path(output).iterdir())]

    def send_when_it_listens(self, sender):
        deadline = time.monotonic() + PATIENCE
        while True:
            sending = subprocess.run(sender, capture_output=True, text=True, timeout=PATIENCE)
            if sending.returncode == 0:
                return
            self.assertIn("onnection refused", sending.stderr)
            self.assertLess(time.monotonic(), deadline)


if __name__ == "__main__":
    unittest.main()
