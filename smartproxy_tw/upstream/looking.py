"""
One look at a target: whether it takes a connection, shakes hands, and answers as it
should.

It is made where no request is served, with what the reactor has for that, and has an end
within its time, whatever the target does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .asking import Question, Unanswered
from .introduction import introduction
from .resolve import isLiteral

if TYPE_CHECKING:
    from ..config.model import Check, Checked, Target

__all__ = ["CheckFailed", "look"]

#: Of a status line no more is read, in bytes.
_MOST = 8192
#: Nor of what comes before it.
_MOST_INTERIM = 65536

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")


#: Ends that say no more than that.
_CLEAN = (ConnectionDone, ConnectionLost)


class CheckFailed(Exception):
    """
    A target is not as it should be; the text says what was seen, for people.
    """


def look(reactor: Any, checked: Checked) -> Deferred[str]:
    """
    @param reactor: Connects, and tells the time.
    @param checked: What to look at, and how.
    @return: Fires with what was seen.  Fails with L{CheckFailed}.  Cancelling it ends it.
    """
    outcome: Deferred[str] = Deferred(lambda _: glance.end())
    glance = _Glance(reactor, checked, outcome)
    glance.begin()
    return outcome


def hostOf(check: Check, target: Target) -> str:
    """
    What a target is asked for by.
    """
    if check.host is not None:
        return check.host
    return "localhost" if target.port == 0 else target.host


class _Glance:
    """
    One look.
    """

    def __init__(self, reactor: Any, checked: Checked, outcome: Deferred[str]) -> None:
        self.checked = checked
        self._reactor = reactor
        self._outcome: Deferred[str] | None = outcome
        self._connecting: Deferred[Any] | None = None
        self._transport: Any = None
        self._timeout: Any = None

    def begin(self) -> None:
        check = self.checked.check
        self._timeout = self._reactor.callLater(
            check.timeout, self.fail, f"it did not answer in {check.timeout:g} s"
        )
        try:
            factory = self._factory()
            connecting = self._endpoint().connect(factory)
        except Exception as why:
            # What the configuration names cannot be read any more, for instance.
            self.fail(f"it cannot be looked at: {why}")
            return
        self._connecting = connecting
        connecting.addCallbacks(lambda _: None, self._refused)

    def _endpoint(self) -> Any:
        target, check = self.checked.target, self.checked.check
        if target.port == 0:
            return UNIXClientEndpoint(self._reactor, target.host, check.timeout)  # type: ignore[no-untyped-call]
        port = check.port or target.port
        assert port is not None
        if not isLiteral(target.host):
            return HostnameEndpoint(self._reactor, target.host.encode("ascii"), port, check.timeout)
        kind = TCP6ClientEndpoint if ":" in target.host else TCP4ClientEndpoint
        return kind(self._reactor, target.host, port, check.timeout)

    def _factory(self) -> Any:
        checked = self.checked
        factory = Factory.forProtocol(lambda: _Conversation(self))
        factory.noisy = False
        if checked.check.kind == "tcp" or (checked.check.kind == "http" and checked.tls is None):
            return factory
        from twisted.protocols.tls import TLSMemoryBIOFactory

        wrapped = TLSMemoryBIOFactory(_Creator(checked), True, factory)
        wrapped.noisy = False
        if checked.target.proxyHeader is None:
            return wrapped
        return Factory.forProtocol(lambda: _Introduced(checked, wrapped.buildProtocol(None)))

    def connected(self, transport: Any) -> None:
        self._transport = transport

    def _refused(self, failure: Failure) -> None:
        self.fail(_told(failure))

    def succeed(self, seen: str) -> None:
        outcome = self._over()
        if outcome is not None:
            outcome.callback(seen)

    def fail(self, why: str) -> None:
        outcome = self._over()
        if outcome is not None:
            outcome.errback(CheckFailed(why))

    def end(self) -> None:
        self._over()

    def _over(self) -> Deferred[str] | None:
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            if self._timeout is not None and self._timeout.active():
                self._timeout.cancel()
            if self._transport is not None:
                self._transport.abortConnection()
            elif self._connecting is not None:
                self._connecting.addErrback(lambda _: None)
                self._connecting.cancel()
        return outcome


@implementer(IHandshakeListener)
class _Conversation(Protocol):
    """
    What is said.
    """

    def __init__(self, glance: _Glance) -> None:
        self._glance = glance
        self._data = b""
        self._size = 0
        self._question: Question | None = None
        self._isShaken = False

    def connectionMade(self) -> None:
        checked = self._glance.checked
        transport: Any = self.transport
        self._glance.connected(transport)
        header = checked.target.proxyHeader
        if header is not None and not hasattr(transport, "getPeerCertificate"):
            # By TLS it was said before that.
            transport.write(introduction(header, None))
        if checked.check.kind == "tcp":
            self._glance.succeed("it takes connections")
        elif checked.check.kind == "http" and checked.target.protocol in ("h2", "h2c"):
            scheme = "http" if checked.tls is None else "https"
            self._question = Question(scheme, _authority(checked.check, checked.target), checked.check.path)
            transport.write(self._question.outgoing())
        elif checked.check.kind == "http":
            transport.write(_request(checked.check, checked.target))

    def handshakeCompleted(self) -> None:
        self._isShaken = True
        checked = self._glance.checked
        transport: Any = self.transport
        settings = checked.tls
        if settings is not None and settings.verify:
            from ..plane.identity import verifyPeer

            name = settings.serverName or (checked.target.host if checked.target.port else "")
            try:
                verifyPeer(transport._tlsConnection, name)
            except ValueError as why:
                self._glance.fail(f"TLS: {why}")
                return
        if checked.check.kind == "tls":
            self._glance.succeed("it shakes hands")

    def dataReceived(self, data: bytes) -> None:
        if self._question is not None:
            self._answered(self._question, data)
            return
        self._data += data
        self._size += len(data)
        found = _STATUS.match(self._data)
        while found is not None:
            code = int(found[1])
            if code == 101 or not 100 <= code <= 199:
                self._judge(code)
                return
            # Not the answer yet (RFC 9110 section 15.2).
            _, end, rest = self._data.partition(b"\r\n\r\n")
            if self._size > _MOST_INTERIM:
                self._glance.fail("it has no end of interim answers")
                return
            if not end:
                return
            self._data = rest
            found = _STATUS.match(rest)
        if b"\n" in self._data or len(self._data) > _MOST:
            self._glance.fail("what it answers is no HTTP/1")

    def _answered(self, question: Question, data: bytes) -> None:
        try:
            code = question.hear(data)
        except Unanswered as why:
            self._glance.fail(str(why))
            return
        if code is None:
            transport: Any = self.transport
            transport.write(question.outgoing())
        else:
            self._judge(code)

    def _judge(self, code: int) -> None:
        statuses = self._glance.checked.check.statuses
        if any(first <= code <= last for first, last in statuses):
            self._glance.succeed(f"it answers with status {code}")
        else:
            self._glance.fail(f"it answers with status {code}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        connection = getattr(self.transport, "_tlsConnection", None)
        distrust = None if connection is None else connection.get_app_data()
        if isinstance(distrust, str):
            self._glance.fail(f"TLS: its certificate is not trusted: {distrust}")
        else:
            self._glance.fail(_told(reason, "it hung up"))


class _Introduced(Protocol):
    """
    Says that it speaks for nobody, and then hands on to what speaks TLS.
    """

    def __init__(self, checked: Checked, inner: Any) -> None:
        self._checked = checked
        self._inner = inner

    def makeConnection(self, transport: Any) -> None:
        header = self._checked.target.proxyHeader
        assert header is not None
        transport.write(introduction(header, None))
        self._inner.makeConnection(transport)
        self.dataReceived = self._inner.dataReceived  # type: ignore[method-assign]
        self.connectionLost = self._inner.connectionLost  # type: ignore[method-assign]


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    """
    Makes the connection as one for requests is made.
    """

    def __init__(self, checked: Checked) -> None:
        from ..config.model import UpstreamTLS
        from ..plane.contexts import clientContext
        from .dial import Secrecy, offered

        # What is passed through is verified by the clients, if by anybody.
        settings = checked.tls or UpstreamTLS(verify=False)
        self._secrecy = Secrecy(settings, clientContext(settings))
        if checked.target.protocol == "h2":
            self._secrecy.offer(offered(checked.target))
        self._checked = checked

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        from dataclasses import replace

        target = self._checked.target
        if self._checked.check.host is not None and self._checked.tls is None:
            target = replace(target, host=self._checked.check.host, port=target.port or 443)
        return self._secrecy.connection(target)


def _authority(check: Check, target: Target) -> str:
    host = hostOf(check, target)
    host = f"[{host}]" if ":" in host else host
    port = check.port or target.port
    if check.host is None and port not in (0, 80, 443, None):
        host = f"{host}:{port}"
    return host


def _request(check: Check, target: Target) -> bytes:
    return (
        f"GET {check.path} HTTP/1.1\r\nHost: {_authority(check, target)}\r\n"
        "User-Agent: smartproxy-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def _told(failure: Failure, otherwise: str = "") -> str:
    """
    What went wrong, in few words.
    """
    why: Any = failure.value
    code = getattr(why, "osError", None)
    text = os.strerror(code) if isinstance(code, int) else getattr(why, "strerror", None)
    if not text and getattr(why, "reasons", None):
        text = "; ".join(str(each) for each in why.reasons)
    if isinstance(why, _CLEAN) and otherwise:
        return otherwise
    name = type(why).__name__
    if name == "Error" and type(why).__module__.startswith("OpenSSL"):
        parts = [each[-1] for each in (why.args[0] if why.args else ())] if why.args else []
        return "TLS: " + ("; ".join(map(str, parts)) or "the handshake failed")
    return str(text or why or name)
