"""
Whether something can be imported, as far as that can be said without importing it.

A configuration is read by whoever starts the proxy, often root, and no code is to run then
that belongs to somebody else.  So modules are looked for, and their text is read; what only
running them would tell is told when the data path imports them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder

__all__ = ["importProblem"]


def importProblem(name: str, directories: Sequence[str]) -> str | None:
    """
    Why something cannot be imported.

    @param name: C{package.module:attribute}.
    @param directories: Where modules are looked for before others.
    @return: The end of a sentence that begins with the name, or L{None}.
    """
    module, _, attribute = name.partition(":")
    known = sys.modules.get(module)
    if known is not None:
        # It will not be imported again, whatever is on the disk by now.
        isThere = hasattr(known, attribute.partition(".")[0])
        return None if isThere else f"cannot be imported: there is no such thing in {module}"
    path: Sequence[str] | None = directories
    spec: ModuleSpec | None = None
    found = ""
    for part in module.split("."):
        found = f"{found}.{part}" if found else part
        if path is None:
            return f"cannot be imported: {found.rpartition('.')[0]} is no package"
        spec = _spec(found, path)
        if spec is None:
            return f"cannot be imported: there is no module {found}; python_path says where else to look"
        locations = spec.submodule_search_locations
        path = None if locations is None else list(locations)
    first = attribute.partition(".")[0]
    if spec is not None and not _mayHave(spec, first):
        return f"cannot be imported: there is no {first} in {spec.origin}"
    return None


def _spec(name: str, path: Sequence[str]) -> ModuleSpec | None:
    found = PathFinder.find_spec(name, path)
    if found is None and "." not in name:
        # As the interpreter does it, with whatever else knows of modules, such as editable installs.
        finders = (each.find_spec(name, None) for each in sys.meta_path)
        found = next((each for each in finders if each is not None), None)
    return found


def _mayHave(spec: ModuleSpec, name: str) -> bool:
    """
    @return: False only when the text of a module has no such name anywhere that counts.
    """
    if spec.origin is None or not spec.origin.endswith(".py"):
        return True
    try:
        with open(spec.origin, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        # Whoever imports it will say it better.
        return True
    names = set(_names(tree))
    return bool(names & {name, "*", "__getattr__", "globals"})


def _names(tree: ast.AST) -> Iterator[str]:
    """
    What is bound in the outermost scope, and C{globals} where that is in use.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            for below in ast.walk(node):
                if isinstance(below, ast.Global):
                    yield from below.names
            continue
        if isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store) or node.id == "globals":
                yield node.id
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        yield from _names(node)
