"""
One request to an authority and its whole answer: over verified HTTPS, in
bounded time, of bounded size, on connections that are kept.

What comes back is an L{Answer} of whatever status, or L{AuthorityUnreachable}
(nothing, or nothing whole, came), L{AuthorityNotTrusted} (somebody else did),
or L{AuthorityNonsense} (no HTTP, or too much of it).  Nothing else escapes but
the caller's own cancellation.

Made on treq: import this module with the first request, not before, for it
costs time that is better spent after the ports are bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, TimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.web._newclient import RequestNotSent
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HostnameCachingHTTPSPolicy,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgent, IBodyProducer
from zope.interface import implementer

from ..bounds.body import BoundedBody, TooMuch
from ..bounds.trust import trustOf
from ..bounds.within import within
from ..values import dataclass
from .errors import AuthorityNonsense, AuthorityNotTrusted, AuthorityUnreachable, IssuanceFailed

__all__ = ["LARGEST_ANSWER", "Answer", "Exchange"]

#: An answer may have so many bytes; a chain has a few thousand, an order of a
#: hundred names some tens of thousands.
LARGEST_ANSWER = 512 * 1024

#: Connections to the authority at a time; more requests wait their turn.
_CONNECTIONS = 6

#: A kept connection that was not used for so long is closed by us, before the
#: authority's own idle limit makes a request run into its closing.
_KEPT = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back.

    @ivar status: Of HTTP.
    @ivar fields: The last field of each name, names in lower case.
    @ivar body: All of it.
    """

    status: int
    fields: Mapping[str, str]
    body: bytes


@implementer(IAgent)
class _Plainly:
    """
    An agent that asks for no content coding and understands none: what is
    bounded here is what came over the wire.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[Any]:
        headers = headers.copy()
        headers.removeHeader(b"accept-encoding")
        response: Deferred[Any] = self._agent.request(method, uri, headers, bodyProducer)
        return response.addCallback(self._uncoded)

    def _uncoded(self, response: Any) -> Any:
        response.headers.removeHeader(b"content-encoding")
        return response


class Exchange:
    """
    The way to one authority.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        caFile: str | None = None,
        userAgent: str,
        timeout: float = 30.0,
    ) -> None:
        """
        @param reactor: Makes connections and tells the time.
        @param caFile: Path of a PEM bundle to trust in place of the system's,
            or L{None}; read anew with the first request.
        @param userAgent: How to introduce ourselves (RFC 8555 section 6.1).
        @param timeout: Seconds for one request, from connecting to the last
            byte of the answer.
        """
        self._reactor = reactor
        self._caFile = caFile
        self._userAgent = userAgent
        self._timeout = timeout
        self._turns = DeferredSemaphore(_CONNECTIONS)
        self._http: HTTPClient | None = None
        self._pool: Any = None

    async def ask(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """
        Send a request and wait for the whole answer.

        @param method: C{"GET"}, C{"HEAD"} or C{"POST"}.
        @param url: An https URL.
        @param body: A JWS, or L{None}.
        @raise AuthorityUnreachable: Nothing whole came.
        @raise AuthorityNotTrusted: Somebody else answered.
        @raise AuthorityNonsense: The URL, or the answer, is not of HTTP.
        """
        if not url.startswith("https://"):
            raise AuthorityNonsense(url, "RFC 8555 section 6.1 demands https")
        http = self._client(url)
        await self._turns.acquire()
        try:
            talk = Deferred.fromCoroutine(self._talk(http, method, url, body))
            return await within(self._timeout, self._reactor, talk)
        except CancelledError:
            raise
        except Exception as why:
            raise self._understood(url, why) from why
        finally:
            self._turns.release()

    def close(self) -> Deferred[None]:
        """
        Close the kept connections.  Another request may follow, on a new one.

        @return: Fires when they are closed.
        """
        pool, self._pool, self._http = self._pool, None, None
        if pool is None:
            return Deferred.fromCoroutine(_nothing())
        closed: Deferred[None] = pool.closeCachedConnections()
        return closed.addCallback(lambda _: None)

    async def _talk(self, http: HTTPClient, method: str, url: str, body: bytes | None) -> Answer:
        try:
            return await self._talkOnce(http, method, url, body)
        except (RequestNotSent, RequestTransmissionFailed, ResponseNeverReceived) as why:
            # A kept connection that the other side has just closed.  To send
            # the same bytes again is harmless: what is signed carries a nonce,
            # and is heard once at most.
            if not all(isinstance(each.value, ConnectionClosed) for each in getattr(why, "reasons", ())):
                raise
            return await self._talkOnce(http, method, url, body)

    async def _talkOnce(self, http: HTTPClient, method: str, url: str, body: bytes | None) -> Answer:
        fields: dict[bytes | str, bytes | str] = {"User-Agent": self._userAgent}
        if body is not None:
            fields["Content-Type"] = "application/jose+json"
        response = await http.request(
            method,
            url,
            headers=fields,
            data=body,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        collected = BoundedBody(LARGEST_ANSWER)
        response.deliverBody(collected)
        return Answer(
            status=response.code,
            fields={
                name.decode("latin-1").lower(): values[-1].decode("latin-1")
                for name, values in response.headers.getAllRawHeaders()
            },
            body=await collected.whole,
        )

    def _client(self, url: str) -> HTTPClient:
        if self._http is None:
            # Without the cache each request would make a TLS context of its own,
            # even where its connection is a kept one.
            policy = HostnameCachingHTTPSPolicy(
                BrowserLikePolicyForHTTPS(self._trust(url))  # type: ignore[no-untyped-call]
            )
            self._pool = HTTPConnectionPool(self._reactor, persistent=True)  # type: ignore[no-untyped-call]
            self._pool.maxPersistentPerHost = _CONNECTIONS
            self._pool.cachedConnectionTimeout = _KEPT
            agent = Agent(  # type: ignore[no-untyped-call]
                self._reactor, policy, connectTimeout=self._timeout, pool=self._pool
            )
            self._http = HTTPClient(_Plainly(agent))
        return self._http

    def _trust(self, url: str) -> Any:
        if self._caFile is None:
            return None
        try:
            return trustOf(self._caFile)
        except (OSError, ValueError) as why:
            raise AuthorityNotTrusted(
                url, f"the file of those to trust, {self._caFile}, cannot be read ({why})"
            ) from why

    def _understood(self, url: str, why: Exception) -> Exception:
        """
        Say in our words what the libraries below say in theirs; what is not
        theirs is a bug and stays as it is.
        """
        if isinstance(why, IssuanceFailed):
            return why
        if isinstance(why, TimeoutError):
            return AuthorityUnreachable(url, f"no whole answer within {self._timeout:g} s")
        if isinstance(why, TooMuch):
            return AuthorityNonsense(url, f"it is larger than {LARGEST_ANSWER} bytes")
        causes = [each.value for each in getattr(why, "reasons", ())]
        for each in (why, *causes):
            if isinstance(each, VerificationError):
                return AuthorityNotTrusted(url, "its certificate is for another name")
            if isinstance(each, SSL.Error):
                return _tlsProblem(url, each)
        if isinstance(why, RequestNotSent | ConnectError | ConnectionClosed | DNSLookupError) or causes:
            said = "; ".join(_text(each) for each in causes) or _text(why)
            return AuthorityUnreachable(url, said)
        if isinstance(why, ValueError | SchemeNotSupported):
            return AuthorityNonsense(url, f"the URL cannot be used ({_text(why)})")
        return why


def _tlsProblem(url: str, why: Exception) -> IssuanceFailed:
    told = why.args[0] if why.args and isinstance(why.args[0], list) else []
    reasons = ", ".join(str(each[-1]) for each in told if each) or "TLS failed"
    if "certificate" in reasons:
        return AuthorityNotTrusted(url, reasons)
    return AuthorityUnreachable(url, f"TLS failed: {reasons}")


def _text(why: BaseException) -> str:
    return (str(why) or type(why).__name__).rstrip(".")


async def _nothing() -> None:
    """
    What is awaited where there is nothing to close.
    """
