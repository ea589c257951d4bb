"""
The handshake of TLS, either side: from a socket to a wire.

One wake-up costs one C{recv} and one C{send}.  A read that came back short has
taken all that there was: nothing more is asked for before the next event.  What
came along with the last message of the handshake is the wire's to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from OpenSSL import SSL

from .identity import reasonOf
from .poller import ENDED, READABLE
from .tls import TLSWire, secured
from .wires import READ

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .poller import Poller

__all__ = ["Handshake"]


class Handshake:
    """
    A TLS handshake, either side, from its first byte to its wire.

    @ivar deadline: For the poller.
    """

    __slots__ = ("_doer", "_failed", "_isDry", "_isMyTurn", "_poller", "_then", "deadline", "isDone", "wire")

    def __init__(
        self,
        poller: Poller,
        sock: socket.socket,
        connection: SSL.Connection,
        deadline: float,
        then: Callable[[TLSWire], None],
        failed: Callable[[str, bool], None],
        isServer: bool = False,
    ) -> None:
        """
        Take over a socket that is registered with the poller, and begin.

        @param connection: Without a socket, in accept or connect state.
        @param deadline: On the poller's clock, absolute.
        @param then: Called with the wire; there may already be something to
            read on it, for which no event will come.
        @param failed: Called with the reason, and whether it was the deadline;
            the socket is closed by then.
        @param isServer: Whether the peer speaks first, whose hello L{begin} is given.  The
            socket of a server is registered for
            L{ARRIVALS<smartproxy_tw.plane.poller.ARRIVALS>}.
        """
        # Nothing is to be read before this side has spoken.
        self._isMyTurn = self._isDry = not isServer
        self._poller = poller
        self._then = then
        self._failed = failed
        self._doer = connection
        self.deadline = deadline
        self.isDone = False
        self.wire = secured(sock, connection, poller if isServer else None)
        poller.mortals[self] = None
        poller.handlers[self.wire.fd] = self.ready

    def begin(self, hello: bytes, event: int) -> None:
        """
        Answer the peer's first words.

        @param hello: They, as far as they have come.
        @param event: What was said last, if there may be something to read for which no event
            will come.
        """
        self.wire.heard(hello)
        self._isMyTurn = self._isDry = True
        self.ready(event)

    def ready(self, event: int) -> None:
        """
        Something has come, or can be sent.
        """
        wire = self.wire
        if event & READABLE:
            self._isDry = False
            if event & ENDED:
                wire.isEnding = True
        if wire.pending and not wire.flush():
            return
        while not self.isDone:
            if self._isMyTurn:
                self._isMyTurn = False
            elif self._isDry or not self._hear():
                return
            try:
                self._doer.do_handshake()
            except SSL.WantReadError:
                if not wire.forward():
                    return
            except SSL.Error as error:
                wire.forward()
                why = self._doer.get_app_data()
                self._fail(f"its certificate is not trusted: {why}" if why else reasonOf(error), False)
            else:
                self._finish()

    def _hear(self) -> bool:
        """
        Feed what the peer said.

        @return: Whether it said anything.
        """
        try:
            secret = self.wire.sock.recv(READ)
        except BlockingIOError:
            return False
        except OSError as error:
            self._fail(error.strerror or "the connection broke", False)
            return False
        if not secret:
            self._fail("the peer closed the connection during the TLS handshake", False)
            return False
        # After an end that was announced no event will come: it is to be read.
        self._isDry = len(secret) < READ and not self.wire.isEnding
        self.wire.heard(secret)
        return True

    def _finish(self) -> None:
        self.isDone = True
        self._poller.mortals.pop(self, None)
        wire = self.wire
        wire.forward()
        # Whoever reads at once finds what came along, or is told without asking the kernel that nothing did.
        wire.isDry = self._isDry
        self._then(wire)
        wire.isDry = False

    def _fail(self, reason: str, isTimeout: bool) -> None:
        if self.isDone:
            return
        self.cancel()
        self._failed(reason, isTimeout)

    def cancel(self) -> None:
        """
        Give up without a word.
        """
        self.isDone = True
        self._poller.mortals.pop(self, None)
        self._poller.forget(self.wire.fd)
        self.wire.sock.close()

    def expire(self) -> None:
        """
        It took too long.
        """
        self._fail("the TLS handshake took too long", True)

    def crash(self) -> None:
        """
        A bug: end this one, also when it was that of who has not taken the wire yet.
        """
        self._fail("a bug in the TLS handshake", False)
        if self._poller.handlers.get(self.wire.fd) == self.ready:
            self.cancel()
