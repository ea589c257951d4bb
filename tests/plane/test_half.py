"""
Tests for L{smartproxy_tw.plane.half}.
"""

from __future__ import annotations

import inspect
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.channel import Channel
from smartproxy_tw.plane.half import ClientHalf, TargetHalf
from smartproxy_tw.plane.link import Link
from smartproxy_tw.plane.session import Session
from smartproxy_tw.plane.strand import Strand


class HalfTests(SynchronousTestCase):
    """
    Either version of HTTP, on either side.
    """

    def test_whole(self) -> None:
        """
        Each has all that an exchange asks for, and its methods take the same.
        """
        for half, kinds in ((ClientHalf, (Session, Channel)), (TargetHalf, (Link, Strand))):
            asked: dict[str, Any] = {
                name: each for name, each in vars(half).items() if not name.startswith("_")
            }
            names = {*asked, *half.__annotations__}
            self.assertGreater(len(names), 8)
            for kind in kinds:
                for name in names:
                    self.assertTrue(hasattr(kind, name), (kind, name))
                    if inspect.isfunction(asked.get(name)):
                        wanted = [*inspect.signature(asked[name]).parameters]
                        found = [*inspect.signature(getattr(kind, name)).parameters]
                        self.assertEqual(found, wanted, (kind, name))

    def test_framed(self) -> None:
        """
        Answers go on as they came to clients of HTTP/1 only.
        """
        self.assertEqual((Session.isFramed, Channel.isFramed), (False, True))
