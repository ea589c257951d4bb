"""
JSON text to a tree with places.

RFC 8259 to the letter, with two bounds of our own (depth, digits), and a key
given twice is a mistake.  The standard library's reader is not used because it
tells no places and lets later keys win.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any

from .document import MAX_DEPTH, Mark, Node, readable
from .errors import Problem

__all__ = ["read"]

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"true|false|null")
#: More digits than this are not a number that any option could take.
_MAX_DIGITS = 400


class _Broken(Exception):
    """
    The text is not JSON from here on.

    @ivar at: The index of the character.
    @ivar what: What was wrong.
    """

    def __init__(self, at: int, what: str) -> None:
        super().__init__(at, what)
        self.at = at
        self.what = what


class _Reader:
    """
    Reads one text, once.
    """

    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        self._text = text
        self._file = file
        self._problems = problems
        self._path: list[str | int] = []
        self._decoder = JSONDecoder()
        self._counted = 0
        self._line = 1
        self._lineStart = 0

    def mark(self, at: int) -> Mark:
        """
        Where a character stands.

        @param at: Its index; asked in ascending order this costs little.
        """
        if at < self._counted:
            before = self._text[:at]
            return Mark(self._file, before.count("\n") + 1, at - before.rfind("\n"))
        lines = self._text.count("\n", self._counted, at)
        if lines:
            self._line += lines
            self._lineStart = self._text.rindex("\n", self._counted, at) + 1
        self._counted = at
        return Mark(self._file, self._line, at - self._lineStart + 1)

    def whole(self) -> Node:
        """
        The one value that the text is.

        @raise _Broken: It is not.
        """
        node, at = self._value(self._skip(0), 0)
        at = self._skip(at)
        if at != len(self._text):
            raise _Broken(at, "nothing may follow the end of the value")
        return node

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        assert found is not None
        return found.end()

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        first = self._text[at : at + 1]
        if first in ("{", "["):
            if depth >= MAX_DEPTH:
                raise _Broken(at, f"lists and objects nest more than {MAX_DEPTH} deep here")
            return self._object(at, depth + 1) if first == "{" else self._list(at, depth + 1)
        mark = self.mark(at)
        if first == '"':
            text, end = self._string(at)
            return Node(text, mark), end
        word = _WORD.match(self._text, at)
        if word is not None:
            return Node(_WORDS[word[0]], mark), word.end()
        number = _NUMBER.match(self._text, at)
        if number is not None:
            return Node(self._number(number), mark), number.end()
        raise _Broken(at, "a value was expected" if first else "the text ends too early")

    def _number(self, found: re.Match[str]) -> Any:
        if len(found[0]) > _MAX_DIGITS:
            raise _Broken(found.start(), "the number that begins here has too many digits")
        return int(found[0]) if found[1] is None and found[2] is None else float(found[0])

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = self._decoder.raw_decode(self._text, at)
            text.encode("utf-8")
            return text, end
        except UnicodeEncodeError as why:
            raise _Broken(at, "the string that begins here has half of a surrogate pair") from why
        except JSONDecodeError as why:
            raise _Broken(why.pos, why.msg[:1].lower() + why.msg[1:].removesuffix(" at")) from why

    def _list(self, at: int, depth: int) -> tuple[Node, int]:
        items: list[Node] = []
        node = Node(items, self.mark(at))
        at = self._skip(at + 1)
        if self._text.startswith("]", at):
            return node, at + 1
        while True:
            self._path.append(len(items))
            item, at = self._value(at, depth)
            self._path.pop()
            items.append(item)
            at = self._skip(at)
            if self._text.startswith("]", at):
                return node, at + 1
            if not self._text.startswith(",", at):
                raise _Broken(at, "a comma or ] was expected")
            at = self._skip(at + 1)

    def _object(self, at: int, depth: int) -> tuple[Node, int]:
        node = Node({}, self.mark(at))
        at = self._skip(at + 1)
        if self._text.startswith("}", at):
            return node, at + 1
        while True:
            at = self._member(node, at, depth)
            if self._text.startswith("}", at):
                return node, at + 1
            if not self._text.startswith(",", at):
                raise _Broken(at, "a comma or } was expected")
            at = self._skip(at + 1)

    def _member(self, node: Node, at: int, depth: int) -> int:
        if not self._text.startswith('"', at):
            raise _Broken(at, "a key in double quotes was expected")
        mark = self.mark(at)
        key, at = self._string(at)
        at = self._skip(at)
        if not self._text.startswith(":", at):
            raise _Broken(at, "a colon was expected")
        self._path.append(key)
        child, at = self._value(self._skip(at + 1), depth)
        path = readable(self._path)
        self._path.pop()
        if key in node.value:
            first = node.keys[key].line
            self._problems.append(mark.problem(path, f"is given twice: first in line {first}"))
        else:
            node.value[key] = child
            node.keys[key] = mark
        return self._skip(at)


def read(text: str, file: str, problems: list[Problem]) -> Node | None:
    """
    Read a text.

    @param text: The whole of it.
    @param file: For the marks.
    @param problems: What is wrong is added here.
    @return: The tree; L{None} when the text is empty or not JSON.
    """
    if not text.strip():
        return None
    reader = _Reader(text, file, problems)
    try:
        return reader.whole()
    except _Broken as why:
        problems.append(reader.mark(why.at).problem("", f"not valid JSON: {why.what}"))
        return None
