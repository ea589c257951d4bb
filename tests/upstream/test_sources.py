"""
Whom to ask for a name, and in which order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.hosts import HostsFile
from smartproxy_tw.upstream.outcome import Failed, Found, Nothing, Outcome
from smartproxy_tw.upstream.sources import OneSource, Sources, usualSource
from smartproxy_tw.upstream.system import System

from .oracle import Oracle, Sage


class FakeDNS(Sage):
    """
    Name servers, or none.
    """

    isThere = True

    def canAsk(self) -> bool:
        """See L{DNS<smartproxy_tw.upstream.lookup.DNS>}."""
        return self.isThere


class SourcesTests(SynchronousTestCase):
    """
    L{Sources}.
    """

    @property
    def nameResolver(self) -> IHostnameResolver:
        """
        The test is the reactor.
        """
        return self.oracle

    def setUp(self) -> None:
        """A hosts file with one name, name servers, a system."""
        self.oracle = Oracle()
        self.dns: Any = FakeDNS()
        path = Path(self.mktemp())
        path.write_text("127.0.0.9 here.test\n127.0.0.8 here.test\n")
        self.sources = Sources(HostsFile(str(path)), self.dns, System(self))
        self.got: list[tuple[Outcome, bool]] = []

    def asks(self, host: str = "a.test") -> None:
        """
        Ask, and keep what is said.
        """
        self.got.clear()
        self.sources.ask(host, lambda outcome, isLast: self.got.append((outcome, isLast)))

    def test_hosts(self) -> None:
        """
        What is in the hosts file is asked of nobody.
        """
        self.asks("here.test")
        self.assertEqual(self.got, [(Found(("127.0.0.9", "127.0.0.8"), 10.0), True)])
        self.assertEqual((self.dns.asked, self.oracle.questions), ([], []))

    def test_dns(self) -> None:
        """
        Then DNS, whose early answer is passed on too.
        """
        self.asks()
        early, late = Found(("127.0.0.1",), 60.0, True), Found(("::1", "127.0.0.1"), 60.0)
        self.dns.says(early, False)
        self.dns.says(late)
        self.assertEqual(self.got, [(early, False), (late, True)])
        self.assertEqual(self.oracle.questions, [])

    def test_system(self) -> None:
        """
        What DNS does not know the system may, and is asked first from then on,
        until it does not know either.
        """
        self.asks()
        self.dns.says(Nothing(5.0))
        self.assertEqual(self.got, [])
        self.oracle.answers("127.0.0.5")
        self.assertEqual(self.got, [(Found(("127.0.0.5",), 10.0), True)])
        self.asks()
        self.assertEqual((len(self.dns.asked), len(self.oracle.questions)), (1, 1))
        self.oracle.answers()
        self.assertEqual(self.got, [(Failed("the system knows no address for it"), True)])
        self.asks()
        self.assertEqual(len(self.dns.asked), 2)

    def test_nobody(self) -> None:
        """
        When the system does not know either, what DNS said is told.
        """
        for outcome in (Nothing(5.0), Failed("silence")):
            self.asks()
            self.dns.says(outcome)
            self.oracle.answers()
            self.assertEqual(self.got, [(outcome, True)])

    def test_dnsFailsLater(self) -> None:
        """
        What DNS once knew is not asked of the system: its threads would only
        wait for the same name servers.
        """
        self.asks()
        self.dns.says(Found(("127.0.0.1",), 60.0))
        for outcome in (Failed("silence"), Nothing(5.0)):
            self.asks()
            self.dns.says(outcome)
            self.assertEqual(self.got, [(outcome, True)])
        self.assertEqual(self.oracle.questions, [])

    def test_noServers(self) -> None:
        """
        Without name servers the system is asked at once.
        """
        self.dns.isThere = False
        self.asks()
        self.oracle.answers("127.0.0.5")
        self.assertEqual(self.got, [(Found(("127.0.0.5",), 10.0), True)])
        self.assertEqual(self.dns.asked, [])

    def test_usual(self) -> None:
        """
        A reactor with a resolver of somebody's choice is asked alone; with the
        usual one it is the three of them.
        """
        source = usualSource(self)
        self.assertIsInstance(source, OneSource)
        got: list[tuple[Outcome, bool]] = []
        keep: Callable[[Outcome, bool], None] = lambda outcome, isLast: got.append((outcome, isLast))  # noqa: E731
        source.ask("a.test", keep)
        self.oracle.answers("127.0.0.1")
        self.assertEqual(got, [(Found(("127.0.0.1",), 10.0), True)])
        self.assertIsInstance(usualSource(reactor), Sources)
