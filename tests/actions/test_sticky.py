"""
Tests for L{smartproxy_tw.actions.sticky}; that clients come back is seen in
L{tests.control.contract}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.build import buildAction
from smartproxy_tw.actions.means import Means
from smartproxy_tw.actions.plugged import Plugged
from smartproxy_tw.actions.sticky import StickyAction, Trail
from smartproxy_tw.config.model import Balance, Forward, Route, Sticky, Target
from smartproxy_tw.facts import Address, AnswerHead, ConnectionFacts, RequestFacts
from smartproxy_tw.interfaces import IAction, ILens
from smartproxy_tw.upstream.crumbs import Crumbs

HEAD = AnswerHead(200, b"A: b\r\n", 5)


class Upstream:
    """
    A group with crumbs.
    """

    crumbs = Crumbs(Sticky("sid"), lambda: b"s" * 32)


class Exchange:
    """
    One that is answered by somebody.
    """

    def __init__(self, target: str, cookie: str = "", *, isTLS: bool = False) -> None:
        self.target = target
        self.cookie = cookie
        self.isTLS = isTLS
        self.asked: list[Any] = []

    def facts(self) -> RequestFacts:
        """What is known."""
        return RequestFacts(ConnectionFacts(80, Address("::1", 1), isTLS=self.isTLS), "GET", "a.test", "/")

    def fields(self) -> list[tuple[str, str]]:
        """Its head."""
        return [("cookie", self.cookie)] if self.cookie else []

    def through(self, lens: Trail) -> None:
        """Asked for."""
        self.asked.append(lens)

    def forward(self, upstream: Any) -> None:
        """Asked for."""
        self.asked.append(upstream)

    def abort(self) -> None:
        """Asked for."""


class StickyTests(SynchronousTestCase):
    """
    What clients are told.
    """

    def setUp(self) -> None:
        self.upstream: Any = Upstream()
        forward = Forward((Target("a", 1),), balance=Balance(sticky=Sticky("sid")))
        means = Means(Clock(), Plugged(None))
        self.action = buildAction(Route("a", (80,), forward, "http"), lambda _: self.upstream, means)

    def answered(self, exchange: Any) -> bytes:
        """
        What the head of the answer gains.
        """
        self.action.request(exchange)
        lens, upstream = exchange.asked
        verifyObject(ILens, lens)
        self.assertIs(upstream, self.upstream)
        head = lens.look(exchange.facts, HEAD)
        self.assertEqual(head._replace(fields=HEAD.fields), HEAD)
        gained: bytes = head.fields.removeprefix(HEAD.fields)
        return gained

    def test_built(self) -> None:
        """
        It is built just for routes that ask for it.
        """
        self.assertIsInstance(self.action, StickyAction)
        verifyObject(IAction, self.action)

    def test_told(self) -> None:
        """
        Who has no cookie, or that of another target, is told the one of who has answered.
        """
        line = self.upstream.crumbs.line("a:1", isSecure=False)
        other = self.upstream.crumbs.crumb("b:1")
        self.assertEqual(self.answered(Exchange("a:1")), line)
        self.assertEqual(self.answered(Exchange("a:1", f"sid={other}")), line)
        self.assertIn(b"; Secure", self.answered(Exchange("a:1", isTLS=True)))

    def test_known(self) -> None:
        """
        Who has it already is told nothing, nor is anybody of an answer of ours.
        """
        crumb = self.upstream.crumbs.crumb("a:1")
        self.assertEqual(self.answered(Exchange("a:1", f"sid={crumb}")), b"")
        self.assertEqual(self.answered(Exchange("")), b"")

    def test_bytes(self) -> None:
        """
        What is no HTTP is forwarded all the same.
        """
        exchange: Any = Exchange("a:1")
        self.action.stream(exchange)
        self.assertEqual(exchange.asked, [self.upstream])
