"""
Environment variables in a configuration: a dollar sign and a name in braces,
perhaps with a default behind C{:-}, as in a shell.

They are filled in wherever the tree has text, keys included, so that a site can
be named by one.  A second dollar sign in front takes the meaning away; a dollar
sign without a brace never has one.  What was filled in is not looked at again and
is never quoted in a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .document import FromEnvironment, Node, readable
from .errors import Problem

__all__ = ["fill"]

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^}]*)(\}?)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.DOTALL)


class _Filler:
    """
    Fills in one tree.
    """

    def __init__(self, environ: Mapping[str, str], problems: list[Problem]) -> None:
        self._environ = environ
        self._problems = problems
        self._done: set[int] = set()

    def fill(self, node: Node, path: list[str | int]) -> None:
        """
        @param node: Changed in place.  Parts that aliases share come by more
            than once and are filled in once.
        @param path: The way to it.
        """
        if id(node) in self._done:
            return
        self._done.add(id(node))
        if isinstance(node.value, str):
            node.value = self._text(node.value, node, path)
        elif isinstance(node.value, list):
            for index, child in enumerate(node.value):
                self.fill(child, [*path, index])
        elif isinstance(node.value, dict):
            self._keys(node, path)
            for key, child in node.value.items():
                self.fill(child, [*path, key])

    def _keys(self, node: Node, path: list[str | int]) -> None:
        if not any("${" in key for key in node.value):
            return
        values, marks = node.value, node.keys
        node.value, node.keys = {}, {}
        for written, child in values.items():
            place = Node(None, marks[written])
            key = str(self._text(written, place, [*path, written]))
            if key in node.value:
                path = [*path, written]
                message = f"names the same as line {node.keys[key].line}, once its variables are filled in"
                self._problems.append(place.mark.problem(readable(path), message))
            else:
                node.value[key], node.keys[key] = child, marks[written]

    def _text(self, written: str, node: Node, path: list[str | int]) -> str:
        if "${" not in written:
            return written

        def replace(found: re.Match[str]) -> str:
            if found[1]:
                return "${"
            inside = _INSIDE.match(found[2])
            if inside is None or not found[3]:
                wrong(
                    "has a ${ that begins no variable: write ${NAME} or ${NAME:-default}, or $${ for itself"
                )
                return ""
            name, default = inside.groups()
            value = self._environ.get(name)
            if default is not None:
                return value or default
            if value is None:
                wrong(f"needs the environment variable {name}, which is not set")
                return ""
            return value

        def wrong(message: str) -> None:
            self._problems.append(node.mark.problem(readable(path), message))
            node.isReported = True

        return FromEnvironment(_REFERENCE.sub(replace, written), written)


def fill(root: Node, environ: Mapping[str, str], problems: list[Problem]) -> None:
    """
    Fill in every variable of a tree, in place.

    @param root: The tree.
    @param environ: The variables that are set.
    @param problems: What is wrong is added here.
    """
    _Filler(environ, problems).fill(root, [])
