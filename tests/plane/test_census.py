"""
Tests for L{smartproxy_tw.plane.census}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import floats, integers, lists, sampled_from, tuples
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Block, Route
from smartproxy_tw.facts import Address, ConnectionFacts
from smartproxy_tw.plane.census import DURATIONS, Census, cell, words
from smartproxy_tw.plane.door import Prepared
from smartproxy_tw.plane.lines import Entry, Refused, Served, Streamed
from smartproxy_tw.wire.http1 import parseRequest

from ..examples import anyText, examples

HEAD = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
CLIENT = Address("192.0.2.9", 9)


def served(
    name: str | None, status: int = 200, seconds: float = 0.0, size: int = 0, received: int = 0
) -> Served:
    """
    A request that a route took, or none.
    """
    request = parseRequest(HEAD)
    assert request is not None
    action = Block()
    route = None if name is None else Route(name, (1,), action, "http")
    prepared = Prepared(request, route, action, None, "")  # type: ignore[arg-type]
    return Served(prepared, "192.0.2.9", 5.0, 5.0 + seconds, status, size, received, 1)


class CensusTests(SynchronousTestCase):
    """
    Entries are counted.
    """

    def setUp(self) -> None:
        """Nothing has happened."""
        self.counts: dict[str, int] = {}
        self.census = Census(self.counts)

    def told(self, what: str, whose: str) -> dict[str, int]:
        """
        The counts of one kind that are not zero.
        """
        found = {}
        for name, number in self.counts.items():
            if " " in name and number:
                kind, which, owner = words(name)
                if (kind, owner) == (what, whose):
                    found[which] = number
        return found

    def test_nothing(self) -> None:
        """
        Before the first request there is nothing of any route.
        """
        self.assertEqual(self.counts, {"requests": 0, "log_lines_lost": 0})

    def test_served(self) -> None:
        """
        A request counts for its route: by its status, by how long it took, and with
        its bytes both ways.
        """
        self.census.take(
            [
                served("my shop", 200, 2**-8, 10, 3),
                served("my shop", 200, 2**-8, 20),
                served("my shop", 404, 99.0, 5),
                served("blog", 200, 0.0),
            ]
        )
        self.assertEqual(self.counts["requests"], 4)
        self.assertEqual(self.told("requests", "my shop"), {"200": 2, "404": 1})
        self.assertEqual(self.told("seconds", "my shop"), {"2": 2, str(len(DURATIONS)): 1})
        self.assertEqual(self.told("microseconds", "my shop"), {"-": 99_007_812})
        self.assertEqual(self.told("sent", "my shop"), {"-": 35})
        self.assertEqual(self.told("received", "my shop"), {"-": 3})
        self.assertEqual(self.told("seconds", "blog"), {"0": 1})

    def test_noRoute(self) -> None:
        """
        What no route took, or was no request, counts for none.
        """
        self.census.take([served(None, 404, size=4), Refused(b"x", "192.0.2.9", 5.0, 400, 3)])
        self.assertEqual(self.told("requests", ""), {"404": 1, "400": 1})
        self.assertEqual(self.told("sent", ""), {"-": 7})
        self.assertEqual(self.counts["requests"], 2)

    def test_streams(self) -> None:
        """
        What is not HTTP counts as a stream, with its bytes both ways.
        """
        route = Route("mail", (25,), Block(), "tcp")
        facts = ConnectionFacts(25, CLIENT, None)
        self.census.take([Streamed(route, facts, 0.0, 1.0, 7, 8)] * 2)
        self.assertEqual((self.told("streams", "mail"), self.counts["requests"]), ({"-": 2}, 0))
        self.assertEqual(self.told("received", "mail"), {"-": 14})
        self.assertEqual(self.told("sent", "mail"), {"-": 16})

    def test_tunnels(self) -> None:
        """
        A connection that went on as a tunnel says nothing about durations.
        """
        self.census.take([served("chat", 101, 3600.0)])
        self.assertEqual(self.told("requests", "chat"), {"101": 1})
        self.assertEqual((self.told("seconds", "chat"), self.told("microseconds", "chat")), ({}, {}))

    def test_strangeStatus(self) -> None:
        """
        Whatever three digits a target answers with, there are only so many counts.
        """
        self.census.take([served("a", status) for status in range(1000)])
        codes = self.told("requests", "a")
        self.assertLess(len(codes), 80)
        self.assertEqual(sum(codes.values()), 1000)
        self.assertEqual((codes["0"], codes["499"], codes["200"]), (1, 1, 1))
        self.assertGreater(codes["5xx"], 80)

    def test_keep(self) -> None:
        """
        Of a route that is not there any more nothing is left; of no route at all
        everything is.
        """
        self.census.take([served("a"), served("b"), served(None, 404)])
        for name in ("a", "b", "a"):
            self.census.denied("rate", name)
        self.assertEqual((self.told("denied", "a"), self.told("denied", "b")), ({"rate": 2}, {"rate": 1}))
        self.census.keep({"b", "c"})
        self.assertEqual(self.told("denied", "b"), {"rate": 1})
        self.assertEqual((self.told("requests", "a"), self.told("requests", "b")), ({}, {"200": 1}))
        self.assertFalse([name for name in self.counts if name.endswith(" a")])
        self.assertEqual(self.told("requests", ""), {"404": 1})
        self.census.take([served("a")])
        self.assertEqual(self.told("requests", "a"), {"200": 1})

    def test_forget(self) -> None:
        """
        Nor of a target.
        """
        for name in ("10.0.0.1:80", "10.0.0.2:80"):
            self.counts[cell("target_failures", "-", name)] = 1
        self.census.forget(())
        self.census.forget({"10.0.0.2:80"})
        self.assertEqual(self.told("target_failures", "10.0.0.1:80"), {"-": 1})
        self.assertEqual(self.told("target_failures", "10.0.0.2:80"), {})

    def test_another(self) -> None:
        """
        Another one goes on with the same counts, and takes nothing back.
        """
        self.census.take([served("a")])
        Census(self.counts).take([served("a")])
        self.assertEqual(self.told("requests", "a"), {"200": 2})

    @examples()
    @given(
        lists(
            tuples(
                sampled_from(("a", "b c", None)),
                integers(0, 999),
                floats(0, 100),
                integers(0, 1000),
                integers(0, 1000),
            ),
            max_size=30,
        )
    )
    def test_adds(self, entries: list[tuple[str | None, int, float, int, int]]) -> None:
        """
        However they are cut into batches, all requests are counted once, by code and by
        duration.
        """
        whole: list[Entry] = [served(*each) for each in entries]
        once: dict[str, int] = {}
        Census(once).take(whole)
        pieces: dict[str, int] = {}
        census = Census(pieces)
        for entry in whole:
            census.take([entry])
        self.assertEqual(once, pieces)
        for what, wanted in (
            ("requests", len(whole)),
            ("seconds", sum(entry[1] != 101 for entry in entries)),
            ("sent", sum(entry[3] for entry in entries)),
            ("received", sum(entry[4] for entry in entries)),
        ):
            self.assertEqual(sum(n for name, n in once.items() if name.startswith(what + " ")), wanted)

    @examples()
    @given(anyText(20))
    def test_words(self, whose: str) -> None:
        """
        A name can be had back from the name of its count.
        """
        self.assertEqual(words(cell("requests", 200, whose)), ("requests", "200", whose))
