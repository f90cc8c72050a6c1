# SPDX-License-Identifier: MPL-2.0
"""What docs/PROTOCOL.md says is true: its test vectors, and its programs against each other."""

import itertools
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from videosocket import HELLO, Flags, records, videosocket
from videosocket.text import checked

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
            with self.subTest(line):
                frames, end = iterate_over_all(HELLO + bytes.fromhex(stream))
                expected = [bytes.fromhex(payload) for payload in payloads]
                self.assertEqual([frame.payload for frame in frames], expected)
                self.assertEqual(end, "truncated" if ending == "lost" else ending)

    def test_records(self):
        for line, (record, said) in rows("records"):
            with self.subTest(line):
                self.assertEqual(in_words(bytes.fromhex(record)), said)

    def test_what_is_sent_is_what_was_read(self):
        sent = 0
        for line, (record, said) in rows("records"):
            if said != "bad" and said[0] in "HKICTBE":
                with self.subTest(line):
                    record = bytes.fromhex(record)
                    parsed = records.parse(chr(record[0]), record[8:])
                    again = records.encode(parsed)
                    self.assertEqual(records.parse(chr(again[0]), again[8:]), parsed)
                    sent += 1
        self.assertGreater(sent, 8)

    def test_texts(self):
        for line, (verdict, text) in rows("texts"):
            with self.subTest(line):
                try:
                    found = "ok" if checked(text) == text else "changed"
                except ValueError:
                    found = "refused"
                self.assertEqual(found, verdict)

    def test_metas(self):
        for line, (name, data, said) in rows("metas"):
            with self.subTest(line):
                self.assertEqual(METAS[name](bytes.fromhex(data)), said)

    def test_a_whole_stream(self):
        stream, expected, caps, tags = b"", [], None, None
        for line, (side, piece, said) in rows("capture"):
            if side == "sender":
                stream += bytes.fromhex(piece)
                expected += [bytes.fromhex(said[6:])] if said.startswith("frame ") else []
                caps = said[7:] if said.startswith("C caps=") else caps
                tags = said.partition(" tags=")[2] if said.startswith("T ") else tags
        frames, end = iterate_over_all(stream)
        self.assertEqual([frame.payload for frame in frames], expected)
        self.assertEqual({(frame.caps, frame.tags) for frame in frames}, {(caps, tags)})
        self.assertEqual([frame.pts for frame in frames], [200_000_000, 240_000_000, 1_200_000_000])
        self.assertEqual([frame.lost for frame in frames], [0, 0, 23])
        self.assertEqual([frame.flags for frame in frames], [0, 0, Flags.DISCONT])
        self.assertEqual([meta.name for meta in frames[1].metas], ["crop"])
        self.assertEqual(frames[0].unix_time, 1_786_486_700_200_000_000)
        self.assertEqual(end, "end")


def in_words(record):
    """A record as the page puts it."""
    letter, payload = chr(record[0]), record[8:]
    try:
        parsed = records.parse(letter, payload)
    except ValueError:
        return "bad"
    return " ".join([letter, *WORDS[type(parsed)](parsed)]).strip()


def text(value):
    return "none" if value is None else format(value, ".15g" if isinstance(value, float) else "")


def in_order(words, order):
    return ",".join(word for word in order.split() if word in words)


def buffer_in_words(it):
    flags = ",".join(flag.name for flag in Flags if flag in it.flags)
    yield f"sequence={it.sequence} flags={flags} pts={text(it.pts)} dts={text(it.dts)}"
    yield f"duration={text(it.duration)} clock={text(it.clock)}"
    if (it.offset, it.offset_end) != (None, None):
        yield f"offset={text(it.offset)} offset-end={text(it.offset_end)}"


WORDS = {
    records.Hello: lambda it: [
        f"agent={text(it.agent)} needs={it.needs}",
        f"back={in_order(it.back, 'keyframe qos navigation')}",
    ],
    records.Clock: lambda it: [
        f"now={it.now} base={it.base_time} unix={text(it.unix_offset)} latency={it.latency}",
        f"paced={it.is_paced:d} synchronised={it.is_unix_synchronised:d} id={it.id}",
    ],
    records.StreamStart: lambda it: [
        f"id={it.id} flags={in_order(it.flags, 'sparse select unselect')} group={text(it.group)}"
    ],
    records.Caps: lambda it: [f"caps={it.text}"],
    records.Tags: lambda it: [f"scope={it.scope} tags={it.text}"],
    records.Segment: lambda it: [
        f"rate={text(it.rate)} applied-rate={text(it.applied_rate)}",
        f"stream-time={text(it.stream_time)}",
    ],
    records.Buffer: buffer_in_words,
    records.Meta: lambda it: [f"name={it.name} data={it.data.hex()}"],
    records.Gap: lambda it: [f"time={it.time} duration={text(it.duration)}"],
    records.Event: lambda it: [f"sticky={it.is_sticky:d} event={it.text}"],
    records.End: lambda it: [],
    records.Keyframe: lambda it: [
        f"keyframe all-headers={it.all_headers:d}",
        *([] if it.running_time is None else [f"running-time={it.running_time}"]),
    ],
    records.Qos: lambda it: [
        f"qos kind={it.kind} proportion={text(it.proportion)} difference={it.difference}",
        f"time={it.time}",
    ],
    records.Navigation: lambda it: [f"navigation event={it.text}"],
    records.Request: lambda it: ["other"],
    records.Probe: lambda it: [
        f"{name}={time}" for name, time in it._asdict().items() if time is not None
    ],
}


def unpacked(form, words):
    """What says the bytes of a meta by the table of the page; what is behind them is hexadecimal."""

    def say(data):
        size = struct.calcsize(form)
        return words.format(
            *struct.unpack(form, data[:size]),
            hex=data[size:].hex(),
            rest=data[size:].decode("latin1"),
        )

    return say


RECTANGLE = "x={} y={} width={} height={}"

METAS = {
    "timestamp": lambda data: unpacked(">QQ", "time={} duration={} reference={rest}")(data)
    .replace(str(2**64 - 1), "none")
    .rstrip(";"),
    "video": unpacked(">IIIIi", "width={} height={} planes={} offset={} stride={}"),
    "timecode": lambda data: unpacked(
        ">IIIIIIIIqi", "fps={}/{} flags={} time={}:{}:{}:{} fields={} midnight={} east={}"
    )(data).replace(str(-(2**63)), "none"),
    "caption": unpacked(">B", "type={} captions={hex}"),
    "afd": unpacked(">BBB", "field={} standard={} value={}"),
    "bar": unpacked(">BBII", "field={} letterbox={} edges={},{}"),
    "roi": unpacked(">iiIIIIx", f"id={{}} parent={{}} {RECTANGLE} type={{rest}}"),
    "crop": unpacked(">IIII", RECTANGLE),
}


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
