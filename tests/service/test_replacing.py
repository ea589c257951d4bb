"""
Tests for L{smartproxy_tw.service.replacing}: what comes after what.  How names are divided,
and what stands in, is told with an authority in L{tests.service.test_certificates}, and a
change of the configuration in L{tests.service.test_turnover}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Acme, Auto, Config
from smartproxy_tw.routing.steps import Steps
from smartproxy_tw.service.errors import CertificateError
from smartproxy_tw.service.holdings import Holdings
from smartproxy_tw.service.leaving import Leaving
from smartproxy_tw.service.replacing import Replacing
from smartproxy_tw.service.succession import Succession

from .configurations import BLOG, SHOP, configuration

#: The name that an authority takes with no other.
BOTH = Auto(("shop.example", "www.shop.example"))
PARTS = {"auto:shop.example", "auto:www.shop.example"}
DIRECTORY = "https://ca.example/"


def configured(*autos: Auto) -> Config:
    """
    A configuration with these certificates, of one authority.
    """
    return configuration("/x", *autos, acme=Acme(directory=DIRECTORY))


class Certificate:
    """
    One that ends at once.
    """

    def __init__(self, auto: Auto) -> None:
        self.auto, self.key = auto, auto.key
        self.isStopped = False

    def stop(self) -> Deferred[None]:
        self.isStopped = True
        return succeed(None)


class World:
    """
    Stands for all that the certificates of one proxy are spoken of with: what makes, loads,
    shows and asks for them.
    """

    def __init__(self) -> None:
        self.story: list[str] = []
        self.learned: dict[str, int] = {}
        self.parts: dict[str, tuple[str, ...]] = {}
        self.loaded: Deferred[None] = succeed(None)
        self.shown: Deferred[None] = succeed(None)

    def succession(self, config: Config, holdings: Holdings) -> Steps[Succession]:
        wanted = {each.key: each for each in config.autoCertificates}
        made: list[Any] = [Certificate(each) for key, each in wanted.items() if not holdings.has(key)]
        gone = frozenset(key for key in holdings.keys if key not in wanted)
        return Succession(config, config, made, gone=gone)
        yield

    async def have(self, some: Succession, served: Iterable[str], atOnce: int) -> None:
        self.story += [f"loaded {each.key}" for each in some.first]
        await self.loaded

    def into(self, config: Config) -> Config:
        return config

    def has(self, key: str) -> bool:
        return key in self.parts

    def needs(self, key: str) -> bool:
        return False

    def drop(self, key: str) -> tuple[str, ...]:
        return self.parts.pop(key, ())

    def useTable(self, config: Config) -> Deferred[None]:
        self.story.append("routed")
        return self.shown

    def uninstall(self, key: str) -> Deferred[None]:
        self.story.append(f"uninstalled {key}")
        return succeed(None)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        yield

    def soon(self, coming: Iterable[Any], atOnce: int) -> None:
        self.story += [f"asked for {each.key}" for each in coming]

    async def dismiss(self) -> None:
        self.story.append("dismissed")


class ReplacingTests(SynchronousTestCase):
    """
    A proxy with one certificate.
    """

    def setUp(self) -> None:
        self.world, self.clock = World(), Clock()
        self.forgotten: list[str] = []
        self.replacing = self.make(SHOP)

    def make(self, auto: Auto) -> Replacing:
        """
        It is loaded, and nothing has happened.
        """
        world: Any = self.world
        self.holdings = Holdings()
        leaving = Leaving(world, self.holdings, world)
        made = Replacing(
            configured(auto),
            world,
            self.holdings,
            world,
            world,
            world,
            world,
            leaving,
            world,
            self.clock,
            self.forgotten.append,
        )
        self.successResultOf(Deferred.fromCoroutine(made.load()))
        self.world.story.clear()
        return made

    def prepare(self, *autos: Auto) -> Deferred[Succession]:
        """
        Begin to go by another configuration.
        """
        return Deferred.fromCoroutine(self.replacing.prepare(configured(*autos)))

    def settle(self, succession: Succession) -> None:
        """
        The data path goes by it.
        """
        self.successResultOf(Deferred.fromCoroutine(self.replacing.settle(succession)))

    def abandon(self, succession: Succession) -> None:
        """
        It does not.
        """
        self.successResultOf(Deferred.fromCoroutine(self.replacing.abandon(succession)))

    def test_order(self) -> None:
        """
        What comes is loaded; when the data path goes by it, what nobody needs ends, and only
        then something is asked for.
        """
        coming = self.successResultOf(self.prepare(BLOG))
        self.assertEqual(self.world.story, [f"loaded {BLOG.key}"])
        self.assertEqual(self.holdings.keys, (SHOP.key,))
        self.settle(coming)
        self.assertEqual(self.world.story[1:], [f"uninstalled {SHOP.key}", f"asked for {BLOG.key}"])
        self.assertEqual(self.holdings.keys, (BLOG.key,))
        self.assertIs(self.replacing.config, coming.config)

    def test_turns(self) -> None:
        """
        Nothing is prepared before the change before is settled or abandoned.
        """
        first = self.successResultOf(self.prepare(SHOP, BLOG))
        second = self.prepare(SHOP)
        self.assertNoResult(second)
        self.abandon(first)
        third = self.prepare(BLOG)
        self.assertNoResult(third)
        self.settle(self.successResultOf(second))
        self.settle(self.successResultOf(third))
        self.assertEqual(self.holdings.keys, (BLOG.key,))

    def test_abandoned(self) -> None:
        """
        What was prepared ends and is served no longer; what was there is, as before.
        """
        before = self.replacing.config
        coming = self.successResultOf(self.prepare(BLOG))
        self.abandon(coming)
        self.assertEqual(self.world.story, [f"loaded {BLOG.key}", f"uninstalled {BLOG.key}"])
        made: Any = coming.first[0]
        self.assertTrue(made.isStopped)
        self.assertEqual(self.holdings.keys, (SHOP.key,))
        self.assertIs(self.replacing.config, before)

    def test_cannotBeLoaded(self) -> None:
        """
        What cannot be loaded is taken back at once, and the next one has its turn.
        """
        self.world.loaded = fail(CertificateError("/x cannot be read"))
        self.failureResultOf(self.prepare(BLOG), CertificateError)
        self.assertEqual(self.world.story, [f"loaded {BLOG.key}", f"uninstalled {BLOG.key}"])
        self.world.loaded = succeed(None)
        self.settle(self.successResultOf(self.prepare(BLOG)))
        self.assertEqual(self.holdings.keys, (BLOG.key,))

    def test_showWhole(self) -> None:
        """
        Where nothing stands in nothing is shown anew; else it is in its turn, and what stood
        in is served no longer.
        """
        self.replacing.showWhole(SHOP.key)
        self.assertEqual(self.world.story, [])
        self.world.parts = {SHOP.key: ("auto:part.example",)}
        coming = self.successResultOf(self.prepare(SHOP))
        self.replacing.showWhole(SHOP.key)
        self.assertEqual(self.world.story, [])
        self.abandon(coming)
        self.assertEqual(self.world.story, ["routed", "uninstalled auto:part.example"])

    def test_notShown(self) -> None:
        """
        Routes that cannot be shown anew are told of; the next change has its turn.
        """
        self.world.parts = {SHOP.key: ("auto:part.example",)}
        self.world.shown = fail(ZeroDivisionError())
        self.replacing.showWhole(SHOP.key)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.successResultOf(self.prepare(SHOP))

    def test_divided(self) -> None:
        """
        Names that are too many are divided after the order that was refused has ended: what
        comes is loaded before the routes know of it, and nothing counts against the names.
        """
        self.replacing = self.make(BOTH)
        self.world.learned = {DIRECTORY: 1}
        self.replacing.divideSoon()
        self.assertEqual((self.world.story, self.replacing.isDividing), ([], True))
        waiting = Deferred.fromCoroutine(self.replacing.divided())
        self.clock.advance(0)
        self.successResultOf(waiting)
        loaded, (routed, gone, *rest) = self.world.story[:2], self.world.story[2:]
        self.assertEqual({*loaded}, {f"loaded {key}" for key in PARTS})
        self.assertEqual((routed, gone), ("routed", f"uninstalled {BOTH.key}"))
        self.assertEqual({*rest[:2]}, {f"asked for {key}" for key in PARTS})
        self.assertEqual(rest[2:], ["dismissed"])
        self.assertEqual(self.forgotten, [BOTH.key])
        self.assertEqual({*self.holdings.keys}, PARTS)
        self.assertFalse(self.replacing.isDividing)

    def test_dividedInTurn(self) -> None:
        """
        Nothing is divided while another change goes on, and what that brought is divided.
        """
        coming = self.successResultOf(self.prepare(BOTH))
        self.world.learned = {DIRECTORY: 1}
        self.replacing.divideSoon()
        self.clock.advance(0)
        self.assertNotIn("routed", self.world.story)
        self.settle(coming)
        self.assertEqual({*self.holdings.keys}, PARTS)

    def test_notDivided(self) -> None:
        """
        Where the data path does not take the parts, all is as before; that is told, and
        whoever waits goes on.
        """
        self.replacing = self.make(BOTH)
        self.world.learned = {DIRECTORY: 1}
        self.world.shown = fail(ZeroDivisionError())
        self.replacing.divideSoon()
        waiting = Deferred.fromCoroutine(self.replacing.divided())
        self.clock.advance(0)
        self.successResultOf(waiting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.holdings.keys, (BOTH.key,))
        self.assertLessEqual({f"uninstalled {key}" for key in PARTS}, {*self.world.story})
        self.successResultOf(self.prepare(BOTH))

    def test_stopped(self) -> None:
        """
        A stop ends a division, whoever waits for it goes on, and nothing begins any more
        that nobody asked for.
        """
        self.replacing = self.make(BOTH)
        self.world.learned = {DIRECTORY: 1}
        self.world.parts = {BOTH.key: ("auto:part.example",)}
        self.replacing.divideSoon()
        waiting = Deferred.fromCoroutine(self.replacing.divided())
        self.replacing.stop()
        self.successResultOf(waiting)
        self.replacing.divideSoon()
        self.replacing.showWhole(BOTH.key)
        self.assertEqual((self.clock.getDelayedCalls(), self.world.story), ([], []))
        self.assertFalse(self.replacing.isDividing)
