# SPDX-License-Identifier: MPL-2.0
"""Pickled NumPy arrays behind a struct length, as programs of many OpenCV tutorials send them, read safely.

pickle.loads() does whatever the sender says. Here a pickle is looked through first, and is refused unless it is
nothing but one array of numbers; no function of NumPy is called on its behalf, and none of it is memory that has
not come.

    for array in pickled.arrays(sock, "Q"):
        print(array.shape, array.dtype, len(array.data))     # array.numpy() with NumPy
"""

from __future__ import annotations

import collections.abc
import dataclasses
import io
import math
import pickle
import pickletools
import re
import socket
import struct
import typing

if typing.TYPE_CHECKING:
    import numpy

# What programs write in front of a pickle: the format of struct, as on 64-bit Linux and macOS.
HEADERS = {"Q": "<Q", "L": "<Q", "<L": "<L", ">L": ">L", "!Q": ">Q", ">Q": ">Q", "I": "<I", "!I": ">I", ">I": ">I"}

MAX_PICKLE_LEN = 99_999_999

# An array takes about forty.
MAX_OPCODES = 200

OPCODES = frozenset(
    """PROTO FRAME STOP GLOBAL STACK_GLOBAL REDUCE BUILD MARK TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE NONE NEWTRUE
    NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE
    SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 PUT BINPUT LONG_BINPUT MEMOIZE GET
    BINGET LONG_BINGET""".split()
)

# Truth values, numbers, and no objects: these would be addresses in memory.
NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c(8|16))")


@dataclasses.dataclass(frozen=True)
class Array:
    """An array of numbers: as it came, without NumPy."""

    shape: tuple[int, ...]
    dtype: str  # as NumPy writes it: "|u1"
    is_fortran: bool  # the first index varies fastest
    data: bytes

    def numpy(self) -> numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]:
        """The same for NumPy; it cannot be written to, and copy() can."""
        import numpy

        order: typing.Literal["F", "C"] = "F" if self.is_fortran else "C"
        return numpy.frombuffer(self.data, self.dtype).reshape(self.shape, order=order)


def loads(data: bytes) -> Array:
    """The array in a pickle. ValueError: it is something else, or more."""
    _look_through(data)
    try:
        array = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except ValueError:
        raise
    except Exception as error:  # what a pickle that is none makes of the unpickler
        raise ValueError(f"This is no pickled array: {error}") from error
    if not isinstance(array, _Pickled):
        raise ValueError(f"This is no pickled array but {type(array).__name__}")
    return array.checked()


def arrays(
    sock: socket.socket, header: str = "Q", max_len: int = MAX_PICKLE_LEN
) -> collections.abc.Iterator[Array]:
    """Iterates over the arrays that come up to the end of the stream.

    header: what the sender gives to struct.pack, see HEADERS. RuntimeError: the connection is
    broken. ValueError: this is no array.
    """
    form = struct.Struct(HEADERS.get(header, header))
    while (start := _receive(sock, form.size, may_end=True)) is not None:
        (length,) = form.unpack(start)
        if length > max_len:
            raise ValueError(f"A pickle of {length} bytes is longer than {max_len}")
        yield loads(_receive(sock, length) or b"")


def dumps(array: object, header: str = "Q") -> bytes:
    """An array of NumPy's as those programs expect it: for sendall()."""
    data = pickle.dumps(array, 4)
    return struct.pack(HEADERS.get(header, header), len(data)) + data


class _Pickled:
    """What an array says of itself."""

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def checked(self) -> Array:
        if not isinstance(self.state, tuple) or len(self.state) not in (4, 5):
            raise ValueError("This is an array without its contents")
        *_, shape, dtype, is_fortran, data = self.state
        if isinstance(data, str):  # of Python 2
            data = data.encode("latin1")
        if not isinstance(dtype, _Dtype) or not isinstance(data, (bytes, bytearray)):
            raise ValueError("This is no array of numbers")
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError("This is an array without a shape")
        array = Array(shape, dtype.checked(), bool(is_fortran), bytes(data))
        size = math.prod(shape) * int(re.sub(r"\D", "", array.dtype))
        if size != len(array.data):
            raise ValueError(f"An array of {size} bytes has come with {len(array.data)}")
        return array


class _Dtype:
    """The type of an array's numbers."""

    def __init__(self, name: object, *_: object) -> None:
        self.name = name
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def checked(self) -> str:
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "|"
        dtype = f"{order}{self.name}"
        if not NUMBERS.fullmatch(dtype):
            raise ValueError(f"This is an array of {dtype}, and those of numbers are read")
        return dtype


def _reconstruct(*_: object) -> _Pickled:
    return _Pickled()


def _frombuffer(data: object, dtype: object, shape: object, order: object) -> _Pickled:
    array = _Pickled()
    array.state = (shape, dtype, order == "F", data)
    return array


def _encode(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("This is no pickled array: its bytes are encoded in another way")
    return text.encode("latin1")


def _nothing(*arguments: object) -> bytes:
    if arguments:
        raise ValueError("This is no pickled array: its bytes are made in another way")
    return b""


# What an array is made of, in the words of any NumPy and Python.
GLOBALS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(module, "bytes"): _nothing for module in ("builtins", "__builtin__")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> typing.Any:
        try:
            return GLOBALS[module, name]
        except KeyError:
            raise ValueError(f"This is no pickled array: it asks for {module}.{name}") from None


def _look_through(data: bytes) -> None:
    """Refuses what no array needs, before any of it is done."""
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if opcode.name not in OPCODES:
                raise ValueError(f"it has {opcode.name} in it")
            if count >= MAX_OPCODES:
                raise ValueError("it is too long a program")
            # The unpickler would take memory for all numbers up to this one.
            if "PUT" in opcode.name and not 0 <= int(argument or 0) < MAX_OPCODES:
                raise ValueError("it remembers too much")
    except Exception as error:
        raise ValueError(f"This is no pickled array: {error}") from error


def _receive(sock: socket.socket, length: int, may_end: bool = False) -> bytes | None:
    """None: the peer has ended before the first byte, where it may."""
    pieces, left = [], length
    while left:
        try:
            piece = sock.recv(min(left, 65536))
        except ConnectionError as error:
            raise RuntimeError("Socket connection broken") from error
        if not piece and may_end and left == length:
            return None
        if not piece:
            raise RuntimeError("Socket connection broken")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
