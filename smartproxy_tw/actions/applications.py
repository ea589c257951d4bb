"""
Python code that routes are answered by, for as long as routes name it.

What several routes name in the same way is one thing, and it lives on when a configuration takes the
place of another that names it too.  Code is imported when a configuration is about to be used, so that
one whose code cannot be had changes nothing; it begins when the configuration is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory

    from ..config.application import Application

__all__ = ["ApplicationAction", "Applications", "Choice", "ProtocolApplication"]

_log = Logger()


class Running(Protocol):
    """
    What each kind of code comes to.
    """

    def begin(self) -> None:
        """
        Called once, before it is asked for anything.
        """

    def close(self) -> Deferred[None]:
        """
        Called once, when nothing more is asked of it; what is under way may end.

        @return: Fires when the process may end too.
        """

    def request(self, exchange: IExchange) -> None:
        """
        Take charge of a request.
        """


class ProtocolApplication:
    """
    A factory of protocols.
    """

    def __init__(self, factory: IProtocolFactory) -> None:
        """
        @param factory: Makes one for each connection.
        """
        self.factory = factory

    def begin(self) -> None:
        """
        It is told as if it were listened with.
        """
        self.factory.doStart()

    def close(self) -> Deferred[None]:
        """
        Likewise; connections that it has go on.
        """
        self.factory.doStop()
        return succeed(None)

    def request(self, exchange: IExchange) -> None:
        """
        Only streams can be served; the loader sees to it.
        """
        exchange.abort()


@implementer(IAction)
class ApplicationAction:
    """
    Hands requests, or streams, to code.
    """

    def __init__(self, running: Running) -> None:
        """
        @param running: That code.
        """
        self.running = running

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        self.running.request(exchange)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        if isinstance(self.running, ProtocolApplication):
            stream.serve(self.running.factory)
        else:
            stream.abort()


class Choice:
    """
    What one configuration names.
    """

    def __init__(self, applications: Applications, places: tuple[str, ...] = ()) -> None:
        self._applications = applications
        self._places = places
        self._chosen: dict[Application, Running] = {}

    def action(self, settings: Application) -> IAction:
        """
        @return: What hands on to it.
        @raise ValueError: It cannot be had.
        """
        running = self._chosen.get(settings) or self._applications.running.get(settings)
        if running is None:
            running = _made(settings, self._places, self._applications.reactor)
        self._chosen[settings] = running
        return ApplicationAction(running)

    def settle(self) -> Deferred[None]:
        """
        The configuration is in use: begin what is new, let go of what it does not name.

        @return: Fires when that has ended.
        """
        before, self._applications.running = self._applications.running, self._chosen
        for settings, running in self._chosen.items():
            if settings not in before:
                _guarded(settings, running.begin)
        gone = [(each, before[each]) for each in before if each not in self._chosen]
        endings = [maybeDeferred(_guarded, settings, running.close) for settings, running in gone]
        return gatherResults(endings).addCallback(lambda _: None)


class Applications:
    """
    All code of one data path.

    @ivar reactor: Of the data path.
    @ivar running: By what the configuration in use says of it.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.running: dict[Application, Running] = {}

    def choosing(self, places: tuple[str, ...] = ()) -> Choice:
        """
        For a configuration that is going to be used.

        @param places: Where modules are looked for too: C{pythonPath} of the configuration.
        """
        return Choice(self, places)

    def close(self) -> Deferred[None]:
        """
        Let go of all of it.

        @return: Fires when it has ended.
        """
        return Choice(self).settle()


def _guarded(settings: Application, deed: Callable[[], Deferred[None] | None]) -> Deferred[None] | None:
    try:
        return deed()
    except Exception:
        _log.failure("{name} failed to begin or to end", name=settings.factory)
        return None


def _made(settings: Application, places: tuple[str, ...], reactor: Any) -> Running:
    from .importing import imported

    found = imported(settings, places)
    if found.kind == "protocol":
        return ProtocolApplication(found.thing)
    if found.kind == "resource":
        from .resource import ResourceApplication

        return ResourceApplication(settings, found.thing, reactor)
    if found.kind == "wsgi":
        from .wsgi import WSGIApplication

        return WSGIApplication(settings, found.thing, reactor)
    from .asgi import ASGIApplication

    return ASGIApplication(settings, found.thing, reactor)
