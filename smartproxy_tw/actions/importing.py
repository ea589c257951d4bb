"""
Imports what a configuration names, and finds out what it is.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory

from ..config.dotted import Reference
from ..values import dataclass
from .dotted import found, place

if TYPE_CHECKING:
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


def imported(settings: Application, places: Sequence[str] = ()) -> Imported:
    """
    Import it.

    @param places: Where modules are looked for too, after C{pythonPath} of the settings.
    @raise ValueError: It cannot be imported, or is something else.
    """
    name = settings.factory
    thing = found(Reference(name), (*settings.pythonPath, *places))
    if settings.arguments is not None:
        thing = _called(name, thing, json.loads(settings.arguments))
    return _recognised(name, thing, settings.kind)


def _called(name: str, thing: Any, arguments: dict[str, Any]) -> Any:
    try:
        return thing(**arguments)
    except (Exception, SystemExit) as why:
        # Not the values: secrets may be among them.
        told = ", ".join(sorted(arguments)) or "no arguments"
        raise ValueError(f"{name} failed when it was called with {told}: {place(why)}") from why


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
    seems: Kind | None = None
    if IResource.providedBy(thing):
        seems = "resource"
    elif _isASGI(thing):
        seems = "asgi"
    elif callable(thing) and not isinstance(thing, type):
        seems = "wsgi"
    # What is only a callable may be either kind of application; who says which is believed.
    if seems is None or (kind not in (None, seems) and "resource" in (kind, seems)):
        raise _isNot(name, kind, thing)
    return Imported(kind or seems, thing)


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
