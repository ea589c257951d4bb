"""
Tests for L{smartproxy_tw.control.processes}; real processes are in
L{tests.live.test_workers}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.processes import environment


class EnvironmentTests(SynchronousTestCase):
    """
    What a worker knows of the environment.
    """

    def test_nothingSecret(self) -> None:
        """
        Only what an interpreter, a resolver or OpenSSL goes by is kept.
        """
        told = {
            "LC_ALL": "C.UTF-8",
            "SSL_CERT_FILE": "/ca.pem",
            "LD_LIBRARY_PATH": "/opt/lib",
            "AWS_SECRET_ACCESS_KEY": "x",
            "HOME": "/root",
            "PYTHONPATH": "/old",
            "PYTHONSTARTUP": "/x.py",
        }
        self.assertEqual(
            environment(told, ["/a", "/b"]),
            {
                "LC_ALL": "C.UTF-8",
                "SSL_CERT_FILE": "/ca.pem",
                "LD_LIBRARY_PATH": "/opt/lib",
                "PYTHONPATH": "/a:/b",
            },
        )

    def test_samePackage(self) -> None:
        """
        Modules are found where this process finds them, in that order, wherever
        the worker is begun.
        """
        found = environment({}, ["", "/b", "relative", "/b"])["PYTHONPATH"].split(os.pathsep)
        self.assertEqual(found, [os.getcwd(), "/b", os.path.abspath("relative")])
