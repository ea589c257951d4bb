"""
Tests for L{smartproxy_tw.routing.steps}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Config
from smartproxy_tw.routing.steps import Steps, finish, paused
from smartproxy_tw.routing.table import compileTable, compilingTable

from .routes import https


class StepsTests(SynchronousTestCase):
    """
    L{finish}, L{paused}, and who is made of them.
    """

    def test_finish(self) -> None:
        """
        All is done, and the result or the error is that of the steps.
        """
        done: list[int] = []

        def steps(isWell: bool) -> Steps[str]:
            for number in range(3):
                done.append(number)
                yield
            if not isWell:
                raise ValueError("no")
            return "yes"

        self.assertEqual(finish(steps(True)), "yes")
        self.assertEqual(done, [0, 1, 2])
        self.assertRaises(ValueError, finish, steps(False))

    def test_paused(self) -> None:
        """
        Everything comes, in order; now and then there is a pause, and none for a few.
        """
        found = list(paused(range(1000)))
        self.assertEqual([each for each, _ in found], list(range(1000)))
        self.assertGreater(sum(isPause for _, isPause in found), 10)
        self.assertFalse(any(isPause for _, isPause in paused(range(20))))

    def test_table(self) -> None:
        """
        A large table is compiled in many steps, a small one in few, and the result
        is the same as at once.
        """
        routes = tuple(https(f"r{number}", f"n{number}.test") for number in range(1000))
        steps = compilingTable(Config(routes, "/x"))
        count = 0
        try:
            while True:
                next(steps)
                count += 1
        except StopIteration as end:
            port = end.value.ports[443]
        self.assertGreater(count, 50)
        atOnce = compileTable(Config(routes, "/x")).ports[443]
        for number in (0, 64, 128, 999):
            for table in (port, atOnce):
                self.assertEqual(table.decideRequest(True, f"n{number}.test", "/").route.name, f"r{number}")
        self.assertRaises(StopIteration, next, compilingTable(Config(routes[:10], "/x")))
