"""
Tests for L{smartproxy_tw.preflight.build}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Acme, Config, Hook, OwnZones, Preflight
from smartproxy_tw.facts import Address
from smartproxy_tw.preflight import build
from smartproxy_tw.upstream.nameservers import ResolvConf


class LookForTests(SynchronousTestCase):
    """
    A look is as the configuration says.
    """

    def look(self, lender: Any = None, *, isForeign: bool = False, **acme: Any) -> Any:
        """
        The one for these settings.
        """
        return build.lookFor(Clock(), Config((), "/state", acme=Acme(**acme)), lender, isForeign=isForeign)

    def servers(self, **acme: Any) -> tuple[tuple[str, int], ...]:
        """
        Who is asked about names.
        """
        found: tuple[tuple[str, int], ...] = self.look(**acme)._names._settings().servers
        return found

    def test_resolvers(self) -> None:
        """
        Those of the preflight are asked, else those of dns-01, else those of the system.
        """
        mine, theirs = Address("9.9.9.9", 53), Address("192.0.2.53", 5353)
        hook = Hook(("/bin/true",), resolvers=(theirs,))
        self.assertEqual(self.servers(dns=hook, preflight=Preflight(resolvers=(mine,))), (("9.9.9.9", 53),))
        self.assertEqual(self.servers(dns=hook), (("192.0.2.53", 5353),))
        self.assertEqual(self.servers(dns=Hook(("/bin/true",))), ResolvConf().read().servers)

    def test_system(self) -> None:
        """
        The system's are read again when they have changed: a proxy runs for longer than a lease.
        """
        path = Path(self.mktemp())
        path.write_text("nameserver 192.0.2.1\n")
        self.patch(build, "ResolvConf", lambda: ResolvConf(str(path)))
        look = self.look()
        self.assertEqual(look._names._settings().servers, (("192.0.2.1", 53),))
        path.write_text("nameserver 192.0.2.2\nnameserver 192.0.2.3\n")
        self.assertEqual(look._names._settings().servers, (("192.0.2.2", 53), ("192.0.2.3", 53)))

    def test_patience(self) -> None:
        """
        Either is asked for as long as there is time for, and no longer.
        """
        chosen = self.look(preflight=Preflight(resolvers=(Address("9.9.9.9", 53),)))
        for look in (chosen, self.look()):
            self.assertEqual(look._names._settings().timeouts, (1, 2))

    def test_ports(self) -> None:
        """
        It knocks where the authority does, and knows where something in between has to
        forward that.
        """
        look = self.look(httpPort=8080, tlsPort=443)
        self.assertEqual((look._ports, look._forwarded), ((80, 443), (True, False)))
        look = self.look(httpPort=80, tlsPort=8443, preflight=Preflight(httpPort=80, tlsPort=8443))
        self.assertEqual((look._ports, look._forwarded), ((80, 8443), (False, False)))

    def test_zones(self) -> None:
        """
        It knows to which zones the records of dns-01 belong, if that is said.
        """
        own = OwnZones(("p.example", "q.example"), "ns.example", (Address("192.0.2.80", 53),))
        self.assertEqual(self.look(dns=own)._zones, ("p.example", "q.example"))
        self.assertEqual(self.look(dns=Hook(("/bin/true",), zone="shops.example"))._zones, ("shops.example",))
        self.assertEqual(self.look(dns=Hook(("/bin/true",)))._zones, ())
        self.assertEqual(self.look()._zones, ())

    def test_answering(self) -> None:
        """
        The name server of our own is expected to answer where one can be lent something, and
        nowhere else; a record that others put somewhere is not looked for.
        """
        own = OwnZones(("p.example",), "ns.example", (Address("192.0.2.80", 53),))
        self.assertTrue(self.look(object(), dns=own)._isAnswering)
        self.assertFalse(self.look(None, dns=own)._isAnswering)
        self.assertFalse(self.look(object())._isAnswering)
        self.assertTrue(self.look()._isProving)
        self.assertFalse(self.look(isForeign=True)._isProving)
