"""
The last two of the four links, with the real data path, the real client and an
authority that really validates: B{presented}, without which the authority is told
nothing, and B{installed}, without which no answer is withdrawn.  The first two
are in L{tests.service.test_acme_timing}.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from smartproxy_tw.config.model import Acme, Auto
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.facts import HTTP01, Challenge, Credential
from smartproxy_tw.interfaces import IPlane
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.authority import Authority

from .configurations import configuration

reactor: Any = _reactor
HERE = "127.0.0.1"
NAME = "shop.example"


@implementer(IPlane)
class SlowPlane(LocalPlane):
    """
    A data path, some deeds of which wait for the test: as with workers of which
    one is late.
    """

    def __init__(self) -> None:
        super().__init__(reactor)
        self.isHolding = ""
        self.held: list[Callable[[], None]] = []
        self.presented: list[Challenge] = []

    def present(self, challenge: Challenge) -> Deferred[None]:
        self.presented.append(challenge)
        return self._slowly("present", lambda: LocalPlane.present(self, challenge))

    def install(self, key: str, credential: Credential) -> Deferred[None]:
        return self._slowly("install", lambda: LocalPlane.install(self, key, credential))

    def finish(self) -> None:
        """
        Do what was held, and hold no more.
        """
        self.isHolding = ""
        held, self.held = self.held, []
        for go in held:
            go()

    def _slowly(self, verb: str, deed: Callable[[], Deferred[None]]) -> Deferred[None]:
        if verb != self.isHolding:
            return deed()
        done: Deferred[None] = Deferred()
        self.held.append(lambda: deed().chainDeferred(done))
        return done


class LinkTests(TestCase):
    """
    A proxy whose data path is late.
    """

    timeout = 300

    async def begin(self, kind: Any, holding: str, *further: str) -> None:
        """
        A proxy that has asked for its first certificate.
        """
        ports = []
        for _ in range(2):
            probe = socket.socket()
            probe.bind((HERE, 0))
            ports.append(probe)
        http, https = (probe.getsockname()[1] for probe in ports)
        for probe in ports:
            probe.close()
        self.http, self.https = http, https
        # Nobody is at home at the second address.
        self.authority = Authority(
            reactor,
            httpPort=http,
            tlsPort=https,
            resolve=lambda name: "127.0.0.2" if name.startswith("dead.") else HERE,
        )
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        config = configuration(
            fresh(self),
            Auto((NAME, *further)),
            port=https,
            drain=0.5,
            acme=Acme(
                directory=self.authority.directoryURL,
                caFile=kept(self, self.authority.root),
                challenges=(kind,),
                httpPort=http,
                tlsPort=https,
            ),
        )
        self.plane = SlowPlane()
        self.proxy = SmartProxy(config, reactor, plane=lambda: self.plane)
        self.addCleanup(self.proxy.stopService)
        self.proxy.startService()
        # The self-signed certificate has been installed by now.
        await self.proxy.whenReady()
        self.plane.isHolding = holding

    async def until(self, claim: Callable[[], object]) -> None:
        """
        Wait for something that will be so.
        """
        while not claim():
            await deferLater(reactor, 0.01)

    async def issuer(self) -> str:
        """
        Who signed the certificate that a client sees.
        """

        def look() -> str:
            context = ssl.create_default_context(cadata=self.authority.root.decode("ascii"))
            with socket.create_connection((HERE, self.https), timeout=60) as plain:
                try:
                    context.wrap_socket(plain, server_hostname=NAME).close()
                except ssl.SSLCertVerificationError:
                    return "self-signed"
            return "the authority"

        return await deferToThread(look)

    async def answered(self) -> bool:
        """
        Whether the answer to the authority is to be had.
        """
        (challenge,) = self.plane.presented
        assert isinstance(challenge, HTTP01)

        def ask() -> bool:
            with socket.create_connection((HERE, self.http), timeout=60) as connection:
                path = f"/.well-known/acme-challenge/{challenge.token}"
                head = f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode("ascii"))
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            return answer.endswith(challenge.keyAuthorization.encode("ascii"))

        return await deferToThread(ask)

    async def _presented(self, kind: str) -> None:
        await self.begin(kind, "present")
        await self.until(lambda: self.plane.held)
        requests = self.authority.requests
        await deferLater(reactor, 0.1)
        self.assertEqual((self.authority.orders, self.authority.validations), (1, 0))
        self.assertEqual(self.authority.requests, requests)
        self.assertEqual(await self.issuer(), "self-signed")
        self.plane.finish()
        await self.until(lambda: self.proxy.status()[0].state == "valid")
        self.assertEqual((self.authority.orders, self.authority.invalid), (1, 0))
        self.assertEqual(await self.issuer(), "the authority")

    def test_presentedHTTP01(self) -> Deferred[None]:
        """
        As long as one part of the data path does not answer the challenge, the
        authority is not told that it may look; once all do, it looks once and
        is satisfied.
        """
        return Deferred.fromCoroutine(self._presented("http-01"))

    def test_presentedTLSALPN01(self) -> Deferred[None]:
        """
        Likewise with the other kind of challenge, on the port of the users.
        """
        return Deferred.fromCoroutine(self._presented("tls-alpn-01"))

    async def _installed(self) -> None:
        await self.begin("http-01", "install")
        await self.until(lambda: self.plane.held)
        self.assertEqual(self.authority.issued, 1)
        self.assertEqual(self.proxy.status()[0].state, "ordering")
        self.assertEqual(await self.issuer(), "self-signed")
        self.assertTrue(await self.answered())
        self.plane.finish()
        await self.until(lambda: self.proxy.status()[0].state == "valid")
        self.assertEqual(await self.issuer(), "the authority")
        self.assertFalse(await self.answered())

    def test_installed(self) -> Deferred[None]:
        """
        As long as one part of the data path does not serve the certificate,
        the answer stays, and it is not said to be valid.
        """
        return Deferred.fromCoroutine(self._installed())

    async def _oneNameIsDead(self) -> None:
        await self.begin("http-01", "", "dead.example")
        assert self.proxy.certificates is not None
        (status,) = await self.proxy.certificates.provisionAll()
        self.assertEqual(status.state, "failed")
        self.assertIn("dead.example", status.problem or "")
        self.assertIsNotNone(status.expires)
        self.assertEqual(await self.issuer(), "the authority")

    def test_oneNameIsDead(self) -> Deferred[None]:
        """
        A name that leads elsewhere does not take the others along: they have a
        certificate, and the status tells what is wrong with the dead one.
        """
        return Deferred.fromCoroutine(self._oneNameIsDead())


def fresh(test: TestCase) -> str:
    """
    The absolute path of something that does not exist yet.
    """
    return os.path.abspath(test.mktemp())


def kept(test: TestCase, content: bytes) -> str:
    """
    The path of a file.
    """
    path = fresh(test)
    with open(path, "wb") as file:
        file.write(content)
    return path
