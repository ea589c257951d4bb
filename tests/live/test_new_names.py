"""
The promise, kept for names that come while the proxy serves: Pebble is asked for them
when the ports of their challenge are bound and served, never earlier, so it never has
to say no; and orders that are under way are not disturbed by what else changes.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Literal

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import Config, Respond, Route
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts
from .pebble import Pebble, missing
from .test_promise import configuration, story

reactor: Any = _reactor


class NewNameTests(TestCase):
    """
    A proxy that begins without any certificate.
    """

    skip = missing
    timeout = 900

    async def begin(self, *, workers: int, sleep: bool) -> None:
        """
        The proxy, and Pebble.
        """
        self.ports = freePorts(2)
        plain, *self.further = freePorts(4)
        self.authority = Pebble(
            reactor, self.mktemp(), httpPort=self.ports[0], tlsPort=self.ports[1], sleep=sleep
        )
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        self.plain = Route("plain", (plain,), Respond(body="plain"), "http")
        self.config = replace(
            configuration(self.authority, os.path.abspath(self.mktemp()), self.ports), workers=workers
        )
        self.proxy = SmartProxy(self.with_(self.plain), reactor)
        self.addCleanup(self.proxy.stopService)
        self.proxy.startService()
        await self.proxy.whenReady()

    def with_(self, *routes: Route) -> Config:
        """
        The configuration with other routes.
        """
        return replace(self.config, routes=routes)

    def secure(self, *names: str) -> tuple[Route, ...]:
        """
        Routes with certificates.
        """
        state = self.config.stateDir
        return configuration(self.authority, state, self.ports, *names).routes

    async def until(self, *states: Literal["valid", "ordering"]) -> None:
        """
        Wait until each certificate stands so.
        """
        while tuple(each.state for each in self.proxy.status()) != states:
            await deferLater(reactor, 0.05)

    @story
    async def test_firstAttempt(self) -> None:
        """
        Ports and names come with one reload, more names with the next, one goes: the
        authority is asked once for each, and never in vain.
        """
        for workers in (1, 2):
            await self.begin(workers=workers, sleep=False)
            self.assertEqual(self.authority.tally().requests, 0)
            await self.proxy.updateRoutes([self.plain, *self.secure("a.example")])
            await self.until("valid")
            await self.proxy.updateRoutes([self.plain, *self.secure("a.example", "b.example", "c.example")])
            await self.until(*["valid"] * 3)
            await self.proxy.updateRoutes([*self.secure("c.example", "a.example")])
            await self.proxy.updateRoutes([*self.secure("c.example", "b.example", "a.example")])
            await self.until(*["valid"] * 3)
            tally = self.authority.tally()
            self.assertEqual((tally.orders, tally.invalid, tally.issued), (3, 0, 3))
            await self.proxy.stopService()
            await self.authority.stop()

    @story
    async def test_undisturbed(self) -> None:
        """
        While Pebble takes its time to look at a name, other routes and ports come and
        go: its order ends well, and was the only one.
        """
        await self.begin(workers=1, sleep=True)
        secure = self.secure("a.example")
        await self.proxy.updateRoutes([self.plain, *secure])
        await self.until("ordering")
        number = 0
        while self.proxy.status()[0].state == "ordering":
            number += 1
            other = replace(self.plain, name=f"other{number}", ports=(self.further[number % 3],))
            await self.proxy.updateRoutes([other, *secure])
            await deferLater(reactor, 0.1)
        await self.until("valid")
        self.assertGreater(number, 0)
        tally = self.authority.tally()
        self.assertEqual((tally.orders, tally.invalid, tally.issued), (1, 0, 1))
