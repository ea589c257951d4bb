"""
Tests for L{smartproxy_tw.service.reading}; as a process it is in those of
L{smartproxy_tw.service.reader}.
"""

from __future__ import annotations

import os
import pickle

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import ConfigError, Problem
from smartproxy_tw.config.loading import load
from smartproxy_tw.service.reading import main


class MainTests(SynchronousTestCase):
    """
    What that process does.
    """

    def problems(self, path: str) -> tuple[Problem, ...]:
        """
        What it says to be wrong with a file.
        """
        source, sink = os.pipe()
        main(path, sink)
        with os.fdopen(source, "rb") as pipe:
            data = pipe.read()
        self.assertEqual(data[:1], b"p")
        found: tuple[Problem, ...] = pickle.loads(data[1:])
        return found

    def test_problems(self) -> None:
        """
        What is wrong is written, too.
        """
        (problem,) = self.problems("/nowhere/at.yaml")
        self.assertEqual(problem.file, "/nowhere/at.yaml")

    def test_allProblems(self) -> None:
        """
        All of it is, with its places.
        """
        path = os.path.abspath(self.mktemp() + ".yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write("timeouts: {drian: 3}\nroutes:\n  - 7\n")
        wanted = self.assertRaises(ConfigError, load, path).problems
        self.assertEqual(self.problems(path), wanted)
        self.assertEqual([(each.file, each.line) for each in wanted], [(path, 1), (path, 3)])
