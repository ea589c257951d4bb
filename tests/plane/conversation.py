"""
Conversations over HTTP/1 with one port, one origin and one route for everything:
what the tests of sessions, exchanges, links and doors have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from smartproxy_tw.config.model import Forward, Respond, Route
from smartproxy_tw.interfaces import IAction, IExchange, IStream

from .harness import Origin, Peer, PlaneTests

__all__ = ["GET", "HELLO", "DeedTests", "Doing", "SessionTests", "alive", "status"]

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def alive(case: PlaneTests) -> list[Any]:
    """
    The client connections of the plane.
    """
    return list(case.plane.engine._alive)


def status(head: bytes) -> int:
    """
    The status of an answer.
    """
    return int(head[9:12])


class SessionTests(PlaneTests):
    """
    One port, one origin, one route for everything.
    """

    async def begin(self, *more: Route, protocol: Any = "http", **others: Any) -> tuple[int, Origin]:
        """
        @param more: Further routes, whose port is put right.
        """
        port = await self.port()
        origin = self.origin()
        routes = [
            Route(route.name, (port,), route.action, route.protocol, route.domains, route.path)
            for route in more
        ]
        await self.use(*routes, Route("all", (port,), Forward((origin.target,)), "http"), **others)
        return port, origin

    async def exchange(
        self, client: Peer, request: bytes = GET, *, head: bool = False
    ) -> tuple[bytes, bytes]:
        """
        Ask, and read the answer.
        """
        client.sends(request)
        return await client.message(not head)


@implementer(IAction)
class Doing:
    """
    An action that does what a test says.
    """

    def __init__(self, deed: Callable[[Any], object]) -> None:
        self._deed = deed

    def request(self, exchange: IExchange) -> None:
        """Do it."""
        self._deed(exchange)

    def stream(self, stream: IStream) -> None:
        """Do it."""
        self._deed(stream)


class DeedTests(PlaneTests):
    """
    A route with an action of the test's own.
    """

    async def begin(self, deed: Callable[[Any], object], **others: Any) -> int:
        """
        The port of that route; everything with a path of C{/fine} is answered.
        """
        port = await self.port()
        await self.use(
            Route("own", (port,), Respond(), "http"),
            Route("fine", (port,), Respond(body="fine"), "http", path="/fine"),
            **others,
        )
        self.does("own", deed)
        return port

    def does(self, route: str, deed: Callable[[Any], object]) -> None:
        """
        Have a route do something.
        """
        for entrance in self.plane.engine._entrances.values():
            entrance.actions[route] = Doing(deed)
