"""
Answers from a resource of C{twisted.web}, which runs on the reactor and so must not block.

The request is Twisted's own; what it has for a channel is here, and takes the answer to the
exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.server import Request, Site

from ..plane.faults import Faults
from ..plane.foreign import ascribe
from .asked import FAILED, Asked, answerLines, ask

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ..config.application import Application
    from ..interfaces import IExchange, IOutlet

__all__ = ["ResourceApplication"]

# Without types there.
_site: Any = Site
_request: Any = Request
_failure: Any = Failure
_headers: Any = Headers


class ResourceApplication:
    """
    One tree of resources.
    """

    def __init__(self, settings: Application, resource: IResource, reactor: Any) -> None:
        """
        @param settings: Whose body_bytes counts.
        @param resource: The root.
        @param reactor: Where sessions are timed out.
        """
        self._settings = settings
        self._reactor = reactor
        self._site: Any = _site(resource, reactor=reactor)
        self._site.displayTracebacks = False
        self._faults = Faults(reactor.callLater)

    def begin(self) -> None:
        """
        It is ready.
        """

    def close(self) -> Deferred[None]:
        """
        Its sessions end.
        """
        self._faults.close()
        for session in list(self._site.sessions.values()):
            session.expire()
        return succeed(None)

    def request(self, exchange: IExchange) -> None:
        """
        Answer a request.
        """
        ask(exchange, self._settings.bodyBytes, lambda: False, self._asked)

    def _asked(self, asked: Asked) -> None:
        channel = _Channel(self._reactor, self._site, asked, self._failed)
        try:
            channel.begin()
        except Exception:
            self._failed(_failure())
            channel.loseConnection()

    def _failed(self, failure: Failure) -> None:
        self._faults.add(failure, "Resource {name} failed", name=self._settings.factory)


class _Request(_request):  # type: ignore[misc]
    """
    One of Twisted's, whose failures are told of by us, since each of them with its traceback would be
    too many.
    """

    def processingFailed(self, reason: Failure) -> Failure:
        """
        The resource has failed, or says so itself.
        """
        channel = self.channel
        if channel is not None:
            channel.failed(reason)
            if self.startedWriting or self._disconnected:
                # No other status can be told any more.
                channel.loseConnection()
                self.connectionLost(reason)
            else:
                status, _, body = FAILED
                self.responseHeaders = _headers()
                self.setResponseCode(status)
                self.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
                self.setHeader(b"Content-Length", b"%d" % len(body))
                self.write(body)
                self.finish()
        return reason


class _Channel:
    """
    What a request of Twisted's writes to.

    @ivar site: The root of all resources, for the request.
    @ivar factory: There is none that would log; the proxy does.
    """

    factory = None

    def __init__(self, reactor: Any, site: Site, asked: Asked, failed: Callable[[Failure], None]) -> None:
        """
        @param failed: Is told what the resource fails with.
        """
        self.failed = failed
        self._reactor = reactor
        self.site = site
        self.transport = self
        self._asked = asked
        self._exchange = asked.exchange
        self._head: tuple[int, bytes, int | None] | None = None
        self._outlet: IOutlet | None = None
        self._isDone = False
        self._producer: Any = None
        self._isStreaming = self._isWaiting = False
        self._request: Any = None

    def begin(self) -> None:
        """
        Make the request, and have it answered.
        """
        asked = self._asked
        self._request = request = _Request(self)
        for name, value in asked.fields:
            request.requestHeaders.addRawHeader(name.encode("ascii"), value.encode("utf-8"))
        request.facts = asked.facts
        request.parseCookies()
        request.gotLength(len(asked.body))
        request.content.write(asked.body)
        facts = asked.facts
        uri = facts.path + ("?" + facts.query if facts.query else "")
        self._exchange.onEnd(self._ended)
        request.requestReceived(facts.method.encode("ascii"), uri.encode("ascii"), b"HTTP/1.1")

    def _ended(self) -> None:
        """
        The exchange has, with its answer or without.
        """
        producer, self._producer = self._producer, None
        if self._isDone:
            return
        self._isDone = True
        if producer is not None:
            producer.stopProducing()
        self._request.connectionLost(_failure(ConnectionDone()))

    # What a request asks of its channel.

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """
        Keep the head until it is known whether the first piece is the only one.
        """
        # How the body is framed is not the request's business.
        self._request.chunked = 0
        pairs = [(name, value) for name, values in headers.getAllRawHeaders() for value in values]
        self._head = (int(code), *answerLines(pairs))

    def write(self, data: bytes) -> None:
        """
        A piece of the body.
        """
        if self._isDone or not data:
            return
        if self._outlet is None:
            assert self._head is not None
            status, fields, length = self._head
            ascribe(self._exchange, status)
            if length == len(data) and self._producer is None:
                self._isDone = True
                self._exchange.respond(status, fields, data)
                return
            self._outlet = self._exchange.begin(status, fields, length)
        self._outlet.write(data)
        self._lookForRoom()

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        """
        Several.
        """
        self.write(b"".join(pieces))

    def requestDone(self, request: Any) -> None:
        """
        That was all.
        """
        if self._isDone:
            return
        self._isDone = True
        if self._outlet is not None:
            self._outlet.finish()
            return
        status, fields, length = self._head or (*FAILED[:2], None)
        if self._head is not None:
            ascribe(self._exchange, status)
        if request.method == b"HEAD":
            self._exchange.begin(status, fields, length).finish()
        else:
            self._exchange.respond(status, fields, b"")

    def loseConnection(self) -> None:
        """
        Break it off.
        """
        if self._isDone:
            return
        self._isDone = True
        if self._outlet is not None:
            self._outlet.abort()
        elif self._head is None:
            self._exchange.respond(*FAILED)
        else:
            self._exchange.abort()

    abortConnection = loseConnection

    def _respondToBadRequestAndDisconnect(self) -> None:
        # The body is not what its type says.
        self._isDone = True
        self._exchange.respond(400, b"Content-Type: text/plain; charset=utf-8\r\n", b"Bad Request\n")

    def isSecure(self) -> bool:
        """
        Whether the client has come by TLS.
        """
        return self._asked.scheme == "https"

    def getPeer(self) -> Any:
        """
        Who asks.
        """
        host, port = self._asked.client
        return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)

    def getHost(self) -> Any:
        """
        What was asked, by the local port.
        """
        server = self._asked.facts.connection.server
        port = self._asked.facts.connection.port
        host = "127.0.0.1" if server is None else server.host
        return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)

    # Producers.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See C{IConsumer}.
        """
        if self._isDone:
            producer.stopProducing()
            return
        self._producer = producer
        self._isStreaming = streaming
        if not streaming:
            self._reactor.callLater(0, self._pull)

    def unregisterProducer(self) -> None:
        """
        See C{IConsumer}.
        """
        self._producer = None

    def _pull(self) -> None:
        """
        Ask a producer that has to be asked.
        """
        if self._producer is None or self._isWaiting:
            return
        self._producer.resumeProducing()
        if self._producer is not None and not self._isWaiting:
            self._reactor.callLater(0, self._pull)

    def _lookForRoom(self) -> None:
        outlet = self._outlet
        if self._producer is None or self._isWaiting or outlet is None or self._isDone or outlet.isTaking:
            return
        self._isWaiting = True
        outlet.whenTaking(self._hasRoom)
        if self._isStreaming:
            self._producer.pauseProducing()

    def _hasRoom(self) -> None:
        self._isWaiting = False
        if self._producer is None:
            return
        if self._isStreaming:
            self._producer.resumeProducing()
        else:
            self._pull()
