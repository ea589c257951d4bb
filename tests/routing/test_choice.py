"""
Which of a route's targets are for a request, and how that is explained.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Branch, Conditions, Forward, Target
from smartproxy_tw.routing.choice import judged, tiers
from smartproxy_tw.routing.explain import Circumstances, explain
from smartproxy_tw.routing.sight import Sight

from ..config.reading import understood
from ..examples import examples
from ..plugins.given import given as givenPlugins
from .reference import View, conditions, pathPatterns, paths, slowConditions, slowPath, views
from .routes import http


def branch(
    name: str, path: str | None = None, conditions: Conditions | None = None, priority: int = 0
) -> Branch:
    """
    To one target.
    """
    return Branch(Forward((Target(name, 80),)), path, conditions, priority)


_asked = conditions(http("a")).map(lambda found: found if found != Conditions() else None)
_branches = st.lists(
    st.builds(branch, st.sampled_from("abc"), pathPatterns, _asked, st.sampled_from([0, 0, 1, -1])),
    max_size=6,
)


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


def slowChoice(some: list[Branch], path: str, view: View) -> list[int]:
    """
    Which take turns, found by asking all of them one by one.
    """

    def isFor(each: Branch) -> bool:
        route = http("a", path=each.path, conditions=each.conditions or Conditions())
        return slowPath(each.path, path) is not None and slowConditions(route, view)

    fit = [place for place, each in enumerate(some) if isFor(each)]
    if not fit:
        return []
    first = min(fit, key=lambda place: (-some[place].priority, some[place].isDefault, place))
    asked = (some[first].priority, some[first].path, some[first].conditions)
    return [
        place for place in fit if (some[place].priority, some[place].path, some[place].conditions) == asked
    ]


class ReferenceTests(SynchronousTestCase):
    """
    Targets are chosen as the plain reading of the rules does.
    """

    def setUp(self) -> None:
        """
        There are some plug-ins.
        """
        givenPlugins(self)

    @examples(80)
    @given(_branches, paths, views)
    def test_choice(self, some: list[Branch], path: str, view: View) -> None:
        """
        For any targets, any path, and whatever else can be asked for; each of those that are not chosen
        has its objection just when it is not for this.
        """
        chosen = next((each.places for each in tiers(some) if each.holds(path, view.sight)), ())
        self.assertEqual(list(chosen), slowChoice(some, path, view))
        told = [(places, why) for _, places, why in judged(some, path, view.sight)]
        self.assertEqual(next((list(places) for places, why in told if why is None), []), list(chosen))
        self.assertEqual(len(told), len(some))
