"""
How a running proxy is spoken to by whoever runs it: a unix socket for HTTP and JSON,
and a TCP port besides, if the configuration has one, for who has the token.

They are there when everything is served, and the first to go, but for the socket of a
process that another one has replaced: it stays until the end, under another name.  What of them cannot be
made costs nobody a request: the log says why, as an error, and the proxy goes on
without.  What it is for is looking after a proxy that serves, and one that does not
serve would be the greater harm.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from ..config.texts import bearerToken
from .berths import Berths
from .desk import Desk, Question, Reply
from .unixport import SocketRefused, UnixPort

if TYPE_CHECKING:
    from ..config.model import Admin as Settings
    from ..facts import Address
    from .conversation import Conversations
    from .guard import Guard

__all__ = ["Admin", "Party"]

#: Connections that wait to be accepted.
_BACKLOG = 64

#: The file of a token has no more characters than that.
_MOST = 4096


class Party(Protocol):
    """
    Who takes some of the questions.
    """

    def begin(self, desk: Desk) -> None:
        """
        Take them from now on.
        """

    def end(self) -> None:
        """
        Be done with whatever that needs.
        """


class _Door(ServerFactory):
    """
    Imports what speaks HTTP when somebody comes.
    """

    noisy = False

    def __init__(self, desk: Desk, clock: Any, guard: Guard | None = None) -> None:
        self._desk = desk
        self._clock = clock
        self._guard = guard
        self._conversations: Conversations | None = None

    def logPrefix(self) -> str:
        """
        What Twisted calls us where it logs that a port is bound.
        """
        return "admin"

    def buildProtocol(self, addr: Any) -> Any:
        if self._conversations is None:
            from .conversation import Conversations

            self._conversations = Conversations(self._desk, self._clock, self._guard)
        return self._conversations.buildProtocol(addr)

    def stop(self) -> None:
        if self._conversations is not None:
            self._conversations.stop()


class Admin:
    """
    Of one life of a proxy.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, settings: Settings, parties: Sequence[Party], berths: Berths | None = None
    ) -> None:
        """
        @param reactor: Reads, and tells the time.
        @param settings: Where.
        @param parties: Take the questions.
        @param berths: Listen by TCP; by default, the reactor does.
        """
        self._reactor = reactor
        self._berths = berths or Berths(reactor)
        self._settings = settings
        self._parties = parties
        self._desk = Desk()
        self._desk.take("GET", "/v1", self._greet)
        self._doors = [_Door(self._desk, reactor)]
        self._unix = UnixPort(reactor, settings.socket, self._doors[0])
        self._tcp: Any = None

    def open(self) -> None:
        """
        Be there.  Never fails: that it could not be is logged.
        """
        for each in self._parties:
            each.begin(self._desk)
        try:
            self._unix.open()
        except SocketRefused as why:
            self._log.error(
                "Nobody can speak to this proxy, which goes on without its admin socket: {why}",
                event="admin-refused",
                why=str(why),
            )
        else:
            self._log.info("Admin socket at {path}", event="admin-socket", path=self._unix.path)
        if self._settings.listen is not None:
            self._listen(self._settings.listen)

    async def giveWay(self) -> None:
        """
        Leave the place to another process: whoever wants to know how this one comes to its
        end finds it beside, by its number.
        """
        await self._closePort()
        if self._unix.stepAside():
            self._log.info(
                "Until the end this process is spoken to at {path}",
                event="admin-aside",
                path=self._unix.path,
            )

    async def close(self) -> None:
        """
        Be gone, and cancel what is being done for somebody.
        """
        self._unix.close()
        self._doors[0].stop()
        for each in self._parties:
            each.end()
        await self._closePort()

    async def _closePort(self) -> None:
        tcp, self._tcp = self._tcp, None
        for door in self._doors[1:]:
            door.stop()
        if tcp is not None:
            await maybeDeferred(tcp.stopListening)

    def _listen(self, where: Address) -> None:
        from .guard import Guard

        try:
            door = _Door(self._desk, self._reactor, Guard(self._token(), where))
            self._tcp = self._berths.listenTCP(where, door, _BACKLOG)
        except (CannotListenError, OSError, ValueError) as why:
            self._log.error(
                "Nobody can speak to this proxy at {address}, and it goes on without: {why}",
                event="admin-refused",
                address=where,
                why=str(why),
            )
            return
        self._doors.append(door)
        self._log.info("Admin port at {address}, for who has the token", event="admin-port", address=where)

    def _token(self) -> str:
        """
        @raise OSError: Its file cannot be read.
        @raise ValueError: There is none that can be used in it.
        """
        token, path = self._settings.token, self._settings.tokenFile
        if path is None:
            return bearerToken(token or "")
        with open(path, encoding="ascii", errors="replace") as file:
            found = file.read(_MOST)
        try:
            return bearerToken(found)
        except ValueError as why:
            raise ValueError(f"{path} {why}") from None

    async def _greet(self, question: Question) -> Reply:
        from .. import __version__

        question.only()
        return Reply({"version": __version__, "process": os.getpid(), "questions": self._desk.questions})
