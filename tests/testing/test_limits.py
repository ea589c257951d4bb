"""
Tests for L{smartproxy_tw.testing.limits}, as an account meets them.
"""

from __future__ import annotations

from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.testing.limits import Limits
from smartproxy_tw.testing.signed import Refused

from .story import RegistryStory


class LimitsTests(RegistryStory):
    def limited(self, wait: int, *names: str) -> None:
        identifiers = [{"type": "dns", "value": name} for name in names]
        why = self.refused("rateLimited", "/order", {"identifiers": identifiers})
        self.assertEqual((why.status, why.fields), (429, {"Retry-After": str(wait)}))

    def given(self, limits: Limits) -> None:
        self.registry = self.open(limits=limits)
        self.account = self.register(self.pem)

    def test_orders(self) -> None:
        """
        An account has so many orders in so much time, and another its own.
        """
        self.given(Limits(orders=(2, 60.0)))
        self.order("a.example")
        self.clock.advance(10)
        self.order("b.example")
        self.limited(50, "c.example")
        first, self.account = self.account, self.register(newKey())
        self.order("c.example")
        self.account = first
        self.clock.advance(50)
        self.order("c.example")
        self.assertEqual(self.registry.orderCount, 4)

    def test_duplicates(self) -> None:
        """
        The same names, in whatever order, are counted together.
        """
        self.given(Limits(duplicates=(1, 60.0)))
        self.order("a.example", "b.example")
        self.limited(60, "b.example", "a.example")
        self.order("a.example")

    def test_failures(self) -> None:
        """
        A name that could not be proved too often is refused in any company.
        """
        self.given(Limits(failures=(1, 60.0)))
        self.validator.outcome = Refused(400, "connection", "nobody there")
        self.prove(self.order("a.example"))
        self.limited(60, "a.example", "b.example")
        self.order("b.example")
