"""
Tests for L{smartproxy_tw.service.provisioning}; with whole proxies in
L{tests.service.test_certificates} and L{tests.service.test_turnover}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Auto, twinOf
from smartproxy_tw.service.holdings import Holdings
from smartproxy_tw.service.leaving import Leaving
from smartproxy_tw.service.provisioning import Provisioning
from smartproxy_tw.service.succession import Succession

from .configurations import BLOG, SHOP, configuration


class Certificate:
    """
    One whose order ends when the test says so.
    """

    def __init__(self, story: list[str], auto: Auto) -> None:
        self.auto, self.key = auto, auto.key
        self.standing = SimpleNamespace(isWanting=False, isIssued=False)
        self.stopping: Deferred[None] = Deferred()
        self._story = story
        self._orders: list[Deferred[None]] = []

    def provision(self) -> Deferred[None]:
        self._story.append(f"asked for {self.key}")
        self._orders.append(Deferred())
        return self._orders[-1]

    def ends(self, *, isIssued: bool = True) -> None:
        """
        The order does, well or not.
        """
        self.standing.isIssued = isIssued
        for each in self._orders:
            each.callback(None)

    def breaks(self) -> None:
        """
        There is a defect.
        """
        self._orders.pop().errback(ZeroDivisionError())

    def stop(self) -> Deferred[None]:
        return self.stopping


class ProvisioningTests(SynchronousTestCase):
    """
    The certificates of one proxy, at one authority.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.answer: Deferred[None] = succeed(None)
        self.clock = Clock()
        self.holdings = Holdings()
        nobody: Any = None
        self.leaving = Leaving(nobody, self.holdings, nobody)
        world: Any = self
        self.provisioning = Provisioning(self.holdings, self.leaving, world, self.clock, self.unattended)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """
        At the authority: what is asked for has its turn at the end.
        """
        self.story.append("[")
        yield
        self.story.append("]")

    async def dismiss(self, *wanted: Iterable[Iterable[str]]) -> None:
        """
        At the authority: all orders but those for these names are forgotten.
        """
        self.story.append(f"dismissed all but {[list(each) for each in wanted]}")
        await self.answer

    def unattended(self) -> Callable[[], None]:
        """
        Of the garbage.
        """
        self.story.append("unattended")
        return lambda: self.story.append("attended")

    def have(self, *autos: Auto) -> list[Any]:
        """
        From now on there are these.
        """
        made: list[Any] = [Certificate(self.story, auto) for auto in autos]
        coming = Succession(configuration("/x"), configuration("/x"))
        for each in made:
            if each.auto.isTwin:
                coming.twins[Auto(each.auto.names).key] = each
            else:
                coming.first.append(each)
        self.holdings.admit(coming)
        return made

    def begin(self) -> None:
        """
        Certificates may be asked for.
        """
        self.provisioning.begin()
        self.story.clear()

    def all(self) -> Deferred[None]:
        """
        Ask for all.
        """
        return Deferred.fromCoroutine(self.provisioning.all())

    def test_all(self) -> None:
        """
        All are asked for at once, and it is over when each order has ended.
        """
        shop, blog = self.have(SHOP, BLOG)
        ended = self.all()
        self.assertEqual(self.story, ["[", f"asked for {SHOP.key}", f"asked for {BLOG.key}", "]"])
        shop.ends()
        self.assertNoResult(ended)
        blog.ends(isIssued=False)
        self.successResultOf(ended)

    def test_second(self) -> None:
        """
        The second certificate comes after the first, and not where names cannot be proved.
        """
        shop, _, shopTwin, _ = self.have(
            SHOP, BLOG, Auto(SHOP.names, isTwin=True), Auto(BLOG.names, isTwin=True)
        )
        ended = self.all()
        shop.ends()
        self.holdings.first[1].ends(isIssued=False)  # type: ignore[attr-defined]
        self.assertEqual(self.story[4:], [f"asked for {twinOf(SHOP.key)}"])
        self.assertNoResult(ended)
        shopTwin.ends()
        self.successResultOf(ended)

    def test_waitsForTheOneBefore(self) -> None:
        """
        Nobody asks for names as long as an order for the same ones, or the second one for
        them, has still to end.
        """
        gone = self.have(SHOP, Auto(SHOP.names, isTwin=True))
        for each in gone:
            self.holdings.release([each.key])
            self.leaving.begin(each)
        self.have(SHOP)
        self.all()
        self.assertEqual(self.story, ["[", "]"])
        gone[0].stopping.callback(None)
        self.assertEqual(self.story, ["[", "]"])
        gone[1].stopping.callback(None)
        self.assertEqual(self.story, ["[", "]", f"asked for {SHOP.key}"])

    def test_notNeededMeanwhile(self) -> None:
        """
        One that has to go itself while it waits is not asked for any more.
        """
        (gone,) = self.have(SHOP)
        self.holdings.release([SHOP.key])
        self.leaving.begin(gone)
        self.have(SHOP)
        ended = self.all()
        self.holdings.release([SHOP.key])
        self.holdings.forget(SHOP.key)
        gone.stopping.callback(None)
        self.successResultOf(ended)
        self.assertEqual(self.story, ["[", "]"])

    def test_soon(self) -> None:
        """
        Those that come are asked for some at a time, whether or not their orders end, and no
        garbage is collected meanwhile.
        """
        coming = self.have(*(Auto((f"{letter}.example",)) for letter in "abc"))
        self.begin()
        self.provisioning.soon(coming, 2)
        begun = ["unattended", "[", "asked for auto:a.example", "asked for auto:b.example", "]"]
        self.assertEqual(self.story, begun)
        self.clock.advance(0)
        self.assertEqual(self.story[5:], ["[", "asked for auto:c.example", "]", "attended"])

    def test_oneAfterTheOther(self) -> None:
        """
        Those that come next have their turn after all that came before.
        """
        coming = self.have(*(Auto((f"{letter}.example",)) for letter in "abc"))
        self.begin()
        self.provisioning.soon(coming[:1], 1)
        self.provisioning.soon(coming[1:], 9)
        self.assertEqual(self.story[-2:], ["asked for auto:a.example", "]"])
        self.clock.advance(0)
        asked = [each for each in self.story if each.startswith("asked")]
        self.assertEqual(asked, [f"asked for {each.key}" for each in coming])

    def test_defect(self) -> None:
        """
        A defect with one of those that come is told, and concerns no other.
        """
        shop, blog = self.have(SHOP, BLOG)
        self.begin()
        self.provisioning.soon([shop, blog], 9)
        shop.breaks()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_open(self) -> None:
        """
        Nothing that comes is asked for before it has begun, when all are, nor after its end,
        which is final.
        """
        coming = self.have(SHOP)
        self.provisioning.soon(coming, 9)
        self.assertEqual((self.story, self.provisioning.isOpen), ([], False))
        self.begin()
        self.assertEqual((self.provisioning.isOpen, self.provisioning.isStopped), (True, False))
        self.provisioning.stop()
        self.begin()
        self.provisioning.soon(coming, 9)
        self.assertEqual(self.story, [])
        self.assertEqual((self.provisioning.isOpen, self.provisioning.isStopped), (False, True))

    def test_dismissed(self) -> None:
        """
        Orders left behind are forgotten in the background, but for those that somebody will
        go on with.
        """
        shop, *_ = self.have(SHOP, BLOG, Auto(SHOP.names, isTwin=True))
        shop.standing.isWanting = True
        self.provisioning.begin()
        self.assertEqual(self.story, [f"dismissed all but [[{SHOP.names}], []]"])

    def test_stop(self) -> None:
        """
        What goes on in the background ends, and garbage is collected again.
        """
        self.answer = Deferred()
        coming = self.have(*(Auto((f"{letter}.example",)) for letter in "abc"))
        self.provisioning.begin()
        self.provisioning.soon(coming, 2)
        self.provisioning.stop()
        self.assertEqual(self.story[-1], "attended")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn("asked for auto:c.example", self.story)
