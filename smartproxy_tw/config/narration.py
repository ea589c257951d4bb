"""
What a route changes of requests and answers, in words for people: for C{smartproxy check} and
C{smartproxy explain}.
"""

from __future__ import annotations

from collections.abc import Iterator

from .lasting import NEVER
from .model import Route
from .revision import Compress, ErrorPage, FieldChanges, Rewrite

__all__ = ["revised"]


def revised(route: Route) -> Iterator[tuple[str, str]]:
    """
    @return: Pairs of a word and a text, in the order in which things happen.
    """
    if route.rewrite is not None:
        yield "rewrites", "; ".join(_rewrite(route.rewrite))
    if route.headers is not None:
        if route.headers.request:
            yield "requests", "; ".join(_changes(route.headers.request))
        if route.headers.response:
            yield "answers", "; ".join(_changes(route.headers.response))
    if route.errorPages:
        yield "error pages", ", ".join(map(_page, route.errorPages))
    if route.compress is not None:
        yield "compresses", _compress(route.compress)
    waits = list(_waits(route))
    if waits:
        yield "waits", "; ".join(waits)


def _waits(route: Route) -> Iterator[str]:
    for whose, each in (("", route.timeouts), (" of WebSockets", route.webSocket)):
        if each is not None and each.idle is not None:
            yield f"idle{whose} {'for ever' if each.idle == NEVER else f'for {each.idle:g} s'}"
        if each is not None and each.lifetime is not None:
            yield f"lifetime{whose or ' of tunnels'} {each.lifetime:g} s"
    if route.timeouts is not None and route.timeouts.connect is not None:
        yield f"connections to targets {route.timeouts.connect:g} s"


def _rewrite(settings: Rewrite) -> Iterator[str]:
    if settings.stripPrefix:
        yield f"strips {settings.stripPrefix}"
    if settings.replacePath:
        yield f"asks for {settings.replacePath}"
    for rule in settings.regex:
        yield f"/{rule.match}/ becomes {rule.to}"
    if settings.addPrefix:
        yield f"adds {settings.addPrefix}"
    gone = settings.queryRemove
    if gone:
        yield f"query without {', '.join(gone)}"
    if settings.querySet:
        yield f"query with {', '.join(name for name, _ in settings.querySet)}"
    if settings.mapsLocation:
        yield "Location mapped back"


def _changes(changes: FieldChanges) -> Iterator[str]:
    """
    Their values are left out: they may be secret.
    """
    if changes.remove:
        yield f"without {', '.join(changes.remove)}"
    for verb, fields in (("sets", changes.set), ("adds", changes.add)):
        if fields:
            yield f"{verb} {', '.join(dict.fromkeys(name for name, _ in fields))}"


def _page(page: ErrorPage) -> str:
    return page.status + (" (of targets too)" if page.isForAll else "")


def _compress(settings: Compress) -> str:
    least = f" of {settings.minBytes} bytes or more" if settings.minBytes else ""
    return f"answers{least} by {', '.join(settings.encodings)}, level {settings.level}"
