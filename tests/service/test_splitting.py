"""
Routes with more names than go on one certificate: the real data path, the real
client, and an authority that refuses too large orders as Let's Encrypt does.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smartproxy_tw.config import division
from smartproxy_tw.config.model import Acme, Auto, Config
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.authority import Authority

from ..ports import freePorts
from .configurations import configuration
from .test_links import fresh, kept

reactor: Any = _reactor
HERE = "127.0.0.1"


class SplittingTests(TestCase):
    """
    A proxy with one route.
    """

    timeout = 300

    async def begin(self, mostNames: int) -> None:
        """
        An authority that takes so many names in one order.
        """
        self.http, self.https = freePorts(2)
        self.authority = Authority(reactor, httpPort=self.http, tlsPort=self.https, mostNames=mostNames)
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        self.state = fresh(self)
        self.trusted = kept(self, self.authority.root)

    def config(self, names: tuple[str, ...]) -> Config:
        """
        A route for these names.
        """
        config = configuration(
            self.state,
            Auto(names),
            port=self.https,
            drain=0.5,
            acme=Acme(
                directory=self.authority.directoryURL,
                caFile=self.trusted,
                challenges=("http-01",),
                httpPort=self.http,
                tlsPort=self.https,
            ),
        )
        return replace(config, routes=tuple(replace(each, domains=names) for each in config.routes))

    async def live(self, names: tuple[str, ...]) -> tuple[int, dict[str, tuple[str, ...]]]:
        """
        One life, until all is provisioned: the orders that it cost, and for each
        name what the certificate is for that a client is shown.
        """
        before = self.authority.orders
        proxy = SmartProxy(self.config(names), reactor)
        proxy.startService()
        try:
            await proxy.whenReady()
            assert proxy.certificates is not None
            found = await proxy.certificates.provisionAll()
            self.assertEqual({each.state for each in found}, {"valid"}, found)
            shown = await deferToThread(lambda: {name: self.ask(name) for name in names})
        finally:
            await proxy.stopService()
        return self.authority.orders - before, shown

    def ask(self, name: str, host: str | None = None) -> tuple[str, ...]:
        """
        A request that is answered, and the names of the certificate.
        """
        context = ssl.create_default_context(cadata=self.authority.root.decode("ascii"))
        with socket.create_connection((HERE, self.https), timeout=60) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                head = f"GET / HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n"
                secure.sendall(head.encode("ascii"))
                answer = b""
                while part := secure.recv(65536):
                    answer += part
                self.assertIn(b" 200 " if host is None else b" 421 ", answer)
                certificate: Any = secure.getpeercert()
        return tuple(each for _, each in certificate["subjectAltName"])

    async def _splits(self) -> None:
        # Nothing is different with a hundred, but that it takes longer.
        self.patch(division, "MOST_NAMES", 10)
        await self.begin(10)
        names = tuple(f"shop{number}.example" for number in range(13))
        orders, shown = await self.live(names)
        parts = {frozenset(each) for each in shown.values()}
        self.assertEqual((orders, len(parts)), (2, 2))
        self.assertEqual(frozenset().union(*parts), frozenset(names))
        for name, part in shown.items():
            self.assertIn(name, part)
        # One name less changes one part: it is on a certificate still, and so no order follows.
        orders, _ = await self.live(names[1:])
        self.assertEqual(orders, 0)
        # One more is one order.
        orders, shown = await self.live((*names, "new.example"))
        self.assertEqual(orders, 1)
        self.assertEqual(len(parts & {frozenset(each) for each in shown.values()}), 1)

    def test_splits(self) -> Deferred[None]:
        """
        More names than one order may have are two orders, whose certificates are shown
        each for its own names; a name that goes costs none, and one that comes one.
        """
        return Deferred.fromCoroutine(self._splits())

    async def _learns(self) -> None:
        await self.begin(10)
        names = tuple(f"shop{number}.example" for number in range(14))
        orders, shown = await self.live(names)
        parts = {frozenset(each) for each in shown.values()}
        self.assertEqual(orders, len(parts))
        self.assertLessEqual(max(map(len, parts)), 10)
        requests = self.authority.requests
        orders, _ = await self.live(names)
        self.assertEqual(orders, 0)
        # Renewal information, at most: no account, no order, no refusal.
        self.assertLessEqual(self.authority.requests - requests, 1 + len(parts))

    def test_learns(self) -> Deferred[None]:
        """
        An authority of which nothing is known refuses the first order for its
        number of names, and is asked for parts at once; the next process knows.
        """
        return Deferred.fromCoroutine(self._learns())

    async def _together(self) -> None:
        await self.begin(100)
        for name in ("a.example", "b.example"):
            await self.live((name,))
        await self.authority.stop()
        names = ("a.example", "b.example", "c.example")
        proxy = SmartProxy(self.config(names), reactor)
        proxy.startService()
        try:
            await proxy.whenReady()
            for name in names[:2]:
                self.assertEqual(await deferToThread(self.ask, name), (name,))
            await self.authority.start()
            while proxy.status()[0].state != "valid":
                await deferLater(reactor, 0.05)
            for name in names:
                self.assertEqual(set(await deferToThread(self.ask, name)), set(names))
        finally:
            await proxy.stopService()

    def test_together(self) -> Deferred[None]:
        """
        Names that come together go on being served by the certificates that each had,
        though the authority is away, until it has given one for all.
        """
        return Deferred.fromCoroutine(self._together())

    async def _misdirected(self) -> None:
        await self.begin(1)
        names = ("a.example", "b.example")
        proxy = SmartProxy(self.config(names), reactor)
        proxy.startService()
        try:
            await proxy.whenReady()
            assert proxy.certificates is not None
            await proxy.certificates.provisionAll()
            await deferToThread(lambda: self.ask("a.example", "b.example"))
        finally:
            await proxy.stopService()

    def test_misdirected(self) -> Deferred[None]:
        """
        A request for a name that the connection's certificate is not for is
        misdirected, though it is the same route.
        """
        return Deferred.fromCoroutine(self._misdirected())
