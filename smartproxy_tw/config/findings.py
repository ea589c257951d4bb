"""
The mistakes found in one configuration, each placed in its text.
"""

from __future__ import annotations

from collections.abc import Sequence

from .document import FromEnvironment, Mark, Node, Path, find, readable
from .errors import Problem

__all__ = ["Findings", "quote"]

_LONGEST = 60


def quote(node: Node) -> str:
    """
    What was written, for a message: text as in the file, variables not filled
    in, nothing long.

    @param node: The part in question.
    @return: A short phrase.
    """
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.written if isinstance(value, FromEnvironment) else str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return f"'{text}'" if isinstance(value, str) else text


class Findings:
    """
    Collects problems.

    @ivar problems: What was found until now, in the order it was found.
    @ivar root: The configuration.
    @ivar places: The paths that problems were found at.
    @ivar surplus: Those of them that only name what no option is: without
        them the rest is what it would be.
    """

    def __init__(self, root: Node, problems: list[Problem], routeNumbers: Sequence[int]) -> None:
        """
        @param root: The configuration.
        @param problems: What is wrong already; more is added here.
        @param routeNumbers: For each route its number in its own file.
        """
        self.root = root
        self.problems = problems
        self.places: list[Path] = []
        self.surplus: set[Path] = set()
        self._routeNumbers = routeNumbers

    def add(self, path: Path, message: str, atKey: bool = False) -> None:
        """
        Something is wrong.

        @param path: With what.
        @param message: What, and what to do.
        @param atKey: As for L{find}.
        """
        node, mark = find(self.root, path, atKey)
        self.places.append(path)
        node.isReported = True
        self.problems.append(mark.problem(self._shown(path), message))

    def refuse(self, path: Path, why: str, atKey: bool = False) -> None:
        """
        What was written cannot be accepted.

        @param path: Where it was written.
        @param why: The end of a sentence that begins with what was written.
        @param atKey: Whether the key is meant; then it is quoted.
        """
        node, _ = find(self.root, path, atKey)
        self.add(path, f"'{path[-1]}' {why}" if atKey else f"{quote(node)} {why}", atKey)

    def mark(self, path: Path) -> Mark:
        """
        Where something stands.

        @param path: Its path.
        """
        return find(self.root, path)[1]

    def _shown(self, path: Path) -> str:
        """
        The path as its own file has it: routes are counted in each file anew.
        """
        if len(path) > 1 and path[0] == "routes" and isinstance(path[1], int):
            if path[1] < len(self._routeNumbers):
                path = ("routes", self._routeNumbers[path[1]], *path[2:])
        return readable(path)
