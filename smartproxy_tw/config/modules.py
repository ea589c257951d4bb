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
from difflib import get_close_matches
from importlib.machinery import ModuleSpec, PathFinder

__all__ = ["importProblem"]


def importProblem(name: str, directories: Sequence[str]) -> str | None:
    """
    Why something cannot be imported.

    @param name: As L{dotted<smartproxy_tw.config.dotted.dotted>} has it.
    @param directories: Where modules are looked for, after those where Python looks by itself.
    @return: The end of a sentence that begins with the name, or L{None}.
    """
    room, colon, attribute = name.partition(":")
    parts = room.split(".")
    spec: ModuleSpec | None = None
    depth = 0
    path: Sequence[str] | None = (*sys.path, *directories)
    while depth < len(parts):
        below = _spec(".".join(parts[: depth + 1]), path)
        if below is None:
            break
        spec, depth = below, depth + 1
        locations = spec.submodule_search_locations
        path = None if locations is None else list(locations)
    left = parts[depth:]
    if left and (colon or depth == 0 or (path is not None and len(left) > 1)):
        missing = ".".join(parts[: depth + 1])
        if path is None:
            return f"cannot be imported: {'.'.join(parts[:depth])} is no package"
        return f"cannot be imported: there is no module {missing}; python_path says where else to look"
    first = (attribute if colon else ".".join(left)).partition(".")[0]
    return _without(spec, first) if spec is not None and first else None


def _spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    known = sys.modules.get(name)
    if known is not None and known.__spec__ is not None:
        return known.__spec__
    if path is None:
        return None
    found = PathFinder.find_spec(name, path)
    if found is None and "." not in name:
        # As the interpreter does it, with whatever else knows of modules, such as editable installs.
        finders = (each.find_spec(name, None) for each in sys.meta_path)
        found = next((each for each in finders if each is not None), None)
    return found


def _without(spec: ModuleSpec, name: str) -> str | None:
    """
    Why a module cannot have such a name, by its text; or, where that has been imported already,
    by what it has.
    """
    known = sys.modules.get(spec.name)
    if known is not None:
        # It will not be imported again, whatever is on the disk by now.
        if hasattr(known, name):
            return None
        names = set(dir(known))
    elif spec.origin is None or not spec.origin.endswith(".py"):
        return None
    else:
        try:
            with open(spec.origin, "rb") as file:
                names = set(_names(ast.parse(file.read())))
        except SyntaxError as why:
            return f"cannot be imported: line {why.lineno} of {spec.origin} is no Python: {why.msg}"
        except (OSError, ValueError):
            # Whoever imports it will say it better.
            return None
        if names & {name, "*", "__getattr__", "globals"}:
            return None
    near = get_close_matches(name, [each for each in names if not each.startswith("_")], 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"cannot be imported: there is no {name} in {spec.origin or spec.name}{meant}"


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
