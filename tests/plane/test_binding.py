"""
The names that pyOpenSSL does not promise.
"""

from __future__ import annotations

import subprocess
import sys

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.binding import hasFastPath, limitGroups


class FastPathTests(SynchronousTestCase):
    """
    The names that pyOpenSSL does not promise.
    """

    def test_there(self) -> None:
        """
        With the pyOpenSSL at hand they are there.
        """
        self.assertTrue(hasFastPath)

    def test_groups(self) -> None:
        """
        Groups are limited; a name that is none limits nothing, and leaves no
        error behind for somebody else to find.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.assertTrue(limitGroups(context, "?NOSUCH:P-256"))
        self.assertFalse(limitGroups(context, "NOSUCH"))
        self.assertFalse(SSL.Connection(context, None).pending())
        lib = SSL._lib  # type: ignore[attr-defined]
        self.assertEqual(lib.ERR_get_error(), 0)
        self.patch(SSL, "_lib", None)
        self.assertFalse(limitGroups(context, "P-256"))

    def test_notThere(self) -> None:
        """
        Without one of them the wire still imports, and says so.
        """
        code = (
            "from OpenSSL import SSL\n"
            "class Lib:\n"
            "    def __getattr__(self, name):\n"
            "        if name == 'BIO_write': raise AttributeError(name)\n"
            "        return getattr(lib, name)\n"
            "lib, SSL._lib = SSL._lib, Lib()\n"
            "from smartproxy_tw.plane import binding, handshake\n"
            "print(binding.hasFastPath)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        self.assertEqual((done.stdout, done.stderr), ("False\n", ""))
