"""
Tests for L{smartproxy_tw.upstream.counted}; groups that have such places are in
L{tests.upstream.test_pool}.
"""

from __future__ import annotations

import socket
from math import inf
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Ejection, Target
from smartproxy_tw.upstream.counted import CountedPlace


class Resolver:
    """
    Who is told when a name moves.
    """

    def __init__(self) -> None:
        self.watchers: list[tuple[str, object]] = []

    def watch(self, host: str, watcher: object) -> None:
        """
        Somebody wants to know.
        """
        self.watchers.append((host, watcher))

    def unwatch(self, host: str, watcher: object) -> None:
        """
        He does not any more.
        """
        self.watchers.remove((host, watcher))


class Link:
    """
    A connection to an address, which tells its place when it is closed.
    """

    deadline = 0.0

    def __init__(self, place: CountedPlace, address: str | None) -> None:
        self.place = place
        self.closed = 0
        self.wire = SimpleNamespace(sock=self)
        self._address = address

    def getpeername(self) -> tuple[str, int]:
        """
        See L{socket.socket}.
        """
        if self._address is None:
            raise OSError("not connected any more")
        return self._address, 80

    def close(self) -> None:
        """
        It is over, once.
        """
        assert not self.closed
        self.closed += 1
        link: Any = self
        self.place.lost(link)


class CountedPlaceTests(SynchronousTestCase):
    """
    L{CountedPlace}.
    """

    def setUp(self) -> None:
        self.resolver = Resolver()
        self.freed = 0
        self.place = self.make("shop.example")

    def make(self, host: str, most: float = 2) -> CountedPlace:
        """
        A target that may have so many connections.
        """
        world: Any = SimpleNamespace(now=1000.0)
        resolver: Any = self.resolver
        return CountedPlace(world, resolver, Target(host, 80), 0, most, self.frees, Ejection())

    def frees(self) -> None:
        """
        Somebody who waits might be served.
        """
        self.freed += 1

    def linked(self, address: str | None = "10.0.0.1") -> Any:
        """
        A connection is made, and becomes a link.
        """
        self.place.taken()
        link: Any = Link(self.place, address)
        self.place.welcome(link)
        return link

    def counts(self) -> tuple[int, int]:
        """
        How many connections there are, and how many of them are made or in use.
        """
        return self.place.open, self.place.busy

    def test_counts(self) -> None:
        """
        A connection counts from before it is made until it has ended, kept or not; one that is kept is
        not in use.
        """
        self.assertEqual((self.counts(), self.place.hasRoom, self.place.isInUse), ((0, 0), True, False))
        self.place.taken()
        self.assertEqual((self.counts(), self.place.hasRoom, self.place.isInUse), ((1, 1), True, True))
        link = self.linked()
        self.assertEqual((self.counts(), self.place.hasRoom), ((2, 2), False))
        self.place.giveBack(link)
        self.assertEqual((self.counts(), self.place.hasRoom), ((2, 1), False))
        self.assertIs(self.place.lend(), link)
        self.assertEqual(self.counts(), (2, 2))
        link.close()
        self.place.left()
        self.assertEqual((self.counts(), self.place.hasRoom, self.place.isInUse), ((0, 0), True, False))

    def test_anyNumber(self) -> None:
        """
        Where there is no bound there is always room, and it is counted all the same.
        """
        self.place = self.make("shop.example", inf)
        for number in range(1000):
            self.assertEqual(self.counts(), (number, number))
            self.place.taken()
        self.assertTrue(self.place.hasRoom)

    def test_freed(self) -> None:
        """
        Those who wait are told whenever they might be served: by a connection that is given back, is
        lost, came to nothing, or has ended as a tunnel; and not when it begins to be one.
        """
        link, other = self.linked(), self.linked()
        self.place.giveBack(link)
        self.assertEqual(self.freed, 1)
        other.close()
        self.assertEqual(self.freed, 2)
        self.place.taken()
        self.place.left()
        self.assertEqual(self.freed, 3)
        tunnel = self.linked()
        ended = self.place.released(tunnel)
        self.assertEqual((self.freed, self.place.open), (3, 2))
        ended()
        self.assertEqual((self.freed, self.place.open), (4, 1))

    def test_nothingKept(self) -> None:
        """
        A link that is not kept when it is given back is counted as gone.
        """
        link = self.linked()
        self.place.halt(True)
        self.place.giveBack(link)
        self.assertEqual((link.closed, self.counts()), (1, (0, 0)))

    def test_moved(self) -> None:
        """
        When the name leads elsewhere, kept links to where it led are closed at once, those in use when
        they have given their answer; those to where it leads still go on.
        """
        self.place = self.make("shop.example", inf)
        kept, used, stays = self.linked("10.0.0.1"), self.linked("10.0.0.1"), self.linked("10.0.0.2")
        self.place.giveBack(kept)
        self.place.giveBack(stays)
        self.place.moved(["10.0.0.2", "10.0.0.3"])
        self.assertEqual((kept.closed, used.closed, stays.closed), (1, 0, 0))
        self.place.giveBack(used)
        self.assertEqual((used.closed, stays.closed, self.counts()), (1, 0, (1, 0)))
        self.assertEqual(self.place.idle, [stays])

    def test_movedBack(self) -> None:
        """
        A name that comes back before a link was given back has done it no harm.
        """
        link = self.linked("10.0.0.1")
        self.place.moved(["10.0.0.2"])
        self.place.moved(["10.0.0.1", "10.0.0.2"])
        self.place.giveBack(link)
        self.assertEqual((link.closed, self.place.idle), (0, [link]))

    def test_movedDuringTunnel(self) -> None:
        """
        A tunnel is nobody's to close: it lasts, and ends, uncondemned.
        """
        link = self.linked("10.0.0.1")
        ended = self.place.released(link)
        self.place.moved(["10.0.0.2"])
        self.assertEqual((link.closed, self.place.open), (0, 1))
        ended()
        self.assertEqual(self.place.open, 0)

    def test_tunnelAnswers(self) -> None:
        """
        A connection that becomes a tunnel has done what it should: failures before it are forgiven.
        """
        for _ in range(Ejection().failures):
            self.place.failed("it left")
        link = self.linked()
        self.place.released(link)()
        self.assertFalse(self.place.isAway)

    def test_goneAtOnce(self) -> None:
        """
        A connection that has ended before anybody could see where it leads is one like any other, but
        that no move concerns it.
        """
        link = self.linked(None)
        self.place.moved([])
        self.place.giveBack(link)
        self.assertEqual((link.closed, self.place.idle), (0, [link]))

    def test_forgotten(self) -> None:
        """
        Of links that are gone nothing is remembered, however they went.
        """
        for end in (
            lambda link: link.close(),
            lambda link: self.place.released(link)(),
            lambda link: (self.place.moved([]), self.place.giveBack(link)),
        ):
            end(self.linked())
            self.assertEqual((self.place._addresses, self.place._condemned, self.place.open), ({}, set(), 0))

    def test_watches(self) -> None:
        """
        It hears of its name from the beginning until it is closed, and where it has an address there is
        nothing to hear.
        """
        self.assertEqual(self.resolver.watchers, [("shop.example", self.place)])
        kept = self.linked()
        self.place.giveBack(kept)
        self.place.close()
        self.assertEqual((self.resolver.watchers, kept.closed, self.place.open), ([], 1, 0))
        for address in ("127.0.0.1", "::1"):
            self.place = self.make(address)
            link = self.linked()
            self.place.giveBack(link)
            self.assertEqual((self.resolver.watchers, self.place._addresses), ([], {}))
            self.place.close()
            self.assertEqual((link.closed, self.place.open), (1, 0))

    def test_realAddress(self) -> None:
        """
        Where a connection leads is what its socket says.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname()) as client:
                link = self.linked()
                link.wire = SimpleNamespace(sock=client)
                self.place.welcome(link)
                self.assertEqual(self.place._addresses, {link: "127.0.0.1"})

    def test_notPrompt(self) -> None:
        """
        Whoever is counted is not connected to behind the back of who counts, be it on this machine.
        """
        self.assertTrue(CountedPlace.isCounted)
        self.assertFalse(self.make("127.0.0.1").isPrompt)

    def test_broken(self) -> None:
        """
        One whose target fails until it is passed over closes what it has kept, and has its room back.
        """
        kept = self.linked()
        self.place.giveBack(kept)
        for _ in range(Ejection().failures):
            self.place.failed("it left")
        self.assertTrue(self.place.isAway)
        self.assertEqual((kept.closed, self.counts(), self.place.hasRoom), (1, (0, 0), True))
