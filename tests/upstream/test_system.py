"""
The reactor's own resolver.
"""

from __future__ import annotations

from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.outcome import Failed, Found, Outcome
from smartproxy_tw.upstream.system import System

from .oracle import Oracle


class SystemTests(SynchronousTestCase):
    """
    L{System}.
    """

    @property
    def nameResolver(self) -> IHostnameResolver:
        """
        The test is the reactor.
        """
        return self.oracle

    def setUp(self) -> None:
        """Nobody has asked yet."""
        self.oracle = Oracle()
        self.got: list[Outcome] = []
        System(self).ask("a.test", self.got.append)

    def test_found(self) -> None:
        """
        Addresses in its order, without repetitions, for ten seconds.
        """
        self.oracle.answers("::1", "127.0.0.1", "::1")
        self.assertEqual(self.got, [Found(("::1", "127.0.0.1"), 10.0)])

    def test_nothing(self) -> None:
        """
        That there is none may be a failure as well.
        """
        self.oracle.answers()
        self.assertEqual(self.got, [Failed("the system knows no address for it")])
