"""
The whole vocabulary of the plane, over a line: a supervisor with real lines to two
real data paths, which are in this process all the same.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Respond, Route
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.control.supervisor import Supervisor

from ..plane.harness import TERMINATE, PlaneTests, credentialFor, reactor, turns
from .contract import GET, PlaneContract
from .workers import HereWorkers


class SupervisedPlaneTests(PlaneContract, PlaneTests):
    """
    L{Supervisor}.
    """

    async def setUp(self) -> None:
        """Two workers, besides the data path that the harness has."""
        await super().setUp()
        self.local: LocalPlane = self.plane
        self.workers = HereWorkers(reactor, self.world, clock=lambda: 1_700_000_000.0 + self.world.seconds())
        self.supervisor = Supervisor(reactor, 2, spawn=self.workers)
        self.plane: Any = self.supervisor
        await self.plane.start()

    async def tearDown(self) -> None:
        """Nothing is left."""
        await self.supervisor.drain(0)
        for plane in self.workers.planes:
            self.assertEqual(plane.engine.open, 0)
            self.assertEqual(plane.engine.poller.mortals, {})
            self.assertEqual(plane.engine.poller.handlers, {})
        self.plane = self.local
        await super().tearDown()

    async def until(self, claim: Any, what: str) -> None:
        """
        Turn the reactor until something is so.
        """
        await self.settles(claim, what)

    def kill(self, number: int) -> None:
        """
        A worker is killed.
        """
        self.supervisor._crew.hands[number].process.kill()

    async def test_successor(self) -> None:
        """
        The successor of a worker that was killed has everything: the table, the
        certificates and the ports, large and small.
        """
        port = await self.port()
        await self.certify("a.test")
        large = credentialFor("a.test")
        large = type(large)(large.chain * 100, large.key)
        await self.plane.install("large", large)
        await self.use(Route("a", (port,), Respond(body="a"), "http", tls=TERMINATE))
        for number in (1, 2):
            before = len(self.workers.planes)
            self.kill(number)
            await self.until(
                lambda: (
                    len(self.workers.planes) > before  # noqa: B023
                    and all(hand.isSettled for hand in self.supervisor._crew.hands.values())
                ),
                "it is replaced",
            )
            self.assertTrue((await self.tls(port)).isShaken)
        assert TERMINATE.certificate is not None
        for plane in self.workers.planes[2:]:
            self.assertEqual(plane.installed, {"large", TERMINATE.certificate.key})

    async def test_queue(self) -> None:
        """
        Who connects while no worker is there waits in the kernel for the next one,
        and is not refused.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        self.kill(1)
        self.kill(2)
        client = await self.client(port)
        client.sends(GET)
        self.assertEqual((await client.message())[1], b"a")

    async def test_manyAtOnce(self) -> None:
        """
        Many changes at once, far more than a socket takes, with a death in their
        midst: all are done.
        """
        credential = credentialFor("a.test")
        done = [self.plane.install(f"key {number}", credential) for number in range(300)]
        await turns(2)
        self.kill(1)
        for each in done:
            await each
        await self.until(
            lambda: (
                all(len(plane.installed) == 300 for plane in self.workers.planes if plane._isStarted)
                and sum(plane._isStarted for plane in self.workers.planes) == 2
            ),
            "everything is known everywhere",
        )

    async def test_lineLost(self) -> None:
        """
        A worker that loses its line drains: it lets go of the ports, finishes what
        is in flight, and is done.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        self.supervisor._crew.hands[1].line.hangUp()
        await self.until(lambda: len(self.workers.planes) == 3, "it is replaced")
        self.assertFalse(self.workers.planes[0]._isStarted)

    async def test_pulse(self) -> None:
        """
        The counts are asked for every few seconds.
        """
        hand = self.supervisor._crew.hands[1]
        hand.counts = {}
        for _ in range(5):
            hand.tick()
        await self.until(lambda: bool(hand.counts), "they have come")
