"""
How an authority looks whether a challenge is answered: http-01 by RFC 8555
section 8.3, tls-alpn-01 by RFC 8737, over real connections, to wherever C{resolve}
says that a name is, and dns-01 by RFC 8555 section 8.4, of one server of the DNS.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from ..acme.x509 import ACME_IDENTIFIER, namesIn, serverNameFor
from ..bounds.body import BoundedBody
from ..bounds.within import within
from ..records.errors import RecordFailed
from ..records.lookup import Lookup
from ..records.questions import Questions
from .signed import Refused

if TYPE_CHECKING:
    from ..facts import Address

__all__ = ["Validator"]

#: An answer of http-01 is not read further.
_LARGEST_ANSWER = 4096

_ALPN = b"acme-tls/1"


@implementer(IAgentEndpointFactory)
class _Where:
    """
    Leads every URL to where the name is said to be.
    """

    def __init__(self, endpointFor: Callable[[str], IStreamClientEndpoint]) -> None:
        self._endpointFor = endpointFor

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        return self._endpointFor(uri.host.decode("ascii").strip("[]"))


@implementer(IOpenSSLClientConnectionCreator)
class _Greeting:
    """
    A ClientHello that asks for the proof of a name, and for nothing else.
    """

    def __init__(self, serverName: str) -> None:
        self._serverName = serverName

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        # Who the peer is, is what is to be found out: nothing is verified.
        connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        connection.set_tlsext_host_name(self._serverName.encode("ascii"))
        connection.set_alpn_protos([_ALPN])
        return connection


@implementer(IHandshakeListener)
class _Look(Protocol):
    """
    Takes the certificate out of a handshake.
    """

    def __init__(self) -> None:
        self.shown: Deferred[x509.Certificate] = Deferred(lambda _: self._hangUp())

    def handshakeCompleted(self) -> None:
        transport: Any = self.transport
        chosen = transport.negotiatedProtocol
        certificate = transport.getPeerCertificate()
        if chosen != _ALPN:
            self._end(Refused(403, "unauthorized", f"the server did not choose {_ALPN.decode()} by ALPN"))
        elif certificate is None:
            self._end(Refused(400, "tls", "the server showed no certificate"))
        else:
            self._end(certificate.to_cryptography())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(Refused(400, "tls", f"the handshake failed ({reason.getErrorMessage()})"))

    def _end(self, result: x509.Certificate | Refused) -> None:
        if self.shown.called:
            return
        self._hangUp()
        if isinstance(result, Refused):
            self.shown.errback(result)
        else:
            self.shown.callback(result)

    def _hangUp(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()


class Validator:
    """
    Looks.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        httpPort: int,
        tlsPort: int,
        resolve: Callable[[str], str],
        nameServer: Address | None = None,
        timeout: float = 10.0,
    ) -> None:
        """
        @param reactor: Makes connections and tells the time.
        @param httpPort: Where http-01 is looked for.
        @param tlsPort: Where tls-alpn-01 is looked for.
        @param resolve: The address of a name.
        @param nameServer: Whom it asks for records; L{None}: it knows no DNS.
        @param timeout: Seconds for one look.
        """
        self._reactor = reactor
        self._httpPort = httpPort
        self._tlsPort = tlsPort
        self._resolve = resolve
        self._nameServer = nameServer
        self._timeout = timeout

    def look(self, kind: str, name: str, token: str, keyAuthorization: str) -> Deferred[None]:
        """
        See whether a name is proved.

        @param kind: C{"http-01"}, C{"tls-alpn-01"} or C{"dns-01"}.
        @param name: The identifier.
        @param token: Of the challenge.
        @param keyAuthorization: What it is to be answered with.
        @return: Fails with L{Refused} when it is not.
        """
        return Deferred.fromCoroutine(self._look(kind, name, token, keyAuthorization))

    async def _look(self, kind: str, name: str, token: str, keyAuthorization: str) -> None:
        way = {"http-01": self._byHTTP, "tls-alpn-01": self._byTLS, "dns-01": self._byDNS}[kind]
        looking = Deferred.fromCoroutine(way(name, token, keyAuthorization))
        try:
            await within(self._timeout, self._reactor, looking)
        except (CancelledError, Refused):
            raise
        except Exception as why:
            if isinstance(why, TimeoutError):
                said = f"no whole answer within {self._timeout:g} s"
                raise Refused(400, "connection", f"{name} could not be asked: {said}") from why
            reasons = getattr(why, "reasons", ())
            said = "; ".join(each.getErrorMessage() for each in reasons) or str(why) or type(why).__name__
            raise Refused(400, "connection", f"{name} could not be asked: {said}") from why

    async def _byHTTP(self, name: str, token: str, keyAuthorization: str) -> None:
        agent = Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
            self._reactor, _Where(lambda host: self._endpoint(host, self._httpPort))
        )
        host = f"[{name}]" if ":" in name else name
        url = f"http://{host}/.well-known/acme-challenge/{token}"
        fields = Headers({"User-Agent": ["smartproxy_tw testing authority"]})
        response = await agent.request(b"GET", url.encode("ascii"), fields)
        collected = BoundedBody(_LARGEST_ANSWER)
        response.deliverBody(collected)
        body = await collected.whole
        if response.code != 200:
            raise Refused(403, "unauthorized", f"{url} answered with status {response.code}")
        # RFC 8555 section 8.3: white space at the end is overlooked.
        if not hmac.compare_digest(body.rstrip(), keyAuthorization.encode("ascii")):
            raise Refused(403, "unauthorized", f"{url} answered something else than the key authorization")

    async def _byTLS(self, name: str, token: str, keyAuthorization: str) -> None:
        look = _Look()
        endpoint = wrapClientTLS(_Greeting(serverNameFor(name)), self._endpoint(name, self._tlsPort))
        await endpoint.connect(Factory.forProtocol(lambda: look))
        certificate = await look.shown
        shown = namesIn(certificate)
        if shown != (name,):
            raise Refused(403, "unauthorized", f"the certificate is for {', '.join(shown)}, not just {name}")
        proof = hashlib.sha256(keyAuthorization.encode("ascii")).digest()
        for extension in certificate.extensions:
            if extension.oid == ACME_IDENTIFIER:
                value = extension.value
                given = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
                if extension.critical and hmac.compare_digest(given, b"\x04\x20" + proof):
                    return
        raise Refused(403, "unauthorized", "the certificate has no critical acmeIdentifier that fits")

    async def _byDNS(self, name: str, token: str, keyAuthorization: str) -> None:
        if self._nameServer is None:
            raise Refused(400, "dns", "this authority knows no DNS")
        digest = hashlib.sha256(keyAuthorization.encode("ascii")).digest()
        wanted = urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
        lookup = Lookup(Questions(self._reactor).ask, [self._nameServer])
        try:
            owner = await lookup.aliased(f"_acme-challenge.{name}")
            found = await lookup.texts(owner, self._nameServer)
        except RecordFailed as why:
            raise Refused(400, "dns", str(why)) from why
        if wanted not in found:
            raise Refused(403, "unauthorized", f"none of the {len(found)} TXT records at {owner} is the one")

    def _endpoint(self, name: str, port: int) -> IStreamClientEndpoint:
        address = self._resolve(name)
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        endpoint: IStreamClientEndpoint = kind(self._reactor, address, port)
        return endpoint
