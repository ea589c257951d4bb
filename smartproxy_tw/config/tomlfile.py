"""
TOML text to a tree with places.

The standard library says what the text means but not where things stand, so a
second, forgiving look over the same text finds the places.  It runs only over
text that the library has accepted; where it loses its way a part is placed at
what it is a part of.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Any

from .document import MAX_DEPTH, Mark, Node, Path
from .errors import Problem

__all__ = ["read"]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'''
    """(?:\\.|[^\\])*?"{3,5}      # a basic string of several lines; two quotes may precede its end
    | \'{3}.*?\'{3,5}              # a literal one
    | "(?:\\.|[^"\\\n])*"
    | \'[^'\n]*\'
    ''',
    re.DOTALL | re.VERBOSE,
)
_OTHER = re.compile(r"[^,\]}#\n]+")
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class _Lost(Exception):
    """
    The text is not what it was thought to be.
    """


class _Scout:
    """
    Finds where keys and values stand in one text.

    @ivar keys: The index of the first character of the key that ends a path.
    @ivar values: That of the value at a path.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._counts: dict[Path, int] = {}
        self.keys: dict[Path, int] = {}
        self.values: dict[Path, int] = {}

    def look(self) -> None:
        """
        Look over the whole text.

        @raise _Lost: The text cannot be followed to its end; what was found
            until there is right.
        """
        table: Path = ()
        at = self._skip(0)
        while at < len(self._text):
            if self._text.startswith("[", at):
                table, at = self._header(at)
            else:
                at = self._pair(table, at)
            at = self._skip(at)

    def _skip(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found is not None else at

    def _header(self, at: int) -> tuple[Path, int]:
        """
        C{[table]} or C{[[one of several]]}.
        """
        brackets = 2 if self._text.startswith("[[", at) else 1
        begin = self._skip(at + brackets)
        parts, end = self._key(begin)
        path: Path = ()
        for index, part in enumerate(parts):
            path += (part,)
            self.keys.setdefault(path, begin)
            self.values.setdefault(path, at)
            isLast = index == len(parts) - 1
            if isLast and brackets == 2:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path += (self._counts[path],)
                self.values.setdefault(path, at)
        return path, self._expect("]" * brackets, end)

    def _pair(self, table: Path, at: int) -> int:
        """
        C{key = value}.
        """
        parts, end = self._key(at)
        path = table
        for part in parts:
            path += (part,)
            self.keys.setdefault(path, at)
            self.values.setdefault(path, at)
        return self._value(path, self._skip(self._expect("=", end)))

    def _key(self, at: int) -> tuple[list[str], int]:
        parts = []
        while True:
            found = _BARE.match(self._text, at)
            if found is not None:
                parts.append(found[0])
            else:
                found = _STRING.match(self._text, at)
                if found is None:
                    raise _Lost
                parts.append(tomllib.loads(f"key = {found[0]}")["key"])
            at = self._skip(found.end())
            if not self._text.startswith(".", at):
                return parts, at
            at = self._skip(at + 1)

    def _value(self, path: Path, at: int) -> int:
        self.values[path] = at
        if self._text.startswith("[", at):
            return self._list(path, at)
        if self._text.startswith("{", at):
            return self._table(path, at)
        found = _STRING.match(self._text, at) or _OTHER.match(self._text, at)
        if found is None:
            raise _Lost
        return found.end()

    def _list(self, path: Path, at: int) -> int:
        at = self._skip(at + 1)
        index = 0
        while not self._text.startswith("]", at):
            at = self._skip(self._value((*path, index), at))
            index += 1
            if self._text.startswith(",", at):
                at = self._skip(at + 1)
            elif not self._text.startswith("]", at):
                raise _Lost
        return at + 1

    def _table(self, path: Path, at: int) -> int:
        at = self._skip(at + 1)
        while not self._text.startswith("}", at):
            at = self._skip(self._pair(path, at))
            if self._text.startswith(",", at):
                at = self._skip(at + 1)
            elif not self._text.startswith("}", at):
                raise _Lost
        return at + 1

    def _expect(self, what: str, at: int) -> int:
        at = self._skip(at)
        if not self._text.startswith(what, at):
            raise _Lost
        return at + len(what)


class _Builder:
    """
    Joins what a text means with where it stands.
    """

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._scout = _Scout(text)
        self._lineStarts = [0, *(found.end() for found in re.finditer("\n", text))]

    def build(self, value: dict[str, Any]) -> Node:
        """
        @param value: What the library made of the text.
        @return: The tree.
        """
        try:
            self._scout.look()
        except (_Lost, tomllib.TOMLDecodeError):
            pass  # The parts after that are placed at what they are parts of.
        return self._node(value, (), Mark(self._file, 1, 1))

    def _mark(self, at: int | None, otherwise: Mark) -> Mark:
        if at is None:
            return otherwise
        line = bisect_right(self._lineStarts, at)
        return Mark(self._file, line, at - self._lineStarts[line - 1] + 1)

    def _node(self, value: Any, path: Path, above: Mark) -> Node:
        mark = self._mark(self._scout.values.get(path), above)
        if isinstance(value, list):
            return Node([self._node(item, (*path, index), mark) for index, item in enumerate(value)], mark)
        if not isinstance(value, dict):
            return Node(value, mark)
        node = Node({}, mark)
        for key, child in value.items():
            below = (*path, key)
            node.keys[key] = self._mark(self._scout.keys.get(below), mark)
            node.value[key] = self._node(child, below, node.keys[key])
        return node


def _isDeep(value: Any) -> bool:
    """
    Whether lists and tables nest beyond the bound.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        parts: list[Any] = []
        for item in level:
            parts.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        if not parts:
            return False
        level = parts
    return True


def _syntax(why: ValueError, text: str, file: str) -> Problem:
    """
    What the library had to say, with its place.
    """
    said = str(why)
    found = _WHERE.search(said)
    if found is None:
        return Mark(file).problem("", f"not valid TOML: {said}")
    said = said[: found.start()]
    if found[1] is not None:
        mark = Mark(file, int(found[1]), int(found[2]))
    else:
        lines = text.rstrip("\n").split("\n")
        mark = Mark(file, len(lines), len(lines[-1]) + 1)
    return mark.problem("", f"not valid TOML: {said[:1].lower()}{said[1:]}")


def read(text: str, file: str, problems: list[Problem]) -> Node | None:
    """
    Read a text.

    @param text: The whole of it.
    @param file: For the marks.
    @param problems: What is wrong is added here.
    @return: The tree; L{None} when the text is empty or not TOML.
    """
    text = text.replace("\r\n", "\n")
    tooDeep = Mark(file).problem("", f"tables and arrays nest more than {MAX_DEPTH} deep")
    try:
        value = tomllib.loads(text)
    except RecursionError:
        problems.append(tooDeep)
        return None
    except tomllib.TOMLDecodeError as why:
        problems.append(_syntax(why, text, file))
        return None
    except ValueError:
        # Python's own bound on the digits of a number.
        problems.append(Mark(file).problem("", "not valid TOML: a number has too many digits"))
        return None
    if _isDeep(value):
        problems.append(tooDeep)
        return None
    return _Builder(text, file).build(value) if value else None
