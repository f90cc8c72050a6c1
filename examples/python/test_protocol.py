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

from videosocket import videosocket

PAGE = pathlib.Path(__file__).parents[2].joinpath("docs", "PROTOCOL.md").read_text("utf-8")
PATIENCE = 20  # seconds


def code(name):
    """The first code block after the page has named the file."""
    return re.search(rf"`{name}`.*?```\w+\n(.*?)```", PAGE, re.DOTALL)[1]


class VectorTest(unittest.TestCase):
    def test_vectors(self):
        vectors = re.search(r"```vectors\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
        for line in vectors:
            header, stream, payloads, ending = (field.strip() for field in line.split("|"))
            if header == "decimal:8":
                expected = [bytes.fromhex(payload.strip("-")) for payload in payloads.split()]
                with self.subTest(line):
                    self.assertEqual(receive_all(bytes.fromhex(stream)), (expected, ending))


def receive_all(stream):
    ours, peer = socket.socketpair()
    with ours, peer:
        peer.sendall(stream)
        peer.shutdown(socket.SHUT_WR)
        frames = []
        try:
            while True:
                frames.append(videosocket(ours).vreceive())
        except EOFError:
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
