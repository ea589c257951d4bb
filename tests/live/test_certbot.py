"""
Whether our authority is honest, as certbot judges it: a client that others wrote
obtains, renews and revokes a certificate, and checks each answer in its own way.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.x509 import checkCredential, describe
from smartproxy_tw.facts import Credential
from smartproxy_tw.testing.authority import Authority

from ..ports import freePorts
from .running import strange

NEEDS_CERTBOT = (
    None
    if shutil.which("certbot")
    else "needs certbot on PATH, which pip installs into an environment of its own"
)


class CertbotTests(TestCase):
    """
    Certbot answers http-01 by itself, on a free port.
    """

    skip = NEEDS_CERTBOT
    timeout = 900

    async def opens(self, **options: Any) -> None:
        self.httpPort, tlsPort = freePorts(2)
        self.authority = Authority(reactor, httpPort=self.httpPort, tlsPort=tlsPort, **options)
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        (self.directory / "root.pem").write_bytes(self.authority.root)

    async def certbot(self, *arguments: str, isGood: bool = True) -> str:
        """
        Run it to the end; what it said.
        """
        folders = [f"--{each}-dir={self.directory / each}" for each in ("config", "work", "logs")]
        out, err, code = await getProcessOutputAndValue(
            shutil.which("certbot"),
            [*arguments, "--non-interactive", "--server", self.authority.directoryURL, *folders],
            env=strange(REQUESTS_CA_BUNDLE=str(self.directory / "root.pem")),
        )
        said = (out + err).decode("utf-8", "replace")
        self.assertEqual(code == 0, isGood, said)
        return said

    async def obtains(self) -> None:
        await self.certbot(
            "certonly", "--standalone", "--http-01-address=127.0.0.1",
            f"--http-01-port={self.httpPort}", "--agree-tos", "--register-unsafely-without-email",
            "-d", "a.example", "-d", "b.example",
        )  # fmt: skip

    def obtained(self) -> Credential:
        live = self.directory / "config" / "live" / "a.example"
        return Credential((live / "fullchain.pem").read_bytes(), (live / "privkey.pem").read_bytes())

    async def test_wholeLife(self) -> None:
        """
        Obtained, not renewed before it is time, renewed and revoked: by two
        orders of one account.
        """
        await self.opens()
        await self.obtains()
        first = checkCredential(self.obtained(), ["a.example", "b.example"])
        await self.certbot("renew", "--no-random-sleep-on-renew")
        self.assertEqual(self.authority.issued, 1)
        await self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
        second = describe(self.obtained().chain)
        self.assertNotEqual(first.serial, second.serial)
        counted = (
            self.authority.accounts,
            self.authority.orders,
            self.authority.issued,
            self.authority.invalid,
        )
        self.assertEqual(counted, (1, 2, 2, 0))
        await self.certbot(
            "revoke", "--cert-name", "a.example", "--reason", "superseded", "--no-delete-after-revoke"
        )
        self.assertEqual(list(self.authority.revoked.values()), [4])

    async def test_byKey(self) -> None:
        """
        The certificate's own key revokes it, too.
        """
        await self.opens()
        await self.obtains()
        live = self.directory / "config" / "live" / "a.example"
        await self.certbot(
            "revoke", "--cert-path", str(live / "cert.pem"), "--key-path", str(live / "privkey.pem"),
            "--reason", "keycompromise", "--no-delete-after-revoke",
        )  # fmt: skip
        self.assertEqual(list(self.authority.revoked.values()), [1])

    async def test_suggested(self) -> None:
        """
        What the authority suggests to renew at once is renewed, however young.
        """
        await self.opens()
        await self.obtains()
        self.authority.renewalWindow = (-0.2, -0.1)
        await self.certbot("renew", "--no-random-sleep-on-renew")
        self.assertEqual((self.authority.orders, self.authority.issued), (2, 2))

    async def test_leaves(self) -> None:
        """
        An account is deactivated, and good for nothing more.
        """
        await self.opens()
        await self.obtains()
        await self.certbot("unregister")
        self.assertEqual((self.authority.accounts, self.authority.orders), (1, 1))
