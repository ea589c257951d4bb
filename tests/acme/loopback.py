"""
A data path just large enough to answer challenges over real sockets: what
stands in for the product's own in tests of the room that asks for
certificates.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from smartproxy_tw.facts import HTTP01, TLSALPN01, Challenge, Credential

__all__ = ["LoopbackPlane"]

_PREFIX = b"/.well-known/acme-challenge/"


def _selectALPN(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return b"acme-tls/1" if offered == [b"acme-tls/1"] else SSL.NO_OVERLAPPING_PROTOCOLS


def _context(credential: Credential) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(X509.from_cryptography(load_pem_x509_certificate(credential.chain)))
    key: Any = load_pem_private_key(credential.key, None)
    context.use_privatekey(PKey.from_cryptography_key(key))
    context.set_alpn_select_callback(_selectALPN)
    return context


@implementer(IOpenSSLServerConnectionCreator)
class _Proofs:
    """
    Chooses among the presented certificates by the name that is asked for.
    """

    def __init__(self, plane: LoopbackPlane) -> None:
        self._plane = plane

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_tlsext_servername_callback(self._choose)
        return SSL.Connection(context, None)

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii")
        for challenge in self._plane.presented:
            if isinstance(challenge, TLSALPN01) and challenge.name == name:
                connection.set_context(_context(challenge.credential))
                self._plane.asked.append(name)


class _Answers(Resource):
    isLeaf = True

    def __init__(self, plane: LoopbackPlane) -> None:
        super().__init__()
        self._plane = plane

    def render_GET(self, request: Request) -> bytes:
        name = request.getRequestHostname().decode("ascii")
        for challenge in self._plane.presented:
            if not isinstance(challenge, HTTP01) or challenge.name != name:
                continue
            if request.path == _PREFIX + challenge.token.encode("ascii"):
                self._plane.asked.append(name)
                return challenge.keyAuthorization.encode("ascii")
        request.setResponseCode(404)
        return b"nothing here"


class LoopbackPlane:
    """
    Answers what was presented, and remembers what happened.

    @ivar presented: What is answered now.
    @ivar story: Every C{"present NAME"} and C{"withdraw NAME"}, in order.
    @ivar asked: The names that the authority has asked for.
    @ivar wrong: Names whose http-01 answers are wrong on purpose.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.presented: list[Challenge] = []
        self.story: list[str] = []
        self.asked: list[str] = []
        self.wrong: set[str] = set()
        self._ports: list[Any] = []

    def listen(self) -> tuple[int, int]:
        """
        Listen on two free ports.

        @return: Those for http-01 and for tls-alpn-01.
        """
        site = Site(_Answers(self))
        site.noisy = False
        silent = Factory.forProtocol(Protocol)
        silent.noisy = False
        tls = TLSMemoryBIOFactory(_Proofs(self), False, silent)
        tls.noisy = False
        self._ports = [self._reactor.listenTCP(0, factory, interface="127.0.0.1") for factory in (site, tls)]
        http, alpn = (port.getHost().port for port in self._ports)
        return http, alpn

    def close(self) -> Deferred[Any]:
        """
        Listen no more.
        """
        ports, self._ports = self._ports, []
        return gatherResults([port.stopListening() for port in ports])

    def present(self, challenge: Challenge) -> Deferred[None]:
        """
        As C{IPlane} has it.
        """
        self.story.append(f"present {challenge.name}")
        if challenge.name in self.wrong and isinstance(challenge, HTTP01):
            challenge = HTTP01(challenge.name, challenge.token, "something else")
        self.presented.append(challenge)
        return succeed(None)

    def withdraw(self, challenge: Challenge) -> Deferred[None]:
        """
        As C{IPlane} has it.
        """
        self.story.append(f"withdraw {challenge.name}")
        self.presented = [
            each
            for each in self.presented
            if not (each.name == challenge.name and type(each) is type(challenge))
        ]
        return succeed(None)
