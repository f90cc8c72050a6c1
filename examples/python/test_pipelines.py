# SPDX-License-Identifier: MPL-2.0
"""The class with pipelines on the other end that tell what their frames are, or are told."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from videosocket import Flags, videosocket

TARGET = pathlib.Path(
    os.environ.get("CARGO_TARGET_DIR", pathlib.Path(__file__).parents[2] / "target")
)
PATIENCE = 20  # seconds
WIDTH, HEIGHT = 64, 48


def plugin():
    """The one that was built last."""
    paths = [
        TARGET / folder / "libgstvideosocket.so" for folder in ("debug/deps", "debug", "release")
    ]
    built = [path for path in paths if path.is_file()]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


@unittest.skipUnless(shutil.which("gst-launch-1.0"), "gst-launch-1.0 is not installed")
@unittest.skipUnless(plugin(), "the plugin is not built: cargo build")
class PipelineTest(unittest.TestCase):
    def launch(self, pipeline):
        """A pipeline, and the port that it listens on."""
        program = subprocess.Popen(
            [
                "gst-launch-1.0",
                "-e",
                "-v",
                "-m",
                f"--gst-plugin-load={plugin()}",
                *pipeline.split(),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        for line in program.stdout:
            if port := re.search(r"videosocket-listening.*port=\(\w+\)(\d+)", line):
                return program, int(port[1])
        self.fail("it does not listen")

    def connect(self, port):
        connection = videosocket()
        connection.connect("127.0.0.1", port)
        connection.sock.settimeout(PATIENCE)
        self.addCleanup(connection.sock.close)
        return connection

    def described(self, connection):
        """Frames from the first one on that the stream says something of: a busy machine may ask late."""
        for frame in connection.frames(metadata=True):
            if frame.caps is not None:
                yield frame

    def test_a_pipeline_tells_what_its_frames_are(self):
        program, port = self.launch(
            f"videotestsrc is-live=true ! video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=50/1 "
            "! taginject tags=title=Test ! videosocketsink mode=listen host=127.0.0.1 port=0"
        )
        connection = self.connect(port)
        frames = self.described(connection)
        before = next(frames)
        for _ in range(5):
            frame = next(frames)
            self.assertIn("video/x-raw", frame.caps)
            self.assertIn("format=(string)GRAY8", frame.caps)
            self.assertIn("title=(string)Test", frame.tags)
            self.assertEqual(len(frame.payload), WIDTH * HEIGHT)
            self.assertEqual(frame.pts - before.pts, (frame.lost + 1) * 20_000_000)
            self.assertEqual(frame.duration, 20_000_000)
            self.assertLess(abs(time.time_ns() - frame.unix_time), 60_000_000_000)
            before = frame
        # The end of the stream is told.
        program.send_signal(signal.SIGINT)
        list(frames)

    def test_the_encoder_makes_a_keyframe_that_is_asked_for(self):
        _, port = self.launch(
            "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=50/1 "
            "! x264enc tune=zerolatency key-int-max=100000 "
            "! videosocketsink mode=listen host=127.0.0.1 port=0"
        )
        connection = self.connect(port)
        frames = self.described(connection)
        next(frames)
        deadline = time.monotonic() + PATIENCE
        asked = None
        for frame in frames:
            self.assertLess(time.monotonic(), deadline)
            if asked is not None and Flags.DELTA_UNIT not in frame.flags:
                break
            # A request that comes too soon behind another is one with it.
            if asked is None or time.monotonic() > asked + 1.5:
                self.assertTrue(connection.request_keyframe())
                asked = time.monotonic()

    def test_a_plain_client_of_the_same_sink_gets_frames_alone(self):
        _, port = self.launch(
            "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=64,height=48,framerate=50/1 "
            "! videosocketsink mode=listen host=127.0.0.1 port=0"
        )
        plain, asking = self.connect(port), self.connect(port)
        next(self.described(asking))
        for _ in range(5):
            self.assertEqual(len(plain.vreceive()), WIDTH * HEIGHT)

    def test_a_pipeline_plays_what_it_is_told_of(self):
        program, port = self.launch(
            "videosocketsrc mode=listen host=127.0.0.1 port=0 ! videoconvert "
            "! video/x-raw,format=I420 ! fakesink silent=false"
        )
        connection = self.connect(port)
        caps = (
            f"video/x-raw, format=(string)BGR, width=(int){WIDTH}, height=(int){HEIGHT}, "
            "framerate=(fraction)25/1"
        )
        for number in range(10):
            connection.send(bytes(WIDTH * HEIGHT * 3), caps, pts=number * 40_000_000)
        connection.close()
        output, _ = program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 0, output)
        self.assertNotIn("WARNING", output)
        self.assertIn("format=(string)BGR", output)
        times = [
            int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            for hours, minutes, seconds in re.findall(r"chain.*pts: (\d+):(\d+):([\d.]+)", output)
        ]
        self.assertEqual(len(times), 10, output)
        # On a busy machine the first samples of the clock are corrected, by 1.5 ms with each.
        for before, after in zip(times, times[1:]):
            self.assertAlmostEqual(after - before, 0.04, delta=0.005)

    def test_frames_that_have_just_been_made(self):
        program, port = self.launch(
            "videosocketsrc mode=listen host=127.0.0.1 port=0 ! videoconvert ! fakesink silent=false"
        )
        connection = self.connect(port)
        caps = "video/x-raw, format=(string)BGR, width=(int)8, height=(int)2, framerate=(fraction)0/1"
        for _ in range(3):
            connection.send(bytes(48), caps)
        connection.close()
        output, _ = program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 0, output)
        self.assertEqual(len(re.findall(r"chain.*pts: \d", output)), 3, output)


if __name__ == "__main__":
    unittest.main()
