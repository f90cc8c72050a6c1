# SPDX-License-Identifier: MPL-2.0
"""Caps, tags and structures from a peer, looked through before GStreamer's parsers see them.

Those take hours over some texts of 250 bytes, and overflow their stack or complain over others. What is refused
here is what GStreamer never writes: see docs/PROTOCOL.md.

    Gst.Caps.from_string(text.checked(frame.caps))
"""

from __future__ import annotations

import re

MAX_DEPTH = 4
MAX_STRUCTURES = 2
MAX_ITEMS = 1024

NUMBERS = ("int", "uint", "int64", "uint64", "float", "double", "boolean")
TYPES = frozenset(
    [*NUMBERS, *("g" + name for name in NUMBERS)]
    + ["bitmask", "flagset", "GstVideoMultiviewFlagsSet", "buffer", "date", "datetime"]
    + ["string", "fraction", "structure", "GstCaps"]
)
STRUCTURES = ("structure", "GstCaps")

_TOKEN = re.compile(
    r'(?P<quotes>"(?:[^"\\]|\\.)*")|(?P<type>\([^)]*\))|(?P<word>[A-Za-z0-9_\-+/:.]+)|(?P<other>.)',
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})|\\(.)", re.DOTALL)
_CLOSING = {"[": "]", "{": "}", "<": ">"}
_OLD_NAMES = ("video/x-raw-", "audio/x-raw-")


def checked(text: str) -> str:
    """The same text. ValueError: GStreamer is not to be given it."""
    if "\0" in text:
        raise ValueError("A text with a NUL in it is refused")
    checker = _Checker()
    for token in _TOKEN.finditer(text):
        ends_structure = text[token.end() : token.end() + 1] in ("", "]")
        if token[0] == ";" and not ends_structure:
            raise ValueError("A text is refused, since something follows one of its semicolons")
        checker.take(str(token.lastgroup), token[0], token.start())
    checker.end()
    return text


class _Checker:
    def __init__(self) -> None:
        self.before = ""  # the last character but for spaces
        self.type = ""  # of the value that begins here
        # What closes each bracket, and the type of what is in it.
        self.open: list[tuple[str, str]] = []
        self.items = 0

    def take(self, kind: str, token: str, at: int) -> None:
        is_name = self._begins_name()
        if is_name and token != " " and not (token[0].isascii() and token[0].isalpha()):
            self._refuse("a name that begins with a letter is missing", at)
        if kind == "quotes":
            self._take_quotes(token, at)
        elif kind == "type":
            self._take_type(token[1:-1].strip(" \t\n\f\r"), at)
        elif kind == "word":
            self._take_word(token, at, is_name)
        elif token in _CLOSING:
            self._take_opening(token, at)
        elif token in _CLOSING.values():
            if not self.open or self.open.pop()[0] != token:
                self._refuse("the bracket closes none of its kind", at)
            self.type = ""
        else:
            self._take_other(token, at)
        if token != " ":
            self.before = token[-1]

    def end(self) -> None:
        if self.open or not self.before:
            raise ValueError("A text that is not whole is refused")

    def _begins_name(self) -> bool:
        is_in_list = bool(self.open) and self.open[-1][0] != "]"
        return self.before in ("", "[") or self.before == "," and not is_in_list

    def _take_quotes(self, token: str, at: int) -> None:
        if self.type != "string" or self.before not in tuple("){<,"):
            self._refuse("the quotes have no (string) before them", at)
        inside = token[1:-1].encode()
        unescaped = _ESCAPED.sub(
            lambda escape: bytes([int(escape[1], 8)]) if escape[1] else escape[2], inside
        )
        try:
            unescaped.decode()
        except UnicodeDecodeError:
            self._refuse("the quotes hold what is not UTF-8", at)
        if any(closing == "]" for closing, _ in self.open) and re.search(r"[\[\]]", token):
            self._refuse("the quotes hold a square bracket, inside a structure", at)

    def _take_type(self, name: str, at: int) -> None:
        if self.before not in tuple("={<,") or name not in TYPES:
            self._refuse("there is no such type here", at)
        self.type = name

    def _take_opening(self, token: str, at: int) -> None:
        if len(self.open) == MAX_DEPTH:
            self._refuse("the bracket is inside too many others", at)
        if token == "[":
            if self.type not in STRUCTURES:
                self._refuse("the [ has neither (structure) nor (GstCaps) before it", at)
            if [closing for closing, _ in self.open].count("]") == MAX_STRUCTURES:
                self._refuse("the structure is inside too many others", at)
        self.open.append((_CLOSING[token], self.type))
        if token == "[":
            self.type = ""

    def _take_other(self, token: str, at: int) -> None:
        if token in (",", "="):
            self.items += 1
            if self.items > MAX_ITEMS:
                self._refuse("there are too many fields and values", at)
            is_in_list = bool(self.open) and self.open[-1][0] != "]"
            self.type = self.open[-1][1] if is_in_list else ""
        elif token in ('"', "(", "\\") or token < " " or token == "\x7f":
            self._refuse(f"there is a {token!r} outside of quotes", at)

    def _take_word(self, word: str, at: int, is_name: bool) -> None:
        numbers = re.findall(r"\d+", word)
        is_large = any(len(digits) > 9 for digits in numbers)
        if self.type in STRUCTURES:
            self._refuse("the structure has no [ before it", at)
        if self.type == "buffer" and not re.fullmatch(r"[0-9A-Fa-f]+", word):
            self._refuse("the buffer is not hexadecimal", at)
        if is_large and (self.type == "fraction" or not self.type and "/" in word):
            self._refuse("the fraction is too large", at)
        if is_name and word.startswith(_OLD_NAMES):
            self._refuse("the name is one of GStreamer 0.10", at)

    def _refuse(self, why: str, at: int) -> None:
        raise ValueError(f"A text is refused, since at its character {at} {why}")
