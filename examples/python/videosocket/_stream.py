# SPDX-License-Identifier: MPL-2.0
"""What the records of a stream say together, to its receiver and from its sender."""

from __future__ import annotations

import collections.abc
import time
import typing

from . import records
from ._wire import frame_bytes
from .records import Flags

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HELLO = records.encode(records.Hello())


class Frame(typing.NamedTuple):
    """A frame, and what the stream says of it. Times are in nanoseconds; None is not known."""

    payload: bytes
    caps: str | None = None  # as GStreamer writes them
    pts: int | None = None  # running time
    dts: int | None = None  # running time
    duration: int | None = None
    flags: Flags = Flags(0)
    unix_time: int | None = None  # when it was made, since 1970
    lost: int = 0  # so many frames are missing before it
    tags: str | None = None  # of the stream, as GStreamer writes them
    metas: tuple[records.Meta, ...] = ()


class Listener:
    """What the records have said so far."""

    def __init__(self) -> None:
        self.ended = False
        self.back: frozenset[str] = frozenset()
        self._said_hello = self._is_described = False
        self._caps: str | None = None
        self._tags: dict[str, str] = {}
        self._sequence: int | None = None
        self._clock: records.Clock | None = None
        self._start: str | None = None
        self._buffer: records.Buffer | None = None
        self._metas: list[records.Meta] = []
        self._meta_bytes = 0

    def expects(self, letter: str, length: int) -> bool:
        """Whether a record is to be read rather than passed over."""
        if not self._said_hello and letter != "H":
            raise ValueError(f"A record {letter} has no place before H")
        if letter not in records.LENGTHS:
            return False
        if (letter == "M") != (self._buffer is not None):
            raise ValueError(f"A record {letter} has no place here")
        records.check_length(letter, length)
        if letter == "M":
            self._meta_bytes += length
            too_many = len(self._metas) == records.MAX_METAS
            if too_many or self._meta_bytes > records.MAX_META_BYTES:
                raise ValueError("A frame has too many metas")
        return True

    def take(self, letter: str, payload: bytes) -> None:
        record = records.parse(letter, payload)
        self._is_described |= letter in "KICB"
        if isinstance(record, records.Hello):
            self._said_hello = True
            self.back |= record.back
        elif isinstance(record, records.Clock):
            self._clock = record
        elif isinstance(record, records.StreamStart):
            if record.id != self._start:
                self._start = record.id
                self._tags.pop("s", None)
        elif isinstance(record, records.Caps):
            self._caps = record.text
        elif isinstance(record, records.Tags):
            self._tags[record.scope] = record.text
        elif isinstance(record, records.Buffer):
            self._buffer = record
        elif isinstance(record, records.Meta):
            self._metas.append(record)
        elif isinstance(record, records.End):
            self.ended = True

    def frame(self, payload: bytes) -> Frame:
        tags = self._tags.get("s", self._tags.get("g"))
        buffer, self._buffer = self._buffer, None
        metas, self._metas, self._meta_bytes = tuple(self._metas), [], 0
        if buffer is None:
            return Frame(payload, self._caps, tags=tags)
        lost = self._count_lost(buffer)
        flags = buffer.flags | Flags.DISCONT if lost else buffer.flags
        times = (buffer.pts, buffer.dts, buffer.duration)
        unix_time = self._unix_time(buffer.pts)
        return Frame(payload, self._caps, *times, flags, unix_time, lost, tags, metas)

    def _count_lost(self, buffer: records.Buffer) -> int:
        """The frames that the sender has dropped before this one."""
        before, is_first = self._sequence, self._sequence is None
        lost = 0 if before is None else (buffer.sequence - before - 1) % 65536
        has_no_times = buffer.pts is None and buffer.dts is None
        if Flags.HEADER in buffer.flags and has_no_times and (is_first or lost):
            return 0  # it is sent to whoever joins, and not of the count
        self._sequence = buffer.sequence
        return lost

    def _unix_time(self, pts: int | None) -> int | None:
        if self._clock is None or self._clock.unix_offset is None or pts is None:
            return None
        return self._clock.base_time + pts + self._clock.unix_offset

    def is_open(self) -> bool:
        """Whether the stream must go on."""
        return self._buffer is not None or self._is_described and not self.ended


class Teller:
    """What has been said of a stream that is sent."""

    def __init__(self) -> None:
        self._said_hello = self._is_described = False
        self._caps: str | None = None
        self._tags: str | None = None
        self._base_time = 0
        self._sequence = 0

    def hello(self) -> bytes:
        """Once: what comes before all records."""
        if self._said_hello:
            return b""
        self._said_hello = True
        return HELLO

    def frame(
        self,
        payload: ReadableBuffer,
        caps: str | None,
        pts: int | None,
        dts: int | None,
        duration: int | None,
        flags: Flags,
        tags: str | None,
    ) -> bytes:
        frame = frame_bytes(payload)
        now = time.monotonic_ns()
        base_time = self._base_time if self._is_described else now
        said: list[records.Record] = []
        if not self._is_described:
            said += self._start(now, is_paced=pts is None)
        if caps is not None and caps != self._caps:
            said.append(records.Caps(caps))
        if tags is not None and tags != self._tags:
            said.append(records.Tags("s", tags))
        pts = now - base_time if pts is None else pts
        said.append(records.Buffer(self._sequence, flags, pts, dts, duration, now))
        encoded = b"".join(map(records.encode, said))
        # Nothing of it was wrong, so it will be sent.
        self._is_described, self._base_time = True, base_time
        self._sequence = (self._sequence + 1) % 65536
        self._caps = self._caps if caps is None else caps
        self._tags = self._tags if tags is None else tags
        return b"".join((self.hello(), encoded, frame))

    def _start(self, now: int, is_paced: bool) -> collections.abc.Iterator[records.Record]:
        unix_offset = time.time_ns() - now
        yield records.Clock(now, now, unix_offset, is_paced=is_paced)
        yield records.StreamStart(f"videosocket.py/{unix_offset + now}")

    def end(self) -> bytes:
        """Once, if a stream has been described."""
        was_described, self._is_described = self._is_described, False
        return records.encode(records.End()) if was_described else b""
