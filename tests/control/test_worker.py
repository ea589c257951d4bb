"""
The process of a worker, as far as it can be looked at without one; the rest is
in tests/live.
"""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.worker import newPlane
from smartproxy_tw.plane.poller import LINGER


class PlaneTests(SynchronousTestCase):
    """
    L{newPlane}.
    """

    def test_forOneOfSeveral(self) -> None:
        """
        Its data path waits for its own next event, and takes turns at the ports.
        """
        plane = newPlane(reactor)
        self.addCleanup(plane.drain, 0)
        self.assertEqual(plane.engine.poller.linger, LINGER)
        self.assertTrue(plane.engine.sharesPorts)
