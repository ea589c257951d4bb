"""
Imports what a configuration names, and finds out what it is.
"""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, cast

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory

from ..config.application import Application

__all__ = ["Imported", "imported"]

_KINDS = {
    "protocol": "a factory of protocols (IProtocolFactory)",
    "resource": "a resource (IResource)",
    "wsgi": "a WSGI application",
    "asgi": "an ASGI application",
}

Kind = Literal["protocol", "resource", "wsgi", "asgi"]


@dataclass(frozen=True, slots=True)
class Imported:
    """
    @ivar kind: What it is.
    @ivar thing: It.
    """

    kind: Kind
    thing: Any


def imported(settings: Application) -> Imported:
    """
    Import it.  Its module stays imported, and C{pythonPath} stays where modules are looked for,
    for as long as the process lives.

    @raise ValueError: It cannot be imported, or is something else.
    """
    name = settings.factory
    for directory in reversed(settings.pythonPath):
        if directory not in sys.path:
            sys.path.insert(0, directory)
    module, _, attribute = name.partition(":")
    try:
        thing: Any = import_module(module)
        for part in attribute.split("."):
            thing = getattr(thing, part)
    except AttributeError as why:
        raise ValueError(f"{name} cannot be imported: {why}") from why
    except (Exception, SystemExit) as why:
        # Whatever a module does when it is imported, this is not the end of the process.
        raise ValueError(f"{name} cannot be imported: {type(why).__name__}: {why}") from why
    if settings.arguments is not None:
        thing = _called(name, thing, json.loads(settings.arguments))
    return _recognised(name, thing, settings.kind)


def _called(name: str, thing: Any, arguments: dict[str, Any]) -> Any:
    try:
        return thing(**arguments)
    except (Exception, SystemExit) as why:
        # Not the values: secrets may be among them.
        told = ", ".join(sorted(arguments)) or "no arguments"
        what = f"{type(why).__name__}: {why}"
        raise ValueError(f"{name} failed when it was called with {told}: {what}") from why


def _recognised(name: str, thing: Any, kind: Kind | None) -> Imported:
    if kind == "protocol":
        if isinstance(thing, type) and IProtocol.implementedBy(thing):
            factory = Factory.forProtocol(cast(Any, thing))
            factory.noisy = False
            return Imported("protocol", factory)
        if isinstance(thing, type) and IProtocolFactory.implementedBy(thing):
            thing = _called(name, thing, {})
        if IProtocolFactory.providedBy(thing):
            return Imported("protocol", thing)
        raise _isNot(name, kind, thing)
    from twisted.web.resource import IResource

    if isinstance(thing, type) and IResource.implementedBy(thing):
        thing = _called(name, thing, {})
    if IResource.providedBy(thing):
        found: Kind | None = "resource"
    elif _isASGI(thing):
        found = "asgi"
    elif callable(thing) and not isinstance(thing, type):
        found = "wsgi"
    else:
        found = None
    # What is only a callable may be either kind of application; who says which is believed.
    if found is None or (kind not in (None, found) and (kind == "resource" or found == "resource")):
        raise _isNot(name, kind, thing)
    return Imported(kind or found, thing)


def _isNot(name: str, kind: Kind | None, thing: Any) -> ValueError:
    wanted = _KINDS[kind] if kind else "a resource or an application"
    isProtocol = IProtocolFactory.providedBy(thing) or (
        isinstance(thing, type) and (IProtocol.implementedBy(thing) or IProtocolFactory.implementedBy(thing))
    )
    hint = ": it needs kind: protocol" if kind is None and isProtocol else ""
    return ValueError(f"{name} is not {wanted} but {_described(thing)}{hint}")


def _described(thing: Any) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"of type {type(thing).__name__}"


def _isASGI(thing: Any) -> bool:
    if isinstance(thing, type):
        return False
    return inspect.iscoroutinefunction(thing) or inspect.iscoroutinefunction(getattr(thing, "__call__", None))  # noqa: B004
