"""
What of dns-lexicon is there: its providers, and which options each takes.

That is read from its files as text.  Nothing of the library is imported: that would
take a fifth of a second and thirty libraries, in a process that never uses them.  Where
it is laid out otherwise than is known here, nothing is said, and whoever runs it will
be told by the library itself.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from importlib.util import find_spec

__all__ = ["isSecret", "isThere", "missingFor", "optionsOf", "providers"]

#: What the names of options have that nobody else is to know, and what those have that
#: only look so.
_SECRET = re.compile("token|secret|pass|psw|key|credential|service_account|2fa")
_OPEN = re.compile("_(id|file|is_global)$")

#: Looks at the name servers of a domain for who has it: it would not be known here
#: which options it takes, and a guess is nothing to rely on.
_GUESSES = "auto"


def isThere() -> bool:
    """
    Whether the library is installed.
    """
    return find_spec("lexicon") is not None


def isSecret(option: str) -> bool:
    """
    Whether the value of an option is for nobody's eyes, by its name.
    """
    return bool(_SECRET.search(option)) and not _OPEN.search(option)


def providers() -> tuple[str, ...]:
    """
    Those that the library knows; empty: it cannot be said.
    """
    directory = _directory()
    if directory is None:
        return ()
    names = (name.removesuffix(".py") for name in os.listdir(directory) if name.endswith(".py"))
    return tuple(
        sorted(each for each in names if not each.startswith("_") and each not in (_GUESSES, "base"))
    )


def optionsOf(provider: str) -> tuple[str, ...]:
    """
    The options of one, as they are written here; empty: it cannot be said.

    @param provider: One of L{providers}.
    """
    directory = _directory()
    if directory is None:
        return ()
    try:
        with open(os.path.join(directory, f"{provider}.py"), encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, ValueError, SyntaxError):
        return ()
    return tuple(sorted(set(_arguments(tree))))


def missingFor(provider: str) -> bool:
    """
    Whether a provider needs libraries beyond the library's own that are not there.

    @param provider: One of L{providers}.
    """
    try:
        required = Distribution.from_name("dns-lexicon").requires or []
    except PackageNotFoundError:
        return False
    wanted = re.compile(rf"([\w.-]+).*;\s*extra\s*==\s*[\"']{re.escape(provider)}[\"']")
    return not all(_isInstalled(found[1]) for each in required if (found := wanted.match(each)))


def _directory() -> str | None:
    found = find_spec("lexicon")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        directory = os.path.join(place, "_private", "providers")
        if os.path.isdir(directory):
            return directory
    return None


def _arguments(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        name = node.args[0]
        if node.func.attr == "add_argument" and isinstance(name, ast.Constant):
            yield str(name.value).lstrip("-").replace("-", "_")


def _isInstalled(distribution: str) -> bool:
    try:
        Distribution.from_name(distribution)
    except PackageNotFoundError:
        return False
    return True
