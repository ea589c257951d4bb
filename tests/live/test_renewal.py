"""
A whole proxy and the authority in C{testing}: it renews when the authority wants it
to, and says what it replaces.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import TLS, AccessLog, Acme, Auto, Config, Respond, Route, Timeouts
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.authority import Authority

from ..ports import freePorts
from .test_promise import Client, story

reactor: Any = _reactor


class NoChance(Random):
    """
    Nothing is left to it: what might happen within a minute happens at once.
    """

    def random(self) -> float:
        return 0.0


class RenewalTests(TestCase):
    """
    ARI, from end to end.
    """

    timeout = 900

    @story
    async def test_window(self) -> None:
        """
        A certificate is had; after a restart the authority wants all of them to
        be renewed at once: there is one order more, which says what it replaces,
        its certificate is served, and though the authority wants that one renewed
        too there is no storm.
        """
        httpPort, tlsPort = freePorts(2)
        authority = Authority(reactor, httpPort=httpPort, tlsPort=tlsPort)
        await authority.start()
        self.addCleanup(authority.stop)
        trust = Path(self.mktemp())
        trust.write_bytes(authority.root)
        config = Config(
            routes=(
                Route(
                    "a",
                    (tlsPort,),
                    Respond(body="this is a.example"),
                    "http",
                    ("a.example",),
                    tls=TLS("terminate", Auto(("a.example",))),
                ),
            ),
            stateDir=os.path.abspath(self.mktemp()),
            bind=("127.0.0.1",),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=1.0),
            acme=Acme(
                directory=authority.directoryURL,
                caFile=str(trust.absolute()),
                httpPort=httpPort,
                tlsPort=tlsPort,
            ),
        )
        client = Client(authority.root)
        serials = []
        known: list[int | None] = [None]
        for wanted in (1, 2):
            proxy = SmartProxy(config, reactor, chance=NoChance())
            proxy.startService()
            await proxy.whenReady()
            for _ in range(1800):
                (status,) = proxy.status()
                if status.state == "valid" and authority.orders >= wanted and status.serial not in known:
                    break
                await deferLater(reactor, 0.05)
            known.append(status.serial)
            await deferLater(reactor, 0.5)
            (status,) = proxy.status()
            self.assertEqual((status.state, authority.orders), ("valid", wanted), status)
            connection = await client.connect(tlsPort, "a.example")
            certificate = connection.getpeercert() or {}
            serials.append(certificate["serialNumber"])
            connection.close()
            self.assertIn("the authority asks for it" if wanted == 2 else "", status.reason or "")
            await proxy.stopService()
            authority.renewalWindow = (-0.2, -0.1)
        self.assertEqual(len(set(serials)), 2)
