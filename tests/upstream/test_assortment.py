"""
The groups of targets that are worked out.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import Dynamic, Forward, ProxyHeader, Target, UpstreamTLS
from smartproxy_tw.upstream.assortment import Assortment


class _Group:
    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.closed = 0
        self.requests = 1

    def tell(self, counts: dict[str, int], standing: dict[str, int], now: float = 0.0) -> None:
        """As a group does."""
        name = f"target_requests - {self.forward.targets[0]}"
        requests, self.requests = self.requests, 0
        if requests:
            counts[name] = counts.get(name, 0) + requests
        standing[f"target_idle - {self.forward.targets[0]}"] = 1

    def close(self) -> None:
        """Counted."""
        self.closed += 1


class AssortmentTests(SynchronousTestCase):
    """
    L{Assortment}.
    """

    def setUp(self) -> None:
        """
        A clock, and whoever makes groups.
        """
        self.clock = Clock()
        self.made: list[Any] = []

    def _make(self, forward: Forward) -> Any:
        self.made.append(_Group(forward))
        return self.made[-1]

    def _assortment(self, forward: Forward, **more: Any) -> Assortment:
        return Assortment(forward, self._make, self.clock.seconds, **more)

    def test_kept(self) -> None:
        """
        The same targets have the same group, as long as it is wanted.
        """
        found = self._assortment(Forward((), dynamic=Dynamic(Reference("a.b"))), idle=10.0)
        one = (Target("a", 1),)
        for _ in range(5):
            self.assertIs(found.group(one), self.made[0])
            self.clock.advance(9)
        self.clock.advance(2)
        found.group((Target("b", 1),))
        self.assertEqual([each.closed for each in self.made], [1, 0])
        self.assertIsNot(found.group(one), self.made[0])
        self.assertEqual(self.made[-1].forward, Forward(one))

    def test_bounded(self) -> None:
        """
        Whoever works out a new target each time has no more memory for it: those that
        were wanted long ago are closed, and what they counted is not lost.
        """
        found = self._assortment(Forward((), dynamic=Dynamic(Reference("a.b"))), most=8)
        for number in range(1000):
            found.group((Target(f"a{number}", 1),))
            self.clock.advance(0.001)
        self.assertEqual(len(found), 8)
        self.assertEqual([each.closed for each in self.made], [1] * 992 + [0] * 8)
        counts: dict[str, int] = {}
        standing: dict[str, int] = {}
        found.tell(counts, standing)
        self.assertEqual(counts, {"target_requests - python:a.b": 1000})
        self.assertEqual(standing, {"target_idle - python:a.b": 8})
        found.tell(counts, {})
        self.assertEqual(counts, {"target_requests - python:a.b": 1000})
        self.assertEqual(found.names, ("python:a.b",))

    def test_spoken(self) -> None:
        """
        By TLS as the route says, or as the decision does; and with a header.
        """
        tls, header = UpstreamTLS("x"), ProxyHeader(1)
        found = self._assortment(Forward((), tls, dynamic=Dynamic(Reference("a.b"), proxyHeader=header)))
        target = Target("a", 1)
        for isTLS, spoken in ((None, tls), (True, tls), (False, None)):
            found.group((target,), isTLS)
            self.assertEqual(self.made[-1].forward, Forward((Target("a", 1, header),), spoken))
        plain = self._assortment(Forward((), dynamic=Dynamic(Reference("a.b"))))
        plain.group((target,), True)
        self.assertEqual(self.made[-1].forward.tls, UpstreamTLS())

    def test_protocol(self) -> None:
        """
        HTTP is spoken to what was worked out as the route says, but where the decision says more.
        """
        for protocol in ("http/1.1", "h2c", "auto"):
            dynamic = Dynamic(Reference("a.b"), protocol=protocol)  # type: ignore[arg-type]
            found = self._assortment(Forward((), dynamic=dynamic))
            found.group((Target("a", 1), Target("b", 2, protocol="h2")))
            self.assertEqual([each.protocol for each in self.made[-1].forward.targets], [protocol, "h2"])

    def test_closed(self) -> None:
        """
        After a reload everything is closed, and so is what comes late.
        """
        found = self._assortment(Forward((), dynamic=Dynamic(Reference("a.b"))))
        found.group((Target("a", 1),))
        found.close()
        found.group((Target("b", 1),))
        self.assertEqual([each.closed for each in self.made], [1, 1])
