"""
An authority of the real world that is away for five seconds when the proxy starts:
what is wanted is there within three seconds of its return.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts
from .pebble import Pebble, missing
from .test_promise import configuration, fresh, story

reactor: Any = _reactor

OUTAGE, RECOVERY = 5.0, 3.0


class RecoveryTests(TestCase):
    """
    How long it takes after an outage.
    """

    skip = missing
    timeout = 900

    async def afterOutage(self, before: float) -> float:
        """
        Be away for five seconds.

        @param before: So many seconds of it have passed when the proxy starts.
        @return: How many seconds after the return everything is there.
        """
        ports = freePorts(2)
        authority = Pebble(reactor, self.mktemp(), httpPort=ports[0], tlsPort=ports[1])
        self.addCleanup(authority.stop)
        await authority.start()
        await authority.stop()
        names = [f"name{number}.example" for number in range(10)]
        proxy = SmartProxy(configuration(authority, fresh(self), ports, *names), reactor)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        await deferLater(reactor, OUTAGE - before)
        await authority.start()
        back = reactor.seconds()
        while any(status.state != "valid" for status in proxy.status()):
            await deferLater(reactor, 0.02)
        return float(reactor.seconds() - back)

    @story
    async def test_atTheStart(self) -> None:
        """
        Whenever in the outage the proxy starts.
        """
        for before in (0.0, 4.6):
            seconds = await self.afterOutage(before)
            self.assertLess(seconds, RECOVERY, before)
