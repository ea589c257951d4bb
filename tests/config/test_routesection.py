"""
Tests for L{smartproxy_tw.config.routesection}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Block

from .options import ROUTE, Option, action, deed, match
from .reading import only

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Route.name": (
        "routes: [{name: x, match: {ports: 8}, action: {type: block}}]",
        lambda c: c.routes[0].name,
        "x",
    ),
    "Route.match": (match("ports: 9"), lambda c: c.ports, (9,)),
    "Route.action": (action("type: block"), deed, Block()),
    "Route.priority": (
        "routes: [{match: {ports: 8}, action: {type: block}, priority: -3}]",
        lambda c: c.routes[0].priority,
        -3,
    ),
    "Route.enabled": (
        ROUTE[:-2] + ", {match: {ports: 9}, action: {type: block}, enabled: false}]",
        lambda c: c.ports,
        (8,),
    ),
}


class RouteTests(SynchronousTestCase):
    """
    A rule has what it takes and what becomes of it.
    """

    def test_refused(self) -> None:
        """
        Half a rule, and a priority beyond all others, is told.
        """
        for text, told in (
            ("match: {ports: 8}", "routes[0]: needs action"),
            ("action: {type: block}", "routes[0]: needs match"),
            ("match: {ports: 8}, action: {type: block}, priority: 1000001", "priority: has to be at most"),
            ("match: {ports: 8}, action: {type: block}, enabled: 1", "enabled: "),
            ("match: {ports: 8}, action: {type: block}, name: ''", "name: "),
        ):
            self.assertIn(told, only(f"routes: [{{{text}}}]"))
