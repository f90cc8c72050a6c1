# SPDX-License-Identifier: MPL-2.0
"""Raw pictures as NumPy arrays, in the layout of video/x-raw. Needs NumPy: pip install videosocket[numpy]

    layout = Layout.from_caps("video/x-raw,format=BGR,width=640,height=480")
    while True:
        picture = layout.array(connection.vreceive())      # picture.shape == (480, 640, 3)
        connection.vsend(layout.payload(255 - picture))
"""

from __future__ import annotations

import dataclasses
import re
import typing

import numpy

if typing.TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    Array = numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]

# The bytes of a pixel: how many channels, of which type.
FORMATS = {
    "BGR": (3, "u1"),
    "RGB": (3, "u1"),
    "BGRx": (4, "u1"),
    "RGBx": (4, "u1"),
    "BGRA": (4, "u1"),
    "RGBA": (4, "u1"),
    "GRAY8": (1, "u1"),
    "GRAY16_LE": (1, "<u2"),
    "GRAY16_BE": (1, ">u2"),
}

# GStreamer's rows begin at multiples of this.
ROW_ALIGNMENT = 4


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the bytes of a picture become an array of height x width x channels, or of height x width for one channel."""

    format: str
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"{self.format} is none of the formats that are known here: {known}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"A picture of {self.width}x{self.height} has no pixels")

    @classmethod
    def from_caps(cls, caps: str) -> Layout:
        """From caps as GStreamer writes them, as in Frame.caps."""
        kind, *fields = re.split(r"[,;]\s*", caps.strip())
        if kind.split("(")[0] != "video/x-raw":
            raise ValueError(f"{kind} is not video/x-raw")
        values = dict(_field(field) for field in fields if "=" in field)
        try:
            return cls(values["format"], int(values["width"]), int(values["height"]))
        except KeyError as error:
            raise ValueError(f"The caps do not tell the {error.args[0]}: {caps}") from None

    @classmethod
    def of(cls, picture: Array, format: str | None = None) -> Layout:
        """Of an array; as OpenCV has its pictures, unless a format is given."""
        channels = picture.shape[2] if picture.ndim == 3 else 1
        usual = {1: "GRAY8", 3: "BGR", 4: "BGRA"}.get(channels)
        if picture.ndim not in (2, 3) or usual is None:
            raise ValueError(f"An array of shape {picture.shape} is no picture")
        layout = cls(format or usual, picture.shape[1], picture.shape[0])
        layout._check(picture)
        return layout

    @property
    def caps(self) -> str:
        return f"video/x-raw,format={self.format},width={self.width},height={self.height}"

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return -(-self._row_len // ROW_ALIGNMENT) * ROW_ALIGNMENT

    @property
    def size(self) -> int:
        """Bytes of a picture."""
        return self.stride * self.height

    def array(self, payload: ReadableBuffer) -> Array:
        """A view of a frame, without a copy: of bytes it cannot be written to; copy() can."""
        frame = memoryview(payload).cast("B")
        if len(frame) != self.size:
            raise ValueError(f"{self.caps} takes {self.size} bytes, and the frame has {len(frame)}")
        kind = FORMATS[self.format][1]
        return numpy.ndarray(self._shape, kind, frame, strides=self._strides)

    def payload(self, picture: Array) -> bytes:
        """The frame of a picture."""
        self._check(picture)
        rows = numpy.zeros((self.height, self.stride), numpy.uint8)
        kind = FORMATS[self.format][1]
        pixels = numpy.ascontiguousarray(picture, kind).view(numpy.uint8)
        rows[:, : self._row_len] = pixels.reshape(self.height, self._row_len)
        return rows.tobytes()

    def _check(self, picture: Array) -> None:
        kind = numpy.dtype(FORMATS[self.format][1])
        if picture.shape != self._shape or picture.dtype.newbyteorder("=") != kind.newbyteorder("="):
            raise ValueError(
                f"{self.caps} is an array of shape {self._shape} of {kind.name}, "
                f"and this has shape {picture.shape} of {picture.dtype.name}"
            )

    @property
    def _row_len(self) -> int:
        channels, kind = FORMATS[self.format]
        return self.width * channels * numpy.dtype(kind).itemsize

    @property
    def _shape(self) -> tuple[int, ...]:
        channels = FORMATS[self.format][0]
        return (self.height, self.width) + ((channels,) if channels > 1 else ())

    @property
    def _strides(self) -> tuple[int, ...]:
        channels, kind = FORMATS[self.format]
        itemsize = numpy.dtype(kind).itemsize
        return (self.stride, channels * itemsize) + ((itemsize,) if channels > 1 else ())


def _field(text: str) -> tuple[str, str]:
    """A field of caps without its type: format=(string)BGR."""
    name, _, value = text.partition("=")
    return name.strip(), re.sub(r"^\(\w+\)\s*", "", value.strip()).strip('"')
