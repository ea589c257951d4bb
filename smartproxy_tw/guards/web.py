"""
Questions by HTTP to somebody who decides: one request and its whole answer, of bounded
size, on connections that are kept.

This is made on Twisted's agent rather than on treq, whose clients keep the cookies of
answers: here each question is asked for somebody else.

It is imported when a route needs it, as it takes a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HostnameCachingHTTPSPolicy,
    HTTPConnectionPool,
)
from twisted.web.http_headers import Headers

from ..bounds.body import BoundedBody
from ..bounds.trust import trustOf
from ..bounds.within import within

__all__ = ["Reply", "Web", "worded"]

#: A kept connection that was not used for so long is closed, in seconds.
_KEPT = 20.0

#: Connections that are kept for the next question.
_CONNECTIONS = 16


class Reply(NamedTuple):
    """
    What came back.

    @ivar status: Of HTTP.
    @ivar fields: Names as they came, and values.
    @ivar body: All of it.
    """

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def value(self, name: bytes) -> bytes:
        """
        The last field of a name.

        @param name: In lower case.
        @return: Empty when there is none.
        """
        return next((value for each, value in reversed(self.fields) if each.lower() == name), b"")


class Web:
    """
    The way to one place.
    """

    def __init__(self, reactor: Any, caFile: str | None, timeout: float) -> None:
        """
        @param reactor: Makes connections and tells the time.
        @param caFile: Path of a PEM bundle to trust in place of the system's, or L{None}.
        @param timeout: Seconds for one answer, from connecting to its last byte.
        @raise ValueError: The file cannot be used.
        """
        self._reactor = reactor
        self._timeout = timeout
        self._pool = HTTPConnectionPool(reactor, persistent=True)  # type: ignore[no-untyped-call]
        self._pool.maxPersistentPerHost = _CONNECTIONS
        self._pool.cachedConnectionTimeout = _KEPT  # type: ignore[assignment]
        policy = HostnameCachingHTTPSPolicy(
            BrowserLikePolicyForHTTPS(_trust(caFile))  # type: ignore[no-untyped-call]
        )
        self._agent = Agent(reactor, policy, connectTimeout=timeout, pool=self._pool)  # type: ignore[no-untyped-call]

    def ask(self, url: str, fields: Iterable[tuple[bytes, bytes]], most: int) -> Deferred[Reply]:
        """
        Ask by GET.

        @param fields: Names and values; Host is the URL's.
        @param most: So many bytes the body of the answer may have.
        @return: Fires with the answer, whatever its status; fails with whatever went wrong, for
            L{worded}.  Cancelling it closes the connection.
        """
        headers = Headers()
        for name, value in fields:
            headers.addRawHeader(name, value)
        asking: Deferred[Any] = self._agent.request(b"GET", url.encode("ascii"), headers)
        asking.addCallback(self._read, most)
        return within(self._timeout, self._reactor, asking).addErrback(self._late)

    def _late(self, failure: Failure) -> Failure:
        if failure.check(OutOfTime):  # type: ignore[no-untyped-call]
            raise TimeoutError(f"no whole answer within {self._timeout:g} s")
        return failure

    def _read(self, response: Any, most: int) -> Deferred[Reply]:
        collecting = BoundedBody(most)
        response.deliverBody(collecting)
        fields = tuple(
            (name, value) for name, values in response.headers.getAllRawHeaders() for value in values
        )
        return collecting.whole.addCallback(lambda body: Reply(response.code, fields, body))

    def close(self) -> None:
        """
        Close the kept connections.
        """
        self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]


def _trust(caFile: str | None) -> Any:
    try:
        return None if caFile is None else trustOf(caFile)
    except (OSError, ValueError) as why:
        raise ValueError(f"{caFile} cannot be used: {getattr(why, 'strerror', None) or why}") from None


def worded(why: BaseException | None) -> str:
    """
    What went wrong, in a few words for the operator.
    """
    for each in getattr(why, "reasons", ()):
        return worded(each.value)
    if isinstance(why, DNSLookupError):
        return "its name is not known"
    if isinstance(why, ConnectError):
        return f"it cannot be connected to ({(str(why.osError or '') or type(why).__name__)})"
    told = why.args[0] if why is not None and why.args and isinstance(why.args[0], list) else None
    if told is not None:
        return "TLS failed: " + "; ".join(str(each[-1]) for each in told if each)
    return (str(why) or type(why).__name__).split("\n", 1)[0].rstrip(".")
