# SPDX-License-Identifier: MPL-2.0
"""What stands between the frames where both ends understand it: docs/PROTOCOL.md, Records.

Times are in nanoseconds, and None where there is none.
"""

from __future__ import annotations

import enum
import math
import re
import struct
import typing

from . import text as _text

VERSION = 1

# How long the payload of each may be.
LENGTHS = {
    "H": (13, 4096),
    "K": (36, 512),
    "I": (1, 4096),
    "C": (1, 262_144),
    "T": (2, 65_536),
    "S": (24, 152),
    "B": (36, 180),
    "M": (2, 65_536),
    "G": (16, 144),
    "X": (2, 65_536),
    "E": (0, 128),
    "U": (1, 4096),
    "P": (8, 152),
}

MAX_METAS = 64
MAX_META_BYTES = 262_144


class Flags(enum.IntFlag):
    DELTA_UNIT = 1 << 0
    DISCONT = 1 << 1
    HEADER = 1 << 2
    MARKER = 1 << 3
    GAP = 1 << 4
    CORRUPTED = 1 << 5
    DROPPABLE = 1 << 6
    NON_DROPPABLE = 1 << 7
    RESYNC = 1 << 8
    DECODE_ONLY = 1 << 9
    INTERLACED = 1 << 10
    TFF = 1 << 11
    RFF = 1 << 12
    ONEFIELD = 1 << 13


KNOWN_FLAGS = (1 << 14) - 1


class Hello(typing.NamedTuple):
    agent: str | None = None
    needs: str = ""
    back: frozenset[str] = frozenset()


class Clock(typing.NamedTuple):
    now: int
    base_time: int
    unix_offset: int | None = None  # the time since 1970 minus that of the clock
    latency: int = 0
    is_paced: bool = False
    is_unix_synchronised: bool = False
    id: str = ""


class StreamStart(typing.NamedTuple):
    id: str
    flags: frozenset[str] = frozenset()
    group: int | None = None


class Caps(typing.NamedTuple):
    text: str


class Tags(typing.NamedTuple):
    scope: str  # "s": of this stream, "g": of all that belong together
    text: str


class Segment(typing.NamedTuple):
    rate: float
    applied_rate: float
    stream_time: int | None = None


class Buffer(typing.NamedTuple):
    sequence: int
    flags: Flags = Flags(0)
    pts: int | None = None
    dts: int | None = None
    duration: int | None = None
    clock: int | None = None
    offset: int | None = None
    offset_end: int | None = None


class Meta(typing.NamedTuple):
    name: str
    data: bytes


class Gap(typing.NamedTuple):
    time: int
    duration: int | None = None


class Event(typing.NamedTuple):
    is_sticky: bool
    text: str


class End(typing.NamedTuple):
    pass


class Keyframe(typing.NamedTuple):
    all_headers: bool = False
    running_time: int | None = None


class Qos(typing.NamedTuple):
    kind: str
    proportion: float
    difference: int
    time: int


class Navigation(typing.NamedTuple):
    text: str


class Request(typing.NamedTuple):
    """One that is not known here."""

    text: bytes


class Probe(typing.NamedTuple):
    asked: int
    received: int | None = None
    answered: int | None = None


Record = typing.Union[
    Hello,
    Clock,
    StreamStart,
    Caps,
    Tags,
    Segment,
    Buffer,
    Meta,
    Gap,
    Event,
    End,
    Keyframe,
    Qos,
    Navigation,
    Request,
    Probe,
]


def check_length(letter: str, length: int) -> None:
    """ValueError: no record of this letter is so long. All lengths of letters that are not known are right."""
    least, most = LENGTHS.get(letter, (0, length))
    if not least <= length <= most:
        raise ValueError(f"A record {letter} of {length} bytes is not {least} to {most} long")


def parse(letter: str, payload: bytes) -> Record | None:
    """Reads a record. None: this letter is not known. ValueError: it is not as it has to be."""
    check_length(letter, len(payload))
    parser = _PARSERS.get(letter)
    return parser(payload) if parser else None


def encode(record: Record) -> bytes:
    """The bytes of a record: of those that whoever sends frames, or asks for them, has."""
    letter, payload = _payload(record)
    parse(letter, payload)  # what would not be read is not sent
    return b"%c%07d%b" % (letter.encode(), len(payload), payload)


def _payload(record: Record) -> tuple[str, bytes]:
    if isinstance(record, Hello):
        agent = f"agent {record.agent}\n" if record.agent else ""
        back = f"back {' '.join(sorted(record.back))}\n" if record.back else ""
        needs = f"needs {record.needs}\n" if record.needs else ""
        return "H", f"videosocket {VERSION}\n{agent}{needs}{back}".encode()
    if isinstance(record, Clock):
        unix_offset = _or_none(record.unix_offset, _NO_SIGNED)
        flags = record.is_paced | record.is_unix_synchronised << 1
        times = (record.now, record.base_time, unix_offset, record.latency)
        return "K", _CLOCK.pack(*times, flags, 0) + record.id.encode()
    if isinstance(record, StreamStart):
        flags_line = f"flags {' '.join(sorted(record.flags))}\n" if record.flags else ""
        group = "" if record.group is None else f"group {record.group}\n"
        return "I", f"{record.id}\n{flags_line}{group}".encode()
    if isinstance(record, Caps):
        return "C", record.text.encode()
    if isinstance(record, Tags):
        return "T", f"{record.scope} {record.text}".encode()
    if isinstance(record, Buffer):
        return "B", _buffer_payload(record)
    if isinstance(record, End):
        return "E", b""
    if isinstance(record, Keyframe):
        headers = " all-headers=1" if record.all_headers else ""
        time = "" if record.running_time is None else f" running-time={record.running_time}"
        return "U", f"keyframe{headers}{time}".encode()
    raise TypeError(f"{type(record).__name__} is not sent from here")


def _buffer_payload(buffer: Buffer) -> bytes:
    times = (_or_none(buffer.pts, _NO_SIGNED), _or_none(buffer.dts, _NO_SIGNED))
    spans = (_or_none(buffer.duration, _NO_UNSIGNED), _or_none(buffer.clock, _NO_UNSIGNED))
    payload = _BUFFER.pack(buffer.sequence, buffer.flags, *times, *spans)
    if buffer.offset is None and buffer.offset_end is None:
        return payload
    return payload + struct.pack(
        ">QQ", _or_none(buffer.offset, _NO_UNSIGNED), _or_none(buffer.offset_end, _NO_UNSIGNED)
    )


_CLOCK = struct.Struct(">QQqQHH")
_BUFFER = struct.Struct(">HHqqQQ")
_NO_SIGNED = -(2**63)
_NO_UNSIGNED = 2**64 - 1


def _or_none(number: int | None, none: int) -> int:
    return none if number is None else number


def _signed(number: int) -> int | None:
    return None if number == _NO_SIGNED else number


def _unsigned(number: int) -> int | None:
    return None if number == _NO_UNSIGNED else number


def _lines(payload: bytes) -> list[str]:
    lines = payload.decode().split("\n")
    if any(re.search(r"[\x00-\x1f\x7f-\x9f]", line.rstrip("\r")) for line in lines):
        raise ValueError(f"There is a control character in {lines}")
    return lines


def _values(lines: list[str]) -> dict[str, str]:
    return {key: value for key, space, value in (line.partition(" ") for line in lines) if space}


def _words(values: dict[str, str], key: str, known: str) -> frozenset[str]:
    return frozenset(values.get(key, "").split(" ")) & frozenset(known.split())


def _parse_hello(payload: bytes) -> Hello:
    first, *lines = _lines(payload)
    version = re.fullmatch(r"videosocket ([0-9]+)(\..*)?", first)
    if not version:
        raise ValueError(f"A hello does not begin with {first!r}")
    if int(version[1]) != VERSION:
        raise ValueError(f"Version {version[1]} of the records is not known here")
    values = _values(lines)
    needs = values.get("needs", "")
    if unknown := [letter for letter in needs if letter not in LENGTHS]:
        raise ValueError(f"The peer needs records {unknown[0]}, which are not known here")
    return Hello(values.get("agent"), needs, _words(values, "back", "keyframe qos navigation"))


def _parse_clock(payload: bytes) -> Clock:
    now, base_time, unix_offset, latency, flags, _ = _CLOCK.unpack_from(payload)
    if _NO_UNSIGNED in (now, base_time, latency):
        raise ValueError("A clock does not tell the time")
    is_paced, is_synchronised = bool(flags & 1), bool(flags & 2)
    clock_id = _lines(payload[_CLOCK.size :])[0]
    return Clock(now, base_time, _signed(unix_offset), latency, is_paced, is_synchronised, clock_id)


def _parse_start(payload: bytes) -> StreamStart:
    stream_id, *lines = _lines(payload)
    if not stream_id:
        raise ValueError("A stream has no id")
    values = _values(lines)
    group = int(values["group"]) if "group" in values else None
    if group is not None and not 0 <= group < 2**32:
        raise ValueError(f"A stream is not of group {group}")
    return StreamStart(stream_id, _words(values, "flags", "sparse select unselect"), group)


def _parse_caps(payload: bytes) -> Caps:
    return Caps(_text.checked(payload.decode()))


def _parse_tags(payload: bytes) -> Tags:
    scope, space, text = payload.decode().partition(" ")
    if scope not in ("s", "g") or not space or not text.startswith("taglist"):
        raise ValueError(f"{payload[:20]!r} are no tags")
    return Tags(scope, _text.checked(text))


def _parse_segment(payload: bytes) -> Segment:
    rate, applied_rate, stream_time = struct.unpack_from(">ddq", payload)
    if not all(math.isfinite(rate) and rate for rate in (rate, applied_rate)):
        raise ValueError("A segment has no rate")
    return Segment(rate, applied_rate, _signed(stream_time))


def _parse_buffer(payload: bytes) -> Buffer:
    sequence, bits, pts, dts, duration, clock = _BUFFER.unpack_from(payload)
    times = (_signed(pts), _signed(dts), _unsigned(duration), _unsigned(clock))
    offsets: tuple[int | None, ...] = (None, None)
    if len(payload) >= _BUFFER.size + 16:
        offsets = tuple(map(_unsigned, struct.unpack_from(">QQ", payload, _BUFFER.size)))
    return Buffer(sequence, Flags(bits & KNOWN_FLAGS), *times, *offsets)


def _parse_meta(payload: bytes) -> Meta:
    name, nul, data = payload.partition(b"\0")
    if not nul or not re.fullmatch(rb"[A-Za-z0-9:-]+", name):
        raise ValueError(f"{name[:80]!r} is no name of a meta")
    return Meta(name.decode(), data)


def _parse_gap(payload: bytes) -> Gap:
    time, duration = struct.unpack_from(">qQ", payload)
    if time == _NO_SIGNED:
        raise ValueError("A gap has no time")
    return Gap(time, _unsigned(duration))


def _parse_event(payload: bytes) -> Event:
    kind, space, text = payload.decode().partition(" ")
    if kind not in ("sticky", "downstream") or not space:
        raise ValueError(f"{kind[:80]!r} is no kind of event")
    return Event(kind == "sticky", _text.checked(text))


def _parse_upstream(payload: bytes) -> Keyframe | Qos | Navigation | Request:
    word, _, rest = payload.partition(b" ")
    if not word:
        raise ValueError("A request has no name")
    if word == b"keyframe":
        return _parse_keyframe(_lines(rest)[0].split(" "))
    if word == b"qos":
        return _parse_qos(_lines(rest)[0])
    if word == b"navigation":
        return Navigation(_text.checked(rest.decode()))
    return Request(payload)


def _parse_keyframe(words: list[str]) -> Keyframe:
    times = [word.partition("=")[2] for word in words if word.startswith("running-time=")]
    is_time = bool(times) and times[0].isascii() and times[0].isdigit() and int(times[0]) < _NO_UNSIGNED
    return Keyframe("all-headers=1" in words, int(times[0]) if is_time else None)


def _parse_qos(line: str) -> Qos:
    kind, proportion, difference, time, *_ = [*line.split(" "), "", "", "", ""]
    qos = Qos(kind, float(proportion), int(difference), int(time))
    is_possible = (
        kind in ("overflow", "underflow", "throttle")
        and 0 <= qos.proportion < math.inf
        and _NO_SIGNED < qos.difference < 2**63
        and 0 <= qos.time < _NO_UNSIGNED
        and 0 <= qos.time + qos.difference <= _NO_UNSIGNED
    )
    if not is_possible:
        raise ValueError(f"{line!r} is no quality of service")
    return qos


def _parse_probe(payload: bytes) -> Probe:
    if len(payload) < 24:
        return Probe(*struct.unpack_from(">q", payload))
    return Probe(*struct.unpack_from(">qqq", payload))


_PARSERS: dict[str, typing.Callable[[bytes], Record]] = {
    "H": _parse_hello,
    "K": _parse_clock,
    "I": _parse_start,
    "C": _parse_caps,
    "T": _parse_tags,
    "S": _parse_segment,
    "B": _parse_buffer,
    "M": _parse_meta,
    "G": _parse_gap,
    "X": _parse_event,
    "E": lambda payload: End(),
    "U": _parse_upstream,
    "P": _parse_probe,
}
