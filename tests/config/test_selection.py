"""
How a route chooses among its targets.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import (
    Branch,
    Conditions,
    Config,
    Dynamic,
    Forward,
    Plugin,
    Respond,
    Route,
    Target,
)
from smartproxy_tw.config.selection import homebound


class SelectionTests(SynchronousTestCase):
    """
    L{smartproxy_tw.config.selection}.
    """

    def test_words(self) -> None:
        """
        What works out targets is told by its name.
        """
        for dynamic, told in (
            (Dynamic(Reference("a.b")), "python:a.b"),
            (Dynamic(homebound), "python:smartproxy_tw.config.selection.homebound"),
            (Dynamic(Plugin("ring")), "plug-in ring"),
            (Dynamic(None, Reference("a.b"), 80), "python:a.b:80"),
            (Dynamic(None, Reference("a.b")), "python:a.b:preserve"),
            (Dynamic(None, ("h", "i"), Reference("a.b")), "h, i, port by python:a.b"),
        ):
            self.assertEqual(str(dynamic), told)

    def test_groups(self) -> None:
        """
        A forward has one group, or those of its branches.
        """
        plain = Forward((Target("a", 1),))
        self.assertEqual(plain.groups, (plain,))
        branches = (Branch(plain), Branch(Forward((Target("b", 1),)), path="/b"))
        self.assertEqual(Forward((), branches=branches).groups, tuple(each.forward for each in branches))
        self.assertEqual([each.isDefault for each in branches], [True, False])
        self.assertFalse(Branch(plain, conditions=Conditions(methods=("GET",))).isDefault)

    def test_homebound(self) -> None:
        """
        A function stays in its process, wherever in a route it is; its name does not.
        """

        def config(action: Any) -> Config:
            return Config((Route("r", (80,), Respond(), "http"), Route("a", (80,), action, "http")), "/")

        for action in (
            Forward((), dynamic=Dynamic(len)),
            Forward((), dynamic=Dynamic(None, len, 80)),
            Forward((), dynamic=Dynamic(None, ("a",), len)),
            Forward((), branches=(Branch(Forward((), dynamic=Dynamic(len))),)),
        ):
            why = homebound(config(action)) or ""
            self.assertIn("Route 'a' has the function python:builtins.len, which no worker can have", why)
        for action in (
            Forward((), dynamic=Dynamic(Reference("a.b"))),
            Forward((Target("a", 1),)),
            Plugin("x"),
        ):
            self.assertIsNone(homebound(config(action)))
