"""
What a program asks of its proxy while it runs, beside other configurations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from smartproxy_tw.config.changes import Changes
from smartproxy_tw.config.model import Dynamic, Forward
from smartproxy_tw.service.errors import NotPossible
from smartproxy_tw.service.tree import SmartProxy

from .configurations import BLOG, route
from .test_turnover import PLAIN, ReloadTests

DYNAMIC = replace(PLAIN, name="dynamic", ports=(8081,), action=Forward((), dynamic=Dynamic(len)))


class SteeringTests(ReloadTests):
    """
    L{SmartProxy} as an object of a program.
    """

    def test_routesTold(self) -> None:
        """
        Whoever observes routes is told what has changed once it is in use, and only then;
        what it raises disturbs nobody.
        """
        told: list[Changes] = []

        def failing(changes: Changes) -> None:
            raise KeyError

        self.proxy.events.observeRoutes(failing)
        end = self.proxy.events.observeRoutes(told.append)
        self.begin()
        self.successResultOf(self.proxy.addRoute(PLAIN))
        self.assertEqual([each.added for each in told], [(PLAIN.name,)])
        self.assertIn(PLAIN, self.proxy.config.routes)
        self.refusal(self.proxy.addRoute(PLAIN))
        self.successResultOf(self.proxy.reconfigure(self.proxy.config))
        self.assertEqual(len(told), 1)
        self.successResultOf(self.proxy.removeRoute(PLAIN.name))
        end()
        end()
        self.successResultOf(self.proxy.addRoute(PLAIN))
        self.assertEqual([each.removed for each in told], [(), (PLAIN.name,)])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 3)

    def test_metrics(self) -> None:
        """
        They are those of the data path; without one there are none.
        """
        self.assertEqual(self.successResultOf(self.proxy.metrics()), {})
        self.begin()
        self.assertEqual(self.successResultOf(self.proxy.metrics()), self.successResultOf(self.plane.tally()))

    def test_renew(self) -> None:
        """
        By a name that a certificate is for, once it is there; for all else it fails.
        """
        self.failureResultOf(self.proxy.renew("shop.example"), NotPossible)
        self.begin()
        self.successResultOf(self.proxy.addRoute(route("blog", BLOG)))
        asked = self.successResultOf(self.proxy.renew(BLOG.names[0]))
        self.assertLessEqual(set(asked), {BLOG.key})
        why = self.failureResultOf(self.proxy.renew("elsewhere.example"), NotPossible).value
        self.assertIn("elsewhere.example", str(why))
        self.failureResultOf(self.proxy.renew("a b"), ValueError)

    def test_function(self) -> None:
        """
        A function that is handed in is for one process; with workers it is refused, by its
        name, at the beginning and at a change.
        """
        self.begin()
        self.successResultOf(self.proxy.addRoute(DYNAMIC))
        config = replace(self.proxy.config, workers=2)
        parts: Any = {}
        why = self.assertRaises(ValueError, SmartProxy, config, None, **parts)
        self.assertIn("Route 'dynamic' has the function python:builtins.len", str(why))
        self.assertIn("which no worker can have", self.refusal(self.proxy.reconfigure(config)))
