"""
The whole vocabulary of the plane, in this process.
"""

from __future__ import annotations

from smartproxy_tw.config.model import Forward, Respond, Route, Target, Timeouts, UpstreamTLS
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.control.state import GAUGES

from ..plane.harness import PlaneTests, World, descriptors
from .contract import PlaneContract


class LocalPlaneTests(PlaneContract, PlaneTests):
    """
    L{LocalPlane}.
    """

    async def test_neverStarted(self) -> None:
        """
        One that was never started leaves nothing when it is drained.
        """
        before = descriptors()
        plane = LocalPlane(World())
        self.assertEqual(await plane.drain(0), 0)
        del plane
        self.assertLessEqual(descriptors(), before)

    async def test_unusableTableLeavesNoTrace(self) -> None:
        """
        Nothing of a table that cannot be used is in use.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        bad = Forward((Target("127.0.0.1", 1),), UpstreamTLS(caFile="/nowhere/ca.pem"))
        await self.assertFailure(
            self.plane.useTable(self.config(Route("b", (port,), bad, "http"), timeouts=Timeouts(head=1))),
            ValueError,
        )
        self.assertEqual(self.plane.engine.timeouts.head, 10.0)

    async def test_gauges(self) -> None:
        """
        What is told of now, and not since the start, is known as such: workers that
        have ended do not count for it.
        """
        tally = await self.plane.tally()
        self.assertEqual(set(tally) - set(self.plane.engine.counts), GAUGES)
