"""
What is known of names, and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.outcome import Failed, Found, Nothing
from smartproxy_tw.upstream.resolve import Resolver, isLiteral

from .oracle import Sage

ONE = Found(("127.0.0.1",), 60.0)
TWO = Found(("127.0.0.2",), 60.0)


class Owner:
    """
    Somebody with connections to a name.
    """

    def __init__(self) -> None:
        self.isInUse = True
        self.told: list[tuple[str, ...]] = []

    def moved(self, addresses: Sequence[str]) -> None:
        """See L{Watcher<smartproxy_tw.upstream.resolve.Watcher>}."""
        self.told.append(tuple(addresses))


class ResolverTests(SynchronousTestCase):
    """
    L{Resolver}.
    """

    def setUp(self) -> None:
        """A resolver that nobody has asked yet."""
        self.clock = Clock()
        self.sage = Sage()
        self.resolver = Resolver(lambda: self.sage, self.clock.seconds, self.after)
        self.got: list[tuple[str, ...]] = []

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """
        As a poller has it.
        """
        self.clock.callLater(seconds, call)

    def asks(self, host: str = "a.test") -> None:
        """
        Ask, and keep the answer.
        """
        self.resolver.ask(host, lambda found: self.got.append(tuple(found)))

    def knows(self, *addresses: str) -> None:
        """
        These are what is remembered.
        """
        self.assertEqual(self.resolver.remembered("a.test"), addresses)

    def test_lifetime(self) -> None:
        """
        An answer serves for as long as its owner says.
        """
        self.assertIsNone(self.resolver.remembered("a.test"))
        self.asks()
        self.sage.says(Found(("::1", "127.0.0.1"), 30.0))
        self.assertEqual(self.got, [("::1", "127.0.0.1")])
        self.clock.advance(26)
        self.knows("::1", "127.0.0.1")
        self.clock.advance(4.1)
        self.assertEqual(self.sage.asked, ["a.test", "a.test"])

    def test_bounds(self) -> None:
        """
        No longer than five minutes, and no shorter than a second.
        """
        for said, served in ((0.0, 1.0), (86400.0, 300.0)):
            host = f"{served}.test"
            self.asks(host)
            self.sage.says(Found(("127.0.0.1",), said))
            asked = len(self.sage.asked)
            self.clock.advance(served * 0.89)
            self.assertEqual(self.resolver.remembered(host), ("127.0.0.1",))
            self.assertEqual(len(self.sage.asked), asked)
            self.clock.advance(served * 0.02)
            self.assertEqual(len(self.sage.asked), asked + 1)
            self.sage.says(Nothing(300.0))

    def test_oneQuestion(self) -> None:
        """
        Those who ask meanwhile wait for the same answer.
        """
        self.asks()
        self.asks()
        self.asks("b.test")
        self.assertEqual(self.sage.asked, ["a.test", "b.test"])
        self.sage.says(ONE)
        self.assertEqual(self.got, [("127.0.0.1",)] * 2)

    def test_renewedInTime(self) -> None:
        """
        A name in use is asked for again before its time is over, and nobody
        waits: the old answer serves until the new one is there.
        """
        self.asks()
        self.sage.says(ONE)
        self.clock.advance(53.9)
        self.assertEqual(self.sage.open, 0)
        self.clock.advance(0.2)
        self.assertEqual(self.sage.open, 1)
        self.knows("127.0.0.1")
        self.clock.advance(30)
        self.knows("127.0.0.1")
        self.sage.says(TWO)
        self.knows("127.0.0.2")

    def test_unused(self) -> None:
        """
        A name that nobody has used for two minutes is not asked for again; the
        next one who wants it waits.
        """
        self.asks()
        self.sage.says(ONE)
        for _ in range(2):
            self.clock.advance(55)
            self.sage.says(ONE)
        self.clock.advance(55)
        self.assertEqual(self.sage.open, 0)
        self.clock.advance(10)
        self.assertIsNone(self.resolver.remembered("a.test"))

    def test_watched(self) -> None:
        """
        One with connections stays in use, and is told of a move, once.
        """
        owner = Owner()
        self.resolver.watch("a.test", owner)
        self.asks()
        self.sage.says(ONE)
        for _ in range(5):
            self.clock.advance(55)
            self.sage.says(ONE)
        self.assertEqual(owner.told, [])
        self.clock.advance(55)
        self.sage.says(TWO)
        self.assertEqual(owner.told, [("127.0.0.2",)])
        owner.isInUse = False
        self.clock.advance(55)
        self.assertEqual(self.sage.open, 0)
        self.resolver.unwatch("a.test", owner)
        self.resolver.unwatch("a.test", owner)
        self.resolver.unwatch("b.test", owner)

    def test_sameInOtherOrder(self) -> None:
        """
        Another order is no move, but is followed.
        """
        owner = Owner()
        self.resolver.watch("a.test", owner)
        self.asks()
        self.sage.says(Found(("127.0.0.1", "127.0.0.2"), 60.0))
        self.clock.advance(55)
        self.sage.says(Found(("127.0.0.2", "127.0.0.1"), 60.0))
        self.assertEqual(owner.told, [])
        self.knows("127.0.0.2", "127.0.0.1")

    def test_nothing(self) -> None:
        """
        That there is no address is believed for as long as it is said to hold,
        at least a second; then the next one who wants it asks.
        """
        for said, believed in ((0.0, 1.0), (5.0, 5.0)):
            self.asks()
            self.sage.says(Nothing(said))
            self.assertEqual(self.got[-1], ())
            self.clock.advance(believed - 0.1)
            self.knows()
            self.clock.advance(0.2)
            self.assertIsNone(self.resolver.remembered("a.test"))

    def test_gone(self) -> None:
        """
        A name that is said to have no address any more has none.
        """
        self.asks()
        self.sage.says(ONE)
        self.clock.advance(55)
        self.sage.says(Nothing(5.0))
        self.knows()

    def test_failedAtFirst(self) -> None:
        """
        A failure is believed for a second when there was never an answer.
        """
        for _ in range(3):
            self.asks()
            self.sage.says(Failed("silence"))
            self.assertEqual(self.got[-1], ())
            self.clock.advance(0.9)
            self.knows()
            self.clock.advance(0.2)
            self.assertIsNone(self.resolver.remembered("a.test"))

    def test_lastGood(self) -> None:
        """
        When nobody can tell the last good answer serves on; it is asked for
        again after 1, 2, 4 ... and at most 30 seconds, until there is a new one.
        """
        self.asks()
        self.sage.says(ONE)
        self.clock.advance(55)
        for pause in (1, 2, 4, 8, 16, 30, 30):
            self.sage.says(Failed("silence"))
            self.knows("127.0.0.1")
            self.clock.advance(pause * 0.89)
            self.assertEqual(self.sage.open, 0, pause)
            self.clock.advance(pause * 0.02)
            self.assertEqual(self.sage.open, 1, pause)
            self.knows("127.0.0.1")
        self.sage.says(TWO)
        self.knows("127.0.0.2")
        self.clock.advance(55)
        self.sage.says(Failed("silence"))
        self.clock.advance(0.92)
        self.assertEqual(self.sage.open, 1)

    def test_early(self) -> None:
        """
        Those who wait are told as soon as one family is known, and the other
        one is kept when it comes.
        """
        self.asks()
        self.sage.says(Found(("127.0.0.1",), 60.0, True), False)
        self.assertEqual(self.got, [("127.0.0.1",)])
        self.asks()
        self.assertEqual(self.sage.open, 1)
        self.sage.says(Found(("::1", "127.0.0.1"), 60.0))
        self.assertEqual(self.got[1:], [("::1", "127.0.0.1")])
        self.knows("::1", "127.0.0.1")

    def test_halfAnswer(self) -> None:
        """
        While one family cannot be learnt, what was known of it stays.
        """
        owner = Owner()
        self.resolver.watch("a.test", owner)
        self.asks()
        self.sage.says(Found(("::1", "127.0.0.1"), 60.0))
        self.clock.advance(55)
        self.sage.says(Found(("127.0.0.1",), 60.0, True))
        self.knows("127.0.0.1", "::1")
        self.assertEqual(owner.told, [])
        self.clock.advance(55)
        self.sage.says(Found(("127.0.0.1",), 60.0))
        self.knows("127.0.0.1")
        self.assertEqual(owner.told, [("127.0.0.1",)])

    def test_unasked(self) -> None:
        """
        Whoever loses interest is not told, and not kept.
        """
        told: list[Sequence[str]] = []
        self.resolver.ask("a.test", told.append)
        self.asks()
        self.resolver.unask("a.test", told.append)
        self.resolver.unask("b.test", told.append)
        self.assertEqual(len(self.resolver._entries["a.test"].waiting), 1)
        self.sage.says(ONE)
        self.assertEqual((told, self.got), ([], [("127.0.0.1",)]))

    def test_neverAnswered(self) -> None:
        """
        A question that nobody answers in a minute is given up, and asked again
        by the next one; its answer is not believed when it comes at last.
        """
        self.asks()
        self.clock.advance(61)
        self.assertEqual(self.got, [()])
        self.clock.advance(1.1)
        self.asks()
        self.assertEqual(self.sage.open, 2)
        self.sage.says(ONE)
        self.assertEqual(len(self.got), 1)
        self.sage.says(TWO)
        self.knows("127.0.0.2")

    def test_impossible(self) -> None:
        """
        What can be no name at all has no address, and is not asked for.
        """
        for host in ("a..test", "x" * 64 + ".test"):
            self.asks(host)
            self.assertEqual(self.resolver.remembered(host), ())
        self.assertEqual(self.got, [(), ()])
        self.assertEqual(self.sage.asked, [])

    def test_forgotten(self) -> None:
        """
        A name that nobody uses or watches is forgotten in the end.
        """
        self.asks()
        self.sage.says(Found(("127.0.0.1",), 300.0))
        self.clock.advance(300)
        self.assertIsNone(self.resolver.remembered("a.test"))
        self.assertEqual(self.resolver._entries, {})

    def test_forgottenWithoutAnswer(self) -> None:
        """
        So are names that cannot be resolved, that nobody answers for, or that nobody ever asked for;
        not while somebody asks.
        """
        owner = Owner()
        self.resolver.watch("watched.test", owner)
        self.resolver.unwatch("watched.test", owner)
        for number in range(50):
            self.asks(f"nothing{number}.test")
            self.sage.says(Nothing(5.0))
            self.asks(f"failed{number}.test")
            self.sage.says(Failed("no"))
        self.asks("silent.test")
        self.assertEqual(len(self.resolver._entries), 102)
        self.clock.pump([30.0] * 3)
        self.asks("nothing0.test")
        self.sage.says(Nothing(5.0))
        self.clock.pump([30.0] * 2)
        self.assertEqual(list(self.resolver._entries), ["nothing0.test"])
        self.clock.pump([30.0] * 10)
        self.assertEqual(self.resolver._entries, {})
        # Nothing is left behind that would look for ever.
        self.assertEqual(self.clock.getDelayedCalls(), [])

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
