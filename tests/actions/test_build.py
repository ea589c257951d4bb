"""
From what a route says to what does it.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.block import BlockAction
from smartproxy_tw.actions.build import buildAction
from smartproxy_tw.actions.forward import ForwardAction
from smartproxy_tw.actions.redirect import RedirectAction
from smartproxy_tw.actions.respond import RespondAction
from smartproxy_tw.config.model import Block, Forward, Redirect, Respond, Target


class BuildTests(SynchronousTestCase):
    """
    L{buildAction}.
    """

    def test_each(self) -> None:
        """
        Every kind of action is built; only a forward asks for a group.
        """
        upstream: Any = object()
        asked = []

        def group(forward: Forward) -> Any:
            asked.append(forward)
            return upstream

        forward = Forward((Target("a.test", 80),))
        built = buildAction(forward, group)
        assert isinstance(built, ForwardAction)
        self.assertIs(built.upstream, upstream)
        self.assertEqual(asked, [forward])
        for settings, kind in (
            (Redirect("/"), RedirectAction),
            (Respond(), RespondAction),
            (Block(), BlockAction),
        ):
            self.assertIsInstance(buildAction(settings, group), kind)
        self.assertEqual(len(asked), 1)

    def test_unusable(self) -> None:
        """
        Why there is no group is why there is no action.
        """

        def group(forward: Forward) -> Any:
            raise ValueError("no such file")

        self.assertRaises(ValueError, buildAction, Forward((Target("a.test", 80),)), group)
