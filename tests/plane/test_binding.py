"""
The names that pyOpenSSL does not promise.
"""

from __future__ import annotations

import subprocess
import sys

from OpenSSL import SSL, crypto
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.binding import hasFastPath, isResumed, limitGroups

from .harness import credentialFor, shake


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

    def test_resumed(self) -> None:
        """
        A handshake that takes up a session is told from one that begins it; without the name
        none is.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_session_id(b"test")
        credential = credentialFor("a.test")
        context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, credential.chain))
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))
        common = SSL.Context(SSL.TLS_CLIENT_METHOD)
        # A session ends with a connection that was not shut down.
        kept: list[SSL.Connection] = []
        for wanted in (False, True):
            client, server = SSL.Connection(common, None), SSL.Connection(context, None)
            client.set_connect_state()
            server.set_accept_state()
            if kept:
                session = kept[0].get_session()
                assert session is not None
                client.set_session(session)
            self.assertTrue(shake(client, server))
            kept.append(client)
            self.assertEqual((isResumed(client), isResumed(server)), (wanted, wanted))
        self.patch(SSL, "_lib", None)
        self.assertFalse(isResumed(server))

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
