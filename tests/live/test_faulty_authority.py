"""
A whole proxy and an authority that misbehaves, in every way that
L{smartproxy_tw.testing.faults} knows: what is there keeps being served, the reason is
visible, and when the authority behaves again the certificate is had without anybody
doing anything.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme import issuance, schedule
from smartproxy_tw.acme.client import Client as ACMEClient
from smartproxy_tw.acme.registration import Registration
from smartproxy_tw.config.model import Auto
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.authority import Authority
from smartproxy_tw.testing.faults import Faults

from ..ports import freePorts
from .running import PATIENCE
from .test_promise import Client, configuration, fresh, story

reactor: Any = _reactor

STEADY = "steady.example"

#: How it misbehaves, and what the status says of it.
FAULTS: dict[str, tuple[Callable[[Faults], None], str]] = {
    "slow": (lambda faults: faults.slow(12.0), "no whole answer within 5 s"),
    "cut": (lambda faults: faults.cut(), "cannot be reached"),
    "silent": (lambda faults: faults.cut(after=-1.0), "cannot be reached"),
    "truncated": (lambda faults: faults.truncated(), "no JSON"),
    "page": (lambda faults: faults.says(200, b"<html>", None, Content_Type="text/html"), "no JSON"),
    "unknown": (lambda faults: faults.unknownKinds(isAlone=True), "smoke-signal-01"),
    "odd": (lambda faults: faults.says(403, {"type": 7, "detail": []}, "order"), "status 403"),
    "busy": (lambda faults: faults.busy(1), "status 503"),
    "limited": (
        lambda faults: faults.says(
            429,
            {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slowly"},
            "order",
            Retry_After="1",
        ),
        "slowly",
    ),
    "trouble": (lambda faults: faults.says(500, {}, "finalize"), "status 500"),
}


class FaultyAuthorityTests(TestCase):
    timeout = 900

    def hurry(self) -> None:
        """
        Seconds in place of minutes and hours.
        """
        self.patch(issuance, "_OUTAGE", 0.5)
        self.patch(schedule, "_RETRIES", (0.5,))

        def newClient(registration: Any, key: Any, account: str | None) -> ACMEClient:
            settings = registration._settings
            return ACMEClient(
                reactor, settings.directory, key, account=account, caFile=settings.caFile, timeout=5.0
            )

        self.patch(Registration, "_newClient", newClient)

    async def opens(self) -> None:
        """
        Given an authority, and a proxy that has a certificate by it.
        """
        self.hurry()
        self.ports = freePorts(2)
        self.authority: Any = Authority(
            reactor, httpPort=self.ports[0], tlsPort=self.ports[1], chance=Random(6)
        )
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        file = os.path.abspath(self.mktemp())
        with open(file, "wb") as sink:
            sink.write(self.authority.root)
        self.authority.caFile = file
        self.state = fresh(self)
        self.client = Client(self.authority.root)
        proxy = await self.starts(STEADY)
        await self.until(proxy, STEADY, lambda status: status.state == "valid")
        await proxy.stopService()

    async def starts(self, *names: str) -> SmartProxy:
        config = configuration(self.authority, self.state, (self.ports[0], self.ports[1]), *names)
        proxy = SmartProxy(replace(config), reactor)
        proxy.startService()
        await proxy.whenReady()
        return proxy

    async def until(
        self, proxy: SmartProxy, name: str, isSo: Callable[[CertificateStatus], bool]
    ) -> CertificateStatus:
        """
        Wait for what is seen of a certificate.
        """
        for _ in range(1800):
            (status,) = (each for each in proxy.status() if each.key == Auto((name,)).key)
            if isSo(status):
                return status
            await deferLater(reactor, 0.05)
        self.fail(f"{name} is {status}")

    def shakesHands(self, name: str) -> None:
        """
        Something answers for a name, trusted or not.
        """
        context = ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", self.ports[1]), timeout=PATIENCE) as plain:
            context.wrap_socket(plain, server_hostname=name).close()

    @story
    async def test_each(self) -> None:
        """
        One fault after the other meets the order for a new name, while another
        name has its certificate.
        """
        await self.opens()
        for number, (word, (misbehave, told)) in enumerate(FAULTS.items()):
            name = f"{word}.example"
            misbehave(self.authority.faults)
            proxy = await self.starts(STEADY, name)
            try:
                status = await self.until(proxy, name, lambda status: status.problem is not None)
                self.assertIn(told, status.problem or "", word)
                self.assertEqual(await self.client.get(self.ports[1], STEADY), b"this is steady.example")
                await deferToThread(self.shakesHands, name)
                self.authority.faults.clear()
                status = await self.until(proxy, name, lambda status: status.state == "valid")
                self.assertIsNone(status.problem)
                self.assertEqual(await self.client.get(self.ports[1], name), f"this is {name}".encode())
            finally:
                await proxy.stopService()
            self.assertEqual((self.authority.issued, self.authority.invalid), (number + 2, 0), word)

    @story
    async def test_whatCostsNothing(self) -> None:
        """
        Half of all nonces refused, states out of their order, a moment's 503,
        unknown kinds first, and answers called what they are not, all at once:
        every certificate is had, by one order each.
        """
        await self.opens()
        self.authority.nonceReject = 0.5
        faults = self.authority.faults
        faults.outOfOrder()
        faults.unknownKinds()
        faults.typed("text/plain")
        faults.busy(what="authorization", times=2)
        names = [f"site{number}.example" for number in range(5)]
        proxy = await self.starts(STEADY, *names)
        try:
            for name in names:
                await self.until(proxy, name, lambda status: status.state == "valid")
                self.assertEqual(await self.client.get(self.ports[1], name), f"this is {name}".encode())
        finally:
            await proxy.stopService()
        self.assertEqual((self.authority.orders, self.authority.invalid), (6, 0))
