"""
Tests for L{smartproxy_tw.service.leaving}; with whole proxies in L{tests.service.test_turnover}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.leaving import Leaving

from .configurations import BLOG, SHOP


class World:
    """
    Stands for all that somebody who leaves is known to: the data path, those that there
    are, and those that stand in.
    """

    def __init__(self) -> None:
        self.story: list[str] = []
        self.there: set[str] = set()
        self.parts: dict[str, tuple[str, ...]] = {}
        self.answer: Deferred[None] = succeed(None)

    def forget(self, key: str) -> None:
        self.story.append(f"forgot {key}")

    def has(self, key: str) -> bool:
        return key in self.there

    def needs(self, key: str) -> bool:
        return any(key in parts for parts in self.parts.values())

    def drop(self, key: str) -> tuple[str, ...]:
        return self.parts.pop(key, ())

    def uninstall(self, key: str) -> Deferred[None]:
        self.story.append(f"uninstalled {key}")
        return self.answer


class Certificate:
    """
    One whose order ends when the test says so.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.ending: Deferred[None] = Deferred()

    def stop(self) -> Deferred[None]:
        return self.ending


class LeavingTests(SynchronousTestCase):
    """
    One certificate that nobody needs, and those about it.
    """

    def setUp(self) -> None:
        self.world = World()
        world: Any = self.world
        self.leaving = Leaving(world, world, world)

    def begins(self, key: str = SHOP.key) -> Any:
        """
        One that is under way.
        """
        certificate: Any = Certificate(key)
        self.leaving.begin(certificate)
        return certificate

    def over(self, key: str = SHOP.key) -> Deferred[None]:
        """
        Somebody who waits.
        """
        return Deferred.fromCoroutine(self.leaving.over(key))

    def remove(self, key: str) -> None:
        """
        It is served no longer.
        """
        self.successResultOf(Deferred.fromCoroutine(self.leaving.remove(key)))

    def test_takesItsTime(self) -> None:
        """
        It is under way until its order has ended, and all who wait hear of that.
        """
        certificate = self.begins()
        self.assertEqual(self.world.story, [f"forgot {SHOP.key}"])
        self.assertTrue(self.leaving.isUnderWay(SHOP.key))
        self.assertFalse(self.leaving.isUnderWay(BLOG.key))
        waiting = [self.over(), self.over(), Deferred.fromCoroutine(self.leaving.allOver())]
        for each in waiting:
            self.assertNoResult(each)
        self.successResultOf(self.over(BLOG.key))
        certificate.ending.callback(None)
        for each in waiting:
            self.successResultOf(each)
        self.assertFalse(self.leaving.isUnderWay(SHOP.key))

    def test_oneAfterTheOther(self) -> None:
        """
        Where the next of the same identity leaves before the first has ended, it is under way
        until both have: an order of the first may be at an authority still.
        """
        for early, late in ((0, 1), (1, 0)):
            certificates = [self.begins(), self.begins()]
            waiting = [self.over(), Deferred.fromCoroutine(self.leaving.allOver())]
            certificates[early].ending.callback(None)
            self.assertTrue(self.leaving.isUnderWay(SHOP.key))
            for each in waiting:
                self.assertNoResult(each)
            certificates[late].ending.callback(None)
            self.assertFalse(self.leaving.isUnderWay(SHOP.key))
            for each in waiting:
                self.successResultOf(each)

    def test_defect(self) -> None:
        """
        One that cannot be ended well keeps nobody waiting, and is told of.
        """
        certificate = self.begins()
        waiting = self.over()
        certificate.ending.errback(ZeroDivisionError())
        self.successResultOf(waiting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_remove(self) -> None:
        """
        What stood in for it goes with it, unless that is there for itself or for another.
        """
        self.world.parts = {SHOP.key: ("auto:a", "auto:b", "auto:c"), BLOG.key: ("auto:c",)}
        self.world.there = {"auto:a"}
        self.remove(SHOP.key)
        self.assertEqual(self.world.story, [f"uninstalled {SHOP.key}", "uninstalled auto:b"])

    def test_needed(self) -> None:
        """
        One that stands in for another one is served on.
        """
        self.world.parts = {BLOG.key: (SHOP.key,)}
        self.remove(SHOP.key)
        self.assertEqual(self.world.story, [])

    def test_servedStill(self) -> None:
        """
        A data path that does not let go of it is told of, and is no reason to stop.
        """
        self.world.answer = fail(ZeroDivisionError())
        self.remove(SHOP.key)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
