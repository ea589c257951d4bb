"""
A configuration as a tree that remembers where each of its parts stands.

The readers of YAML, TOML and JSON make such trees; nobody after them needs to
know which of the three a configuration was written in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

from ..values import dataclass
from .errors import Problem

__all__ = [
    "FromEnvironment",
    "MAX_DEPTH",
    "MAX_NODES",
    "Mark",
    "Node",
    "Path",
    "camel",
    "find",
    "plain",
    "readable",
]

#: How deeply lists and mappings may nest.  The language itself needs ten.
MAX_DEPTH = 64
#: How many parts a configuration may have once its aliases are written out.
MAX_NODES = 2_000_000

#: The keys and indices that lead from the root of a tree to one of its parts.
Path = tuple[str | int, ...]


class FromEnvironment(str):
    """
    Text that an environment variable had a part in.  It may stand for a number
    or a claim, since the environment knows only text.

    @ivar written: The text as it stands in the file, to be quoted in messages
        in place of what may be a secret.
    """

    written: str

    def __new__(cls, value: str, written: str) -> FromEnvironment:
        """
        @param value: The text with its variables filled in.
        @param written: The text as it stands in the file.
        """
        made = super().__new__(cls, value)
        made.written = written
        return made


def _short(text: str, longest: int) -> str:
    """
    A key can be as long as a file, a message should not.
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A place in a text.

    @ivar file: As in L{Problem}.
    @ivar line: As in L{Problem}.
    @ivar column: As in L{Problem}.
    """

    file: str
    line: int = 0
    column: int = 0

    def problem(self, path: str, message: str) -> Problem:
        """
        Something is wrong here.

        @param path: The option.
        @param message: What is wrong.
        @return: The problem.
        """
        return Problem(self.file, self.line, self.column, _short(path, 200), _short(message, 600))


@dataclass(slots=True)
class Node:
    """
    One part of a configuration.

    @ivar value: A scalar, a list of nodes, or a dict from text to nodes.
    @ivar mark: Where it begins.
    @ivar keys: For a mapping, where each key stands.
    @ivar isReported: Whether a mistake in it has been told, so that its value
        is not worth another word.
    """

    value: Any
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    isReported: bool = False


def plain(node: Node) -> Any:
    """
    The same without places: dicts, lists and scalars.

    @param node: A tree no deeper than L{MAX_DEPTH}.
    @return: Its value.
    """
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return value


def camel(key: str) -> str:
    """
    The camelCase form of a key, which means the same option.

    @param key: In either form.
    @return: For instance C{stateDir}.
    """
    first, *others = key.split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


def _step(node: Node, part: str | int) -> str | int | None:
    """
    The key or index by which a part of a path is found in a node.
    """
    value = node.value
    if isinstance(value, dict) and isinstance(part, str):
        return part if part in value else camel(part) if camel(part) in value else None
    if isinstance(value, list) and isinstance(part, int):
        return part if part < len(value) else None
    return None


def find(root: Node, path: Sequence[str | int], atKey: bool = False) -> tuple[Node, Mark]:
    """
    Follow a path as far as it goes.

    @param root: Where it begins.
    @param path: The keys, in either form, and indices; the first that leads
        nowhere ends the search.
    @param atKey: Whether to point at the last key rather than at its value.
    @return: The part of the tree that was reached, and where to point when it
        is wrong: at a scalar itself, at the key of anything larger.
    """
    node, mark = root, root.mark
    for part in path:
        step = _step(node, part)
        if step is None:
            break
        key = node.keys.get(step) if isinstance(step, str) else None
        node = node.value[step]
        mark = node.mark
        if key is not None and (atKey or isinstance(node.value, (dict, list))):
            mark = key
    return node, mark


def readable(path: Iterable[str | int]) -> str:
    """
    A path as people write it.

    @param path: For instance C{("routes", 0, "match")}.
    @return: For instance C{routes[0].match}.
    """
    text = ""
    for part in path:
        if isinstance(part, int) or not part.isidentifier():
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
