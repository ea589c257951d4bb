"""
Knocks at one port of one address, as an authority would: who is there?

Nothing of a stranger's is believed, much of it is not even read, and no other address
is gone to than the one that is given.  Who asks sees to it that it does not last for
ever; cancelling closes the connection.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ..acme.x509 import describe
from .facts import Closed, Elsewhere, Ours, Stranger, Unreached
from .http import Again, read, request, shown

__all__ = ["Answer", "Knock"]

#: What comes of it.
Answer = Ours | Stranger | Elsewhere | Closed | Unreached

#: So often a redirect to the same name is followed; authorities follow ten.
_MOST_STEPS = 4

_ACME = b"acme-tls/1"


class Knock:
    """
    Asks.
    """

    def __init__(self, reactor: Any, agent: str) -> None:
        """
        @param reactor: Makes connections.
        @param agent: Who asks, for HTTP.
        """
        self._reactor = reactor
        self._agent = agent

    async def http(self, address: str, ports: tuple[int, int], name: str, path: str, wanted: bytes) -> Answer:
        """
        Ask for a challenge's file.

        @param address: An IP address.
        @param ports: Of HTTP and of HTTPS, which a redirect may lead to.
        @param name: Whose file.
        @param path: Of it.
        @param wanted: What it holds if it is ours.
        """
        scheme = "http"
        for step in range(_MOST_STEPS):
            port = ports[scheme == "https"]
            host = f"[{name}]" if ":" in name else name
            url = f"{scheme}://{host}:{port}{path}"
            talk = _Talk(request(name, path, self._agent), (wanted, name, url, ports))
            told = await self._meet(address, port, talk, _Greeting(name, ()) if scheme == "https" else None)
            if not isinstance(told, Again):
                answer: Answer = told
                if step and isinstance(told, Closed):
                    return Stranger(f"it redirects to {shown(url)}, and nobody listens there")
                return answer
            scheme, path = told.scheme, told.path
        return Stranger("redirects that do not end")

    async def tls(self, address: str, port: int, serverName: str, wanted: bytes | None) -> Answer:
        """
        Shake hands as RFC 8737 section 3 has it.

        @param address: An IP address.
        @param port: There.
        @param serverName: To ask for.
        @param wanted: The certificate that only this proxy shows, DER; L{None}: it
            shows none.
        """
        seen = await self._meet(address, port, _Look(), _Greeting(serverName, (_ACME,)))
        if isinstance(seen, _Shown):
            if wanted is not None and seen.certificate == wanted and seen.protocol == _ACME:
                return Ours()
        elif not isinstance(seen, Stranger):
            unseen: Answer = seen
            return unseen
        # Who is it, then?  For that nothing special may be asked of it.
        plain = await self._meet(address, port, _Look(), _Greeting(serverName, ()))
        for each in (plain, seen):
            if isinstance(each, _Shown):
                return Stranger(_holder(each.certificate))
        return plain if isinstance(plain, Stranger) else Stranger("something that breaks off the handshake")

    def _meet(self, address: str, port: int, protocol: _Visit, greeting: _Greeting | None) -> Deferred[Any]:
        factory: Any = _Factory(protocol)
        if greeting is not None:
            factory = TLSMemoryBIOFactory(greeting, True, factory)
        connector: Any = None

        def leave(answered: Deferred[Any]) -> None:
            # Before anybody can make an answer of its end.
            answered.errback(CancelledError())
            if protocol.transport is None:
                connector.disconnect()
            else:
                protocol.hangUp()

        answered: Deferred[Any] = Deferred(leave)
        protocol.answered = answered
        connector = self._reactor.connectTCP(address, port, factory, timeout=None)
        return answered


def _holder(der: bytes) -> str:
    try:
        pem = crypto.dump_certificate(crypto.FILETYPE_PEM, crypto.load_certificate(crypto.FILETYPE_ASN1, der))
        facts = describe(pem)
    except (ValueError, crypto.Error):
        return "a server with a certificate that cannot be read"
    names = ", ".join(facts.names[:3]) or "no name"
    return f"a server with a certificate for {shown(names)} by {shown(facts.issuer)}"


class _Shown:
    """
    A handshake that was made.
    """

    def __init__(self, certificate: bytes, protocol: bytes | None) -> None:
        self.certificate = certificate
        self.protocol = protocol


class _Visit(Protocol):
    """
    One connection.
    """

    answered: Deferred[Any]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        if not self.answered.called:
            self.answered.callback(self.ended(reason.value))

    def ended(self, why: BaseException | None) -> Any:
        """What that means."""
        raise NotImplementedError

    def end(self, answer: Any) -> None:
        """That was the answer."""
        if not self.answered.called:
            self.answered.callback(answer)
        self.hangUp()

    def hangUp(self) -> None:
        """Whatever else there is to come."""
        transport: Any = self.transport
        transport.abortConnection()


class _Talk(_Visit):
    """
    By HTTP.
    """

    def __init__(self, words: bytes, asked: tuple[bytes, str, str, tuple[int, int]]) -> None:
        self._words = words
        self._asked = asked
        self._heard = b""

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self.transport.write(self._words)

    def dataReceived(self, data: bytes) -> None:
        """Until it is clear."""
        if self.answered.called:
            return
        self._heard += data
        told = read(self._heard, *self._asked, isOver=False)
        if told is not None:
            self.end(told)

    def ended(self, why: BaseException | None) -> Any:
        """It may have said all."""
        if not self._heard:
            if isinstance(why, SSL.Error):
                return Stranger("something that breaks off the handshake")
            return Stranger("something that hangs up without an answer")
        return read(self._heard, *self._asked, isOver=True)


@implementer(IHandshakeListener)
class _Look(_Visit):
    """
    By TLS, and not a word more.
    """

    def handshakeCompleted(self) -> None:
        """See L{IHandshakeListener}."""
        transport: Any = self.transport
        certificate = transport.getPeerCertificate()
        der = b"" if certificate is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        self.end(_Shown(der, transport.negotiatedProtocol))

    def ended(self, why: BaseException | None) -> Any:
        """There was no handshake."""
        return Stranger("something that breaks off the handshake")


class _Factory(ClientFactory):
    noisy = False

    def __init__(self, visit: _Visit) -> None:
        self._visit = visit

    def buildProtocol(self, addr: object) -> Protocol:
        """The one."""
        return self._visit

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """There is no connection."""
        why: Any = reason.value
        answer: Answer = Unreached(_reason(why))
        if isinstance(why, ConnectionRefusedError):
            answer = Closed()
        if not self._visit.answered.called:
            self._visit.answered.callback(answer)


def _reason(why: BaseException) -> str:
    if isinstance(why, TimeoutError):
        return "nobody answers"
    if isinstance(why, ConnectError) and why.osError is not None:
        return str(getattr(why.osError, "strerror", None) or why.osError)
    return shown(str(why).rstrip(".")) or type(why).__name__


@implementer(IOpenSSLClientConnectionCreator)
class _Greeting:
    """
    Trusts nobody, and asks nobody to be trusted: it is to be seen who is there.
    """

    def __init__(self, name: str, protocols: tuple[bytes, ...]) -> None:
        self._name = name
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_verify(SSL.VERIFY_NONE)
        if protocols:
            self._context.set_alpn_protos(list(protocols))

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See L{IOpenSSLClientConnectionCreator}."""
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(tlsProtocol)
        if ":" not in self._name:
            connection.set_tlsext_host_name(self._name.encode("ascii"))
        return connection
