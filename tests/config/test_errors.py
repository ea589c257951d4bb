"""
Tests for L{smartproxy_tw.config.errors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import MOST_SHOWN, ConfigError, Problem


class ProblemTests(SynchronousTestCase):
    """
    One mistake as one line.
    """

    def test_wholeLine(self) -> None:
        """
        File, line, column, option and message stand in this order.
        """
        problem = Problem("a.yaml", 3, 7, "acme.email", "is wrong")
        self.assertEqual(str(problem), "a.yaml:3:7: acme.email: is wrong")

    def test_unknownParts(self) -> None:
        """
        What is not known leaves no trace.
        """
        self.assertEqual(str(Problem("a.toml", 3, 0, "", "is wrong")), "a.toml:3: is wrong")
        self.assertEqual(str(Problem("a.yaml", 0, 0, "", "is wrong")), "a.yaml: is wrong")
        self.assertEqual(str(Problem("", 0, 0, "--site", "is wrong")), "--site: is wrong")

    def test_staysOneLine(self) -> None:
        """
        Nothing from a file can break the line, move the cursor or turn the
        direction of writing.
        """
        shown = str(Problem("a\nb", 1, 1, "x\x1b[2J", "\r\t\x00\x9b\u2028\u202e\u2066\ud800 ü"))
        self.assertEqual(shown, "a\\nb:1:1: x\\x1b[2J: \\r\\t\\x00\\x9b\\u2028\\u202e\\u2066\\ud800 ü")


class ConfigErrorTests(SynchronousTestCase):
    """
    All mistakes together.
    """

    def test_oneLineEach(self) -> None:
        """
        The text has a line for each problem, in order.
        """
        problems = [Problem("a", 1, 1, "x", "m"), Problem("a", 2, 1, "y", "n")]
        error = ConfigError(iter(problems))
        self.assertEqual(error.problems, tuple(problems))
        self.assertEqual(str(error), "a:1:1: x: m\na:2:1: y: n")

    def test_many(self) -> None:
        """
        Ten thousand mistakes are all known, and do not fill the screen.
        """
        error = ConfigError(Problem("a", line, 1, "x", "m") for line in range(1, 10001))
        self.assertEqual(len(error.problems), 10000)
        lines = str(error).splitlines()
        self.assertEqual(len(lines), MOST_SHOWN + 1)
        self.assertEqual(lines[-2:], ["a:50:1: x: m", "... and 9950 more problems; mend these first"])
