"""
Tests for L{smartproxy_tw.service.reading}; as a process it is in those of
L{smartproxy_tw.service.reader}.
"""

from __future__ import annotations

import os
import pickle

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.reading import main


class MainTests(SynchronousTestCase):
    """
    What that process does.
    """

    def test_problems(self) -> None:
        """
        What is wrong is written, too.
        """
        source, sink = os.pipe()
        main("/nowhere/at.yaml", sink)
        with os.fdopen(source, "rb") as pipe:
            data = pipe.read()
        self.assertEqual(data[:1], b"p")
        (problem,) = pickle.loads(data[1:])
        self.assertEqual(problem.file, "/nowhere/at.yaml")
