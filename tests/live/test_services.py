"""
Services by a real name server: BIND.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from smartproxy_tw.upstream.nameservers import NameServers
from smartproxy_tw.upstream.services import Asked, Member, asking

from .named import Named, missing

reactor: Any = _reactor

RECORDS = """
_http._tcp.app 30 IN SRV 10 60 8080 one.{zone}.
_http._tcp.app 30 IN SRV 10 20 8081 two.{zone}.
_http._tcp.app 30 IN SRV 20 0 8082 spare.{zone}.
_gone._tcp.app 60 IN SRV 0 0 80 .
_alias._tcp.app 20 IN CNAME _http._tcp.app
"""


class ServiceTests(TestCase):
    """
    SRV records as they come over the wire.
    """

    skip = missing
    timeout = 900

    async def _asked(self) -> None:
        names = Named(reactor, self.mktemp(), "a.test", more=RECORDS.format(zone="a.test"))
        await names.start()
        try:
            where = names.address
            ask = asking(reactor, lambda: NameServers(((where.host, where.port),)))
            members = (
                Member(10, 20, "two.a.test", 8081),
                Member(10, 60, "one.a.test", 8080),
                Member(20, 0, "spare.a.test", 8082),
            )
            self.assertEqual(await ask("_http._tcp.app.a.test"), Asked(members, 30.0))
            self.assertEqual(await ask("_alias._tcp.app.a.test"), Asked(members, 20.0))
            self.assertEqual((await ask("_gone._tcp.app.a.test")).members, ())
            self.assertEqual((await ask("_none._tcp.none.b.a.test")).members, ())
        finally:
            await names.stop()

    def test_asked(self) -> Deferred[None]:
        """
        Priorities, weights, ports, aliases and lifetimes; a service that is said not to be
        there, and one of which nobody says anything.
        """
        return Deferred.fromCoroutine(self._asked())
