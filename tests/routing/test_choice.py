"""
Which of a route's targets are for a request, and how that is explained.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Branch, Conditions, Forward, Target
from smartproxy_tw.routing.choice import judged, tiers
from smartproxy_tw.routing.explain import Circumstances, explain
from smartproxy_tw.routing.sight import Sight

from ..config.reading import understood


def branch(
    name: str, path: str | None = None, conditions: Conditions | None = None, priority: int = 0
) -> Branch:
    """
    To one target.
    """
    return Branch(Forward((Target(name, 80),)), path, conditions, priority)


class ChoiceTests(SynchronousTestCase):
    """
    L{smartproxy_tw.routing.choice}.
    """

    def test_order(self) -> None:
        """
        By priority; what has conditions before what has none; then as it was given.
        """
        some = [
            branch("rest"),
            branch("a", "/a"),
            branch("b", "/b"),
            branch("rest2"),
            branch("top", priority=1),
            branch("a2", "/a"),
        ]
        self.assertEqual([each.places for each in tiers(some)], [(4,), (1, 5), (2,), (0, 3)])

    def test_judged(self) -> None:
        """
        Each with the reason why it is not for this.
        """
        some = [branch("a", "/a"), branch("b", None, Conditions(methods=("PUT",))), branch("c")]
        found = {each.forward.targets[0].host: why for each, _, why in judged(some, "/x", Sight("", "GET"))}
        self.assertEqual(found, {"a": "path: /x is not /a", "b": "method: GET is not PUT", "c": None})
        found = {each.forward.targets[0].host: why for each, _, why in judged(some, None, Sight(""))}
        self.assertEqual(found["a"], "path: None is not /a")

    def test_explained(self) -> None:
        """
        C{explain} tells the targets, and why not the others.
        """
        config = understood(
            "routes: [{name: r, match: {ports: 80, domains: a.b}, action: {type: forward, targets: ["
            "'h:1', {host: i, port: 2, match: {headers: {X-Beta: '*'}}, headers: {X-Way: b}},"
            "{host: j, port: 3, match: {path: /p}, priority: 2}]}},"
            "{name: s, match: {ports: 81}, action: {type: forward, targets: 'python:m.f'}}]"
        )
        told = str(explain(config, "http://a.b/x"))
        self.assertIn("h:1", told)
        self.assertIn("j:3: path: /x is not /p", told)
        self.assertIn(
            "i:2, with X-Way: header: x-beta is not there", told.replace("i:2: ", "i:2, with X-Way: ")
        )
        told = str(explain(config, "http://a.b/p"))
        self.assertIn("h:1: those before it come first", told)
        told = str(explain(config, "http://a.b/x", Circumstances(headers=("X-Beta: 1",))))
        self.assertIn("i:2, with X-Way", told)
        self.assertIn("forward to what python:m.f gives", str(explain(config, "tcp://a.b:81")))
