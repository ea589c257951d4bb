"""
Tests for L{smartproxy_tw.service.readable}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.readable import requireReadable, unreadable

#: Changes its user, as twistd does, and looks.
_DROPPED = """
import os, sys
from smartproxy_tw.service.readable import requireReadable
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
requireReadable([sys.argv[1]])
"""


class ReadableTests(SynchronousTestCase):
    """
    L{requireReadable}.
    """

    def test_here(self) -> None:
        """
        Who was started well can read all of it.
        """
        requireReadable()

    def test_noFile(self) -> None:
        """
        A module that is in no file of its own is no reason to refuse.
        """
        requireReadable([None, os.path.join(os.path.abspath(__file__), "inside.pyc"), "/nowhere/at/all"])

    @skipIf(os.geteuid() != 0, "needs root, to become somebody else")
    def test_otherUser(self) -> None:
        """
        Somebody else's file is named, with the user who cannot read it.
        """
        secret = os.path.abspath(self.mktemp())
        with open(secret, "w"):
            os.chmod(secret, 0o600)
        ended = subprocess.run(
            [sys.executable, "-c", _DROPPED, secret],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertEqual(ended.returncode, 1)
        self.assertIn(f"StartError: {secret} cannot be read by user 65534", ended.stderr)

    def test_message(self) -> None:
        """
        The message says who has to be able to read what.
        """
        text = unreadable("this cannot be read")
        for part in (f"user {os.geteuid()}", sys.prefix, sys.base_prefix, "--uid"):
            self.assertIn(part, text)
