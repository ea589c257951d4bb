"""
The attacks of L{tests.attack.siege}, each for some seconds; as big as one likes by
C{python -m benchmarks.soak}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ..attack import siege


class SiegeTests(SynchronousTestCase):
    """
    The proxy, an origin and the attackers, each in a process of its own.
    """

    timeout = 900

    def test_slow(self) -> None:
        """
        Slow heads, bodies, readers and hellos keep nobody from being served.
        """
        found = siege.slow(each=80, seconds=2.5, head=1.0, pause=0.3)
        self.assertGreater(found["open"], 200)
        self.assertGreater(found["with"]["answers"], 100)

    def test_torrents(self) -> None:
        """
        Nor do enemies that speak HTTP/2: floods are told to be calm, who says nothing is left, and
        nothing of them stays.
        """
        found = siege.torrents(each=4, seconds=3.0, write=1.5)
        self.assertGreater(sum(each.get("answers", 0) for each in found["with"]), 50)

    def test_mutations(self) -> None:
        """
        What is almost a request gets an answer, never a traceback; and nothing
        malformed reaches the origin.
        """
        found = siege.mutations(count=4800)
        self.assertGreater(found["mutant"]["400"], 2000)
        self.assertGreater(found["mutant"]["200"], 500)

    def test_kept(self) -> None:
        """
        Nothing is kept of clients that leave in the midst of everything.
        """
        found = siege.kept(seconds=2.0, each=32)
        self.assertGreater(found["after"]["connections"] - found["before"]["connections"], 200)

    def test_lag(self) -> None:
        """
        Nothing keeps the reactor from its work.  (Where tests run side by side
        a processor is slower; the soak holds the bound.)
        """
        found = siege.lag(each=200, seconds=4.0, routes=5000, most=0.05)
        self.assertGreater(found["good"]["answers"], 50)

    def test_full(self) -> None:
        """
        Who finds no room is refused at little cost, and served when there is.
        """
        siege.full(files=256, seconds=3.0)

    def test_exhausted(self) -> None:
        """
        Without descriptors the proxy rests, and goes on when there are some.
        """
        found = siege.exhausted(files=256, seconds=3.0)
        self.assertGreater(found["hoarded"], 100)
