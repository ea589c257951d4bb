"""
Names and their addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smartproxy_tw.upstream.resolve import Resolver, isLiteral


@implementer(IHostnameResolver)
class Oracle:
    """
    Keeps questions until the test answers them.
    """

    def __init__(self) -> None:
        self.questions: list[tuple[str, IResolutionReceiver]] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See L{IHostnameResolver}."""
        self.questions.append((hostName, resolutionReceiver))
        return None  # type: ignore[return-value]

    def answers(self, *addresses: str) -> None:
        """
        Answer the oldest question.
        """
        _, receiver = self.questions.pop(0)
        for address in addresses:
            kind: Any = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, 0))
        receiver.resolutionComplete()


class World(Clock):
    """
    A clock with an oracle.
    """

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()

    @property
    def nameResolver(self) -> IHostnameResolver:
        """
        The oracle.
        """
        return self.oracle


class ResolverTests(SynchronousTestCase):
    """
    L{Resolver}.
    """

    def setUp(self) -> None:
        """A resolver that nobody has asked yet."""
        self.world = World()
        self.resolver = Resolver(self.world)
        self.got: list[tuple[str, ...]] = []

    def asks(self, host: str = "a.test") -> None:
        """
        Ask, and keep the answer.
        """
        self.resolver.ask(host, lambda found: self.got.append(tuple(found)))

    def test_addresses(self) -> None:
        """
        An address needs no question.
        """
        for address in ("127.0.0.1", "::1", "2001:db8::5"):
            self.assertEqual(self.resolver.remembered(address), (address,))
        self.assertEqual(self.world.oracle.questions, [])

    def test_remembered(self) -> None:
        """
        An answer serves for ten seconds, in the resolver's order and without
        repetitions.
        """
        self.assertIsNone(self.resolver.remembered("a.test"))
        self.asks()
        self.world.oracle.answers("::1", "127.0.0.1", "::1")
        self.assertEqual(self.got, [("::1", "127.0.0.1")])
        self.world.advance(9.9)
        self.assertEqual(self.resolver.remembered("a.test"), ("::1", "127.0.0.1"))
        self.world.advance(0.2)
        self.assertIsNone(self.resolver.remembered("a.test"))

    def test_oneQuestion(self) -> None:
        """
        Those who ask meanwhile wait for the same answer.
        """
        self.asks()
        self.asks()
        self.asks("b.test")
        self.assertEqual([name for name, _ in self.world.oracle.questions], ["a.test", "b.test"])
        self.world.oracle.answers("127.0.0.1")
        self.assertEqual(self.got, [("127.0.0.1",)] * 2)

    def test_unknown(self) -> None:
        """
        That there is no address is remembered for a second.
        """
        self.asks()
        self.world.oracle.answers()
        self.assertEqual(self.got, [()])
        self.assertEqual(self.resolver.remembered("a.test"), ())
        self.world.advance(1.1)
        self.assertIsNone(self.resolver.remembered("a.test"))

    def test_impossible(self) -> None:
        """
        What can be no name at all has no address, and is not asked for: the
        reactor's resolver would never answer.
        """
        for host in ("a..test", "x" * 64 + ".test"):
            self.asks(host)
            self.assertEqual(self.resolver.remembered(host), ())
        self.assertEqual(self.got, [(), ()])
        self.assertEqual(self.world.oracle.questions, [])

    def test_lastGood(self) -> None:
        """
        When the resolver fails the last good answer serves on.
        """
        self.asks()
        self.world.oracle.answers("127.0.0.1")
        self.world.advance(11)
        self.asks()
        self.world.oracle.answers()
        self.assertEqual(self.got, [("127.0.0.1",)] * 2)
        self.assertEqual(self.resolver.remembered("a.test"), ("127.0.0.1",))

    def test_literals(self) -> None:
        """
        What is an address and what is a name.
        """
        for host, wanted in (
            ("127.0.0.1", True),
            ("::1", True),
            ("1.2.3", False),
            ("a.test", False),
            ("", False),
        ):
            self.assertIs(isLiteral(host), wanted, host)
