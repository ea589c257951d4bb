"""
Tests for L{smartproxy_tw.routing.rule}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Conditions, Respond, Route
from smartproxy_tw.routing.rule import Ask, Rule, readRules

from .routes import PASSTHROUGH, TERMINATE, forward, http


def rule(**more: Any) -> Rule:
    """
    The rule of one route.
    """
    (found,) = readRules(
        [Route(**{"name": "it", "ports": (443,), "action": Respond(), "protocol": "http", **more})]
    )
    return found


class AnswersTests(SynchronousTestCase):
    """
    Which questions a route is there for.
    """

    def test_each(self) -> None:
        """
        Each kind of route answers what its bytes can ask, and nothing else.
        """
        stream = {"protocol": "tcp", "action": forward}
        kinds: list[tuple[dict[str, Any], set[Ask]]] = [
            ({}, {Ask.plainRequest}),
            (stream, {Ask.plainStream}),
            ({**stream, "tls": PASSTHROUGH}, {Ask.hello}),
            ({"tls": TERMINATE}, {Ask.hello, Ask.tlsRequest}),
            ({**stream, "tls": TERMINATE}, {Ask.hello, Ask.tlsStream}),
        ]
        for more, asked in kinds:
            found = rule(**more)
            self.assertEqual({ask for ask in Ask if found.answers(ask)}, asked, more)

    def test_path(self) -> None:
        """
        A path is asked for where one is known, and nowhere else.
        """
        found = rule(path="/a/*")
        for ask in Ask:
            self.assertEqual(ask.seesPath, ask in (Ask.plainRequest, Ask.tlsRequest))
            self.assertEqual(found.pathFor(ask) is found.path, ask.seesPath)


class StandingTests(SynchronousTestCase):
    """
    Who is before whom.
    """

    def order(self, *routes: Route) -> list[str]:
        """
        The names of these routes for C{www.a.test}, the one that is chosen first.
        """
        found = []
        for each in readRules(routes):
            domain = each.best("www.a.test")
            assert domain is not None, each
            found.append((each.standing(domain, Ask.plainRequest), each.route.name))
        return [name for _, name in sorted(found)]

    def test_order(self) -> None:
        """
        Priority is before the name, the name before the path, the path before conditions,
        and the place in the file decides what is left.
        """
        self.assertEqual(
            self.order(
                http("anyone"),
                http("last"),
                http("path", path="/x"),
                http("wild", "*.a.test"),
                http("conditional", "*.a.test", conditions=Conditions(methods=("GET",))),
                http("exact", "www.a.test"),
                http("deep", "www.a.test", path="/x/y"),
                http("urgent", priority=1),
            ),
            ["urgent", "deep", "exact", "conditional", "wild", "path", "anyone", "last"],
        )

    def test_best(self) -> None:
        """
        Of several domains that match the most specific one counts, and a route without any
        takes every name.
        """
        found = rule(domains=("*.a.test", "www.a.test", "b.test")).best("www.a.test")
        assert found is not None
        self.assertLess(found.rank, rule(domains=("*.a.test",)).domains[0].rank)
        self.assertIsNone(rule(domains=("b.test",)).best("www.a.test"))
        self.assertIsNotNone(rule().best("anything.test"))


class ReadTests(SynchronousTestCase):
    """
    Reading them.
    """

    def test_wrong(self) -> None:
        """
        What is no pattern is told with the route that has it.
        """
        why = self.assertRaises(ValueError, rule, domains=("a..test",))
        self.assertIn("route 'it': ", str(why))

    def test_twice(self) -> None:
        """
        A domain that is there twice is one.
        """
        self.assertEqual(len(rule(domains=("a.test", "a.test")).domains), 1)
