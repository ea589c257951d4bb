"""
Tests for L{tests.ports}: that tests which run side by side do not take ports from one another.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from . import ports
from .ports import freePorts


class FreePortsTests(SynchronousTestCase):
    """
    Of this process, and of another one.
    """

    def test_neverTwice(self) -> None:
        """
        Nobody is given a port twice, even if its first owner has left it.
        """
        found = [*freePorts(100), *freePorts(100)]
        self.assertEqual(len(set(found)), 200)
        self.assertTrue(all(10000 <= each < 32768 for each in found))

    def test_anotherProcess(self) -> None:
        """
        Another process is given none of the blocks that this one has, whichever it would
        like best.
        """
        freePorts(1)
        mine = {each.getsockname()[1] for each in ports._held}
        code = (
            "import sys, tests.ports as ports\n"
            "ports.random.sample = lambda blocks, count: [*map(int, sys.argv[1:]), *blocks]\n"
            "print(*ports.freePorts(ports._BLOCK))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, *map(str, mine)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
            capture_output=True,
            text=True,
            check=True,
        )
        theirs = set(map(int, ran.stdout.split()))
        self.assertEqual(len(theirs), ports._BLOCK)
        self.assertFalse([each for each in theirs for first in mine if first <= each < first + ports._BLOCK])

    def test_taken(self) -> None:
        """
        Nor one on which somebody listens who did not ask here.
        """
        (number,) = freePorts(1)
        with socket.create_server(("127.0.0.1", number)):
            ports._left.append(number)
            self.assertNotIn(number, freePorts(2))
