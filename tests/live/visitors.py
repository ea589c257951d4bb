"""
Clients that speak HTTP/2 all the time, with many requests on each connection, and do what RFC 9113
section 6.8 has them do when they are told to leave: what is on its way is waited for, and what comes
after that goes by another connection.  They note whatever is not as it should be.

They are played by sessions of ours, as hyper's library hears nothing behind a GOAWAY.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smartproxy_tw.wire.events import AnswerBegan, Closed, Data, Event, Leaving, Reset, Trailers
from smartproxy_tw.wire.frames import REFUSED_STREAM
from smartproxy_tw.wire.http2 import ClientSession

from ..wire.conversations import HyperFields, block
from .running import PATIENCE

__all__ = ["HERE", "Visitor", "Visitors", "trusting"]

HERE = "127.0.0.1"
# At a time, on each connection.
_STREAMS = 8


class Visitor:
    """
    One connection.

    @ivar wrong: What was not as it should be.
    @ivar bodies: Those of answers that were whole, in the order in which they ended.
    @ivar isLeaving: Whether it was told to ask for nothing more.
    @ivar isKnown: Whether the server has said anything.
    """

    def __init__(self, port: int, host: str = "a.test", context: ssl.SSLContext | None = None) -> None:
        """
        @param context: For TLS.
        @raise OSError: There is nobody.
        """
        self._scheme = b"http" if context is None else b"https"
        self._host = host.encode()
        self.sock = socket.create_connection((HERE, port), timeout=PATIENCE)
        self.wrong: list[str] = []
        self.bodies: list[bytes] = []
        self.isLeaving = self.isKnown = False
        self._session = ClientSession(HyperFields())
        self._asked: dict[int, bytearray] = {}
        if context is not None:
            self.sock = context.wrap_socket(self.sock, server_hostname=host)
            if self.sock.selected_alpn_protocol() != "h2":
                self.wrong.append("HTTP/2 was not agreed on")

    @property
    def pending(self) -> int:
        """
        Requests without a whole answer.
        """
        return len(self._asked)

    @property
    def canAsk(self) -> bool:
        """
        Whether one more may be asked for.
        """
        return self._session.canRequest and not self.isLeaving

    def asks(self, path: str) -> None:
        """
        Begin a request.
        """
        fields = [(b":method", b"GET"), (b":scheme", self._scheme), (b":authority", self._host)]
        stream = self._session.request(block(*fields, (b":path", path.encode())), True)
        self._asked[stream] = bytearray()

    def hears(self) -> bool:
        """
        Send what is to be sent, and wait for what comes.

        @return: Whether more may come.
        """
        try:
            self.sock.sendall(self._session.outgoing())
            data = self.sock.recv(65536)
        except OSError as error:
            self._over(repr(error))
            return False
        if not data:
            self._over("closed")
            return False
        self.isKnown = True
        for event in self._session.receive(data):
            self._heard(event)
        return not self._session.isClosed

    def _over(self, why: str) -> None:
        if self._asked:
            self.wrong.append(f"{why} with {len(self._asked)} on their way")

    def _heard(self, event: Event) -> None:
        if isinstance(event, AnswerBegan):
            status = dict(event.fields)[b":status"]
            if status != b"200":
                self.wrong.append(f"status {status.decode()}")
            if event.isEnded:
                self._ended(event.stream)
        elif isinstance(event, Data):
            self._asked[event.stream] += event.data
            self._session.credit(event.stream, event.credit)
            if event.isEnded:
                self._ended(event.stream)
        elif isinstance(event, Trailers):
            self._ended(event.stream)
        elif isinstance(event, Reset):
            del self._asked[event.stream]
            # That may be asked for again.
            if event.code != REFUSED_STREAM or event.isOurs:
                self.wrong.append(f"reset with {event.code}")
        elif isinstance(event, Leaving):
            self.isLeaving = True
            if event.code:
                self.wrong.append(f"GOAWAY with {event.code}")
        elif isinstance(event, Closed):
            self.wrong.append(f"the session ended: {event.reason}")

    def _ended(self, stream: int) -> None:
        self.bodies.append(bytes(self._asked.pop(stream)))

    def leaves(self) -> None:
        """
        Go, with a farewell.
        """
        self._session.goAway()
        with contextlib.suppress(OSError):
            self.sock.sendall(self._session.outgoing())
        self.sock.close()


class Visitors:
    """
    Several of them, each in a thread.

    @ivar wrong: What was not as it should be.
    @ivar done: How many answers there were, by their bodies as far as those are short.
    @ivar begun: How many connections there were that had an answer.
    @ivar farewells: How many connections came to an end by GOAWAY.
    @ivar mayEnd: Whether it is no mistake any more that nobody listens.
    """

    def __init__(
        self, port: int, paths: tuple[str, ...], count: int = 4, context: ssl.SSLContext | None = None
    ) -> None:
        """
        @param paths: What they ask for in turn.
        @param context: For TLS, as C{a.localhost}.
        """
        self._port = port
        self._paths = paths
        self._count = count
        self._context = context
        self._isOver = threading.Event()
        self._lock = threading.Lock()
        self.wrong: list[str] = []
        self.done: Counter[bytes] = Counter()
        self.begun = self.farewells = 0
        self.mayEnd = False

    @contextmanager
    def visiting(self) -> Iterator[None]:
        """
        Ask as long as this goes on.
        """
        threads = [threading.Thread(target=self._stay, daemon=True) for _ in range(self._count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._isOver.set()
            for thread in threads:
                thread.join(PATIENCE)
        if any(thread.is_alive() for thread in threads):
            self.wrong.append("somebody still waits for an answer")

    def _stay(self) -> None:
        while not self._isOver.is_set():
            try:
                visitor = Visitor(self._port, "a.localhost", self._context)
            except OSError as error:
                if not self.mayEnd:
                    self._note([repr(error)])
                return
            self._visit(visitor)
            # Whom nobody has heard, nobody has promised anything.
            if visitor.isKnown or not self.mayEnd:
                self._note(visitor.wrong)

    def _visit(self, visitor: Visitor) -> None:
        turn = told = 0
        while True:
            while visitor.canAsk and visitor.pending < _STREAMS and not self._isOver.is_set():
                visitor.asks(self._paths[turn % len(self._paths)])
                turn += 1
            if not visitor.pending or not visitor.hears():
                break
            with self._lock:
                self.begun += bool(visitor.bodies) and not told
                self.done.update(body[:20] for body in visitor.bodies[told:])
            told = len(visitor.bodies)
        with self._lock:
            self.farewells += visitor.isLeaving
        visitor.leaves()

    def _note(self, wrong: list[str]) -> None:
        with self._lock:
            self.wrong += wrong


def trusting(root: Path) -> ssl.SSLContext:
    """
    @param root: Who has signed the server's certificate.
    @return: What a client needs that wants HTTP/2.
    """
    context = ssl.create_default_context(cafile=str(root))
    context.set_alpn_protocols(["h2"])
    return context
