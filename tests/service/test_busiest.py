"""
Tests for L{smartproxy_tw.service.busiest}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.census import cell
from smartproxy_tw.routing.steps import finish
from smartproxy_tw.service.busiest import figures


class FiguresTests(SynchronousTestCase):
    """
    What there is to see.
    """

    def test_routes(self) -> None:
        """
        The busiest first, whatever their names are, with what failed; what is counted for
        the whole is apart, and targets and durations are not told.
        """
        found = finish(
            figures(
                {
                    "requests": 9,
                    "open": 1,
                    cell("requests", 200, "a b"): 3,
                    cell("requests", 502, "a b"): 2,
                    cell("requests", "5xx", "a b"): 1,
                    cell("sent", "-", "a b"): 700,
                    cell("received", "-", "a b"): 70,
                    cell("streams", "-", "tunnel"): 8,
                    cell("requests", 400, ""): 3,
                    cell("seconds", 3, "a b"): 5,
                    cell("target_busy", "-", "127.0.0.1:1"): 5,
                }
            )
        )
        self.assertEqual(found.counts, {"requests": 9, "open": 1})
        nothing = {"requests": 0, "streams": 0, "sent": 0, "received": 0, "failed": 0}
        self.assertEqual(
            found.routes,
            (
                {**nothing, "route": "tunnel", "streams": 8},
                {"route": "a b", "requests": 6, "streams": 0, "sent": 700, "received": 70, "failed": 3},
                {**nothing, "route": "", "requests": 3},
            ),
        )

    def test_many(self) -> None:
        """
        Of ten thousand the fifty busiest are told, and it takes many steps.
        """
        tally = {cell("requests", 200, f"r{number}"): number for number in range(10000)}
        steps, count = figures(tally), 0
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found = end.value
                break
            count += 1
        self.assertGreater(count, 100)
        self.assertEqual([each["route"] for each in found.routes], [f"r{9999 - n}" for n in range(50)])
