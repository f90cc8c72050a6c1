# SPDX-License-Identifier: MPL-2.0
"""The example scripts as their users run them, rightly and wrongly."""

import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from videosocket import videosocket

FOLDER = pathlib.Path(__file__).parent
PATIENCE = 20  # seconds
JPEG = b"\xff\xd8\xff\xe0 the rest of a picture \xff\xd9"


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.picture = self.file("picture.jpg", JPEG)
        # A program that is started with the signal ignored goes on ignoring it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def start(self, name, *arguments):
        program = subprocess.Popen(
            [sys.executable, FOLDER / name, *map(str, arguments)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def start_listening(self, name, *arguments):
        program = self.start(name, "--listen", "--port", 0, *arguments)
        port = program.stdout.readline().rpartition(" ")[2]
        return program, int(port)

    def end(self, program):
        output, errors = program.communicate(timeout=PATIENCE)
        return program.returncode, output, errors

    def assert_says(self, program, *words, code=1):
        returncode, _, errors = self.end(program)
        self.assertEqual(returncode, code, errors)
        if code == 1:
            self.assertEqual(errors.count("\n"), 1, errors)
        self.assertNotIn("Traceback", errors)
        for word in words:
            self.assertIn(str(word), errors)

    def test_pictures_arrive(self):
        receiver, port = self.start_listening("receive_pictures.py", "--folder", "received")
        sender = self.start("send_pictures.py", "--port", port, "--rate", 0, *[self.picture] * 3)
        self.assertEqual(self.end(sender), (0, "3 pictures\n", ""))
        self.assertEqual(self.end(receiver)[0], 0)
        received = sorted((self.folder / "received").iterdir())
        self.assertEqual([path.read_bytes() for path in received], [JPEG] * 3)

    def test_two_take_turns(self):
        chat = [self.picture, "--turns", 5]
        listener, port = self.start_listening("chat.py", *chat)
        caller = self.start("chat.py", "--port", port, *chat)
        for program in (listener, caller):
            code, output, errors = self.end(program)
            self.assertEqual((code, errors), (0, ""))
            self.assertIn("5 turns", output)

    def test_what_is_no_picture_is_not_sent(self):
        text = self.file("notes.txt", b"milk, bread\n")
        for name in ("send_pictures.py", "chat.py"):
            for path in (text, self.file("empty.jpg", b""), self.folder / "absent.jpg"):
                # It does not get as far as the connection, which nobody would accept.
                program = self.start(name, "--port", 1, "--patience", "inf", self.picture, path)
                self.assert_says(program, path)

    def test_a_folder_without_pictures(self):
        folder = self.folder / "holiday"
        folder.mkdir()
        self.assert_says(self.start("send_pictures.py", folder), folder)

    def test_arguments_that_make_no_sense(self):
        for name, *arguments in [
            ("send_pictures.py",),
            ("chat.py",),
            ("send_pictures.py", "--rate", "-1", self.picture),
            ("send_pictures.py", "--rate", "fast", self.picture),
            ("send_pictures.py", "--camera", "0", self.picture),
            ("send_pictures.py", "--port", "0", self.picture),
            ("chat.py", "--turns", "0", self.picture),
            ("receive_pictures.py", "--port", "65536"),
            ("receive_pictures.py", "--every", "0"),
            ("receive_pictures.py", "--count", "0"),
            ("receive_pictures.py", "--host", "a..b"),
        ]:
            with self.subTest(name=name, arguments=arguments):
                self.assert_says(self.start(name, *arguments), "usage:", code=2)

    def test_nobody_answers(self):
        # Bound but not listening, it keeps the port from everyone who would answer.
        keeper = socket.socket()
        self.addCleanup(keeper.close)
        keeper.bind(("127.0.0.1", 0))
        port = keeper.getsockname()[1]
        where = ["--host", "127.0.0.1", "--port", port, "--patience", 0]
        for name, *arguments in [
            ("send_pictures.py", self.picture),
            ("chat.py", self.picture),
            ("receive_pictures.py",),
        ]:
            self.assert_says(self.start(name, *where, *arguments), port, "refused")

    def test_a_port_in_use(self):
        with socket.create_server(("", 0)) as taken:
            port = taken.getsockname()[1]
            for host in ("", "127.0.0.1"):
                program = self.start(
                    "receive_pictures.py", "--listen", "--port", port, "--host", host
                )
                self.assert_says(program, port, "in use")

    def test_a_folder_that_cannot_be(self):
        program = self.start("receive_pictures.py", "--listen", "--folder", self.picture)
        self.assert_says(program, self.picture)

    def test_a_peer_that_breaks_off(self):
        receiver, port = self.start_listening("receive_pictures.py")
        with socket.create_connection(("localhost", port)) as peer:
            peer.sendall(b"00000003one00000003tw")
        self.assert_says(receiver, "after 1 pictures")

    def test_ctrl_c_while_it_waits(self):
        program, _ = self.start_listening("receive_pictures.py")
        program.send_signal(signal.SIGINT)
        self.assert_says(program, "Interrupted")

    def test_ctrl_c_ends_a_loop(self):
        program, port = self.start_listening("send_pictures.py", "--loop", self.picture)
        with socket.create_connection(("localhost", port)) as peer:
            self.assertEqual(videosocket(peer).vreceive(), JPEG)
            program.send_signal(signal.SIGINT)
            code, output, errors = self.end(program)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("pictures", output)


if __name__ == "__main__":
    unittest.main()
