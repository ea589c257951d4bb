"""
Gets what a dotted name means, by importing it.

That is done when a configuration is put to use, in the process that uses it, and
never while something is served.  A module is imported once in the life of a process:
what has changed in it since then is seen after an upgrade or a restart.  Whatever it
does while it is imported, it is an error of the configuration and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from traceback import extract_tb
from types import ModuleType
from typing import Any

from ..config.dotted import Callback, Reference

__all__ = ["found", "foundCallable", "place", "search"]


def search(places: Iterable[str]) -> None:
    """
    Look for modules in these directories too, for as long as the process lives, and after
    those that Python looks in by itself, so that none of them hides a module of the proxy's.

    @param places: Absolute paths.
    """
    for each in places:
        if each not in sys.path:
            sys.path.append(each)


def found(callback: Callback, places: Iterable[str] = ()) -> Any:
    """
    What is meant.

    @param callback: A name; or the thing itself, which is returned.
    @param places: Where to L{search} too, if it is a name.
    @raise ValueError: It cannot be had; the message is a sentence without its full stop.
    """
    if not isinstance(callback, Reference):
        return callback
    search(places)
    room, colon, _ = callback.name.partition(":")
    parts = callback.name.replace(":", ".").split(".")
    first = room.count(".") + 1 if colon else 1
    value: Any = _module(callback, ".".join(parts[:first]))
    for index, part in enumerate(parts[first:], first):
        if not colon and _isPackageWithout(value, part):
            try:
                value = _module(callback, ".".join(parts[: index + 1]))
                continue
            except _NotThere:
                pass
        try:
            value = getattr(value, part)
        except AttributeError:
            raise ValueError(
                f"{callback.name} is not there: {_missing(value, parts[:index], part)}"
            ) from None
        except Exception as why:
            raise ValueError(f"{callback.name} cannot be had: {place(why)}") from why
    return value


def foundCallable(callback: Callback, places: Iterable[str] = ()) -> Any:
    """
    The same, of what is to be called.

    @param places: As for L{found}.
    @raise ValueError: It cannot be called, either.
    """
    value = found(callback, places)
    if not callable(value):
        raise ValueError(f"{callback} cannot be called: it is {type(value).__name__}, not a function")
    return value


def place(why: BaseException) -> str:
    """
    An exception, and where it comes from, in a few words.
    """
    frames = extract_tb(why.__traceback__)
    where = f" (line {frames[-1].lineno} of {frames[-1].filename})" if frames else ""
    text = " ".join(str(why).split())[:200]
    return f"{type(why).__name__}{': ' if text else ''}{text}{where}"


class _NotThere(ValueError):
    """
    There is no such module, which for the first part of a name is the end of it.
    """


def _isPackageWithout(value: Any, part: str) -> bool:
    return isinstance(value, ModuleType) and hasattr(value, "__path__") and not hasattr(value, part)


def _module(callback: Reference, name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as why:
        if why.name is None or not (why.name == name or name.startswith(f"{why.name}.")):
            raise ValueError(f"{callback.name} cannot be imported: {place(why)}") from why
        raise _NotThere(
            f"{callback.name} cannot be imported: there is no module {name}, neither where Python looks"
            " by itself nor in python_path"
        ) from None
    except (Exception, SystemExit) as why:
        raise ValueError(f"{callback.name} cannot be imported: {place(why)}") from why


def _missing(value: Any, path: list[str], part: str) -> str:
    near = get_close_matches(part, [name for name in dir(value) if not name.startswith("_")], 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{'.'.join(path)} has no {part}{meant}"
