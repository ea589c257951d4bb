"""
Tests for L{smartproxy_tw.upstream.services}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream import services as module
from smartproxy_tw.upstream.nameservers import NameServers
from smartproxy_tw.upstream.query import NoAnswer
from smartproxy_tw.upstream.services import Asked, Member, Services, asking

NAME = "_http._tcp.app.test"
ONE, TWO = Member(10, 5, "one.test", 80), Member(10, 5, "two.test", 80)


class Oracle:
    """
    Answers when it is told to.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._waiting: list[Deferred[Asked]] = []

    def ask(self, name: str) -> Deferred[Asked]:
        """
        Somebody asks.
        """
        self.asked.append(name)
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def says(self, *members: Member, seconds: float = 60.0) -> None:
        """
        Answer all.
        """
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(Asked(members, seconds))

    def fails(self, why: Exception) -> None:
        """
        Tell nothing.
        """
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(why)


class Watcher:
    """
    Somebody who uses a service.
    """

    def __init__(self) -> None:
        self.told: list[tuple[Member, ...]] = []

    def found(self, name: str, members: Sequence[Member]) -> None:
        """
        See L{smartproxy_tw.upstream.services.Watcher}.
        """
        assert name == NAME
        self.told.append(tuple(members))


class ServicesTests(SynchronousTestCase):
    """
    What is known, for how long.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.oracle = Oracle()
        self.services = Services(self.oracle.ask, self.clock.callLater)
        self.watcher = Watcher()

    def test_told(self) -> None:
        """
        Whoever watches is told when it is known, and only what changes; who comes later
        at once; all share one question.
        """
        self.services.watch(NAME, self.watcher)
        other = Watcher()
        self.services.watch(NAME, other)
        self.assertEqual((self.oracle.asked, self.watcher.told), ([NAME], []))
        self.oracle.says(ONE)
        late = Watcher()
        self.services.watch(NAME, late)
        for each in (self.watcher, other, late):
            self.assertEqual(each.told, [(ONE,)])
        self.clock.advance(54.0)
        self.oracle.says(ONE)
        self.clock.advance(54.0)
        self.oracle.says(ONE, TWO)
        self.assertEqual(self.watcher.told, [(ONE,), (ONE, TWO)])

    def test_lifetime(self) -> None:
        """
        It is asked for again before its time is over, within bounds.
        """
        for seconds, pause in ((60.0, 54.0), (0.0, 0.9), (86400.0, 270.0)):
            services = Services(self.oracle.ask, self.clock.callLater)
            services.watch(NAME, self.watcher)
            self.oracle.says(ONE, seconds=seconds)
            count = len(self.oracle.asked)
            self.clock.advance(pause - 0.05)
            self.assertEqual(len(self.oracle.asked), count)
            self.clock.advance(0.1)
            self.assertEqual(len(self.oracle.asked), count + 1)
            services.unwatch(NAME, self.watcher)
            self.oracle.says(ONE, seconds=300)

    def test_nobodyWatches(self) -> None:
        """
        When nobody watches any more nothing is asked.
        """
        self.services.watch(NAME, self.watcher)
        self.oracle.says(ONE)
        self.services.unwatch(NAME, self.watcher)
        self.clock.advance(1000.0)
        self.assertEqual((len(self.oracle.asked), self.clock.getDelayedCalls()), (1, []))
        self.services.watch(NAME, self.watcher)
        self.assertEqual(len(self.oracle.asked), 2)

    def test_failures(self) -> None:
        """
        When nobody can tell, what there was serves on; it is asked again after pauses that
        grow, and said once.
        """
        self.services.watch(NAME, self.watcher)
        self.oracle.says(ONE)
        with capturedLogs() as events:
            self.clock.advance(54.0)
            for pause in (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
                self.oracle.fails(NoAnswer("nobody answers"))
                count = len(self.oracle.asked)
                self.clock.advance(pause - 0.1)
                self.assertEqual(len(self.oracle.asked), count)
                self.clock.advance(0.1)
                self.assertEqual(len(self.oracle.asked), count + 1)
            self.oracle.says(ONE)
        self.assertEqual([each["log_level"].name for each in events], ["warn", "info"])
        self.assertEqual(self.watcher.told, [(ONE,)])

    def test_bug(self) -> None:
        """
        A bug while asking ends nothing.
        """
        self.services.watch(NAME, self.watcher)
        self.oracle.fails(RuntimeError("bug"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.clock.advance(1.0)
        self.oracle.says(ONE)
        self.assertEqual(self.watcher.told, [(ONE,)])

    def test_nothing(self) -> None:
        """
        That there is no such service is told, and asked again soon.
        """
        self.services.watch(NAME, self.watcher)
        self.oracle.says(seconds=3600)
        self.assertEqual(self.watcher.told, [()])
        self.clock.advance(9.0)
        self.oracle.says(TWO)
        self.assertEqual(self.watcher.told, [(), (TWO,)])

    def test_many(self) -> None:
        """
        No more than so many count, those of the best priorities first.
        """
        self.services.watch(NAME, self.watcher)
        self.oracle.says(*(Member(number, 0, "x.test", number + 1) for number in range(1000)))
        [found] = self.watcher.told
        self.assertEqual((len(found), found[-1].priority), (64, 63))


class AskingTests(SynchronousTestCase):
    """
    From answers to records.
    """

    def asked(self, *records: dns.RRHeader) -> Asked:
        """
        What comes of an answer with these.
        """

        async def ask(reactor: Any, settings: NameServers, name: str, kind: int) -> Any:
            self.assertEqual((name, kind), (NAME, dns.SRV))
            message: Any = dns.Message()
            message.answers = list(records)
            return message

        self.patch(module, "ask", ask)
        found: Asked = self.successResultOf(asking(None, NameServers)(NAME))
        return found

    def record(self, *facts: Any, name: str = NAME, ttl: int = 60) -> dns.RRHeader:
        """
        One of them.
        """
        priority, weight, port, host = facts
        payload: Callable[..., Any] = dns.Record_SRV
        return dns.RRHeader(name, dns.SRV, dns.IN, ttl, payload(priority, weight, port, host, ttl), False)

    def test_records(self) -> None:
        """
        They come in order, none twice, in their normal form, with the shortest lifetime.
        """
        found = self.asked(
            self.record(20, 0, 81, b"Two.Test."),
            self.record(10, 5, 80, b"one.test", ttl=30),
            self.record(10, 5, 80, b"one.test"),
            self.record(10, 5, 80, b"other.test", name="_http._tcp.other.test"),
        )
        self.assertEqual(found, Asked((ONE, Member(20, 0, "two.test", 81)), 30.0))

    def test_none(self) -> None:
        """
        A record that leads to the root says that there is no such service; one without a
        port leads nowhere.
        """
        self.assertEqual(self.asked(self.record(0, 0, 80, b".")).members, ())
        self.assertEqual(self.asked(self.record(0, 0, 0, b"one.test")).members, ())
        self.assertEqual(self.asked(), Asked((), 0.0))
