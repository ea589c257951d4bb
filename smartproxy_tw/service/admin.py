"""
How a running proxy is spoken to by whoever runs it: a unix socket for HTTP and JSON.

It is there when everything is served, and the first to go.  A socket that cannot be
made costs nobody a request: the log says why, as an error, and the proxy goes on
without.  What it is for is looking after a proxy that serves, and one that does not
serve would be the greater harm.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from .desk import Desk, Question, Reply
from .unixport import SocketRefused, UnixPort

if TYPE_CHECKING:
    from .accounts import AccountInquiries
    from .conversation import Conversations
    from .inquiries import Inquiries
    from .metrics import Metrics

__all__ = ["Admin"]


class _Door(ServerFactory):
    """
    Imports what speaks HTTP when somebody comes.
    """

    noisy = False

    def __init__(self, desk: Desk, clock: Any) -> None:
        self._desk = desk
        self._clock = clock
        self._conversations: Conversations | None = None

    def buildProtocol(self, addr: Any) -> Any:
        if self._conversations is None:
            from .conversation import Conversations

            self._conversations = Conversations(self._desk, self._clock)
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
        self,
        reactor: Any,
        path: str,
        inquiries: Inquiries,
        accounts: AccountInquiries | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """
        @param reactor: Reads, and tells the time.
        @param path: Of the socket, absolute.
        @param inquiries: About certificates.
        @param accounts: About accounts.
        @param metrics: Tells the figures.
        """
        self._inquiries = inquiries
        self._accounts = accounts
        self._desk = Desk()
        self._desk.take("GET", "/v1", self._greet)
        if metrics is not None:
            metrics.begin(self._desk)
        self._door = _Door(self._desk, reactor)
        self._port = UnixPort(reactor, path, self._door)

    def open(self) -> None:
        """
        Be there.  Never fails: that it could not be is logged.
        """
        try:
            self._port.open()
        except SocketRefused as why:
            self._log.error(
                "Nobody can speak to this proxy, which goes on without its admin socket: {why}",
                event="admin-refused",
                why=str(why),
            )
            return
        self._inquiries.begin(self._desk)
        if self._accounts is not None:
            self._accounts.begin(self._desk)
        self._log.info("Admin socket at {path}", event="admin-socket", path=self._port.path)

    async def close(self) -> None:
        """
        Be gone, and cancel what is being done for somebody.
        """
        self._port.close()
        self._door.stop()
        self._inquiries.end()

    async def _greet(self, question: Question) -> Reply:
        from .. import __version__

        question.only()
        return Reply({"version": __version__, "process": os.getpid(), "questions": self._desk.questions})
