"""
Tests for L{smartproxy_tw.guards.pace}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.security import RateLimit
from smartproxy_tw.guards.pace import Arrivals, Requests

from .visiting import Arrival, Behind, connection, stream


class ArrivalsTests(SynchronousTestCase):
    """
    L{Arrivals}.
    """

    def test_connections(self) -> None:
        """
        A connection counts once, however many requests come by it; a client has so many in a
        minute.
        """
        clock = Clock()
        guard = Arrivals(2, clock.seconds)
        one, two, three = (connection(port=port) for port in (1, 2, 3))
        for _ in range(5):
            self.assertTrue(Arrival(guard, by=one).hasPassed)
        self.assertTrue(Arrival(guard, by=two).hasPassed)
        late = Arrival(guard, by=three)
        self.assertEqual((late.status, late.reasons), (429, ["connection_rate"]))
        self.assertIn(b"Retry-After: 30\r\n", late.answer)
        self.assertTrue(Arrival(guard, by=one).hasPassed)
        self.assertTrue(Arrival(guard, by=connection("192.0.2.2")).hasPassed)
        clock.advance(30)
        self.assertTrue(Arrival(guard, by=three).hasPassed)
        self.assertEqual(Arrival(guard, by=connection(port=4)).status, 429)

    def test_samePort(self) -> None:
        """
        A connection is not taken for one before it that had the same address and port.
        """
        guard = Arrivals(1, Clock().seconds)
        self.assertTrue(Arrival(guard, by=connection(port=1)).hasPassed)
        self.assertEqual(Arrival(guard, by=connection(port=1)).status, 429)

    def test_bounded(self) -> None:
        """
        What is known of connections is bounded.
        """
        guard = Arrivals(1, Clock().seconds, most=10)
        for number in range(100):
            Arrival(guard, by=connection(f"10.0.0.{number}"))
        self.assertLessEqual(len(guard), 10)

    def test_streams(self) -> None:
        """
        Each connection that is not HTTP counts, and is not kept.
        """
        from smartproxy_tw.guards.passage import Guarded

        guard = Arrivals(2, Clock().seconds)
        behind = Behind()
        action = Guarded(behind, [guard], lambda *_: None, doorkeepers=1)
        streams = [stream() for _ in range(3)]
        for each in streams:
            action.stream(each)
        self.assertEqual(behind.reached, streams[:2])
        self.assertEqual((streams[2].asked, len(guard)), ([("abort",)], 0))


class RequestsTests(SynchronousTestCase):
    """
    L{Requests}.
    """

    def guard(self, settings: RateLimit, workers: int = 1) -> Requests:
        """
        One with a clock that stands.
        """
        return Requests(settings, Clock().seconds, lambda number: -(-number // workers))

    def test_keys(self) -> None:
        """
        Clients, values of a field, paths, or the whole route have a bucket each.
        """
        for by, header, same, other in (
            ("ip", "", {"by": connection("2001:db8::1")}, {"by": connection("2001:db8:1::1")}),
            ("header", "x-key", {"fields": [("x-key", "a")]}, {"fields": [("x-key", "b")]}),
            ("header", "x-key", {"fields": []}, {"fields": [("x-key", "b" * 9000)]}),
            ("path", "", {"path": "/a", "query": "x"}, {"path": "/b"}),
        ):
            guard = self.guard(RateLimit(1, 60.0, 1, by, header))  # type: ignore[arg-type]
            self.assertTrue(Arrival(guard, **same).hasPassed)  # type: ignore[arg-type]
            denied = Arrival(guard, **same)  # type: ignore[arg-type]
            self.assertEqual((denied.status, denied.reasons), (429, ["rate"]))
            self.assertIn(b"Retry-After: 60\r\n", denied.answer)
            self.assertTrue(Arrival(guard, **other).hasPassed)  # type: ignore[arg-type]
        guard = self.guard(RateLimit(1, 60.0, 1, "route"))
        self.assertTrue(Arrival(guard, path="/a").hasPassed)
        self.assertEqual(Arrival(guard, path="/b", by=connection("192.0.2.9")).status, 429)

    def test_workers(self) -> None:
        """
        Each worker has its share, rounded up.
        """
        guard = self.guard(RateLimit(5, 60.0, 5), workers=2)
        passed = [Arrival(guard).hasPassed for _ in range(5)]
        self.assertEqual(passed, [True, True, True, False, False])

    def test_keysAreShort(self) -> None:
        """
        A client that sends long values does not fill the memory.
        """
        guard = self.guard(RateLimit(1, 60.0, 1, "header", "x-key"))
        Arrival(guard, fields=[("x-key", "b" * 60_000)])
        self.assertLess(max(map(len, guard.buckets._fullAt)), 65)
