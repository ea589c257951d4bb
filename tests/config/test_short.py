"""
Tests for L{smartproxy_tw.config.short}.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw
from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.model import Acme, Admin, Config, Forward, Internal, Target
from smartproxy_tw.config.short import fromSites, splitSite

from .reading import understood


class ShortTests(SynchronousTestCase):
    """
    Configurations without a file.
    """

    def made(self, *sites: tuple[str, str], **options: Any) -> Config:
        """
        A configuration with its state in C{/state}.
        """
        return fromSites(list(sites), **{"stateDir": "/state", **options})

    def complaints(self, *sites: tuple[str, str], **options: Any) -> list[str]:
        """
        What is wrong with options.
        """
        error = self.assertRaises(ConfigError, self.made, *sites, **options)
        return str(error).split("\n")

    def test_asInAFile(self) -> None:
        """
        Sites mean what they mean in a file.
        """
        made = self.made(
            ("example.com", "127.0.0.1:3000"),
            ("b.example", "https://app:8443"),
            email="ops@example.com",
            directory="letsencrypt-staging",
            httpPort=8080,
            tlsPort=8443,
            bind=["::1", "127.0.0.1", "::1"],
        )
        read = understood(
            """
            state_dir: /state
            bind: ["::1", 127.0.0.1]
            acme: {email: ops@example.com, directory: letsencrypt-staging, http_port: 8080, tls_port: 8443}
            sites:
              example.com: 127.0.0.1:3000
              b.example: https://app:8443
            """
        )
        self.assertEqual(self.withoutLines(made), self.withoutLines(read))

    def withoutLines(self, config: Config) -> str:
        """
        All of a configuration but the lines of its routes.
        """
        return re.sub(r"line=\d+", "", repr(config))

    def test_defaults(self) -> None:
        """
        Without options: Let's Encrypt, 80 and 443, all addresses.
        """
        made = self.made(("example.com", "3000"))
        self.assertEqual((made.acme, made.bind, made.ports), (Acme(), (), (80, 443)))
        self.assertEqual(made.routes[0].action, Forward((Target("127.0.0.1", 3000),)))

    def test_wwwAndInternal(self) -> None:
        """
        Both apply to all sites.
        """
        made = self.made(("a.localhost", "1"), ("b.localhost", "2"), www=True, certificate="internal")
        self.assertEqual(len(made.routes), 8)
        self.assertEqual(made.autoCertificates, ())
        self.assertEqual(made.routes[6].tls.certificate, Internal(("www.b.localhost",)))

    def test_paths(self) -> None:
        """
        Relative paths count from the working directory.
        """
        path = self.mktemp()
        with open(path, "w", encoding="ascii"):
            pass
        made = self.made(("example.com", "1"), stateDir="state", caFile=path)
        self.assertEqual(made.stateDir, os.path.abspath("state"))
        self.assertEqual(made.admin, Admin(os.path.abspath("state/admin.sock")))
        self.assertEqual(made.acme.caFile, os.path.abspath(path))

    def test_everythingWrong(self) -> None:
        """
        All that is wrong is told at once, each by its option.
        """
        self.assertEqual(
            self.complaints(
                ("a b", "x"),
                ("*.example.com", "1"),
                stateDir="",
                email="x",
                directory="http://ca.example",
                caFile="/nowhere",
                httpPort=0,
                tlsPort=65536,
                bind=["localhost"],
            ),
            [
                "--state-dir: '' is not a path",
                "--acme-email: 'x' is not an e-mail address such as ops@example.com",
                (
                    "--acme-directory: 'http://ca.example' has to be https: plain http is only for an "
                    "authority on "
                    "this machine"
                ),
                "--acme-ca-file: '/nowhere' does not exist, is no file or cannot be read",
                "--http-port: '0' is not a port: 1 to 65535 was expected",
                "--https-port: '65536' is not a port: 1 to 65535 was expected",
                "--bind: 'localhost' is not an IP address",
                "--site a b=x: 'a b' is not a host name: letters, digits and inner hyphens were expected",
                "--site a b=x: 'x' has no port: x:3000, for instance, was expected",
                (
                    "--site *.example.com=1: a certificate by ACME (auto) cannot be had: *.example.com is "
                    "a wildcard, which only dns-01 proves (see acme.dns): "
                    "list the host names one by one, or use internal or "
                    "{cert: , key: }"
                ),
            ],
        )

    def test_noSite(self) -> None:
        """
        Without a site there is nothing to do.
        """
        (line,) = self.complaints()
        self.assertIn("--site: is needed at least once", line)

    def test_twice(self) -> None:
        """
        A name given twice is told, and so is www.NAME where www is redirected.
        """
        self.assertIn("two routes have one name", self.complaints(("a.b", "1"), ("A.b.", "2"))[0])
        self.assertIn(
            "two routes have one name", self.complaints(("a.b", "1"), ("www.a.b", "2"), www=True)[0]
        )

    def test_noWWW(self) -> None:
        """
        Some names have no www beside them.
        """
        told = self.complaints(("*.a.b", "1"), www=True, certificate="internal")
        self.assertEqual(told, ["--site *.a.b=1: there is no www name beside *.a.b"])

    def test_address(self) -> None:
        """
        An IP address is no site.
        """
        (line,) = self.complaints(("127.0.0.1", "1"), certificate="internal")
        self.assertIn("--site 127.0.0.1=1: 127.0.0.1 never comes as a server name", line)

    def test_splitSite(self) -> None:
        """
        A site is a name, an equals sign and a target.
        """
        self.assertEqual(splitSite("example.com=127.0.0.1:3000"), ("example.com", "127.0.0.1:3000"))
        self.assertEqual(splitSite("a = unix:/x=y "), ("a", "unix:/x=y"))
        for text in ("", "a", "a=", "=b", "="):
            self.assertIn("--site: ", str(self.assertRaises(ConfigError, splitSite, text)))

    def test_imports(self) -> None:
        """
        A start without a file pays neither for pydantic nor for yaml.
        """
        code = (
            "import sys; from smartproxy_tw.config.short import fromSites; "
            "fromSites([('example.com', '3000')], stateDir='/x'); "
            "sys.exit(any(name.startswith(('pydantic', 'yaml')) for name in sys.modules))"
        )
        place = os.path.dirname(os.path.dirname(smartproxy_tw.__file__))
        environ = {**os.environ, "PYTHONPATH": place}
        ended = subprocess.run([sys.executable, "-c", code], check=False, env=environ)
        self.assertEqual(ended.returncode, 0)
