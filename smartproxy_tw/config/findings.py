"""
The mistakes found in one configuration, each placed in its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .document import FromEnvironment, Mark, Node, Path, find, readable
from .errors import Problem
from .expressions import isSecret

__all__ = ["Findings", "quote", "refusal"]

_LONGEST = 60

_PASSWORD = re.compile(r"(//[^/@\s:]*:)[^/@\s]*@")
#: Options whose text is for nobody's eyes: secrets, and what was to be users with their passwords.
_SECRETS = frozenset(("secret", "hmackey", "keysecret", "basicauth", "users"))
#: Where names are the user's own, and may be those of secrets.
_NAMED = frozenset(("headers", "query"))


def _isHidden(path: Path) -> bool:
    """
    Whether what stands at a path may be a secret.
    """
    keys = [key.lower().replace("_", "") for key in path if isinstance(key, str)]
    if not keys:
        return False
    if keys[-1] in _SECRETS or keys[-2:] == ["admin", "token"] or keys[-2:-1] == ["users"]:
        return True
    return not _NAMED.isdisjoint(keys[:-1]) and isSecret(keys[-1])


def quote(node: Node, path: Path = ()) -> str:
    """
    What was written, for a message: text as in the file, variables not filled
    in, nothing long, and no secrets: what is wrong with a file is logged.

    @param node: The part in question.
    @param path: Where it stands, if that may make it a secret.
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
    if isinstance(value, str) and _isHidden(path):
        return "this value"
    text = _PASSWORD.sub(r"\1...@", value.written if isinstance(value, FromEnvironment) else str(value))
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return f"'{text}'" if isinstance(value, str) else text


def refusal(node: Node, path: Path, why: str) -> str:
    """
    The sentence that something cannot be accepted.

    @param node: What.
    @param path: Where it stands.
    @param why: The end of the sentence.
    """
    if isinstance(node.value, str) and _isHidden(path) and node.value.strip("/") in why:
        # Libraries quote what they do not understand, last.
        why = why.rpartition(": ")[0]
    return f"{quote(node, path)} {why}"


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
        self.add(path, f"'{path[-1]}' {why}" if atKey else refusal(node, path, why), atKey)

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
